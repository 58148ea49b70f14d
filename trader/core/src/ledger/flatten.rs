//! A flatten in the ledger: who asked, until when, and what was held when it began.
//!
//! Part of the fold: a restarted trader goes on within the original bound, or finds it lapsed.

use super::{LedgerState, PositionKey};
use crate::units::{EpochMs, Shares, Usd};
use crate::wire::Halted;
use std::collections::BTreeMap;

/// An order to sell what is held, with what was held when it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flatten {
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was recorded.
    pub since: EpochMs,
    /// The instant after which nothing more is sold.
    pub ends_at: EpochMs,
    /// How it ended, once it has.
    pub ended: Option<FlattenEnd>,
    /// Every position of a window that was not settled, as it stood then.
    pub before: BTreeMap<PositionKey, HeldBefore>,
}

/// How a flatten ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlattenEnd {
    /// When.
    pub at: EpochMs,
    /// Whether nothing was left that could be sold.
    pub done: bool,
}

/// A position as it stood when the flatten was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBefore {
    /// Shares held.
    pub held: Shares,
    /// Shares sold until then.
    pub sold: Shares,
    /// What those had brought.
    pub proceeds: Usd,
}

impl LedgerState {
    /// The flatten, from its order to the next re-enable.
    pub const fn flatten(&self) -> Option<&Flatten> {
        self.flatten.as_ref()
    }

    /// The flatten, while it sells.
    pub fn selling(&self) -> Option<&Flatten> {
        self.flatten
            .as_ref()
            .filter(|flatten| flatten.ended.is_none())
    }

    /// A full halt is never softened, and a second order to sell never moves the first one's end.
    pub(super) fn begin_flatten(&mut self, by: &str, reason: &str, ends_at: EpochMs, t: EpochMs) {
        let is_fully_halted = self.halt.as_ref().is_some_and(|halt| !halt.reduce_only);
        if is_fully_halted || self.selling().is_some() {
            return;
        }
        self.halt = Some(Halted {
            by: by.to_owned(),
            reason: reason.to_owned(),
            reduce_only: true,
            at: t,
        });
        let before = self.positions_before();
        self.flatten = Some(Flatten {
            by: by.to_owned(),
            reason: reason.to_owned(),
            since: t,
            ends_at,
            ended: None,
            before,
        });
    }

    /// The end of the selling is a full halt.
    pub(super) fn end_flatten(&mut self, done: bool, t: EpochMs) {
        let Some(flatten) = self.flatten.as_mut().filter(|f| f.ended.is_none()) else {
            return;
        };
        flatten.ended = Some(FlattenEnd { at: t, done });
        let how = if done {
            "flatten done"
        } else {
            "flatten lapsed"
        };
        self.halt = Some(Halted {
            by: flatten.by.clone(),
            reason: format!("{how}: {}", flatten.reason),
            reduce_only: false,
            at: t,
        });
    }

    fn positions_before(&self) -> BTreeMap<PositionKey, HeldBefore> {
        let open = self
            .windows
            .iter()
            .filter(|(_, book)| book.outcome.is_none());
        open.flat_map(|(window, book)| {
            book.positions
                .iter()
                .map(|((strategy, outcome), position)| {
                    let key = PositionKey {
                        window: *window,
                        strategy: strategy.clone(),
                        outcome: *outcome,
                    };
                    let before = HeldBefore {
                        held: position.held(),
                        sold: position.sold,
                        proceeds: position.proceeds,
                    };
                    (key, before)
                })
        })
        .collect()
    }
}
