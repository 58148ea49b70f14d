//! The whole trader over the generated market, with and without its safeguards.

use super::{Commands, Engine, EngineError};
use crate::event::{
    Control, ControlAction, Event, EventKind, LeaseGrant, OrderReport, OrderStatus,
};
use crate::fixtures;
use crate::ledger::{LedgerError, LedgerState, Record, RecordBody};
use crate::manifest::{Manifest, Mode};
use crate::order::{Order, Purpose};
use crate::run::{Counterpart, Discard, Limits, Run, SimReport, Sink, simulate};
use crate::sim::generator::Generator;
use crate::strategy_file::StrategyFile;
use crate::units::{Asset, EpochMs, StrategyId, Usd};
use crate::window::{WindowId, WindowLength};
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: EpochMs = EpochMs(1_795_392_123_456);
const LIMITS: Limits = Limits {
    max_events: 400_000,
    max_windows: Some(24),
};

#[derive(Default)]
struct Kept {
    journal: Vec<String>,
    records: Vec<Record>,
    events: Vec<Event>,
}

impl Sink for Kept {
    fn journal(&mut self, line: &str) {
        self.journal.push(line.to_owned());
    }
    fn record(&mut self, record: &Record) {
        self.records.push(record.clone());
    }
    fn event(&mut self, event: &Event) {
        self.events.push(event.clone());
    }
}

impl Kept {
    fn intents(&self) -> impl Iterator<Item = (EpochMs, &Order)> {
        self.records.iter().filter_map(|record| {
            let RecordBody::Intent { order } = &record.body else {
                return None;
            };
            Some((record.t_ms, order))
        })
    }

    fn entries_per_window(&self) -> BTreeMap<WindowId, u32> {
        let mut counts = BTreeMap::new();
        for (_, order) in self
            .intents()
            .filter(|(_, order)| order.purpose == Purpose::Entry)
        {
            *counts.entry(order.id.window).or_default() += 1;
        }
        counts
    }
}

fn market(seed: u64) -> Generator {
    Generator::new(seed, START, &[Asset::Btc], &[WindowLength::Min5])
}

fn run(manifest: &Manifest, seed: u64) -> (SimReport, Kept) {
    let mut kept = Kept::default();
    let strategies = fixtures::strategies();
    let report = simulate(
        manifest,
        &strategies,
        market(seed),
        LIMITS,
        Counterpart::Simulated,
        &mut kept,
    )
    .unwrap();
    (report, kept)
}

#[test]
fn it_trades_the_generated_market_and_explains_everything() {
    let (report, kept) = run(&fixtures::manifest(), 7);
    assert!(report.windows >= 24, "{report:?}");
    assert!(
        report.signals > 5 && report.intents > 5 && report.fills > 5,
        "{report:?}"
    );
    assert_eq!(report.sent, report.intents);
    assert_eq!(
        report.unexplained,
        0,
        "{:?}",
        kept.journal.iter().find(|l| l.contains("unexplained"))
    );
    assert!(report.fees_usd > Usd::ZERO);
    for code in [
        "window_not_open",
        "window_once",
        "edge_below_min",
        "too_early",
    ] {
        assert!(
            report.refusals.contains_key(code),
            "{code}: {:?}",
            report.refusals
        );
    }
}

#[test]
fn the_same_run_has_the_same_journal() {
    let (first, _) = run(&fixtures::manifest(), 7);
    let (second, _) = run(&fixtures::manifest(), 7);
    assert_eq!(first, second);
    let (other, _) = run(&fixtures::manifest(), 8);
    assert_ne!(first.journal_digest, other.journal_digest);
}

#[test]
fn a_recorded_run_replays_to_the_same_digest() {
    let manifest = fixtures::manifest();
    let (report, kept) = run(&manifest, 7);
    let lines: Vec<String> = kept
        .events
        .iter()
        .map(|event| crate::tape::event_line(event).unwrap())
        .collect();
    let header = r#"{"tape":1,"source":"g","created_at":"x","assets":["btc"]}"#.to_owned();
    let tape = crate::tape::TapeReader::new(std::iter::once(header).chain(lines)).unwrap();
    let events = tape.map(Result::unwrap);
    let everything = Limits {
        max_events: u64::MAX,
        max_windows: None,
    };
    let strategies = fixtures::strategies();
    let again = simulate(
        &manifest,
        &strategies,
        events,
        everything,
        Counterpart::Recorded,
        &mut Discard,
    )
    .unwrap();
    assert_eq!(again, report);
}

