//! A tick's decisions: exits first, then entries, each through the gateway.
//!
//! A decision is journalled only when it differs from the same strategy's last one in that window.

use super::{Commands, Engine};
use crate::components::MIN_SHARES;
use crate::gateway::{Draft, Shown};
use crate::journal::Line;
use crate::ledger::RecordBody;
use crate::manifest::Mode;
use crate::order::{Order, OrderId, Purpose, Side};
use crate::refusal::{Figure, Refusal, Refuser, is_code};
use crate::safeguards::Approved;
use crate::strategy::{Proposal, StrategyInstance, Word};
use crate::units::{Asset, EpochMs, Outcome, Shares, StrategyId, TokenPrice, Usd};
use crate::view::ExitView;
use crate::window::{WindowId, WindowPhase};

/// Least time between two exit orders for one position, ms.
pub(super) const EXIT_RETRY_MS: i64 = 1_000;

/// Decisions that are no refusals, as they are remembered.
const ENTERED: &str = "entered";

/// A strategy by its place, and what it says.
pub(super) type Proposed = (usize, Word);

impl Engine {
    pub(super) fn decide_asset(&mut self, asset: Asset, out: &mut Commands) {
        for length in 0..self.market.lengths().len() {
            if let Some(id) = self.market.current(asset, length, self.now) {
                self.decide_window(id, out);
            }
        }
        self.market.forget_closed(self.now);
    }

    pub(super) fn decide_window(&mut self, id: WindowId, out: &mut Commands) {
        // Nothing that one strategy does changes what another sees on the same event.
        let mut proposals = std::mem::take(&mut self.proposals);
        let anything_held = self.ledger.held_in(id).next().is_some();
        self.collect_proposals(id, anything_held, &mut proposals);
        for (index, word) in &proposals {
            let index = *index;
            if anything_held {
                self.decide_exits(index, id, out);
            }
            self.decide_entry(index, id, word, out);
        }
        proposals.clear();
        self.proposals = proposals;
    }

    fn decide_entry(&mut self, index: usize, id: WindowId, word: &Word, out: &mut Commands) {
        let proposal = match word {
            Word::Same => return,
            Word::Refused(refusal) => return self.refuse(index, id, refusal, out),
            Word::Wants(proposal) => proposal,
        };
        match self.draft_entry(index, id, proposal) {
            None => {}
            Some(Err(refusal)) => {
                // The same refusal by the gate again is no news, and the strategy wanted it before.
                if !self.has_said(index, id, refusal.code) {
                    self.count_signal(index, id);
                    self.refuse(index, id, &refusal, out);
                }
                if refusal.code == "orders_per_minute" {
                    self.throttled(index, id, out);
                }
            }
            Some(Ok(approved)) => {
                self.count_signal(index, id);
                self.remember(index, id, ENTERED);
                self.carry_out(approved, "enter", Some(proposal), out);
            }
        }
    }

    /// Whether this was a strategy's last decision in a window.
    fn has_said(&self, index: usize, id: WindowId, code: &'static str) -> bool {
        let state = self.market.window(id);
        let said = state.and_then(|state| state.decisions.get(index).copied());
        said.is_some_and(|said| is_code(said, code))
    }

