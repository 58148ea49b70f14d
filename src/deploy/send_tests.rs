//! The deploy is sent once: a lost answer is looked up, never sent again.

use super::*;
use crate::context::{Context, Format};
use crate::plan::gather::Written;
use crate::plan::intent::tests::{intent, plan};
use crate::platform::connect::Connected;
use crate::platform::tokens::TraderTokens;
use axum::routing::post;
use axum::{Json, Router};
use launch_kill::{Auth, Client, Endpoint, EnvName, Secret, ServiceIds, StateDir};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn deployment(id: &str, commit: Option<&str>) -> Deployment {
    Deployment::read(&json!({"id": id, "status": "BUILDING", "meta": {"commitHash": commit}}))
        .unwrap()
}

#[test]
fn only_a_new_deployment_of_this_commit_may_be_ours() {
    let ours = intent().commit;
    let before = BTreeSet::from(["old".to_owned()]);
    let plan = plan(intent(), &[], "p", "");
    let listed = [
        deployment("new", Some(&ours)),
        deployment("someone else's", Some(&"c".repeat(40))),
        deployment("silent", None),
        deployment("old", Some(&ours)),
    ];
    assert_eq!(new_of(&listed, &before, &plan), ["new", "silent"]);
    assert!(new_of(&listed[3..], &before, &plan).is_empty());
}

/// What the fake platform does with the deploy mutation.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Deploys {
    /// Makes the deployment and answers 502.
    AnswerLost,
    /// Makes nothing and says why.
    Refuses,
}

/// A platform that counts deploys; the deployments that it lists grow with each.
#[derive(Debug, Clone)]
struct Fake {
    deploys: Deploys,
    sent: Arc<AtomicUsize>,
    listed: Arc<Mutex<Vec<Value>>>,
}

impl Fake {
    async fn start(deploys: Deploys) -> (Self, Endpoint) {
        let fake = Self {
            deploys,
            sent: Arc::default(),
            listed: Arc::default(),
        };
        let answering = fake.clone();
        let routes = Router::new().route(
            "/graphql/v2",
            post(move |Json(request): Json<Value>| {
                let answer = answering.answer(&request);
                async move { answer }
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let endpoint = Endpoint::parse(&format!("http://{address}/graphql/v2")).unwrap();
        (fake, endpoint)
    }

    fn answer(&self, request: &Value) -> (axum::http::StatusCode, Json<Value>) {
        let ok = axum::http::StatusCode::OK;
        match request["operationName"].as_str().unwrap() {
            "ServiceInstanceDeployV2" => {
                let count = self.sent.fetch_add(1, Ordering::SeqCst);
                if self.deploys == Deploys::Refuses {
                    return (
                        ok,
                        Json(json!({"errors": [{"message": "Commit not found"}], "data": null})),
                    );
                }
                let commit = request["variables"]["commitSha"].clone();
                self.listed.lock().unwrap().push(json!({
                    "id": format!("new-{count}"), "status": "BUILDING", "serviceId": "s",
                    "environmentId": "e", "meta": {"commitHash": commit},
                }));
                (axum::http::StatusCode::BAD_GATEWAY, Json(json!({})))
            }
            "Deployments" => {
                let edges: Vec<Value> = self
                    .listed
                    .lock()
                    .unwrap()
                    .iter()
                    .map(|node| json!({"cursor": "c", "node": node}))
                    .collect();
                (
                    ok,
                    Json(json!({"data": {"deployments": {
                        "edges": edges, "pageInfo": {"hasNextPage": false, "endCursor": null},
                    }}})),
                )
            }
            other => panic!("nobody asked for {other}"),
        }
    }
}

fn gathered(dir: &std::path::Path, endpoint: Endpoint) -> Gathered {
    let secret = |text: &str| Secret::new(text).unwrap();
    let auth = Auth::Project(secret("t"));
    Gathered {
        plan: plan(intent(), &[], "p1", ""),
        env: EnvName::parse("staging").unwrap(),
        state: StateDir::at(dir),
        target: toml::from_str(
            "class = \"staging\"\nplatform = \"railway\"\nmanifest = \"m.toml\"\nfeed = \"venue\"",
        )
        .unwrap(),
        connected: Connected {
            client: Client::new(endpoint.clone(), auth.clone()).unwrap(),
            auth,
            ids: ServiceIds {
                project_id: Some("p".into()),
                environment_id: "e".into(),
                service_id: "s".into(),
            },
            endpoint,
            dashboard_url: None,
            local: None,
            poll: Duration::from_millis(10),
        },
        tokens: TraderTokens {
            halt: secret("h"),
            control: secret("c"),
        },
        written: Written(BTreeMap::new()),
        top: dir.to_owned(),
    }
}

fn steps(dir: &std::path::Path) -> Steps {
    Steps::new(&Context {
        state_dir: dir.to_owned(),
        format: Format::Human,
        color: false,
        progress: false,
        quiet: true,
        verbose: false,
        cwd: dir.to_owned(),
    })
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_never_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let (fake, endpoint) = Fake::start(Deploys::AnswerLost).await;
    let gathered = gathered(dir.path(), endpoint);
    let sent = SharedSent::default();
    note_before(&gathered, &sent).await.unwrap();
    let id = send(&gathered, &sent, &mut steps(dir.path()))
        .await
        .unwrap();
    assert_eq!(id, "new-0");
    assert_eq!(fake.sent.load(Ordering::SeqCst), 1, "sent exactly once");
    assert!(sent.lock().is_sent);
    // A kill during the deploy finds it.
    let kill_file = KillFile::read(&gathered.state, &gathered.env)
        .unwrap()
        .unwrap();
    assert_eq!(kill_file.deployment_id.as_deref(), Some("new-0"));
    assert_eq!(kill_file.service_id.as_deref(), Some("s"));
}

#[tokio::test]
async fn a_refused_deploy_is_not_sent_again_either() {
    let dir = tempfile::tempdir().unwrap();
    let (fake, endpoint) = Fake::start(Deploys::Refuses).await;
    let gathered = gathered(dir.path(), endpoint);
    let sent = SharedSent::default();
    note_before(&gathered, &sent).await.unwrap();
    let failure = send(&gathered, &sent, &mut steps(dir.path()))
        .await
        .unwrap_err();
    assert!(matches!(&failure, Failure::NotAccepted(why) if why.contains("Commit not found")));
    assert_eq!(fake.sent.load(Ordering::SeqCst), 1);
    assert!(sent.lock().is_sent, "whatever happens now is undone");
}
