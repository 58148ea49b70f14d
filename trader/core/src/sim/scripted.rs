//! The scripted venue: answers each order as its script says, and keeps the truth beside it.
//!
//! A script may lie by silence (time out, fill without a word, fail a match later), never about the
//! shares that really changed hands: those are in [`ScriptedVenue::held`] and are what a trader's ledger
//! must agree with in the end. Deterministic; time arrives as an argument.

use crate::event::{Event, EventKind, FillReport, Finality, OrderReport, OrderStatus};
use crate::fees::taker_fee;
use crate::order::{Order, OrderId, Side};
use crate::units::{EpochMs, Shares, TokenId};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, VecDeque};

/// What the venue does with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Takes it and says so.
    Accept,
    /// Takes it and says that the match is delayed.
    Delay,
    /// Refuses it: it never existed here.
    Reject,
    /// Nothing is heard; whoever waited gives up and calls it unknown.
    TimeOut,
    /// Fills this many percent of the order, at its limit, and says so.
    Fill(u32),
    /// The same without a word: only a look-up tells.
    FillInSilence(u32),
    /// Matches this many percent, not final yet.
    Match(u32),
    /// The newest match is on the chain.
    Confirm,
    /// The newest match failed on the chain: those shares never changed hands.
    FailMatch,
    /// The rest is cancelled.
    Cancel,
    /// Says everything that it ever said of this order once more.
    Repeat,
}

/// What happens so long after the order arrived, ms.
pub type Step = (i64, Act);

/// The life of one order.
pub type Script = Vec<Step>;

#[derive(Debug)]
struct Known {
    order: Order,
    exists: bool,
    ended: bool,
    fills: Vec<FillReport>,
    said: Vec<EventKind>,
}

impl Known {
    fn filled(&self) -> Shares {
        let counting = self
            .fills
            .iter()
            .filter(|fill| fill.finality != Finality::Failed);
        counting.fold(Shares::ZERO, |sum, fill| sum.plus(fill.size))
    }
}

/// The venue.
#[derive(Debug, Default)]
pub struct ScriptedVenue {
    scripts: VecDeque<Script>,
    orders: BTreeMap<OrderId, Known>,
    /// By due time and arrival.
    due: BTreeMap<(EpochMs, u64), (OrderId, Act)>,
    next: u64,
    repeats: u64,
}

impl ScriptedVenue {
    /// A venue that uses up these scripts, order by order; then it accepts and fills.
    pub fn new(scripts: impl IntoIterator<Item = Script>) -> Self {
        Self {
            scripts: scripts.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Takes an order. The same id again is the same order: nothing happens twice.
    pub fn send(&mut self, order: &Order, now: EpochMs) {
        if self.orders.contains_key(&order.id) {
            self.repeats = self.repeats.saturating_add(1);
            return;
        }
        let default = || vec![(0, Act::Accept), (0, Act::Fill(100))];
        let script = self.scripts.pop_front().unwrap_or_else(default);
        let exists = !script.iter().any(|(_, act)| *act == Act::Reject);
        for (after_ms, act) in script {
            let key = (now.plus_ms(after_ms), self.next);
            self.next = self.next.saturating_add(1);
            self.due.insert(key, (order.id.clone(), act));
        }
        let known = Known {
            order: order.clone(),
            exists,
            ended: !exists,
            fills: Vec::new(),
            said: Vec::new(),
        };
        self.orders.insert(order.id.clone(), known);
    }

    /// Lets time pass; appends what the venue says.
    pub fn advance(&mut self, now: EpochMs, out: &mut Vec<Event>) {
        while let Some(entry) = self.due.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                return;
            }
            let (id, act) = entry.remove();
            if let Some(known) = self.orders.get_mut(&id) {
                act_on(known, act, now, out);
            }
        }
    }

    /// Cancels what is left of an order.
    pub fn cancel(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        if let Some(known) = self.orders.get_mut(id).filter(|known| !known.ended) {
            end(known, now, out);
        }
    }

    /// Tells everything that is known of an order. One that never arrived does not exist.
    pub fn look_up(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        let Some(known) = self.orders.get_mut(id).filter(|known| known.exists) else {
            tell(status(id, OrderStatus::Rejected), now, out);
            return;
        };
        for fill in &known.fills {
            tell(EventKind::Fill(fill.clone()), now, out);
        }
        known.ended |= now >= known.order.expires_at;
        let word = if known.ended {
            OrderStatus::Cancelled
        } else {
            OrderStatus::Accepted
        };
        tell(status(id, word), now, out);
    }

