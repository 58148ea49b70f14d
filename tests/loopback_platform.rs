//! The loopback platform as its own detached process: started on demand, killed, started again,
//! stopped by command.

#![expect(
    clippy::unwrap_used,
    reason = "a value that is not there is a failed test"
)]

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use git2::{Repository, Signature};
use launch::loopback::{self, Endpoint, ServiceSpec};
use launch_kill::process::{Life, ProcessId};
use launch_kill::{Auth, Client, Deadline, ServiceIds};
use serde_json::Value;
use tempfile::TempDir;

/// Fifty times Railway's pace.
const SCALE: f64 = 0.02;
/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(20);

/// A state directory whose platform does not outlive the test.
struct State(TempDir);

impl State {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ensure(&self) -> Endpoint {
        let launch = Path::new(env!("CARGO_BIN_EXE_launch"));
        loopback::ensure_from(launch, self.path(), SCALE, None).unwrap()
    }

    fn platform(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_launch"));
        command
            .arg("platform")
            .args(args)
            .arg("--state-dir")
            .arg(self.path());
        command.env_remove("LAUNCH_STATE_DIR").output().unwrap()
    }

    fn status(&self) -> Value {
        let output = self.platform(&["status", "--format", "json"]);
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if loopback::running(self.path()).ok().flatten().is_some() {
            drop(self.platform(&["stop"]));
        }
    }
}

fn until_gone(process: &ProcessId) {
    let since = Instant::now();
    while process.life() != Life::Gone {
        assert!(since.elapsed() < PATIENCE, "{process:?} lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn callers_at_once_start_one_and_a_killed_one_comes_back_at_the_same_address() {
    let state = State::new();
    assert_eq!(state.status()["running"], false);
    let found: Vec<Endpoint> = std::thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(|| state.ensure())).collect();
        callers
            .into_iter()
            .map(|caller| caller.join().unwrap())
            .collect()
    });
    assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
    assert_eq!(state.status()["platform"]["pid"], found[0].pid);

    let second = state.platform(&["serve"]);
    assert_eq!(second.status.code(), Some(4), "one per state directory");

    found[0].process().kill().unwrap();
    until_gone(&found[0].process());
    assert_eq!(
        state.status()["running"],
        false,
        "platform.json alone is not believed"
    );
    let again = state.ensure();
    assert_ne!(again.pid, found[0].pid);
    assert_eq!(again.endpoint, found[0].endpoint);

    let stopped = state.platform(&["stop"]);
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    assert_eq!(again.process().life(), Life::Gone);
    assert_eq!(state.status()["running"], false);
}

#[test]
fn it_is_its_own_session_with_nothing_of_our_environment() {
    let state = State::new();
    let endpoint = state.ensure();
    let environment = std::fs::read(format!("/proc/{}/environ", endpoint.pid)).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    let names: Vec<&str> = environment
        .split('\0')
        .filter_map(|one| Some(one.split_once('=')?.0))
        .collect();
    assert!(
        names
            .iter()
            .all(|name| ["PATH", "LAUNCH_STATE_DIR"].contains(name)),
        "{names:?}"
    );
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", endpoint.pid)).unwrap();
    let session = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .nth(3)
        .unwrap();
    assert_eq!(session, endpoint.pid.to_string());
}

