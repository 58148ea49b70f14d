//! The window manager returned `token_id_up` and `token_id_down`; the orchestrator looked for `token_id`, and the
//! order book was asked for `undefined`.
//!
//! Planted: every window of a tape under the orchestrator's name of the field. Right: one error that names the
//! line; there is no token id that is not there.

use super::catalogue::market;
use super::{Incident, Outcome};
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "7",
    of: None,
    slug: "token-id-field",
    title: "TOKEN ID FIELD NAME MISMATCH",
    planted: "\"token_id\" where a window has \"up\" and \"down\"",
    command: "launch trade --mode dry-run --manifest manifests/local.toml --feed tape:bad.jsonl",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    market::without_token_ids(scratch)
}
