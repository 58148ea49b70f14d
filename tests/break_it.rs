//! The README's "Break it" block that is not about files: a token price fed as the oracle's, and a trader
//! that falls silent. (The three sabotages of files stand in `preflight.rs`.)

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use serde_json::Value;
use std::time::Duration;
use support::{Project, wait_until};

/// Longest from the silence to the verified stop: the bound below, the trader's draining time, the settle
/// window of ten seconds.
const STOPPED_WITHIN: Duration = Duration::from_mins(1);

fn dry_run(project: &Project, more: &[&str]) -> Value {
    let mut args = vec![
        "trade",
        "--mode",
        "dry-run",
        "--manifest",
        "manifests/local.toml",
    ];
    args.extend(more);
    project.json(0, &args)
}

#[test]
fn break_it_feed_a_token_price_as_the_oracle_price() {
    let project = Project::new();
    let whole = dry_run(&project, &["--tape-out", "whole.jsonl"]);
    assert!(whole["intents"].as_u64().unwrap() > 0, "{whole:#}");
    // sed -E 's/("kind":"oracle".*"price":")[0-9.]+/\10.72/' whole.jsonl > bad.jsonl
    let tape = std::fs::read_to_string(project.path().join("whole.jsonl")).unwrap();
    let bad: String = tape
        .lines()
        .map(|line| with_token_price(line) + "\n")
        .collect();
    assert_ne!(tape, bad);
    project.write("bad.jsonl", &bad);
    let broken = dry_run(&project, &["--feed", "tape:bad.jsonl"]);
    assert_eq!(broken["signals"], 0, "{broken:#}");
    assert_eq!(broken["intents"], 0, "{broken:#}");
    assert!(
        broken["refusals"]["oracle_out_of_range"].as_u64().unwrap() > 0,
        "{broken:#}"
    );
}

fn with_token_price(line: &str) -> String {
    let is_oracle = line.contains("\"kind\":\"oracle\"");
    let Some(at) = line.find("\"price\":\"").filter(|_| is_oracle) else {
        return line.to_owned();
    };
    let from = at + "\"price\":\"".len();
    let to = from + line[from..].find('"').unwrap();
    format!("{}0.72{}", &line[..from], &line[to..])
}

#[test]
fn break_it_make_the_trader_go_silent() {
    let project = Project::new();
    let (declared, short) = ("silence_kill_secs = 120", "silence_kill_secs = 5");
    project.replace("manifests/launch.toml", declared, short);
    project.commit_and_push("targets: a short silence");
    project.platform();
    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .success();
    let living = launch::loopback::living_processes(&project.state()).unwrap();
    let pid = living.values().flatten().next().unwrap().to_string();
    let frozen = std::process::Command::new("kill")
        .args(["-STOP", &pid])
        .status()
        .unwrap();
    assert!(frozen.success());
    let ended = wait_until("the watchdog's verdict", STOPPED_WITHIN, || {
        let status = project.json_any(&["status", "--env", "staging"]);
        status["targets"][0]["watchdog_ended"]
            .as_str()
            .map(str::to_owned)
    });
    assert!(
        ended.starts_with("exit 1 "),
        "tripped and stopped with proof: {ended}"
    );
    assert_eq!(project.living_traders(), 0);
    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .code(4);
}
