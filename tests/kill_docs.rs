//! `docs/kill.md` names every verdict, exit code, flag, variable and JSON field that there is.
//!
//! The fields are read from what the real binary prints, not from a list that could lag behind.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use clap::Args;
use launch_kill::{KillArgs, Verdict};
use serde_json::Value;
use std::collections::BTreeSet;
use support::Project;

const DOCS: &str = include_str!("../docs/kill.md");

/// Whether the page names this word as code.
fn names(word: &str) -> bool {
    let code = |mark: char| DOCS.contains(&format!("`{word}{mark}"));
    code('`') || code(' ')
}

#[test]
fn every_flag_of_the_parser() {
    let command = KillArgs::augment_args(clap::Command::new("launch-kill"));
    let flags: Vec<String> = command
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(|long| format!("--{long}"))
        .collect();
    assert!(flags.len() >= 18, "{flags:?}");
    let absent: Vec<&String> = flags.iter().filter(|flag| !names(flag)).collect();
    assert!(absent.is_empty(), "docs/kill.md does not name {absent:?}");
    assert!(!names("--flag-that-is-not-there"));
}

#[test]
fn every_verdict_with_its_exit_code() {
    let all = [
        Verdict::NothingRunning,
        Verdict::Verified,
        Verdict::Reduced,
        Verdict::PlatformOnly,
        Verdict::Unverified,
        Verdict::Failed,
    ];
    for verdict in all {
        let row = format!("| `{}` | {} |", verdict.as_str(), verdict.exit_code());
        assert!(DOCS.contains(&row), "{row}");
    }
    for exit in [
        "Exit codes: 0 and 7",
        "· 2 nothing",
        "· 3 `--check`",
        "· 130 interrupted",
    ] {
        assert!(DOCS.contains(exit), "{exit}");
    }
}

#[test]
fn every_variable_that_is_read() {
    for variable in [
        "RAILWAY_TOKEN",
        "RAILWAY_TOKEN_<ENV>",
        "RAILWAY_API_TOKEN",
        "RAILWAY_PROJECT_ID",
        "RAILWAY_ENVIRONMENT_ID",
        "RAILWAY_SERVICE_ID",
        "LAUNCH_RAILWAY_URL",
        "LAUNCH_TRADER_URL",
        "LAUNCH_HALT_TOKEN",
        "LAUNCH_STATE_DIR",
        "NO_COLOR",
        "POLYMARKET_ADDRESS",
        "POLYMARKET_API_KEY",
        "POLYMARKET_API_SECRET",
        "POLYMARKET_API_PASSPHRASE",
        "POLYMARKET_FUNDER",
        "LAUNCH_CLOB_URL",
        "LAUNCH_DATA_API_URL",
        "SSL_CERT_FILE",
    ] {
        assert!(names(variable), "{variable}");
    }
}

#[test]
fn every_command_beside_the_kill() {
    for command in [
        "launch positions",
        "launch orders",
        "launch halt",
        "launch reenable",
        "launch rehearse --kill-matrix",
    ] {
        assert!(names(command), "{command}");
    }
}

/// Names of all members, at every depth but below `positions` (the trader's own words).
fn members(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                found.insert(name.clone());
                if name != "positions" {
                    members(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| members(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_field_that_is_printed() {
    let project = Project::deployed();
    let mut found = BTreeSet::new();
    let ready = project.json(0, &["kill", "--env", "staging", "--check"]);
    assert_eq!(ready["ready"], true, "{ready:#}");
    assert_eq!(project.living_traders(), 1, "a check stops nothing");
    members(&ready, &mut found);
    members(&project.json(0, &["kill", "--print-curl"]), &mut found);
    let report = project.json(0, &["kill", "--env", "staging", "--settle", "300ms"]);
    members(&report, &mut found);
    assert!(found.len() >= 35, "{found:?}");
    let absent: Vec<&String> = found.iter().filter(|name| !names(name)).collect();
    assert!(absent.is_empty(), "docs/kill.md does not name {absent:?}");
}
