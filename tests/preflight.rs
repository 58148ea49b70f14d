//! `launch preflight` as a user meets it: a good project passes, each sabotage of the README is refused by
//! name, and what cannot be known never passes.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use support::{Project, status, told};

#[test]
fn a_scaffolded_project_passes_once_committed_and_pushed() {
    let project = Project::new();
    let phases = contains("1 Git")
        .and(contains("2 Manifest and strategies"))
        .and(contains("3 Components: init and smoke"))
        .and(contains("4 Staging dry run"))
        .and(contains("5 Target"));
    project
        .launch(&["preflight", "--env", "local"])
        .assert()
        .success()
        .stdout(phases);
    // Without a terminal there is no colour, and stdout carries nothing but the document.
    let output = project
        .launch(&["preflight", "--env", "local"])
        .output()
        .unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn the_document_names_commit_tree_and_every_check() {
    let project = Project::new();
    let report = project.json(0, &["preflight", "--env", "local"]);
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["verdict"], "pass");
    assert_eq!(report["partial"], false);
    assert_eq!(report["commit"], project.git(&["rev-parse", "HEAD"]));
    assert_eq!(report["tree"], project.git(&["rev-parse", "HEAD^{tree}"]));
    for code in [
        "LC-101", "LC-102", "LC-103", "LC-201", "LC-202", "LC-204", "LC-301", "LC-305",
    ] {
        assert_eq!(
            status(&report, code),
            "pass",
            "{code}: {}",
            told(&report, code)
        );
    }
    // The scaffold pins no program, so the dry run may only warn that launch was built elsewhere.
    assert!(matches!(status(&report, "LC-501"), "pass" | "warn"));
}

#[test]
fn break_it_touch_a_file() {
    let project = Project::new();
    project.write("new.txt", "");
    let report = project.json(1, &["preflight", "--env", "local"]);
    assert_eq!(status(&report, "LC-101"), "fail");
    assert!(
        told(&report, "LC-101").contains("new.txt"),
        "{}",
        told(&report, "LC-101")
    );
    // One failure hides no other check.
    assert_eq!(status(&report, "LC-305"), "pass");
}

#[test]
fn break_it_misspell_a_strategy() {
    let project = Project::new();
    project.replace(
        "manifests/local.toml",
        "\"probability-model\"",
        "\"probabilty-model\"",
    );
    project.commit_and_push("manifest: misspelt");
    let refused = contains("LC-201")
        .and(contains("probabilty-model"))
        .and(contains("probability-model"))
        .and(contains("manifests/local.toml:"));
    project
        .launch(&["preflight", "--env", "local"])
        .assert()
        .code(1)
        .stdout(refused);
}

#[test]
fn break_it_raise_a_limit_above_the_capital() {
    let project = Project::new();
    let text = std::fs::read_to_string(project.path().join("manifests/local.toml")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("max_exposure_usd"))
        .unwrap()
        .to_owned();
    project.replace("manifests/local.toml", &line, "max_exposure_usd = \"1000\"");
    project.commit_and_push("manifest: more");
    let report = project.json(1, &["preflight", "--env", "local"]);
    assert_eq!(status(&report, "LC-206"), "fail");
    assert!(
        told(&report, "LC-206").contains("1000"),
        "{}",
        told(&report, "LC-206")
    );
}

#[test]
fn break_it_go_live_where_nothing_may() {
    let project = Project::new();
    project.replace(
        "manifests/local.toml",
        "mode = \"paper\"",
        "mode = \"live\"",
    );
    project.commit_and_push("manifest: live");
    let report = project.json(1, &["preflight", "--env", "local"]);
    assert_eq!(status(&report, "LC-201"), "fail");
    assert!(
        told(&report, "LC-201").contains("only class production may"),
        "{}",
        told(&report, "LC-201")
    );
    // Nothing that needs a valid manifest is judged on this one, and no trader is started.
    assert_eq!(status(&report, "LC-501"), "skipped");
}

#[test]
fn an_unpushed_commit_only_warns_locally_and_fails_staging() {
    let project = Project::new();
    project.write("notes.md", "not pushed\n");
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "notes"]);
    assert_eq!(
        status(&project.json(0, &["preflight", "--env", "local"]), "LC-102"),
        "warn"
    );
    assert_eq!(
        status(
            &project.json(1, &["preflight", "--env", "staging"]),
            "LC-102"
        ),
        "fail"
    );
}

#[test]
fn a_remote_that_does_not_answer_is_unknown_and_never_a_pass() {
    let project = Project::new();
    project.git(&["remote", "set-url", "origin", "/nonexistent/remote.git"]);
    let report = project.json(3, &["preflight", "--env", "staging"]);
    assert_eq!(report["verdict"], "unknown");
    assert_eq!(status(&report, "LC-102"), "unknown");
}

#[test]
fn the_judged_state_is_head_and_not_the_disk() {
    let project = Project::new();
    // Broken on disk, whole in HEAD: the edit is reported as an edit, not as a bad manifest.
    project.write("manifests/local.toml", "half-writ");
    let report = project.json(1, &["preflight", "--env", "local"]);
    assert_eq!(status(&report, "LC-101"), "fail");
    assert_eq!(status(&report, "LC-201"), "pass");
}

#[test]
fn wrong_usage_is_two_and_says_what_to_do() {
    let project = Project::new();
    let unknown_env = contains("nowhere").and(contains("staging"));
    project
        .launch(&["preflight", "--env", "nowhere"])
        .assert()
        .code(2)
        .stderr(unknown_env);
    project
        .launch(&["preflight", "--only", "LC-999"])
        .assert()
        .code(2)
        .stderr(contains("LC-999"));
    project
        .launch(&["preflight", "--no-such-flag"])
        .assert()
        .code(2);
}

#[test]
fn a_part_of_the_checks_says_so() {
    let project = Project::new();
    let report = project.json(0, &["preflight", "--env", "local", "--only", "LC-101"]);
    assert_eq!(report["partial"], true);
    project
        .launch(&["preflight", "--env", "local", "--only", "LC-101"])
        .assert()
        .success()
        .stdout(contains("PARTIAL"));
}

#[test]
fn outside_a_repository_nothing_is_proved() {
    let project = Project::new();
    let nowhere = tempfile::tempdir().unwrap();
    let output = project
        .launch_in(nowhere.path(), &["preflight", "--env", "local"])
        .output()
        .unwrap();
    assert!(matches!(output.status.code(), Some(2 | 3)), "{output:?}");
    assert!(!output.stderr.is_empty() || !output.stdout.is_empty());
}
