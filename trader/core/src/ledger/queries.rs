//! What the ledger's state tells: read only, nothing here changes it.

use super::position::{Position, PositionKey};
use super::state::{AtStake, DAY_MS, HOUR_MS, LedgerState, MINUTE_MS, WindowBook};
use super::{OrderPhase, OrderState, Track};
use crate::order::{OrderId, Purpose, Side};
use crate::units::{Asset, EpochMs, Outcome, Shares, StrategyId, TokenId, Usd};
use crate::window::WindowId;
use crate::wire::Halted;
use std::collections::{BTreeMap, BTreeSet};

impl LedgerState {
    fn active_books(&self) -> impl Iterator<Item = (WindowId, &WindowBook)> {
        self.active
            .iter()
            .filter_map(|window| Some((*window, self.windows.get(window)?)))
    }

    /// An order by id.
    pub fn order(&self, id: &OrderId) -> Option<&OrderState> {
        self.windows.get(&id.window)?.order(id)
    }

    /// Orders that may still fill.
    pub fn live_orders(&self) -> impl Iterator<Item = &OrderState> {
        self.active_books().flat_map(|(_, book)| book.live())
    }

    /// Orders that may still fill, or whose fills may still fail on the chain.
    pub fn unproved_orders(&self) -> impl Iterator<Item = &OrderState> {
        self.active_books().flat_map(|(_, book)| book.unproved())
    }

    /// Positions that are neither sold nor settled.
    pub fn open_positions(&self) -> impl Iterator<Item = (PositionKey, &Position)> {
        self.active_books().flat_map(|(window, book)| {
            book.held().map(move |((strategy, outcome), position)| {
                let key = PositionKey {
                    window,
                    strategy: strategy.clone(),
                    outcome: *outcome,
                };
                (key, position)
            })
        })
    }

    /// A position, whatever is left of it; `None` when nothing of it was ever bought, or its window
    /// is forgotten.
    pub fn position(&self, key: &PositionKey) -> Option<&Position> {
        let held_by = (key.strategy.clone(), key.outcome);
        self.windows.get(&key.window)?.positions.get(&held_by)
    }

    /// A position's exit order that may still fill, its fate unknown included: nothing more of it
    /// may be sold before that is settled.
    pub fn exit_in_flight(&self, key: &PositionKey) -> Option<&OrderState> {
        self.windows.get(&key.window)?.live().find(|state| {
            state.order.purpose == Purpose::Exit
                && state.order.id.strategy == key.strategy
                && state.order.outcome == key.outcome
        })
    }

    /// What is held in a window, by whom.
    pub fn held_in(
        &self,
        window: WindowId,
    ) -> impl Iterator<Item = (&StrategyId, Outcome, &Position)> {
        // What is held makes its window active, and few are.
        let is_active = self.active.contains(&window);
        is_active
            .then(|| self.windows.get(&window))
            .flatten()
            .into_iter()
            .flat_map(WindowBook::held)
            .map(|((owner, outcome), position)| (owner, *outcome, position))
    }

    /// Whether any order was ever intended in a window.
    pub fn has_orders(&self, window: WindowId) -> bool {
        self.windows
            .get(&window)
            .is_some_and(|book| !book.orders.is_empty())
    }

    /// A strategy's newest exit order for an outcome of a window.
    pub fn last_exit(
        &self,
        window: WindowId,
        strategy: &StrategyId,
        outcome: Outcome,
    ) -> Option<&OrderState> {
        self.windows
            .get(&window)?
            .orders
            .iter()
            .rev()
            .find(|state| {
                state.order.purpose == Purpose::Exit
                    && state.order.id.strategy == *strategy
                    && state.order.outcome == outcome
            })
    }

    /// The token of a position.
    pub fn token_of(&self, key: &PositionKey) -> Option<&TokenId> {
        let book = self.windows.get(&key.window)?;
        let order = book
            .orders
            .iter()
            .find(|state| state.order.outcome == key.outcome)?;
        Some(&order.order.token)
    }

    /// How a window settled, if it has.
    pub fn outcome(&self, window: WindowId) -> Option<Outcome> {
        self.windows.get(&window)?.outcome
    }

    /// Positions that count against the limit: held ones, and entries that may yet become one.
    pub const fn position_count(&self) -> usize {
        self.at_stake.positions
    }

    /// USD at stake: held positions at cost, and everything that may still fill at its worst.
    pub const fn exposure(&self) -> Usd {
        self.at_stake.usd
    }

    /// What is at stake, counted anew.
    pub(super) fn weighed(&self) -> AtStake {
        AtStake {
            usd: self.weigh_usd(),
            positions: self.count_positions(),
        }
    }

    fn count_positions(&self) -> usize {
        self.active_books()
            .map(|(_, book)| {
                let held = book.held().count();
                let coming: BTreeSet<(&StrategyId, Outcome)> = book
                    .live()
                    .filter(|state| state.order.purpose == Purpose::Entry)
                    .map(|state| (&state.order.id.strategy, state.order.outcome))
                    .filter(|(strategy, outcome)| {
                        book.held()
                            .all(|((owner, side), _)| (owner, side) != (*strategy, outcome))
                    })
                    .collect();
                held + coming.len()
            })
            .sum()
    }

