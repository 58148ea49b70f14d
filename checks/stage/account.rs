//! The stage's own count of positions, money at stake and losses, from what the venue told and knows.
//!
//! Must not ask the trader: its books are what is judged.

use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};
use trader_core::event::{Event, EventKind, Finality, OrderStatus};
use trader_core::fees::taker_fee;
use trader_core::order::{Order, OrderId, Purpose, Side};
use trader_core::sim::scripted::ScriptedVenue;
use trader_core::units::{Outcome, Shares, StrategyId};
use trader_core::window::WindowId;

type Holder = (WindowId, StrategyId, Outcome);

/// What was bought and sold of one outcome, as told.
#[derive(Debug, Default, Clone)]
struct Told {
    bought: Decimal,
    cost: Decimal,
    sold: Decimal,
    proceeds: Decimal,
    /// Shares bought and result that have ended already.
    ended: (Decimal, Decimal),
    settled: Option<bool>,
}

impl Told {
    fn held(&self) -> Decimal {
        self.bought - self.sold
    }

    fn realised(&self) -> Decimal {
        match self.settled {
            Some(won) => {
                let paid = if won { self.held() } else { Decimal::ZERO };
                self.proceeds + paid - self.cost
            }
            None if self.bought.is_zero() => Decimal::ZERO,
            None => self.proceeds - self.cost * self.sold / self.bought,
        }
    }
}

/// The count.
#[derive(Debug, Default)]
pub(super) struct Account {
    orders: BTreeMap<OrderId, Order>,
    /// Orders that the venue told to be over.
    over: BTreeSet<OrderId>,
    fills: BTreeSet<String>,
    told: BTreeMap<Holder, Told>,
    settled: BTreeSet<WindowId>,
    losses_in_row: u32,
    ended: u32,
}

/// What is at stake at one instant, as the venue knows it.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct AtStake {
    /// Positions held, and entries that may become one.
    pub(super) positions: u32,
    /// What they cost, and what may still fill at its worst, USD.
    pub(super) usd: Decimal,
}

impl Account {
    /// An order leaves for the venue.
    pub(super) fn sends(&mut self, order: &Order) {
        self.orders.insert(order.id.clone(), order.clone());
    }

    /// Hears what the world tells.
    pub(super) fn hears(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Order(report)
                if matches!(
                    report.status,
                    OrderStatus::Rejected | OrderStatus::Cancelled
                ) =>
            {
                self.over.insert(report.id.clone());
            }
            EventKind::Fill(report) if report.finality != Finality::Failed => {
                let Some(order) = self.orders.get(&report.id) else {
                    return;
                };
                if !self.fills.insert(report.fill_id.clone()) {
                    return;
                }
                let holder = holder(order);
                let told = self.told.entry(holder.clone()).or_default();
                let gross = report.size.get() * report.price.get();
                match order.side {
                    Side::Buy => {
                        told.bought += report.size.get();
                        told.cost += gross + report.fee.get();
                    }
                    Side::Sell => {
                        told.sold += report.size.get();
                        told.proceeds += gross - report.fee.get();
                    }
                }
                self.end(&holder);
            }
            EventKind::Window(tick) => {
                if let Some(outcome) = tick.outcome
                    && self.settled.insert(tick.window.id)
                {
                    self.settle(tick.window.id, outcome);
                }
            }
            EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Oracle(_)
            | EventKind::Spot(_)
            | EventKind::Book(_)
            | EventKind::Trade(_)
            | EventKind::Lease(_)
            | EventKind::Clock(_)
            | EventKind::Control(_) => {}
        }
    }

    fn settle(&mut self, window: WindowId, outcome: Outcome) {
        let inside: Vec<Holder> = self
            .told
            .keys()
            .filter(|(id, ..)| *id == window)
            .cloned()
            .collect();
        for holder in inside {
            if let Some(told) = self.told.get_mut(&holder) {
                told.settled = Some(holder.2 == outcome);
            }
            self.end(&holder);
        }
    }

    /// Counts a position that has ended just now.
    fn end(&mut self, holder: &Holder) {
        let Some(told) = self.told.get_mut(holder) else {
            return;
        };
        let is_over = told.settled.is_some() || told.held() <= Decimal::ZERO;
        if !is_over || told.bought <= told.ended.0 {
            return;
        }
        let realised = told.realised();
        let result = realised - told.ended.1;
        told.ended = (told.bought, realised);
        self.ended += 1;
        self.losses_in_row = if result < Decimal::ZERO {
            self.losses_in_row + 1
        } else {
            0
        };
    }

    /// What was lost so far in all, as told; 0 or more. The stage lies within one UTC day.
    pub(super) fn lost(&self) -> Decimal {
        let realised: Decimal = self.told.values().map(Told::realised).sum();
        (-realised).max(Decimal::ZERO)
    }

    /// Positions that ended with a loss, in a row, as told.
    pub(super) const fn losses_in_row(&self) -> u32 {
        self.losses_in_row
    }

    /// Positions that ended, as told.
    pub(super) const fn ended(&self) -> u32 {
        self.ended
    }

    /// Entries in a window that the venue did not refuse.
    pub(super) fn entries_in(&self, window: WindowId, venue: &ScriptedVenue) -> u32 {
        let entries = self.orders.values().filter(|order| {
            order.purpose == Purpose::Entry
                && order.id.window == window
                && !(self.over.contains(&order.id) && venue.filled(&order.id) == Shares::ZERO)
        });
        u32::try_from(entries.count()).unwrap_or(u32::MAX)
    }

    /// What is at stake, by the venue's own truth.
    pub(super) fn at_stake(&self, venue: &ScriptedVenue) -> AtStake {
        let mut bought: BTreeMap<Holder, (Decimal, Decimal)> = BTreeMap::new();
        let mut sold: BTreeMap<Holder, Decimal> = BTreeMap::new();
        let mut coming: BTreeSet<Holder> = BTreeSet::new();
        let mut usd = Decimal::ZERO;
        for order in self.orders.values() {
            if self.settled.contains(&order.id.window) {
                continue;
            }
            let filled = venue.filled(&order.id);
            match order.side {
                Side::Buy => {
                    let (shares, cost) = bought.entry(holder(order)).or_default();
                    *shares += filled.get();
                    *cost += worst(filled, order);
                    let left = order.shares.checked_sub(filled).unwrap_or(Shares::ZERO);
                    if left > Shares::ZERO && !self.over.contains(&order.id) {
                        coming.insert(holder(order));
                        usd += worst(left, order);
                    }
                }
                Side::Sell => *sold.entry(holder(order)).or_default() += filled.get(),
            }
        }
        for (holder, (shares, cost)) in bought {
            let held = shares - sold.get(&holder).copied().unwrap_or_default();
            if held > Decimal::ZERO {
                usd += cost * held / shares;
                coming.insert(holder);
            }
        }
        AtStake {
            positions: u32::try_from(coming.len()).unwrap_or(u32::MAX),
            usd,
        }
    }
}

fn worst(shares: Shares, order: &Order) -> Decimal {
    (shares * order.price).get() + taker_fee(shares, order.price).get()
}

fn holder(order: &Order) -> Holder {
    (order.id.window, order.id.strategy.clone(), order.outcome)
}
