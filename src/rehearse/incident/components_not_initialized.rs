//! `component.module.evaluate()` was called before `component.module.init()`, and the failure was a log line.
//!
//! Planted: a manifest that leaves no time to warm up. Right: refused before any deploy, by the component that is
//! not ready. To call `evaluate` on what is not ready does not compile.

use super::catalogue::in_the_commit;
use super::{Incident, Outcome};
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "4",
    of: None,
    slug: "components-not-initialized",
    title: "COMPONENTS NOT INITIALIZED",
    planted: "one second of warm-up for a volatility that needs two minutes",
    command: "launch preflight --env local",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    let mut refused = in_the_commit(scratch, "local", &["LC-301"], |scratch| {
        scratch.replace(
            "manifests/local.toml",
            "warm_up_secs = 120",
            "warm_up_secs = 1",
        )
    })?;
    if !refused.by.is_empty() {
        refused.by.push("type:Ready".to_owned());
    }
    Ok(refused)
}
