//! The report as GitHub workflow commands, which the runner turns into annotations on the files.
//!
//! GitHub shows at most ten of a kind per step, so at most ten are written, worst first, and the last of
//! them sums up the rest. Everything from outside is escaped: a file name must not become a command.
//! Grammar: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>, read 2026-11.

use super::plain;
use launch_checks::{CheckResult, Place, Report, Status, Verdict};

/// Most annotations of one report.
const ANNOTATIONS_MAX: usize = 10;

/// One annotation before it is written.
struct Annotation<'a> {
    check: &'a CheckResult,
    place: Option<Place>,
}

/// The commands, then one line with the verdict.
pub(super) fn preflight(report: &Report) -> String {
    let mut out = String::new();
    let all = annotations(report);
    let fits = all.len() <= ANNOTATIONS_MAX;
    let shown = if fits { all.len() } else { ANNOTATIONS_MAX - 1 };
    for annotation in all.iter().take(shown) {
        out.push_str(&command(annotation));
    }
    if !fits {
        out.push_str(&rest(all.get(shown..).unwrap_or_default()));
    }
    out.push_str(&verdict(report));
    out
}

/// The mistakes of a `launch.toml` that leaves nothing to judge.
pub fn unusable(places: &[Place]) -> String {
    let mut out = String::new();
    for place in places.iter().take(ANNOTATIONS_MAX) {
        let properties = properties(Some(place), "launch preflight: nothing can be judged");
        out.push_str(&written("error", &properties, &place.message));
    }
    out
}

fn written(level: &str, properties: &str, message: &str) -> String {
    format!("::{level} {properties}::{}\n", data(message))
}

/// Failures, then unknowns, then warnings: first one of each check, then its further places, so that a check
/// with many places does not crowd out the others.
fn annotations(report: &Report) -> Vec<Annotation<'_>> {
    let mut all = Vec::new();
    for status in [Status::Fail, Status::Unknown, Status::Warn] {
        for check in report.checks.iter().filter(|check| check.status == status) {
            let places = check.places();
            if places.is_empty() {
                all.push((0, Annotation { check, place: None }));
            }
            let places = places.into_iter().map(Some);
            let of_place = |place| Annotation { check, place };
            all.extend(places.map(of_place).enumerate());
        }
    }
    // Stable: what stood first among equals still does.
    all.sort_by_key(|(nth, _)| *nth);
    all.into_iter().map(|(_, annotation)| annotation).collect()
}

fn command(annotation: &Annotation<'_>) -> String {
    let Annotation { check, place } = annotation;
    let title = format!("{} {}", check.code, check.title);
    let mut message = check.message.clone();
    match place {
        Some(place) => {
            message.push_str(": ");
            message.push_str(&place.message);
        }
        None => {
            for seen in check.seen() {
                message.push('\n');
                message.push_str(seen);
            }
        }
    }
    if let Some(help) = &check.help {
        message.push_str("\nhelp: ");
        message.push_str(help);
    }
    let properties = properties(place.as_ref(), &title);
    written(level(check.status), &properties, &message)
}

/// The annotations that did not fit, as one.
fn rest(left: &[Annotation<'_>]) -> String {
    let mut codes: Vec<String> = left.iter().map(|a| a.check.code.to_string()).collect();
    codes.sort();
    codes.dedup();
    let stops = |a: &Annotation<'_>| a.check.status != Status::Warn;
    let worst = left
        .iter()
        .find(|a| stops(a))
        .map_or(Status::Warn, |a| a.check.status);
    let message = format!(
        "{} more: {}; the log of this step and --report have them all",
        left.len(),
        codes.join(", ")
    );
    let properties = properties(None, "launch preflight: further findings");
    written(level(worst), &properties, &message)
}

fn verdict(report: &Report) -> String {
    let word = match report.verdict {
        Verdict::Pass => "PASS",
        Verdict::Fail => "FAIL",
        Verdict::Unknown => "UNKNOWN",
    };
    let counts: Vec<String> = [
        (Status::Pass, "ok"),
        (Status::Warn, "warn"),
        (Status::Fail, "fail"),
        (Status::Unknown, "unknown"),
        (Status::Skipped, "skipped"),
    ]
    .into_iter()
    .map(|(status, word)| (report.count(status), word))
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    let partial = if report.partial { " (PARTIAL)" } else { "" };
    // The runner looks for commands at the start of a line only.
    plain(&format!(
        "launch preflight of env {}: {word}{partial}: {}\n",
        report.env.replace('\n', " "),
        counts.join(", ")
    ))
}

/// An unknown is an error: it stops a launch as a failure does.
const fn level(status: Status) -> &'static str {
    match status {
        Status::Fail | Status::Unknown => "error",
        Status::Warn => "warning",
        Status::Pass | Status::Skipped => "notice",
    }
}

fn properties(place: Option<&Place>, title: &str) -> String {
    let mut parts = Vec::new();
    if let Some(place) = place {
        parts.push(("file", place.file.clone()));
        let numbers = [
            ("line", place.line),
            ("endLine", place.end_line),
            ("col", place.column),
            // A column of another line would be read as one of the first.
            (
                "endColumn",
                place.end_column.filter(|_| place.line == place.end_line),
            ),
        ];
        parts.extend(
            numbers
                .into_iter()
                .filter_map(|(name, number)| Some((name, number?.to_string()))),
        );
    }
    parts.push(("title", title.to_owned()));
    let written: Vec<String> = parts
        .into_iter()
        .map(|(name, value)| format!("{name}={}", property(&value)))
        .collect();
    written.join(",")
}

fn data(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_end_a_command_or_start_one() {
        let place = Place {
            line: Some(3),
            column: Some(1),
            end_line: Some(4),
            end_column: Some(2),
            ..Place::file("a,b:c\n::error::x", "m")
        };
        assert_eq!(
            properties(Some(&place), "t::u"),
            "file=a%2Cb%3Ac%0A%3A%3Aerror%3A%3Ax,line=3,endLine=4,col=1,title=t%3A%3Au"
        );
        assert_eq!(
            data("100%\r\n::set-env\u{1b}"),
            "100%25%0D%0A::set-env\u{fffd}"
        );
    }
}