    /// What each of the asset's strategies proposes, from one view; `Same` also when the window is over or
    /// not listed. Where nothing is held, those are left out.
    fn collect_proposals(&mut self, id: WindowId, anything_held: bool, into: &mut Vec<Proposed>) {
        let now = self.now;
        if let Some(state) = self.market.window_mut(id)
            && !state.was_open
            && matches!(state.window.at(now), WindowPhase::Open(_))
        {
            state.was_open = true;
            self.tally.windows = self.tally.windows.saturating_add(1);
        }
        let market = &self.market;
        let view = market
            .window(id)
            .and_then(|state| match state.window.at(now) {
                WindowPhase::Closed => None,
                WindowPhase::Future => Some(Err(Refusal::new(
                    "window_not_open",
                    Refuser::View,
                    Figure::Ms(id.open() - now),
                    Figure::Ms(0),
                ))),
                WindowPhase::Open(open) => Some(market.view(state, open)),
            });
        let said_before = market.window(id).map(|state| &state.decisions);
        // The second book of a message changes no price, so the models would answer the same again.
        let asked = Some((id, now, market.changes()));
        let is_same = self.estimated == asked;
        self.estimated = asked;
        self.estimates.resize(self.strategies.len(), None);
        for (instance, estimate) in self.strategies.iter().zip(&mut self.estimates) {
            if !(is_same && instance.has_price_model()) {
                *estimate = None;
            }
        }
        for (index, instance) in self.strategies.iter().enumerate() {
            if instance.asset() != id.asset() {
                continue;
            }
            let model = self.models.get(index).copied().unwrap_or(index);
            let said = said_before.and_then(|said| said.get(index)).copied();
            let said = said.unwrap_or_default();
            let word = match (&view, self.estimates.get_mut(model)) {
                (Some(Ok(view)), Some(estimate)) => {
                    instance.decide(view, &self.analyses, estimate, said)
                }
                (Some(Err(refusal)), _) if is_code(refusal.code, said) => Word::Same,
                (Some(Err(refusal)), _) => Word::Refused(*refusal),
                (None, _) | (_, None) => Word::Same,
            };
            // The same refusal again is no news: there is nothing to carry out.
            if anything_held || !matches!(word, Word::Same) {
                into.push((index, word));
            }
        }
    }

    fn draft_entry(
        &mut self,
        index: usize,
        id: WindowId,
        proposal: &Proposal,
    ) -> Option<Result<Approved<Order>, Refusal>> {
        let state = self.market.window(id)?;
        let outcome = proposal.signal.outcome;
        let strategy = self.strategies.get(index)?.id();
        let draft = Draft {
            window: id,
            strategy,
            token: state.window.token(outcome),
            outcome,
            side: Side::Buy,
            purpose: Purpose::Entry,
            price: proposal.signal.price,
            shares: proposal.size.shares,
            worst_cost: proposal.size.worst_cost,
            fair: Some(proposal.signal.probability),
            is_followed: self.quality.follows(strategy),
            expires_by: None,
        };
        let shown = self.shown(id, outcome, Side::Buy);
        Some(self.gateway.propose(&draft, shown, &self.ledger, self.now))
    }

    /// Remembers over restarts that entries had to be throttled, once a minute at most.
    fn throttled(&mut self, index: usize, window: WindowId, out: &mut Commands) {
        let is_known =
            self.ledger.is_throttled(self.now) || self.ledger.latch("orders_per_minute").is_some();
        if let (false, Some(instance)) = (is_known, self.strategies.get(index)) {
            let strategy = instance.id().clone();
            let sequence = self.ledger.next_sequence(window, &strategy);
            let id = OrderId {
                window,
                strategy,
                sequence,
            };
            self.record(RecordBody::Throttled { id }, out);
        }
    }

    fn decide_exits(&mut self, index: usize, id: WindowId, out: &mut Commands) {
        // One seller at a time: a flatten sells everything, within its own bound.
        if self.ledger.selling().is_some() {
            return;
        }
        let mut leaving = std::mem::take(&mut self.leaving);
        self.positions_left_by(index, id, &mut leaving);
        for (owner, outcome) in leaving.drain(..) {
            match self.exit_order(index, id, &owner, outcome) {
                None => {}
                Some(Err(refusal)) => self.refuse_exit(index, id, &refusal, out),
                Some(Ok((reason, approved))) => {
                    self.remember_exit(index, id, reason);
                    self.carry_out(approved, reason, None, out);
                }
            }
        }
        self.leaving = leaving;
    }

