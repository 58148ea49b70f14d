//! One order with what became of it: what was said of it, and its fills.
//!
//! A set of facts that only grows, from which the phase follows. So the order in which reports come,
//! and how often, does not matter.

use crate::event::Finality;
use crate::order::{Order, Purpose};
use crate::units::{EpochMs, Shares, Usd};
use std::collections::BTreeMap;

/// How far an order has come.
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

/// Something that was said of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    Unknown,
    Accepted,
    Cancelled,
    Withheld,
    Rejected,
}

/// Everything that was said of an order, each word once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Said(u8);

impl Said {
    const fn bit(word: Word) -> u8 {
        match word {
            Word::Unknown => 1,
            Word::Accepted => 2,
            Word::Cancelled => 4,
            Word::Withheld => 8,
            Word::Rejected => 16,
        }
    }

    pub(super) const fn has(self, word: Word) -> bool {
        self.0 & Self::bit(word) != 0
    }

    /// Not to know is no word beside one that tells.
    pub(super) const fn add(self, word: Word) -> Self {
        let all = self.0 | Self::bit(word);
        let telling = all & !Self::bit(Word::Unknown);
        Self(if telling == 0 { all } else { telling })
    }
}

/// One fill; without shares while only its failure is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FillState {
    pub(super) shares: Shares,
    pub(super) gross: Usd,
    pub(super) fee: Usd,
    pub(super) finality: Finality,
}

impl FillState {
    pub(super) fn counts(&self) -> bool {
        self.finality != Finality::Failed && self.shares > Shares::ZERO
    }
}

/// An order with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderState {
    /// The order as intended.
    pub order: Order,
    /// When it was intended.
    pub intended_at: EpochMs,
    /// How far it has come: what follows from all that is known.
    pub phase: OrderPhase,
    /// Shares filled.
    pub filled: Shares,
    pub(super) said: Said,
    pub(super) fills: BTreeMap<String, FillState>,
}

impl OrderState {
    pub(super) const fn new(order: Order, intended_at: EpochMs) -> Self {
        Self {
            order,
            intended_at,
            phase: OrderPhase::Intended,
            filled: Shares::ZERO,
            said: Said(0),
            fills: BTreeMap::new(),
        }
    }

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

    /// What is known of the fill with this id; `None` when nothing is.
    pub fn finality(&self, fill_id: &str) -> Option<Finality> {
        self.fills.get(fill_id).map(|fill| fill.finality)
    }

    /// Whether the shares of the fill with this id are known.
    pub(super) fn has_shares_of(&self, fill_id: &str) -> bool {
        self.fills
            .get(fill_id)
            .is_some_and(|fill| fill.shares > Shares::ZERO)
    }

    /// Fills that count but are not on the chain yet.
    pub fn provisional(&self) -> usize {
        let open = |fill: &&FillState| fill.counts() && fill.finality == Finality::Matched;
        self.fills.values().filter(open).count()
    }

    /// Takes a word; the phase follows.
    pub(super) fn say(&mut self, word: Word) {
        self.said = self.said.add(word);
        self.settle_phase();
    }

    /// The phase and the filled shares, from the facts alone.
    pub(super) fn settle_phase(&mut self) {
        let counting = self.fills.values().filter(|fill| fill.counts());
        self.filled = counting.fold(Shares::ZERO, |sum, fill| sum.plus(fill.shares));
        let said = |word| self.said.has(word);
        let existed = said(Word::Accepted) || self.filled > Shares::ZERO;
        self.phase = if self.filled >= self.order.shares {
            OrderPhase::Filled
        } else if said(Word::Withheld) {
            OrderPhase::Withheld
        } else if said(Word::Cancelled) || (said(Word::Rejected) && existed) {
            // What existed can only have its rest refused: its window's entry stays used.
            OrderPhase::Cancelled
        } else if said(Word::Rejected) {
            OrderPhase::Rejected
        } else if said(Word::Accepted) {
            OrderPhase::Accepted
        } else if said(Word::Unknown) {
            OrderPhase::Unknown
        } else {
            OrderPhase::Intended
        };
    }
}
