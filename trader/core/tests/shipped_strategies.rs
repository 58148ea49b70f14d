//! The five shipped strategies on one planted tape: each decides, and no two decide the same.
//!
//! On the incident's day four strategies were declared and all of them were one: aggregation, weights and
//! lag were keys that nothing read. Here a key without effect would make two of these lists equal.

#![expect(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test; its tape plants only what it names"
)]

use rust_decimal::Decimal;
use std::collections::BTreeMap;
use trader_core::event::{Event, EventKind};
use trader_core::ledger::{Record, RecordBody};
use trader_core::manifest::Manifest;
use trader_core::order::Purpose;
use trader_core::run::{Counterpart, Limits, SimReport, Sink, simulate};
use trader_core::sim::generator::Generator;
use trader_core::strategy_file::StrategyFile;
use trader_core::units::{Asset, EpochMs, OraclePrice, StrategyId};
use trader_core::window::WindowLength;

const SHIPPED: [(&str, &str); 5] = [
    (
        "probability-model",
        include_str!("../../../manifests/strategies/probability-model.json"),
    ),
    (
        "lag-based",
        include_str!("../../../manifests/strategies/lag-based.json"),
    ),
    (
        "hybrid",
        include_str!("../../../manifests/strategies/hybrid.json"),
    ),
    (
        "oracle-edge",
        include_str!("../../../manifests/strategies/oracle-edge.json"),
    ),
    (
        "threshold-70",
        include_str!("../../../manifests/strategies/threshold-70.json"),
    ),
];

/// A five-minute open, so that the first window is whole.
const START: EpochMs = EpochMs(1_795_392_000_000);
const LIMITS: Limits = Limits {
    max_events: 100_000,
    max_windows: Some(16),
};

fn manifest(strategy: &str) -> Manifest {
    serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "mode": "paper",
        "strategies": [strategy],
        "assets": ["btc", "eth"],
        "position_size_usd": "6",
        "max_exposure_usd": "60",
        "max_capital_usd": "200",
        "safeguards": {
            "max_open_positions": 8,
            "min_entry_interval_ms": 1000,
            "max_entries_per_tick": 1,
            "max_entries_per_window": 1,
            "max_orders_per_minute": 20,
            "max_order_shares": "200",
            "max_daily_loss_usd": "200",
            "max_consecutive_losses": 50,
            "price_collar": "0.03",
            "max_oracle_age_ms": 5000,
            "max_book_age_ms": 10000,
            "max_clock_offset_ms": 1000
        },
        "edge": { "min": "0.02", "max": "0.95" },
        "window": {
            "durations_mins": [5],
            "min_elapsed_secs": 10,
            "min_remaining_secs": 5,
            "warm_up_secs": 60
        },
        "exit": { "stop_loss": "0.30", "take_profit": "0.40", "flatten_secs": 30 }
    }))
    .unwrap()
}

/// The generated market; on ETH something is planted. Its oracle moves every 4 s and stands still for 60
/// of every 100 seconds, the last 55 before each close among them: there 2 basis points below the
/// reference, while the user interface shows 3 above and the crowd pays 0.78 for Up.
fn tape() -> impl Iterator<Item = Event> {
    let mut shown: Option<OraclePrice> = None;
    let mut reference: BTreeMap<i64, Decimal> = BTreeMap::new();
    let assets = [Asset::Btc, Asset::Eth];
    Generator::new(11, START, &assets, &[WindowLength::Min5]).map(move |mut event| {
        let sec = event.src.unwrap_or(event.t).0.div_euclid(1_000);
        let open = sec - sec.rem_euclid(300);
        let is_late = sec - open >= 245;
        let beside = |bps: i64| {
            let reference = reference.get(&open).filter(|_| is_late)?;
            OraclePrice::try_new(reference * (Decimal::ONE + Decimal::new(bps, 4))).ok()
        };
        match &mut event.kind {
            EventKind::Oracle(tick) if tick.asset == Asset::Eth && tick.twap_secs.is_none() => {
                let in_turn = (sec - 5).rem_euclid(100);
                if shown.is_none() || (in_turn < 40 && in_turn % 4 == 0) {
                    shown = Some(tick.price);
                }
                shown = beside(-2).or(shown);
                tick.price = shown.unwrap_or(tick.price);
            }
            EventKind::Spot(tick) if tick.asset == Asset::Eth => {
                tick.price = beside(3).unwrap_or(tick.price);
            }
            EventKind::Book(tick) if tick.asset == Asset::Eth && is_late => {
                // The generator's tokens end with their outcome: 1 is Up.
                let is_up = tick.token.to_string().ends_with('1');
                let (bid, ask) = if is_up {
                    ("0.78", "0.80")
                } else {
                    ("0.20", "0.22")
                };
                (tick.bid, tick.ask) = (bid.parse().ok(), ask.parse().ok());
            }
            EventKind::Window(tick) if tick.window.id.asset() == Asset::Eth => {
                if let Some(price) = tick.window.reference {
                    reference.insert(tick.window.id.open().0 / 1_000, price.get());
                }
            }
            _ => {}
        }
        event
    })
}