#[test]
fn only_open_windows_are_entered_with_their_own_tokens() {
    let (_, kept) = run(&fixtures::manifest(), 3);
    let mut tokens = BTreeMap::new();
    for event in &kept.events {
        if let EventKind::Window(tick) = &event.kind {
            tokens.insert(tick.window.id, tick.window.clone());
        }
    }
    for (t, order) in kept.intents() {
        let window = order.id.window;
        assert!(window.open() <= t && t < window.close());
        assert!(order.expires_at <= window.close());
        assert_eq!(
            tokens[&window].outcome_of(&order.token),
            Some(order.outcome)
        );
    }
}

#[test]
fn effective_is_declared_key_by_key() {
    let mut manifest = fixtures::manifest();
    manifest.assets = vec![Asset::Eth, Asset::Btc];
    manifest.window.durations_mins = vec![15, 5];
    let engine = Engine::new(&manifest, &fixtures::strategies(), LedgerState::default()).unwrap();
    assert_eq!(engine.effective(), manifest.flattened());
    assert_eq!(engine.strategies(), manifest.strategies);
    assert_eq!(engine.components().len(), 14);
    let ready: Vec<String> = engine
        .components()
        .into_iter()
        .filter(|c| c.state == "ready")
        .map(|c| c.id)
        .collect();
    assert_eq!(
        ready.len(),
        12,
        "all but the model need no history: {ready:?}"
    );
}

#[test]
fn components_are_ready_after_the_warm_up_and_not_before() {
    let manifest = fixtures::manifest();
    let engine = Engine::new(&manifest, &fixtures::strategies(), LedgerState::default()).unwrap();
    let mut run = Run::new(engine, Counterpart::Simulated);
    let mut ready_at = None;
    for event in market(1).take(5_000) {
        let t = event.t;
        run.feed(&event, &mut Discard);
        if run.engine().is_ready() {
            ready_at = Some(t - START);
            break;
        }
    }
    let after_ms = ready_at.unwrap();
    assert!((60_000..75_000).contains(&after_ms), "{after_ms}");
}

#[test]
fn without_the_safeguard_a_window_is_stacked() {
    let mut manifest = fixtures::manifest();
    manifest.safeguards.max_daily_loss_usd = "1000".parse().unwrap();
    manifest.safeguards.max_consecutive_losses = 50.try_into().unwrap();
    manifest.max_capital_usd = "10000".parse().unwrap();
    let most = |engine: Engine| {
        let mut kept = Kept::default();
        let mut run = Run::new(engine, Counterpart::Simulated);
        for event in market(7).take(20_000) {
            run.feed(&event, &mut kept);
        }
        kept.entries_per_window().into_values().max().unwrap()
    };
    let strategies = fixtures::strategies();
    let with = Engine::new(&manifest, &strategies, LedgerState::default()).unwrap();
    let without = Engine::without(&manifest, &strategies, "window_once").unwrap();
    assert_eq!(most(with), 1);
    assert!(most(without) > 1);
}

#[test]
fn a_dry_run_sends_nothing_and_wants_the_same_entries() {
    let mut manifest = fixtures::manifest();
    manifest.mode = Mode::DryRun;
    let (report, kept) = run(&manifest, 7);
    assert!(report.intents > 5);
    assert_eq!(
        (report.sent, report.fills, report.pnl_usd),
        (0, 0, Usd::ZERO)
    );
    assert_eq!(report.refusals.get("dry_run"), Some(&report.intents));
    assert!(kept.entries_per_window().into_values().all(|n| n == 1));
}

/// A trader that has just sent its first order.
fn first_order(manifest: &Manifest) -> (Engine, Commands, Vec<Record>, EpochMs) {
    let mut engine =
        Engine::new(manifest, &fixtures::strategies(), LedgerState::default()).unwrap();
    let mut out = Commands::default();
    let mut records = Vec::new();
    for event in market(7).take(100_000) {
        let t = event.t;
        out.clear();
        engine.step(&lease(t, 15_000), &mut out);
        records.append(&mut out.records);
        engine.step(&event, &mut out);
        records.extend(out.records.iter().cloned());
        if !out.orders.is_empty() {
            return (engine, out, records, t);
        }
    }
    panic!("no order in this market");
}

