//! `launch approve` and LC-205 as a user meets them: a looser limit is refused, a named person answers for it,
//! and nothing else in the file changes.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use support::{Project, status, told};

const FILE: &str = "manifests/approved-limits.toml";

fn text(project: &Project) -> String {
    std::fs::read_to_string(project.path().join(FILE)).unwrap()
}

fn judged(project: &Project, env: &str) -> serde_json::Value {
    project.json_any(&["preflight", "--env", env, "--only", "LC-201,LC-205"])
}

fn raise(project: &Project, env: &str) {
    project.replace(
        &format!("manifests/{env}.toml"),
        "max_daily_loss_usd = \"10\"",
        "max_daily_loss_usd = \"11\"",
    );
}

#[test]
fn a_looser_limit_is_refused_until_somebody_answers_for_it() {
    let project = Project::new();
    assert_eq!(status(&judged(&project, "staging"), "LC-205"), "pass");
    raise(&project, "staging");
    project.commit_and_push("staging: a limit raised in passing");
    let report = judged(&project, "staging");
    assert_eq!(status(&report, "LC-205"), "fail");
    let key = "safeguards.max_daily_loss_usd";
    assert!(told(&report, "LC-205").contains(key), "{report}");

    let answers = [
        "approve", "--env", "staging", "--who", "Ada", "--why", "a test",
    ];
    project.launch(&answers).assert().success().stdout(
        contains(key)
            .and(contains("from \"10\" to \"11\""))
            .and(contains("git add")),
    );
    // On disk it approves nothing yet: HEAD is judged.
    assert_eq!(status(&judged(&project, "staging"), "LC-205"), "fail");
    project.commit_and_push("approve: limits of staging");
    assert_eq!(status(&judged(&project, "staging"), "LC-205"), "pass");
    // The other environments are as they were.
    raise(&project, "ci");
    project.commit_and_push("ci: the same");
    assert_eq!(status(&judged(&project, "ci"), "LC-205"), "fail");
}

#[test]
fn comments_and_everything_else_in_the_file_stay() {
    let project = Project::new();
    let before = text(&project).replace("[env.ci]", "# a person's own words\n[env.ci]");
    project.write(FILE, &before);
    raise(&project, "staging");
    let document = project.json(
        0,
        &[
            "approve",
            "--env",
            "staging",
            "--who",
            "A \"B\" \\ C",
            "--why",
            "'''",
        ],
    );
    assert_eq!(document["approved"][0]["from"], "10");
    assert_eq!(document["approved"][0]["to"], "11");
    let after = text(&project);
    assert!(after.starts_with(&before), "{after}");
    project.commit_and_push("approve");
    assert_eq!(status(&judged(&project, "staging"), "LC-205"), "pass");
}

#[test]
fn a_missing_answer_names_its_flag_and_changes_nothing() {
    let project = Project::new();
    raise(&project, "staging");
    let before = text(&project);
    let refused = |args: &[&str], word: &str| {
        let mut all = vec!["approve", "--env", "staging"];
        all.extend(args);
        project.launch(&all).assert().code(2).stderr(contains(word));
        assert_eq!(text(&project), before, "{args:?}");
    };
    refused(&[], "--who");
    refused(&["--who", "Ada"], "--why");
    refused(&["--who", " ", "--why", "x"], "--who is empty");
    refused(&["--who", "Ada", "--why", "a\nb"], "--why");
    refused(
        &["--who", "Ada", "--why", "x", "--key", "max_daily_loss"],
        "no key",
    );
    refused(
        &["--who", "Ada", "--why", "x", "--key", "edge.min"],
        "needs no approval",
    );
    project
        .launch(&["approve", "--env", "stagin"])
        .assert()
        .code(2)
        .stderr(contains("did you mean --env staging"));
}

#[test]
fn a_wrong_file_is_one_error_with_its_place_and_stays() {
    let project = Project::new();
    raise(&project, "staging");
    project.replace(FILE, "max_exposure_usd = \"20\"", "max_exposure_usd = 0");
    let before = text(&project);
    project
        .launch(&["approve", "--env", "staging", "--who", "Ada", "--why", "x"])
        .assert()
        .code(1)
        .stderr(contains("manifests/approved-limits.toml:"));
    assert_eq!(text(&project), before);
    project.commit_and_push("approved: zero");
    let report = judged(&project, "staging");
    assert_eq!(status(&report, "LC-201"), "fail");
    assert!(
        told(&report, "LC-201").contains("0 is no limit"),
        "{report}"
    );
    assert_eq!(status(&report, "LC-205"), "skipped");
}

#[test]
fn a_project_without_the_file_approves_nothing_until_it_is_written() {
    let project = Project::new();
    project.git(&["rm", "-q", FILE]);
    project.commit_and_push("no approved limits");
    assert_eq!(status(&judged(&project, "staging"), "LC-205"), "fail");
    // In class local it warns.
    assert_eq!(status(&judged(&project, "local"), "LC-205"), "warn");
    for env in ["staging", "local"] {
        let answers = ["approve", "--env", env, "--who", "Ada", "--why", "first"];
        project.launch(&answers).assert().success();
    }
    project.commit_and_push("approve: first limits");
    assert_eq!(status(&judged(&project, "staging"), "LC-205"), "pass");
    assert_eq!(status(&judged(&project, "local"), "LC-205"), "pass");
    project
        .launch(&["approve", "--env", "local"])
        .assert()
        .success()
        .stdout(contains("nothing to approve"));
}