    /// The positions that this strategy's exit rules are for: its own and, for the asset's first
    /// strategy, those of strategies that are no longer declared. A deploy must orphan nothing.
    fn positions_left_by(&self, index: usize, id: WindowId, into: &mut Vec<(StrategyId, Outcome)>) {
        let mut peers = self.strategies.iter().enumerate();
        let heir = peers.find(|(_, peer)| peer.asset() == id.asset());
        let is_heir = heir.is_some_and(|(first, _)| first == index);
        let own = self.strategies.get(index).map(StrategyInstance::id);
        let is_orphan = |owner: &StrategyId| self.strategies.iter().all(|peer| peer.id() != owner);
        let held = self.ledger.held_in(id);
        let left =
            held.filter(|(owner, _, _)| own == Some(*owner) || (is_heir && is_orphan(owner)));
        into.extend(left.map(|(owner, outcome, _)| (owner.clone(), outcome)));
    }

    /// The exit order that is due for one position; `None` when nothing is held or nothing is due.
    fn exit_order(
        &mut self,
        index: usize,
        id: WindowId,
        owner: &StrategyId,
        outcome: Outcome,
    ) -> Option<Result<(&'static str, Approved<Order>), Refusal>> {
        let instance = self.strategies.get(index)?;
        let (_, _, position) = self
            .ledger
            .held_in(id)
            .find(|(held_by, held, _)| *held_by == owner && *held == outcome)?;
        let held = position.held();
        let last = self.ledger.last_exit(id, owner, outcome);
        let waits = |at: EpochMs| self.now - at < EXIT_RETRY_MS;
        if last.is_some_and(|exit| exit.phase.is_live() || waits(exit.intended_at)) {
            return None;
        }
        let freshness = self.market.freshness();
        let state = self.market.window(id)?;
        let WindowPhase::Open(open) = state.window.at(self.now) else {
            return None;
        };
        let bid = match ExitView::try_new(open, outcome, position, state.book(outcome), freshness) {
            Ok(view) => view.bid(),
            Err(refusal) => return Some(Err(refusal)),
        };
        // The peak first: it belongs to the market, and the view borrows that.
        let bought = position.bought;
        let peak = self.market.peak_bid(id, (owner, outcome), bought, bid);
        let state = self.market.window(id)?;
        let WindowPhase::Open(open) = state.window.at(self.now) else {
            return None;
        };
        let view = ExitView::try_new(open, outcome, position, state.book(outcome), freshness)
            .ok()?
            .with_peak(peak);
        let reason = instance.exit(&view)?;
        if held.get() < MIN_SHARES {
            let (seen, limit) = (Figure::Decimal(held.get()), Figure::Decimal(MIN_SHARES));
            return Some(Err(Refusal::new(
                "below_min_shares",
                Refuser::Component,
                seen,
                limit,
            )));
        }
        let price = view.bid();
        Some(
            self.draft_exit(id, owner, outcome, held, price)?
                .map(|approved| (reason, approved)),
        )
    }

    fn draft_exit(
        &mut self,
        id: WindowId,
        owner: &StrategyId,
        outcome: Outcome,
        shares: Shares,
        price: TokenPrice,
    ) -> Option<Result<Approved<Order>, Refusal>> {
        let state = self.market.window(id)?;
        let draft = Draft {
            window: id,
            strategy: owner,
            token: state.window.token(outcome),
            outcome,
            side: Side::Sell,
            purpose: Purpose::Exit,
            price,
            shares,
            worst_cost: Usd::ZERO,
            fair: None,
            is_followed: false,
            expires_by: None,
        };
        let shown = self.shown(id, outcome, Side::Sell);
        Some(self.gateway.propose(&draft, shown, &self.ledger, self.now))
    }

    fn shown(&self, id: WindowId, outcome: Outcome, side: Side) -> Shown {
        let book = self.market.window(id).and_then(|state| state.book(outcome));
        Shown {
            oracle_age_ms: self.market.oracle_age_ms(id.asset(), self.now),
            book_age_ms: book.map(|book| self.now - book.at),
            book_price: book.and_then(|book| match side {
                Side::Buy => book.ask,
                Side::Sell => book.bid,
            }),
        }
    }

