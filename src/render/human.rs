//! The report for people: the card's five phases, one line a check when it is green, and for what is
//! not green why, what was seen and what to do. Readable without colour.

use super::plain;
use launch_checks::{CheckResult, Phase, Report, Status, Verdict};
use owo_colors::{OwoColorize as _, Style};
use std::fmt::Write as _;

/// Width of the status word's column.
const STATUS_COLUMNS: usize = 8;
/// Width of the title's column.
const TITLE_COLUMNS: usize = 20;
/// Where details start.
const DETAIL_INDENT: &str = "           ";

/// The whole card.
pub fn preflight(report: &Report, color: bool) -> String {
    let paint = Paint { color };
    let mut out = String::new();
    line(&mut out, &head(report, paint));
    for phase in Phase::ALL {
        line(&mut out, "");
        let title = format!("{} {}", phase.number(), phase.title());
        line(&mut out, &paint.with(&title, Style::new().bold()));
        let checks: Vec<&CheckResult> = report
            .checks
            .iter()
            .filter(|check| check.phase == phase)
            .collect();
        if checks.is_empty() {
            line(
                &mut out,
                &paint.with(
                    "  -        nothing was asked or applies here",
                    Style::new().dimmed(),
                ),
            );
        }
        for check in checks {
            one(&mut out, check, paint);
        }
    }
    line(&mut out, "");
    line(&mut out, &foot(report, paint));
    out
}

fn head(report: &Report, paint: Paint) -> String {
    let commit = report
        .commit
        .as_deref()
        .map_or("no commit", |id| id.get(..10).unwrap_or(id));
    let mut head = format!("preflight of env {} at HEAD {commit}", plain(&report.env));
    if report.partial {
        head.push_str("  PARTIAL: not all checks were asked, this clears nothing");
    }
    paint.with(&head, Style::new().bold())
}

fn one(out: &mut String, check: &CheckResult, paint: Paint) {
    let status = format!("{:<STATUS_COLUMNS$}", word(check.status));
    let status = paint.with(&status, style(check.status));
    let code = paint.with(&check.code.to_string(), Style::new().dimmed());
    let mut message = plain(&check.message);
    if check.evidence.contains_key("cached_ms_ago") {
        message.push_str(" (held before)");
    }
    match check.status {
        Status::Pass | Status::Skipped => {
            line(
                out,
                &format!(
                    "  {status} {:<TITLE_COLUMNS$} {message}  {code}",
                    check.title
                ),
            );
        }
        Status::Warn | Status::Fail | Status::Unknown => {
            line(out, &format!("  {status} {}  {code}", check.title));
            detail(out, "why", &message, paint);
            for seen in check.seen() {
                detail(out, "seen", &plain(seen), paint);
            }
            if let Some(help) = &check.help {
                detail(out, "help", &plain(help), paint);
            }
        }
    }
}

/// A label and its text; further lines of the text stand under its first.
fn detail(out: &mut String, label: &str, text: &str, paint: Paint) {
    for (index, text) in text.lines().enumerate() {
        let label = if index == 0 { label } else { "" };
        let label = paint.with(&format!("{label:<5}"), Style::new().dimmed());
        line(out, &format!("{DETAIL_INDENT}{label} {text}"));
    }
}

fn foot(report: &Report, paint: Paint) -> String {
    let counts: Vec<String> = [
        Status::Pass,
        Status::Warn,
        Status::Fail,
        Status::Unknown,
        Status::Skipped,
    ]
    .into_iter()
    .map(|status| (status, report.count(status)))
    .filter(|(_, count)| *count > 0)
    .map(|(status, count)| format!("{count} {}", word(status).to_lowercase()))
    .collect();
    let (verdict, style) = match report.verdict {
        Verdict::Pass => ("PASS", style(Status::Pass)),
        Verdict::Fail => ("FAIL", style(Status::Fail)),
        Verdict::Unknown => ("UNKNOWN", style(Status::Unknown)),
    };
    let mut foot = format!(
        "{}: {}",
        paint.with(verdict, style.bold()),
        counts.join(", ")
    );
    if !report.not_applicable.is_empty() {
        let _infallible = write!(foot, "; {} do not apply here", report.not_applicable.len());
    }
    let _infallible = write!(foot, "; {} ms", report.duration_ms);
    foot
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::Pass => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
        Status::Unknown => "unknown",
        Status::Skipped => "skipped",
    }
}

const fn style(status: Status) -> Style {
    match status {
        Status::Pass => Style::new().green(),
        Status::Warn => Style::new().yellow(),
        Status::Fail => Style::new().red().bold(),
        Status::Unknown => Style::new().magenta(),
        Status::Skipped => Style::new().dimmed(),
    }
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

/// Colours where wanted.
#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn with(self, text: &str, style: Style) -> String {
        if self.color {
            text.style(style).to_string()
        } else {
            text.to_owned()
        }
    }
}
