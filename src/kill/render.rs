//! The report for people. Returns text; never prints.
//!
//! Readable without colour; the first line says everything that matters.

use crate::report::{PathReport, PathStatus, Report, TargetReport};
use crate::run::{CheckReport, FindingStatus};
use crate::verdict::{Verdict, WitnessStatus};
use std::fmt::Write;

/// The report of a kill.
pub fn report(report: &Report, color: bool) -> String {
    let mut text = String::new();
    for target in &report.targets {
        of_target(&mut text, target, color);
    }
    if report.targets.len() > 1 {
        verdict_line(&mut text, "all targets: ", report.verdict, "", color);
    }
    text
}

/// The report of `--check`.
pub fn check(report: &CheckReport) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let status = match finding.status {
            FindingStatus::Ok => "ok",
            FindingStatus::Warning => "warning",
            FindingStatus::Missing => "missing",
            FindingStatus::Failed => "FAILED",
        };
        line(
            &mut text,
            &format!(
                "{:<16} {:<12} {status:<8} {}",
                finding.env, finding.what, finding.detail
            ),
        );
    }
    let verdict = if report.ready {
        "a kill can be made and proved"
    } else {
        "a kill could not be proved now"
    };
    line(&mut text, verdict);
    text
}

fn of_target(text: &mut String, target: &TargetReport, color: bool) {
    let time = match target.verdict {
        Verdict::Verified => format!(" in {}", span(target.elapsed_ms)),
        Verdict::NothingRunning
        | Verdict::Reduced
        | Verdict::PlatformOnly
        | Verdict::Unverified
        | Verdict::Failed => format!(" after {}", span(target.elapsed_ms)),
    };
    verdict_line(
        text,
        &format!("{}: ", target.env),
        target.verdict,
        &time,
        color,
    );
    crate::render_positions::unsold(text, target);
    line(text, &format!("  because     {}", target.reason));
    if let Some(ms) = target.first_ack_ms {
        line(
            text,
            &format!(
                "  first ack   {} (deadline {})",
                span(ms),
                span(target.deadline_ms)
            ),
        );
    }
    for path in &target.paths {
        line(text, &format!("  {:<11} {}", path.path, of_path(path)));
    }
    for deployment in &target.deployments {
        let action = deployment
            .action
            .map_or_else(String::new, |action| format!(" → {action}"));
        let ack = deployment
            .acknowledged_ms
            .map_or_else(String::new, |ms| format!(" accepted {}", span(ms)));
        let seen = deployment.status_seen.as_deref().unwrap_or("not read");
        let last = deployment.final_status.as_deref().unwrap_or("not read");
        let dead = deployment
            .confirmed_ms
            .map_or_else(String::new, |ms| format!(", dead {}", span(ms)));
        line(
            text,
            &format!(
                "  deployment  {} {seen}{action}{ack} → {last}{dead}",
                deployment.id
            ),
        );
    }
    for witness in &target.witnesses {
        let status = match witness.status {
            WitnessStatus::Agrees => "agrees",
            WitnessStatus::Consistent => "consistent, proves nothing",
            WitnessStatus::Contradicts => "CONTRADICTS",
            WitnessStatus::Silent => "silent",
        };
        line(
            text,
            &format!(
                "  witness     {} {status}: {}",
                witness.name, witness.detail
            ),
        );
    }
    let orders = target
        .open_orders
        .map_or_else(|| "unknown".to_owned(), |open| open.to_string());
    line(text, &format!("  open orders {orders}"));
    crate::render_positions::of_target(text, target.positions.as_deref());
    for change in &target.changed {
        line(
            text,
            &format!("  changed     {}; back: {}", change.what, change.put_back),
        );
    }
    for reason in &target.may_restart {
        line(text, &format!("  may restart {reason}"));
    }
    for (number, step) in target.runbook.iter().enumerate() {
        line(
            text,
            &format!("  do now {:<4} {step}", number.saturating_add(1)),
        );
    }
}

fn of_path(path: &PathReport) -> String {
    let status = match path.status {
        PathStatus::NotConfigured => "not configured",
        PathStatus::Failed => "failed",
        PathStatus::Requested => "requested",
        PathStatus::Acknowledged => "acknowledged",
        PathStatus::Confirmed => "confirmed",
    };
    let mut text = status.to_owned();
    for (label, ms) in [
        ("acknowledged", path.acknowledged_ms),
        ("confirmed", path.confirmed_ms),
    ] {
        if let Some(ms) = ms {
            // Writing to a String cannot fail.
            let _ok = write!(text, ", {label} {}", span(ms)).is_ok();
        }
    }
    if !path.detail.is_empty() {
        text.push_str(": ");
        text.push_str(&path.detail);
    }
    text
}

fn headline(verdict: Verdict, color: bool) -> String {
    let words = match verdict {
        Verdict::Verified => "VERIFIED stopped",
        Verdict::NothingRunning => "NOTHING RUNNING",
        Verdict::Reduced => "REDUCED, entries off, it keeps running",
        Verdict::PlatformOnly => "NOT VERIFIED, only the platform says stopped",
        Verdict::Unverified => "NOT VERIFIED, something may still run",
        Verdict::Failed => "FAILED, nothing acknowledged, it may still run",
    };
    if !color {
        return words.to_owned();
    }
    let code = if verdict.exit_code() == 0 { "32" } else { "31" };
    format!("\u{1b}[1;{code}m{words}\u{1b}[0m")
}

fn span(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms} ms");
    }
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// Positions as a report shows them, for commands that only show.
pub fn positions(list: &[crate::report::Position]) -> String {
    let mut text = String::new();
    crate::render_positions::of_target(&mut text, Some(list));
    text
}

/// Adds a line; control characters of others' texts cannot move the cursor or begin a line of their own.
pub(crate) fn line(text: &mut String, line: &str) {
    text.push_str(plain(line).trim_end());
    text.push('\n');
}

/// One line, whatever others put into it.
fn plain(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// A line that ends with a verdict, which may be coloured.
fn verdict_line(text: &mut String, head: &str, verdict: Verdict, tail: &str, color: bool) {
    text.push_str(&plain(head));
    text.push_str(&headline(verdict, color));
    line(text, tail);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_texts_forge_no_line_and_move_no_cursor() {
        let mut text = String::new();
        line(&mut text, "nonce x\nstaging: VERIFIED\u{1b}[2J\u{9b}1A");
        assert_eq!(text.lines().count(), 1, "{text:?}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{9b}'));
        let mut text = String::new();
        verdict_line(&mut text, "a\u{1b}b: ", Verdict::Verified, " in 1 s", true);
        assert_eq!(text, "a b: \u{1b}[1;32mVERIFIED stopped\u{1b}[0m in 1 s\n");
    }
}
