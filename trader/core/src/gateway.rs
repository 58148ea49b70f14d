//! The order gateway: the only way to the venue.
//!
//! Makes an order of a draft (idempotent id, expiry never past the close), has the safeguards approve
//! it, and asks the most urgent questions once more immediately before the wire. It reserves nothing
//! itself: the engine writes the intent to the ledger before the order leaves.

use crate::ledger::LedgerState;
use crate::manifest::{Manifest, Mode};
use crate::order::{Order, OrderId, Purpose, Side};
use crate::refusal::{Figure, Refusal, Refuser};
use crate::safeguards::{Approved, Gate, GateFacts};
use crate::units::{EpochMs, Outcome, Probability, Shares, StrategyId, TokenId, TokenPrice, Usd};
use crate::window::WindowId;
use crate::wire::LEASE_TTL_MAX_MS;
use serde_json::Value;
use std::collections::BTreeSet;

/// How long an order may rest at the venue, ms; less when its window closes earlier.
pub const ORDER_LIFE_MS: i64 = 10_000;

/// The trading lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Who granted it.
    pub holder: String,
    /// Its end, on the engine's clock.
    pub until: EpochMs,
}

/// An order before it has an id.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The window.
    pub window: WindowId,
    /// The strategy.
    pub strategy: &'a StrategyId,
    /// The token.
    pub token: &'a TokenId,
    /// Its outcome.
    pub outcome: Outcome,
    /// Buy or sell.
    pub side: Side,
    /// Entry or exit.
    pub purpose: Purpose,
    /// Limit price.
    pub price: TokenPrice,
    /// Shares.
    pub shares: Shares,
    /// The most expensive end.
    pub worst_cost: Usd,
    /// What an entry's strategy believes that the token is worth: P(it pays 1). An exit needs none.
    pub fair: Option<Probability>,
    /// Whether the quality gate follows the strategy. An exit is not asked.
    pub is_followed: bool,
    /// An end earlier than the ordinary one, where there is one.
    pub expires_by: Option<EpochMs>,
}

/// What the market shows for a draft.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Age of the oracle price, ms.
    pub oracle_age_ms: Option<i64>,
    /// Age of the token's book, ms.
    pub book_age_ms: Option<i64>,
    /// The price that the collar is laid round: on the side that the draft would take, or (flatten)
    /// the middle of the market.
    pub book_price: Option<TokenPrice>,
}

/// Our clock against the venue's, and when they were compared.
#[derive(Debug, Clone, Copy)]
struct MeasuredClock {
    offset_ms: i64,
    at: EpochMs,
}

/// The gateway.
#[derive(Debug)]
pub struct Gateway {
    gate: Gate,
    mode: Mode,
    lease: Option<Lease>,
    entries_this_tick: u32,
    clock: Option<MeasuredClock>,
    unresolved: BTreeSet<OrderId>,
}

impl Gateway {
    /// A gateway with every safeguard, without a lease. Orders that the ledger has as live belong to
    /// an earlier run and are unresolved.
    pub fn new(manifest: &Manifest, ledger: &LedgerState) -> Self {
        Self::with_gate(Gate::new(manifest), manifest, ledger)
    }

    /// A gateway that lacks one safeguard: for tests that show what happens without it.
    #[cfg(test)]
    pub(crate) fn without(manifest: &Manifest, ledger: &LedgerState, code: &str) -> Self {
        Self::with_gate(Gate::without(manifest, code), manifest, ledger)
    }

    fn with_gate(gate: Gate, manifest: &Manifest, ledger: &LedgerState) -> Self {
        Self {
            gate,
            mode: manifest.mode,
            lease: None,
            entries_this_tick: 0,
            clock: None,
            unresolved: ledger
                .live_orders()
                .map(|state| state.order.id.clone())
                .collect(),
        }
    }

    /// Starts another tick.
    pub const fn begin_tick(&mut self) {
        self.entries_this_tick = 0;
    }

