//! `launch deploy --env staging` as a user meets it: what runs is what was planned, verified from outside;
//! or it is stopped again, and the exit code says which.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first surprise"
)]

mod support;

use launch::deploy::history::{Deployed, Outcome};
use launch::deploy::lock;
use launch::receipts;
use launch_kill::{EnvName, StateDir};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::background::Background;
use support::target::Target;
use support::{Project, wait_until};

const DEPLOY: &[&str] = &["deploy", "--env", "staging"];
const KILL: &[&str] = &["kill", "--env", "staging", "--settle", "1"];
const REENABLE: &[&str] = &[
    "reenable",
    "--env",
    "staging",
    "--reason",
    "the test says so",
];
const SOON: Duration = Duration::from_secs(20);

/// A project whose platform runs, with nothing deployed yet.
fn ready() -> Project {
    let project = Project::new();
    project.platform();
    project
}

/// Plants a fault in the service; it must have been deployed once.
fn plant(project: &Project, fault: &str) {
    Target::staging(project).set_variable("LAUNCH_REHEARSE_FAULT", fault);
}

#[test]
fn what_was_planned_runs_verified_leased_and_watched() {
    let project = ready();
    let document = project.json(0, DEPLOY);
    assert_eq!(document["outcome"], "verified");
    let commit = project.git(&["rev-parse", "HEAD"]);
    assert_eq!(document["plan"]["intent"]["commit"], commit.as_str());

    let target = Target::staging(&project);
    assert_eq!(
        target.live(),
        [document["running"]["deployment_id"].as_str().unwrap()]
    );
    let health = target.health().unwrap();
    assert_eq!(health["platform_commit"], commit.as_str());
    assert_eq!(health["effective"], document["plan"]["intent"]["effective"]);
    assert!(target.is_leased());
    assert_eq!(target.watchdog().unwrap()["state"], "keeping");
    assert_eq!(project.living_traders(), 1);

    let verified = project.json(0, &["verify", "--env", "staging"]);
    assert!(
        matches!(verified["verdict"].as_str(), Some("pass" | "warn")),
        "{verified}"
    );
    project
        .launch(&["status"])
        .assert()
        .success()
        .stdout(contains("lease       held by watchdog-staging").and(contains("freeze      off")));

    // The receipt chain is whole and names commit and plan.
    let all = receipts::read_all(&StateDir::at(project.state())).unwrap();
    let deployed = all
        .iter()
        .find(|r| r.is(receipts::Kind::Deploy, "staging"))
        .unwrap();
    assert_eq!(deployed.subject[0].digest["gitCommit"], commit);
    assert_eq!(
        deployed.predicate["plan"]["plan_digest"],
        document["plan"]["plan_digest"]
    );
}

#[test]
fn what_cannot_be_seen_is_unknown_and_never_shown_as_none() {
    let project = Project::new();
    project
        .launch(&["status", "--env", "nowhere"])
        .assert()
        .code(3)
        .stdout(contains("positions   unknown").and(contains("live        unknown")));
    project
        .launch(&["verify", "--env", "nowhere"])
        .assert()
        .code(3);
    project
        .launch(&["status"])
        .assert()
        .success()
        .stdout(contains("nothing was ever deployed"));
    // No environment is guessed where something would be changed.
    let reenable = ["reenable", "--reason", "x"];
    project
        .launch(&reenable)
        .assert()
        .code(2)
        .stderr(contains("--env"));
}