    fn weigh_usd(&self) -> Usd {
        self.active_books()
            .map(|(_, book)| {
                let held: Usd = book.held().map(|(_, position)| position.held_cost()).sum();
                let reserved: Usd = book.live().map(OrderState::reserved).sum();
                held + reserved
            })
            .sum()
    }

    /// Entries that used up a place in the window, by any strategy: all but rejected ones.
    pub fn entries_in(&self, window: WindowId) -> impl Iterator<Item = &OrderState> {
        self.windows
            .get(&window)
            .into_iter()
            .flat_map(|book| &book.orders)
            .filter(|state| state.order.purpose == Purpose::Entry)
            .filter(|state| state.phase != OrderPhase::Rejected || state.filled > Shares::ZERO)
    }

    /// The sequence number for the next order of a strategy in a window.
    pub fn next_sequence(&self, window: WindowId, strategy: &StrategyId) -> u32 {
        self.windows
            .get(&window)
            .into_iter()
            .flat_map(|book| &book.orders)
            .filter(|state| state.order.id.strategy == *strategy)
            .map(|state| state.order.id.sequence)
            .max()
            .map_or(1, |last| last.saturating_add(1))
    }

    /// Orders intended in the minute before `now`, whatever became of them.
    pub fn orders_last_minute(&self, now: EpochMs) -> u32 {
        let count = self
            .recent_orders
            .iter()
            .rev()
            .take_while(|t| now - **t < MINUTE_MS)
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Minutes of the hour before `now` in which an entry was throttled.
    pub fn throttles_last_hour(&self, now: EpochMs) -> u32 {
        let recent = self.throttles.iter().filter(|t| now - **t < HOUR_MS);
        u32::try_from(recent.count()).unwrap_or(u32::MAX)
    }

    /// Whether an entry was throttled in the minute before `now` and the ledger knows it.
    pub fn is_throttled(&self, now: EpochMs) -> bool {
        self.throttles.back().is_some_and(|t| now - *t < MINUTE_MS)
    }

    /// Shares of a position that may still be offered: held, and not in an exit order that may fill.
    pub fn sellable(&self, window: WindowId, strategy: &StrategyId, outcome: Outcome) -> Shares {
        let Some(book) = self.windows.get(&window) else {
            return Shares::ZERO;
        };
        let held = book
            .positions
            .iter()
            .find(|((owner, side), _)| owner == strategy && *side == outcome)
            .map_or(Shares::ZERO, |(_, position)| position.held());
        book.live()
            .filter(|state| {
                state.order.side == Side::Sell
                    && state.order.outcome == outcome
                    && state.order.id.strategy == *strategy
            })
            .try_fold(held, |left, state| left.checked_sub(state.unfilled()))
            .unwrap_or(Shares::ZERO)
    }

    /// When the last entry of an asset was intended, whatever became of it.
    pub fn last_entry(&self, asset: Asset) -> Option<EpochMs> {
        self.last_entry.get(&asset).copied()
    }

    /// Realised profit and loss of the UTC day of `now`, fees included.
    pub fn pnl_day(&self, now: EpochMs) -> Usd {
        if now.0.div_euclid(DAY_MS) > self.day {
            Usd::ZERO
        } else {
            self.pnl_day
        }
    }

    /// Loss of the UTC day of `now` since the last re-enable, 0 or more.
    pub fn loss_day(&self, now: EpochMs) -> Usd {
        if now.0.div_euclid(DAY_MS) > self.day {
            return Usd::ZERO;
        }
        (self.pnl_day_base - self.pnl_day).or_zero()
    }

    /// Realised profit and loss since the ledger began.
    pub const fn pnl_total(&self) -> Usd {
        self.pnl_total
    }

    /// Fees paid since the ledger began.
    pub const fn fees_total(&self) -> Usd {
        self.fees_total
    }

    /// Positions in a row that ended with a loss.
    pub const fn losses_in_row(&self) -> u32 {
        self.losses_in_row
    }

    /// The commanded halt, if one is in force.
    pub const fn halt(&self) -> Option<&Halted> {
        self.halt.as_ref()
    }

    /// The latch that a safeguard set, by its reason code.
    pub fn latch(&self, safeguard: &str) -> Option<&Halted> {
        self.latches.get(safeguard)
    }

    /// How a strategy's positions ended since the last re-enable; `None` before the first.
    pub fn track(&self, strategy: &StrategyId) -> Option<&Track> {
        self.tracks.get(strategy)
    }

    /// Why and since when the quality gate has shut a strategy out, if it has.
    pub fn quality_closed(&self, strategy: &StrategyId) -> Option<&Halted> {
        self.closed.get(strategy)
    }

    /// Every strategy that the quality gate has shut out.
    pub const fn closed_strategies(&self) -> &BTreeMap<StrategyId, Halted> {
        &self.closed
    }

    /// A latch of a safeguard that this program does not have.
    pub fn foreign_latch(&self) -> Option<&Halted> {
        let known = |code: &str| crate::safeguards::TABLE.iter().any(|row| row.code == code);
        self.latches
            .iter()
            .find_map(|(code, latch)| (!known(code)).then_some(latch))
    }

    /// What keeps entries shut until a re-enable: the commanded halt, else the first latch.
    pub fn halted(&self) -> Option<&Halted> {
        self.halt.as_ref().or_else(|| self.latches.values().next())
    }
}
