//! The report as SARIF 2.1.0: a rule a check, a result for each finding that stops or warns.
//!
//! `ruleId` is the check's code, which never changes; fingerprints leave out lines, counts and commit
//! ids, so that the same finding on the next commit is the same alert. A passed check has a rule and no
//! result: readers that ignore `kind` would show it as an alert. An unknown is level `error`, because
//! one with the level that SARIF gives to `kind: open` (none) would be filtered away, and unknown never
//! passes. Format: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>, read 2026-11.

use launch_checks::{CheckResult, Place, Report, Status, Verdict, targets::TARGETS_PATH};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The schema that the document names.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// The name of our fingerprint; another recipe would get another number.
const FINGERPRINT: &str = "launchFinding/v1";

/// One pretty-printed document that ends with a line end. `page` gives the text of a check's page.
///
/// # Errors
/// Never for a report of ours; kept as a `Result` so that no panic is reachable.
pub(super) fn preflight(
    report: &Report,
    page: &dyn Fn(&str) -> Option<String>,
) -> Result<String, serde_json::Error> {
    let mut seen = BTreeMap::new();
    let results: Vec<Value> = report
        .checks
        .iter()
        .enumerate()
        .flat_map(|(index, check)| findings(report, index, check))
        .map(|finding| finding.result(&mut seen))
        .collect();
    let rules: Vec<Value> = report
        .checks
        .iter()
        .map(|check| rule(check, page))
        .collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "launch",
                "version": report.launch_version,
                "semanticVersion": report.launch_version,
                "rules": rules,
            }},
            "automationDetails": { "id": format!("launch/preflight/{}/", report.env) },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": true,
                "exitCode": exit_code(report.verdict),
                "startTimeUtc": report.started_at,
            }],
            "results": results,
            "properties": {
                "env": report.env,
                "commit": report.commit,
                "tree": report.tree,
                "plan_digest": report.plan_digest,
                "verdict": report.verdict,
                "partial": report.partial,
                "not_applicable": report.not_applicable,
            },
        }],
    });
    let mut text = serde_json::to_string_pretty(&document)?;
    text.push('\n');
    Ok(text)
}

const fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::Fail => 1,
        Verdict::Unknown => 3,
    }
}

fn rule(check: &CheckResult, page: &dyn Fn(&str) -> Option<String>) -> Value {
    let code = check.code.to_string();
    let text = page(&code).unwrap_or_else(|| check.title.clone());
    json!({
        "id": code,
        "name": name(&check.title),
        "shortDescription": { "text": check.title },
        "fullDescription": { "text": format!("{code} holds when: {}", check.title) },
        "help": { "text": format!("{text}\nOffline: launch explain {code}"), "markdown": text },
        // Absolute, as the schema wants it; this program's pages have no address on the web.
        "helpUri": format!("urn:launch:checks:{}", check.code.anchor()),
        "defaultConfiguration": { "level": "error" },
        "properties": {
            "phase": check.phase,
            "category": check.category,
            "docs_url": check.docs_url,
            "status": check.status,
        },
    })
}

/// `source committed` as `SourceCommitted`: SARIF wants an identifier.
fn name(title: &str) -> String {
    title
        .split(|c: char| !c.is_ascii_alphanumeric())
        .flat_map(|word| {
            let mut chars = word.chars();
            let first = chars.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(chars)
        })
        .collect()
}

/// One result before it is written.
struct Finding<'a> {
    env: &'a str,
    index: usize,
    check: &'a CheckResult,
    place: Option<Place>,
}

/// What a check says, place by place.
fn findings<'a>(report: &'a Report, index: usize, check: &'a CheckResult) -> Vec<Finding<'a>> {
    let finding = |place| Finding {
        env: &report.env,
        index,
        check,
        place,
    };
    if check.status == Status::Pass {
        return Vec::new();
    }
    let places = check.places();
    if places.is_empty() {
        vec![finding(None)]
    } else {
        places
            .into_iter()
            .map(|place| finding(Some(place)))
            .collect()
    }
}

impl Finding<'_> {
    fn result(&self, seen: &mut BTreeMap<String, u32>) -> Value {
        let check = self.check;
        let level = match check.status {
            Status::Fail | Status::Unknown => "error",
            Status::Warn => "warning",
            Status::Skipped | Status::Pass => "note",
        };
        let mut result = json!({
            "ruleId": check.code,
            "ruleIndex": self.index,
            "kind": "fail",
            "level": level,
            "message": { "text": self.text() },
            "locations": [{ "physicalLocation": self.location() }],
            "partialFingerprints": { FINGERPRINT: self.fingerprint(seen) },
            "properties": { "status": check.status, "blocked_by": check.blocked_by },
        });
        if let (Some(waiver), Some(fields)) = (&check.waiver, result.as_object_mut()) {
            let reason = waiver.get("reason").and_then(Value::as_str);
            let suppression = json!([{
                "kind": "external",
                "status": "accepted",
                "justification": reason.unwrap_or("waived"),
            }]);
            fields.insert("suppressions".to_owned(), suppression);
        }
        result
    }

    fn text(&self) -> String {
        let mut text = match (&self.place, self.check.status) {
            (Some(place), _) => format!("{}: {}", self.check.message, place.message),
            (None, Status::Unknown) => format!("unknown: {}", self.check.message),
            (None, _) => self.check.message.clone(),
        };
        if let Some(help) = &self.check.help {
            text.push_str("\nhelp: ");
            text.push_str(help);
        }
        text
    }

    /// A finding that has no place in a file stands at the file that declares the environment.
    fn location(&self) -> Value {
        let file = self
            .place
            .as_ref()
            .map_or(TARGETS_PATH, |place| &place.file);
        let mut location = json!({
            "artifactLocation": { "uri": uri(file), "uriBaseId": "%SRCROOT%" },
        });
        let region = self.place.as_ref().map(region).unwrap_or_default();
        if let (false, Some(fields)) = (region.is_empty(), location.as_object_mut()) {
            fields.insert("region".to_owned(), region.into());
        }
        location
    }

    fn fingerprint(&self, seen: &mut BTreeMap<String, u32>) -> String {
        let (file, message) = self.place.as_ref().map_or(("", ""), |place| {
            (place.file.as_str(), place.message.as_str())
        });
        let mut hasher = Sha256::new();
        for part in [&self.check.code.to_string(), self.env, file, message] {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let digest = hasher
            .finalize()
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _infallible = write!(text, "{byte:02x}");
                text
            });
        // The same words twice in one file are two findings.
        let times = seen.entry(digest.clone()).or_insert(0);
        *times += 1;
        format!("{digest}:{times}")
    }
}

fn region(place: &Place) -> Map<String, Value> {
    [
        ("startLine", place.line),
        ("startColumn", place.column),
        ("endLine", place.end_line),
        ("endColumn", place.end_column),
    ]
    .into_iter()
    .filter_map(|(name, number)| Some((name.to_owned(), number?.into())))
    .collect()
}

/// A path as a relative reference: everything but plain characters is percent-encoded.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            byte => {
                let _infallible = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_of_the_form_that_the_format_wants() {
        assert_eq!(name("declared = effective"), "DeclaredEffective");
        assert_eq!(name("files in the commit"), "FilesInTheCommit");
        assert_eq!(uri("a dir/ü%.toml"), "a%20dir/%C3%BC%25.toml");
    }
}
