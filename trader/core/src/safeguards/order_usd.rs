//! `order_usd`: one entry costs at most the declared size, after rounding and with the taker fee.
//!
//! Multiplied anew from shares and price: every other money limit adds up what an order says it costs,
//! so one that says too little is refused as well. 2 USD that became 2.94 by rounding up end here.

use super::{GateFacts, Safeguard, json, refuse};
use crate::fees::{costs_at_most, taker_fee};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::UsdLimit;
use serde_json::Value;

#[derive(Debug)]
struct OrderUsd {
    max: UsdLimit,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(OrderUsd {
        max: manifest.position_size_usd,
    })
}

impl Safeguard for OrderUsd {
    fn judge(&self, order: &Order, _: &GateFacts<'_>) -> Result<(), Refusal> {
        if !costs_at_most(order.shares, order.price, order.worst_cost) {
            let cost = order.shares * order.price + taker_fee(order.shares, order.price);
            let said = Figure::Usd(order.worst_cost);
            return Err(refuse("order_usd", Figure::Usd(cost), said));
        }
        if order.worst_cost > self.max.into() {
            let limit = Figure::Usd(self.max.into());
            return Err(refuse("order_usd", Figure::Usd(order.worst_cost), limit));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("position_size_usd", json(&self.max))]
    }
}
