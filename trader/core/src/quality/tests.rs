//! It closes on what it must, stays closed over a restart, and opens only by hand.

use super::*;
use crate::engine::{Commands, Engine};
use crate::event::{Control, ControlAction, Event, EventKind};
use crate::fixtures;
use crate::ledger::{LedgerState, RECORD_VERSION, Record, RecordBody};
use crate::manifest::Manifest;
use crate::order::{Order, Purpose, Side};
use crate::run::{Counterpart, Run, Sink};
use crate::sim::generator::Generator;
use crate::strategy_file::StrategyFile;
use crate::units::{Asset, EpochMs, Outcome, StrategyId, Usd};
use crate::window::WindowLength;
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: EpochMs = EpochMs(1_795_392_123_456);

/// A ledger in which positions of one strategy ended: price paid in cents, whether it won.
fn ledger(ended: &[(u32, bool)]) -> LedgerState {
    let mut ledger = LedgerState::default();
    let mut write = |body| {
        let record = Record {
            version: RECORD_VERSION,
            seq: ledger.next_seq(),
            t_ms: START,
            body,
        };
        ledger.apply(&record).unwrap();
    };
    for (n, (cents, won)) in ended.iter().enumerate() {
        let order = Order {
            id: format!("btc-5m-{}/m/1", 1_769_949_000 + 300 * n)
                .parse()
                .unwrap(),
            token: "11".parse().unwrap(),
            outcome: Outcome::Up,
            side: Side::Buy,
            purpose: Purpose::Entry,
            price: format!("0.{cents:02}").parse().unwrap(),
            shares: "10".parse().unwrap(),
            expires_at: START,
            worst_cost: Usd::ZERO,
        };
        let (id, window) = (order.id.clone(), order.id.window);
        let (price, shares) = (order.price, order.shares);
        write(RecordBody::Intent { order });
        write(RecordBody::Fill {
            id,
            fill_id: "f".to_owned(),
            price,
            shares,
            fee: Usd::ZERO,
            provisional: false,
        });
        let outcome = if *won { Outcome::Up } else { Outcome::Down };
        write(RecordBody::Settlement { window, outcome });
    }
    ledger
}

fn strategy() -> StrategyId {
    "m".parse().unwrap()
}

fn judge(rules: &QualityRules, ended: &[(u32, bool)]) -> &'static str {
    let ledger = ledger(ended);
    let Some(track) = ledger.track(&strategy()) else {
        return "no track";
    };
    rules
        .judge_results(track)
        .map_or("open", |refusal| refusal.code)
}

/// `wins` of `of` positions at this price won, spread evenly.
fn streak(of: u32, wins: u32, cents: u32) -> Vec<(u32, bool)> {
    (0..of)
        .map(|n| (cents, (n + 1) * wins / of > n * wins / of))
        .collect()
}

#[test]
fn each_figure_closes_alone_and_not_just_inside() {
    let rules = QualityRules::default();
    // Accuracy: 7 of 20 is below 0.40, 8 is not; cheap tokens, so that the net result is fine.
    assert_eq!(judge(&rules, &streak(20, 7, 20)), "quality_accuracy");
    assert_eq!(judge(&rules, &streak(20, 8, 20)), "open");
    // Too few prove nothing: the same bad strategy, one position less.
    assert_eq!(judge(&rules, &streak(10, 0, 20)), "quality_accuracy");
    assert_eq!(judge(&rules, &streak(9, 0, 20)), "open");
    // Net: 13 of 20 won at 0.91 lost 26 cents a share, though two thirds were right.
    assert_eq!(judge(&rules, &streak(20, 13, 91)), "quality_net");
    assert_eq!(judge(&rules, &streak(20, 13, 90)), "open");
    // Only the newest count: what was bad long ago is past.
    let mut better = streak(20, 0, 20);
    better.extend(streak(20, 20, 20));
    assert_eq!(judge(&rules, &better), "open");
    // Bucket: 63 of 100 at 0.79 are 16 cents short; the newest twenty are no worse than that.
    assert_eq!(judge(&rules, &streak(100, 63, 79)), "quality_bucket");
    assert_eq!(judge(&rules, &streak(99, 62, 79)), "open");
    assert_eq!(judge(&rules, &streak(100, 65, 79)), "open");
}

