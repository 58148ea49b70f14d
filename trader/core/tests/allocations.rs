//! A tick that decides as before allocates nothing, once the trader is warm.
//!
//! Counted, not timed: five strategies, every safeguard, positions held and left, windows that come and
//! go. A copied id or a list built per tick would show here.

#![expect(
    clippy::unwrap_used,
    reason = "a fixture that cannot be built fails the test"
)]

use std::collections::BTreeMap;
use trader_core::engine::{Commands, Engine};
use trader_core::event::{Event, EventKind};
use trader_core::ledger::{LedgerState, Record};
use trader_core::manifest::Manifest;
use trader_core::run::{Counterpart, Run, Sink};
use trader_core::sim::generator::Generator;
use trader_core::strategy_file::StrategyFile;
use trader_core::units::{Asset, EpochMs, StrategyId};
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

/// A five-minute open.
const START: EpochMs = EpochMs(1_795_392_000_000);
/// Events before anything is counted: the analyses are full, some windows have come and gone.
const WARM_UP: usize = 6_000;
const EVENTS: usize = 12_000;

fn engine() -> Engine {
    let manifest: Manifest = serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "mode": "paper",
        "strategies": SHIPPED.map(|(id, _)| id),
        "assets": ["btc"],
        "position_size_usd": "6",
        "max_exposure_usd": "60",
        "max_capital_usd": "10000",
        "safeguards": {
            "max_open_positions": 8,
            "min_entry_interval_ms": 1000,
            "max_entries_per_tick": 1,
            "max_entries_per_window": 2,
            "max_orders_per_minute": 20,
            "max_order_shares": "200",
            "max_daily_loss_usd": "1000",
            "max_consecutive_losses": 100_000,
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
    .unwrap();
    let files: BTreeMap<StrategyId, StrategyFile> = SHIPPED
        .iter()
        .map(|(id, text)| (id.parse().unwrap(), serde_json::from_str(text).unwrap()))
        .collect();
    Engine::new(&manifest, &files, LedgerState::default()).unwrap()
}

#[derive(Default)]
struct Kept(Vec<Event>);

impl Sink for Kept {
    fn journal(&mut self, _: &str) {}
    fn record(&mut self, _: &Record) {}
    fn event(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}

#[test]
fn a_tick_that_decides_as_before_allocates_nothing() {
    let mut kept = Kept::default();
    let mut run = Run::new(engine(), Counterpart::Simulated);
    let market = Generator::new(11, START, &[Asset::Btc], &[WindowLength::Min5]);
    for event in market.take(EVENTS) {
        run.feed(&event, &mut kept);
    }
    let report = run.report();
    assert!(report.fills > 0, "nothing was ever held: {report:?}");
    let mut engine = engine();
    let mut commands = Commands::default();
    let (mut quiet, mut deciding) = (0_u32, 0_u64);
    for (n, event) in kept.0.iter().enumerate() {
        commands.clear();
        let seen = allocation_counter::measure(|| engine.step(event, &mut commands));
        if n < WARM_UP {
            continue;
        }
        let is_tick = matches!(
            event.kind,
            EventKind::Oracle(_) | EventKind::Spot(_) | EventKind::Book(_) | EventKind::Trade(_)
        );
        if is_tick && commands.journal.is_empty() && commands.records.is_empty() {
            assert_eq!(seen.count_total, 0, "event {n}: {event:?}");
            quiet += 1;
        } else {
            deciding += seen.count_total;
        }
    }
    assert!(quiet > 3_000, "{quiet} ticks were quiet");
    // The counter counts: what is told and stored is made of strings.
    assert!(deciding > 0);
}
