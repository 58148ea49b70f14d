//! The manifest named `probability-model`; the file called itself "Probability Model Only"; the system fell
//! back to another strategy without a word.
//!
//! Planted: the manifest names the label instead of the id. Right: refused, with the id that was meant.

use super::{Incident, Outcome, refusing_checks, seen};
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "3",
    of: None,
    slug: "names-did-not-match",
    title: "STRATEGY NAMES DIDN'T MATCH",
    planted: "manifests/local.toml names the strategy by its label, \"Probability Model Only\"",
    command: "launch preflight --env local",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    scratch.replace(
        "manifests/local.toml",
        "\"probability-model\"",
        "\"Probability Model Only\"",
    )?;
    life::commit_and_push(scratch)?;
    let ran = scratch.launch(&["preflight", "--env", "local", "--format", "json"])?;
    let report = ran.expect(1)?.json()?;
    let by: Vec<String> = refusing_checks(&report)
        .into_iter()
        .filter(|check| check == "check:LC-201" || check == "check:LC-202")
        .collect();
    let detail = seen(&report, "LC-202").to_owned();
    Ok(Outcome { by, detail })
}
