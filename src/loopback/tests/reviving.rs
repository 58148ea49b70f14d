//! Something brings a stopped service back: once, some times, for ever, and by whom.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::{OBEDIENT, Rig, spec};

/// Longer than a revival takes to begin at the pace of these tests.
const LONG: Duration = Duration::from_millis(250);

async fn ids(rig: &Rig) -> Vec<String> {
    let query = "{ deployments(input: {}) { edges { node { id } } } }";
    let list = rig.get(query, json!({})).await;
    let edges = list["deployments"]["edges"].as_array().unwrap().clone();
    edges
        .iter()
        .map(|edge| edge["node"]["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits for a newer deployment than those known.
async fn next(rig: &Rig, known: usize) -> String {
    for _ in 0..2_000 {
        let ids = ids(rig).await;
        if ids.len() > known {
            return ids[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing came back");
}

async fn stop(rig: &Rig, id: &str) {
    rig.mutate("deploymentStop", id).await;
    rig.until(id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
}

async fn auto_deploying() -> Rig {
    Rig::with(|repo| {
        let mut spec = spec(repo, OBEDIENT);
        spec.auto_deploy = true;
        spec
    })
    .await
}

async fn auto_deploy_off(rig: &Rig) {
    let mutation = "mutation($i: ServiceInstanceAutoDeployUpdateInput!) {
        serviceInstanceAutoDeployUpdate(input: $i) { enabled } }";
    let input = json!({
        "projectId": rig.service.project_id,
        "environmentId": rig.service.environment_id,
        "serviceId": rig.service.service_id,
        "enabled": false,
    });
    rig.get(mutation, json!({ "i": input })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_platform_brings_it_back_so_many_times_with_a_new_id() {
    let rig = Rig::new(OBEDIENT).await;
    let mut id = rig.deploy_active().await;
    rig.fault(&json!({ "revive": { "by": "platform", "times": 2 } }))
        .await;
    for known in 1..=2 {
        stop(&rig, &id).await;
        id = next(&rig, known).await;
        rig.until_alive(&id).await;
        rig.until(&id, "active", |row| row["deploymentStopped"] == false)
            .await;
    }
    stop(&rig, &id).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(ids(&rig).await.len(), 3, "twice, not three times");
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_ever_goes_on_after_cancels_too_and_only_after_a_dead_read() {
    let rig = Rig::new(OBEDIENT).await;
    let mut id = rig.deploy_active().await;
    rig.fault(&json!({ "revive": { "by": "platform" } })).await;
    rig.mutate("deploymentRemove", &id).await;
    rig.until_dead(&id).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(
        rig.served()
            .platform
            .read(|world| world.state.deployments.len()),
        1,
        "nobody has read it dead"
    );
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
    for known in 1..=3 {
        id = next(&rig, known).await;
        rig.mutate("deploymentCancel", &id).await;
        rig.until(&id, "removed", |row| row["status"] == "REMOVED")
            .await;
    }
    rig.fault(&json!({})).await;
    let known = ids(&rig).await.len();
    tokio::time::sleep(LONG).await;
    assert_eq!(ids(&rig).await.len(), known, "off is off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auto_deploy_brings_it_back_until_it_is_turned_off() {
    let rig = auto_deploying().await;
    let id = rig.deploy_active().await;
    rig.fault(&json!({ "revive": { "by": "auto_deploy" } }))
        .await;
    stop(&rig, &id).await;
    let second = next(&rig, 1).await;
    rig.until(&second, "active", |row| row["deploymentStopped"] == false)
        .await;
    auto_deploy_off(&rig).await;
    stop(&rig, &second).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(ids(&rig).await.len(), 2);
    assert!(!rig.lives(&second));
    // The platform itself does not ask for the setting.
    rig.fault(&json!({ "revive": { "by": "platform" } })).await;
    next(&rig, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_brings_back_the_same_deployment_and_not_a_removed_one() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    rig.fault(&json!({ "revive": { "by": "restart", "times": 1 } }))
        .await;
    stop(&rig, &id).await;
    rig.until(&id, "back", |row: &Value| row["deploymentStopped"] == false)
        .await;
    assert!(rig.lives(&id));
    assert_eq!(ids(&rig).await.len(), 1);
    rig.fault(&json!({ "revive": { "by": "restart" } })).await;
    rig.mutate("deploymentRemove", &id).await;
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
    tokio::time::sleep(LONG).await;
    assert_eq!(rig.deployment(&id).await["status"], "REMOVED");
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_fault_nothing_comes_back() {
    let rig = auto_deploying().await;
    let id = rig.deploy_active().await;
    stop(&rig, &id).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(ids(&rig).await.len(), 1);
    assert!(!rig.lives(&id));
}
