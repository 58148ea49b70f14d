//! `--wait`: until it holds, or the time is up, or waiting is no use.

use crate::support::{Project, status};
use predicates::str::contains;

#[test]
fn a_push_that_comes_while_it_waits_is_seen() {
    let project = Project::new();
    project.write("notes.md", "later\n");
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "-m", "notes"]);
    let report = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let only = "LC-101,LC-102,LC-305";
            project.json(
                0,
                &[
                    "preflight",
                    "--env",
                    "staging",
                    "--only",
                    only,
                    "--wait",
                    "60",
                ],
            )
        });
        std::thread::sleep(std::time::Duration::from_millis(1_500));
        project.git(&["push", "-q", "origin", "main"]);
        waiting.join().unwrap()
    });
    assert_eq!(status(&report, "LC-102"), "pass");
    assert_eq!(status(&report, "LC-305"), "pass");
}

#[test]
fn it_ends_when_the_time_is_up_and_says_for_what_it_waited() {
    let project = Project::new();
    project.write("stray.txt", "");
    project
        .launch(&["preflight", "--only", "LC-101", "--wait", "1"])
        .assert()
        .code(1)
        .stderr(contains("waiting for LC-101"))
        .stderr(contains("1 s are up"));
}

#[test]
fn what_only_a_commit_can_change_is_not_waited_for() {
    let project = Project::new();
    project.replace(
        "manifests/local.toml",
        "max_exposure_usd",
        "max_exposre_usd",
    );
    project.commit_and_push("manifest: misspelt");
    project
        .launch(&["preflight", "--only", "LC-201", "--wait", "3600"])
        .assert()
        .code(1)
        .stderr(contains("another commit"));
    project
        .launch(&["preflight", "--wait", "0"])
        .assert()
        .code(2);
}
