//! What the engine says of itself: effective values from the parts that hold them, states, figures.

use super::{Engine, Tally};
use crate::ledger::LedgerState;
use crate::manifest::Mode;
use crate::order::OrderId;
use crate::strategy::StrategyInstance;
use crate::units::{EpochMs, StrategyId, Usd};
use crate::window::{WindowId, WindowLength};
use crate::wire::{ComponentHealth, FeedHealth, Halted, LeaseHealth, PositionHealth};
use serde_json::Value;
use std::collections::BTreeMap;

impl Engine {
    /// Every effective value by dotted key, from the live instances and safeguards that hold it; keys
    /// as in [`Manifest::flattened`](crate::manifest::Manifest::flattened). A key on which two
    /// instances differ is left out, so that the comparison with the declared values shows it.
    pub fn effective(&self) -> BTreeMap<String, Value> {
        let mut values: BTreeMap<String, Value> = BTreeMap::new();
        let mut differing: Vec<String> = Vec::new();
        let own = [
            ("schema_version", self.schema_version.into()),
            ("mode", json(&self.gateway.mode())),
            ("strategies", json(&self.strategies())),
            (
                "assets",
                json(&unique(self.strategies.iter().map(StrategyInstance::asset))),
            ),
            (
                "window.durations_mins",
                self.market
                    .lengths()
                    .iter()
                    .map(|l| WindowLength::mins(*l))
                    .collect(),
            ),
            ("exit.flatten_secs", json(&self.flatten_secs)),
        ];
        let instances = self.strategies.iter();
        let components = instances.flat_map(|instance| instance.held(&self.analyses));
        for (key, value) in own.into_iter().chain(self.gateway.held()).chain(components) {
            match values.get(key) {
                Some(known) if *known != value => differing.push(key.to_owned()),
                _ => {
                    values.insert(key.to_owned(), value);
                }
            }
        }
        for key in differing {
            values.remove(&key);
        }
        values
    }

    /// Every component instance and its state.
    pub fn components(&self) -> Vec<ComponentHealth> {
        self.strategies
            .iter()
            .flat_map(|instance| instance.components(&self.analyses))
            .collect()
    }

    /// Whether every component of every strategy is ready.
    pub fn is_ready(&self) -> bool {
        self.strategies.iter().all(StrategyInstance::is_ready)
    }

    /// Ids of the strategies that are alive, counted from instances.
    pub fn strategies(&self) -> Vec<StrategyId> {
        unique(self.strategies.iter().map(|instance| instance.id().clone()))
    }

    /// Every strategy instance, for checks that ask its parts one by one.
    pub fn instances(&self) -> &[StrategyInstance] {
        &self.strategies
    }

    /// Time of the newest event.
    pub const fn now(&self) -> EpochMs {
        self.now
    }

    /// What is done with approved orders.
    pub const fn mode(&self) -> Mode {
        self.gateway.mode()
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
    pub fn lease(&self, now: EpochMs) -> Option<LeaseHealth> {
        self.gateway.lease_at(now).map(|lease| LeaseHealth {
            holder: lease.holder.clone(),
            expires_in_ms: u64::try_from(lease.until - now).unwrap_or(0),
        })
    }

    /// Age of each feed at `now`.
    pub fn feeds(&self, now: EpochMs) -> Vec<FeedHealth> {
        self.market.feeds(now)
    }

    /// Windows that are listed or open.
    pub fn windows(&self) -> Vec<WindowId> {
        self.market.listed(self.now)
    }

    /// Positions that are not settled.
    pub fn positions(&self, now: EpochMs) -> Vec<PositionHealth> {
        self.ledger
            .open_positions()
            .map(|(key, position)| PositionHealth {
                window: key.window.to_string(),
                token: self
                    .ledger
                    .token_of(&key)
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                outcome: key.outcome.to_string(),
                shares: position.held(),
                cost_usd: position.held_cost(),
                worst_loss_usd: position.held_cost(),
                avg_cost: position.average_cost(),
                last_bid: self.last_bid(&key),
                seconds_to_settlement: (key.window.close() - now).div_euclid(1_000),
                closes_in_ms: key.window.close() - now,
            })
            .collect()
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
        self.gateway.unresolved().iter().cloned().collect()
    }

    /// Orders intended in the minute before `now`.
    pub fn orders_last_minute(&self, now: EpochMs) -> u32 {
        self.ledger.orders_last_minute(now)
    }

    /// Our clock minus the venue's, when it was measured.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        self.gateway.clock_offset_ms()
    }

    /// What it did so far, in figures.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }
}

fn unique<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
