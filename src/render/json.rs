//! The report for programs: the struct as it is.

use launch_checks::Report;

/// One pretty-printed document that ends with a line end.
///
/// # Errors
/// Never for a report of ours; kept as a `Result` so that no panic is reachable.
pub(super) fn preflight(report: &Report) -> Result<String, serde_json::Error> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}
