//! The safeguards: the only place that can approve an order.
//!
//! One file each, one row each in [`TABLE`]. Every one of them judges every entry; exits are stopped
//! only by what is marked [`Guards::Everything`] (a full halt, a closed window, more than is held, a
//! price off the book).
//! A refusal carries a stable reason code and its numbers.

mod capital;
mod ceilings;
mod clock_offset;
mod consecutive_losses;
mod daily_loss;
mod edge_bounds;
mod entries_per_tick;
mod entry_interval;
mod exposure;
mod halted;
mod lease;
mod open_positions;
mod opposite_side;
mod order_shares;
mod order_usd;
mod orders_per_minute;
mod oversell;
mod price_collar;
mod quality_gate;
mod reconciled;
mod stale_book;
mod stale_oracle;
mod window_once;
mod window_open;

pub use ceilings::{CEILINGS, Ceiling, CeilingError, check_ceilings};

use crate::ledger::LedgerState;
use crate::manifest::{Manifest, Mode};
use crate::order::{Order, Purpose};
use crate::refusal::{Figure, Refusal, Refuser};
use crate::units::{EpochMs, Probability, TokenPrice};
use serde_json::Value;
use std::fmt::Debug;

/// A value that every safeguard has passed. The field is private and nothing outside this module
/// makes one, so nothing else can reach the wire.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    pub const fn get(&self) -> &T {
        &self.0
    }
}

/// What a safeguard judges by.
#[derive(Debug, Clone, Copy)]
pub struct GateFacts<'a> {
    /// Now.
    pub now: EpochMs,
    /// What the ledger knows.
    pub ledger: &'a LedgerState,
    /// Age of the asset's oracle price, ms; `None` without one.
    pub oracle_age_ms: Option<i64>,
    /// Age of the token's book, ms; `None` without one.
    pub book_age_ms: Option<i64>,
    /// The price that the book shows on the side this order would take.
    pub book_price: Option<TokenPrice>,
    /// End of the trading lease, if one is held.
    pub lease_until: Option<EpochMs>,
    /// Entries that this tick has caused already.
    pub entries_this_tick: u32,
    /// What the strategy believes that the token is worth: P(it pays 1).
    pub fair: Option<Probability>,
    /// Whether the quality gate follows the order's strategy.
    pub is_followed: bool,
    /// Our clock minus the venue's, if it was measured.
    pub clock_offset_ms: Option<i64>,
    /// How long ago it was measured, ms.
    pub clock_age_ms: Option<i64>,
    /// Orders of an earlier run whose fate is not known yet.
    pub unresolved_orders: u32,
    /// What is done with approved orders.
    pub mode: Mode,
}

/// Which orders a safeguard stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guards {
    /// Entries; exits pass.
    Entries,
    /// Entries and exits.
    Everything,
}

/// One safeguard with the limits that it holds.
pub trait Safeguard: Debug + Send {
    /// Nothing, when the order may pass.
    ///
    /// # Errors
    /// The refusal with its numbers.
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal>;

    /// The manifest values that it holds, by dotted key, from its own fields.
    fn held(&self) -> Vec<(&'static str, Value)>;

    /// Why entries must stay shut until a person re-enables, if that point is reached. The engine
    /// records it as a latch, so that it survives a restart.
    fn trips(&self, _ledger: &LedgerState, _now: EpochMs) -> Option<Refusal> {
        None
    }
}

/// One safeguard in the table.
#[derive(Debug)]
pub struct Row {
    /// Its reason code.
    pub code: &'static str,
    /// Which orders it stops.
    pub guards: Guards,
    /// Manifest keys that it holds.
    pub holds: &'static [&'static str],
    /// What it prevents.
    pub doc: &'static str,
    build: fn(&Manifest) -> Box<dyn Safeguard>,
}

const fn row(
    code: &'static str,
    guards: Guards,
    holds: &'static [&'static str],
    build: fn(&Manifest) -> Box<dyn Safeguard>,
    doc: &'static str,
) -> Row {
    Row {
        code,
        guards,
        holds,
        doc,
        build,
    }
}

use Guards::{Entries, Everything};

