//! Bytes → typed value, the schema first.

use super::diagnostic::{Code, Diagnostic};
use super::document::Document;
use super::schema::Schema;
use super::{DIAGNOSTICS_MAX, judge, numbers, words};
use crate::schema::plain_schema;
use launch_checks::files::RuleFault;
use launch_checks::files::approved_limits::ApprovedLimits;
use launch_checks::files::waivers::Waivers;
use launch_checks::targets::Targets;
use serde::de::DeserializeOwned;
use trader_core::manifest::Manifest;
use trader_core::strategy_file::StrategyFile;

/// A typed value and the document it came from, for problems found later.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The value.
    pub value: T,
    /// Where everything stands.
    pub document: Document,
}

/// Reads a launch manifest. `schema` is [`crate::schema::effective_manifest_schema`]'s.
///
/// # Errors
/// All problems found, at most [`super::DIAGNOSTICS_MAX`] and one that counts the rest.
pub fn load_manifest(
    file: &str,
    bytes: &[u8],
    schema: &Schema,
) -> Result<Loaded<Manifest>, Vec<Diagnostic>> {
    load(file, bytes, schema)
}

/// Reads a strategy file. `schema` is [`crate::schema::effective_strategy_schema`]'s.
///
/// # Errors
/// As [`load_manifest`].
pub fn load_strategy(
    file: &str,
    bytes: &[u8],
    schema: &Schema,
) -> Result<Loaded<StrategyFile>, Vec<Diagnostic>> {
    load(file, bytes, schema)
}

/// Reads the targets file, its rules between keys included.
///
/// # Errors
/// As [`load_manifest`].
pub fn load_targets(file: &str, bytes: &[u8]) -> Result<Loaded<Targets>, Vec<Diagnostic>> {
    with_rules(file, bytes, "targets", Targets::faults)
}

/// Reads the approved limits, their rules between keys included.
///
/// # Errors
/// As [`load_manifest`].
pub fn load_approved_limits(
    file: &str,
    bytes: &[u8],
) -> Result<Loaded<ApprovedLimits>, Vec<Diagnostic>> {
    with_rules(file, bytes, "approved-limits", ApprovedLimits::faults)
}

/// Reads the waivers, their rules between keys included.
///
/// # Errors
/// As [`load_manifest`].
pub fn load_waivers(file: &str, bytes: &[u8]) -> Result<Loaded<Waivers>, Vec<Diagnostic>> {
    with_rules(file, bytes, "waivers", Waivers::faults)
}

/// A file that the committed schema of `name` judges, and then its rules between keys.
fn with_rules<T: DeserializeOwned>(
    file: &str,
    bytes: &[u8],
    name: &str,
    faults: impl Fn(&T) -> Vec<RuleFault>,
) -> Result<Loaded<T>, Vec<Diagnostic>> {
    let schema =
        plain_schema(name).map_err(|fault| vec![Diagnostic::bug(file, fault.to_string())])?;
    let loaded: Loaded<T> = load(file, bytes, &schema)?;
    let found = faults(&loaded.value);
    let more = found.len().saturating_sub(DIAGNOSTICS_MAX);
    let mut broken: Vec<Diagnostic> = found
        .into_iter()
        .take(DIAGNOSTICS_MAX)
        .map(|fault| {
            let name = words::dotted(&fault.pointer);
            loaded
                .document
                .problem(Code::Rule, &fault.pointer, format!("{name} breaks a rule"))
                .seen(&fault.seen)
                .wanted(fault.wanted)
                .help(fault.help)
        })
        .collect();
    if more > 0 {
        let message = format!("{more} more problems are not shown");
        broken.push(Diagnostic::error(Code::More, file, message));
    }
    if broken.is_empty() {
        Ok(loaded)
    } else {
        Err(broken)
    }
}

fn load<T: DeserializeOwned>(
    file: &str,
    bytes: &[u8],
    schema: &Schema,
) -> Result<Loaded<T>, Vec<Diagnostic>> {
    let mut document = Document::parse(file, bytes).map_err(|problem| vec![problem])?;
    numbers::normalise(&mut document, schema);
    let problems = judge::judge(&document, schema);
    if !problems.is_empty() {
        return Err(problems);
    }
    match serde_json::from_value(document.value().clone()) {
        Ok(value) => Ok(Loaded { value, document }),
        Err(error) => Err(vec![Diagnostic::bug(
            file,
            format!("the schema allowed what the type refuses: {error}"),
        )]),
    }
}
