//! A repository, a platform on a free port, and a client that can send anything.

use std::path::Path;
use std::time::{Duration, Instant};

use git2::{Oid, Repository, Signature};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::loopback::ground_truth;
use crate::loopback::provision::{Provisioned, ServiceSpec};
use crate::loopback::server::{self, Served};
use crate::loopback::supervisor::PlatformOptions;

/// SUCCESS after 0.2 s.
const SCALE: f64 = 0.02;
/// Longest wait for anything in these tests; normally it takes a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// Ends at once and properly when told to.
pub(super) const OBEDIENT: &str = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
/// Never ends by itself, whatever it is told.
pub(super) const STUBBORN: &str = "trap '' TERM; while :; do sleep 0.05; done";
/// The fields that the measured table speaks of.
pub(super) const SEEN: &str =
    "id status deploymentStopped statusUpdatedAt instances { id status } url meta";

/// The service that tests deploy.
pub(super) fn spec(repo: &Path, script: &str) -> ServiceSpec {
    ServiceSpec {
        env: "staging".to_owned(),
        repo_dir: repo.to_owned(),
        branch: "main".to_owned(),
        start_command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        draining_secs: 5,
        overlap_secs: 0,
        restart_policy: Some("NEVER".to_owned()),
        restart_max_retries: None,
        old_goes_first: false,
        auto_deploy: false,
    }
}

pub(super) struct Rig {
    pub(super) dir: TempDir,
    pub(super) repo: TempDir,
    pub(super) served: Option<Served>,
    pub(super) service: Provisioned,
    http: reqwest::Client,
}

impl Rig {
    /// A platform with one service that runs `script`, and one commit.
    pub(super) async fn new(script: &str) -> Self {
        Self::with(|repo| spec(repo, script)).await
    }

    /// The same with other settings.
    pub(super) async fn with(spec: impl FnOnce(&Path) -> ServiceSpec) -> Self {
        Self::paced(SCALE, spec).await
    }

    /// The same at another pace: what lasts a moment at [`SCALE`] is over before a loaded machine
    /// looks.
    pub(super) async fn paced(scale: f64, spec: impl FnOnce(&Path) -> ServiceSpec) -> Self {
        let (dir, (repo, _)) = (tempfile::tempdir().unwrap(), repository());
        let served = serve(dir.path(), scale).await;
        let http = client();
        let wanted = json!(spec(repo.path()));
        let (status, answer) =
            post_admin(&http, &served, dir.path(), "/loopback/services", &wanted).await;
        assert_eq!(status, 200, "{answer}");
        let service = Provisioned::read(&answer).unwrap();
        Self {
            dir,
            repo,
            served: Some(served),
            service,
            http,
        }
    }

    pub(super) fn served(&self) -> &Served {
        self.served.as_ref().unwrap()
    }

    /// Ends the platform and leaves its processes running.
    pub(super) async fn end_platform(&mut self) {
        self.served.take().unwrap().end().await;
    }

    pub(super) async fn start_platform(&mut self) {
        self.served = Some(serve(self.dir.path(), SCALE).await);
        // Its connections ended with the earlier one.
        self.http = client();
    }

    pub(super) fn head(&self) -> String {
        let repo = Repository::open(self.repo.path()).unwrap();
        repo.head().unwrap().target().unwrap().to_string()
    }

