//! The trader at its desk: events in, orders to the scripted venue, answers back, restarts; and a line for
//! every order that reached the venue, with what was true at that moment.

use super::account::Account;
use super::typical_price;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use trader_core::engine::{Commands, Engine};
use trader_core::event::{Control, ControlAction, Event, EventKind, LeaseGrant};
use trader_core::ledger::{LedgerState, Record, RecordBody};
use trader_core::order::{Order, OrderId, Purpose};
use trader_core::run::not_sent;
use trader_core::sim::scripted::{Script, ScriptedVenue};
use trader_core::units::{Asset, EpochMs, Outcome, Shares, TokenId, TokenPrice};
use trader_core::window::WindowId;

/// Life of a granted lease, and when it is renewed, ms.
const LEASE_LIFE_MS: i64 = 15_000;
const LEASE_RENEW_MS: i64 = 10_000;
/// How often orders of unknown fate are looked up, ms.
const LOOK_UP_EVERY_MS: i64 = 1_000;
/// Answers that one event may cause before the run is given up as a loop.
const ANSWERS_MAX: usize = 10_000;
const MINUTE_MS: i64 = 60_000;

/// The trader under test.
pub(crate) struct Trader {
    /// Builds it from a ledger, at the start and after each restart.
    pub(crate) build: Box<dyn Fn(LedgerState) -> Result<Engine, String>>,
    /// What it hears of an event: that event.
    pub(crate) hears: Box<dyn Fn(Event) -> Vec<Event>>,
    /// Whether the cancels that it asks for reach the venue.
    pub(crate) cancels: bool,
}

/// An order that reached the venue, with what was true at that moment.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// The order.
    pub(crate) order: Order,
    /// When.
    pub(crate) at: EpochMs,
    /// The window and outcome that its token really stands for; `None` for a foreign token.
    pub(crate) token_of: Option<(WindowId, Outcome)>,
    /// Entries that this event caused so far, this one included.
    pub(crate) entries_this_tick: u32,
    /// Since the asset's last entry.
    pub(crate) since_entry_ms: Option<i64>,
    /// Entries of its window that the venue did not refuse, this one included.
    pub(crate) entries_in_window: u32,
    /// Orders of the last minute, this one included.
    pub(crate) orders_in_minute: u32,
    /// Positions held or coming, this one included.
    pub(crate) positions: u32,
    /// USD at stake, this one included.
    pub(crate) at_stake: Decimal,
    /// USD lost so far, as told.
    pub(crate) lost: Decimal,
    /// Losses in a row, as told.
    pub(crate) losses_in_row: u32,
    /// Positions that have ended, as told.
    pub(crate) ended: u32,
    /// Age of the asset's oracle price, ms.
    pub(crate) oracle_age_ms: Option<i64>,
    /// Age of the token's book, ms, and what it shows.
    pub(crate) book_age_ms: Option<i64>,
    /// Ask and bid of the token.
    pub(crate) shown: Option<(TokenPrice, TokenPrice)>,
    /// The clock's last measured offset, ms.
    pub(crate) clock_offset_ms: Option<i64>,
    /// Since the trader's first oracle price after its last start, ms.
    pub(crate) history_ms: i64,
    /// Whether the oracle shows the stage's reference to the cent: an honest model says one half.
    pub(crate) is_flat: bool,
}

impl Sent {
    /// Whether it takes on risk.
    pub(crate) fn is_entry(&self) -> bool {
        self.order.purpose == Purpose::Entry
    }
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    at: EpochMs,
    ask: TokenPrice,
    bid: TokenPrice,
}

/// What the market really shows.
#[derive(Debug, Default)]
struct World {
    tokens: BTreeMap<TokenId, (WindowId, Outcome)>,
    oracle: BTreeMap<Asset, EpochMs>,
    first_oracle: BTreeMap<Asset, EpochMs>,
    price: BTreeMap<Asset, Decimal>,
    books: BTreeMap<TokenId, Shown>,
    clock_offset_ms: Option<i64>,
}

/// The desk.
pub(crate) struct Desk {
    trader: Trader,
    engine: Engine,
    venue: ScriptedVenue,
    world: World,
    account: Account,
    records: Vec<Record>,
    sent: Vec<Sent>,
    cancelled: BTreeSet<OrderId>,
    /// Whether somebody grants and renews the lease.
    pub(crate) is_leased: bool,
    next_look_up: EpochMs,
    now: EpochMs,
    short: Decimal,
    entries_this_tick: u32,
}

