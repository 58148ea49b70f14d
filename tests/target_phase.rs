//! Preflight's target phase against this machine's own platform: what is there passes, each planted fault is
//! named, and no value of a secret is printed.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use support::{Project, status, told};

const TARGET: [&str; 5] = ["preflight", "--env", "staging", "--only", "LC-601,LC-602"];

#[test]
fn a_new_and_a_deployed_target_pass_and_no_value_is_printed() {
    let project = Project::new();
    let report = project.json(0, &TARGET);
    assert_eq!(status(&report, "LC-601"), "pass", "{report}");
    assert_eq!(status(&report, "LC-602"), "pass", "{report}");

    let project = Project::deployed();
    let report = project.json(0, &TARGET);
    assert_eq!(status(&report, "LC-602"), "pass", "{report}");
    for name in ["token-staging", "halt-staging", "control-staging"] {
        let secret = std::fs::read_to_string(project.state().join(name)).unwrap();
        assert!(!report.to_string().contains(secret.trim()), "{name}");
    }
}

#[test]
fn a_kill_that_would_stand_before_the_wrong_door_fails() {
    // Its token is another one.
    let project = Project::deployed();
    let token = project.state().join("token-staging");
    let right = std::fs::read_to_string(&token).unwrap();
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    let report = project.json(1, &TARGET);
    assert_eq!(status(&report, "LC-602"), "fail");
    assert!(told(&report, "LC-602").contains("token:"), "{report}");
    assert_eq!(status(&report, "LC-601"), "pass");
    std::fs::write(&token, right).unwrap();
    // Its ids lead to a service that is not there.
    let file = project.state().join("kill-staging.json");
    let text = std::fs::read_to_string(&file).unwrap();
    let mut kill: serde_json::Value = serde_json::from_str(&text).unwrap();
    kill["service_id"] = "nobody".into();
    std::fs::write(&file, kill.to_string()).unwrap();
    let report = project.json(1, &TARGET);
    assert!(told(&report, "LC-602").contains("service:"), "{report}");
    // It cannot be read at all: then nobody knows where it leads.
    std::fs::write(&file, "{").unwrap();
    let report = project.json(3, &TARGET);
    assert_eq!(status(&report, "LC-602"), "unknown");
    assert!(
        told(&report, "LC-602").contains("kill-staging.json"),
        "{report}"
    );
    std::fs::write(&file, text).unwrap();
    project.json(0, &TARGET);
}

#[test]
fn a_railway_target_without_a_token_is_unknown() {
    let project = Project::new();
    let args = [
        "preflight",
        "--env",
        "production",
        "--only",
        "LC-601,LC-602",
    ];
    let report = project.json(3, &args);
    for code in ["LC-601", "LC-602"] {
        assert_eq!(status(&report, code), "unknown");
        assert!(
            told(&report, code).contains("no platform token"),
            "{report}"
        );
    }
}
