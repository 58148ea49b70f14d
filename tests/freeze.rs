//! The freeze: whoever set it, every deploy and everybody who grants a lease honours it, until it is lifted
//! on the record; what cannot be read counts as frozen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first surprise"
)]

mod support;

use launch::watchdog::record::Record;
use launch_kill::freeze::{Freeze, FreezeState};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use std::path::Path;
use std::time::Duration;
use support::background::Background;
use support::target::Target;
use support::{Project, wait_until};

const DEPLOY: &[&str] = &["deploy", "--env", "staging"];
const REENABLE: &[&str] = &[
    "reenable",
    "--env",
    "staging",
    "--reason",
    "the test says so",
];
const WATCHDOG: &[&str] = &["watchdog", "--env", "staging"];

/// Longest until a lease that nobody renews is over, or until one is granted again.
const LEASE_WITHIN: Duration = Duration::from_secs(15);

/// Two lives of a lease: whoever would still grant one has done so by then.
const STAYS_SO: Duration = Duration::from_secs(6);

/// The freeze of somebody whose state directory is elsewhere: the variable and nothing more.
fn freeze_from_elsewhere(target: &Target) {
    let freeze = Freeze {
        id: "kill-elsewhere".into(),
        at: "2026-11-23T03:00:00Z".into(),
        by: "bob (launch kill)".into(),
        reason: "positions look wrong".into(),
    };
    target.set_variable("LAUNCH_FREEZE", &freeze.to_json());
}

fn record(state: &Path) -> Record {
    let text = std::fs::read_to_string(state.join("local/watchdog-staging.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn end(pid: u32, signal: &str) {
    let sent = std::process::Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[track_caller]
fn leased(target: &Target, wanted: bool) {
    wait_until("the lease", LEASE_WITHIN, || {
        (target.is_leased() == wanted).then_some(())
    });
}

#[track_caller]
fn stays_unleased(target: &Target) {
    let until = std::time::Instant::now() + STAYS_SO;
    while std::time::Instant::now() < until {
        assert!(!target.is_leased(), "somebody grants under a freeze");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_freeze_from_elsewhere_is_honoured_by_every_granter_and_by_deploy() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    assert!(target.is_leased());
    freeze_from_elsewhere(&target);
    // The watchdog that runs.
    leased(&target, false);
    assert!(!project.state().join("freeze-staging.json").exists());
    project.launch(DEPLOY).assert().code(4).stderr(
        contains("kill-elsewhere").and(contains("told by the platform's variable LAUNCH_FREEZE")),
    );
    project
        .launch(&["status", "--env", "staging"])
        .assert()
        .stdout(contains("platform: since").and(contains("bob (launch kill)")));
    // A new identity handed over.
    let expected = record(&project.state()).expected.unwrap();
    let body = serde_json::to_value(&expected).unwrap();
    target.tell_watchdog("/expect", &body).unwrap();
    stays_unleased(&target);
    // One that is started later, after the first was killed.
    end(record(&project.state()).pid, "KILL");
    let later = Background::start(&project, &project.state(), WATCHDOG);
    wait_until("the later one's record", LEASE_WITHIN, || {
        (record(&project.state()).pid == later.pid()).then_some(())
    });
    stays_unleased(&target);
    // A second one, of another operator, who adopts what runs.
    let second = project.second_operator();
    let known = "local/watchdog-staging.json";
    std::fs::copy(project.state().join(known), second.join(known)).unwrap();
    let _other = Background::start(&project, &second, WATCHDOG);
    stays_unleased(&target);
    project.launch_as(&second, DEPLOY).assert().code(4);
    assert_eq!(project.living_traders(), 1, "its exits stay on");
    // Lifted by either operator, it is lifted for both.
    project.launch_as(&second, REENABLE).assert().success();
    leased(&target, true);
}

#[test]
fn what_cannot_be_read_is_frozen() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    for text in ["half a fr", ""] {
        target.set_variable("LAUNCH_FREEZE", text);
        leased(&target, false);
        project
            .launch(DEPLOY)
            .assert()
            .code(3)
            .stderr(contains("counts as frozen").and(contains("launch reenable")));
        project.launch(REENABLE).assert().success();
        leased(&target, true);
    }
}

#[test]
fn a_freeze_of_this_machine_only_is_called_that() {
    let project = Project::deployed();
    project
        .launch(&["halt", "--env", "staging"])
        .assert()
        .success();
    Target::staging(&project).set_variable("LAUNCH_FREEZE", "off");
    project
        .launch(&["status", "--env", "staging"])
        .assert()
        .stdout(contains("this machine only"));
    project
        .launch(DEPLOY)
        .assert()
        .code(4)
        .stderr(contains("told by this machine"));
}

#[test]
fn two_watchdogs_are_harmless_and_one_is_enough() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    let first = record(&project.state());
    let second = project.second_operator();
    let known = "local/watchdog-staging.json";
    std::fs::copy(project.state().join(known), second.join(known)).unwrap();
    let mut other = Background::start(&project, &second, WATCHDOG);
    other.until("keeping");
    // Both grant; neither sees anything wrong in that.
    std::thread::sleep(Duration::from_secs(2));
    assert!(target.is_leased());
    assert_eq!(target.watchdog().unwrap()["state"], "keeping");
    // One dies: the other holds the lease up.
    end(first.pid, "KILL");
    let until = std::time::Instant::now() + STAYS_SO;
    while std::time::Instant::now() < until {
        assert!(target.is_leased(), "the second one grants on");
        std::thread::sleep(Duration::from_millis(200));
    }
    // And honours the freeze that it has no file of.
    freeze_from_elsewhere(&target);
    leased(&target, false);
    project
        .launch(&["kill", "--env", "staging", "--settle", "1"])
        .assert()
        .success();
    let (code, said) = other.end();
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("tripped"), "{said}");
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn a_freeze_lifted_under_a_running_kill_is_set_again_and_said() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    let second = project.second_operator();
    let kill = std::thread::scope(|scope| {
        let killing = scope.spawn(|| {
            let args = [
                "kill", "--env", "staging", "--settle", "6", "--format", "json",
            ];
            project.launch(&args).output().unwrap()
        });
        wait_until("the freeze", LEASE_WITHIN, || {
            let here = project.state().join("freeze-staging.json").exists();
            (here && target.freeze().is_frozen()).then_some(())
        });
        // Somebody else believes that it is over.
        project.launch_as(&second, REENABLE).output().unwrap();
        assert_eq!(target.freeze(), FreezeState::Off);
        killing.join().unwrap()
    });
    let document: serde_json::Value = serde_json::from_slice(&kill.stdout).unwrap();
    assert_eq!(kill.status.code(), Some(0), "{document:#}");
    let again = |change: &serde_json::Value| {
        let what = change["what"].as_str().unwrap();
        what.contains("on the service again: somebody lifted it")
    };
    let changed = document["targets"][0]["changed"].as_array().unwrap();
    assert!(changed.iter().any(again), "{document:#}");
    assert!(target.freeze().is_frozen());
    for state in [&second, &project.state()] {
        project.launch_as(state, DEPLOY).assert().code(4);
    }
    assert_eq!(project.living_traders(), 0);
}
