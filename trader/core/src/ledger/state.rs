//! The fold: records in, state out. The same records, repeated however often, give the same state.

use super::position::{Position, PositionKey};
use super::{LedgerError, RECORD_VERSION, Record, RecordBody};
use crate::order::{Order, OrderId, Purpose, Side};
use crate::units::{Asset, EpochMs, Outcome, Shares, StrategyId, TokenId, Usd};
use crate::window::WindowId;
use crate::wire::Halted;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Windows with nothing left at stake are forgotten this long after their close: no report comes
/// that late, ms.
const KEEP_CLOSED_MS: i64 = 6 * 3_600 * 1_000;
/// Orders younger than this count for the orders-per-minute limit, ms.
const MINUTE_MS: i64 = 60_000;
/// One UTC day, ms.
const DAY_MS: i64 = 86_400_000;

/// How far an order has come. Later ones replace earlier ones, never the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OrderPhase {
    /// Reserved; perhaps on the wire.
    Intended,
    /// Nobody knows; counts as filled.
    Unknown,
    /// The venue has it.
    Accepted,
    /// Every share filled.
    Filled,
    /// The rest will never fill.
    Cancelled,
    /// Not sent on purpose.
    Withheld,
    /// It never existed at the venue.
    Rejected,
}

impl OrderPhase {
    /// Whether it may still fill: its reservation stands.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Intended | Self::Unknown | Self::Accepted)
    }
}

/// An order with what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderState {
    /// The order as intended.
    pub order: Order,
    /// When it was intended.
    pub intended_at: EpochMs,
    /// How far it has come.
    pub phase: OrderPhase,
    /// Shares filled.
    pub filled: Shares,
    fill_ids: BTreeSet<String>,
}

impl OrderState {
    /// Shares that may still fill.
    pub fn unfilled(&self) -> Shares {
        self.order
            .shares
            .checked_sub(self.filled)
            .unwrap_or(Shares::ZERO)
    }

    /// USD that must be held ready for what may still fill.
    pub fn reserved(&self) -> Usd {
        if !self.phase.is_live() || self.order.purpose == Purpose::Exit {
            return Usd::ZERO;
        }
        let part = self
            .order
            .worst_cost
            .get()
            .checked_mul(self.unfilled().get())
            .and_then(|product| product.checked_div(self.order.shares.get()));
        part.map_or(self.order.worst_cost, Usd::new)
    }

    /// Whether the fill with this id has been counted.
    pub fn has_fill(&self, fill_id: &str) -> bool {
        self.fill_ids.contains(fill_id)
    }
}

/// What happened in one window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct WindowBook {
    orders: Vec<OrderState>,
    positions: BTreeMap<(StrategyId, Outcome), Position>,
    outcome: Option<Outcome>,
}

impl WindowBook {
    fn order(&self, id: &OrderId) -> Option<&OrderState> {
        self.orders.iter().find(|state| state.order.id == *id)
    }

    fn order_mut(&mut self, id: &OrderId) -> Option<&mut OrderState> {
        self.orders.iter_mut().find(|state| state.order.id == *id)
    }

    fn live(&self) -> impl Iterator<Item = &OrderState> {
        self.orders.iter().filter(|state| state.phase.is_live())
    }

    fn held(&self) -> impl Iterator<Item = (&(StrategyId, Outcome), &Position)> {
        let open = self.outcome.is_none();
        self.positions
            .iter()
            .filter(move |(_, position)| open && position.held() > Shares::ZERO)
    }

    fn is_done(&self) -> bool {
        self.live().next().is_none() && self.held().next().is_none()
    }
}

/// Everything a trader must not forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerState {
    last_seq: u64,
    windows: BTreeMap<WindowId, WindowBook>,
    /// Windows with something at stake: all that exposure and counts must look at.
    active: BTreeSet<WindowId>,
    recent_orders: VecDeque<EpochMs>,
    last_entry: BTreeMap<Asset, EpochMs>,
    day: i64,
    pnl_day: Usd,
    /// The day's P&L at the last re-enable: losses before it were looked at by a person.
    pnl_day_base: Usd,
    pnl_total: Usd,
    fees_total: Usd,
    losses_in_row: u32,
    halt: Option<Halted>,
    latches: BTreeMap<String, Halted>,
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
            recent_orders: VecDeque::new(),
            last_entry: BTreeMap::new(),
            day: 0,
            pnl_day: Usd::ZERO,
            pnl_day_base: Usd::ZERO,
            pnl_total: Usd::ZERO,
            fees_total: Usd::ZERO,
            losses_in_row: 0,
            halt: None,
            latches: BTreeMap::new(),
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
                if !(harder_stands && *reduce_only) {
                    self.halt = Some(Halted {
                        by: by.clone(),
                        reason: reason.clone(),
                        reduce_only: *reduce_only,
                        at: t,
                    });
                }
            }
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
                self.latches.clear();
                self.losses_in_row = 0;
                self.pnl_day_base = self.pnl_day;
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

    /// What a strategy holds in a window.
    pub fn held_in<'a>(
        &'a self,
        window: WindowId,
        strategy: &'a StrategyId,
    ) -> impl Iterator<Item = (Outcome, &'a Position)> {
        self.windows
            .get(&window)
            .into_iter()
            .flat_map(WindowBook::held)
            .filter(move |((owner, _), _)| owner == strategy)
            .map(|((_, outcome), position)| (*outcome, position))
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
    pub fn position_count(&self) -> usize {
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

    /// USD at stake: held positions at cost, and everything that may still fill at its worst.
    pub fn exposure(&self) -> Usd {
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
        Usd::new((self.pnl_day_base - self.pnl_day).get().max(Decimal::ZERO))
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

    /// What keeps entries shut until a re-enable: the commanded halt, else the first latch.
    pub fn halted(&self) -> Option<&Halted> {
        self.halt.as_ref().or_else(|| self.latches.values().next())
    }
}
