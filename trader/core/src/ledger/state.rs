//! The fold: records in, state out. The same records, repeated however often, give the same state.

use super::flatten::{Flatten, FlattenEnd};
use super::position::Position;
use super::{LedgerError, OrderPhase, OrderState, RECORD_VERSION, Record, RecordBody};
use crate::order::{Order, OrderId, Purpose, Side};
use crate::units::{Asset, EpochMs, Outcome, Shares, StrategyId, Usd};
use crate::window::WindowId;
use crate::wire::Halted;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Windows with nothing left at stake are forgotten this long after their close: no report comes
/// that late, ms.
const KEEP_CLOSED_MS: i64 = 6 * 3_600 * 1_000;
/// Orders younger than this count for the orders-per-minute limit, ms.
pub(super) const MINUTE_MS: i64 = 60_000;
/// Throttled entries younger than this count for the throttle's latch, ms.
pub(super) const HOUR_MS: i64 = 3_600_000;
/// One UTC day, ms.
pub(super) const DAY_MS: i64 = 86_400_000;

/// What happened in one window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct WindowBook {
    pub(super) orders: Vec<OrderState>,
    pub(super) positions: BTreeMap<(StrategyId, Outcome), Position>,
    pub(super) outcome: Option<Outcome>,
}

impl WindowBook {
    pub(super) fn order(&self, id: &OrderId) -> Option<&OrderState> {
        self.orders.iter().find(|state| state.order.id == *id)
    }

    pub(super) fn order_mut(&mut self, id: &OrderId) -> Option<&mut OrderState> {
        self.orders.iter_mut().find(|state| state.order.id == *id)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = &OrderState> {
        self.orders.iter().filter(|state| state.phase.is_live())
    }

    pub(super) fn held(&self) -> impl Iterator<Item = (&(StrategyId, Outcome), &Position)> {
        let open = self.outcome.is_none();
        self.positions
            .iter()
            .filter(move |(_, position)| open && position.held() > Shares::ZERO)
    }

    pub(super) fn is_done(&self) -> bool {
        self.live().next().is_none() && self.held().next().is_none()
    }
}

/// What all active windows come to: kept, because every order is judged by it several times and
/// records are rare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AtStake {
    /// Held positions at cost, and everything that may still fill at its worst.
    pub(super) usd: Usd,
    /// Held positions, and entries that may yet become one.
    pub(super) positions: usize,
}

/// Everything a trader must not forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerState {
    pub(super) last_seq: u64,
    pub(super) windows: BTreeMap<WindowId, WindowBook>,
    /// Windows with something at stake: all that exposure and counts must look at.
    pub(super) active: BTreeSet<WindowId>,
    pub(super) at_stake: AtStake,
    pub(super) recent_orders: VecDeque<EpochMs>,
    /// When entries were throttled, within the last hour.
    pub(super) throttles: VecDeque<EpochMs>,
    pub(super) last_entry: BTreeMap<Asset, EpochMs>,
    pub(super) day: i64,
    pub(super) pnl_day: Usd,
    /// The day's P&L at the last re-enable: losses before it were looked at by a person.
    pub(super) pnl_day_base: Usd,
    pub(super) pnl_total: Usd,
    pub(super) fees_total: Usd,
    pub(super) losses_in_row: u32,
    pub(super) halt: Option<Halted>,
    pub(super) latches: BTreeMap<String, Halted>,
    pub(super) flatten: Option<Flatten>,
}

struct Fill<'a> {
    id: &'a str,
    shares: Shares,
    gross: Usd,
    fee: Usd,
}

/// The result of a position that has ended (sold or settled) since its last end, once per end.
fn end_of(position: &mut Position, won: Option<bool>) -> Option<Usd> {
    let ended = won.is_some() || position.held() == Shares::ZERO;
    let (bought_before, result_before) = position.counted;
    if !ended || position.bought == bought_before {
        return None;
    }
    let result = position.realised(won);
    position.counted = (position.bought, result);
    Some(result - result_before)
}

impl Default for LedgerState {
    fn default() -> Self {
        Self {
            last_seq: 0,
            windows: BTreeMap::new(),
            active: BTreeSet::new(),
            at_stake: AtStake {
                usd: Usd::ZERO,
                positions: 0,
            },
            recent_orders: VecDeque::new(),
            throttles: VecDeque::new(),
            last_entry: BTreeMap::new(),
            day: 0,
            pnl_day: Usd::ZERO,
            pnl_day_base: Usd::ZERO,
            pnl_total: Usd::ZERO,
            fees_total: Usd::ZERO,
            losses_in_row: 0,
            halt: None,
            latches: BTreeMap::new(),
            flatten: None,
        }
    }
}

