//! `exposure`: what is at stake, this order's worst case included, stays within the limit. Orders in
//! flight and of unknown fate count as filled.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::{Usd, UsdLimit};
use serde_json::Value;

#[derive(Debug)]
struct Exposure {
    max: UsdLimit,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(Exposure {
        max: manifest.max_exposure_usd,
    })
}

impl Safeguard for Exposure {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let parts = [facts.ledger.exposure(), order.worst_cost];
        if Usd::sum_exceeds(parts, self.max.into()) {
            let after = facts.ledger.exposure() + order.worst_cost;
            return Err(refuse(
                "exposure",
                Figure::Usd(after),
                Figure::Usd(self.max.into()),
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("max_exposure_usd", json(&self.max))]
    }
}
