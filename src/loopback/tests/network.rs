//! Every network fault as it is on the wire, and whether the request was carried out.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::{OBEDIENT, Rig};
use crate::loopback::HUGE_BODY_BYTES;

/// Longest wait for a silence that lasts.
const SILENCE: Duration = Duration::from_millis(150);
const TOKEN_QUERY: &str = "{ projectToken { projectId environmentId } }";
const STOP: &str = "mutation S($id: String!) { deploymentStop(id: $id) }";

/// What a connection gave before it ended, and how it ended.
struct Wire {
    text: String,
    end: Option<std::io::ErrorKind>,
}

impl Wire {
    fn head(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(head, _)| head)
    }

    fn body(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }

    fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head().lines().filter_map(|line| line.split_once(": "));
        lines
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    }

    fn status(&self) -> u16 {
        let word = self.head().split_whitespace().nth(1).unwrap();
        word.parse().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(self.body()).unwrap()
    }
}

/// Opens a connection and sends a GraphQL request over it.
async fn open(rig: &Rig, query: &str, variables: &Value) -> TcpStream {
    let port = rig.served().endpoint.port().unwrap();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let body = json!({ "query": query, "variables": variables }).to_string();
    let token = rig.service.token.expose();
    let request = format!(
        "POST /graphql/v2 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: raw\r\n\
         Project-Access-Token: {token}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// One request on a connection of its own, read to its end.
async fn exchange(rig: &Rig, query: &str, variables: &Value) -> Wire {
    let mut stream = open(rig, query, variables).await;
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).await;
    Wire {
        text: String::from_utf8(bytes).unwrap(),
        end: end.err().map(|error| error.kind()),
    }
}

async fn ask(rig: &Rig) -> Wire {
    exchange(rig, TOKEN_QUERY, &json!({})).await
}

/// A platform on which every request meets this fault.
async fn rig_with(kind: Value) -> Rig {
    let rig = Rig::new(OBEDIENT).await;
    rig.fault(&json!({ "network": [{ "kind": kind }] })).await;
    rig
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_fault_the_answer_is_whole() {
    let rig = Rig::new(OBEDIENT).await;
    let wire = ask(&rig).await;
    assert_eq!((wire.status(), wire.end), (200, None));
    assert_eq!(
        wire.header("ratelimit-policy").unwrap(),
        "\"default\";q=1000;w=3600"
    );
    assert!(wire.json()["data"]["projectToken"]["projectId"].is_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hung_request_gets_nothing_and_the_connection_stays() {
    let rig = rig_with(json!("hang")).await;
    let mut stream = open(&rig, TOKEN_QUERY, &json!({})).await;
    let mut byte = [0_u8];
    let read = tokio::time::timeout(SILENCE, stream.read(&mut byte)).await;
    assert!(read.is_err(), "{read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_connection_ends_without_a_byte_and_a_reset_one_by_force() {
    let rig = rig_with(json!("drop_connection")).await;
    let wire = ask(&rig).await;
    assert_eq!((wire.text.as_str(), wire.end), ("", None), "FIN");
    rig.fault(&json!({ "network": [{ "kind": "reset" }] }))
        .await;
    let wire = ask(&rig).await;
    assert_eq!(wire.text, "");
    assert_eq!(wire.end, Some(std::io::ErrorKind::ConnectionReset), "RST");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_body_is_shorter_than_announced() {
    let rig = rig_with(json!("truncated_body")).await;
    let wire = ask(&rig).await;
    let announced: usize = wire.header("content-length").unwrap().parse().unwrap();
    assert_eq!(wire.status(), 200);
    assert_eq!(wire.body().len(), announced / 2);
    assert!(announced > 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_body_comes_byte_by_byte_and_a_slow_answer_late_but_whole() {
    let rig = rig_with(json!({ "slow_body": { "ms_per_byte": 2 } })).await;
    let since = Instant::now();
    let wire = ask(&rig).await;
    let least = Duration::from_millis(2) * u32::try_from(wire.body().len()).unwrap();
    assert!(since.elapsed() >= least, "{:?}", since.elapsed());
    assert!(wire.json()["data"]["projectToken"].is_object());

    rig.fault(&json!({ "network": [{ "kind": { "slow": { "ms": 120 } } }] }))
        .await;
    let since = Instant::now();
    assert!(ask(&rig).await.json()["data"]["projectToken"].is_object());
    assert!(since.elapsed() >= Duration::from_millis(120));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_turns_a_request_away_does_so_in_his_own_words() {
    let rig = Rig::new(OBEDIENT).await;
    let answer = async |kind: Value| {
        rig.fault(&json!({ "network": [{ "kind": kind }] })).await;
        ask(&rig).await
    };
    let wire = answer(json!({ "status": { "code": 502 } })).await;
    assert_eq!((wire.status(), wire.header("retry-after")), (502, None));
    let wire = answer(json!({ "status": { "code": 503, "retry_after_secs": 7 } })).await;
    assert_eq!(wire.status(), 503);
    assert_eq!(wire.header("retry-after").unwrap(), "7");
    let wire = answer(json!({ "rate_limited": { "retry_after_secs": 30 } })).await;
    assert_eq!((wire.status(), wire.body()), (429, "error code: 1015"));
    assert_eq!(wire.header("retry-after").unwrap(), "30");
    let elsewhere = "http://127.0.0.1:1/graphql/v2";
    let wire = answer(json!({ "redirect": { "location": elsewhere } })).await;
    assert_eq!(wire.status(), 307);
    assert_eq!(wire.header("location").unwrap(), elsewhere);
    for (kind, message) in [
        ("not_authorized", "Not Authorized"),
        ("token_not_found", "Project Token not found"),
        ("problem_processing", "Problem processing request"),
    ] {
        let wire = answer(json!(kind)).await;
        let error = &wire.json()["errors"][0];
        assert_eq!(wire.status(), 200, "{kind}");
        assert_eq!(error["message"], message);
        assert_eq!(error["extensions"]["code"], "INTERNAL_SERVER_ERROR");
        assert!(error["traceId"].is_string());
        assert_eq!(wire.json()["data"], Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_none() {
    let rig = rig_with(json!("garbage")).await;
    let wire = ask(&rig).await;
    assert_eq!(wire.status(), 200);
    assert!(wire.body().starts_with("<!doctype html>"), "{}", wire.text);
    rig.fault(&json!({ "network": [{ "kind": "empty_body" }] }))
        .await;
    let wire = ask(&rig).await;
    assert_eq!((wire.status(), wire.body()), (200, ""));
    rig.fault(&json!({ "network": [{ "kind": "no_data" }] }))
        .await;
    assert_eq!(ask(&rig).await.json(), json!({ "data": null }));
    rig.fault(&json!({ "network": [{ "kind": "huge_body" }] }))
        .await;
    let wire = ask(&rig).await;
    assert_eq!(wire.body().len(), HUGE_BODY_BYTES);
    assert!(wire.json()["data"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_partial_strange_or_of_another_day() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let list = "{ deployments(input: {}) { edges { node { id status createdAt } } } }";
    let plain = exchange(&rig, list, &json!({})).await.json();
    let answer = async |kind: Value| {
        rig.fault(&json!({ "network": [{ "kind": kind }] })).await;
        exchange(&rig, list, &json!({})).await
    };
    let wire = answer(json!("partial_errors")).await;
    assert_eq!(wire.json()["data"]["deployments"]["edges"], json!([]));
    assert_eq!(wire.json()["errors"].as_array().unwrap().len(), 1);

    let node = "/data/deployments/edges/0/node";
    let wire = answer(json!("unknown_status")).await;
    let strange = wire.json().pointer(node).cloned().unwrap();
    assert_eq!(strange["id"], id.as_str());
    assert_eq!(strange["status"], "HIBERNATING");

    let wire = answer(json!("unknown_fields")).await;
    let strange = wire.json().pointer(node).cloned().unwrap();
    assert_eq!(strange["status"], "SUCCESS");
    assert!(strange["newFeature"].is_object());

    let wire = answer(json!({ "clock_skew": { "secs": 86_400 } })).await;
    let at = |answer: &Value| -> jiff::Timestamp {
        let text = answer.pointer(node).unwrap()["createdAt"].clone();
        text.as_str().unwrap().parse().unwrap()
    };
    let ahead = at(&wire.json()).as_second() - at(&plain).as_second();
    assert_eq!(ahead, 86_400);
    let date = wire.header("date").unwrap();
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let day = tomorrow.to_zoned(jiff::tz::TimeZone::UTC);
    let before = day.clone() - jiff::SignedDuration::from_mins(5);
    assert!(
        [day, before]
            .iter()
            .any(|day| date.contains(&day.strftime("%d %b %Y").to_string())),
        "{date}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_is_of_a_request_that_was_carried_out() {
    for (kind, carried_out) in [
        (json!("drop_connection"), true),
        (json!("garbage"), true),
        (json!("truncated_body"), true),
        (json!("reset"), false),
        (json!({ "status": { "code": 500 } }), false),
        (json!("not_authorized"), false),
    ] {
        let rig = Rig::new(OBEDIENT).await;
        let id = rig.deploy_active().await;
        let fault = json!([{ "kind": kind, "operations": ["deploymentStop"], "times": 1 }]);
        rig.fault(&json!({ "network": fault })).await;
        exchange(&rig, STOP, &json!({ "id": id })).await;
        if carried_out {
            rig.until_dead(&id).await;
        } else {
            tokio::time::sleep(SILENCE).await;
            assert!(rig.lives(&id), "{kind}");
            rig.mutate("deploymentStop", &id).await;
            rig.until_dead(&id).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_one_operation_leaves_the_others_alone_and_ends_after_its_times() {
    let rig = Rig::new(OBEDIENT).await;
    let fault = json!([{ "kind": "no_data", "operations": ["ProjectToken"], "times": 2 }]);
    rig.fault(&json!({ "network": fault })).await;
    let other = exchange(
        &rig,
        "{ deployments(input: {}) { edges { cursor } } }",
        &json!({}),
    )
    .await;
    assert!(other.json()["data"].is_object());
    for spoiled in [true, true, false] {
        assert_eq!(ask(&rig).await.json()["data"].is_null(), spoiled);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_tells_connections_and_faults_apart_and_holds_no_token() {
    let rig = rig_with(json!("no_data")).await;
    ask(&rig).await;
    rig.fault(&json!({})).await;
    let query = json!({ "query": TOKEN_QUERY, "operationName": null }).to_string();
    let token = rig.service.token.expose();
    let own = [("Project-Access-Token", token)];
    rig.send(&own, query.clone()).await;
    rig.send(&own, query).await;
    let requests = rig.admin_get("/loopback/requests").await;
    let rows = requests.as_array().unwrap();
    assert_eq!(rows.len(), 3, "{requests}");
    assert_eq!(rows[0]["fault"], "no_data");
    assert_eq!(rows[1]["fault"], Value::Null);
    assert_ne!(rows[0]["connection"], rows[1]["connection"]);
    assert_eq!(rows[1]["connection"], rows[2]["connection"], "kept alive");
    let names = rows[1]["headers"].to_string();
    assert!(names.contains("project-access-token"), "{names}");
    assert!(!requests.to_string().contains(token));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_that_make_no_sense_are_refused_with_their_place() {
    let rig = Rig::new(OBEDIENT).await;
    for (faults, place) in [
        (json!({ "no_such_fault": true }), "line 1"),
        (json!({ "stop": "sometimes" }), "line 1"),
        (json!({ "hang_ms": 600_001 }), "hang_ms"),
        (json!({ "report_delay_ms": 3_600_001 }), "report_delay_ms"),
        (
            json!({ "network": [{ "kind": "hang", "operations": ["deploymentsStop"] }] }),
            "network[0].operations[0]",
        ),
        (
            json!({ "network": [{ "kind": { "status": { "code": 99 } } }] }),
            "network[0].kind",
        ),
        (
            json!({ "network": [{ "kind": { "redirect": { "location": "a\nb" } } }] }),
            "network[0].kind",
        ),
        (
            json!({ "network": [{ "kind": { "clock_skew": { "secs": i64::MIN } } }] }),
            "network[0].kind",
        ),
    ] {
        let (status, answer) = rig.admin("/loopback/faults", &faults).await;
        assert_eq!(status, 400, "{faults}");
        let said = answer["error"].as_str().unwrap();
        assert!(said.starts_with(place), "{said}");
    }
    assert_eq!(
        rig.served().platform.read(|world| world.faults.clone()),
        crate::loopback::Faults::default(),
        "a refusal changes nothing"
    );
}