fn lease(t: EpochMs, life_ms: i64) -> Event {
    let grant = LeaseGrant {
        holder: "w".to_owned(),
        expires_at: t.plus_ms(life_ms),
    };
    Event {
        t,
        src: None,
        kind: EventKind::Lease(grant),
    }
}

fn control(t: EpochMs, action: ControlAction) -> Event {
    let control = Control {
        action,
        by: "ann".to_owned(),
        reason: "test".to_owned(),
    };
    Event {
        t,
        src: None,
        kind: EventKind::Control(control),
    }
}

fn report(t: EpochMs, order: &Order, status: OrderStatus) -> Event {
    let report = OrderReport {
        id: order.id.clone(),
        status,
        detail: None,
    };
    Event {
        t,
        src: None,
        kind: EventKind::Order(report),
    }
}

#[test]
fn money_is_reserved_before_the_order_leaves() {
    let (engine, out, records, _) = first_order(&fixtures::manifest());
    let order = out.orders[0].get();
    assert!(matches!(&records.last().unwrap().body, RecordBody::Intent { order: o } if o == order));
    assert_eq!(engine.exposure(), order.worst_cost);
    assert_eq!(engine.open_orders(), 1);
}

#[test]
fn the_wire_asks_again() {
    let (mut engine, out, _, t) = first_order(&fixtures::manifest());
    let approved = &out.orders[0];
    let code = |engine: &Engine, now: EpochMs| engine.may_send(approved, now).err().map(|r| r.code);
    assert_eq!(code(&engine, t), None);
    assert_eq!(code(&engine, t.plus_ms(15_000)), Some("lease"));
    engine.step(&lease(t.plus_ms(9_000), 15_000), &mut Commands::default());
    assert_eq!(code(&engine, approved.get().expires_at), Some("expired"));
    engine.step(
        &control(t.plus_ms(9_001), ControlAction::ReduceOnly),
        &mut Commands::default(),
    );
    assert_eq!(code(&engine, t), Some("halted"));
}

#[test]
fn a_lapsed_lease_cancels_entries_and_a_halt_everything() {
    for (event, wanted) in [
        (None, "lapsed"),
        (Some(ControlAction::ReduceOnly), "reduce_only"),
        (Some(ControlAction::Halt), "halt"),
        (Some(ControlAction::Flatten), "flatten"),
    ] {
        let (mut engine, mut out, _, t) = first_order(&fixtures::manifest());
        let id = out.orders[0].get().id.clone();
        out.clear();
        let event = match event {
            Some(action) => control(t.plus_ms(1), action),
            None => Event {
                t: t.plus_ms(15_000),
                src: None,
                kind: EventKind::Clock(crate::event::ClockTick { offset_ms: None }),
            },
        };
        engine.step(&event, &mut out);
        assert_eq!(out.cancels, [id], "{wanted}");
        assert!(engine.lease(event.t).is_none());
        assert!(
            out.journal.iter().any(|line| line.contains(wanted)),
            "{:?}",
            out.journal
        );
    }
}

#[test]
fn a_halt_survives_a_restart_and_refuses_leases_until_a_person_reenables() {
    let manifest = fixtures::manifest();
    let (mut engine, _, mut records, t) = first_order(&manifest);
    let mut out = Commands::default();
    engine.step(&control(t, ControlAction::Halt), &mut out);
    records.append(&mut out.records);
    let ledger = LedgerState::replay(&records).unwrap();
    assert_eq!(&ledger, engine.ledger());
    let mut restarted = Engine::new(&manifest, &fixtures::strategies(), ledger).unwrap();
    assert!(
        restarted
            .halted()
            .is_some_and(|halt| !halt.reduce_only && halt.by == "ann")
    );
    restarted.step(&lease(t.plus_ms(1), 10_000), &mut out);
    assert!(restarted.lease(t.plus_ms(1)).is_none());
    restarted.step(
        &control(
            t.plus_ms(2),
            ControlAction::Reenable {
                freeze_id: "f".into(),
            },
        ),
        &mut out,
    );
    restarted.step(&lease(t.plus_ms(3), 10_000), &mut out);
    assert!(restarted.halted().is_none() && restarted.lease(t.plus_ms(3)).is_some());
}

