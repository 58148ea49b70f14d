//! The fold: records in, state out. The same records, repeated however often, give the same state.

use super::position::{Position, PositionKey};
use super::{LedgerError, RECORD_VERSION, Record, RecordBody};
use crate::order::{Order, OrderId, Purpose, Side};
use crate::units::{Asset, EpochMs, Outcome, Shares, StrategyId, Usd};
use crate::window::WindowId;
use crate::wire::Halted;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Settled windows are forgotten this long after their close: no report comes that late, ms.
const KEEP_SETTLED_MS: i64 = 48 * 3_600 * 1_000;
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

/// Everything a trader must not forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerState {
    last_seq: u64,
    orders: BTreeMap<OrderId, OrderState>,
    positions: BTreeMap<PositionKey, Position>,
    settled: BTreeMap<WindowId, Outcome>,
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

impl Default for LedgerState {
    fn default() -> Self {
        Self {
            last_seq: 0,
            orders: BTreeMap::new(),
            positions: BTreeMap::new(),
            settled: BTreeMap::new(),
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
                self.advance(record.seq, id, OrderPhase::Accepted)?
            }
            RecordBody::Rejected { id, .. } => {
                self.advance(record.seq, id, OrderPhase::Rejected)?
            }
            RecordBody::Withheld { id, .. } => {
                self.advance(record.seq, id, OrderPhase::Withheld)?
            }
            RecordBody::Unknown { id, .. } => self.advance(record.seq, id, OrderPhase::Unknown)?,
            RecordBody::Cancelled { id, .. } => {
                self.advance(record.seq, id, OrderPhase::Cancelled)?
            }
            RecordBody::Fill {
                id,
                fill_id,
                price,
                shares,
                fee,
            } => {
                let gross = *shares * *price;
                self.fill(record.seq, id, fill_id, *shares, gross, *fee, t)?;
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
        if order.purpose == Purpose::Entry {
            self.last_entry.insert(order.id.window.asset(), t);
        }
        self.orders
            .entry(order.id.clone())
            .or_insert_with(|| OrderState {
                order: order.clone(),
                intended_at: t,
                phase: OrderPhase::Intended,
                filled: Shares::ZERO,
                fill_ids: BTreeSet::new(),
            });
    }

    fn advance(&mut self, seq: u64, id: &OrderId, to: OrderPhase) -> Result<(), LedgerError> {
        let state = self
            .orders
            .get_mut(id)
            .ok_or_else(|| LedgerError::NoIntent {
                seq,
                id: id.clone(),
            })?;
        state.phase = state.phase.max(to);
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of one fill record, used once"
    )]
    fn fill(
        &mut self,
        seq: u64,
        id: &OrderId,
        fill_id: &str,
        shares: Shares,
        gross: Usd,
        fee: Usd,
        t: EpochMs,
    ) -> Result<(), LedgerError> {
        let state = self
            .orders
            .get_mut(id)
            .ok_or_else(|| LedgerError::NoIntent {
                seq,
                id: id.clone(),
            })?;
        if !state.fill_ids.insert(fill_id.to_owned()) {
            return Ok(());
        }
        // A fill is the truth even where a rejection was reported before it.
        state.filled = state.filled.plus(shares);
        if state.filled >= state.order.shares {
            state.phase = OrderPhase::Filled;
        }
        let key = PositionKey {
            window: id.window,
            strategy: id.strategy.clone(),
            outcome: state.order.outcome,
        };
        let side = state.order.side;
        let won = self.settled.get(&id.window).map(|o| *o == key.outcome);
        let position = self.positions.entry(key.clone()).or_insert(Position::EMPTY);
        let before = position.realised(won);
        match side {
            Side::Buy => {
                position.bought = position.bought.plus(shares);
                position.cost = position.cost + gross + fee;
            }
            Side::Sell => {
                position.sold = position.sold.plus(shares);
                position.proceeds = position.proceeds + gross - fee;
            }
        }
        let after = position.realised(won);
        self.fees_total += fee;
        self.realise(after - before, t);
        self.count_end(&key, won);
        Ok(())
    }