impl Desk {
    /// A new trader with an empty ledger, and a venue with these scripts.
    ///
    /// # Errors
    /// Why the trader cannot be built.
    pub(crate) fn new(
        trader: Trader,
        scripts: impl IntoIterator<Item = Script>,
    ) -> Result<Self, String> {
        Ok(Self {
            engine: (trader.build)(LedgerState::default())?,
            trader,
            venue: ScriptedVenue::new(scripts),
            world: World::default(),
            account: Account::default(),
            records: Vec::new(),
            sent: Vec::new(),
            cancelled: BTreeSet::new(),
            is_leased: true,
            next_look_up: EpochMs(0),
            now: EpochMs(0),
            short: Decimal::ZERO,
            entries_this_tick: 0,
        })
    }

    /// Plays events.
    pub(crate) fn play(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.feed(event);
        }
    }

    fn feed(&mut self, event: Event) {
        self.now = self.now.max(event.t);
        let now = self.now;
        let left = self
            .engine
            .lease(now)
            .map_or(0, |lease| lease.expires_in_ms);
        if self.is_leased && i64::try_from(left).unwrap_or(0) < LEASE_RENEW_MS {
            self.settle(lease(now));
        }
        let mut answers = Vec::new();
        self.venue.advance(now, &mut answers);
        if now >= self.next_look_up {
            self.next_look_up = now.plus_ms(LOOK_UP_EVERY_MS);
            let due: Vec<OrderId> = self.engine.look_ups_due(now).cloned().collect();
            for id in due.into_iter().chain(self.engine.unresolved()) {
                self.venue.look_up(&id, now, &mut answers);
            }
        }
        for answer in answers {
            self.settle(answer);
        }
        self.settle(event);
    }

    /// A command from outside.
    pub(crate) fn command(&mut self, action: ControlAction) {
        let control = Control {
            action,
            by: "check".to_owned(),
            reason: "rehearsal".to_owned(),
        };
        self.feed(Event {
            t: self.now,
            src: None,
            kind: EventKind::Control(control),
        });
    }

    fn settle(&mut self, event: Event) {
        let mut queue = VecDeque::from([event]);
        for _ in 0..ANSWERS_MAX {
            let Some(event) = queue.pop_front() else {
                return;
            };
            self.world.observe(&event);
            self.account.hears(&event);
            for heard in (self.trader.hears)(event) {
                queue.extend(self.step(&heard));
            }
        }
    }

    /// One step of the trader, and what the venue answers at once.
    fn step(&mut self, heard: &Event) -> Vec<Event> {
        let mut out = Commands::default();
        self.engine.step(heard, &mut out);
        self.records.append(&mut out.records);
        self.entries_this_tick = 0;
        let mut answers = Vec::new();
        for approved in &out.orders {
            match self.engine.may_send(approved, heard.t) {
                Ok(()) => self.send(approved.get()),
                Err(refusal) => {
                    let id = &approved.get().id;
                    answers.push(not_sent(id, &refusal.to_string(), self.now));
                }
            }
        }
        if self.trader.cancels {
            for id in &out.cancels {
                self.cancelled.insert(id.clone());
                self.venue.cancel(id, self.now, &mut answers);
            }
        }
        self.venue.advance(self.now, &mut answers);
        for held in self.venue.held().into_values() {
            self.short = self.short.max(-held);
        }
        answers
    }

    fn send(&mut self, order: &Order) {
        let asset = order.id.window.asset();
        let entry = order.purpose == Purpose::Entry;
        self.entries_this_tick += u32::from(entry);
        let before = |sent: &&Sent| sent.is_entry() && sent.order.id.window.asset() == asset;
        let last = self.sent.iter().rev().find(before);
        let since_entry_ms = last.map(|sent| self.now - sent.at);
        let recent = self.sent.iter().rev();
        let recent = recent.take_while(|sent| self.now - sent.at < MINUTE_MS);
        let orders_in_minute = u32::try_from(recent.count() + 1).unwrap_or(u32::MAX);
        self.account.sends(order);
        self.venue.send(order, self.now);
        let stake = self.account.at_stake(&self.venue);
        let book = self.world.books.get(&order.token);
        let age = |at: EpochMs| self.now - at;
        self.sent.push(Sent {
            order: order.clone(),
            at: self.now,
            token_of: self.world.tokens.get(&order.token).copied(),
            entries_this_tick: self.entries_this_tick,
            since_entry_ms,
            entries_in_window: self.account.entries_in(order.id.window, &self.venue),
            orders_in_minute,
            positions: stake.positions,
            at_stake: stake.usd,
            lost: self.account.lost(),
            losses_in_row: self.account.losses_in_row(),
            ended: self.account.ended(),
            oracle_age_ms: self.world.oracle.get(&asset).copied().map(age),
            book_age_ms: book.map(|book| age(book.at)),
            shown: book.map(|book| (book.ask, book.bid)),
            clock_offset_ms: self.world.clock_offset_ms,
            history_ms: self.world.first_oracle.get(&asset).map_or(0, |at| age(*at)),
            is_flat: self.world.price.get(&asset) == Some(&typical_price(asset)),
        });
    }

    /// The process ends and another begins with what is on disk; the newest `lost` records are not, but an
    /// intent always is: it was durable before its order left.
    ///
    /// # Errors
    /// Why no trader can be built from what is left.
    pub(crate) fn restart(&mut self, lost: usize) -> Result<(), String> {
        let intent = |record: &Record| matches!(record.body, RecordBody::Intent { .. });
        let least = self.records.iter().rposition(intent).map_or(0, |at| at + 1);
        let keep = self.records.len().saturating_sub(lost).max(least);
        self.records.truncate(keep);
        let ledger = LedgerState::replay(&self.records).map_err(|error| error.to_string())?;
        self.engine = (self.trader.build)(ledger)?;
        self.world.first_oracle.clear();
        Ok(())
    }

    /// The trader.
    pub(crate) const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The venue with its truth.
    pub(crate) const fn venue(&self) -> &ScriptedVenue {
        &self.venue
    }

    /// Every order that reached the venue.
    pub(crate) fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// Entries that reached the venue since an instant.
    pub(crate) fn entries_since(&self, since: EpochMs) -> impl Iterator<Item = &Sent> {
        self.sent
            .iter()
            .filter(move |sent| sent.is_entry() && sent.at > since)
    }

    /// Whether a cancel of the order reached the venue.
    pub(crate) fn was_cancelled(&self, id: &OrderId) -> bool {
        self.cancelled.contains(id)
    }

    /// The most that the venue ever held short of any token.
    pub(crate) const fn short(&self) -> Decimal {
        self.short
    }

    /// Positions that have ended, as told.
    pub(crate) const fn ended(&self) -> u32 {
        self.account.ended()
    }

    /// Now.
    pub(crate) const fn now(&self) -> EpochMs {
        self.now
    }

    /// Orders whose fills the ledger knows otherwise than the venue: one line each.
    pub(crate) fn disagreements(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for sent in &self.sent {
            let known = self.engine.ledger().order(&sent.order.id);
            let known = known.map_or(Shares::ZERO, |state| state.filled);
            let truth = self.venue.filled(&sent.order.id);
            if known != truth {
                lines.push(format!(
                    "{}: {truth} shares filled at the venue, {known} in the ledger",
                    sent.order.id
                ));
            }
        }
        lines
    }
}

