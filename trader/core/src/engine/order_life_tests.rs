//! Every life that an order can have, against the scripted venue: nothing doubled, nothing lost.

use super::{Commands, Engine, FATE_MAX_MS};
use crate::event::{ClockTick, Event, EventKind, LeaseGrant};
use crate::fixtures;
use crate::ledger::{LedgerState, OrderPhase, Record, RecordBody};
use crate::manifest::Manifest;
use crate::order::{Order, Purpose};
use crate::sim::generator::Generator;
use crate::sim::scripted::{Act, Script, ScriptedVenue};
use crate::units::{Asset, EpochMs, Shares, Usd};
use crate::window::WindowLength;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::VecDeque;

const START: EpochMs = EpochMs(1_795_392_123_456);
/// Events after which a market without an entry is given up.
const MOST_EVENTS: usize = 60_000;

/// A trader, the venue and what is between them.
struct Desk {
    manifest: Manifest,
    engine: Engine,
    venue: ScriptedVenue,
    records: Vec<Record>,
    orders: Vec<Order>,
    /// The most that the venue ever held short of any token.
    short: Decimal,
    next_look_up: EpochMs,
    now: EpochMs,
}

impl Desk {
    fn new(scripts: Vec<Script>) -> Self {
        let mut manifest = fixtures::manifest();
        // Leaves early, so that exits are on the way as often as entries.
        manifest.exit.stop_loss = "0.02".parse().unwrap();
        manifest.exit.take_profit = "0.02".parse().unwrap();
        let strategies = fixtures::strategies();
        let engine = Engine::new(&manifest, &strategies, LedgerState::default()).unwrap();
        Self {
            manifest,
            engine,
            venue: ScriptedVenue::new(scripts),
            records: Vec::new(),
            orders: Vec::new(),
            short: Decimal::ZERO,
            next_look_up: START,
            now: START,
        }
    }

    fn feed(&mut self, event: &Event) {
        let t = event.t;
        self.now = t;
        // Renewed in time: a lapse would cancel what is to be watched.
        if self
            .engine
            .lease(t)
            .is_none_or(|lease| lease.expires_in_ms < 10_000)
        {
            self.settle(lease(t));
        }
        let mut answers = Vec::new();
        self.venue.advance(t, &mut answers);
        if t >= self.next_look_up {
            self.next_look_up = t.plus_ms(1_000);
            let due: Vec<_> = self.engine.look_ups_due(t).cloned().collect();
            for id in due.into_iter().chain(self.engine.unresolved()) {
                self.venue.look_up(&id, t, &mut answers);
            }
        }
        for answer in answers {
            self.settle(answer);
        }
        self.settle(event.clone());
    }

    fn settle(&mut self, event: Event) {
        let mut queue = VecDeque::from([event]);
        while let Some(event) = queue.pop_front() {
            let mut out = Commands::default();
            self.engine.step(&event, &mut out);
            self.records.append(&mut out.records);
            let mut answers = Vec::new();
            for approved in &out.orders {
                self.orders.push(approved.get().clone());
                if self.engine.may_send(approved, event.t).is_ok() {
                    self.venue.send(approved.get(), event.t);
                }
            }
            for id in &out.cancels {
                self.venue.cancel(id, event.t, &mut answers);
            }
            self.venue.advance(event.t, &mut answers);
            for held in self.venue.held().into_values() {
                self.short = self.short.max(-held);
            }
            queue.extend(answers);
        }
    }

    /// The process ends and another begins with what is on disk, which may lack what came last.
    fn restart(&mut self, lost: usize) {
        let newest_intent = self
            .records
            .iter()
            .rposition(|record| matches!(record.body, RecordBody::Intent { .. }));
        // An intent is durable before its order leaves: what comes after it may be lost, it may not.
        let least = newest_intent.map_or(0, |at| at + 1);
        let keep = self.records.len().saturating_sub(lost).max(least);
        self.records.truncate(keep);
        let ledger = LedgerState::replay(&self.records).unwrap();
        self.engine = Engine::new(&self.manifest, &fixtures::strategies(), ledger).unwrap();
    }

    /// Ledger and venue agree on every order, and no share was ever sold twice.
    fn check(&self) {
        assert!(self.short <= Decimal::ZERO, "oversold by {}", self.short);
        self.agrees();
    }

    /// Ledger and venue agree on every order, and none was sent twice.
    fn agrees(&self) {
        assert_eq!(self.venue.repeats(), 0, "an order was sent twice");
        for order in &self.orders {
            let state = self.engine.ledger().order(&order.id);
            let known = state.map_or(Shares::ZERO, |state| state.filled);
            assert_eq!(known, self.venue.filled(&order.id), "{}", order.id);
        }
    }
}

