//! `halted`: after a halt nothing is sent; after a reduce-only (or a latch) nothing new is.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::{Order, Purpose};
use crate::refusal::{Figure, Refusal};
use serde_json::Value;

#[derive(Debug)]
struct NotHalted;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(NotHalted)
}

impl Safeguard for NotHalted {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        match facts.ledger.halt() {
            Some(halt) if !halt.reduce_only || order.purpose == Purpose::Entry => Err(refuse(
                "halted",
                Figure::Ms(facts.now - halt.at),
                Figure::None,
            )),
            _ => Ok(()),
        }
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
