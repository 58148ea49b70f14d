//! `window_once`: at most so many entries into one window, over all strategies.
//!
//! Counts what was intended, not what was confirmed: an entry that could not be recorded was how one
//! window was entered on every tick.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;
use std::num::NonZeroU32;

#[derive(Debug)]
struct WindowOnce {
    max: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(WindowOnce {
        max: manifest.safeguards.max_entries_per_window,
    })
}

impl Safeguard for WindowOnce {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let used = facts.ledger.entries_in(order.id.window).count();
        let used = u32::try_from(used).unwrap_or(u32::MAX);
        if used >= self.max.get() {
            let limit = Figure::Count(self.max.get().into());
            return Err(refuse("window_once", Figure::Count(used.into()), limit));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_entries_per_window", json(&self.max))]
    }
}
