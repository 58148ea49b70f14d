//! `orders_per_minute`: at most so many orders a minute. Exits count, but only entries are stopped.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;
use std::num::NonZeroU32;

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
}
