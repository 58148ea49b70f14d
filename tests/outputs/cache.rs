//! Verdicts that are kept: believed where they must be, and nowhere else.

use crate::support::Project;
use serde_json::{Value, json};
use std::path::PathBuf;

fn preflight(project: &Project, code: i32, more: &[&str]) -> Value {
    let mut args = vec!["preflight", "--env", "local"];
    args.extend(more);
    project.json(code, &args)
}

/// The codes that were taken from the cache.
fn kept(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .filter(|check| !check["evidence"]["cached_ms_ago"].is_null())
        .map(|check| check["code"].as_str().unwrap().to_owned())
        .collect()
}

fn file(project: &Project) -> PathBuf {
    let folder = project.state().join("cache");
    let mut files = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = files.next().unwrap();
    assert_eq!(files.next(), None, "one project and environment, one file");
    file
}

#[test]
fn an_unchanged_commit_is_not_judged_twice_but_disk_and_remote_are() {
    let project = Project::new();
    assert_eq!(kept(&preflight(&project, 0, &[])), [""; 0]);
    let second = kept(&preflight(&project, 0, &[]));
    assert!(second.contains(&"LC-501".to_owned()), "{second:?}");
    for code in ["LC-101", "LC-102"] {
        assert!(!second.contains(&code.to_owned()), "{second:?}");
    }
    // A third run still has what the second one did not judge.
    assert_eq!(kept(&preflight(&project, 0, &[])), second);
    assert_eq!(kept(&preflight(&project, 0, &["--no-cache"])), [""; 0]);
    // The disk is looked at every time.
    project.write("stray.txt", "");
    let third = preflight(&project, 1, &[]);
    assert_eq!(crate::support::status(&third, "LC-101"), "fail");
}

#[test]
fn another_commit_or_environment_is_judged_anew() {
    let project = Project::new();
    preflight(&project, 0, &[]);
    project.write("notes.md", "more\n");
    project.commit_and_push("notes");
    assert_eq!(kept(&preflight(&project, 0, &[])), [""; 0]);
    let args = ["preflight", "--env", "staging"];
    assert_eq!(kept(&project.json_any(&args)), [""; 0]);
}

#[test]
fn failures_are_never_kept() {
    let project = Project::new();
    project.replace(
        "manifests/local.toml",
        "max_exposure_usd",
        "max_exposre_usd",
    );
    project.commit_and_push("manifest: misspelt");
    preflight(&project, 1, &[]);
    let again = preflight(&project, 1, &[]);
    assert!(!kept(&again).contains(&"LC-201".to_owned()));
    assert_eq!(crate::support::status(&again, "LC-201"), "fail");
}

/// Every way to plant a verdict that was never drawn; none may show.
#[test]
fn a_poisoned_cache_is_not_believed() {
    let project = Project::new();
    preflight(&project, 0, &[]);
    let good = std::fs::read_to_string(file(&project)).unwrap();
    let sealed: Value = serde_json::from_str(&good).unwrap();
    let body: Value = serde_json::from_str(sealed["body"].as_str().unwrap()).unwrap();

    // The commit now fails; the cache is made to say that it passed.
    project.replace(
        "manifests/local.toml",
        "max_exposure_usd",
        "max_exposre_usd",
    );
    project.commit_and_push("manifest: misspelt");
    let failing = preflight(&project, 1, &["--no-cache"]);
    assert_eq!(crate::support::status(&failing, "LC-201"), "fail");
    preflight(&project, 1, &[]);
    let now = std::fs::read_to_string(file(&project)).unwrap();
    let now: Value = serde_json::from_str(&now).unwrap();
    let now: Value = serde_json::from_str(now["body"].as_str().unwrap()).unwrap();
    let mut planted = body.clone();
    planted["key"] = now["key"].clone();
    let planted = planted.to_string();

    let sha256 = |text: &str| {
        use sha2::Digest as _;
        use std::fmt::Write as _;
        let mut hex = String::new();
        for byte in sha2::Sha256::digest(text.as_bytes()) {
            write!(hex, "{byte:02x}").unwrap();
        }
        hex
    };
    let edited = json!({ "body": planted, "mac": sealed["mac"] }).to_string();
    let checksummed = json!({ "body": planted, "mac": sha256(&planted) }).to_string();
    let unsealed = json!({ "body": planted, "mac": "" }).to_string();
    let cut = good[..good.len() / 2].to_owned();
    let foreign = good.clone();
    for (name, text) in [
        ("an edited verdict", edited),
        ("one with a plain checksum", checksummed),
        ("one without a seal", unsealed),
        ("a truncated file", cut),
        ("the file of another commit", foreign),
        ("an empty file", String::new()),
        ("nonsense", "[]".to_owned()),
    ] {
        std::fs::write(file(&project), text).unwrap();
        let report = preflight(&project, 1, &[]);
        assert_eq!(crate::support::status(&report, "LC-201"), "fail", "{name}");
    }

    // The file of another state directory is sealed with another key.
    let other = Project::new();
    preflight(&other, 0, &[]);
    std::fs::write(file(&other), &good).unwrap();
    assert_eq!(kept(&preflight(&other, 0, &[])), [""; 0]);

    // A pipe has no end and is not opened; a directory is no file.
    let place = file(&project);
    std::fs::remove_file(&place).unwrap();
    std::fs::create_dir(&place).unwrap();
    preflight(&project, 1, &[]);
}

#[test]
fn without_a_place_to_keep_verdicts_everything_is_judged() {
    let project = Project::new();
    std::fs::write(project.state().join("cache"), "in the way").unwrap();
    preflight(&project, 0, &[]);
    assert_eq!(kept(&preflight(&project, 0, &[])), [""; 0]);
}
