//! A kill while a deploy is under way, at each of its steps, by the same operator and by another one with a
//! state directory of its own.
//!
//! Asked for at every step: the kill proves the stop, no trader lives then or later (by the kernel's
//! account, not the platform's), and the deploy ends with 4, 6 or 8 and says that it was frozen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first surprise"
)]

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use support::Project;
use support::background::Background;
use support::target::Target;

const DEPLOY: &[&str] = &["deploy", "--env", "staging"];
const REENABLE: &[&str] = &["reenable", "--env", "staging", "--reason", "the next round"];
const KILL: &[&str] = &[
    "kill", "--env", "staging", "--settle", "1", "--format", "json",
];

/// Slow enough that every phase of the platform can be met, quick enough for a test.
const TIME_SCALE: &str = "0.2";

/// How long nothing may come back after kill and deploy have ended: longer than the platform takes from
/// accepted to running at this pace.
const LATER: Duration = Duration::from_secs(3);

/// Who kills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killer {
    TheSame,
    Another,
}

fn project() -> Project {
    let project = Project::new();
    project
        .launch(&["platform", "start", "--time-scale", TIME_SCALE])
        .assert()
        .success();
    project
}

/// The killer's state directory. Another operator knows the service from an earlier deploy.
fn killers_state(project: &Project, killer: Killer) -> PathBuf {
    match killer {
        Killer::TheSame => project.state(),
        Killer::Another => {
            project.launch(DEPLOY).assert().success();
            let state = project.second_operator();
            project.launch_as(&state, KILL).assert().success();
            for state in [&state, &project.state()] {
                project.launch_as(state, REENABLE).assert().success();
            }
            state
        }
    }
}

#[track_caller]
fn killed_at(project: &Project, killers_state: &Path, step: &str) {
    let mut deploy = Background::start(project, &project.state(), DEPLOY);
    deploy.until(&format!(" s  {step}"));
    let kill = project.launch_as(killers_state, KILL).output().unwrap();
    let living = project.living_traders();
    let document: Value = serde_json::from_slice(&kill.stdout).unwrap_or_else(|error| {
        panic!("{step}: {error}: {}", String::from_utf8_lossy(&kill.stderr))
    });
    assert_eq!(kill.status.code(), Some(0), "{step}: {document:#}");
    assert_eq!(living, 0, "{step}: {document:#}");
    let (code, said) = deploy.end();
    assert!([4, 6, 8].contains(&code), "{step}: {code}: {said}");
    assert!(said.contains("frozen"), "{step}: {said}");
    assert_eq!(project.living_traders(), 0, "{step}: {said}");
    std::thread::sleep(LATER);
    assert_eq!(project.living_traders(), 0, "{step}, later: {said}");
    assert_eq!(
        Target::staging(project).live(),
        Vec::<String>::new(),
        "{step}"
    );
    // Both stay out until a person says otherwise.
    project.launch(DEPLOY).assert().code(4);
    project.launch(REENABLE).assert().success();
    if killers_state != project.state() {
        project
            .launch_as(killers_state, REENABLE)
            .assert()
            .success();
    }
}

#[track_caller]
fn killed_at_each(killer: Killer, steps: &[&str]) {
    let project = project();
    let state = killers_state(&project, killer);
    for step in steps {
        killed_at(&project, &state, step);
    }
}

#[test]
fn before_it_is_sent_and_just_then() {
    killed_at_each(Killer::TheSame, &["variables and settings", "deploy"]);
}

#[test]
fn while_it_is_queued_and_built() {
    killed_at_each(Killer::TheSame, &["queued", "building"]);
}

#[test]
fn while_it_is_placed_and_answers() {
    killed_at_each(Killer::TheSame, &["deploying", "first answer"]);
}

#[test]
fn while_it_is_handed_over_and_verified() {
    killed_at_each(Killer::TheSame, &["watchdog", "first lease"]);
    killed_at_each(Killer::TheSame, &["verify"]);
}

#[test]
fn by_another_operator_before_it_runs() {
    killed_at_each(Killer::Another, &["variables and settings", "building"]);
}

#[test]
fn by_another_operator_once_it_runs() {
    killed_at_each(Killer::Another, &["deploying", "watchdog"]);
    killed_at_each(Killer::Another, &["verify"]);
}

#[test]
fn while_the_old_one_is_held() {
    let project = project();
    project.launch(DEPLOY).assert().success();
    killed_at(&project, &project.state(), "hold the old instance");
}