#[test]
fn what_cannot_be_reckoned_is_bad() {
    assert!(loss_per_share(Decimal::ZERO, Decimal::ZERO).is_nan());
    let rules = QualityRules {
        min_accuracy: f64::NAN,
        ..QualityRules::default()
    };
    assert_eq!(judge(&rules, &streak(10, 10, 20)), "quality_accuracy");
    assert_eq!(rules.out_of_range().unwrap().0, "min_accuracy");
    for change in [
        |r: &mut QualityRules| r.rolling_entries = 201,
        |r: &mut QualityRules| r.min_entries = 21,
        |r: &mut QualityRules| r.max_loss_per_share = 0.0,
        |r: &mut QualityRules| r.bucket_min_entries = 0,
        |r: &mut QualityRules| r.bucket_max_loss_per_share = f64::INFINITY,
        |r: &mut QualityRules| r.feed_loss_secs = 0,
        |r: &mut QualityRules| r.update_rate_factor = 1.0,
        |r: &mut QualityRules| r.spread_deviations = 0.0,
        |r: &mut QualityRules| r.pattern_minutes = 11,
    ] {
        let mut rules = QualityRules::default();
        assert!(rules.out_of_range().is_none());
        change(&mut rules);
        assert!(rules.out_of_range().is_some(), "{rules:?}");
    }
}

#[test]
fn a_figure_outside_its_range_is_refused_with_its_place() {
    let mut files = files(QualityRules::default());
    files.values_mut().next().unwrap().quality.min_entries = 0;
    let error = Engine::new(&manifest(), &files, LedgerState::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "strategy `probability-model`, /quality/min_entries: must be 1 to rolling_entries"
    );
    let inert = serde_json::json!({ "min_acuracy": 0.5 });
    assert!(serde_json::from_value::<QualityRules>(inert).is_err());
}

fn manifest() -> Manifest {
    let mut manifest = fixtures::manifest();
    manifest.safeguards.max_daily_loss_usd = "1000".parse().unwrap();
    manifest.safeguards.max_consecutive_losses = 50.try_into().unwrap();
    manifest.max_capital_usd = "10000".parse().unwrap();
    manifest
}

fn files(quality: QualityRules) -> BTreeMap<StrategyId, StrategyFile> {
    let mut files = fixtures::strategies();
    for file in files.values_mut() {
        file.quality = quality;
    }
    files
}

#[derive(Default)]
struct Kept(Vec<Record>);

impl Sink for Kept {
    fn journal(&mut self, _: &str) {}
    fn record(&mut self, record: &Record) {
        self.0.push(record.clone());
    }
    fn event(&mut self, _: &Event) {}
}

impl Kept {
    fn entries_after(&self, t: EpochMs) -> usize {
        let entry = |record: &&Record| {
            matches!(&record.body, RecordBody::Intent { order } if order.purpose == Purpose::Entry)
                && record.t_ms > t
        };
        self.0.iter().filter(entry).count()
    }

    fn closed(&self) -> Option<(EpochMs, &str)> {
        self.0.iter().find_map(|record| {
            let RecordBody::QualityClosed { reason, .. } = &record.body else {
                return None;
            };
            Some((record.t_ms, reason.as_str()))
        })
    }
}

fn market() -> impl Iterator<Item = Event> {
    Generator::new(7, START, &[Asset::Btc], &[WindowLength::Min5]).take(40_000)
}

fn run(engine: Engine, events: impl Iterator<Item = Event>, kept: &mut Kept) -> Run {
    let mut run = Run::new(engine, Counterpart::Simulated);
    for event in events {
        run.feed(&event, kept);
    }
    run
}

/// Nothing satisfies these: three positions, and it closes.
fn merciless() -> QualityRules {
    QualityRules {
        rolling_entries: 3,
        min_entries: 3,
        min_accuracy: 0.99,
        max_loss_per_share: 0.01,
        ..QualityRules::default()
    }
}

