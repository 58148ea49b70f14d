//! "STOP THE SERVICE … DO IT RIGHT NOW", and nothing stopped: the kill wanted a terminal, a local file and
//! a platform that keeps its word.
//!
//! Planted: a running trader on a platform that acknowledges every stop and does nothing, and a kill
//! without terminal, stdin, repository or manifest. Right: the process is gone, proved by the operating
//! system, and the kill said so only then.

use super::{Incident, Outcome};
use crate::loopback::{Faults, OnCommand, set_faults};
use crate::rehearse::document::{list, text};
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "2",
    of: None,
    slug: "kill-did-not-work",
    title: "KILL SWITCH DID NOT WORK",
    planted: "a platform that acknowledges every stop and does nothing; no terminal, no repository, no manifest",
    command: "launch kill --env staging < /dev/null",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    life::deploy(scratch)?;
    let before = life::living_traders(scratch)?;
    let faults = Faults {
        stop: OnCommand::AcknowledgedOnly,
        ..Faults::default()
    };
    set_faults(&scratch.state(), &faults)
        .map_err(|error| RehearseError::Wrong(error.to_string()))?;
    scratch.lose_project()?;
    let ran = scratch.launch(&[
        "kill", "--env", "staging", "--settle", "2", "--format", "json",
    ])?;
    let document = ran.expect(0)?.json()?;
    let after = life::living_traders(scratch)?;
    let proved = text(&document, "/verdict") == "verified" && before > 0 && after == 0;
    let actions: Vec<&str> = list(&document, "/targets/0/deployments")
        .iter()
        .map(|deployment| text(deployment, "/action"))
        .collect();
    let by = if proved {
        vec!["kill:escalated".to_owned(), "kill:witness".to_owned()]
    } else {
        Vec::new()
    };
    let detail = format!(
        "{}; actions: {}; traders alive before {before}, after {after}",
        life::kill_figures(&document),
        actions.join(", ")
    );
    Ok(Outcome { by, detail })
}
