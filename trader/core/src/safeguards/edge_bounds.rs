//! `edge_bounds`: the collar round the model. What the strategy believes the token is worth, less price
//! and taker fee, lies between the declared bounds.
//!
//! Reckoned anew from the belief and the order's own price, so that a component that reports another
//! edge, or prices the order elsewhere, ends here. No belief, no entry.

use super::{GateFacts, Safeguard, json, refuse};
use crate::fees::TAKER_FEE_RATE_F64;
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::{PriceGap, to_float};
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::Value;

#[derive(Debug)]
struct EdgeBounds {
    min: PriceGap,
    max: PriceGap,
    /// The same bounds for the model's arithmetic; one that is no float bounds everything out.
    floats: (f64, f64),
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    let (min, max) = (manifest.edge.min, manifest.edge.max);
    let floats = (
        min.get().to_f64().unwrap_or(f64::INFINITY),
        max.get().to_f64().unwrap_or(f64::NEG_INFINITY),
    );
    Box::new(EdgeBounds { min, max, floats })
}

impl Safeguard for EdgeBounds {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let (min, max) = self.floats;
        let (Some(fair), Some(price)) = (facts.fair, to_float(order.price.get())) else {
            return Err(refuse("edge_bounds", Figure::None, Figure::Real(min)));
        };
        let edge = fair.get() - price - TAKER_FEE_RATE_F64 * price * (1.0 - price);
        if edge >= min && edge <= max {
            return Ok(());
        }
        let limit = if edge > max { max } else { min };
        Err(refuse(
            "edge_bounds",
            Figure::Real(edge),
            Figure::Real(limit),
        ))
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("edge.min", json(&self.min)), ("edge.max", json(&self.max))]
    }
}