    /// Makes an order of a draft, if every safeguard lets it pass.
    ///
    /// # Errors
    /// The first safeguard's refusal.
    pub fn propose(
        &mut self,
        draft: &Draft<'_>,
        shown: Shown,
        ledger: &LedgerState,
        now: EpochMs,
    ) -> Result<Approved<Order>, Refusal> {
        let facts = GateFacts {
            now,
            ledger,
            oracle_age_ms: shown.oracle_age_ms,
            book_age_ms: shown.book_age_ms,
            book_price: shown.book_price,
            lease_until: self.lease.as_ref().map(|lease| lease.until),
            entries_this_tick: self.entries_this_tick,
            fair: draft.fair,
            is_followed: draft.is_followed,
            clock_offset_ms: self.clock_offset_ms(),
            clock_age_ms: self.clock.map(|clock| now - clock.at),
            unresolved_orders: u32::try_from(self.unresolved.len()).unwrap_or(u32::MAX),
            mode: self.mode,
        };
        let order = Order {
            id: OrderId {
                window: draft.window,
                strategy: draft.strategy.clone(),
                sequence: ledger.next_sequence(draft.window, draft.strategy),
            },
            token: draft.token.clone(),
            outcome: draft.outcome,
            side: draft.side,
            purpose: draft.purpose,
            price: draft.price,
            shares: draft.shares,
            expires_at: draft
                .expires_by
                .unwrap_or(EpochMs(i64::MAX))
                .min(now.plus_ms(ORDER_LIFE_MS))
                .min(draft.window.close()),
            worst_cost: draft.worst_cost,
        };
        let approved = self.gate.approve(order, &facts)?;
        if draft.purpose == Purpose::Entry {
            self.entries_this_tick = self.entries_this_tick.saturating_add(1);
        }
        Ok(approved)
    }

    /// The last question before the wire, at the very moment of sending.
    ///
    /// # Errors
    /// `halted`, `lease` or `expired`, by the wire.
    pub fn may_send(
        &self,
        approved: &Approved<Order>,
        ledger: &LedgerState,
        now: EpochMs,
    ) -> Result<(), Refusal> {
        let refuse = |code, seen, limit| Err(Refusal::new(code, Refuser::Wire, seen, limit));
        let order = approved.get();
        let is_entry = order.purpose == Purpose::Entry;
        // A latch of this very tick counts as well as a commanded halt.
        if let Some(halt) = ledger.halted().filter(|halt| !halt.reduce_only || is_entry) {
            return refuse("halted", Figure::Ms(now - halt.at), Figure::None);
        }
        if is_entry && self.lease_at(now).is_none() {
            let until = self.lease.as_ref().map(|lease| lease.until - now);
            return refuse(
                "lease",
                until.map_or(Figure::None, Figure::Ms),
                Figure::None,
            );
        }
        if now >= order.expires_at {
            return refuse("expired", Figure::Ms(now - order.expires_at), Figure::Ms(0));
        }
        Ok(())
    }

    /// Latches that are due.
    pub fn trips(&self, ledger: &LedgerState, now: EpochMs) -> Option<(&'static str, Refusal)> {
        self.gate.trips(ledger, now)
    }

    /// Takes up or renews the lease.
    ///
    /// # Errors
    /// `halted`, or `lease_too_long` for a life beyond the longest allowed.
    pub fn grant(
        &mut self,
        lease: Lease,
        ledger: &LedgerState,
        now: EpochMs,
    ) -> Result<(), Refusal> {
        let refuse = |code, seen, limit| Err(Refusal::new(code, Refuser::Safeguard, seen, limit));
        if let Some(halt) = ledger.halt() {
            return refuse("halted", Figure::Ms(now - halt.at), Figure::None);
        }
        let longest = i64::try_from(LEASE_TTL_MAX_MS).unwrap_or(0);
        let life = lease.until - now;
        if life > longest {
            return refuse("lease_too_long", Figure::Ms(life), Figure::Ms(longest));
        }
        self.lease = Some(lease);
        Ok(())
    }

    /// Gives up the lease; the one that was held.
    pub const fn withdraw(&mut self) -> Option<Lease> {
        self.lease.take()
    }

    /// The lease, if it is held at `now`.
    pub fn lease_at(&self, now: EpochMs) -> Option<&Lease> {
        self.lease.as_ref().filter(|lease| lease.until > now)
    }

    /// The lease as last granted, even if it has run out.
    pub const fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// Takes a measured clock offset.
    pub const fn measured_clock(&mut self, offset_ms: i64, now: EpochMs) {
        self.clock = Some(MeasuredClock { offset_ms, at: now });
    }

    /// Our clock minus the venue's, when it was measured.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        self.clock.map(|clock| clock.offset_ms)
    }

    /// An order of an earlier run is accounted for.
    pub fn resolve(&mut self, id: &OrderId) {
        self.unresolved.remove(id);
    }

    /// An order that should have ended and has no known end.
    pub fn unresolve(&mut self, id: OrderId) {
        self.unresolved.insert(id);
    }

    /// Orders of an earlier run, and overdue ones of this run, that are not accounted for.
    pub const fn unresolved(&self) -> &BTreeSet<OrderId> {
        &self.unresolved
    }

    /// What is done with approved orders.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The manifest values that the safeguards hold.
    pub fn held(&self) -> Vec<(&'static str, Value)> {
        self.gate.held()
    }
}
