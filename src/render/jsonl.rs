//! The report as lines of JSON: one a result, in the order in which they happened, then the verdict.
//!
//! A reader that sees no verdict line knows that the run was cut off.

use launch_checks::{CheckResult, Report, Status};
use serde_json::{Value, json};

/// The line of one result: `type` is `check`, the rest is the result.
///
/// # Errors
/// Never for a result of ours; kept as a `Result` so that no panic is reachable.
pub fn line(check: &CheckResult) -> Result<String, serde_json::Error> {
    typed("check", serde_json::to_value(check)?)
}

/// The last line: `type` is `verdict`, the rest is the report without its checks, and their counts.
///
/// # Errors
/// Never for a report of ours.
pub fn verdict(report: &Report) -> Result<String, serde_json::Error> {
    let mut value = serde_json::to_value(report)?;
    if let Some(fields) = value.as_object_mut() {
        fields.remove("checks");
        let counts = json!({
            "pass": report.count(Status::Pass),
            "warn": report.count(Status::Warn),
            "fail": report.count(Status::Fail),
            "unknown": report.count(Status::Unknown),
            "skipped": report.count(Status::Skipped),
        });
        fields.insert("counts".to_owned(), counts);
    }
    typed("verdict", value)
}

/// All lines at once, for a file.
pub(super) fn preflight(report: &Report) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    for check in &report.checks {
        out.push_str(&line(check)?);
    }
    out.push_str(&verdict(report)?);
    Ok(out)
}

fn typed(kind: &str, mut value: Value) -> Result<String, serde_json::Error> {
    if let Some(fields) = value.as_object_mut() {
        fields.insert("type".to_owned(), kind.into());
    }
    let mut text = serde_json::to_string(&value)?;
    text.push('\n');
    Ok(text)
}