impl LedgerState {
    /// Folds stored records, in the order in which they were written.
    ///
    /// # Errors
    /// See [`LedgerError`]: an unbelievable ledger is refused whole, never read in part.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Self, LedgerError> {
        let mut state = Self::default();
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// The number that the next record must carry.
    pub const fn next_seq(&self) -> u64 {
        self.last_seq.saturating_add(1)
    }

    /// Applies one record; one that was applied before changes nothing.
    ///
    /// # Errors
    /// See [`LedgerError`]; on an error the state is as before.
    pub fn apply(&mut self, record: &Record) -> Result<(), LedgerError> {
        if record.version != RECORD_VERSION {
            return Err(LedgerError::Version {
                seq: record.seq,
                version: record.version,
            });
        }
        if record.seq <= self.last_seq {
            return Ok(());
        }
        if record.seq != self.next_seq() {
            return Err(LedgerError::Gap {
                last: self.last_seq,
                found: record.seq,
            });
        }
        self.apply_body(record)?;
        self.last_seq = record.seq;
        self.at_stake = self.weighed();
        Ok(())
    }

    fn apply_body(&mut self, record: &Record) -> Result<(), LedgerError> {
        let t = record.t_ms;
        match &record.body {
            RecordBody::Intent { order } => self.intend(order, t),
            RecordBody::Accepted { id, .. } => {
                self.advance(record.seq, id, OrderPhase::Accepted)?;
            }
            RecordBody::Rejected { id, .. } => {
                self.advance(record.seq, id, OrderPhase::Rejected)?;
            }
            RecordBody::Withheld { id, .. } => {
                self.advance(record.seq, id, OrderPhase::Withheld)?;
            }
            RecordBody::Unknown { id, .. } => self.advance(record.seq, id, OrderPhase::Unknown)?,
            RecordBody::Cancelled { id, .. } => {
                self.advance(record.seq, id, OrderPhase::Cancelled)?;
            }
            RecordBody::Fill {
                id,
                fill_id,
                price,
                shares,
                fee,
            } => {
                let gross = *shares * *price;
                let fill = Fill {
                    id: fill_id,
                    shares: *shares,
                    gross,
                    fee: *fee,
                };
                self.fill(record.seq, id, &fill, t)?;
            }
            RecordBody::Settlement { window, outcome } => self.settle(*window, *outcome, t),
            RecordBody::Halt {
                by,
                reason,
                reduce_only,
            } => {
                // A softer halt never loosens a harder one.
                let harder_stands = self.halt.as_ref().is_some_and(|h| !h.reduce_only);
                if let Some(flatten) = self.flatten.as_mut().filter(|_| !reduce_only) {
                    let end = FlattenEnd { at: t, done: false };
                    flatten.ended.get_or_insert(end);
                }
                if !(harder_stands && *reduce_only) {
                    self.halt = Some(Halted {
                        by: by.clone(),
                        reason: reason.clone(),
                        reduce_only: *reduce_only,
                        at: t,
                    });
                }
            }
            RecordBody::Flatten {
                by,
                reason,
                ends_ms,
            } => self.begin_flatten(by, reason, *ends_ms, t),
            RecordBody::FlattenEnd { done } => self.end_flatten(*done, t),
            RecordBody::Latch { safeguard, detail } => {
                self.latches
                    .entry(safeguard.clone())
                    .or_insert_with(|| Halted {
                        by: format!("safeguard:{safeguard}"),
                        reason: detail.clone(),
                        reduce_only: true,
                        at: t,
                    });
            }
            RecordBody::Reenable { .. } => {
                self.roll_day(t);
                self.halt = None;
                self.flatten = None;
                self.latches.clear();
                self.losses_in_row = 0;
                self.throttles.clear();
                self.pnl_day_base = self.pnl_day;
            }
            RecordBody::Throttled { .. } => {
                self.throttles.push_back(t);
                while self
                    .throttles
                    .front()
                    .is_some_and(|first| t - *first >= HOUR_MS)
                {
                    self.throttles.pop_front();
                }
            }
            RecordBody::Lease { .. } => {}
        }
        Ok(())
    }

