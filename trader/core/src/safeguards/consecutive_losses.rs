//! `consecutive_losses`: after so many positions in a row ended with a loss, entries stop until a
//! person re-enables. Latched over restarts.

use super::{GateFacts, Safeguard, json, refuse};
use crate::ledger::LedgerState;
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::EpochMs;
use serde_json::Value;
use std::num::NonZeroU32;

#[derive(Debug)]
struct ConsecutiveLosses {
    max: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(ConsecutiveLosses {
        max: manifest.safeguards.max_consecutive_losses,
    })
}

impl ConsecutiveLosses {
    fn refusal(&self, ledger: &LedgerState) -> Refusal {
        let seen = Figure::Count(ledger.losses_in_row().into());
        refuse(
            "consecutive_losses",
            seen,
            Figure::Count(self.max.get().into()),
        )
    }
}

impl Safeguard for ConsecutiveLosses {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        if facts.ledger.latch("consecutive_losses").is_some() {
            return Err(self.refusal(facts.ledger));
        }
        self.trips(facts.ledger, facts.now).map_or(Ok(()), Err)
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_consecutive_losses", json(&self.max))]
    }

    fn trips(&self, ledger: &LedgerState, _: EpochMs) -> Option<Refusal> {
        (ledger.losses_in_row() >= self.max.get()).then(|| self.refusal(ledger))
    }
}