#[test]
fn wrong_usage_is_2_and_says_why() {
    let state = State::new();
    for scale in ["0", "nan", "-1", "1000"] {
        let output = state.platform(&["serve", &format!("--time-scale={scale}")]);
        assert_eq!(output.status.code(), Some(2), "{scale}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("time scale"),
            "{output:?}"
        );
    }
    let damaged = state.path().join("local/platform");
    std::fs::create_dir_all(&damaged).unwrap();
    std::fs::write(damaged.join("state.json"), "{").unwrap();
    for command in ["serve", "status"] {
        let output = state.platform(&[command]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(output.stdout.is_empty(), "nothing is claimed: {output:?}");
        assert!(
            said.contains("state.json") && said.lines().count() == 1,
            "{said}"
        );
    }
}

/// A repository with one empty commit; its id.
fn repository(dir: &Path) -> String {
    let repo = Repository::init(dir).unwrap();
    let me = Signature::now("Tester", "tester@localhost").unwrap();
    let tree = repo.treebuilder(None).unwrap().write().unwrap();
    let tree = repo.find_tree(tree).unwrap();
    repo.commit(Some("refs/heads/main"), &me, &me, "a commit", &tree, &[])
        .unwrap()
        .to_string()
}

/// A service that lives until it is told to end, and a client of it.
struct Service {
    client: Client,
    ids: ServiceIds,
    commit: String,
}

impl Service {
    fn new(state: &State, repo: &Path) -> Self {
        let commit = repository(repo);
        let endpoint = state.ensure();
        let spec = ServiceSpec {
            env: "staging".to_owned(),
            repo_dir: repo.to_owned(),
            branch: "main".to_owned(),
            start_command: [
                "/bin/sh",
                "-c",
                "trap 'exit 0' TERM; while :; do sleep 0.05; done",
            ]
            .map(str::to_owned)
            .to_vec(),
            draining_secs: 5,
            overlap_secs: 0,
            restart_policy: None,
            restart_max_retries: None,
            old_goes_first: false,
            auto_deploy: false,
        };
        let service = loopback::provision(state.path(), &spec).unwrap();
        let address = launch_kill::Endpoint::parse(&endpoint.endpoint).unwrap();
        Self {
            client: Client::new(address, Auth::Project(service.token.clone())).unwrap(),
            ids: ServiceIds {
                project_id: Some(service.project_id),
                environment_id: service.environment_id,
                service_id: service.service_id,
            },
            commit,
        }
    }

    async fn deploy(&self) -> String {
        launch::platform::calls::deploy(&self.client, &self.ids, &self.commit, soon())
            .await
            .unwrap()
    }

    /// Waits until it reads as wanted.
    async fn until(
        &self,
        id: &str,
        wanted: impl Fn(&launch_kill::Deployment) -> bool,
    ) -> launch_kill::Deployment {
        let since = Instant::now();
        loop {
            let row = launch_kill::platform::deployment(&self.client, id, soon())
                .await
                .unwrap();
            if wanted(&row) {
                return row;
            }
            assert!(since.elapsed() < PATIENCE, "{row:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn soon() -> Deadline {
    Deadline::after(PATIENCE)
}

/// A service deployed and active: its process.
async fn deploy(state: &State, repo: &Path) -> ProcessId {
    let service = Service::new(state, repo);
    let id = service.deploy().await;
    let row = service
        .until(&id, |row| row.status_text() == "SUCCESS")
        .await;
    let about = row.meta.get("loopback").unwrap();
    ProcessId {
        boot_id: about["boot_id"].as_str().unwrap().to_owned(),
        pid: u32::try_from(about["pid"].as_u64().unwrap()).unwrap(),
        start: about["pid_start"].as_u64().unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_of_a_deploy_and_of_a_stop_it_goes_on_with_one_process() {
    let (state, repo) = (State::new(), tempfile::tempdir().unwrap());
    let service = Service::new(&state, repo.path());
    let id = service.deploy().await;
    // SUCCESS comes after about 200 ms of its life; each death is a little later in it.
    for after_ms in [0, 20, 40, 60, 90] {
        let platform = state.ensure().process();
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        platform.kill().unwrap();
        until_gone(&platform);
        let left = state.status()["left_behind"].clone();
        assert_eq!(left[0]["id"], id.as_str(), "{left}");
    }
    state.ensure();
    service
        .until(&id, |row| row.status_text() == "SUCCESS")
        .await;
    let living = loopback::living_processes(state.path()).unwrap();
    assert_eq!(living.keys().collect::<Vec<_>>(), [&id]);
    let folder = Endpoint::path(state.path());
    let log = folder
        .with_file_name("deployments")
        .join(&id)
        .join("output.log");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.matches("Starting Container").count() <= 1, "{log}");

    launch_kill::platform::stop(&service.client, &id, soon())
        .await
        .unwrap();
    let platform = state.ensure().process();
    platform.kill().unwrap();
    until_gone(&platform);
    state.ensure();
    service.until(&id, |row| !row.is_live()).await;
    assert!(loopback::living_processes(state.path()).unwrap().is_empty());
}

#[test]
fn faults_by_hand_are_shown_set_refused_and_cleared() {
    let state = State::new();
    let down = state.platform(&["faults"]);
    assert_eq!(down.status.code(), Some(3), "{down:?}");
    state.ensure();
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text(&state.platform(&["faults"])), "faults: none\n");
    let json =
        r#"{"network":[{"kind":"hang","operations":["deploymentStop"],"times":1}],"stop":"stuck"}"#;
    let set = state.platform(&["faults", "--set", json]);
    assert_eq!(set.status.code(), Some(0), "{set:?}");
    assert_eq!(text(&set), format!("faults: {json}\n"));
    assert!(text(&state.platform(&["status"])).contains(json));
    for (bad, place) in [
        ("{\n \"stop\": \"never\" }", "line 2, column"),
        ("{\"stop\":", "line 1, column"),
        (
            r#"{"network":[{"kind":"hang","operations":["stopp"]}]}"#,
            "network[0].operations[0]",
        ),
    ] {
        let refused = state.platform(&["faults", "--set", bad]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(place) && said.lines().count() == 1, "{said}");
    }
    assert_eq!(
        text(&state.platform(&["faults"])),
        format!("faults: {json}\n")
    );
    assert_eq!(
        text(&state.platform(&["faults", "--clear"])),
        "faults: none\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_platform_leaves_its_trader_and_the_next_one_stops_it() {
    let (state, repo) = (State::new(), tempfile::tempdir().unwrap());
    let endpoint = state.ensure();
    let trader = deploy(&state, repo.path()).await;
    endpoint.process().kill().unwrap();
    until_gone(&endpoint.process());
    assert_eq!(
        trader.life(),
        Life::Alive,
        "a zombie, as on any platform that dies"
    );
    state.ensure();
    assert_eq!(
        state.status()["services"][0]["live"][0]["pid"],
        trader.pid,
        "taken up again"
    );
    let stopped = state.platform(&["stop"]);
    assert_eq!(stopped.status.code(), Some(0), "{stopped:?}");
    assert_eq!(trader.life(), Life::Gone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_whose_folder_is_gone_ends_with_all_it_runs() {
    let (state, repo) = (State::new(), tempfile::tempdir().unwrap());
    let endpoint = state.ensure();
    let trader = deploy(&state, repo.path()).await;
    let living = loopback::living_processes(state.path()).unwrap();
    assert!(
        living.values().flatten().any(|pid| *pid == trader.pid),
        "{living:?}"
    );
    std::fs::remove_dir_all(state.path()).unwrap();
    until_gone(&endpoint.process());
    assert_eq!(trader.life(), Life::Gone);
}
