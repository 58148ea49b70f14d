//! Every way in which stop, remove and cancel can misbehave: what reads say beside what really lives.

use std::time::Duration;

use serde_json::{Value, json};

use super::rig::{OBEDIENT, Rig, STUBBORN, spec};

/// Longer than any report takes at the pace of these tests.
const LONG: Duration = Duration::from_millis(250);
/// Railway's generic failure.
const PROBLEM: &str = "Problem processing request";

/// An active deployment, and one command on it under this fault. Afterwards reads have had time to
/// change.
async fn active(rig: &Rig, command: &str, how: &str) -> String {
    let id = rig.deploy_active().await;
    rig.fault(&json!({ command: how })).await;
    rig.mutate(mutation(command), &id).await;
    tokio::time::sleep(LONG).await;
    id
}

fn mutation(command: &str) -> &'static str {
    match command {
        "stop" => "deploymentStop",
        "remove" => "deploymentRemove",
        _ => "deploymentCancel",
    }
}

/// Status, `deploymentStopped` and the instance's status as a client reads them.
async fn reads(rig: &Rig, id: &str) -> (String, bool, String) {
    let row = rig.deployment(id).await;
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    (
        text(&row["status"]),
        row["deploymentStopped"].as_bool().unwrap(),
        text(&row["instances"][0]["status"]),
    )
}

