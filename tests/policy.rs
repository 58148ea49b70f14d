//! Waivers and the base branch's policy as a user meets them: a failure is waived for days by a named person,
//! and no pull request waives, approves or excuses itself.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use jiff::{Timestamp, ToSpan as _};
use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use serde_json::Value;
use support::{Project, status, told};

const WAIVERS: &str = "manifests/waivers.toml";

fn day(from_now: i64) -> String {
    let at = Timestamp::now() + (24 * from_now).hours();
    at.to_string()[..10].to_owned()
}

fn waive(project: &Project, code: &str, env: &str, expires: &str) {
    let text = format!(
        "schema_version = 1\n\n[[waiver]]\ncode = \"{code}\"\nenv = \"{env}\"\nreason = \"a test\"\nowner = \"Ada\"\nexpires = \"{expires}\"\n"
    );
    project.write(WAIVERS, &text);
}

/// A limit of env ci that is looser than approved.
fn loosen(project: &Project) {
    project.replace(
        "manifests/ci.toml",
        "max_daily_loss_usd = \"10\"",
        "max_daily_loss_usd = \"11\"",
    );
}

fn judged(project: &Project, more: &[&str]) -> Value {
    let mut args = vec!["preflight", "--env", "ci", "--only", "LC-201,LC-205"];
    args.extend(more);
    project.json_any(&args)
}

fn waiver<'a>(report: &'a Value, code: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    &checks.iter().find(|check| check["code"] == code).unwrap()["waiver"]
}

#[test]
fn a_failure_is_waived_for_days_by_a_named_person_and_the_report_says_so() {
    let project = Project::new();
    loosen(&project);
    project.commit_and_push("ci: looser");
    let report = judged(&project, &[]);
    assert_eq!(status(&report, "LC-205"), "fail");
    assert_eq!(waiver(&report, "LC-205"), &Value::Null);

    waive(&project, "LC-205", "ci", &day(10));
    project.commit_and_push("waive: LC-205");
    let report = judged(&project, &[]);
    assert_eq!(report["verdict"], "pass");
    assert_eq!(status(&report, "LC-205"), "warn");
    assert_eq!(waiver(&report, "LC-205")["owner"], "Ada");
    assert_eq!(waiver(&report, "LC-205")["state"], "used");
    project
        .launch(&["preflight", "--env", "ci", "--only", "LC-205"])
        .assert()
        .success()
        .stdout(contains("waived until").and(contains("by Ada (a test)")));

    // Another environment is not covered.
    waive(&project, "LC-205", "staging", &day(10));
    project.commit_and_push("waive: elsewhere");
    assert_eq!(status(&judged(&project, &[]), "LC-205"), "fail");
}

#[test]
fn an_expired_endless_or_impossible_waiver_fails() {
    let project = Project::new();
    for (code, expires, failing) in [
        ("LC-205", day(-2), "LC-205"),
        ("LC-205", day(16), "LC-205"),
        ("LC-101", day(2), "LC-201"),
        ("LC-999", day(2), "LC-201"),
    ] {
        waive(&project, code, "ci", &expires);
        project.git(&["add", "-A"]);
        project.git(&["commit", "-qm", "waive"]);
        let report = judged(&project, &[]);
        assert_eq!(report["verdict"], "fail", "{code} {expires}: {report}");
        assert_eq!(status(&report, failing), "fail", "{code} {expires}");
        assert!(told(&report, failing).contains(WAIVERS), "{report}");
    }
}

/// A branch with one more commit than main, in a clone that has main only as the remote's.
fn pull_request(project: &Project, change: impl Fn(&Project)) {
    project.git(&["checkout", "-q", "-b", "change"]);
    change(project);
    project.git(&["add", "-A"]);
    project.git(&["commit", "-qm", "a change"]);
}

#[test]
fn no_pull_request_waives_or_approves_itself() {
    let project = Project::new();
    pull_request(&project, |project| {
        loosen(project);
        waive(project, "LC-205", "ci", &day(10));
    });
    // By itself it would pass; by the base's policy it does not.
    assert_eq!(status(&judged(&project, &[]), "LC-205"), "warn");
    let report = judged(&project, &["--base", "main"]);
    assert_eq!(status(&report, "LC-205"), "fail");
    assert!(told(&report, "LC-205").contains("base main at"), "{report}");

    let approve = ["approve", "--env", "ci", "--who", "Ada", "--why", "a test"];
    project.launch(&approve).assert().success();
    project.write(WAIVERS, "schema_version = 1\n");
    project.git(&["commit", "-qam", "approve myself"]);
    assert_eq!(status(&judged(&project, &[]), "LC-205"), "pass");
    assert_eq!(
        status(&judged(&project, &["--base", "main"]), "LC-205"),
        "fail"
    );

    // Merged first, the approval counts.
    project.git(&["checkout", "-q", "main"]);
    project.git(&[
        "checkout",
        "-q",
        "change",
        "--",
        "manifests/approved-limits.toml",
    ]);
    project.commit_and_push("approve: limits of ci");
    project.git(&["checkout", "-q", "change"]);
    assert_eq!(
        status(&judged(&project, &["--base", "main"]), "LC-205"),
        "pass"
    );
}

#[test]
fn the_event_names_the_base_and_a_missing_base_is_unknown() {
    let project = Project::new();
    pull_request(&project, |project| {
        loosen(project);
        waive(project, "LC-205", "ci", &day(10));
    });
    let only = [
        "preflight",
        "--env",
        "ci",
        "--only",
        "LC-205",
        "--format",
        "json",
    ];
    let code = |variables: &[(&str, &str)]| {
        let mut command = project.launch(&only);
        command.envs(variables.iter().copied());
        command.output().unwrap().status.code()
    };
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&[("GITHUB_EVENT_NAME", "push")]), Some(0));
    let request = ("GITHUB_EVENT_NAME", "pull_request");
    assert_eq!(code(&[request, ("GITHUB_BASE_REF", "main")]), Some(1));
    assert_eq!(code(&[request, ("GITHUB_BASE_REF", "gone")]), Some(3));
    assert_eq!(code(&[request]), Some(3));
    let event = project.path().parent().unwrap().join("event.json");
    let base = project.git(&["rev-parse", "main"]);
    std::fs::write(
        &event,
        format!("{{\"merge_group\":{{\"base_sha\":\"{base}\"}}}}"),
    )
    .unwrap();
    let queue = ("GITHUB_EVENT_NAME", "merge_group");
    let described = ("GITHUB_EVENT_PATH", event.to_str().unwrap());
    assert_eq!(code(&[queue, described]), Some(1));
    assert_eq!(
        code(&[queue, ("GITHUB_EVENT_PATH", "/nonexistent")]),
        Some(3)
    );
    assert_eq!(code(&[queue]), Some(3));
}

#[test]
fn no_pull_request_excuses_itself_by_advice_or_class() {
    let project = Project::new();
    project.replace("manifests/launch.toml", "advisory = [\"LC-105\"]\n", "");
    project.commit_and_push("ci: tests count");
    pull_request(&project, |project| {
        project.replace(
            "manifests/launch.toml",
            "class = \"ci\"\n",
            "class = \"local\"\nadvisory = [\"LC-105\"]\n",
        );
    });
    let tests = |more: &[&str]| {
        let mut args = vec!["preflight", "--env", "ci", "--only", "LC-105"];
        args.extend(more);
        project.json_any(&args)
    };
    assert_eq!(status(&tests(&[]), "LC-105"), "warn");
    assert_eq!(status(&tests(&["--base", "main"]), "LC-105"), "fail");
}
