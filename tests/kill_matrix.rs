//! The kill held against the truth: forty spread combinations of the matrix, and kills that are broken on
//! purpose, each of which the matrix has to notice.
//!
//! The whole matrix is `launch rehearse --kill-matrix`, which `.ci/run` runs.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "clippy.toml allows these in tests; helpers of test crates are not covered by it"
)]

use serde_json::Value;
use std::process::Command;

/// Runs the matrix with these words; its exit code and document.
fn matrix(words: &[&str]) -> (Option<i32>, Value) {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_launch"))
        .args(["rehearse", "--kill-matrix", "--format", "json"])
        .args(words)
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .output()
        .unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), document)
}

/// What each combination violated, in words.
fn violations(document: &Value) -> Vec<String> {
    let list = document["violations"].as_array().unwrap();
    let words = |one: &Value| one["violations"].as_array().unwrap().clone();
    list.iter()
        .flat_map(words)
        .map(|word| word.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn forty_kills_under_every_fault_are_true_in_time_and_verified_where_they_can_be() {
    let (code, document) = matrix(&["--sample", "40", "--jobs", "20"]);
    assert_eq!(violations(&document), Vec::<String>::new(), "{document:#}");
    assert_eq!((code, &document["played"]), (Some(0), &Value::from(40)));
    assert!(document["must_verify"].as_u64().unwrap() >= 20);
    assert!(document["verified"].as_u64() >= document["must_verify"].as_u64());
}

/// Runs one combination with a kill that is broken in this way.
#[track_caller]
fn noticed(planted: &str, combination: &str, wanted: &str) {
    let words = ["--planted", planted, "--only", combination];
    let (code, document) = matrix(&words);
    let all = violations(&document);
    assert_eq!(code, Some(1), "{all:?}");
    assert!(all.iter().any(|one| one.starts_with(wanted)), "{all:?}");
    let command = document["violations"][0]["command"].as_str().unwrap();
    assert!(command.ends_with(combination), "{command}");
}

#[test]
fn a_kill_that_does_nothing_and_says_0_is_noticed() {
    noticed(
        "says-zero",
        "truthful.clean.answers.no-watchdog.paper.railway.once",
        "UNTRUE",
    );
}

#[test]
fn a_kill_that_believes_a_reported_stop_is_noticed() {
    noticed(
        "trusts-reports",
        "both-reported.clean.hung.watchdog.paper.railway.once",
        "UNTRUE",
    );
}

#[test]
fn a_kill_that_never_verifies_is_noticed() {
    noticed(
        "never-verifies",
        "truthful.clean.answers.no-watchdog.paper.railway.once",
        "not verified",
    );
}

#[test]
fn a_kill_that_is_late_is_noticed() {
    noticed(
        "is-late",
        "both-refused.clean.answers.no-watchdog.paper.railway.once",
        "late",
    );
}

#[test]
fn an_unknown_combination_or_an_empty_sample_is_a_usage_error() {
    for words in [
        ["--only", "truthful"],
        ["--only", "nowhere.*.*.*.*.*.*"],
        ["--sample", "0"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_launch"))
            .args(["rehearse", "--kill-matrix"])
            .args(words)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty());
    }
}