#[test]
fn it_closes_on_results_stays_closed_over_a_restart_and_opens_only_by_hand() {
    let (manifest, files) = (manifest(), files(merciless()));
    let engine = Engine::new(&manifest, &files, LedgerState::default()).unwrap();
    let mut kept = Kept::default();
    run(engine, market(), &mut kept);
    let (closed_at, reason) = kept.closed().unwrap();
    assert!(
        ["quality_accuracy", "quality_net"].contains(&reason),
        "{reason}"
    );
    assert_eq!(kept.entries_after(closed_at), 0);
    // The loss without it: the same strategy goes on and on.
    let without = Engine::without(&manifest, &files, "quality_gate").unwrap();
    let mut reckless = Kept::default();
    run(without, market(), &mut reckless);
    assert!(reckless.entries_after(closed_at) > 3);
    // A restart changes nothing, and another market neither.
    let ledger = LedgerState::replay(&kept.0).unwrap();
    let restarted = Engine::new(&manifest, &files, ledger).unwrap();
    let mut after = Kept::default();
    let mut run = run(restarted, market(), &mut after);
    assert_eq!(after.entries_after(EpochMs(0)), 0);
    assert!(
        run.engine().halted().is_none(),
        "one strategy is shut out, nothing is halted"
    );
    // A person opens it, on record.
    let now = run.engine().now();
    let control = Control {
        action: ControlAction::Reenable {
            freeze_id: "f".to_owned(),
        },
        by: "ann".to_owned(),
        reason: "looked at it".to_owned(),
    };
    let reenable = Event {
        t: now,
        src: None,
        kind: EventKind::Control(control),
    };
    run.feed(&reenable, &mut after);
    let open = |body: &RecordBody| matches!(body, RecordBody::Reenable { by, .. } if by == "ann");
    assert!(after.0.iter().any(|record| open(&record.body)));
    assert!(run.engine().ledger().closed_strategies().is_empty());
    for event in market() {
        let t = event.t.plus_ms(86_400_000);
        let later = Event {
            t,
            src: None,
            ..event
        };
        // Windows carry their own time; what counts here is that the gate no longer refuses.
        run.feed(&later, &mut after);
    }
    let refusals = run.report().refusals;
    assert!(refusals.contains_key("quality_gate"), "{refusals:?}");
}

/// The market with the oracle silent for so long, once, ten minutes in.
fn silent_for(ms: i64) -> impl Iterator<Item = Event> {
    let from = START.plus_ms(600_000);
    // A quarter of an hour: too short for results to say anything.
    let quarter = market().take_while(|event| event.t < START.plus_ms(900_000));
    quarter.filter(move |event| {
        let is_oracle = matches!(event.kind, EventKind::Oracle(_));
        !(is_oracle && from < event.t && event.t < from.plus_ms(ms))
    })
}

#[test]
fn a_lost_feed_shuts_it_and_a_short_pause_does_not() {
    let closed = |silent_ms| {
        let files = files(QualityRules::default());
        let engine = Engine::new(&manifest(), &files, LedgerState::default()).unwrap();
        let mut kept = Kept::default();
        run(engine, silent_for(silent_ms), &mut kept);
        kept.closed()
            .map(|(t, reason)| (t - START, reason.to_owned()))
    };
    assert_eq!(closed(8_000), None);
    let (at, reason) = closed(13_000).unwrap();
    assert_eq!(reason, "quality_feed_loss");
    assert!(
        (609_000..612_000).contains(&at),
        "while it is silent, not after: {at}"
    );
}

