//! `GET /health` from the loop's newest snapshot, brought up to the instant of the answer.
//!
//! The loop publishes a snapshot after every event; the HTTP side never waits for the loop, so a stuck
//! loop shows as growing ages instead of silence. Must not report a value the loop did not report.

use crate::gate::Gate;
use std::time::Instant;
use trader_core::wire::{Halted, Health};

/// What the loop last said of itself, and when.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The monotonic instant at which `health` was true.
    pub taken: Instant,
    /// The answer at that instant; lease and halt are the gate's word.
    pub health: Health,
}

impl Snapshot {
    /// The answer at `now`: ages grow, closes come nearer, lease and halt are read fresh.
    pub fn at(&self, now: Instant, gate: &Gate) -> Health {
        let elapsed = now.saturating_duration_since(self.taken).as_millis();
        let elapsed_ms = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let mut health = self.health.clone();
        for feed in &mut health.feeds {
            feed.age_ms = feed.age_ms.saturating_add(elapsed_ms);
        }
        for position in &mut health.positions {
            let passed = i64::try_from(elapsed_ms).unwrap_or(i64::MAX);
            position.closes_in_ms = position.closes_in_ms.saturating_sub(passed);
        }
        health.lease = gate.lease_at(now);
        health.halted = stricter(gate.halted(), health.halted);
        health
    }
}

/// A halt that only one side knows of is in force; of two, the one that allows less is shown.
fn stricter(gate: Option<Halted>, engine: Option<Halted>) -> Option<Halted> {
    match (gate, engine) {
        (Some(gate), Some(engine)) if gate.reduce_only && !engine.reduce_only => Some(engine),
        (Some(gate), _) => Some(gate),
        (None, engine) => engine,
    }
}