    fn settle(&mut self, window: WindowId, outcome: Outcome, t: EpochMs) {
        // The first word on a settlement stands; the engine reports a second, different one.
        if self.settled.contains_key(&window) {
            return;
        }
        self.settled.insert(window, outcome);
        let keys: Vec<PositionKey> = self
            .positions
            .keys()
            .filter(|key| key.window == window)
            .cloned()
            .collect();
        for key in keys {
            let won = key.outcome == outcome;
            if let Some(position) = self.positions.get(&key) {
                let gain = position.realised(Some(won)) - position.realised(None);
                self.realise(gain, t);
                self.count_end(&key, Some(won));
            }
        }
        self.forget_before(t.plus_ms(-KEEP_SETTLED_MS));
    }

    /// Counts a position that has ended as a win or a loss, once.
    fn count_end(&mut self, key: &PositionKey, won: Option<bool>) {
        let Some(position) = self.positions.get_mut(key) else {
            return;
        };
        let ended = won.is_some() || position.held() == Shares::ZERO;
        if !ended || position.counted {
            return;
        }
        position.counted = true;
        let result = position.realised(won);
        self.losses_in_row = if result < Usd::ZERO {
            self.losses_in_row.saturating_add(1)
        } else {
            0
        };
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
        let old = |window: &WindowId| window.close() < limit;
        if !self.settled.keys().any(old) {
            return;
        }
        let settled = &self.settled;
        self.orders.retain(|id, state| {
            state.phase.is_live() || !(old(&id.window) && settled.contains_key(&id.window))
        });
        self.positions
            .retain(|key, _| !(old(&key.window) && settled.contains_key(&key.window)));
        self.settled.retain(|window, _| !old(window));
    }

    /// An order by id.
    pub fn order(&self, id: &OrderId) -> Option<&OrderState> {
        self.orders.get(id)
    }

    /// Orders that may still fill.
    pub fn live_orders(&self) -> impl Iterator<Item = &OrderState> {
        self.orders.values().filter(|state| state.phase.is_live())
    }

    /// Positions that are neither sold nor settled.
    pub fn open_positions(&self) -> impl Iterator<Item = (&PositionKey, &Position)> {
        self.positions.iter().filter(|(key, position)| {
            position.held() > Shares::ZERO && !self.settled.contains_key(&key.window)
        })
    }

    /// What one strategy holds of one outcome, if anything.
    pub fn held(&self, key: &PositionKey) -> Option<&Position> {
        self.positions
            .get(key)
            .filter(|p| p.held() > Shares::ZERO && !self.settled.contains_key(&key.window))
    }

    /// How a window settled, if it has.
    pub fn outcome(&self, window: WindowId) -> Option<Outcome> {
        self.settled.get(&window).copied()
    }

    /// Positions that count against the limit: held ones, and entries that may yet become one.
    pub fn position_count(&self) -> usize {
        let mut keys: BTreeSet<(WindowId, &StrategyId, Outcome)> = self
            .open_positions()
            .map(|(key, _)| (key.window, &key.strategy, key.outcome))
            .collect();
        keys.extend(
            self.live_orders()
                .filter(|state| state.order.purpose == Purpose::Entry)
                .map(|state| {
                    (
                        state.order.id.window,
                        &state.order.id.strategy,
                        state.order.outcome,
                    )
                }),
        );
        keys.len()
    }

    /// USD at stake: held positions at cost, and everything that may still fill at its worst.
    pub fn exposure(&self) -> Usd {
        let held: Usd = self
            .open_positions()
            .map(|(_, position)| position.held_cost())
            .sum();
        let reserved: Usd = self.live_orders().map(OrderState::reserved).sum();
        held + reserved
    }

    /// Entries that used up a place in the window, by any strategy: all but rejected ones.
    pub fn entries_in(&self, window: WindowId) -> impl Iterator<Item = &OrderState> {
        self.orders
            .values()
            .filter(move |state| state.order.id.window == window)
            .filter(|state| state.order.purpose == Purpose::Entry)
            .filter(|state| state.phase != OrderPhase::Rejected || state.filled > Shares::ZERO)
    }

    /// The sequence number for the next order of a strategy in a window.
    pub fn next_sequence(&self, window: WindowId, strategy: &StrategyId) -> u32 {
        self.orders
            .keys()
            .filter(|id| id.window == window && id.strategy == *strategy)
            .map(|id| id.sequence)
            .max()
            .map_or(1, |last| last.saturating_add(1))
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