#[test]
fn orders_of_an_earlier_run_must_be_looked_up() {
    let manifest = fixtures::manifest();
    let (_, out, records, t) = first_order(&manifest);
    let order = out.orders[0].get();
    let ledger = LedgerState::replay(&records).unwrap();
    let mut restarted = Engine::new(&manifest, &fixtures::strategies(), ledger).unwrap();
    assert_eq!(restarted.unresolved(), std::slice::from_ref(&order.id));
    assert_eq!(
        restarted.exposure(),
        order.worst_cost,
        "unknown counts as filled"
    );
    restarted.step(
        &report(t, order, OrderStatus::Unknown),
        &mut Commands::default(),
    );
    assert_eq!(restarted.unresolved().len(), 1);
    restarted.step(
        &report(t, order, OrderStatus::Rejected),
        &mut Commands::default(),
    );
    assert!(restarted.unresolved().is_empty());
    assert_eq!(restarted.exposure(), Usd::ZERO);
}

#[test]
fn an_order_that_existed_uses_up_its_window_even_when_refused_later() {
    let (mut engine, out, _, t) = first_order(&fixtures::manifest());
    let order = out.orders[0].get();
    for status in [OrderStatus::Accepted, OrderStatus::Rejected] {
        engine.step(&report(t, order, status), &mut Commands::default());
    }
    assert_eq!(engine.exposure(), Usd::ZERO, "its money is free");
    let again = engine.ledger().entries_in(order.id.window).count();
    assert_eq!(again, 1, "its place in the window is not");
}

#[test]
fn a_latch_of_a_safeguard_that_is_gone_holds_all_the_same() {
    let manifest = fixtures::manifest();
    let (_, _, mut records, _) = first_order(&manifest);
    records.truncate(records.len() - 1);
    let mut ledger = LedgerState::replay(&records).unwrap();
    let body = RecordBody::Latch {
        safeguard: "quality_gate".to_owned(),
        detail: "of a newer program".to_owned(),
    };
    let record = Record {
        version: 1,
        seq: ledger.next_seq(),
        t_ms: START,
        body,
    };
    ledger.apply(&record).unwrap();
    let engine = Engine::new(&manifest, &fixtures::strategies(), ledger).unwrap();
    let mut run = Run::new(engine, Counterpart::Simulated);
    let mut kept = Kept::default();
    for event in market(7).take(20_000) {
        run.feed(&event, &mut kept);
    }
    assert_eq!(kept.intents().count(), 0, "not even an intent");
}

#[test]
fn a_lease_longer_than_allowed_is_refused() {
    let manifest = fixtures::manifest();
    let mut engine =
        Engine::new(&manifest, &fixtures::strategies(), LedgerState::default()).unwrap();
    let mut out = Commands::default();
    engine.step(&lease(START, 15_001), &mut out);
    assert!(engine.lease(START).is_none());
    engine.step(&lease(START, 15_000), &mut out);
    assert!(engine.lease(START).is_some());
    engine.step(&lease(START, 0), &mut out);
    assert!(engine.lease(START).is_none(), "withdrawn");
}

#[test]
fn losses_latch_and_stay_latched() {
    let mut manifest = fixtures::manifest();
    manifest.safeguards.max_consecutive_losses = 1.try_into().unwrap();
    let (report, kept) = run(&manifest, 7);
    assert!(
        report.refusals.contains_key("consecutive_losses"),
        "{:?}",
        report.refusals
    );
    let latched_at = kept
        .records
        .iter()
        .find(|r| matches!(r.body, RecordBody::Latch { .. }))
        .unwrap()
        .t_ms;
    let later = kept
        .intents()
        .filter(|(t, order)| *t > latched_at && order.purpose == Purpose::Entry);
    assert_eq!(later.count(), 0);
    let ledger = LedgerState::replay(&kept.records).unwrap();
    assert!(
        ledger
            .halted()
            .is_some_and(|halt| halt.by == "safeguard:consecutive_losses")
    );
}

