//! A platform that goes and comes back: processes live on, and are taken up again.

use rustix::process::{Pid, Signal, kill_process};

use super::rig::{OBEDIENT, Rig, spec};
use crate::loopback::error::PlatformError;
use crate::loopback::server;
use crate::loopback::state::State;
use crate::loopback::supervisor::PlatformOptions;
use std::time::Duration;

/// Longer than the pause before a restart, at the pace of these tests.
const AFTER_BACKOFF: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_that_comes_back_takes_up_its_processes() {
    let mut rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let (before, endpoint) = (
        rig.deployment(&id).await,
        rig.served().endpoint.endpoint.clone(),
    );
    rig.end_platform().await;
    rig.start_platform().await;
    assert_eq!(
        rig.served().endpoint.endpoint,
        endpoint,
        "a kill file stays right"
    );
    assert!(rig.lives(&id));
    assert_eq!(rig.deployment(&id).await, before);
    rig.mutate("deploymentStop", &id).await;
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_under_way_goes_on() {
    let mut rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy(&rig.head()).await;
    rig.end_platform().await;
    rig.start_platform().await;
    rig.until(&id, "active", |row| row["status"] == "SUCCESS")
        .await;
    assert!(rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_died_meanwhile_is_not_taken_for_alive() {
    let mut rig = Rig::new(OBEDIENT).await;
    let id = rig.deploy_active().await;
    let pid = rig.deployment(&id).await["meta"]["loopback"]["pid"]
        .as_i64()
        .unwrap();
    rig.end_platform().await;
    kill_process(
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(),
        Signal::KILL,
    )
    .unwrap();
    rig.start_platform().await;
    rig.until(&id, "stopped", |row| row["deploymentStopped"] == true)
        .await;
    assert!(!rig.lives(&id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_killed_while_no_platform_ran_is_not_started_by_the_next_one() {
    for policy in ["ON_FAILURE", "ALWAYS"] {
        let mut rig = Rig::with(|repo| {
            let mut spec = spec(repo, OBEDIENT);
            spec.restart_policy = Some(policy.to_owned());
            spec
        })
        .await;
        let id = rig.deploy_active().await;
        let pid = rig.deployment(&id).await["meta"]["loopback"]["pid"].clone();
        rig.end_platform().await;
        let number = i32::try_from(pid.as_i64().unwrap()).unwrap();
        kill_process(Pid::from_raw(number).unwrap(), Signal::KILL).unwrap();
        rig.start_platform().await;
        let row = rig
            .until(&id, "stopped", |row| row["deploymentStopped"] == true)
            .await;
        tokio::time::sleep(AFTER_BACKOFF).await;
        assert!(!rig.lives(&id), "{policy}");
        assert_eq!(row["meta"]["loopback"]["pid"], pid, "its end can be proved");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_platform_per_state_directory() {
    let rig = Rig::new(OBEDIENT).await;
    let options = PlatformOptions {
        state_dir: rig.dir.path().to_owned(),
        time_scale: 0.02,
        trader_bin: "/bin/false".into(),
    };
    let second = server::start(&options, 0).await;
    assert!(
        matches!(second, Err(PlatformError::AlreadyServed { .. })),
        "{second:?}"
    );
}

#[test]
fn a_damaged_or_foreign_state_file_is_refused_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    for text in [
        "",
        "{",
        "[]",
        "{\"schema_version\":2,\"instances\":[],\"deployments\":[]}",
    ] {
        std::fs::write(&path, text).unwrap();
        let error = State::load(&path).unwrap_err();
        assert!(error.to_string().contains("state.json"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
