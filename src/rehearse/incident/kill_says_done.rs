//! The third form of the kill switch: it changed a replica setting, got HTTP 200, and printed "Killed".
//! Nobody looked whether anything had stopped.
//!
//! Planted: the replica setting itself (Railway refuses 0), and a platform that answers `true` to every stop
//! and every remove and does nothing. Right: while the trader lives, nothing is called stopped (exit 7); once the platform
//! does what it says, the same command proves it.

use super::{Incident, Outcome};
use crate::loopback::{Faults, OnCommand, set_faults};
use crate::rehearse::document::{list, text};
use crate::rehearse::life;
use crate::rehearse::running::Running;
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "kill-says-done",
    of: Some("2"),
    slug: "kill-says-done",
    title: "KILL SWITCH, THIRD FORM: HTTP success taken for a stop",
    planted: "the replica setting; then stop, remove and cancel are answered with true and do nothing",
    command: "launch platform faults --set '{\"stop\":\"acknowledged_only\",\"remove\":\"acknowledged_only\"}'; launch kill --env staging",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    life::deploy(scratch)?;
    let setting = Running::of(scratch, "staging")?.set_replicas()?;
    let after_setting = life::living_traders(scratch)?;
    let lying = Faults {
        stop: OnCommand::AcknowledgedOnly,
        remove: OnCommand::AcknowledgedOnly,
        cancel: OnCommand::AcknowledgedOnly,
        ..Faults::default()
    };
    tell(scratch, &lying)?;
    let kill = |deadline| {
        scratch.launch(&[
            "kill",
            "--env",
            "staging",
            "--settle",
            "1",
            "--deadline",
            deadline,
            "--format",
            "json",
        ])
    };
    let believed = kill("5")?;
    let document = believed.json()?;
    let accepted = list(&document, "/targets/0/deployments")
        .iter()
        .filter(|deployment| {
            deployment
                .get("acknowledged_ms")
                .is_some_and(|ms| !ms.is_null())
        })
        .count();
    let before = life::living_traders(scratch)?;
    tell(scratch, &Faults::default())?;
    let proved = kill("30")?.expect(0)?.json()?;
    let after = life::living_traders(scratch)?;
    let refused =
        believed.code == Some(7) && accepted > 0 && after_setting == 1 && before == 1 && after == 0;
    let by = if refused {
        vec!["kill:read_back".to_owned(), "exit:7".to_owned()]
    } else {
        Vec::new()
    };
    let detail = format!(
        "the setting: {setting}, traders alive {after_setting}; {accepted} stop accepted, yet {} (exit {}), \
         alive {before}; with a platform that does it: {}, alive {after}",
        text(&document, "/verdict"),
        believed.code.unwrap_or(-1),
        text(&proved, "/verdict"),
    );
    Ok(Outcome { by, detail })
}

fn tell(scratch: &Scratch, faults: &Faults) -> Result<(), RehearseError> {
    set_faults(&scratch.state(), faults).map_err(|error| RehearseError::Wrong(error.to_string()))
}
