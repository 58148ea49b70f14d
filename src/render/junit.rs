//! The report as `JUnit` XML: a suite a phase, a case a check.
//!
//! A failure is `<failure>`, an unknown is `<error>` (a CI server must not count it as passed), a blocked
//! check is `<skipped>`, a warning is a passed case with its words in `<system-out>`. Element and
//! attribute names: <https://github.com/jenkinsci/xunit-plugin>, `junit-10.xsd`, read 2026-11.

use launch_checks::{CheckResult, Phase, Report, Status};
use std::fmt::Write as _;

/// Milliseconds in the second in which `JUnit` counts.
const MS_PER_SEC: u64 = 1_000;

/// The whole document.
pub(super) fn preflight(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&CheckResult> = report.checks.iter().collect();
    let name = format!("launch preflight {}", report.env);
    open(
        &mut out,
        0,
        "testsuites",
        &[
            ("name", name.as_str()),
            ("time", &secs(report.duration_ms)),
            ("tests", &all.len().to_string()),
            ("failures", &count(&all, Status::Fail)),
            ("errors", &count(&all, Status::Unknown)),
        ],
    );
    for phase in Phase::ALL {
        let checks: Vec<&CheckResult> = all.iter().copied().filter(|c| c.phase == phase).collect();
        if !checks.is_empty() {
            suite(&mut out, report, phase, &checks);
        }
    }
    out.push_str("</testsuites>\n");
    out
}

fn suite(out: &mut String, report: &Report, phase: Phase, checks: &[&CheckResult]) {
    let name = format!("{} {}", phase.number(), phase.title());
    let spent = checks.iter().map(|check| check.duration_ms).sum();
    open(
        out,
        1,
        "testsuite",
        &[
            ("name", name.as_str()),
            ("tests", &checks.len().to_string()),
            ("failures", &count(checks, Status::Fail)),
            ("errors", &count(checks, Status::Unknown)),
            ("skipped", &count(checks, Status::Skipped)),
            ("time", &secs(spent)),
            ("timestamp", &report.started_at),
        ],
    );
    out.push_str("    <properties>\n");
    let named = [
        ("env", Some(report.env.as_str())),
        ("commit", report.commit.as_deref()),
        ("tree", report.tree.as_deref()),
        ("plan_digest", report.plan_digest.as_deref()),
        ("launch_version", Some(report.launch_version.as_str())),
        (
            "partial",
            Some(if report.partial { "true" } else { "false" }),
        ),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            let _infallible = writeln!(
                out,
                "      <property name=\"{name}\" value=\"{}\"/>",
                attribute(value)
            );
        }
    }
    out.push_str("    </properties>\n");
    for check in checks {
        case(out, report, check);
    }
    out.push_str("  </testsuite>\n");
}

fn case(out: &mut String, report: &Report, check: &CheckResult) {
    let name = format!("{} {}", check.code, check.title);
    let class = format!("launch.preflight.{}", report.env);
    open(
        out,
        2,
        "testcase",
        &[
            ("name", name.as_str()),
            ("classname", &class),
            ("time", &secs(check.duration_ms)),
        ],
    );
    let words = words(check);
    let element = match check.status {
        Status::Fail => Some(("failure", "fail")),
        Status::Unknown => Some(("error", "unknown")),
        Status::Skipped => {
            let _infallible = writeln!(
                out,
                "      <skipped message=\"{}\"/>",
                attribute(&check.message)
            );
            None
        }
        Status::Warn => {
            let _infallible = writeln!(
                out,
                "      <system-out>{}</system-out>",
                text(&format!("warning: {words}"))
            );
            None
        }
        Status::Pass => {
            let _infallible = writeln!(out, "      <system-out>{}</system-out>", text(&words));
            None
        }
    };
    if let Some((element, kind)) = element {
        let message = attribute(&check.message);
        let _infallible = writeln!(
            out,
            "      <{element} message=\"{message}\" type=\"{kind}\">{}</{element}>",
            text(&words)
        );
    }
    out.push_str("    </testcase>\n");
}

/// Everything that the check says.
fn words(check: &CheckResult) -> String {
    let mut words = check.message.clone();
    for seen in check.seen() {
        words.push('\n');
        words.push_str(seen);
    }
    if let Some(help) = &check.help {
        words.push_str("\nhelp: ");
        words.push_str(help);
    }
    words
}

fn count(checks: &[&CheckResult], status: Status) -> String {
    let count = checks.iter().filter(|check| check.status == status).count();
    count.to_string()
}

fn secs(ms: u64) -> String {
    format!("{}.{:03}", ms / MS_PER_SEC, ms % MS_PER_SEC)
}

fn open(out: &mut String, depth: usize, element: &str, attributes: &[(&str, &str)]) {
    out.push_str(&"  ".repeat(depth));
    out.push('<');
    out.push_str(element);
    for (name, value) in attributes {
        let _infallible = write!(out, " {name}=\"{}\"", attribute(value));
    }
    out.push_str(">\n");
}

/// Text between tags. XML 1.0 has no way to write most control characters, so they are replaced.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text inside double quotes, whose line ends would otherwise become blanks.
fn attribute(raw: &str) -> String {
    text(raw)
        .replace('"', "&quot;")
        .replace('\n', "&#10;")
        .replace('\t', "&#9;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_is_replaced() {
        assert_eq!(
            text("a<b>&\u{1b}[31m\u{0}\n]]>"),
            "a&lt;b&gt;&amp;\u{fffd}[31m\u{fffd}\n]]&gt;"
        );
        assert_eq!(attribute("say \"x\"\ny"), "say &quot;x&quot;&#10;y");
        assert_eq!(
            (secs(0), secs(61_007)),
            ("0.000".to_owned(), "61.007".to_owned())
        );
    }
}
