//! `oversell`: a sale is of shares that are held and not on sale already, and an exit is a sale. A sale
//! in flight or of unknown fate counts as filled, so a second one can never sell the same shares.
//!
//! Entries are bought and exits are sold: an order that says otherwise would slip past the limits on
//! entries.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::{Order, Purpose, Side};
use crate::refusal::{Figure, Refusal};
use crate::units::Shares;
use serde_json::Value;

#[derive(Debug)]
struct Oversell;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(Oversell)
}

impl Safeguard for Oversell {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let may_sell = match (order.purpose, order.side) {
            (Purpose::Entry, Side::Buy) => return Ok(()),
            (Purpose::Exit, Side::Sell) => {
                let id = &order.id;
                facts
                    .ledger
                    .sellable(id.window, &id.strategy, order.outcome)
            }
            (Purpose::Entry, Side::Sell) | (Purpose::Exit, Side::Buy) => Shares::ZERO,
        };
        if order.shares > may_sell || order.shares == Shares::ZERO {
            let seen = Figure::Decimal(order.shares.get());
            return Err(refuse("oversell", seen, Figure::Decimal(may_sell.get())));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
