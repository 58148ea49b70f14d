//! `halted`: after a halt nothing is sent; after a reduce-only nothing new is.
//!
//! A latch is refused by the safeguard that set it, with its own numbers; one whose safeguard this
//! program does not have (a newer program set it) is refused here.

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
            _ if order.purpose == Purpose::Exit => Ok(()),
            _ => match facts.ledger.foreign_latch() {
                Some(latch) => Err(refuse(
                    "halted",
                    Figure::Ms(facts.now - latch.at),
                    Figure::None,
                )),
                None => Ok(()),
            },
        }
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
