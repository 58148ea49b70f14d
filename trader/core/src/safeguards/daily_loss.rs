//! `daily_loss`: once the UTC day's realised loss reaches the limit, entries stop until a person
//! re-enables. Latched: neither a restart nor midnight opens it.

use super::{GateFacts, Safeguard, json, refuse};
use crate::ledger::LedgerState;
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::{EpochMs, UsdLimit};
use serde_json::Value;

#[derive(Debug)]
struct DailyLoss {
    max: UsdLimit,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(DailyLoss {
        max: manifest.safeguards.max_daily_loss_usd,
    })
}

impl Safeguard for DailyLoss {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let limit = Figure::Usd(self.max.into());
        if facts.ledger.latch("daily_loss").is_some() {
            let seen = Figure::Usd(facts.ledger.loss_day(facts.now));
            return Err(refuse("daily_loss", seen, limit));
        }
        self.trips(facts.ledger, facts.now).map_or(Ok(()), Err)
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_daily_loss_usd", json(&self.max))]
    }

    fn trips(&self, ledger: &LedgerState, now: EpochMs) -> Option<Refusal> {
        let lost = ledger.loss_day(now);
        (lost >= self.max.into()).then(|| {
            refuse(
                "daily_loss",
                Figure::Usd(lost),
                Figure::Usd(self.max.into()),
            )
        })
    }
}
