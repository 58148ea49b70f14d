//! `launch kill` as a person in an emergency meets it: from any directory, without a terminal, with
//! nothing but the state directory, and with proof or exit 7.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use launch::loopback::{Faults, OnCommand, set_faults};
use predicates::str::contains;
use serde_json::Value;
use support::Project;
use support::background::Background;

/// `launch kill` from an empty directory; its exit code and JSON document.
fn kill(project: &Project, args: &[&str]) -> (i32, Value) {
    let nowhere = tempfile::tempdir().unwrap();
    let mut all = vec!["kill", "--format", "json", "--settle", "500ms"];
    all.extend(args);
    let output = project.launch_in(nowhere.path(), &all).output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), document)
}

#[test]
fn it_stops_with_proof_freezes_and_a_deploy_is_refused_until_reenabled() {
    let project = Project::deployed();
    assert_eq!(project.living_traders(), 1);
    let (code, document) = kill(&project, &["--env", "staging"]);
    assert_eq!(
        (code, document["verdict"].as_str().unwrap()),
        (0, "verified"),
        "{document:#}"
    );
    assert_eq!(project.living_traders(), 0);
    let target = &document["targets"][0];
    assert!(target["first_ack_ms"].as_u64().unwrap() <= target["elapsed_ms"].as_u64().unwrap());
    let agrees = |witness: &Value| witness["status"] == "agrees";
    assert!(
        target["witnesses"].as_array().unwrap().iter().any(agrees),
        "{document:#}"
    );

    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .code(4)
        .stderr(contains("launch reenable"));
    project
        .launch(&["reenable", "--env", "staging", "--reason", "test"])
        .assert()
        .success();
    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .success();
    assert_eq!(project.living_traders(), 1);
}

/// Presses Ctrl-C in a kill's terminal.
fn interrupt(kill: &Background) {
    let pid = i32::try_from(kill.pid()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
}

#[test]
fn ctrl_c_twice_is_seven_at_once_and_ctrl_c_once_changes_nothing() {
    let project = Project::deployed();
    // What it asks for has no effect: it would go on to its deadline.
    let faults = Faults {
        stop: OnCommand::AcknowledgedOnly,
        remove: OnCommand::AcknowledgedOnly,
        ..Faults::default()
    };
    set_faults(&project.state(), &faults).unwrap();
    let line = ["kill", "--env", "staging", "--settle", "500ms"];
    let mut hopeless = Background::start(&project, &project.state(), &line);
    hopeless.until("launch kill stops staging");
    // Said before the first request goes out; a Ctrl-C in between would be 130.
    std::thread::sleep(std::time::Duration::from_secs(1));
    interrupt(&hopeless);
    hopeless.until("the stop is on its way and goes on");
    let started = std::time::Instant::now();
    interrupt(&hopeless);
    let (code, said) = hopeless.end();
    assert_eq!(code, 7, "{said}");
    assert!(said.contains("may still run: staging"), "{said}");
    assert!(
        started.elapsed().as_secs() < 30,
        "it did not wait for its 60 s"
    );

    set_faults(&project.state(), &Faults::default()).unwrap();
    let mut kill = Background::start(&project, &project.state(), &line);
    kill.until("launch kill stops staging");
    std::thread::sleep(std::time::Duration::from_millis(300));
    interrupt(&kill);
    let (code, said) = kill.end();
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("the stop is on its way and goes on"),
        "{said}"
    );
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn a_platform_that_only_acknowledges_is_escalated() {
    let project = Project::deployed();
    let faults = Faults {
        stop: OnCommand::AcknowledgedOnly,
        ..Faults::default()
    };
    set_faults(&project.state(), &faults).unwrap();
    let (code, document) = kill(&project, &["--env", "staging"]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(project.living_traders(), 0);
    assert_eq!(document["targets"][0]["deployments"][0]["action"], "remove");
}

#[test]
fn a_platform_that_hangs_is_not_believed_and_the_deadline_holds() {
    let project = Project::deployed();
    set_faults(
        &project.state(),
        &Faults {
            hang_ms: 60_000,
            ..Faults::default()
        },
    )
    .unwrap();
    let started = std::time::Instant::now();
    let (code, document) = kill(&project, &["--env", "staging", "--deadline", "3s"]);
    assert!(
        started.elapsed().as_millis() <= 4_500,
        "{:?}",
        started.elapsed()
    );
    // The trader was halted over its own path, but nobody proved that the deployment is gone.
    assert_eq!(code, 7, "{document:#}");
    assert_eq!(document["verdict"], "unverified");
    assert!(
        !document["targets"][0]["runbook"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    set_faults(&project.state(), &Faults::default()).unwrap();
}

#[test]
fn a_drill_is_timed_recorded_and_lifts_its_own_freeze() {
    let project = Project::deployed();
    let (code, document) = kill(&project, &["--env", "staging", "--drill"]);
    assert_eq!(code, 0, "{document:#}");
    // What it took, it gives back: freeze here, freeze on the service, the watchdog's latch.
    let latched = |change: &Value| change["what"].as_str().unwrap().contains("leases");
    assert!(
        !document["targets"][0]["changed"]
            .as_array()
            .unwrap()
            .iter()
            .any(latched),
        "{document:#}"
    );
    let receipts = std::fs::read_dir(project.state().join("receipts")).unwrap();
    let drills = receipts.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("drill-staging")
    });
    assert_eq!(drills.count(), 1);
    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .success();
}

#[test]
fn a_drill_on_nothing_is_no_drill() {
    let project = Project::deployed();
    assert_eq!(kill(&project, &["--env", "staging"]).0, 0);
    assert_eq!(kill(&project, &["--env", "staging", "--drill"]).0, 2);
}

#[test]
fn killing_twice_says_that_nothing_runs() {
    let project = Project::deployed();
    assert_eq!(kill(&project, &["--env", "staging"]).0, 0);
    let (code, document) = kill(&project, &["--env", "staging"]);
    assert_eq!(
        (code, document["verdict"].as_str().unwrap()),
        (0, "nothing_running"),
        "{document:#}"
    );
}

#[test]
fn without_any_target_it_asks_for_one_and_stops_nothing() {
    let project = Project::empty();
    project.launch(&["kill"]).assert().code(2);
}

#[test]
fn halt_keeps_the_trader_running_with_entries_off() {
    let project = Project::deployed();
    let (code, document) = kill(&project, &["--env", "staging", "--reduce-only"]);
    assert_eq!(
        (code, document["verdict"].as_str().unwrap()),
        (0, "reduced"),
        "{document:#}"
    );
    assert_eq!(project.living_traders(), 1);
}

#[test]
fn a_dead_platform_does_not_save_the_trader() {
    let project = Project::deployed();
    let endpoint = launch::loopback::running(&project.state())
        .unwrap()
        .unwrap();
    endpoint.process().kill().unwrap();
    support::wait_until(
        "the platform's end",
        std::time::Duration::from_secs(5),
        || {
            launch::loopback::running(&project.state())
                .unwrap()
                .is_none()
                .then_some(())
        },
    );
    assert_eq!(
        project.living_traders(),
        1,
        "the trader outlives its platform: that is the fault"
    );
    let (code, document) = kill(&project, &["--env", "staging"]);
    assert_eq!(project.living_traders(), 0, "{document:#}");
    assert_eq!(code, 0, "{document:#}");
}
