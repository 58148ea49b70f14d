//! `order_shares`: at most so many shares in one entry.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::Shares;
use serde_json::Value;

#[derive(Debug)]
struct OrderShares {
    max: Shares,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(OrderShares {
        max: manifest.safeguards.max_order_shares,
    })
}

impl Safeguard for OrderShares {
    fn judge(&self, order: &Order, _: &GateFacts<'_>) -> Result<(), Refusal> {
        if order.shares > self.max {
            let seen = Figure::Decimal(order.shares.get());
            return Err(refuse(
                "order_shares",
                seen,
                Figure::Decimal(self.max.get()),
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_order_shares", json(&self.max))]
    }
}
