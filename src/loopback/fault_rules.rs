//! Which faults make sense: a fault that would be accepted and do nothing is refused by name.
//!
//! Pure. The schema says which operations exist; the bounds stand with the vocabulary in `faults`.

use std::fmt;

use axum::http::HeaderValue;
use launch_kill::ops;

use super::faults::{
    Faults, LARGEST_SKEW_SECS, LONGEST_HANG_MS, LONGEST_REPORT_DELAY_MS, MOST_NETWORK_FAULTS,
    NetworkFault, NetworkKind,
};
use super::graphql;
use crate::platform;

/// HTTP statuses that a fault may answer with: final ones.
const FINAL_STATUS: std::ops::RangeInclusive<u16> = 200..=599;

/// Why faults were refused, with the place in the JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct BadFaults {
    /// Like `network[0].operations[1]`.
    pub place: String,
    /// What was seen and what was wanted.
    pub problem: String,
}

/// Reads faults from JSON and judges them. Errors: line and column of a JSON mistake, or the field
/// that makes no sense.
pub(crate) fn parse(json: &[u8]) -> Result<Faults, BadFaults> {
    let faults: Faults = serde_json::from_slice(json).map_err(|error| BadFaults {
        place: format!("line {}, column {}", error.line(), error.column()),
        problem: without_place(&error),
    })?;
    check(&faults)?;
    Ok(faults)
}

/// serde's words without its own "at line 1 column 2": the place stands in front.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}

/// Judges faults. Errors: the first field that makes no sense.
pub(crate) fn check(faults: &Faults) -> Result<(), BadFaults> {
    at_most("hang_ms", faults.hang_ms, LONGEST_HANG_MS)?;
    at_most(
        "report_delay_ms",
        faults.report_delay_ms,
        LONGEST_REPORT_DELAY_MS,
    )?;
    let many = u64::try_from(faults.network.len()).unwrap_or(u64::MAX);
    let most = u64::try_from(MOST_NETWORK_FAULTS).unwrap_or(u64::MAX);
    at_most("network", many, most)?;
    for (at, fault) in faults.network.iter().enumerate() {
        check_network(&format!("network[{at}]"), fault)?;
    }
    Ok(())
}

fn check_network(place: &str, fault: &NetworkFault) -> Result<(), BadFaults> {
    for (at, name) in fault.operations.iter().enumerate() {
        if !is_operation(name) {
            return Err(bad(
                format!("{place}.operations[{at}]"),
                format!(
                    "no operation is called `{name}`; wanted a root field such as `deploymentStop`"
                ),
            ));
        }
    }
    let kind = format!("{place}.kind");
    match &fault.kind {
        NetworkKind::Slow { ms } => at_most(&kind, *ms, LONGEST_HANG_MS),
        NetworkKind::SlowBody { ms_per_byte } => at_most(&kind, *ms_per_byte, LONGEST_HANG_MS),
        NetworkKind::Status { code, .. } if !FINAL_STATUS.contains(code) => Err(bad(
            kind,
            format!("HTTP status {code}; wanted one from 200 to 599"),
        )),
        NetworkKind::Redirect { location } if HeaderValue::from_str(location).is_err() => {
            Err(bad(kind, "this location cannot stand in a header"))
        }
        NetworkKind::ClockSkew { secs } => {
            let most = LARGEST_SKEW_SECS.unsigned_abs();
            at_most(&kind, secs.unsigned_abs(), most)
        }
        NetworkKind::Hang
        | NetworkKind::DropConnection
        | NetworkKind::Reset
        | NetworkKind::Status { .. }
        | NetworkKind::RateLimited { .. }
        | NetworkKind::Redirect { .. }
        | NetworkKind::Garbage
        | NetworkKind::EmptyBody
        | NetworkKind::TruncatedBody
        | NetworkKind::HugeBody
        | NetworkKind::NoData
        | NetworkKind::PartialErrors
        | NetworkKind::UnknownStatus
        | NetworkKind::UnknownFields
        | NetworkKind::NotAuthorized
        | NetworkKind::TokenNotFound
        | NetworkKind::ProblemProcessing => Ok(()),
    }
}

/// A root field of the schema, or the name of an operation that we send.
fn is_operation(name: &str) -> bool {
    let sent = ops::ALL.iter().chain(platform::ops::ALL);
    sent.map(|op| op.name)
        .any(|known| known.eq_ignore_ascii_case(name))
        || graphql::root_fields().any(|field| field.eq_ignore_ascii_case(name))
}

fn at_most(place: &str, value: u64, most: u64) -> Result<(), BadFaults> {
    if value <= most {
        return Ok(());
    }
    Err(bad(place, format!("{value} is too much; at most {most}")))
}

fn bad(place: impl fmt::Display, problem: impl Into<String>) -> BadFaults {
    BadFaults {
        place: place.to_string(),
        problem: problem.into(),
    }
}
