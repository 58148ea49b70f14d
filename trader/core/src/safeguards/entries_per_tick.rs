//! `entries_per_tick`: at most so many entries caused by one event.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;
use std::num::NonZeroU32;

#[derive(Debug)]
struct EntriesPerTick {
    max: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(EntriesPerTick {
        max: manifest.safeguards.max_entries_per_tick,
    })
}

impl Safeguard for EntriesPerTick {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        if facts.entries_this_tick >= self.max.get() {
            let seen = Figure::Count(facts.entries_this_tick.into());
            return Err(refuse(
                "entries_per_tick",
                seen,
                Figure::Count(self.max.get().into()),
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_entries_per_tick", json(&self.max))]
    }
}
