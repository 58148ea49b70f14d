//! The surface over a real socket, with a loop that answers as told.

use super::*;
use crate::gate::InstanceId;
use serde_json::{Value, json};
use std::net::SocketAddr;
use trader_core::wire::{Halted, InstanceState};

const HALT: &str = "halt-halt-halt-halt";
const CONTROL: &str = "control-control-control";

struct Server {
    address: SocketAddr,
    gate: Arc<Gate>,
    control: mpsc::Receiver<Control>,
    client: reqwest::Client,
}

impl Server {
    async fn start(silent_from: Option<Instant>) -> Self {
        let gate = Arc::new(Gate::new(InstanceId {
            deployment_id: Some("d1".to_owned()),
            nonce: "n1".to_owned(),
        }));
        gate.become_ready();
        let health = crate::test_support::health(InstanceState::Ready);
        let (_, snapshot) = watch::channel(Snapshot {
            taken: Instant::now(),
            health,
        });
        let (to_loop, control) = mpsc::channel(4);
        let surface = Surface {
            halt_token: Secret::try_new(HALT.to_owned()).unwrap(),
            control_token: Secret::try_new(CONTROL.to_owned()).unwrap(),
            gate: Arc::clone(&gate),
            snapshot,
            control: to_loop,
            silent_from,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = router(Arc::new(surface));
        tokio::spawn(axum::serve(BoundedListener::new(listener), app).into_future());
        Self {
            address,
            gate,
            control,
            client: reqwest::Client::new(),
        }
    }

    async fn ask(&self, path: &str, token: Option<&str>, body: Option<&str>) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let mut request = match body {
            Some(body) => self.client.post(url).body(body.to_owned()),
            None => self.client.get(url),
        };
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    /// Answers the next request to the loop, or fails when it is of another kind.
    async fn loop_confirms_halt(&mut self, open_orders: u32) -> Halted {
        match self.control.recv().await.unwrap() {
            Control::Halt(halt, reply) => {
                reply.send(Ok(open_orders)).unwrap();
                halt
            }
            other @ (Control::Flatten(..) | Control::Reenable(..) | Control::Leased) => {
                panic!("wanted a halt, got {other:?}")
            }
        }
    }
}

fn lease() -> String {
    json!({"holder": "w", "deployment_id": "d1", "instance_nonce": "n1", "ttl_ms": 15000})
        .to_string()
}

#[tokio::test]
async fn each_token_opens_exactly_its_doors() {
    let server = Server::start(None).await;
    let reenable = json!({"reason": "r", "by": "b", "freeze_id": "f"}).to_string();
    for (path, body) in [("/lease", lease()), ("/reenable", reenable)] {
        for token in [None, Some("wrong-wrong-wrong"), Some(HALT)] {
            let (status, answer) = server.ask(path, token, Some(&body)).await;
            assert_eq!(status, 401, "{path} {token:?}");
            assert!(answer["error"].is_string());
        }
    }
    for token in [None, Some("wrong-wrong-wrong"), Some("")] {
        assert_eq!(server.ask("/health", token, None).await.0, 401);
        assert_eq!(server.ask("/halt", token, Some("{}")).await.0, 401);
    }
    for token in [HALT, CONTROL] {
        assert_eq!(server.ask("/health", Some(token), None).await.0, 200);
    }
    let (status, live) = server.ask("/health/live", None, None).await;
    assert_eq!(
        (status, live),
        (
            200,
            json!({"alive": true, "deployment_id": "d1", "nonce": "n1"})
        )
    );
    assert!(
        server.gate.halted().is_none(),
        "a refused halt halts nothing"
    );
}

#[tokio::test]
async fn bad_requests_are_told_what_was_wrong() {
    let server = Server::start(None).await;
    let long = format!(
        "{{\"reason\":\"{}\",\"by\":\"b\"}}",
        "x".repeat(BODY_MAX_BYTES)
    );
    for (path, body, status) in [
        ("/halt", "", 400),
        ("/halt", "{\"reason\":1,\"by\":\"b\"}", 400),
        (
            "/halt",
            "{\"reason\":\"r\",\"by\":\"b\",\"reduceOnly\":true}",
            400,
        ),
        ("/halt", long.as_str(), 413),
        ("/nothing", "{}", 404),
        ("/health", "{}", 405),
    ] {
        let (seen, answer) = server.ask(path, Some(CONTROL), Some(body)).await;
        assert_eq!(seen, status, "{path}: {answer}");
        assert!(answer["error"].is_string(), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_halt_shuts_the_gate_at_once_and_is_acknowledged_only_when_durable() {
    let mut server = Server::start(None).await;
    let (_, granted) = server.ask("/lease", Some(CONTROL), Some(&lease())).await;
    assert_eq!(
        granted,
        json!({"accepted": true, "reason": "granted", "expires_in_ms": 15000})
    );
    assert!(matches!(server.control.recv().await, Some(Control::Leased)));

    let body = json!({"reason": "drill", "by": "ann", "reduce_only": true}).to_string();
    let (client, url) = (
        server.client.clone(),
        format!("http://{}/halt", server.address),
    );
    let asked = tokio::spawn(
        client
            .post(url)
            .header("authorization", format!("Bearer {HALT}"))
            .body(body)
            .send(),
    );
    let Control::Halt(halt, reply) = server.control.recv().await.unwrap() else {
        panic!("wanted a halt");
    };
    assert!(halt.reduce_only);
    assert!(server.gate.halted().is_some(), "shut before it is durable");
    assert!(
        !asked.is_finished(),
        "not acknowledged before it is durable"
    );
    reply.send(Ok(2)).unwrap();
    let answer: Value =
        serde_json::from_str(&asked.await.unwrap().unwrap().text().await.unwrap()).unwrap();
    assert_eq!(
        answer,
        json!({"halted": true, "open_orders": 2, "nonce": "n1"})
    );
    let (_, refused) = server.ask("/lease", Some(CONTROL), Some(&lease())).await;
    assert_eq!(refused["accepted"], false);
}

#[tokio::test]
async fn a_halt_that_is_not_on_disk_is_not_called_halted() {
    let mut server = Server::start(None).await;
    let failing = async {
        let Some(Control::Halt(_, reply)) = server.control.recv().await else {
            panic!("wanted a halt");
        };
        reply.send(Err("disk full".to_owned())).unwrap();
    };
    let url = format!("http://{}/halt", server.address);
    let asked = reqwest::Client::new()
        .post(url)
        .header("authorization", format!("Bearer {HALT}"))
        .body(r#"{"reason":"r","by":"b"}"#)
        .send();
    let (response, ()) = tokio::join!(asked, failing);
    let response = response.unwrap();
    assert_eq!(response.status().as_u16(), 503);
    assert!(response.text().await.unwrap().contains("disk full"));
    assert!(server.gate.halted().is_some(), "and halted all the same");
}

#[tokio::test]
async fn health_answers_while_the_loop_is_stuck_and_shows_its_age() {
    let mut server = Server::start(None).await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    let (_, first) = server.ask("/health", Some(HALT), None).await;
    assert!(
        first["feeds"][0]["age_ms"].as_u64().unwrap() >= 30,
        "{first}"
    );
    assert_eq!(first["halted"], Value::Null);
    let post = server
        .client
        .post(format!("http://{}/halt", server.address));
    let halt = post
        .header("authorization", format!("Bearer {HALT}"))
        .body(r#"{"reason":"r","by":"b"}"#)
        .send();
    let address = server.address;
    tokio::pin!(halt);
    tokio::select! {
        _ = &mut halt => panic!("the loop has not answered"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    let url = format!("http://{address}/health");
    let request = reqwest::Client::new()
        .get(url)
        .header("authorization", format!("Bearer {HALT}"));
    let text = request.send().await.unwrap().text().await.unwrap();
    let health: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(health["halted"]["by"], "b");
    drop(server.control.recv().await);
}

#[tokio::test]
async fn a_planted_silence_answers_nothing() {
    let server = Server::start(Some(Instant::now())).await;
    let asked = server.ask("/health/live", None, None);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), asked)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_idle_connection_does_not_keep_others_out() {
    let mut server = Server::start(None).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX / 2 {
        idle.push(
            tokio::net::TcpStream::connect(server.address)
                .await
                .unwrap(),
        );
    }
    assert_eq!(server.ask("/health/live", None, None).await.0, 200);
    let (client, url) = (
        server.client.clone(),
        format!("http://{}/halt", server.address),
    );
    let asked = client
        .post(url)
        .header("authorization", format!("Bearer {HALT}"))
        .body(r#"{"reason":"r","by":"b"}"#)
        .send();
    let (response, halt) = tokio::join!(asked, server.loop_confirms_halt(0));
    assert_eq!(response.unwrap().status().as_u16(), 200);
    assert!(
        !halt.reduce_only,
        "a halt without reduce_only is a full one"
    );
}

#[tokio::test]
async fn a_flatten_shuts_entries_at_once_and_is_acknowledged_only_when_durable() {
    let mut server = Server::start(None).await;
    server.ask("/lease", Some(CONTROL), Some(&lease())).await;
    assert!(matches!(server.control.recv().await, Some(Control::Leased)));
    let body = json!({"reason": "night", "by": "ann"}).to_string();
    for token in [None, Some("wrong-wrong-wrong")] {
        assert_eq!(server.ask("/flatten", token, Some(&body)).await.0, 401);
    }
    let strange = json!({"reason": "night", "by": "ann", "for_secs": 600}).to_string();
    assert_eq!(
        server.ask("/flatten", Some(HALT), Some(&strange)).await.0,
        400,
        "nobody lengthens it"
    );
    let ends_at = EpochMs(clock::wall().0 + 30_000);
    for kept in [true, false] {
        let gate = Arc::clone(&server.gate);
        let mut control = std::mem::replace(&mut server.control, mpsc::channel(1).1);
        let asked = server.ask("/flatten", Some(HALT), Some(&body));
        let told = async {
            let Some(Control::Flatten(order, reply)) = control.recv().await else {
                panic!("wanted a flatten");
            };
            assert!(order.reduce_only && order.by == "ann");
            let now = Instant::now();
            assert_eq!(
                gate.may_send(crate::gate::Sending::Entry, now),
                Err(crate::gate::Refusal::Halted),
                "before it is durable"
            );
            assert_eq!(gate.may_send(crate::gate::Sending::Exit, now), Ok(()));
            let flattening = Flattening {
                ends_at,
                positions: 2,
            };
            let word = if kept {
                Ok(flattening)
            } else {
                Err("fully halted by bob".to_owned())
            };
            reply.send(word).unwrap();
        };
        let ((status, answer), ()) = tokio::join!(asked, told);
        server.control = control;
        if kept {
            assert_eq!((status, answer["flattening"].as_bool()), (200, Some(true)));
            assert_eq!(
                (answer["positions"].as_u64(), answer["nonce"].as_str()),
                (Some(2), Some("n1"))
            );
            assert!(answer["ends_in_ms"].as_u64().unwrap() <= 30_000);
        } else {
            assert_eq!(status, 503, "{answer}");
            assert!(
                answer["error"]
                    .as_str()
                    .unwrap()
                    .contains("fully halted by bob")
            );
        }
    }
}
