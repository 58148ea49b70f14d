//! `opposite_side`: no entry into the other outcome of a window that was entered already: both
//! together cost more than the one dollar that they pay.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;

#[derive(Debug)]
struct OppositeSide;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(OppositeSide)
}

impl Safeguard for OppositeSide {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let opposite = facts
            .ledger
            .entries_in(order.id.window)
            .filter(|entry| entry.order.outcome != order.outcome)
            .count();
        if opposite > 0 {
            let seen = Figure::Count(u64::try_from(opposite).unwrap_or(u64::MAX));
            return Err(refuse("opposite_side", seen, Figure::Count(0)));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
