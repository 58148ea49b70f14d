//! `unreconciled`: no entry until every order of an earlier run, and every one that should have ended
//! long ago, is accounted for.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;

#[derive(Debug)]
struct Reconciled;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(Reconciled)
}

impl Safeguard for Reconciled {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        if facts.unresolved_orders > 0 {
            let seen = Figure::Count(facts.unresolved_orders.into());
            return Err(refuse("unreconciled", seen, Figure::Count(0)));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
