//! The fold: records in, state out. The same records, repeated however often, give the same state.

use super::flatten::{Flatten, FlattenEnd};
use super::order_state::{FillState, Word};
use super::position::Position;
use super::track::Track;
use super::{LedgerError, OrderState, RECORD_VERSION, Record, RecordBody};
use crate::event::Finality;
use crate::order::{Order, OrderId, Purpose};
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

    /// Orders that may still fill, or whose fills may still fail.
    pub(super) fn unproved(&self) -> impl Iterator<Item = &OrderState> {
        let open = |state: &&OrderState| state.phase.is_live() || state.provisional() > 0;
        self.orders.iter().filter(open)
    }

    pub(super) fn held(&self) -> impl Iterator<Item = (&(StrategyId, Outcome), &Position)> {
        let open = self.outcome.is_none();
        self.positions
            .iter()
            .filter(move |(_, position)| open && position.held() > Shares::ZERO)
    }

    pub(super) fn is_done(&self) -> bool {
        self.unproved().next().is_none() && self.held().next().is_none()
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
    pub(super) tracks: BTreeMap<StrategyId, Track>,
    /// Strategies that the quality gate has shut out.
    pub(super) closed: BTreeMap<StrategyId, Halted>,
}

/// A word on a fill that does not say how large it is.
const fn no_shares(finality: Finality) -> FillState {
    FillState {
        shares: Shares::ZERO,
        gross: Usd::ZERO,
        fee: Usd::ZERO,
        finality,
    }
}

/// Shares and result of a position that has ended (sold or settled) since its last end, once per end.
fn end_of(position: &mut Position, won: Option<bool>) -> Option<(Shares, Usd)> {
    let ended = won.is_some() || position.held() == Shares::ZERO;
    let (bought_before, result_before) = position.counted;
    if !ended || position.bought == bought_before {
        return None;
    }
    let result = position.realised(won);
    position.counted = (position.bought, result);
    let shares = position.bought.checked_sub(bought_before);
    Some((shares.unwrap_or(Shares::ZERO), result - result_before))
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
            tracks: BTreeMap::new(),
            closed: BTreeMap::new(),
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
                self.say(record.seq, id, Word::Accepted)?;
            }
            RecordBody::Rejected { id, .. } => {
                self.say(record.seq, id, Word::Rejected)?;
            }
            RecordBody::Withheld { id, .. } => {
                self.say(record.seq, id, Word::Withheld)?;
            }
            RecordBody::Unknown { id, .. } => self.say(record.seq, id, Word::Unknown)?,
            RecordBody::Cancelled { id, .. } => {
                self.say(record.seq, id, Word::Cancelled)?;
            }
            RecordBody::Fill {
                id,
                fill_id,
                price,
                shares,
                fee,
                provisional,
            } => {
                let fill = FillState {
                    shares: *shares,
                    gross: *shares * *price,
                    fee: *fee,
                    finality: if *provisional {
                        Finality::Matched
                    } else {
                        Finality::Final
                    },
                };
                self.fill(record.seq, id, fill_id, fill, t)?;
            }
            RecordBody::FillFinal { id, fill_id } => {
                self.fill(record.seq, id, fill_id, no_shares(Finality::Final), t)?;
            }
            RecordBody::FillFailed { id, fill_id } => {
                self.fill(record.seq, id, fill_id, no_shares(Finality::Failed), t)?;
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
                self.tracks.clear();
                self.closed.clear();
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
            RecordBody::QualityClosed {
                strategy,
                reason,
                detail,
            } => {
                let closed = || Halted {
                    by: format!("quality:{reason}"),
                    reason: detail.clone(),
                    reduce_only: true,
                    at: t,
                };
                self.closed.entry(strategy.clone()).or_insert_with(closed);
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
            book.orders.push(OrderState::new(order.clone(), t));
        }
        self.active.insert(window);
    }

    fn say(&mut self, seq: u64, id: &OrderId, word: Word) -> Result<(), LedgerError> {
        let state = self
            .windows
            .get_mut(&id.window)
            .and_then(|book| book.order_mut(id))
            .ok_or_else(|| LedgerError::NoIntent {
                seq,
                id: id.clone(),
            })?;
        state.say(word);
        self.settle_activity(id.window);
        Ok(())
    }

    /// A fill is the truth even where a rejection was reported before it; one that failed on its
    /// chain is taken back.
    fn fill(
        &mut self,
        seq: u64,
        id: &OrderId,
        fill_id: &str,
        told: FillState,
        t: EpochMs,
    ) -> Result<(), LedgerError> {
        let no_intent = || LedgerError::NoIntent {
            seq,
            id: id.clone(),
        };
        let book = self.windows.get_mut(&id.window).ok_or_else(no_intent)?;
        let state = book.order_mut(id).ok_or_else(no_intent)?;
        let known = state.fills.get(fill_id).copied();
        let mut fill = known.unwrap_or(told);
        if fill.shares == Shares::ZERO {
            (fill.shares, fill.gross, fill.fee) = (told.shares, told.gross, told.fee);
        }
        fill.finality = fill.finality.max(told.finality);
        state.fills.insert(fill_id.to_owned(), fill);
        state.settle_phase();
        let counted = known.is_some_and(|fill| fill.counts());
        if counted == fill.counts() {
            self.settle_activity(id.window);
            return Ok(());
        }
        let (side, outcome) = (state.order.side, state.order.outcome);
        let won = book.outcome.map(|settled| settled == outcome);
        let position = book
            .positions
            .entry((id.strategy.clone(), outcome))
            .or_insert(Position::EMPTY);
        let before = position.realised(won);
        position.take(side, &fill, counted);
        let gain = position.realised(won) - before;
        let ended = if counted {
            // A correction is neither a win nor a loss.
            end_of(position, won);
            self.fees_total = self.fees_total - fill.fee;
            None
        } else {
            self.fees_total += fill.fee;
            end_of(position, won)
        };
        let position = *position;
        self.realise(gain, t);
        self.count_end(&id.strategy, &position, ended);
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
        for ((owner, held), position) in &mut book.positions {
            let won = *held == outcome;
            let gain = position.realised(Some(won)) - position.realised(None);
            let ended = end_of(position, Some(won));
            gains.push((owner.clone(), *position, gain, ended));
        }
        for (owner, position, gain, ended) in gains {
            self.realise(gain, t);
            self.count_end(&owner, &position, ended);
        }
        self.settle_activity(window);
        self.forget_before(t.plus_ms(-KEEP_CLOSED_MS));
    }

    fn settle_activity(&mut self, window: WindowId) {
        if self.windows.get(&window).is_none_or(WindowBook::is_done) {
            self.active.remove(&window);
        }
    }

    fn count_end(
        &mut self,
        strategy: &StrategyId,
        position: &Position,
        ended: Option<(Shares, Usd)>,
    ) {
        let Some((shares, result)) = ended else {
            return;
        };
        self.losses_in_row = if result < Usd::ZERO {
            self.losses_in_row.saturating_add(1)
        } else {
            0
        };
        // Without shares it is a correction of what was counted already.
        if shares > Shares::ZERO {
            let track = self.tracks.entry(strategy.clone()).or_default();
            track.ended(position, shares, result);
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
