//! Selling what is held, on command: within the price collar, for a bounded time, then nothing more.
//!
//! Every event gives each open position one chance: through the same gateway as every other exit,
//! one order at a time, never while an earlier one may still fill. The collar is laid round the
//! middle of the market, not round the bid: a lone bid of one cent is nobody's price. When the time
//! is over, or nothing is left that could be sold, the trader halts itself fully. Must not widen
//! the collar, extend the time, or sell what an exit has sold already.

use super::decide::EXIT_RETRY_MS;
use super::{Commands, Engine};
use crate::components::MIN_SHARES;
use crate::gateway::{Draft, Shown};
use crate::journal::Line;
use crate::ledger::{Flatten, HeldBefore, OrderPhase, Position, PositionKey, RecordBody};
use crate::order::{Order, Purpose, Side};
use crate::safeguards::Approved;
use crate::units::{EpochMs, Outcome, Shares, TokenPrice, Usd};
use crate::view::{Book, ExitView};
use crate::window::{WindowId, WindowPhase};
use crate::wire::{FlattenHealth, FlattenOutcome, FlattenPosition, FlattenState};
use rust_decimal::Decimal;

/// How long one sale may rest at the venue, ms: short, because the next one follows the market.
const SALE_LIFE_MS: i64 = 2_000;

/// Reason codes of a position that waiting cannot sell.
const NEVER: &[&str] = &[
    "window_closed",
    "not_declared",
    "foreign_token",
    "mixed_assets",
    "below_min_shares",
];

impl Engine {
    /// Takes the order to sell. A full halt stands; a second order never moves the first one's end.
    pub(super) fn begin_flatten(&mut self, by: String, reason: String, out: &mut Commands) {
        let life_ms = i64::from(self.flatten_secs.get()).saturating_mul(1_000);
        let is_fully_halted = self.ledger.halt().is_some_and(|halt| !halt.reduce_only);
        if is_fully_halted || self.ledger.selling().is_some() {
            return;
        }
        self.unsold.clear();
        let ends_ms = self.now.plus_ms(life_ms);
        self.record(
            RecordBody::Flatten {
                by,
                reason,
                ends_ms,
            },
            out,
        );
        self.lose_lease("halted", out);
        self.cancel(true, out);
    }

    /// Before anything else of a step: what is late is not tried any more.
    pub(super) fn lapse_flatten(&mut self, out: &mut Commands) {
        if self
            .ledger
            .selling()
            .is_some_and(|flatten| flatten.ends_at <= self.now)
        {
            self.end_flatten(false, out);
        }
    }

    fn end_flatten(&mut self, done: bool, out: &mut Commands) {
        let line = Line {
            t_ms: self.now,
            kind: "flatten",
            what: Some(if done { "done" } else { "lapsed" }),
            ..Line::default()
        };
        out.journal.push(line.text());
        self.record(RecordBody::FlattenEnd { done }, out);
        self.cancel(false, out);
    }

    /// After everything else of a step: each open position gets its chance.
    pub(super) fn sell_off(&mut self, out: &mut Commands) {
        if self.ledger.selling().is_none() {
            return;
        }
        let held: Vec<PositionKey> = self.ledger.open_positions().map(|(key, _)| key).collect();
        let mut is_waiting = false;
        for key in held {
            match self.sale(&key) {
                Ok(approved) => {
                    is_waiting = true;
                    self.unsold.insert(key, "in_flight");
                    self.carry_out(approved, "flatten", None, out);
                }
                Err(code) => {
                    is_waiting |= !NEVER.contains(&code);
                    self.note_unsold(key, code, out);
                }
            }
        }
        // An entry of unknown fate may yet become a position.
        if !is_waiting && self.ledger.live_orders().next().is_none() {
            self.end_flatten(true, out);
        }
    }

    /// Journals why a position was not sold, when that is news.
    fn note_unsold(&mut self, key: PositionKey, code: &'static str, out: &mut Commands) {
        let is_news = self.unsold.get(&key) != Some(&code);
        if is_news && !matches!(code, "in_flight" | "pause") {
            self.tally.refused(code);
            let line = Line {
                t_ms: self.now,
                kind: "flatten",
                strategy: Some(key.strategy.as_str()),
                window: Some(key.window),
                outcome: Some(key.outcome),
                what: Some("refused"),
                reason: Some(code),
                ..Line::default()
            };
            out.journal.push(line.text());
        }
        // A pause says nothing new about the last try.
        if code != "pause" {
            self.unsold.insert(key, code);
        }
    }