#[test]
fn exits_work_without_a_lease_and_flatten_sells() {
    let mut manifest = fixtures::manifest();
    manifest.exit.stop_loss = "1".parse().unwrap();
    manifest.exit.take_profit = "1".parse().unwrap();
    let engine = Engine::new(&manifest, &fixtures::strategies(), LedgerState::default()).unwrap();
    let mut run = Run::new(engine, Counterpart::Simulated);
    let mut kept = Kept::default();
    let mut flattened = false;
    for event in market(7).take(100_000) {
        let t = event.t;
        let held = !run.engine().positions(t).is_empty();
        run.feed(&event, &mut kept);
        if held && !flattened {
            run.feed(&control(t, ControlAction::Flatten), &mut kept);
            flattened = true;
        } else if flattened && run.engine().positions(t).is_empty() {
            break;
        }
    }
    let exits: Vec<&Order> = kept
        .intents()
        .map(|(_, order)| order)
        .filter(|o| o.purpose == Purpose::Exit)
        .collect();
    assert!(!exits.is_empty(), "sold, without a lease");
    assert_eq!(run.engine().exposure(), Usd::ZERO);
    assert!(
        kept.journal
            .iter()
            .any(|line| line.contains("\"what\":\"flatten\""))
    );
}

#[test]
fn a_position_of_a_strategy_that_is_no_longer_declared_is_left_all_the_same() {
    let mut manifest = fixtures::manifest();
    manifest.exit.stop_loss = "1".parse().unwrap();
    manifest.exit.take_profit = "1".parse().unwrap();
    let (mut kept, seen) = (Kept::default(), market(7).take(100_000));
    let engine = Engine::new(&manifest, &fixtures::strategies(), LedgerState::default()).unwrap();
    let mut run = Run::new(engine, Counterpart::Simulated);
    let mut events = Vec::new();
    for event in seen {
        run.feed(&event, &mut kept);
        let t = event.t;
        events.push(event);
        if !run.engine().positions(t).is_empty() {
            break;
        }
    }
    // The next deploy declares the same strategy under another name.
    let id: StrategyId = "heir".parse().unwrap();
    let file = fixtures::strategies().into_values().next().unwrap();
    let owner = std::mem::replace(&mut manifest.strategies, vec![id.clone()]);
    let ledger = run.engine().ledger().clone();
    let mut heir = Engine::new(&manifest, &[(id, file)].into(), ledger).unwrap();
    let mut out = Commands::default();
    for event in &events {
        heir.step(event, &mut out);
    }
    assert!(
        out.orders.is_empty(),
        "nothing is due yet: {:?}",
        out.orders
    );
    let t = events.last().unwrap().t;
    heir.step(&control(t, ControlAction::Flatten), &mut out);
    for event in events.iter().rev().take(50).rev() {
        let event = Event { t, ..event.clone() };
        heir.step(&event, &mut out);
    }
    let sold: Vec<&Order> = out.orders.iter().map(super::Approved::get).collect();
    assert_eq!(sold.len(), 1, "{sold:?}");
    assert_eq!(sold[0].purpose, Purpose::Exit);
    assert_eq!(
        sold[0].id.strategy, owner[0],
        "it sells its owner's position"
    );
}

type Files = BTreeMap<StrategyId, StrategyFile>;

fn file(files: &mut Files) -> &mut StrategyFile {
    files.values_mut().next().unwrap()
}

#[test]
fn what_cannot_be_built_says_why() {
    type Change = fn(&mut Manifest, &mut Files);
    let cases: &[(Change, &str)] = &[
        (
            |m, _| m.strategies = vec!["probability-modle".parse().unwrap()],
            "strategy `probability-modle` is not defined, did you mean `probability-model`? (known: probability-model)",
        ),
        (
            |m, _| m.assets.push(Asset::Btc),
            "manifest `assets` must name at least one, and each only once",
        ),
        (
            |m, _| m.strategies.clear(),
            "manifest `strategies` must name at least one",
        ),
        (
            |m, _| m.window.durations_mins = vec![7],
            "manifest `window.durations_mins`: \"7\" is not a window length",
        ),
        (|m, _| m.schema_version = 2, "manifest schema_version 2"),
        (
            |m, _| m.position_size_usd = "1000".parse().unwrap(),
            "manifest position_size_usd is 1000, the program's own ceiling is 250",
        ),
        (
            |_, s| {
                file(s).probability.component = "window_timing".into();
            },
            "strategy `probability-model`, /probability/component: unknown component `window_timing`, did you mean `window-timing`?",
        ),
        (
            |_, s| {
                file(s).entry.component = "edge".into();
            },
            "strategy `probability-model`, /entry/component: component `edge` is for signal, not for entry (known for entry: band)",
        ),
        (
            |_, s| {
                file(s).sizing.options.insert("budget".into(), 2.into());
            },
            "strategy `probability-model`, /sizing/options: no option `budget` (known: none)",
        ),
        (
            |_, s| {
                file(s).exits.remove(0);
            },
            "no component holds the manifest's `exit.stop_loss`: add `stop-loss` (exit)",
        ),
        (|_, s| file(s).exits.clear(), "/exits: no exit component"),
        (
            |_, s| {
                let exit = file(s).exits[1].clone();
                file(s).exits.push(exit);
            },
            "/exits/3: component `take-profit` stands here twice",
        ),
        (
            |_, s| file(s).signals.clear(),
            "/signals: aggregation `single` takes exactly one signal, found 0",
        ),
        (
            |_, s| file(s).schema_version = 9,
            "/schema_version: schema_version 9",
        ),
    ];
    for (change, wanted) in cases {
        let (mut manifest, mut strategies) = (fixtures::manifest(), fixtures::strategies());
        change(&mut manifest, &mut strategies);
        let error: EngineError =
            Engine::new(&manifest, &strategies, LedgerState::default()).unwrap_err();
        assert!(
            error.to_string().contains(wanted),
            "\nseen:   {error}\nwanted: {wanted}"
        );
    }
}

