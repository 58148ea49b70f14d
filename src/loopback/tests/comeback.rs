//! A platform that dies at a bad moment and comes back: nothing that lives is forgotten, and nothing
//! that was killed comes to life.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::rig::{OBEDIENT, Rig, STUBBORN, spec};
use crate::loopback::error::PlatformError;
use crate::loopback::server;
use crate::loopback::supervisor::PlatformOptions;

/// Longer than a build and a start take at the pace of these tests.
const LONG: Duration = Duration::from_millis(300);

/// Ends the platform as SIGKILL would, with its lock.
async fn crash(rig: &mut Rig) {
    let served = rig.served.take().unwrap();
    served.end_at_once();
    served.ended().await;
}

fn state_file(rig: &Rig) -> PathBuf {
    crate::loopback::files::platform_dir(rig.dir.path()).join("state.json")
}

/// What a start on these files is refused with.
async fn refusal(rig: &Rig) -> PlatformError {
    let options = PlatformOptions {
        state_dir: rig.dir.path().to_owned(),
        time_scale: 0.02,
        trader_bin: "/bin/false".into(),
    };
    server::start(&options, 0).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_or_lost_records_are_refused_while_anything_may_live() {
    let mut rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    crash(&mut rig).await;
    let path = state_file(&rig);
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&b""[..], b"{", b"\xff\xfe", &whole[..whole.len() / 2]] {
        std::fs::write(&path, damaged).unwrap();
        let error = refusal(&rig).await;
        assert!(matches!(error, PlatformError::Malformed { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), damaged, "kept as found");
    }
    std::fs::remove_file(&path).unwrap();
    let error = refusal(&rig).await;
    let text = error.to_string();
    assert!(matches!(error, PlatformError::Forgotten { .. }), "{text}");
    std::fs::write(&path, whole).unwrap();
    rig.start_platform().await;
    assert_eq!(rig.deployment(&id).await["status"], "SUCCESS");
    rig.mutate("deploymentStop", &id).await;
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_in_mid_stop_or_mid_drain_ends_in_stopped() {
    for (script, draining_secs) in [(OBEDIENT, 5), (STUBBORN, 1)] {
        let mut rig = Rig::with(|repo| {
            let mut spec = spec(repo, script);
            spec.draining_secs = draining_secs;
            spec
        })
        .await;
        let id = rig.deploy_active().await;
        rig.mutate("deploymentStop", &id).await;
        crash(&mut rig).await;
        rig.start_platform().await;
        rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
            .await;
        assert!(!rig.lives(&id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_under_way_is_seen_and_can_be_cancelled_after_the_return() {
    let mut rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy(&rig.head()).await;
    crash(&mut rig).await;
    // All its time has passed while nobody was there.
    tokio::time::sleep(LONG).await;
    rig.start_platform().await;
    let row = rig.deployment(&id).await;
    assert!(
        ["INITIALIZING", "BUILDING", "DEPLOYING"].contains(&row["status"].as_str().unwrap()),
        "{row}"
    );
    rig.mutate("deploymentCancel", &id).await;
    rig.until(&id, "removed", |row| row["status"] == "REMOVED")
        .await;
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_of_a_frozen_environment_does_not_go_on_after_the_return() {
    for frozen in [true, false] {
        let mut rig = Rig::new(OBEDIENT).await;
        let id = rig.deploy(&rig.head()).await;
        crash(&mut rig).await;
        if frozen {
            std::fs::write(rig.dir.path().join("freeze-staging.json"), "{").unwrap();
        }
        rig.start_platform().await;
        let end = if frozen { "REMOVED" } else { "SUCCESS" };
        rig.until(&id, end, |row| row["status"] == end).await;
        assert_eq!(rig.lives(&id), !frozen);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_was_started_and_not_written_down_is_adopted_not_doubled() {
    let mut rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    crash(&mut rig).await;
    let path = state_file(&rig);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
    let row = &mut state["deployments"][0];
    let pid = row["process"]["pid"].clone();
    row["process"] = json!(null);
    row["phase"] = json!("created");
    std::fs::write(&path, state.to_string()).unwrap();
    rig.start_platform().await;
    let row = rig
        .until(&id, "active", |row| row["status"] == "SUCCESS")
        .await;
    assert_eq!(row["meta"]["loopback"]["pid"], pid);
    tokio::time::sleep(LONG).await;
    let starts = std::fs::read_to_string(rig.served().platform.log_path(&id)).unwrap();
    assert_eq!(starts.matches("Starting Container").count(), 1, "{starts}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_truth_finds_a_process_that_has_dropped_its_variables() {
    let rig = Rig::new("exec env -i sleep 60").await;
    let id = rig.deploy_active().await;
    assert!(rig.lives(&id));
    rig.mutate("deploymentStop", &id).await;
    rig.until_dead(&id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_truth_counts_children_of_every_service_and_no_defunct_process() {
    // The shell's child ends and is never reaped, because the shell has become `sleep`.
    let rig = Rig::new("sleep 0.01 & exec sleep 60").await;
    let defunct = rig.deploy_active().await;
    let mut other = spec(rig.repo.path(), &format!("sleep 60 & {OBEDIENT}"));
    other.env = "production".to_owned();
    let (status, other) = rig.admin("/loopback/services", &json!(other)).await;
    assert_eq!(status, 200);
    let body = json!({
        "query": super::rig::DEPLOY,
        "variables": {
            "e": other["environment_id"], "s": other["service_id"], "c": rig.head(),
        },
    });
    let token = other["token"].as_str().unwrap();
    let (_, text) = rig
        .send(&[("Project-Access-Token", token)], body.to_string())
        .await;
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let two = answer["data"]["serviceInstanceDeployV2"].as_str().unwrap();
    rig.until_alive(two).await;
    tokio::time::sleep(LONG).await;
    let living = crate::loopback::living_processes(rig.dir.path()).unwrap();
    assert_eq!(living.len(), 2, "{living:?}");
    assert_eq!(living[&defunct].len(), 1, "the ended child is not living");
    assert!(living[two].len() >= 2, "{living:?}");
}
