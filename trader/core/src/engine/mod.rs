//! The engine: `step(event)` → commands. The same step runs in tests, replay, dry run, paper and live.
//!
//! Holds no clock and does no I/O: time is in the event; what must be stored, sent and told leaves
//! through [`Commands`], in the order in which the caller must carry it out.

use crate::event::Event;
use crate::ledger::{LedgerState, Record};
use crate::manifest::{Manifest, Mode};
use crate::order::{Order, OrderId};
use crate::refusal::Refusal;
use crate::safeguards::Approved;
use crate::strategy_file::StrategyFile;
use crate::units::{EpochMs, StrategyId, Usd};
use crate::window::WindowId;
use crate::wire::{ComponentHealth, FeedHealth, Halted, LeaseHealth, PositionHealth};
use serde_json::Value;
use std::collections::BTreeMap;

/// What one step asks for. Carry out in this order: persist `records` durably, then send `orders`
/// (each after [`Engine::may_send`]), then `cancels`; `journal` may be written at any time.
#[derive(Debug, Default)]
pub struct Commands {
    /// Records to persist before anything else happens.
    pub records: Vec<Record>,
    /// Orders to send, each approved.
    pub orders: Vec<Approved<Order>>,
    /// Orders to cancel.
    pub cancels: Vec<OrderId>,
    /// Lines of the journal, JSON without line ends.
    pub journal: Vec<String>,
}

impl Commands {
    /// Empties the lists, keeps their memory.
    pub fn clear(&mut self) {
        self.records.clear();
        self.orders.clear();
        self.cancels.clear();
        self.journal.clear();
    }
}

/// A trader that cannot be built from its manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A strategy that no file defines.
    #[error("strategy `{id}` is not defined (known: {known})")]
    UnknownStrategy {
        /// The id in the manifest.
        id: StrategyId,
        /// The ids that exist.
        known: String,
    },
}

/// The trader's decisions.
#[derive(Debug)]
pub struct Engine {
    ledger: LedgerState,
    mode: Mode,
    now: EpochMs,
}

impl Engine {
    /// Builds the trader: every declared value goes to the part that enforces it.
    ///
    /// # Errors
    /// See [`EngineError`]. There is no fallback for anything.
    pub fn new(
        manifest: &Manifest,
        _strategies: &BTreeMap<StrategyId, StrategyFile>,
        ledger: LedgerState,
    ) -> Result<Self, EngineError> {
        Ok(Self {
            ledger,
            mode: manifest.mode,
            now: EpochMs(0),
        })
    }

    /// Takes one event; appends what must be done to `out` (which the caller clears).
    pub fn step(&mut self, event: &Event, _out: &mut Commands) {
        self.now = self.now.max(event.t);
    }

    /// The last question before the wire: lease, halt and expiry again, at the very moment of
    /// sending. When refused, do not send, and feed back an `Order` event with status `Rejected`.
    ///
    /// # Errors
    /// The refusal, with its numbers.
    pub fn may_send(&self, _order: &Approved<Order>, _now: EpochMs) -> Result<(), Refusal> {
        Ok(())
    }

    /// Every effective value by dotted key, from the live instances; keys as in
    /// [`Manifest::flattened`].
    pub fn effective(&self) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    /// Every component instance and its state.
    pub fn components(&self) -> Vec<ComponentHealth> {
        Vec::new()
    }

    /// Ids of the strategies that are alive, counted from instances.
    pub fn strategies(&self) -> Vec<StrategyId> {
        Vec::new()
    }

    /// Time of the newest event.
    pub const fn now(&self) -> EpochMs {
        self.now
    }

    /// What is done with approved orders.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The ledger as the engine believes it.
    pub const fn ledger(&self) -> &LedgerState {
        &self.ledger
    }

    /// The halt or latch in force.
    pub fn halted(&self) -> Option<&Halted> {
        self.ledger.halted()
    }

    /// The lease, if held at `now`.
    pub fn lease(&self, _now: EpochMs) -> Option<LeaseHealth> {
        None
    }

    /// Age of each feed at `now`.
    pub fn feeds(&self, _now: EpochMs) -> Vec<FeedHealth> {
        Vec::new()
    }

    /// Windows that are listed or open.
    pub fn windows(&self) -> Vec<WindowId> {
        Vec::new()
    }

    /// Positions that are not settled.
    pub fn positions(&self, _now: EpochMs) -> Vec<PositionHealth> {
        Vec::new()
    }

    /// USD at stake, in-flight and unknown counted as filled.
    pub fn exposure(&self) -> Usd {
        self.ledger.exposure()
    }

    /// Realised profit and loss of the UTC day.
    pub fn pnl_day(&self, now: EpochMs) -> Usd {
        self.ledger.pnl_day(now)
    }

    /// Orders whose end is not known.
    pub fn open_orders(&self) -> u32 {
        u32::try_from(self.ledger.live_orders().count()).unwrap_or(u32::MAX)
    }

    /// Orders of an earlier run that must be looked up at the venue: no entries until each is
    /// answered by an `Order` or `Fill` event.
    pub fn unresolved(&self) -> Vec<OrderId> {
        Vec::new()
    }

    /// Orders sent in the minute before `now`.
    pub fn orders_last_minute(&self, _now: EpochMs) -> u32 {
        0
    }

    /// Our clock minus the venue's, when it was measured.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        None
    }
}
