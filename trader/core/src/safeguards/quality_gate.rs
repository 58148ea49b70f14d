//! `quality_gate`: no entry of a strategy that the quality gate has shut out, until a person re-enables;
//! none either of one that the gate does not follow.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;

#[derive(Debug)]
struct QualityGate;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(QualityGate)
}

impl Safeguard for QualityGate {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let strategy = &order.id.strategy;
        let closed = facts.ledger.quality_closed(strategy);
        match closed.or_else(|| facts.ledger.latch("quality_gate")) {
            Some(closed) => {
                let since = Figure::Ms(facts.now - closed.at);
                Err(refuse("quality_gate", since, Figure::None))
            }
            None if !facts.is_followed => Err(refuse("quality_gate", Figure::None, Figure::None)),
            None => Ok(()),
        }
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
