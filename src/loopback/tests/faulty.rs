//! The platform misbehaves on command, and only then.

use std::time::Instant;

use serde_json::json;

use super::rig::{OBEDIENT, Rig};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_is_only_acknowledged_stops_nothing() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let (status, _) = rig
        .admin("/loopback/faults", &json!({ "stop": "acknowledged_only" }))
        .await;
    assert_eq!(status, 200);
    rig.mutate("deploymentStop", &id).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(rig.deployment(&id).await["deploymentStopped"], false);
    assert!(rig.lives(&id));
    let (status, _) = rig.admin("/loopback/faults", &json!({})).await;
    assert_eq!(status, 200);
    rig.mutate("deploymentStop", &id).await;
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_deployment_appears_by_itself_once() {
    let rig = Rig::new(OBEDIENT).await;
    rig.admin("/loopback/faults", &json!({ "second_deployment": true }))
        .await;
    let first = rig.deploy_active().await;
    let list = rig
        .get(
            "{ deployments(input: {}) { edges { node { id } } } }",
            json!({}),
        )
        .await;
    let ids = list["deployments"]["edges"].as_array().unwrap();
    assert_eq!(ids.len(), 2, "{list}");
    let second = ids[0]["node"]["id"].as_str().unwrap();
    assert_ne!(second, first);
    rig.until(second, "active", |row| row["status"] == "SUCCESS")
        .await;
    let after = rig
        .get(
            "{ deployments(input: {}) { edges { node { id } } } }",
            json!({}),
        )
        .await;
    assert_eq!(
        after["deployments"]["edges"].as_array().unwrap().len(),
        2,
        "once"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_can_hang_and_unknown_faults_are_refused() {
    let rig = Rig::new(OBEDIENT).await;
    let (status, _) = rig
        .admin("/loopback/faults", &json!({ "no_such_fault": true }))
        .await;
    assert_eq!(status, 400);
    rig.admin("/loopback/faults", &json!({ "hang_ms": 150 }))
        .await;
    let since = Instant::now();
    rig.get("{ projectToken { projectId } }", json!({})).await;
    assert!(since.elapsed().as_millis() >= 150);
}