#[test]
fn an_unbelievable_ledger_is_refused() {
    let (_, kept) = run(&fixtures::manifest(), 7);
    let mut missing = kept.records.clone();
    missing.remove(3);
    assert!(matches!(
        LedgerState::replay(&missing),
        Err(LedgerError::Gap { last: 3, found: 5 })
    ));
    let mut future = kept.records.clone();
    future[2].version = 2;
    assert!(matches!(
        LedgerState::replay(&future),
        Err(LedgerError::Version { seq: 3, version: 2 })
    ));
    for record in &kept.records {
        let text = serde_json::to_string(record).unwrap();
        assert_eq!(&serde_json::from_str::<Record>(&text).unwrap(), record);
    }
}

/// The run that several tests look at, made once.
static SEVEN: std::sync::LazyLock<(SimReport, Kept)> =
    std::sync::LazyLock::new(|| run(&fixtures::manifest(), 7));

#[test]
fn any_repetition_of_reports_gives_the_same_state() {
    let (report, kept) = &*SEVEN;
    for repeats in [2, 3] {
        let again = kept.events.iter().flat_map(|event| {
            let own = matches!(event.kind, EventKind::Order(_) | EventKind::Fill(_));
            std::iter::repeat_n(event.clone(), if own { repeats } else { 1 })
        });
        let everything = Limits {
            max_events: u64::MAX,
            max_windows: None,
        };
        let (manifest, strategies) = (fixtures::manifest(), fixtures::strategies());
        let doubled = simulate(
            &manifest,
            &strategies,
            again,
            everything,
            Counterpart::Recorded,
            &mut Discard,
        )
        .unwrap();
        assert_eq!(doubled.journal_digest, report.journal_digest);
        assert_eq!(doubled.pnl_usd, report.pnl_usd);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_repetition_of_records_gives_the_same_state(repeats in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..40)) {
        let kept = &SEVEN.1;
        let once = LedgerState::replay(&kept.records).unwrap();
        let mut records = kept.records.clone();
        for (which, later) in repeats {
            let which = which.index(kept.records.len());
            let copy = kept.records[which].clone();
            let first = records.iter().position(|r| r.seq == copy.seq).unwrap();
            let at = first + 1 + later.index(records.len() - first);
            records.insert(at, copy);
        }
        prop_assert_eq!(LedgerState::replay(&records).unwrap(), once);
    }

    #[test]
    fn no_limit_is_ever_exceeded(seed in any::<u64>(), min_edge_cents in 0i64..5) {
        let mut manifest = fixtures::manifest();
        manifest.edge.min = crate::units::PriceGap::try_new(rust_decimal::Decimal::new(min_edge_cents, 2)).unwrap();
        let engine = Engine::new(&manifest, &fixtures::strategies(), LedgerState::default()).unwrap();
        let mut run = Run::new(engine, Counterpart::Simulated);
        let mut kept = Kept::default();
        for event in market(seed).take(6_000) {
            let t = event.t;
            run.feed(&event, &mut kept);
            prop_assert!(run.engine().exposure() <= manifest.max_exposure_usd.into());
            prop_assert!(run.engine().ledger().position_count() <= 2);
            prop_assert!(run.engine().orders_last_minute(t) <= 7);
        }
        prop_assert!(kept.entries_per_window().into_values().all(|n| n == 1));
    }
}