#[test]
fn a_feed_that_thins_out_shuts_it() {
    let files = files(QualityRules::default());
    let engine = Engine::new(&manifest(), &files, LedgerState::default()).unwrap();
    let from = START.plus_ms(900_000);
    let mut kept = Kept::default();
    let thin = market().filter(|event| {
        let is_oracle = matches!(event.kind, EventKind::Oracle(_));
        // One in three is left; no pause is long enough to be a loss.
        !is_oracle || event.t < from || (event.t.0 / 1_000) % 3 == 0
    });
    run(engine, thin, &mut kept);
    let (at, reason) = kept.closed().unwrap();
    assert_eq!(reason, "quality_update_rate");
    let minutes = (at - from) / 60_000;
    assert!((3..=4).contains(&minutes), "{minutes}");
}

#[test]
fn a_resting_entry_is_cancelled_when_its_strategy_is_shut_out() {
    let files = files(QualityRules::default());
    let mut engine = Engine::new(&manifest(), &files, LedgerState::default()).unwrap();
    let mut out = Commands::default();
    let mut entered = None;
    for event in market() {
        let t = event.t;
        let lease = crate::event::LeaseGrant {
            holder: "w".to_owned(),
            expires_at: t.plus_ms(15_000),
        };
        let lease = Event {
            t,
            src: None,
            kind: EventKind::Lease(lease),
        };
        out.clear();
        engine.step(&lease, &mut out);
        engine.step(&event, &mut out);
        if let Some(order) = out.orders.first() {
            entered = Some((t, order.get().id.clone()));
            break;
        }
    }
    let (t, id) = entered.unwrap();
    // Nothing is heard for eleven seconds; the lease is renewed meanwhile.
    out.clear();
    let lease = crate::event::LeaseGrant {
        holder: "w".to_owned(),
        expires_at: t.plus_ms(23_000),
    };
    let lease = Event {
        t: t.plus_ms(9_000),
        src: None,
        kind: EventKind::Lease(lease),
    };
    engine.step(&lease, &mut out);
    assert!(out.cancels.is_empty());
    let tick = crate::event::ClockTick { offset_ms: None };
    let clock = Event {
        t: t.plus_ms(12_000),
        src: None,
        kind: EventKind::Clock(tick),
    };
    engine.step(&clock, &mut out);
    assert_eq!(out.cancels, [id]);
    assert!(
        out.journal
            .iter()
            .any(|line| line.contains("quality_feed_loss"))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a plain second reckoning over the list of results.
    #[test]
    fn results_are_judged_as_anyone_would_reckon_them(
        ended in proptest::collection::vec((1_u32..100, any::<bool>()), 0..60),
        rolling in 1_u32..40, least in 1_u32..40, accuracy in 1_u32..99, loss in 1_u32..99, bucket_min in 1_u32..20,
    ) {
        let rules = QualityRules {
            rolling_entries: rolling,
            min_entries: least.min(rolling),
            min_accuracy: f64::from(accuracy) / 100.0,
            max_loss_per_share: f64::from(loss) / 100.0,
            bucket_min_entries: bucket_min,
            ..QualityRules::default()
        };
        let cents = |(price, won): &(u32, bool)| i64::from(*price) - if *won { 100 } else { 0 };
        let newest: Vec<_> = ended.iter().rev().take(usize::try_from(rolling).unwrap()).collect();
        let n = i64::try_from(newest.len()).unwrap();
        let gains = i64::try_from(newest.iter().filter(|one| cents(one) < 0).count()).unwrap();
        let lost: i64 = newest.iter().map(|one| cents(one)).sum();
        let enough = n >= i64::from(rules.min_entries);
        let is_bad_bucket = |bucket: u32| {
            let of: Vec<i64> = ended.iter().filter(|(price, _)| price / 10 == bucket).map(cents).collect();
            let n = i64::try_from(of.len()).unwrap();
            n >= i64::from(bucket_min) && of.iter().sum::<i64>() > 15 * n
        };
        let wanted = if ended.is_empty() {
            "no track"
        } else if enough && gains * 100 < i64::from(accuracy) * n {
            "quality_accuracy"
        } else if enough && lost > i64::from(loss) * n {
            "quality_net"
        } else if (0..10).any(is_bad_bucket) {
            "quality_bucket"
        } else {
            "open"
        };
        prop_assert_eq!(judge(&rules, &ended), wanted);
    }
}