#[test]
fn no_token_reaches_any_output() {
    let project = ready();
    let mut said = String::new();
    for args in [
        &["plan", "--env", "staging", "--format", "json"][..],
        DEPLOY,
        &["status", "--format", "json"][..],
        &["verify", "--env", "staging", "--format", "json"][..],
        KILL,
        REENABLE,
    ] {
        let output = project.launch(args).output().unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let state = project.state();
    for file in [
        "local/watchdog-staging.json",
        "local/watchdog-staging.jsonl",
        "local/watchdog-staging.log",
        "receipts/receipts.jsonl",
    ] {
        said.push_str(&std::fs::read_to_string(state.join(file)).unwrap());
    }
    for name in [
        "token-staging",
        "halt-staging",
        "control-staging",
        "watchdog-token-staging",
    ] {
        let token = std::fs::read_to_string(state.join(name)).unwrap();
        assert!(token.trim().len() >= 32, "{name}");
        assert!(!said.contains(token.trim()), "{name} was printed");
    }
}

#[test]
fn a_redeploy_replaces_the_old_one_after_its_lease_is_over() {
    let project = Project::deployed();
    let old = Target::staging(&project).live();
    project
        .launch(DEPLOY)
        .assert()
        .success()
        .stderr(contains("holds no lease; its exits stay on"));
    let target = Target::staging(&project);
    let new = target.live();
    assert_eq!(new.len(), 1);
    assert_ne!(old, new);
    assert!(target.is_leased());
    assert_eq!(project.living_traders(), 1);
}

#[test]
fn killed_frozen_reenabled_and_deployed_again() {
    let project = Project::deployed();
    project.launch(KILL).assert().success();
    assert_eq!(project.living_traders(), 0);
    project
        .launch(DEPLOY)
        .assert()
        .code(4)
        .stderr(contains("frozen").and(contains("launch reenable --env staging")));
    assert_eq!(project.living_traders(), 0);
    project.launch(REENABLE).assert().success();
    // The halt in the ledger outlived the trader; the receipt of the re-enable lifts it.
    project
        .launch(DEPLOY)
        .assert()
        .success()
        .stderr(contains("was lifted by"));
    assert!(Target::staging(&project).is_leased());
}

#[test]
fn a_halt_that_nobody_lifted_is_not_traded_over() {
    let project = Project::deployed();
    project.launch(KILL).assert().success();
    // Somebody removes the freeze by hand, without a word on the record.
    let target = Target::staging(&project);
    target.set_variable("LAUNCH_FREEZE", "off");
    std::fs::remove_file(project.state().join("freeze-staging.json")).unwrap();
    project
        .launch(DEPLOY)
        .assert()
        .code(6)
        .stderr(contains("that nobody has lifted").and(contains("is stopped, and that is proved")));
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn a_trader_of_another_commit_is_stopped_again_and_the_third_failure_freezes() {
    let project = Project::deployed();
    plant(&project, &format!("report_commit:{}", "0".repeat(40)));
    let document = project.json(6, DEPLOY);
    assert_eq!(document["outcome"], "stopped");
    assert!(
        document["reason"]
            .as_str()
            .unwrap()
            .contains("platform_commit"),
        "{document}"
    );
    assert_eq!(project.living_traders(), 0);
    assert!(
        !project.state().join("freeze-staging.json").exists(),
        "no freeze yet"
    );
    project.launch(DEPLOY).assert().code(6);
    assert!(
        !project.state().join("freeze-staging.json").exists(),
        "no freeze yet"
    );
    project
        .launch(DEPLOY)
        .assert()
        .code(6)
        .stderr(contains("frozen after 3 failed deploys"));
    project.launch(DEPLOY).assert().code(4);
    assert!(Target::staging(&project).live().is_empty());
}

#[test]
fn an_uncommitted_edit_is_refused_and_nothing_is_deployed() {
    let project = ready();
    project.write("edit.txt", "not committed");
    project
        .launch(DEPLOY)
        .assert()
        .code(1)
        .stderr(contains("LC-101"));
    assert_eq!(project.living_traders(), 0);
    assert!(!project.state().join("kill-staging.json").exists());
}

#[test]
fn a_plan_is_used_once_and_only_while_nothing_changed() {
    let project = ready();
    let plan = project.state().join("plan.json");
    let file = plan.to_str().unwrap();
    let make = || {
        project
            .launch(&["plan", "--env", "staging", "--out", file])
            .assert()
            .success();
    };
    let with_plan = ["deploy", "--env", "staging", "--plan", file];
    make();
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("generator:", "generator:9")).unwrap();
    project
        .launch(&with_plan)
        .assert()
        .code(5)
        .stderr(contains("intent_digest"));
    make();
    project.launch(&with_plan).assert().success();
    project
        .launch(&with_plan)
        .assert()
        .code(5)
        .stderr(contains("used once"));

    make();
    project.write("more.txt", "committed");
    project.commit_and_push("project: one file more");
    project
        .launch(&with_plan)
        .assert()
        .code(5)
        .stderr(contains("commit: planned").and(contains("tree: planned")));
    assert_eq!(
        Target::staging(&project).live().len(),
        1,
        "the first one runs on"
    );
}

#[test]
fn a_plan_that_somebody_uses_meanwhile_is_not_used_again() {
    let project = ready();
    let plan = project.state().join("plan.json");
    let file = plan.to_str().unwrap();
    let made = project.json(0, &["plan", "--env", "staging", "--out", file]);
    let with_plan = ["deploy", "--env", "staging", "--plan", file];
    let mut deploy = Background::start(&project, &project.state(), &with_plan);
    deploy.until(" s  preflight");
    // Another deploy of the same plan has just ended, stopped again: what runs is as it was.
    let text = std::fs::read_to_string(&plan).unwrap();
    let used = Deployed {
        env: "staging".into(),
        outcome: Outcome::Stopped,
        reason: None,
        plan: serde_json::from_str(&text).unwrap(),
        preflight: "pass".into(),
        endpoint: String::new(),
        deployment_id: None,
        instance_nonce: None,
        trader_url: None,
        watchdog_url: None,
        started_at: String::new(),
        finished_at: String::new(),
        warnings: vec![],
        steps: vec![],
    };
    let predicate = serde_json::to_value(used).unwrap();
    let receipt = receipts::Statement::new(receipts::Kind::Deploy, None, None, predicate);
    receipts::append(&StateDir::at(project.state()), &receipt).unwrap();
    let (code, said) = deploy.end();
    assert_eq!(code, 5, "{made}: {said}");
    assert!(said.contains("used once"), "{said}");
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn what_somebody_else_deploys_during_the_hold_ends_the_deploy_before_it_is_sent() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    let mut deploy = Background::start(&project, &project.state(), DEPLOY);
    deploy.until("hold the old instance");
    let beside = target.deploy_beside(&project.git(&["rev-parse", "HEAD"]));
    let (code, said) = deploy.end();
    assert_eq!(code, 5, "{said}");
    assert!(said.contains(&beside), "{said}");
    assert!(!said.contains(" s  deploy\n"), "{said}");
}

#[test]
fn one_deploy_at_a_time() {
    let project = ready();
    let state = StateDir::at(project.state());
    let env = EnvName::parse("staging").unwrap();
    let at = "2026-11-23T00:00:00Z".to_owned();
    let held = lock::take(&state, &env, "somebody else".into(), "p1", at).unwrap();
    project
        .launch(DEPLOY)
        .assert()
        .code(4)
        .stderr(contains("somebody else"));
    drop(held);
    project.launch(DEPLOY).assert().success();
}

#[test]
fn another_clone_does_not_take_over_what_runs() {
    let project = Project::deployed();
    let before = Target::staging(&project).live();
    let clone = project.path().parent().unwrap().join("clone");
    let remote = project.git(&["remote", "get-url", "origin"]);
    project.git(&["clone", "-q", &remote, clone.to_str().unwrap()]);
    project
        .launch_in(&clone, DEPLOY)
        .assert()
        .code(1)
        .stderr(contains("another service").and(contains("launch kill --env staging")));
    assert_eq!(Target::staging(&project).live(), before);
    project.launch(KILL).assert().success();
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn a_railway_target_without_a_token_is_one_refusal_of_four_lines() {
    let project = Project::new();
    let output = project
        .launch(&["deploy", "--env", "production"])
        .assert()
        .code(2)
        .get_output()
        .clone();
    let said = String::from_utf8(output.stderr).unwrap();
    let refusal: Vec<&str> = said
        .lines()
        .skip_while(|l| !l.starts_with("error"))
        .collect();
    assert_eq!(refusal.len(), 4, "{said}");
    assert!(output.stdout.is_empty());
}

/// `launch deploy` in the background, until stderr shows `line`.
fn deploy_until(project: &Project, line: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("launch"))
        .args(DEPLOY)
        .current_dir(project.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", project.state())
        .env("LAUNCH_STATE_DIR", project.state())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut all = String::new();
    while !all.contains(line) {
        assert_ne!(
            said.read_line(&mut all).unwrap(),
            0,
            "ended without {line:?}: {all}"
        );
    }
    (child, said)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &child.id().to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

#[test]
fn an_interrupted_deploy_stops_what_it_sent_and_never_says_130() {
    let project = Project::new();
    project
        .launch(&["platform", "start", "--time-scale", "0.3"])
        .assert()
        .success();
    let (mut child, mut said) = deploy_until(&project, "  deployment ");
    signal(&child, "INT");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6), "{rest}");
    assert!(rest.contains("interrupted (SIGINT)"), "{rest}");
    assert!(Target::staging(&project).live().is_empty());
    assert_eq!(project.living_traders(), 0);
    assert!(!project.state().join("freeze-staging.json").exists());
}

#[test]
fn an_interrupt_before_anything_was_sent_is_130_and_changes_nothing() {
    let project = ready();
    let (mut child, mut said) = deploy_until(&project, " preflight\n");
    signal(&child, "INT");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert_eq!(project.living_traders(), 0);
    project.launch(DEPLOY).assert().success();
}

#[test]
fn an_interrupt_while_the_old_one_is_held_gives_it_its_lease_back() {
    let project = Project::deployed();
    let target = Target::staging(&project);
    let before = target.live();
    let (mut child, mut said) = deploy_until(&project, "hold the old instance");
    let state = |wanted: &str| target.watchdog().filter(|told| told["state"] == wanted);
    // Held, it still has its last lease for seconds; only then would the deploy go on.
    wait_until("the hold", SOON, || state("holding"));
    signal(&child, "TERM");
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut said, &mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert_eq!(target.live(), before);
    wait_until("the watchdog to go on", SOON, || state("keeping"));
    wait_until("the lease", SOON, || target.is_leased().then_some(()));
}

#[test]
fn a_deploy_killed_midway_leaves_a_trader_that_may_not_enter_and_that_a_kill_finds() {
    let project = Project::new();
    project
        .launch(&["platform", "start", "--time-scale", "0.3"])
        .assert()
        .success();
    let (mut child, _said) = deploy_until(&project, "  deployment ");
    signal(&child, "KILL");
    child.wait().unwrap();
    wait_until("the trader to be up", SOON, || {
        (project.living_traders() == 1).then_some(())
    });
    let target = Target::staging(&project);
    assert_eq!(
        target.live(),
        [target.kill_file.deployment_id.clone().unwrap()]
    );
    project.launch(KILL).assert().success();
    assert_eq!(project.living_traders(), 0);
    // The dead owner's lock is no lock.
    project.launch(REENABLE).assert().success();
    project.launch(DEPLOY).assert().success();
}