    /// Sends a request with these headers; the HTTP status and the body.
    pub(super) async fn send(&self, headers: &[(&str, &str)], body: String) -> (u16, String) {
        let mut request = self.http.post(&self.served().endpoint.endpoint).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// A GraphQL request with the service's own token: the whole answer.
    pub(super) async fn ask(&self, query: &str, variables: Value) -> Value {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let token = self.service.token.expose();
        let (status, text) = self.send(&[("Project-Access-Token", token)], body).await;
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The same for a field that must succeed.
    pub(super) async fn get(&self, query: &str, variables: Value) -> Value {
        let answer = self.ask(query, variables).await;
        assert!(answer.get("errors").is_none(), "{answer}");
        answer["data"].clone()
    }

    /// The message of the only error.
    pub(super) async fn refusal(&self, query: &str, variables: Value) -> String {
        let answer = self.ask(query, variables).await;
        assert!(answer["data"].is_null(), "{answer}");
        answer["errors"][0]["message"].as_str().unwrap().to_owned()
    }

    pub(super) async fn deploy(&self, commit: &str) -> String {
        let answer = self.get(DEPLOY, self.deploy_input(commit)).await;
        answer["serviceInstanceDeployV2"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(super) fn deploy_input(&self, commit: &str) -> Value {
        json!({ "e": self.service.environment_id, "s": self.service.service_id, "c": commit })
    }

    /// Deploys HEAD and waits until it is active.
    pub(super) async fn deploy_active(&self) -> String {
        let id = self.deploy(&self.head()).await;
        self.until(&id, "active", |row| {
            row["status"] == "SUCCESS" && row["deploymentStopped"] == false
        })
        .await;
        id
    }

    pub(super) async fn deployment(&self, id: &str) -> Value {
        let query = format!("query($id: String!) {{ deployment(id: $id) {{ {SEEN} }} }}");
        self.get(&query, json!({ "id": id })).await["deployment"].clone()
    }

    /// Waits until the deployment reads as wanted.
    #[track_caller]
    pub(super) fn until<'a>(
        &'a self,
        id: &'a str,
        what: &'a str,
        wanted: impl Fn(&Value) -> bool + 'a,
    ) -> impl Future<Output = Value> + 'a {
        let since = Instant::now();
        async move {
            loop {
                let row = self.deployment(id).await;
                if wanted(&row) {
                    return row;
                }
                assert!(since.elapsed() < PATIENCE, "never {what}: {row}");
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    }

    /// Whether a process of this deployment lives, by the kernel.
    pub(super) fn lives(&self, id: &str) -> bool {
        ground_truth::living(&self.served().platform.dir)
            .unwrap()
            .contains_key(id)
    }

    pub(super) async fn admin(&self, path: &str, body: &Value) -> (u16, Value) {
        post_admin(&self.http, self.served(), self.dir.path(), path, body).await
    }

    pub(super) async fn admin_get(&self, path: &str) -> Value {
        let token = crate::loopback::files::platform_dir(self.dir.path()).join("admin-token");
        let token = std::fs::read_to_string(token).unwrap();
        let port = self.served().endpoint.port().unwrap();
        let request = self
            .http
            .get(format!("http://127.0.0.1:{port}{path}"))
            .header("Authorization", format!("Bearer {token}"));
        let text = request.send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Puts these faults in force.
    pub(super) async fn fault(&self, faults: &Value) {
        let (status, answer) = self.admin("/loopback/faults", faults).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Waits until no process of this deployment lives, by the kernel.
    pub(super) async fn until_dead(&self, id: &str) {
        self.until_living(id, false).await;
    }

    /// Waits until one does.
    pub(super) async fn until_alive(&self, id: &str) {
        self.until_living(id, true).await;
    }

    async fn until_living(&self, id: &str, lives: bool) {
        let since = Instant::now();
        while self.lives(id) != lives {
            assert!(since.elapsed() < PATIENCE, "lives stays {}", !lives);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    /// Runs one mutation on a deployment that must answer true.
    pub(super) async fn mutate(&self, mutation: &str, id: &str) {
        let query = format!("mutation($id: String!) {{ {mutation}(id: $id) }}");
        let answer = self.get(&query, json!({ "id": id })).await;
        assert_eq!(answer[mutation], true);
    }

    /// Its refusal.
    pub(super) async fn mutate_refused(&self, mutation: &str, id: &str) -> String {
        let query = format!("mutation($id: String!) {{ {mutation}(id: $id) }}");
        self.refusal(&query, json!({ "id": id })).await
    }

    /// A file of the service's volume, empty if absent.
    pub(super) fn volume_file(&self, name: &str) -> String {
        let platform = &self.served().platform;
        let volume = platform.read(|world| world.state.instances[0].volume_dir.clone());
        std::fs::read_to_string(volume.join(name)).unwrap_or_default()
    }
}

pub(super) const DEPLOY: &str = "mutation($e: String!, $s: String!, $c: String!) {
    serviceInstanceDeployV2(environmentId: $e, serviceId: $s, commitSha: $c) }";

impl Drop for Rig {
    fn drop(&mut self) {
        let dir = crate::loopback::files::platform_dir(self.dir.path());
        for pid in ground_truth::living(&dir)
            .unwrap_or_default()
            .into_values()
            .flatten()
        {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // One that has just ended needs no killing.
            pid.and_then(|pid| kill_process(pid, Signal::KILL).ok());
        }
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent("launch-tests")
        .no_proxy()
        .build()
        .unwrap()
}

async fn serve(dir: &Path, time_scale: f64) -> Served {
    let options = PlatformOptions {
        state_dir: dir.to_owned(),
        time_scale,
        trader_bin: "/bin/false".into(),
    };
    server::start(&options, 0).await.unwrap()
}

async fn post_admin(
    http: &reqwest::Client,
    served: &Served,
    dir: &Path,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let token = crate::loopback::files::platform_dir(dir).join("admin-token");
    let token = std::fs::read_to_string(token).unwrap();
    let url = format!("http://127.0.0.1:{}{path}", served.endpoint.port().unwrap());
    let request = http
        .post(url)
        .header("Authorization", format!("Bearer {token}"));
    let response = request.body(body.to_string()).send().await.unwrap();
    let status = response.status().as_u16();
    (
        status,
        serde_json::from_str(&response.text().await.unwrap()).unwrap(),
    )
}

/// A repository with one commit, and its id.
pub(super) fn repository() -> (TempDir, String) {
    let repo = tempfile::tempdir().unwrap();
    Repository::init(repo.path()).unwrap();
    let head = commit(repo.path(), &[("marker", "first")]);
    (repo, head)
}

fn commit(dir: &Path, files: &[(&str, &str)]) -> String {
    let repo = Repository::open(dir).unwrap();
    let parent = repo.head().ok().and_then(|head| head.peel_to_commit().ok());
    let base = parent.as_ref().map(|commit| commit.tree().unwrap());
    let mut tree = repo.treebuilder(base.as_ref()).unwrap();
    for (name, text) in files {
        let blob = repo.blob(text.as_bytes()).unwrap();
        tree.insert(name, blob, 0o100_644).unwrap();
    }
    commit_tree(&repo, tree.write().unwrap())
}

/// Commits a tree to `main`.
pub(super) fn commit_tree(repo: &Repository, tree: Oid) -> String {
    let me = Signature::now("Tester", "tester@localhost").unwrap();
    let tree = repo.find_tree(tree).unwrap();
    let parent = repo
        .find_reference("refs/heads/main")
        .ok()
        .and_then(|it| it.peel_to_commit().ok());
    let parents: Vec<_> = parent.iter().collect();
    let id = repo
        .commit(
            Some("refs/heads/main"),
            &me,
            &me,
            "a commit",
            &tree,
            &parents,
        )
        .unwrap();
    repo.set_head("refs/heads/main").unwrap();
    id.to_string()
}
