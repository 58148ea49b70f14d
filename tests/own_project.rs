//! The main job on real input: this very repository, freshly cloned from a bare copy of itself, is judged,
//! deployed to staging on this machine, shown, and killed with proof.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use std::path::Path;
use support::Project;

/// This repository's HEAD in a fresh clone of a bare copy; `None` where there is no repository to copy.
fn own_clone() -> Option<Project> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !here.join(".git").exists() {
        return None;
    }
    let project = Project::bare();
    let remote = project.remote();
    let (from, to) = (here.to_str()?, remote.to_str()?);
    project.git(&["clone", "-q", "--bare", "--no-hardlinks", from, to]);
    // The copy's tip is what this checkout stands on, whatever its branch is called.
    let head = project.git(&["-C", from, "rev-parse", "HEAD"]);
    project.git(&["-C", to, "update-ref", "refs/heads/main", &head]);
    project.git(&["-C", to, "symbolic-ref", "HEAD", "refs/heads/main"]);
    project.git(&["clone", "-q", "-b", "main", to, "."]);
    Some(project)
}

#[test]
fn this_repository_is_judged_deployed_shown_and_killed() {
    let Some(project) = own_clone() else {
        eprintln!("skipped: needs a git repository, and this source tree is none");
        return;
    };
    project
        .launch(&["preflight", "--env", "local"])
        .assert()
        .success()
        .stdout(contains("PASS"));
    project.platform();
    let here = contains("staging on THIS machine").and(contains("launch kill --env staging"));
    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .success()
        .stdout(here);
    let commit = project.git(&["rev-parse", "HEAD"]);
    let running = contains("ready")
        .and(contains(&commit[..12]))
        .and(contains("held by"));
    project
        .launch(&["status", "--env", "staging"])
        .assert()
        .success()
        .stdout(running);
    assert_eq!(project.living_traders(), 1);
    project
        .launch(&["kill", "--env", "staging", "--settle", "1"])
        .assert()
        .success()
        .stdout(contains("VERIFIED"));
    assert_eq!(project.living_traders(), 0);
}
