//! `launch receipts`: what was done is listed, shown and held by chain and signature; whoever edits, cuts or
//! forges a line is found out.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

mod support;

use predicates::prelude::*;
use predicates::str::contains;
use support::Project;

#[test]
fn a_life_leaves_signed_receipts_and_every_tampering_shows() {
    let project = Project::deployed();
    project
        .launch(&["verify", "--env", "staging"])
        .assert()
        .success();
    project
        .launch(&["kill", "--env", "staging", "--settle", "1", "--drill"])
        .assert()
        .success();
    let list = project.json(0, &["receipts", "list", "--env", "staging"]);
    let kinds: Vec<&str> = list["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["deploy", "verify", "drill"]);
    let shown = project.json(0, &["receipts", "show", "1"]);
    let key = shown["signer"].as_str().unwrap();
    assert!(key.starts_with("ed25519:"), "{key}");
    assert_eq!(shown["statement"]["predicate"]["outcome"], "verified");
    let verdict = project.json(0, &["receipts", "verify"]);
    assert_eq!(verdict["signers"][key], 3, "{verdict:#}");
    assert_eq!(verdict["unsigned"], 0);

    // A copy is what shows a lost tail.
    let file = project.state().join("receipts/receipts.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let copy = project.state().join("copy.jsonl");
    std::fs::write(&copy, &whole).unwrap();
    let copy = copy.to_str().unwrap();
    let short = whole.lines().take(2).collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(&file, &short).unwrap();
    // The drill's own record is still there: it is signed in again, to the same line.
    project
        .launch(&["receipts", "verify", "--copy", copy])
        .assert()
        .code(0);
    std::fs::remove_file(
        std::fs::read_dir(project.state().join("receipts"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.to_string_lossy().contains("drill-"))
            .unwrap(),
    )
    .unwrap();
    std::fs::write(&file, &short).unwrap();
    project
        .launch(&["receipts", "verify", "--copy", copy])
        .assert()
        .code(1)
        .stdout(contains(
            "the newest 1 of the copy's 3 receipts are gone here",
        ));
    let edited = whole.replacen("\"verified\"", "\"stopped\"", 1);
    assert_ne!(edited, whole);
    std::fs::write(&file, edited).unwrap();
    project
        .launch(&["receipts", "verify"])
        .assert()
        .code(1)
        .stdout(contains("line 1: ").and(contains("DOES NOT HOLD")));
    project.launch(&["receipts", "show", "1"]).assert().code(1);
    std::fs::write(&file, whole).unwrap();
    // Without the key that signed them a deploy is refused before anything is sent.
    let key = project.state().join("keys/receipts.ed25519");
    let aside = project.state().join("aside");
    std::fs::rename(&key, &aside).unwrap();
    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .code(3)
        .stderr(contains("signed by a key that is not here"));
    std::fs::rename(&aside, &key).unwrap();
    project
        .launch(&["receipts", "show", "99"])
        .assert()
        .code(2)
        .stderr(contains("there are 3"));
}
