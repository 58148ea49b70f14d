//! `GET /health` from the loop's newest snapshot, brought up to the instant of the answer.
//!
//! The loop publishes a snapshot a few times a second; the HTTP side never waits for the loop, so a
//! stuck loop shows as growing ages instead of silence. Effective values, strategies and components
//! come from the engine that runs, never from the file it was built from.

use crate::gate::Gate;
use std::time::Instant;
use trader_core::engine::Engine;
use trader_core::manifest::Mode;
use trader_core::units::EpochMs;
use trader_core::wire::{Halted, Health, InstanceState, VenueHealth};

/// What does not change while the process lives.
#[derive(Debug, Clone)]
pub struct Program {
    /// Version of the program.
    pub trader_version: String,
    /// Commit that it was built from.
    pub build_commit: String,
    /// Commit that the platform says it deployed.
    pub platform_commit: Option<String>,
    /// The platform's deployment id.
    pub deployment_id: Option<String>,
    /// Random at each start.
    pub instance_nonce: String,
    /// sha256 of the running executable.
    pub trader_sha256: String,
    /// Digest of manifest and strategies.
    pub manifest_digest: String,
    /// The feed, with the label of a planted fault.
    pub feed: String,
    /// What is done with approved orders.
    pub mode: Mode,
}

/// What the loop last said of itself, and when.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The monotonic instant at which `health` was true.
    pub taken: Instant,
    /// The answer at that instant; lease and halt are the gate's word.
    pub health: Health,
}

/// What the engine says of itself at `now`.
pub fn describe(
    program: &Program,
    engine: &Engine,
    state: InstanceState,
    errors_last_minute: u32,
    now: EpochMs,
) -> Health {
    Health {
        trader_version: program.trader_version.clone(),
        build_commit: program.build_commit.clone(),
        platform_commit: program.platform_commit.clone(),
        deployment_id: program.deployment_id.clone(),
        instance_nonce: program.instance_nonce.clone(),
        state,
        trader_sha256: program.trader_sha256.clone(),
        manifest_digest: program.manifest_digest.clone(),
        effective: engine.effective(),
        feed: program.feed.clone(),
        venue: VenueHealth::default(),
        mode: engine.mode(),
        strategies: engine
            .strategies()
            .iter()
            .map(ToString::to_string)
            .collect(),
        components: engine.components(),
        lease: None,
        halted: engine.halted().cloned(),
        closed_strategies: engine
            .ledger()
            .closed_strategies()
            .iter()
            .map(|(id, closed)| (id.to_string(), closed.clone()))
            .collect(),
        flatten: engine.flatten(now),
        feeds: engine.feeds(now),
        last_tick_at: rfc3339(engine.now()),
        windows: engine.windows().iter().map(ToString::to_string).collect(),
        open_orders: engine.open_orders(),
        positions: engine.positions(now),
        exposure_usd: engine.exposure(),
        pnl_day_usd: engine.pnl_day(now),
        orders_last_minute: engine.orders_last_minute(now),
        errors_last_minute,
        clock_offset_ms: engine.clock_offset_ms(),
    }
}

/// RFC 3339 UTC; `None` before the first event.
fn rfc3339(at: EpochMs) -> Option<String> {
    let stamp = jiff::Timestamp::from_millisecond(at.0).ok()?;
    (at.0 > 0).then(|| stamp.to_string())
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
            position.seconds_to_settlement = position.closes_in_ms.div_euclid(1_000);
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