/// Every safeguard there is, in the order in which they judge: cheap and absolute ones first.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("halted", Everything, &[], halted::build, "nothing is sent after a halt, nothing new after a reduce-only"),
    row("window_not_open", Everything, &[], window_open::build, "no order for a window that is not open, none that outlives it"),
    row("oversell", Everything, &[], oversell::build, "no sale of more than is held and not on sale already; nothing bought as an exit"),
    row("lease", Entries, &[], lease::build, "no entry without a trading lease that is held right now"),
    row("unreconciled", Entries, &[], reconciled::build, "no entry while the fate of an earlier run's order, or of an overdue one, is unknown"),
    row("quality_gate", Entries, &[], quality_gate::build, "no entry of a strategy that the quality gate shut out, until a person re-enables"),
    row("window_once", Entries, &["safeguards.max_entries_per_window"], window_once::build, "no stacking of entries in one window"),
    row("opposite_side", Entries, &[], opposite_side::build, "no bet on both outcomes of one window"),
    row("entries_per_tick", Entries, &["safeguards.max_entries_per_tick"], entries_per_tick::build, "no burst of entries on one event"),
    row("entry_interval", Entries, &["safeguards.min_entry_interval_ms"], entry_interval::build, "no rapid re-entry of one asset"),
    row("orders_per_minute", Entries, &["safeguards.max_orders_per_minute"], orders_per_minute::build, "no storm of orders; at the third in an hour, none until a person re-enables"),
    row("open_positions", Entries, &["safeguards.max_open_positions"], open_positions::build, "no more positions at once than declared"),
    row("order_shares", Entries, &["safeguards.max_order_shares"], order_shares::build, "no order larger than declared"),
    row("order_usd", Entries, &["position_size_usd"], order_usd::build, "no entry that costs more than declared after rounding and fee, or than it says"),
    row("exposure", Entries, &["max_exposure_usd"], exposure::build, "no more money at stake at once than declared"),
    row("capital", Entries, &["max_capital_usd"], capital::build, "no more money ever lost and at stake than declared"),
    row("stale_oracle", Entries, &["safeguards.max_oracle_age_ms"], stale_oracle::build, "no entry on an old oracle price"),
    row("stale_book", Entries, &["safeguards.max_book_age_ms"], stale_book::build, "no entry on an old book"),
    row("price_collar", Everything, &["safeguards.price_collar"], price_collar::build, "no price far from the book"),
    row("edge_bounds", Entries, &["edge.min", "edge.max"], edge_bounds::build, "no price far from what the strategy believes, on either side"),
    row("clock_offset", Entries, &["safeguards.max_clock_offset_ms"], clock_offset::build, "no entry on a wrong clock"),
    row("daily_loss", Entries, &["safeguards.max_daily_loss_usd"], daily_loss::build, "no entry after the day's loss limit, until a person re-enables"),
    row("consecutive_losses", Entries, &["safeguards.max_consecutive_losses"], consecutive_losses::build, "no entry after so many losses in a row, until a person re-enables"),
    row("ceiling", Entries, &[], ceilings::build, "nothing beyond the compiled-in ceilings, whatever is declared"),
];

/// The safeguards of one trader, with the limits they hold.
#[derive(Debug)]
pub struct Gate {
    guards: Vec<(&'static Row, Box<dyn Safeguard>)>,
}

impl Gate {
    /// Every safeguard, each with its limits from the manifest.
    pub fn new(manifest: &Manifest) -> Self {
        let guards = TABLE
            .iter()
            .map(|row| (row, (row.build)(manifest)))
            .collect();
        Self { guards }
    }

    /// All but one: for tests that show what happens without it.
    #[cfg(test)]
    pub(crate) fn without(manifest: &Manifest, code: &str) -> Self {
        let mut gate = Self::new(manifest);
        let all = gate.guards.len();
        gate.guards.retain(|(row, _)| row.code != code);
        assert_eq!(gate.guards.len(), all - 1, "no safeguard {code}");
        gate
    }

    /// Judges an order. Only here is an [`Approved`] made.
    ///
    /// # Errors
    /// The first safeguard's refusal.
    pub fn approve(&self, order: Order, facts: &GateFacts<'_>) -> Result<Approved<Order>, Refusal> {
        for (row, guard) in &self.guards {
            if row.guards == Everything || order.purpose == Purpose::Entry {
                guard.judge(&order, facts)?;
            }
        }
        Ok(Approved(order))
    }

    /// Latches that are due: reason code and numbers.
    pub fn trips(&self, ledger: &LedgerState, now: EpochMs) -> Option<(&'static str, Refusal)> {
        self.guards
            .iter()
            .filter(|(row, _)| ledger.latch(row.code).is_none())
            .find_map(|(row, guard)| Some((row.code, guard.trips(ledger, now)?)))
    }

    /// The manifest values that the safeguards hold, by dotted key.
    pub fn held(&self) -> Vec<(&'static str, Value)> {
        self.guards
            .iter()
            .flat_map(|(_, guard)| guard.held())
            .collect()
    }
}

/// A refusal by the safeguard with this code.
const fn refuse(code: &'static str, seen: Figure, limit: Figure) -> Refusal {
    Refusal::new(code, Refuser::Safeguard, seen, limit)
}

/// A typed value as it stands in `effective`.
fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
