//! One field meant three things; the model got dollars where it wanted a probability, and the report's own
//! "correct" was wrong, too: the token's price is never S.
//!
//! Planted: the token's price in the place of the oracle's dollars, in a market that trades when it is whole.
//! Right: the market view refuses it and nothing is entered.

use super::catalogue::market;
use super::{Incident, Outcome};
use crate::rehearse::scratch::{RehearseError, Scratch};

pub(super) const INCIDENT: Incident = Incident {
    id: "5",
    of: None,
    slug: "wrong-price",
    title: "WRONG PRICE PASSED TO MODEL",
    planted: "every oracle price is a token's, 0.72",
    command: "launch trade --mode dry-run --manifest manifests/local.toml --feed tape:bad.jsonl",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    let mut refused = market::token_price_as_s(scratch)?;
    if !refused.by.is_empty() {
        refused.by.push("type:OraclePrice".to_owned());
    }
    Ok(refused)
}