    /// Shares of each token that really are held: bought less sold. Never negative at an honest trader.
    pub fn held(&self) -> BTreeMap<TokenId, Decimal> {
        let mut held: BTreeMap<TokenId, Decimal> = BTreeMap::new();
        for known in self.orders.values() {
            let shares = known.filled().get();
            *held.entry(known.order.token.clone()).or_default() += match known.order.side {
                Side::Buy => shares,
                Side::Sell => -shares,
            };
        }
        held
    }

    /// Shares of an order that really changed hands; 0 for one that never arrived.
    pub fn filled(&self, id: &OrderId) -> Shares {
        self.orders.get(id).map_or(Shares::ZERO, Known::filled)
    }

    /// Orders that arrived, each once.
    pub fn arrived(&self) -> usize {
        self.orders.len()
    }

    /// How often an order arrived that was known already.
    pub const fn repeats(&self) -> u64 {
        self.repeats
    }
}

fn act_on(known: &mut Known, act: Act, now: EpochMs, out: &mut Vec<Event>) {
    let id = known.order.id.clone();
    match act {
        Act::Accept => say(known, status(&id, OrderStatus::Accepted), now, out),
        Act::Delay => say(known, status(&id, OrderStatus::Delayed), now, out),
        Act::Reject => say(known, status(&id, OrderStatus::Rejected), now, out),
        Act::TimeOut => say(known, status(&id, OrderStatus::Unknown), now, out),
        Act::Fill(percent) => fill(known, percent, Finality::Final, Some((now, out))),
        Act::Match(percent) => fill(known, percent, Finality::Matched, Some((now, out))),
        Act::FillInSilence(percent) => fill(known, percent, Finality::Final, None),
        Act::Confirm => settle_match(known, Finality::Final, now, out),
        Act::FailMatch => settle_match(known, Finality::Failed, now, out),
        Act::Cancel if !known.ended => {
            end(known, now, out);
        }
        Act::Cancel => {}
        Act::Repeat => {
            for kind in known.said.clone() {
                tell(kind, now, out);
            }
        }
    }
}

/// The rest is cancelled: said only after every fill that came before.
fn end(known: &mut Known, now: EpochMs, out: &mut Vec<Event>) {
    known.ended = true;
    for fill in known.fills.clone() {
        say(known, EventKind::Fill(fill), now, out);
    }
    let id = known.order.id.clone();
    say(known, status(&id, OrderStatus::Cancelled), now, out);
}

/// Fills at the order's limit: never more than is left, nothing once it has ended or expired.
fn fill(
    known: &mut Known,
    percent: u32,
    finality: Finality,
    told: Option<(EpochMs, &mut Vec<Event>)>,
) {
    let order = &known.order;
    let part = order.shares.get() * Decimal::new(percent.into(), 2);
    let left = order.shares.checked_sub(known.filled());
    let size = Shares::try_new(part.round_dp(2))
        .unwrap_or(Shares::ZERO)
        .min(left.unwrap_or(Shares::ZERO));
    if known.ended || size == Shares::ZERO {
        return;
    }
    let report = FillReport {
        id: order.id.clone(),
        fill_id: format!("{}#{}", order.id, known.fills.len() + 1),
        price: order.price,
        size,
        fee: taker_fee(size, order.price),
        finality,
    };
    known.fills.push(report.clone());
    if let Some((now, out)) = told {
        say(known, EventKind::Fill(report), now, out);
    }
}

fn settle_match(known: &mut Known, finality: Finality, now: EpochMs, out: &mut Vec<Event>) {
    let open = |fill: &&mut FillReport| fill.finality == Finality::Matched;
    let Some(fill) = known.fills.iter_mut().rev().find(open) else {
        return;
    };
    fill.finality = finality;
    let report = fill.clone();
    say(known, EventKind::Fill(report), now, out);
}

fn status(id: &OrderId, status: OrderStatus) -> EventKind {
    EventKind::Order(OrderReport {
        id: id.clone(),
        status,
        detail: None,
    })
}

fn say(known: &mut Known, kind: EventKind, now: EpochMs, out: &mut Vec<Event>) {
    known.said.push(kind.clone());
    tell(kind, now, out);
}

fn tell(kind: EventKind, now: EpochMs, out: &mut Vec<Event>) {
    out.push(Event {
        t: now,
        src: None,
        kind,
    });
}
