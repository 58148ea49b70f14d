//! Stop, remove, cancel and restart with real processes.

use super::rig::{OBEDIENT, Rig, STUBBORN, spec};
use crate::loopback::server::end_when_idle;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_immediate_read_after_a_stop_lies() {
    let rig = Rig::paced(0.3, |repo| spec(repo, OBEDIENT)).await;
    let id = rig.deploy_active().await;
    let before = rig.deployment(&id).await;
    rig.mutate("deploymentStop", &id).await;
    assert_eq!(
        rig.deployment(&id).await["deploymentStopped"],
        false,
        "the lie"
    );
    let after = rig
        .until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert_eq!(after["status"], "SUCCESS");
    assert_eq!(after["instances"][0]["status"], "EXITED");
    assert_eq!(after["statusUpdatedAt"], before["statusUpdatedAt"]);
    assert!(!rig.lives(&id));
    rig.mutate("deploymentStop", &id).await;

    rig.mutate("deploymentRestart", &id).await;
    let resumed = rig
        .until(&id, "resumed", |row| row["deploymentStopped"] == false)
        .await;
    assert_eq!(
        resumed["instances"][0]["id"], before["instances"][0]["id"],
        "the same instance"
    );
    assert_eq!(resumed["url"], before["url"]);
    assert!(rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_a_running_one_is_another_process() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let before = rig.deployment(&id).await;
    rig.mutate("deploymentRestart", &id).await;
    let pid = &before["meta"]["loopback"]["pid"];
    rig.until(&id, "restarted", |row| {
        let now = &row["meta"]["loopback"]["pid"];
        now.is_u64() && now != pid
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ignores_sigterm_is_killed_with_everything_it_started() {
    let rig = Rig::with(|repo| {
        let mut spec = spec(repo, &format!("sleep 60 & {STUBBORN}"));
        spec.draining_secs = 0;
        spec
    })
    .await;
    let id = rig.deploy_active().await;
    rig.mutate("deploymentStop", &id).await;
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert!(!rig.lives(&id), "the sleep in the background too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_obedient_process_leaves_behind_ends_with_it_adopted_or_not() {
    let mut rig = Rig::new(&format!("sleep 60 & {OBEDIENT}")).await;
    for adopted in [false, true] {
        let id = rig.deploy_active().await;
        if adopted {
            rig.end_platform().await;
            rig.start_platform().await;
        }
        rig.mutate("deploymentStop", &id).await;
        rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
            .await;
        assert!(!rig.lives(&id), "the sleep in the background, {adopted}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remove_and_cancel_end_in_removed() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    rig.mutate("deploymentRemove", &id).await;
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
    assert!(!rig.lives(&id));
    rig.mutate("deploymentRemove", &id).await;
    assert_eq!(
        rig.mutate_refused("deploymentStop", &id).await,
        "Deployment is not stoppable"
    );
    assert_eq!(
        rig.mutate_refused("deploymentRestart", &id).await,
        "Deployment is not restartable"
    );

    let id = rig.deploy(&rig.head()).await;
    assert_eq!(
        rig.mutate_refused("deploymentStop", &id).await,
        "Deployment is not stoppable"
    );
    rig.mutate("deploymentCancel", &id).await;
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_one_that_is_not_active_yet_can_be_cancelled() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy(&rig.head()).await;
    rig.until(&id, "running", |row| {
        row["instances"][0]["status"] == "RUNNING"
    })
    .await;
    rig.mutate("deploymentCancel", &id).await;
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn platform_stop_leaves_no_process_behind() {
    let mut rig = Rig::new(OBEDIENT).await;
    let active = rig.deploy_active().await;
    let starting = rig.deploy(&rig.head()).await;
    let (status, answer) = rig
        .admin("/loopback/shutdown", &serde_json::Value::Null)
        .await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["stopped"], serde_json::json!([active, starting]));
    assert_eq!(answer["left"], serde_json::json!([]));
    assert!(!rig.lives(&active) && !rig.lives(&starting));
    rig.served.take().unwrap().run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_removed_leaves_its_logs_and_not_its_files() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let (source, log) = {
        let platform = &rig.served().platform;
        (platform.source_dir(&id), platform.log_path(&id))
    };
    assert!(source.join("marker").exists());
    rig.mutate("deploymentRemove", &id).await;
    rig.until(&id, "removed", |row| {
        row["status"] == "REMOVED" && !source.exists()
    })
    .await;
    assert!(
        std::fs::read_to_string(log)
            .unwrap()
            .contains("Stopping Container")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_ends_only_when_nothing_has_been_live_for_a_while() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let (ending, _kept) = tokio::sync::watch::channel(false);
    let patience = std::time::Duration::from_millis(30);
    let platform = std::sync::Arc::clone(&rig.served().platform);
    let idle = tokio::spawn(end_when_idle(platform, ending.clone(), patience));
    tokio::time::sleep(patience * 10).await;
    assert!(!*ending.borrow(), "a deployment is live");
    rig.mutate("deploymentStop", &id).await;
    idle.await.unwrap();
    assert!(*ending.borrow());
}
