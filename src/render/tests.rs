//! Both renderings of the same results.

use super::{ReportFormat, plain, preflight, preflight_human};
use launch_checks::Report;
use serde_json::json;

fn check(code: &str, phase: u8, status: &str, message: &str) -> serde_json::Value {
    json!({
        "code": code, "title": "source committed", "category": "source", "phase": phase,
        "status": status, "blocked_by": [], "message": message, "help": null,
        "docs_url": format!("docs/checks.md#{}", code.to_lowercase()), "evidence": {},
        "facts_age_ms": 12, "duration_ms": 3, "waiver": null
    })
}

fn report() -> Report {
    let mut failing = check("LC-201", 2, "fail", "manifests/local.toml has 1 mistake");
    failing["title"] = json!("manifest schema");
    failing["category"] = json!("manifest");
    failing["evidence"] =
        json!({ "seen": ["error: unknown key `x`\n --> manifests/local.toml:3:1"] });
    failing["help"] = json!("correct it and commit");
    let mut skipped = check("LC-204", 2, "skipped", "skipped (blocked by LC-201)");
    skipped["title"] = json!("declared = effective");
    skipped["category"] = json!("manifest");
    skipped["blocked_by"] = json!(["LC-201"]);
    let mut warned = check(
        "LC-102",
        1,
        "warn",
        "HEAD 1111111111 is 1 ahead: not pushed",
    );
    warned["title"] = json!("source pushed");
    warned["help"] = json!("git push origin HEAD:main");
    let mut unknown = check("LC-501", 4, "unknown", "the trader did not end within 60 s");
    unknown["title"] = json!("staging dry run");
    unknown["category"] = json!("staging");
    serde_json::from_value(json!({
        "schema_version": 1, "launch_version": "0.1.0", "env": "local",
        "commit": "1111111111111111111111111111111111111111",
        "tree": "2222222222222222222222222222222222222222",
        "plan_digest": null, "started_at": "2026-11-22T10:00:00Z", "duration_ms": 312,
        "verdict": "fail", "partial": false, "not_applicable": ["LC-104", "LC-106"],
        "checks": [
            check("LC-101", 1, "pass", "42 files equal HEAD 1111111111 by content"),
            warned, failing, skipped, unknown
        ]
    }))
    .unwrap()
}

#[test]
fn the_card_for_people() {
    insta::assert_snapshot!("preflight_human", preflight_human(&report(), false));
}

#[test]
fn the_document_for_programs() {
    let document = preflight(ReportFormat::Json, &report(), false).unwrap();
    insta::assert_snapshot!("preflight_json", document);
}

#[test]
fn colour_adds_colour_and_nothing_else() {
    let colored = preflight_human(&report(), true);
    let mut bare = String::new();
    let mut inside = false;
    for c in colored.chars() {
        match c {
            '\u{1b}' => inside = true,
            'm' if inside => inside = false,
            c if !inside => bare.push(c),
            _ => {}
        }
    }
    assert_ne!(colored, bare);
    // Only blanks at the end of lines may differ.
    let lines = |text: &str| {
        text.lines()
            .map(|l| l.trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&bare), lines(&preflight_human(&report(), false)));
}

#[test]
fn a_partial_report_says_so() {
    let mut partial = report();
    partial.partial = true;
    assert!(preflight_human(&partial, false).contains("PARTIAL"));
}

#[test]
fn control_characters_of_others_do_not_reach_the_terminal() {
    assert_eq!(plain("a\u{1b}[31mb\u{7}c\nd"), "a\u{fffd}[31mb\u{fffd}c\nd");
    // Nor the runner that reads the log.
    assert_eq!(
        plain("a::b\n  ::error::x\n##[x"),
        "a::b\n  \u{fffd}:error::x\n\u{fffd}#[x"
    );
    let mut report = report();
    report.checks[1].message = "name \u{1b}]0;owned\u{7}".to_owned();
    assert!(!preflight_human(&report, false).contains('\u{1b}'));
}

#[test]
fn every_format_says_the_same_verdict() {
    use clap::ValueEnum as _;
    for format in ReportFormat::value_variants() {
        let text = preflight(*format, &report(), false).unwrap();
        assert!(text.contains("LC-201"), "{format:?}: {text}");
        assert!(text.ends_with('\n'), "{format:?}");
        assert!(text.to_lowercase().contains("fail"), "{format:?}: {text}");
    }
}
