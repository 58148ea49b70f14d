//! `launch rehearse`: the whole life passes on a bare machine, leaves nothing running, touches nothing of
//! the operator's, and every planted fault of the incident is refused by what is said to refuse it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

mod support;

use serde_json::Value;
use std::io::ErrorKind;
use std::net::TcpListener;
use support::Project;

/// A rehearsal outside any repository, with an environment that points at a trap.
fn rehearse(args: &[&str], trap: &str) -> (i32, Value) {
    let project = Project::empty();
    let nowhere = tempfile::tempdir().unwrap();
    let mut all = vec!["rehearse", "--format", "json"];
    all.extend(args);
    let output = project
        .launch_in(nowhere.path(), &all)
        .timeout(std::time::Duration::from_mins(4))
        .env("RAILWAY_TOKEN", "a-real-token")
        .env("RAILWAY_API_TOKEN", "a-real-token")
        .env("RAILWAY_SERVICE_ID", "a-real-service")
        .env("LAUNCH_RAILWAY_URL", format!("{trap}/graphql/v2"))
        .env("LAUNCH_TRADER_URL", trap)
        .env("LAUNCH_CLOB_URL", trap)
        .env("POLYMARKET_API_KEY", "a-real-key")
        .output()
        .unwrap();
    // Its scratch state is its own: the operator's state directory stays empty.
    assert_eq!(std::fs::read_dir(project.state()).unwrap().count(), 0);
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), document)
}

/// An address where every connection is noticed.
fn trap() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn assert_untouched(trap: &TcpListener) {
    match trap.accept() {
        Ok((_, from)) => {
            panic!("the rehearsal reached for the operator's own addresses, from {from}")
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
}

#[test]
fn the_whole_life_passes_and_touches_nothing_real() {
    let (trap, url) = trap();
    let (code, document) = rehearse(&[], &url);
    assert_untouched(&trap);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["passed"], true);
    let titles: Vec<_> = document["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["title"].as_str().unwrap())
        .collect();
    for wanted in [
        "the watchdog stops both",
        "kill drill",
        "kill",
        "deploy is refused",
        "re-enable, on the record",
    ] {
        assert!(titles.contains(&wanted), "{wanted} is not among {titles:?}");
    }
}

/// What refused each row of `--incident WHICH`; every row must have been refused.
#[track_caller]
fn refused_by(which: &str) -> std::collections::BTreeMap<String, Vec<String>> {
    let (trap, url) = trap();
    let (code, document) = rehearse(&["--incident", which], &url);
    assert_untouched(&trap);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["schema_version"], 1);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |row: &Value| {
        assert_eq!(row["refused"], true, "{row:#}");
        let by = row["by"].as_array().unwrap().iter().map(text).collect();
        (text(&row["id"]), by)
    };
    let rows = document["incidents"].as_array().unwrap();
    rows.iter().map(row).collect()
}

#[test]
fn planted_faults_of_the_incident_are_refused() {
    let git = refused_by("1");
    assert_eq!(git["1"], ["check:LC-101", "check:LC-102"]);
    assert_eq!(git.len(), 1);
    let names = refused_by("names-did-not-match");
    assert!(names["3"].contains(&"check:LC-202".to_owned()));
    let stacked = refused_by("9");
    assert!(stacked["9"].contains(&"safeguard:window_once".to_owned()));
}

#[test]
fn the_kill_switch_of_the_incident_and_its_four_forms_are_refused() {
    let kill = refused_by("2");
    assert_eq!(kill["2"], ["kill:escalated", "kill:witness"]);
    for (form, wanted) in [
        ("kill-pid-elsewhere", "kill:process_identity"),
        ("kill-prompt", "kill:asks_nothing"),
        ("kill-says-done", "kill:read_back"),
        ("kill-unread-key", "kill:unknown_is_null"),
    ] {
        assert!(kill[form].contains(&wanted.to_owned()), "{form}");
    }
    assert_eq!(kill.len(), 5);
}

#[test]
fn the_catalogue_of_what_is_declared_committed_and_seen_is_refused() {
    for (place, least) in [("git", 10), ("manifest", 15), ("market", 14)] {
        assert!(refused_by(place).len() >= least, "{place}");
    }
}

#[test]
fn an_incident_that_nobody_knows_is_wrong_usage() {
    let project = Project::empty();
    let ran = project
        .launch(&["rehearse", "--incident", "99"])
        .assert()
        .code(2);
    let said = String::from_utf8(ran.get_output().stderr.clone()).unwrap();
    assert!(
        said.contains("99") && said.contains("kill-did-not-work"),
        "{said}"
    );
}
