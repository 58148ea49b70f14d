//! Platforms inside this process: many at once, none in another's way, nothing left behind.

use std::time::{Duration, Instant};

use super::rig::{OBEDIENT, STUBBORN, repository, spec};
use crate::loopback::{Faults, InProcess, OnCommand, PlatformError, PlatformOptions};

/// Longest wait for anything here.
const PATIENCE: Duration = Duration::from_secs(20);

fn options(dir: &std::path::Path, time_scale: f64) -> PlatformOptions {
    PlatformOptions {
        state_dir: dir.to_owned(),
        time_scale,
        trader_bin: "/bin/false".into(),
    }
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "never {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_each_at_its_own_pace_and_nothing_is_left() {
    let (repo, head) = repository();
    let mut platforms = Vec::new();
    for scale in [0.005, 0.01, 0.02] {
        let dir = tempfile::tempdir().unwrap();
        let platform = InProcess::start(&options(dir.path(), scale)).await.unwrap();
        let service = platform.provision(&spec(repo.path(), STUBBORN)).unwrap();
        let id = platform.deploy(&service, &head).unwrap();
        platforms.push((platform, dir, id));
    }
    for (platform, dir, id) in platforms {
        until("active", || platform.deployments()[0].status == "SUCCESS").await;
        assert!(platform.living().unwrap().contains_key(&id));
        assert_eq!(platform.living().unwrap().len(), 1, "only its own");
        assert_eq!(platform.faults(), Faults::default());
        platform.shut_down().await.unwrap();
        let left = crate::loopback::living_processes(dir.path()).unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_leaves_the_processes_to_the_next_one_and_a_drop_leaves_none() {
    let ((repo, head), dir) = (repository(), tempfile::tempdir().unwrap());
    let platform = InProcess::start(&options(dir.path(), 0.02)).await.unwrap();
    let service = platform.provision(&spec(repo.path(), OBEDIENT)).unwrap();
    let id = platform.deploy(&service, &head).unwrap();
    until("active", || platform.deployments()[0].status == "SUCCESS").await;
    let (before, endpoint) = (platform.deployments(), platform.endpoint().clone());
    let again = platform.crash().await;
    let platform = InProcess::start(&again).await.unwrap();
    assert_eq!(platform.endpoint().endpoint, endpoint.endpoint);
    assert_eq!(platform.deployments(), before);
    assert!(platform.living().unwrap().contains_key(&id));
    drop(platform);
    until("dead", || {
        crate::loopback::living_processes(dir.path())
            .unwrap()
            .is_empty()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_refused_by_name() {
    let ((repo, _), dir) = (repository(), tempfile::tempdir().unwrap());
    let platform = InProcess::start(&options(dir.path(), 0.02)).await.unwrap();
    let service = platform.provision(&spec(repo.path(), OBEDIENT)).unwrap();
    let unknown = platform.deploy(&service, "no-such-commit").unwrap_err();
    assert!(
        matches!(unknown, PlatformError::Unknown { .. }),
        "{unknown}"
    );
    let faults = Faults {
        stop: OnCommand::AcknowledgedOnly,
        ..Faults::default()
    };
    platform.set_faults(&faults).unwrap();
    assert_eq!(platform.faults(), faults);
}
