//! The watchdog as a user meets it: it leases what is as planned, withholds in doubt, and stops what is
//! wrong, each on a planted breach, with the real binary and real processes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first surprise"
)]

mod support;

use launch::receipts::lines;
use launch::watchdog::record::Record;
use launch_kill::freeze::{self, FreezeState};
use launch_kill::{EnvName, StateDir};
use serde_json::Value;
use std::time::Duration;
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

/// Longest from a breach to a verified stop, the settle window of ten seconds included.
const STOPPED_WITHIN: Duration = Duration::from_secs(40);

/// Longest until a lease that nobody renews is over, or until one is granted again.
const LEASE_WITHIN: Duration = Duration::from_secs(10);

fn record(project: &Project) -> Record {
    let text =
        std::fs::read_to_string(project.state().join("local/watchdog-staging.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What the watchdog wrote down, its chain checked.
fn journal(project: &Project) -> Vec<Value> {
    lines::read_all(&project.state().join("local/watchdog-staging.jsonl")).unwrap()
}

fn events(project: &Project) -> Vec<String> {
    journal(project)
        .iter()
        .map(|line| line["event"].as_str().unwrap().to_owned())
        .collect()
}

/// Waits for the end of a watchdog that tripped; everything must be stopped and frozen then.
#[track_caller]
fn tripped(project: &Project, rule: &str) {
    let ended = wait_until("the watchdog's end", STOPPED_WITHIN, || {
        record(project).ended
    });
    assert_eq!(ended.exit, 1, "{}", ended.reason);
    assert!(ended.reason.contains(rule), "{}", ended.reason);
    assert!(Target::staging(project).live().is_empty());
    assert_eq!(project.living_traders(), 0);
    // One freeze, under one name, in both places.
    let state = StateDir::at(project.state());
    let here = freeze::read_local(&state, &EnvName::parse("staging").unwrap());
    let FreezeState::Frozen(frozen) = &here else {
        panic!("{here:?}")
    };
    assert!(frozen.id.starts_with("watchdog-"), "{frozen:?}");
    assert_eq!(Target::staging(project).freeze(), here);
    project.launch(DEPLOY).assert().code(4);
}

fn deployed_with_fault(fault: &str) -> Project {
    let project = Project::deployed();
    Target::staging(&project).set_variable("LAUNCH_REHEARSE_FAULT", fault);
    project.launch(DEPLOY).assert().success();
    project
}

#[test]
fn a_deployment_that_no_plan_names_stops_both_and_only_a_person_starts_again() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    let beside = target.deploy_beside(&project.git(&["rev-parse", "HEAD"]));
    tripped(&project, &beside);
    project.launch(REENABLE).assert().success();
    project.launch(DEPLOY).assert().success();
    assert!(Target::staging(&project).is_leased());
}

#[test]
fn a_loss_beyond_the_limit_stops_it() {
    let project = deployed_with_fault("loss_after_ms:5000:500");
    tripped(&project, "daily_loss");
    // The ledger keeps the day's loss: who deploys again today is told before it happens again.
    project.launch(REENABLE).assert().success();
    let again = project.launch(DEPLOY).output().unwrap();
    let said = String::from_utf8(again.stderr).unwrap();
    let told = said.find("counts that loss until 00:00 UTC");
    let deployed = said.find("variables and settings");
    assert!(told.is_some() && told < deployed, "{said}");
}

#[test]
fn silence_is_held_first_and_stopped_past_its_bound() {
    let project = Project::new();
    project.replace(
        "manifests/launch.toml",
        "silence_kill_secs = 120",
        "silence_kill_secs = 5",
    );
    project.commit_and_push("targets: a short silence");
    project.platform();
    project.launch(DEPLOY).assert().success();
    Target::staging(&project).set_variable("LAUNCH_REHEARSE_FAULT", "silent_after_ms:6000");
    project.launch(DEPLOY).assert().success();
    tripped(&project, "hold_too_long");
    let events = events(&project);
    let held = events.iter().rposition(|e| e == "holding").expect("a hold");
    let trip = events.iter().rposition(|e| e == "tripped").expect("a trip");
    assert!(held < trip, "{events:?}");
}

#[test]
fn without_its_watchdog_the_lease_lapses_and_another_one_takes_over() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    let first = record(&project);
    let sent = std::process::Command::new("kill")
        .args(["-KILL", &first.pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    wait_until("the lease to lapse", LEASE_WITHIN, || {
        (!target.is_leased()).then_some(())
    });
    assert_eq!(project.living_traders(), 1, "exits stay on: it runs on");
    // The next one knows by itself what to expect.
    let mut second = std::process::Command::new(assert_cmd::cargo::cargo_bin!("launch"))
        .args(["watchdog", "--env", "staging"])
        .env_clear()
        .env("LAUNCH_STATE_DIR", project.state())
        .current_dir(project.state())
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the lease to return", LEASE_WITHIN, || {
        target.is_leased().then_some(())
    });
    // Two of one state directory would write over each other.
    project
        .launch(&["watchdog", "--env", "staging"])
        .assert()
        .code(4);
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &second.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
    assert_eq!(second.wait().unwrap().code(), Some(0));
    wait_until("the lease to lapse", LEASE_WITHIN, || {
        (!target.is_leased()).then_some(())
    });
}

#[test]
fn a_halt_withholds_the_lease_until_a_person_reenables() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    project
        .launch(&["halt", "--env", "staging"])
        .assert()
        .success();
    wait_until("the lease to lapse", LEASE_WITHIN, || {
        (!target.is_leased()).then_some(())
    });
    assert_eq!(project.living_traders(), 1, "exits stay on: it runs on");
    assert_eq!(target.watchdog().unwrap()["frozen"], true);
    project.launch(REENABLE).assert().success();
    wait_until("the lease to return", LEASE_WITHIN, || {
        target.is_leased().then_some(())
    });
    assert!(target.health().unwrap()["halted"].is_null());
}

#[test]
fn a_watchdog_whose_target_is_gone_ends_and_grants_nothing_to_what_comes_back() {
    let project = Project::deployed();
    project
        .launch(&["kill", "--env", "staging", "--settle", "1"])
        .assert()
        .success();
    let ended = wait_until("the watchdog's end", LEASE_WITHIN, || {
        record(&project).ended
    });
    assert_eq!(ended.exit, 0, "{}", ended.reason);
    assert!(!events(&project).contains(&"tripped".to_owned()));
}

#[test]
fn a_watchdog_without_a_target_says_so() {
    let project = Project::new();
    project
        .launch(&["watchdog", "--env", "staging"])
        .assert()
        .code(2)
        .stderr(predicates::str::contains("nothing is known of staging"));
    assert!(
        !project.state().join("local").exists(),
        "a slip of the pen leaves nothing behind"
    );
}