    /// The order that sells what is left of one position now, or the reason code why there is none.
    fn sale(&mut self, key: &PositionKey) -> Result<Approved<Order>, &'static str> {
        let (price, shares) = self.offer(key)?;
        let expires_by = self.now.plus_ms(SALE_LIFE_MS);
        let ends_at = self.ledger.selling().map(|flatten| flatten.ends_at);
        let shown = Shown {
            oracle_age_ms: self.market.oracle_age_ms(key.window.asset(), self.now),
            book_age_ms: None,
            book_price: self.middle(key.window, key.outcome),
        };
        let state = self.market.window(key.window).ok_or("not_listed")?;
        let draft = Draft {
            window: key.window,
            strategy: &key.strategy,
            token: state.window.token(key.outcome),
            outcome: key.outcome,
            side: Side::Sell,
            purpose: Purpose::Exit,
            price,
            shares,
            worst_cost: Usd::ZERO,
            fair: None,
            is_followed: false,
            expires_by: Some(ends_at.map_or(expires_by, |end| end.min(expires_by))),
        };
        self.gateway
            .propose(&draft, shown, &self.ledger, self.now)
            .map_err(|refusal| refusal.code)
    }

    /// Price and shares that could be offered now.
    fn offer(&self, key: &PositionKey) -> Result<(TokenPrice, Shares), &'static str> {
        let position = self.ledger.position(key).ok_or("not_held")?;
        let id = key.window;
        // A sale of unknown fate counts as in flight: sold twice is worse than not sold.
        if self.ledger.exit_in_flight(key).is_some() {
            return Err("in_flight");
        }
        if self.now >= id.close() {
            return Err("window_closed");
        }
        if !self.market.trades(id) {
            return Err("not_declared");
        }
        let state = self.market.window(id).ok_or("not_listed")?;
        if self.ledger.token_of(key) != Some(state.window.token(key.outcome)) {
            return Err("foreign_token");
        }
        let WindowPhase::Open(open) = state.window.at(self.now) else {
            return Err("window_not_open");
        };
        let freshness = self.market.freshness();
        let book = state.book(key.outcome);
        let view = ExitView::try_new(open, key.outcome, position, book, freshness)
            .map_err(|refusal| refusal.code)?;
        let held = position.held();
        if held.get() < MIN_SHARES {
            return Err("below_min_shares");
        }
        let last = self.ledger.last_exit(id, &key.strategy, key.outcome);
        if last.is_some_and(|exit| self.now - exit.intended_at < EXIT_RETRY_MS) {
            return Err("pause");
        }
        Ok((view.bid(), held))
    }

    /// The middle between the bid and the lowest price asked, which is the token's own ask or what
    /// the other token's bid makes of it (1 − bid). `None` without either: nobody knows the price.
    ///
    /// Bid 0.48, ask 0.52: 0.50. Bid 0.01, no ask, the other token's bid 0.45: (0.01 + 0.55) / 2 = 0.28.
    fn middle(&self, id: WindowId, outcome: Outcome) -> Option<TokenPrice> {
        let state = self.market.window(id)?;
        let bid = state.book(outcome)?.bid?.get();
        let is_fresh = |book: &&Book| self.now - book.at <= self.market.freshness().max_book_age_ms;
        let own = state.book(outcome).and_then(|book| book.ask);
        let other = state.book(outcome.other()).filter(is_fresh);
        let implied = other.and_then(|book| book.bid);
        let asks = [
            own.map(TokenPrice::get),
            implied.map(|bid| Decimal::ONE - bid.get()),
        ];
        let ask = asks.into_iter().flatten().min()?;
        TokenPrice::try_new((bid + ask) / Decimal::TWO).ok()
    }

    pub(super) fn last_bid(&self, key: &PositionKey) -> Option<TokenPrice> {
        self.market.window(key.window)?.book(key.outcome)?.bid
    }

    /// How the flatten goes, or went; `None` when none was asked for since the last re-enable.
    pub fn flatten(&self, now: EpochMs) -> Option<FlattenHealth> {
        let flatten = self.ledger.flatten()?;
        let mut keys: Vec<PositionKey> = flatten
            .before
            .iter()
            .filter(|(_, before)| before.held > Shares::ZERO)
            .map(|(key, _)| key.clone())
            .collect();
        for (key, _) in self.ledger.open_positions() {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Some(FlattenHealth {
            state: match flatten.ended {
                None => FlattenState::Selling,
                Some(end) if end.done => FlattenState::Done,
                Some(_) => FlattenState::Lapsed,
            },
            by: flatten.by.clone(),
            reason: flatten.reason.clone(),
            since: flatten.since,
            ends_at: flatten.ends_at,
            ended_at: flatten.ended.map(|end| end.at),
            positions: keys
                .iter()
                .filter_map(|key| self.flattened(flatten, key, now))
                .collect(),
        })
    }

    fn flattened(
        &self,
        flatten: &Flatten,
        key: &PositionKey,
        now: EpochMs,
    ) -> Option<FlattenPosition> {
        let position = self.ledger.position(key)?;
        let nothing = HeldBefore {
            held: position.bought,
            sold: Shares::ZERO,
            proceeds: Usd::ZERO,
        };
        let before = flatten.before.get(key).copied().unwrap_or(nothing);
        let sold = position
            .sold
            .checked_sub(before.sold)
            .unwrap_or(Shares::ZERO);
        let (result, detail) = self.result(flatten, key, position, sold);
        Some(FlattenPosition {
            asset: key.window.asset().to_string(),
            window: key.window.to_string(),
            outcome: key.outcome.to_string(),
            strategy: key.strategy.to_string(),
            token: self
                .ledger
                .token_of(key)
                .map(ToString::to_string)
                .unwrap_or_default(),
            shares: before.held,
            avg_cost: position.average_cost(),
            sold,
            left: position.held(),
            last_bid: self.last_bid(key),
            proceeds_usd: position.proceeds - before.proceeds,
            worst_loss_usd: position.held_cost(),
            seconds_to_settlement: (key.window.close() - now).div_euclid(1_000),
            result,
            detail: detail.map(str::to_owned),
        })
    }

    /// The word for one position, and the reason code behind it. After a restart the reason of the
    /// last try is gone; what the ledger knows is said, the rest is unknown.
    fn result(
        &self,
        flatten: &Flatten,
        key: &PositionKey,
        position: &Position,
        sold: Shares,
    ) -> (FlattenOutcome, Option<&'static str>) {
        let code = self.unsold.get(key).copied();
        if position.held() == Shares::ZERO {
            return (FlattenOutcome::Sold, None);
        }
        if let Some(exit) = self.ledger.exit_in_flight(key) {
            let is_unknown = exit.phase == OrderPhase::Unknown;
            let why = if is_unknown {
                "fate_unknown"
            } else {
                "in_flight"
            };
            return (FlattenOutcome::Unknown, Some(why));
        }
        if sold > Shares::ZERO {
            return (FlattenOutcome::Partly, code);
        }
        let ended_at = flatten.ended.map_or(self.now, |end| end.at);
        let has_closed = ended_at >= key.window.close();
        // It was offered at the bid, and nobody took it before the end.
        let code = match code {
            Some("in_flight") => Some("not_filled"),
            code => code,
        };
        let result = match code {
            _ if has_closed => FlattenOutcome::WindowClosed,
            Some("price_collar") => FlattenOutcome::BelowCollar,
            Some("not_declared" | "foreign_token" | "mixed_assets") => FlattenOutcome::NotDeclared,
            Some("below_min_shares") => FlattenOutcome::BelowMinimum,
            Some(
                "missing_bid" | "missing_book" | "stale_book" | "not_listed" | "crossed_book"
                | "not_filled",
            ) => FlattenOutcome::NoBid,
            _ => FlattenOutcome::Unknown,
        };
        (result, code.filter(|_| !has_closed))
    }
}
