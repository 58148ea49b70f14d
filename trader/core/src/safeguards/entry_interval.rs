//! `entry_interval`: at least so long between two entries of one asset, whatever became of the first.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;
use std::num::NonZeroU32;

#[derive(Debug)]
struct EntryInterval {
    min_ms: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(EntryInterval {
        min_ms: manifest.safeguards.min_entry_interval_ms,
    })
}

impl Safeguard for EntryInterval {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let Some(last) = facts.ledger.last_entry(order.id.window.asset()) else {
            return Ok(());
        };
        let since = facts.now - last;
        let wanted = i64::from(self.min_ms.get());
        if since < wanted {
            return Err(refuse(
                "entry_interval",
                Figure::Ms(since),
                Figure::Ms(wanted),
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.min_entry_interval_ms", json(&self.min_ms))]
    }
}
