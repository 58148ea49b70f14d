//! `orders_per_minute`: at most so many orders a minute. Exits count, but only entries are stopped.
//!
//! Being throttled again and again is no busy market but a loop: at the third time in an hour entries
//! stop until a person re-enables (the regulators' repeated-execution throttle). Latched over restarts.

use super::{GateFacts, Safeguard, json, refuse};
use crate::ledger::LedgerState;
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::EpochMs;
use serde_json::Value;
use std::num::NonZeroU32;

/// Throttled minutes in an hour that make a loop.
pub(crate) const THROTTLES_MAX: u32 = 3;

#[derive(Debug)]
struct OrdersPerMinute {
    max: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(OrdersPerMinute {
        max: manifest.safeguards.max_orders_per_minute,
    })
}

impl Safeguard for OrdersPerMinute {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        if facts.ledger.latch("orders_per_minute").is_some() {
            let seen = Figure::Count(facts.ledger.throttles_last_hour(facts.now).into());
            return Err(refuse(
                "orders_per_minute",
                seen,
                Figure::Count(THROTTLES_MAX.into()),
            ));
        }
        let seen = facts.ledger.orders_last_minute(facts.now);
        if seen >= self.max.get() {
            let limit = Figure::Count(self.max.get().into());
            return Err(refuse(
                "orders_per_minute",
                Figure::Count(seen.into()),
                limit,
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_orders_per_minute", json(&self.max))]
    }

    fn trips(&self, ledger: &LedgerState, now: EpochMs) -> Option<Refusal> {
        let seen = ledger.throttles_last_hour(now);
        (seen >= THROTTLES_MAX).then(|| {
            refuse(
                "orders_per_minute",
                Figure::Count(seen.into()),
                Figure::Count(THROTTLES_MAX.into()),
            )
        })
    }
}
