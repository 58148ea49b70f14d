//! One order with what became of it.

use crate::order::{Order, Purpose};
use crate::units::{EpochMs, Shares, Usd};
use std::collections::BTreeSet;

/// How far an order has come. Later ones replace earlier ones, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderPhase {
    /// Reserved; perhaps on the wire.
    Intended,
    /// Nobody knows; counts as filled.
    Unknown,
    /// The venue has it.
    Accepted,
    /// Every share filled.
    Filled,
    /// The rest will never fill.
    Cancelled,
    /// Not sent on purpose.
    Withheld,
    /// It never existed at the venue.
    Rejected,
}

impl OrderPhase {
    /// Whether it may still fill: its reservation stands.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Intended | Self::Unknown | Self::Accepted)
    }
}

/// An order with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderState {
    /// The order as intended.
    pub order: Order,
    /// When it was intended.
    pub intended_at: EpochMs,
    /// How far it has come.
    pub phase: OrderPhase,
    /// Shares filled.
    pub filled: Shares,
    pub(super) fill_ids: BTreeSet<String>,
}

impl OrderState {
    /// Shares that may still fill.
    pub fn unfilled(&self) -> Shares {
        self.order
            .shares
            .checked_sub(self.filled)
            .unwrap_or(Shares::ZERO)
    }

    /// USD that must be held ready for what may still fill.
    pub fn reserved(&self) -> Usd {
        if !self.phase.is_live() || self.order.purpose == Purpose::Exit {
            return Usd::ZERO;
        }
        let part = self
            .order
            .worst_cost
            .get()
            .checked_mul(self.unfilled().get())
            .and_then(|product| product.checked_div(self.order.shares.get()));
        part.map_or(self.order.worst_cost, Usd::new)
    }

    /// Whether the fill with this id has been counted.
    pub fn has_fill(&self, fill_id: &str) -> bool {
        self.fill_ids.contains(fill_id)
    }
}