    /// Reserves an approved order in the ledger and hands it out, or (dry run) withholds it.
    pub(super) fn carry_out(
        &mut self,
        approved: Approved<Order>,
        what: &str,
        proposal: Option<&Proposal>,
        out: &mut Commands,
    ) {
        let order = approved.get().clone();
        self.tally.intents = self.tally.intents.saturating_add(1);
        let line = Line {
            t_ms: self.now,
            kind: "order",
            order: Some(&order.id),
            what: Some(what),
            outcome: Some(order.outcome),
            p_up: proposal.map(|p| p.estimate.up.get()),
            edge: proposal.map(|p| p.signal.edge),
            price: Some(order.price),
            shares: Some(order.shares),
            usd: (order.purpose == Purpose::Entry).then_some(order.worst_cost),
            ..Line::default()
        };
        out.journal.push(line.text());
        let id = order.id.clone();
        self.record(RecordBody::Intent { order }, out);
        if self.gateway.mode() == Mode::DryRun {
            let refusal = Refusal::new(DRY_RUN, Refuser::Wire, Figure::None, Figure::None);
            self.tally.refused(DRY_RUN);
            let line = Line {
                t_ms: self.now,
                kind: "order",
                order: Some(&id),
                ..Line::default()
            };
            out.journal.push(line.refused(&refusal).text());
            self.record(
                RecordBody::Withheld {
                    id,
                    reason: DRY_RUN.to_owned(),
                },
                out,
            );
        } else {
            self.tally.sent = self.tally.sent.saturating_add(1);
            out.orders.push(approved);
        }
    }

    /// A strategy begins to want an entry when its last word was not about carrying one out.
    fn count_signal(&mut self, index: usize, id: WindowId) {
        let wanted_before = self.market.window(id).is_some_and(|state| {
            state.decisions.get(index).is_some_and(|last| {
                *last == ENTERED || crate::safeguards::TABLE.iter().any(|row| row.code == *last)
            })
        });
        if !wanted_before {
            self.tally.signals = self.tally.signals.saturating_add(1);
        }
    }

    fn refuse(&mut self, index: usize, id: WindowId, refusal: &Refusal, out: &mut Commands) {
        if self.remember(index, id, refusal.code) {
            self.tell_refusal("entry", index, id, refusal, out);
        }
    }

    fn refuse_exit(&mut self, index: usize, id: WindowId, refusal: &Refusal, out: &mut Commands) {
        if self.remember_exit(index, id, refusal.code) {
            self.tell_refusal("exit", index, id, refusal, out);
        }
    }

    fn tell_refusal(
        &mut self,
        kind: &'static str,
        index: usize,
        id: WindowId,
        refusal: &Refusal,
        out: &mut Commands,
    ) {
        self.tally.refused(refusal.code);
        let line = Line {
            t_ms: self.now,
            kind,
            strategy: self
                .strategies
                .get(index)
                .map(|instance| instance.id().as_str()),
            window: Some(id),
            ..Line::default()
        };
        out.journal.push(line.refused(refusal).text());
    }

    /// Remembers a decision; `true` when it is another one than before.
    fn remember(&mut self, index: usize, id: WindowId, code: &'static str) -> bool {
        let count = self.strategies.len();
        self.market
            .window_mut(id)
            .is_some_and(|state| changes(&mut state.decisions, count, index, code))
    }

    fn remember_exit(&mut self, index: usize, id: WindowId, code: &'static str) -> bool {
        let count = self.strategies.len();
        self.market
            .window_mut(id)
            .is_some_and(|state| changes(&mut state.exit_decisions, count, index, code))
    }
}

/// The reason why nothing is sent in a dry run.
const DRY_RUN: &str = "dry_run";

fn changes(last: &mut Vec<&'static str>, count: usize, index: usize, code: &'static str) -> bool {
    if last.len() < count {
        last.resize(count, "");
    }
    match last.get_mut(index) {
        Some(slot) if *slot != code => {
            *slot = code;
            true
        }
        _ => false,
    }
}
