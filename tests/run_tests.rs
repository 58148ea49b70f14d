//! `launch preflight --run-tests` and LC-105 as a user meets them: the declared command runs on an export of
//! HEAD without the operator's secrets, and what it proved holds for that tree and no other.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use predicates::str::contains;
use serde_json::Value;
use support::{Project, status, told};

/// A project whose tests are this shell script.
fn with_tests(script: &str, timeout_secs: u32) -> Project {
    let project = Project::new();
    project.replace(
        "manifests/launch.toml",
        "# [tests]\n# command = [\"cargo\", \"test\"]\n# timeout_secs = 1800\n",
        &format!("[tests]\ncommand = [\"sh\", \"./test.sh\"]\ntimeout_secs = {timeout_secs}\n"),
    );
    project.write("test.sh", script);
    project.commit_and_push("tests: declared");
    project
}

fn judged(project: &Project, more: &[&str]) -> Value {
    let mut args = vec!["preflight", "--env", "ci", "--only", "LC-105"];
    args.extend(more);
    project.json_any(&args)
}

/// `ci` of a new project only advises on tests, because it declares none.
fn strictly(project: &Project) {
    project.replace("manifests/launch.toml", "advisory = [\"LC-105\"]\n", "");
    project.commit_and_push("ci: tests count");
}

#[test]
fn tests_that_passed_on_this_tree_are_evidence_until_it_changes() {
    let project = with_tests("echo all well\n", 60);
    strictly(&project);
    assert_eq!(status(&judged(&project, &[]), "LC-105"), "fail");
    assert_eq!(
        status(&judged(&project, &["--run-tests"]), "LC-105"),
        "pass"
    );
    assert_eq!(status(&judged(&project, &[]), "LC-105"), "pass");
    // The same tree in another commit is the same source.
    project.git(&["commit", "-q", "--amend", "-m", "said otherwise"]);
    assert_eq!(status(&judged(&project, &[]), "LC-105"), "pass");
    project.write("test.sh", "true\n");
    project.git(&["commit", "-qam", "tests: easier"]);
    let report = judged(&project, &[]);
    assert_eq!(status(&report, "LC-105"), "fail");
    assert!(told(&report, "LC-105").contains("launch preflight --run-tests"));
}

#[test]
fn tests_that_fail_are_evidence_of_that_with_their_last_words() {
    let project = with_tests("echo before; echo the last words >&2; exit 7\n", 60);
    strictly(&project);
    for more in [&["--run-tests"][..], &[]] {
        let report = judged(&project, more);
        assert_eq!(status(&report, "LC-105"), "fail");
        let told = told(&report, "LC-105");
        assert!(
            told.contains("the last words") && told.contains("exit status: 7"),
            "{told}"
        );
    }
}

#[test]
fn tests_that_hang_are_ended_with_everything_they_started() {
    let project = with_tests(
        "echo started\nsleep 600 & echo $! > \"$HOME/pid\"\nsleep 600\n",
        1,
    );
    strictly(&project);
    let report = judged(&project, &["--run-tests"]);
    assert_eq!(status(&report, "LC-105"), "fail");
    assert!(told(&report, "LC-105").contains("did not end within 1 s"));
    assert!(told(&report, "LC-105").contains("started"), "{report}");
    let home = project.path().parent().unwrap().join("home");
    let pid = std::fs::read_to_string(home.join("pid")).unwrap();
    let proc = std::path::Path::new("/proc").join(pid.trim()).join("stat");
    // Gone, or dead and not yet collected by whoever adopted it.
    let dead = std::fs::read_to_string(proc).map_or(true, |stat| stat.contains(") Z "));
    assert!(dead, "the tests' own child lives on");
}

#[test]
fn the_tests_see_the_commit_and_no_secret() {
    let script = "test ! -e untracked.txt && test -e manifests/launch.toml || exit 3\n\
                  test -z \"$RAILWAY_TOKEN$POLYMARKET_API_SECRET$LAUNCH_HALT_TOKEN$GITHUB_TOKEN\" || exit 4\n\
                  test \"$LAUNCH_STATE_DIR\" != \"$PWD\" && test ! -e \"$LAUNCH_STATE_DIR\" || exit 5\n\
                  test -n \"$PATH\"\n";
    let project = with_tests(script, 60);
    strictly(&project);
    project.write("untracked.txt", "");
    let output = project
        .launch(&[
            "preflight",
            "--env",
            "ci",
            "--only",
            "LC-105",
            "--run-tests",
        ])
        .env("RAILWAY_TOKEN", "secret-1")
        .env("POLYMARKET_API_SECRET", "secret-2")
        .env("LAUNCH_HALT_TOKEN", "secret-3")
        .env("GITHUB_TOKEN", "secret-4")
        .assert()
        .success()
        .get_output()
        .clone();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("passed on tree"), "{said}");
}

#[test]
fn a_run_inside_the_tests_is_unknown_and_runs_nothing() {
    let project = with_tests("echo ran >> \"$HOME/ran\"\n", 60);
    project
        .launch(&[
            "preflight",
            "--env",
            "ci",
            "--only",
            "LC-105",
            "--run-tests",
        ])
        .env("LAUNCH_INSIDE_TESTS", "1")
        .assert()
        .code(3)
        .stdout(contains("inside the tests themselves"));
    let home = project.path().parent().unwrap().join("home");
    assert!(!home.join("ran").exists());
}

#[test]
fn evidence_that_was_edited_is_unknown_and_never_a_pass() {
    let project = with_tests("exit 1\n", 60);
    assert_eq!(
        status(&judged(&project, &["--run-tests"]), "LC-105"),
        "warn"
    );
    let tree = project.git(&["rev-parse", "HEAD^{tree}"]);
    let kept = project.state().join(format!("cache/tests/{tree}.json"));
    let text = std::fs::read_to_string(&kept).unwrap();
    let failed = "{\n      \"failed\": \"exit status: 1\"\n    }";
    assert!(text.contains(failed), "{text}");
    std::fs::write(&kept, text.replace(failed, "\"passed\"")).unwrap();
    assert_eq!(status(&judged(&project, &[]), "LC-105"), "unknown");
    std::fs::write(&kept, "half-writ").unwrap();
    assert_eq!(status(&judged(&project, &[]), "LC-105"), "unknown");
}

#[test]
fn a_program_that_is_not_there_is_unknown() {
    let project = with_tests("true\n", 60);
    project.replace(
        "manifests/launch.toml",
        "\"sh\", \"./test.sh\"",
        "\"no-such-program-here\"",
    );
    project.commit_and_push("tests: misspelt");
    let report = judged(&project, &["--run-tests"]);
    assert_eq!(status(&report, "LC-105"), "unknown");
    assert!(told(&report, "LC-105").contains("not on PATH"), "{report}");
}