impl World {
    fn observe(&mut self, event: &Event) {
        let at = event.src.unwrap_or(event.t);
        match &event.kind {
            EventKind::Window(tick) => {
                let window = &tick.window;
                // A token stands for what it was listed for first.
                for outcome in [Outcome::Up, Outcome::Down] {
                    let token = window.token(outcome).clone();
                    self.tokens.entry(token).or_insert((window.id, outcome));
                }
            }
            EventKind::Oracle(tick) if tick.twap_secs.is_none() => {
                self.oracle.insert(tick.asset, at);
                self.first_oracle.entry(tick.asset).or_insert(at);
                self.price.insert(tick.asset, tick.price.get());
            }
            EventKind::Book(tick) => {
                if let (Some(ask), Some(bid)) = (tick.ask, tick.bid) {
                    self.books
                        .insert(tick.token.clone(), Shown { at, ask, bid });
                }
            }
            EventKind::Clock(tick) => {
                self.clock_offset_ms = tick.offset_ms.or(self.clock_offset_ms);
            }
            EventKind::Oracle(_)
            | EventKind::Spot(_)
            | EventKind::Trade(_)
            | EventKind::Order(_)
            | EventKind::Fill(_)
            | EventKind::Lease(_)
            | EventKind::Control(_) => {}
        }
    }
}

/// A lease granted at that instant.
pub(crate) fn lease(now: EpochMs) -> Event {
    Event {
        t: now,
        src: None,
        kind: EventKind::Lease(LeaseGrant {
            holder: "watchdog".to_owned(),
            expires_at: now.plus_ms(LEASE_LIFE_MS),
        }),
    }
}
