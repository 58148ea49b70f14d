//! `open_positions`: at most so many positions at once; an entry in flight or of unknown fate counts.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;
use std::num::NonZeroU32;

#[derive(Debug)]
struct OpenPositions {
    max: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(OpenPositions {
        max: manifest.safeguards.max_open_positions,
    })
}

impl Safeguard for OpenPositions {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let open = u32::try_from(facts.ledger.position_count()).unwrap_or(u32::MAX);
        if open >= self.max.get() {
            let limit = Figure::Count(self.max.get().into());
            return Err(refuse("open_positions", Figure::Count(open.into()), limit));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_open_positions", json(&self.max))]
    }
}