#[derive(Default)]
struct Entries(Vec<String>);

impl Sink for Entries {
    fn journal(&mut self, _: &str) {}
    fn record(&mut self, record: &Record) {
        if let RecordBody::Intent { order } = &record.body
            && order.purpose == Purpose::Entry
        {
            self.0.push(format!(
                "{} {} {} {}",
                order.id.window, record.t_ms, order.outcome, order.price
            ));
        }
    }
    fn event(&mut self, _: &Event) {}
}

fn run(id: &str, file: &StrategyFile) -> (SimReport, Vec<String>) {
    let id: StrategyId = id.parse().unwrap();
    let files = BTreeMap::from([(id.clone(), file.clone())]);
    let mut entries = Entries::default();
    let report = simulate(
        &manifest(id.as_str()),
        &files,
        tape(),
        LIMITS,
        Counterpart::Simulated,
        &mut entries,
    )
    .unwrap();
    (report, entries.0)
}

fn file(text: &str) -> StrategyFile {
    serde_json::from_str(text).unwrap()
}

#[test]
fn five_strategies_decide_five_different_things() {
    let decided: Vec<(&str, SimReport, Vec<String>)> = SHIPPED
        .iter()
        .map(|(id, text)| {
            let (report, entries) = run(id, &file(text));
            (*id, report, entries)
        })
        .collect();
    for (n, (id, report, entries)) in decided.iter().enumerate() {
        assert!(
            !entries.is_empty(),
            "{id} never entered: {:?}",
            report.refusals
        );
        assert_eq!(report.unexplained, 0, "{id}");
        for (other, _, theirs) in decided.iter().skip(n + 1) {
            assert_ne!(entries, theirs, "{id} and {other} decide the same");
        }
    }
    // Each for its own reason: the fade enters only where and when the oracle stands still.
    let of = |wanted: &str| &decided.iter().find(|(id, _, _)| *id == wanted).unwrap().2;
    assert!(
        of("oracle-edge")
            .iter()
            .all(|entry| entry.starts_with("eth"))
    );
    assert!(of("lag-based").iter().any(|entry| entry.starts_with("btc")));
    for entry in of("threshold-70") {
        let price: f64 = entry.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(price > 0.70, "{entry}");
    }
}

#[test]
fn the_same_tape_gives_the_same_digest() {
    for (id, text) in SHIPPED {
        let file = file(text);
        let (first, second) = (run(id, &file).0, run(id, &file).0);
        assert_eq!(first, second, "{id}");
    }
}

#[test]
fn the_aggregation_mode_and_its_weights_decide() {
    let hybrid = file(SHIPPED[2].1);
    let mut other_weights = hybrid.clone();
    other_weights.signals[0].weight = Some(5);
    other_weights.signals[1].weight = Some(95);
    let mut unanimous = hybrid.clone();
    unanimous.aggregation = trader_core::strategy_file::Aggregation::Unanimous;
    for signal in &mut unanimous.signals {
        signal.weight = None;
    }
    let entries = |file| run("hybrid", file).1;
    let (weighted, reweighted, agreed) = (
        entries(&hybrid),
        entries(&other_weights),
        entries(&unanimous),
    );
    assert!(!weighted.is_empty() && !reweighted.is_empty() && !agreed.is_empty());
    assert_ne!(weighted, reweighted, "weights are inert");
    assert_ne!(weighted, agreed, "the mode is inert");
    assert_ne!(reweighted, agreed);
}

#[test]
fn a_fade_that_could_never_act_is_refused_with_both_numbers() {
    let mut strict = manifest("oracle-edge");
    strict.window.min_remaining_secs = 30.try_into().unwrap();
    let files = BTreeMap::from([("oracle-edge".parse().unwrap(), file(SHIPPED[3].1))]);
    let error = trader_core::engine::Engine::new(
        &strict,
        &files,
        trader_core::ledger::LedgerState::default(),
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "strategy `oracle-edge`, /signals/0/options: option `max_remaining_secs` is 30, and the manifest's \
         `window.min_remaining_secs` is 30: it could never act"
    );
}
