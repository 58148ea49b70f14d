//! `price_collar`: an order's price is near the price that the book shows. Holds for exits too: they
//! are priced at the book, so the collar stops only a price that came from somewhere else.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::{PriceGap, order as order_of};
use serde_json::Value;
use std::cmp::Ordering;

#[derive(Debug)]
struct PriceCollar {
    max: PriceGap,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(PriceCollar {
        max: manifest.safeguards.price_collar,
    })
}

impl Safeguard for PriceCollar {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let limit = Figure::Decimal(self.max.get());
        let Some(shown) = facts.book_price else {
            return Err(refuse("price_collar", Figure::None, limit));
        };
        let gap = (order.price.get() - shown.get()).abs();
        if order_of(gap, self.max.get()) == Ordering::Greater {
            return Err(refuse("price_collar", Figure::Decimal(gap), limit));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.price_collar", json(&self.max))]
    }
}