fn market(seed: u64) -> impl Iterator<Item = Event> {
    Generator::new(seed, START, &[Asset::Btc], &[WindowLength::Min5]).take(MOST_EVENTS)
}

fn lease(t: EpochMs) -> Event {
    let grant = LeaseGrant {
        holder: "w".to_owned(),
        expires_at: t.plus_ms(15_000),
    };
    Event {
        t,
        src: None,
        kind: EventKind::Lease(grant),
    }
}

fn clock(t: EpochMs) -> Event {
    Event {
        t,
        src: None,
        kind: EventKind::Clock(ClockTick { offset_ms: Some(0) }),
    }
}

/// The market until the first order, which has this script, and then half a minute of silence.
fn first(script: Script) -> (Desk, Order) {
    let mut desk = Desk::new(vec![script]);
    for event in market(7) {
        desk.feed(&event);
        if let [order, ..] = &desk.orders[..] {
            let order = order.clone();
            quiet(&mut desk, 15_000);
            return (desk, order);
        }
    }
    panic!("no order in this market");
}

/// Time without a market.
fn quiet(desk: &mut Desk, ms: i64) {
    let from = desk.now;
    for second in 1..=ms / 500 {
        desk.feed(&clock(from.plus_ms(second * 500)));
    }
}

#[test]
fn each_life_of_an_order_ends_as_the_venue_knows_it() {
    use OrderPhase::{Cancelled, Filled, Rejected};
    let cases: Vec<(&str, Script, OrderPhase, u32)> = vec![
        (
            "accepted and filled",
            vec![(0, Act::Accept), (100, Act::Fill(100))],
            Filled,
            100,
        ),
        ("rejected", vec![(50, Act::Reject)], Rejected, 0),
        (
            "partial, the rest expires",
            vec![(0, Act::Accept), (100, Act::Fill(30)), (200, Act::Fill(20))],
            Cancelled,
            50,
        ),
        (
            "timeout, then filled",
            vec![(500, Act::TimeOut), (800, Act::FillInSilence(100))],
            Filled,
            100,
        ),
        (
            "timeout, never filled",
            vec![(500, Act::TimeOut)],
            Cancelled,
            0,
        ),
        (
            "timeout, then partly filled",
            vec![(100, Act::FillInSilence(40)), (500, Act::TimeOut)],
            Cancelled,
            40,
        ),
        (
            "delayed, then filled",
            vec![(0, Act::Delay), (3_000, Act::Fill(100))],
            Filled,
            100,
        ),
        (
            "matched, then failed",
            vec![
                (0, Act::Accept),
                (100, Act::Match(100)),
                (900, Act::FailMatch),
            ],
            Cancelled,
            0,
        ),
        (
            "matched, failed, matched again",
            vec![
                (0, Act::Accept),
                (100, Act::Match(100)),
                (900, Act::FailMatch),
                (1_500, Act::Match(100)),
                (2_500, Act::Confirm),
            ],
            Filled,
            100,
        ),
        (
            "everything said three times",
            vec![
                (0, Act::Accept),
                (100, Act::Match(50)),
                (200, Act::Repeat),
                (300, Act::Confirm),
                (400, Act::Repeat),
                (500, Act::Cancel),
                (600, Act::Repeat),
            ],
            Cancelled,
            50,
        ),
        ("silence", vec![(100, Act::FillInSilence(100))], Filled, 100),
    ];
    for (name, script, phase, percent) in cases {
        let (desk, order) = first(script);
        let state = desk.engine.ledger().order(&order.id).unwrap();
        assert_eq!(state.phase, phase, "{name}");
        let wanted = order.shares.get() * Decimal::new(percent.into(), 2);
        let off = (state.filled.get() - wanted).abs();
        assert!(off <= Decimal::new(1, 2), "{name}: {}", state.filled);
        assert_eq!(state.provisional(), 0, "{name}");
        if percent == 0 {
            assert_eq!(
                desk.engine.exposure(),
                Usd::ZERO,
                "{name}: its money is free"
            );
        }
        desk.check();
        assert_eq!(desk.engine.tally().unexplained, 0, "{name}");
    }
}

