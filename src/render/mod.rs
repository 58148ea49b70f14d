//! How reports are printed: one struct, several formats. Nothing here decides or reads anything.
//!
//! stdout gets what these functions return; they return text and never print.

mod format;
mod github;
mod human;
mod json;
mod jsonl;
mod junit;
mod plain;
mod sarif;

#[cfg(test)]
mod tests;

pub use format::{ReportFormat, ReportTo};
pub use github::unusable as github_unusable;
pub use human::preflight as preflight_human;
pub use jsonl::{line as jsonl_line, verdict as jsonl_verdict};
pub use plain::plain;

use launch_checks::Report;

/// The whole report in one of its forms; `color` is for people alone.
///
/// # Errors
/// Never for a report of ours; kept as a `Result` so that no panic is reachable.
pub fn preflight(
    format: ReportFormat,
    report: &Report,
    color: bool,
) -> Result<String, serde_json::Error> {
    match format {
        ReportFormat::Human => Ok(human::preflight(report, color)),
        ReportFormat::Json => json::preflight(report),
        ReportFormat::Jsonl => jsonl::preflight(report),
        ReportFormat::Junit => Ok(junit::preflight(report)),
        ReportFormat::Sarif => sarif::preflight(report, &crate::explain::text_of),
        ReportFormat::Github => Ok(github::preflight(report)),
    }
}
