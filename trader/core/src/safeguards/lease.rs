//! `lease`: an entry needs a trading lease that is held at this very moment. Silence stops entries.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;

#[derive(Debug)]
struct Lease;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(Lease)
}

impl Safeguard for Lease {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        match facts.lease_until {
            Some(until) if until > facts.now => Ok(()),
            Some(until) => Err(refuse("lease", Figure::Ms(until - facts.now), Figure::None)),
            None => Err(refuse("lease", Figure::None, Figure::None)),
        }
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
