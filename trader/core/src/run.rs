//! A whole run in one thread: engine, paper venue and settlement round a stream of events.
//!
//! Used by checks, replay and tests; the running trader is the same engine in a loop with a clock.
//! Reads and writes nothing: events come as an iterator, journal lines leave through a function.

use crate::engine::{Commands, Engine, EngineError};
use crate::event::{Event, EventKind, LeaseGrant, OrderReport, OrderStatus};
use crate::journal::JournalDigest;
use crate::ledger::{LedgerState, Record};
use crate::manifest::Manifest;
use crate::order::OrderId;
use crate::sim::matching::PaperVenue;
use crate::sim::settlement::Settler;
use crate::strategy_file::StrategyFile;
use crate::units::{EpochMs, StrategyId, Usd};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Life of the lease that a simulation grants itself, ms.
const LEASE_LIFE_MS: i64 = 15_000;
/// It is renewed when less than this is left, ms.
const LEASE_RENEW_MS: i64 = 10_000;
/// Answers that one event may cause before the run is given up as a loop.
const ANSWERS_PER_EVENT_MAX: usize = 10_000;

/// Who plays the venue and grants the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counterpart {
    /// The paper venue answers, settles what the feed does not, and the lease is granted throughout.
    Simulated,
    /// Answers, outcomes and leases are in the events already: the replay of a tape that a trader
    /// recorded.
    Recorded,
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// After so many events.
    pub max_events: u64,
    /// Before a window more than so many is looked at.
    pub max_windows: Option<u64>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SimReport {
    /// Events taken from the stream.
    pub events: u64,
    /// Market data among them.
    pub ticks: u64,
    /// Windows that were looked at while open.
    pub windows: u64,
    /// Times that a strategy began to want an entry.
    pub signals: u64,
    /// Orders approved and reserved.
    pub intents: u64,
    /// Orders sent.
    pub sent: u64,
    /// Changes into a refusal, by reason code.
    pub refusals: BTreeMap<String, u64>,
    /// Fills.
    pub fills: u64,
    /// Realised profit and loss, fees included.
    pub pnl_usd: Usd,
    /// Fees.
    pub fees_usd: Usd,
    /// Positions still open at the end.
    pub open_positions: u64,
    /// Reports that nothing of ours explains.
    pub unexplained: u64,
    /// Digest of the journal.
    pub journal_digest: String,
}

/// Where lines and records of a run go.
pub trait Sink {
    /// A journal line, without its line end.
    fn journal(&mut self, line: &str);
    /// A ledger record.
    fn record(&mut self, record: &Record);
    /// An event that the engine is about to see, answers of the simulated venue included.
    fn event(&mut self, event: &Event);
}

/// Forgets everything.
#[derive(Debug, Default)]
pub struct Discard;

impl Sink for Discard {
    fn journal(&mut self, _: &str) {}
    fn record(&mut self, _: &Record) {}
    fn event(&mut self, _: &Event) {}
}

/// Runs a trader over a stream of events, from an empty ledger.
///
/// # Errors
/// When the trader cannot be built.
pub fn simulate(
    manifest: &Manifest,
    strategies: &BTreeMap<StrategyId, StrategyFile>,
    events: impl IntoIterator<Item = Event>,
    limits: Limits,
    counterpart: Counterpart,
    sink: &mut dyn Sink,
) -> Result<SimReport, EngineError> {
    let engine = Engine::new(manifest, strategies, LedgerState::default())?;
    let mut run = Run::new(engine, counterpart);
    for event in events {
        if run.engine.tally().events >= limits.max_events {
            break;
        }
        run.feed(&event, sink);
        if limits
            .max_windows
            .is_some_and(|max| run.engine.tally().windows > max)
        {
            break;
        }
    }
    Ok(run.report())
}

/// A run that is fed event by event.
#[derive(Debug)]
pub struct Run {
    engine: Engine,
    counterpart: Counterpart,
    venue: PaperVenue,
    settler: Settler,
    commands: Commands,
    answers: VecDeque<Event>,
    fresh: Vec<Event>,
    digest: JournalDigest,
}