fn says(status: &str, stopped: bool, instance: &str) -> (String, bool, String) {
    (status.to_owned(), stopped, instance.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_only_changes_nothing_and_a_real_one_works_afterwards() {
    for command in ["stop", "remove"] {
        let rig = Rig::new(OBEDIENT).await;
        let id = active(&rig, command, "acknowledged_only").await;
        assert_eq!(reads(&rig, &id).await, says("SUCCESS", false, "RUNNING"));
        assert!(rig.lives(&id), "{command}");
        rig.fault(&json!({})).await;
        rig.mutate(mutation(command), &id).await;
        rig.until(&id, "over", |row| row["deploymentStopped"] == true)
            .await;
        assert!(!rig.lives(&id), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreported_stop_ends_the_process_and_reads_never_say_so() {
    let rig = Rig::new(OBEDIENT).await;
    let id = active(&rig, "stop", "unreported").await;
    rig.until_dead(&id).await;
    assert_eq!(reads(&rig, &id).await, says("SUCCESS", false, "RUNNING"));
    rig.mutate("deploymentStop", &id).await;
    tokio::time::sleep(LONG).await;
    assert_eq!(
        reads(&rig, &id).await,
        says("SUCCESS", false, "RUNNING"),
        "repeats change nothing"
    );
    rig.mutate("deploymentRemove", &id).await;
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreported_remove_ends_the_process_and_reads_never_say_so() {
    let rig = Rig::new(OBEDIENT).await;
    let id = active(&rig, "remove", "unreported").await;
    rig.until_dead(&id).await;
    assert_eq!(reads(&rig, &id).await, says("SUCCESS", false, "RUNNING"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_is_only_reported_leaves_the_process() {
    let rig = Rig::new(OBEDIENT).await;
    let id = active(&rig, "stop", "reported_only").await;
    rig.until(&id, "said stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert_eq!(reads(&rig, &id).await, says("SUCCESS", true, "EXITED"));
    assert!(rig.lives(&id));
    rig.mutate("deploymentStop", &id).await;
    tokio::time::sleep(LONG).await;
    assert!(rig.lives(&id), "a repeat is no better");
    rig.mutate("deploymentRemove", &id).await;
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
    assert!(!rig.lives(&id), "a real remove is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombie_is_removed_and_lives_even_past_the_platforms_own_restart() {
    let mut rig = Rig::new(OBEDIENT).await;
    let id = active(&rig, "remove", "reported_only").await;
    rig.until(&id, "said removed", |row| row["status"] == "REMOVED")
        .await;
    assert!(rig.lives(&id));
    let refusal = rig.mutate_refused("deploymentStop", &id).await;
    assert_eq!(refusal, "Deployment is not stoppable");
    rig.end_platform().await;
    rig.start_platform().await;
    assert_eq!(reads(&rig, &id).await, says("REMOVED", true, "REMOVED"));
    assert!(rig.lives(&id));
    let newer = rig.deploy_active().await;
    assert!(rig.lives(&id), "the platform does not know of it");
    assert!(rig.lives(&newer));
    rig.mutate("deploymentRemove", &id).await;
    rig.until_dead(&id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_is_accepted_and_not_done() {
    for (command, expected) in [
        ("stop", says("SUCCESS", false, "RUNNING")),
        ("remove", says("REMOVING", false, "REMOVING")),
    ] {
        let rig = Rig::new(OBEDIENT).await;
        let id = active(&rig, command, "stuck").await;
        assert_eq!(reads(&rig, &id).await, expected);
        assert!(rig.lives(&id), "{command}");
        rig.fault(&json!({})).await;
        rig.mutate("deploymentRemove", &id).await;
        rig.until(&id, "removed", |row| row["status"] == "REMOVED")
            .await;
        assert!(!rig.lives(&id), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_says_so_and_does_nothing() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    rig.fault(&json!({ "stop": "refused", "remove": "refused", "cancel": "refused" }))
        .await;
    for command in ["deploymentStop", "deploymentRemove"] {
        assert_eq!(rig.mutate_refused(command, &id).await, PROBLEM);
    }
    let building = rig.deploy(&rig.head()).await;
    let refusal = rig.mutate_refused("deploymentCancel", &building).await;
    assert_eq!(refusal, PROBLEM);
    rig.until(&building, "active", |row| row["status"] == "SUCCESS")
        .await;
    assert!(rig.lives(&building));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_railway_refuses_every_fault_refuses() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    for how in ["acknowledged_only", "unreported", "reported_only", "stuck"] {
        rig.fault(&json!({ "cancel": how })).await;
        let refusal = rig.mutate_refused("deploymentCancel", &id).await;
        assert_eq!(refusal, "Deployment is not cancelable", "{how}");
    }
    assert!(rig.lives(&id));
}

/// A build that hangs, and a cancel of it under this fault; then the build is let go.
async fn cancelled(rig: &Rig, how: &str) -> (String, (String, bool, String)) {
    rig.fault(&json!({ "builds_hang": true, "cancel": how }))
        .await;
    let id = rig.deploy(&rig.head()).await;
    rig.until(&id, "building", |row| row["status"] == "BUILDING")
        .await;
    rig.mutate("deploymentCancel", &id).await;
    tokio::time::sleep(LONG).await;
    let seen = reads(rig, &id).await;
    rig.fault(&json!({ "cancel": how })).await;
    (id, seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_is_not_carried_out_lets_the_build_become_a_process() {
    for (how, during, after) in [
        ("acknowledged_only", says("BUILDING", true, "-"), "SUCCESS"),
        ("reported_only", says("REMOVED", true, "-"), "REMOVED"),
    ] {
        let rig = Rig::new(OBEDIENT).await;
        let (id, seen) = cancelled(&rig, how).await;
        assert_eq!(seen, during, "{how}");
        rig.until_alive(&id).await;
        rig.until(&id, after, |row| row["status"] == after).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_is_unreported_or_stuck_starts_nothing() {
    for (how, status) in [("unreported", "BUILDING"), ("stuck", "REMOVING")] {
        let rig = Rig::new(OBEDIENT).await;
        let (id, seen) = cancelled(&rig, how).await;
        assert_eq!(seen.0, status, "{how}");
        tokio::time::sleep(LONG).await;
        assert_eq!(reads(&rig, &id).await.0, status, "{how}");
        assert!(!rig.lives(&id), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_hangs_until_it_is_let_go_or_cancelled() {
    let rig = Rig::new(OBEDIENT).await;
    rig.fault(&json!({ "builds_hang": true })).await;
    let first = rig.deploy(&rig.head()).await;
    let second = rig.deploy(&rig.head()).await;
    tokio::time::sleep(LONG).await;
    for id in [&first, &second] {
        assert_eq!(reads(&rig, id).await.0, "BUILDING");
    }
    rig.mutate("deploymentCancel", &second).await;
    rig.until(&second, "removed", |row| row["status"] == "REMOVED")
        .await;
    rig.fault(&json!({})).await;
    rig.until(&first, "active", |row| row["status"] == "SUCCESS")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_draining_ignored_what_ignores_sigterm_lives_on() {
    let rig = Rig::with(|repo| {
        let mut spec = spec(repo, STUBBORN);
        spec.draining_secs = 0;
        spec
    })
    .await;
    let id = rig.deploy_active().await;
    rig.fault(&json!({ "draining_ignored": true })).await;
    rig.mutate("deploymentStop", &id).await;
    tokio::time::sleep(LONG).await;
    assert!(rig.lives(&id));
    assert_eq!(reads(&rig, &id).await, says("SUCCESS", false, "RUNNING"));
    rig.fault(&json!({})).await;
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_report_hides_what_has_happened_for_so_long() {
    let rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    // 100 s at Railway's pace are 2 s here.
    rig.fault(&json!({ "report_delay_ms": 100_000 })).await;
    rig.mutate("deploymentRemove", &id).await;
    rig.until_dead(&id).await;
    assert_eq!(
        reads(&rig, &id).await,
        says("SUCCESS", false, "RUNNING"),
        "dead, and nobody says so yet"
    );
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
}