    fn intend(&mut self, order: &Order, t: EpochMs) {
        let window = order.id.window;
        if order.purpose == Purpose::Entry {
            self.last_entry.insert(window.asset(), t);
        }
        self.recent_orders.push_back(t);
        while self
            .recent_orders
            .front()
            .is_some_and(|first| t - *first >= MINUTE_MS)
        {
            self.recent_orders.pop_front();
        }
        let book = self.windows.entry(window).or_default();
        if book.order(&order.id).is_none() {
            book.orders.push(OrderState {
                order: order.clone(),
                intended_at: t,
                phase: OrderPhase::Intended,
                filled: Shares::ZERO,
                fill_ids: BTreeSet::new(),
            });
        }
        self.active.insert(window);
    }

    fn advance(&mut self, seq: u64, id: &OrderId, to: OrderPhase) -> Result<(), LedgerError> {
        let state = self
            .windows
            .get_mut(&id.window)
            .and_then(|book| book.order_mut(id))
            .ok_or_else(|| LedgerError::NoIntent {
                seq,
                id: id.clone(),
            })?;
        state.phase = state.phase.max(to);
        self.settle_activity(id.window);
        Ok(())
    }

    /// A fill is the truth even where a rejection was reported before it.
    fn fill(
        &mut self,
        seq: u64,
        id: &OrderId,
        fill: &Fill<'_>,
        t: EpochMs,
    ) -> Result<(), LedgerError> {
        let no_intent = || LedgerError::NoIntent {
            seq,
            id: id.clone(),
        };
        let book = self.windows.get_mut(&id.window).ok_or_else(no_intent)?;
        let state = book.order_mut(id).ok_or_else(no_intent)?;
        if !state.fill_ids.insert(fill.id.to_owned()) {
            return Ok(());
        }
        state.filled = state.filled.plus(fill.shares);
        if state.filled >= state.order.shares {
            state.phase = OrderPhase::Filled;
        }
        let (side, outcome) = (state.order.side, state.order.outcome);
        let won = book.outcome.map(|settled| settled == outcome);
        let position = book
            .positions
            .entry((id.strategy.clone(), outcome))
            .or_insert(Position::EMPTY);
        let before = position.realised(won);
        match side {
            Side::Buy => {
                position.bought = position.bought.plus(fill.shares);
                position.paid += fill.gross;
                position.cost = position.cost + fill.gross + fill.fee;
            }
            Side::Sell => {
                position.sold = position.sold.plus(fill.shares);
                position.proceeds = position.proceeds + fill.gross - fill.fee;
            }
        }
        let gain = position.realised(won) - before;
        let ended = end_of(position, won);
        self.fees_total += fill.fee;
        self.realise(gain, t);
        self.count_end(ended);
        self.active.insert(id.window);
        self.settle_activity(id.window);
        Ok(())
    }

    fn settle(&mut self, window: WindowId, outcome: Outcome, t: EpochMs) {
        let book = self.windows.entry(window).or_default();
        // The first word on a settlement stands; the engine reports a second, different one.
        if book.outcome.is_some() {
            return;
        }
        book.outcome = Some(outcome);
        let mut gains = Vec::with_capacity(book.positions.len());
        for ((_, held), position) in &mut book.positions {
            let won = *held == outcome;
            let gain = position.realised(Some(won)) - position.realised(None);
            gains.push((gain, end_of(position, Some(won))));
        }
        for (gain, ended) in gains {
            self.realise(gain, t);
            self.count_end(ended);
        }
        self.settle_activity(window);
        self.forget_before(t.plus_ms(-KEEP_CLOSED_MS));
    }

    fn settle_activity(&mut self, window: WindowId) {
        if self.windows.get(&window).is_none_or(WindowBook::is_done) {
            self.active.remove(&window);
        }
    }

    fn count_end(&mut self, ended: Option<Usd>) {
        if let Some(result) = ended {
            self.losses_in_row = if result < Usd::ZERO {
                self.losses_in_row.saturating_add(1)
            } else {
                0
            };
        }
    }

    fn realise(&mut self, amount: Usd, t: EpochMs) {
        self.roll_day(t);
        self.pnl_day += amount;
        self.pnl_total += amount;
    }

    fn roll_day(&mut self, t: EpochMs) {
        let day = t.0.div_euclid(DAY_MS);
        if day > self.day {
            self.day = day;
            self.pnl_day = Usd::ZERO;
            self.pnl_day_base = Usd::ZERO;
        }
    }

    fn forget_before(&mut self, limit: EpochMs) {
        let active = &self.active;
        self.windows
            .retain(|window, _| active.contains(window) || window.close() >= limit);
    }
}