impl Run {
    /// A run round an engine.
    pub fn new(engine: Engine, counterpart: Counterpart) -> Self {
        Self {
            engine,
            counterpart,
            venue: PaperVenue::default(),
            settler: Settler::default(),
            commands: Commands::default(),
            answers: VecDeque::new(),
            fresh: Vec::new(),
            digest: JournalDigest::default(),
        }
    }

    /// The same run with a venue that orders and cancels reach so much later, ms.
    #[must_use]
    pub fn with_latency(mut self, latency_ms: u32) -> Self {
        self.venue = PaperVenue::with_latency(latency_ms);
        self
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Takes an event and everything that follows from it.
    pub fn feed(&mut self, event: &Event, sink: &mut dyn Sink) {
        if self.counterpart == Counterpart::Recorded {
            self.step(event, sink);
            return;
        }
        if let Some(lease) = self.lease_due(event.t) {
            self.step(&lease, sink);
        }
        for id in self.engine.unresolved() {
            self.venue.look_up(&id, event.t, &mut self.fresh);
        }
        self.venue.observe(event, &mut self.fresh);
        self.settler.observe(event, &mut self.fresh);
        self.answers.extend(self.fresh.drain(..));
        self.step(event, sink);
        for _ in 0..ANSWERS_PER_EVENT_MAX {
            let Some(answer) = self.answers.pop_front() else {
                return;
            };
            self.step(&answer, sink);
        }
    }

    fn lease_due(&self, t: EpochMs) -> Option<Event> {
        let left = self.engine.lease(t).map_or(0, |lease| lease.expires_in_ms);
        let renew = i64::try_from(left).unwrap_or(0) < LEASE_RENEW_MS;
        let due = renew && self.engine.ledger().halt().is_none();
        due.then(|| Event {
            t,
            src: None,
            kind: EventKind::Lease(LeaseGrant {
                holder: "simulation".to_owned(),
                expires_at: t.plus_ms(LEASE_LIFE_MS),
            }),
        })
    }

    fn step(&mut self, event: &Event, sink: &mut dyn Sink) {
        sink.event(event);
        self.commands.clear();
        self.engine.step(event, &mut self.commands);
        for record in &self.commands.records {
            sink.record(record);
        }
        for line in &self.commands.journal {
            self.digest.line(line);
            sink.journal(line);
        }
        if self.counterpart == Counterpart::Simulated {
            self.carry_out(event.t);
        }
    }

    fn carry_out(&mut self, now: EpochMs) {
        for approved in &self.commands.orders {
            match self.engine.may_send(approved, now) {
                Ok(()) => self.venue.send(approved.get(), now, &mut self.fresh),
                Err(refusal) => {
                    let answer = not_sent(&approved.get().id, &refusal.to_string(), now);
                    self.fresh.push(answer);
                }
            }
        }
        for id in &self.commands.cancels {
            self.venue.cancel(id, now, &mut self.fresh);
        }
        self.answers.extend(self.fresh.drain(..));
    }

    /// What it did so far.
    pub fn report(&self) -> SimReport {
        let tally = self.engine.tally();
        let ledger = self.engine.ledger();
        SimReport {
            events: tally.events,
            ticks: tally.ticks,
            windows: tally.windows,
            signals: tally.signals,
            intents: tally.intents,
            sent: tally.sent,
            refusals: tally
                .refusals
                .iter()
                .map(|(code, n)| ((*code).to_owned(), *n))
                .collect(),
            fills: tally.fills,
            pnl_usd: ledger.pnl_total(),
            fees_usd: ledger.fees_total(),
            open_positions: ledger.open_positions().map(|_| 1).sum(),
            unexplained: tally.unexplained,
            journal_digest: self.digest.text(),
        }
    }
}

/// The report that an approved order was not sent after all: the proof that releases its money.
pub fn not_sent(id: &OrderId, reason: &str, now: EpochMs) -> Event {
    Event {
        t: now,
        src: None,
        kind: EventKind::Order(OrderReport {
            id: id.clone(),
            status: OrderStatus::Rejected,
            detail: Some(format!("not sent: {reason}")),
        }),
    }
}
