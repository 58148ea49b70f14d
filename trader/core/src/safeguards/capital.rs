//! `capital`: what was ever lost plus what is at stake, this order included, stays within the capital
//! that was declared. A trader cannot win its way past it nor lose more than it.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::{Usd, UsdLimit};
use serde_json::Value;

#[derive(Debug)]
struct Capital {
    max: UsdLimit,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(Capital {
        max: manifest.max_capital_usd,
    })
}

impl Safeguard for Capital {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let lost = (-facts.ledger.pnl_total()).or_zero();
        let parts = [lost, facts.ledger.exposure(), order.worst_cost];
        if Usd::sum_exceeds(parts, self.max.into()) {
            let after = lost + facts.ledger.exposure() + order.worst_cost;
            return Err(refuse(
                "capital",
                Figure::Usd(after),
                Figure::Usd(self.max.into()),
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("max_capital_usd", json(&self.max))]
    }
}
