//! `launch doctor` on good and broken machines.

use crate::support::Project;
use predicates::str::contains;
use serde_json::Value;

fn look<'a>(document: &'a Value, what: &str) -> &'a Value {
    let looks = document["looks"].as_array().unwrap();
    let found = looks.iter().find(|look| look["what"] == what);
    found.unwrap_or_else(|| panic!("no {what} in {document:#}"))
}

#[test]
fn a_good_project_is_ready_and_names_tokens_only() {
    let project = Project::new();
    let output = project
        .launch(&["doctor", "--format", "json"])
        .env("RAILWAY_TOKEN", "planted-token-value")
        .assert()
        .success()
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("planted-token-value"), "{text}");
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["schema_version"], 1);
    for what in [
        "git",
        "repository",
        "launch.toml",
        "remote",
        "clock",
        "toolchain",
    ] {
        assert_eq!(look(&document, what)["state"], "ok", "{what}");
    }
    let tokens = look(&document, "tokens")["seen"].as_str().unwrap();
    assert!(tokens.contains("RAILWAY_TOKEN"), "{tokens}");
}

#[test]
fn what_is_missing_is_named_with_what_to_type() {
    let project = Project::new();
    project.git(&["remote", "remove", "origin"]);
    project
        .launch(&["doctor"])
        .assert()
        .code(1)
        .stdout(contains("NOT READY"))
        .stdout(contains("run: git remote add origin"));
    // Without git nothing can be pushed or asked; the other looks still say what they saw.
    project
        .launch(&["doctor"])
        .env("PATH", "/nonexistent")
        .assert()
        .code(1)
        .stdout(contains("git is not installed"))
        .stdout(contains("launch.toml"));
}

#[test]
fn outside_a_repository_it_is_no_fault_that_there_is_none() {
    let project = Project::bare();
    let nowhere = tempfile::tempdir().unwrap();
    project
        .launch_in(nowhere.path(), &["doctor"])
        .assert()
        .success()
        .stdout(contains("launch init"));
}

#[test]
fn a_broken_launch_toml_is_shown_with_its_place() {
    let project = Project::new();
    project.replace(
        "manifests/launch.toml",
        "class = \"local\"",
        "class = \"lokal\"",
    );
    project.commit_and_push("targets: misspelt");
    project
        .launch(&["doctor"])
        .assert()
        .code(1)
        .stdout(contains("manifests/launch.toml:"));
}

#[test]
fn a_platform_that_does_not_answer_is_unknown_and_does_not_hold_it() {
    let project = Project::new();
    let kill_file = serde_json::json!({
        "schema_version": 1, "env": "staging", "platform": "railway",
        "project_id": "p", "environment_id": "e", "service_id": "s",
        "deployment_id": "d", "instance_nonce": null, "mode": "paper",
        // Nothing answers there, and nothing refuses (TEST-NET-1).
        "endpoint": "https://192.0.2.1/graphql/v2", "trader_url": null, "watchdog_url": null,
        "dashboard_url": null, "token_env": null,
    });
    let file = project.state().join("kill-staging.json");
    std::fs::write(&file, kill_file.to_string()).unwrap();
    let document = {
        let output = project
            .launch(&["doctor", "--format", "json"])
            .env("RAILWAY_TOKEN", "planted-token-value")
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let looks = document["looks"].as_array().unwrap();
    let kill = looks
        .iter()
        .find(|look| look["what"].as_str().unwrap().starts_with("kill path"))
        .unwrap();
    assert!(
        ["unknown", "bad"].contains(&kill["state"].as_str().unwrap()),
        "{kill}"
    );
    assert!(
        kill["run"]
            .as_str()
            .unwrap()
            .starts_with("launch kill --check")
    );
    std::fs::remove_file(&file).unwrap();
}
