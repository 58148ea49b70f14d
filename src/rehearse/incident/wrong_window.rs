//! The window manager returned the current and the next window, and nothing asked whether it had opened.
//!
//! Planted: a market that lists every window an hour before it opens. Right: none of them is entered.

use super::catalogue::market;
use super::{Incident, Outcome};
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "10",
    of: None,
    slug: "wrong-window",
    title: "POSITIONS ENTERED IN WRONG WINDOW",
    planted: "every window is listed, with its book, an hour before it opens",
    command: "launch trade --mode dry-run --manifest manifests/local.toml --feed tape:bad.jsonl",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    market::not_open_yet(scratch)
}