#[test]
fn accepted_and_not_stored_is_found_after_the_restart() {
    let mut desk = Desk::new(vec![vec![(0, Act::Accept), (0, Act::Fill(60))]]);
    for event in market(7) {
        desk.feed(&event);
        if !desk.orders.is_empty() {
            break;
        }
    }
    // Acceptance and fill never reached the disk.
    desk.restart(usize::MAX);
    let order = desk.orders[0].clone();
    let state = desk.engine.ledger().order(&order.id).unwrap();
    assert_eq!(
        (state.phase, state.filled),
        (OrderPhase::Intended, Shares::ZERO)
    );
    assert_eq!(
        desk.engine.exposure(),
        order.worst_cost,
        "unknown counts as filled"
    );
    assert_eq!(desk.engine.unresolved(), std::slice::from_ref(&order.id));
    quiet(&mut desk, 15_000);
    desk.check();
    assert!(desk.venue.filled(&order.id) > Shares::ZERO);
    assert!(desk.engine.unresolved().is_empty());
}

#[test]
fn a_fate_that_stays_unknown_is_told_and_shuts_entries() {
    let mut desk = Desk::new(vec![vec![(100, Act::TimeOut)]]);
    let mut after = None;
    for event in market(7) {
        // The venue can no longer be asked: nobody answers anything.
        desk.next_look_up = EpochMs(i64::MAX);
        desk.feed(&event);
        let told = desk.engine.tally().unexplained;
        let Some(first) = desk.orders.first() else {
            continue;
        };
        let overdue = first.expires_at.plus_ms(FATE_MAX_MS);
        if event.t < overdue {
            assert_eq!(told, 0, "not before its time");
        }
        if event.t > overdue.plus_ms(2_000) {
            assert_eq!(told, 1, "told once");
            after = Some(first.clone());
        }
    }
    let first = after.unwrap();
    assert_eq!(desk.engine.unresolved(), std::slice::from_ref(&first.id));
    let later = |order: &&Order| order.purpose == Purpose::Entry && order.id != first.id;
    let shut_at = first.expires_at.plus_ms(FATE_MAX_MS + 2_000);
    let entered = desk.orders.iter().filter(later);
    assert_eq!(
        entered
            .filter(|order| order.expires_at > shut_at.plus_ms(10_000))
            .count(),
        0,
        "no entry while it is unknown"
    );
    // The venue answers again: it never filled, and entries are free.
    desk.next_look_up = START;
    quiet(&mut desk, 2_000);
    assert!(desk.engine.unresolved().is_empty());
    desk.check();
}

fn any_script(failing_matches: u32) -> impl Strategy<Value = Script> {
    let act = prop_oneof![
        3 => Just(Act::Accept),
        1 => Just(Act::Delay),
        2 => Just(Act::TimeOut),
        3 => (1_u32..=100).prop_map(Act::Fill),
        2 => (1_u32..=100).prop_map(Act::FillInSilence),
        2 => (1_u32..=100).prop_map(Act::Match),
        1 => Just(Act::Confirm),
        failing_matches => Just(Act::FailMatch),
        1 => Just(Act::Cancel),
        2 => Just(Act::Repeat),
    ];
    let life = proptest::collection::vec((0_i64..12_000, act), 0..6);
    prop_oneof![8 => life, 1 => Just(vec![(200, Act::Reject)])]
}

/// A market against these lives, with restarts that lose what came last; then quiet.
fn lived(seed: u64, scripts: Vec<Script>, restarts: &[(usize, usize)]) -> Desk {
    let mut desk = Desk::new(scripts);
    for (n, event) in market(seed).take(6_000).enumerate() {
        desk.feed(&event);
        for (at, lost) in restarts {
            if n == *at {
                desk.restart(*lost);
            }
        }
    }
    quiet(&mut desk, 60_000);
    desk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any venue, any restarts: in the end the ledger knows what the venue knows.
    #[test]
    fn nothing_is_doubled_and_nothing_is_lost(
        seed in any::<u64>(),
        scripts in proptest::collection::vec(any_script(0), 1..12),
        restarts in proptest::collection::vec((1_usize..6_000, 0_usize..4), 0..4),
    ) {
        lived(seed, scripts, &restarts).check();
    }

    /// Matches that fail on their chain, too. What was sold of such a match before it failed is short at
    /// the venue, whoever keeps the books: only the agreement is asked for.
    #[test]
    fn a_failed_match_is_known_on_both_sides(
        seed in any::<u64>(),
        scripts in proptest::collection::vec(any_script(2), 1..12),
        restarts in proptest::collection::vec((1_usize..6_000, 0_usize..4), 0..4),
    ) {
        lived(seed, scripts, &restarts).agrees();
    }
}
