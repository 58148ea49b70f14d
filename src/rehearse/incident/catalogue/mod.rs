//! The catalogue of faults beyond the report's own: each one was made somewhere, once, by somebody, and is
//! planted here one at a time; two rows plant many of them together, and each must still be found.
//!
//! One file per place where a fault sits; a row is a title, what is planted, what must refuse it and what a
//! person types to see it. A row that nothing refuses is exit 1.

pub(super) mod deploy;
mod git;
mod kill;
mod manifest;
pub(super) mod market;
mod together;

use super::{Incident, Outcome};
use crate::rehearse::document::{list, text};
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};
use serde_json::Value;

/// Every row, by the place where its fault sits; a place is planted whole by its name.
pub(super) const PLACES: &[(&str, &[Incident])] = &[
    ("git", git::ROWS),
    ("manifest", manifest::ROWS),
    ("market", market::ROWS),
    ("kill", kill::ROWS),
    ("deploy", deploy::ROWS),
    ("together", together::ROWS),
];

type Done = Result<(), RehearseError>;

/// A row whose id is its slug.
const fn row(
    slug: &'static str,
    title: &'static str,
    planted: &'static str,
    command: &'static str,
    plant: fn(&mut Scratch) -> Result<Outcome, RehearseError>,
) -> Incident {
    Incident {
        id: slug,
        of: None,
        slug,
        title,
        planted,
        command,
        plant,
    }
}

/// Scaffolds, plants, commits, pushes, judges: a fault that is in the commit.
pub(super) fn in_the_commit(
    scratch: &mut Scratch,
    env: &str,
    wanted: &[&str],
    plant: fn(&Scratch) -> Done,
) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    plant(scratch)?;
    life::commit_and_push(scratch)?;
    judged(scratch, env, wanted)
}

/// Scaffolds, commits, pushes, plants, judges: a fault between the commit and the disk or the remote.
fn after_the_push(
    scratch: &mut Scratch,
    env: &str,
    wanted: &[&str],
    plant: fn(&Scratch) -> Done,
) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    plant(scratch)?;
    judged(scratch, env, wanted)
}

/// Judges HEAD; refused when the verdict is not pass and every wanted check is among the reasons.
fn judged(scratch: &Scratch, env: &str, wanted: &[&str]) -> Result<Outcome, RehearseError> {
    let ran = scratch.launch(&["preflight", "--env", env, "--format", "json"])?;
    let report = ran.json()?;
    let refusing: Vec<&Value> = list(&report, "/checks")
        .iter()
        .filter(|check| matches!(text(check, "/status"), "fail" | "unknown"))
        .collect();
    let of = |code: &str| refusing.iter().find(|check| text(check, "/code") == code);
    let is_refused =
        matches!(ran.code, Some(1 | 3)) && wanted.iter().all(|code| of(code).is_some());
    let by = if is_refused {
        wanted.iter().map(|code| format!("check:{code}")).collect()
    } else {
        Vec::new()
    };
    let said = wanted.iter().map(|code| {
        of(code).map_or_else(
            || format!("{code} did not refuse"),
            |check| first_words(check),
        )
    });
    Ok(Outcome {
        by,
        detail: said.collect::<Vec<_>>().join("; "),
    })
}

/// What a check saw first, else why it ended so: one line.
fn first_words(check: &Value) -> String {
    let seen = check.pointer("/evidence/seen/0").and_then(Value::as_str);
    let words = seen.unwrap_or_else(|| text(check, "/message"));
    words.lines().next().unwrap_or_default().to_owned()
}

/// A row that is refused by `by` when `holds`.
pub(super) fn when(holds: bool, by: &[&str], detail: String) -> Outcome {
    let by = if holds {
        by.iter().map(|by| (*by).to_owned()).collect()
    } else {
        Vec::new()
    };
    Outcome { by, detail }
}
