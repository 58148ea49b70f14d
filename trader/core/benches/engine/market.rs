//! What the engine is fed: the shipped strategies, a manifest, recorded events.

use std::collections::BTreeMap;
use trader_core::engine::Engine;
use trader_core::event::{Event, EventKind};
use trader_core::ledger::{LedgerState, Record};
use trader_core::manifest::Manifest;
use trader_core::run::{Counterpart, Run, Sink};
use trader_core::sim::generator::Generator;
use trader_core::strategy_file::StrategyFile;
use trader_core::units::{Asset, EpochMs, StrategyId};
use trader_core::window::WindowLength;

pub(crate) const SHIPPED: [(&str, &str); 5] = [
    (
        "probability-model",
        include_str!("../../../../manifests/strategies/probability-model.json"),
    ),
    (
        "lag-based",
        include_str!("../../../../manifests/strategies/lag-based.json"),
    ),
    (
        "hybrid",
        include_str!("../../../../manifests/strategies/hybrid.json"),
    ),
    (
        "oracle-edge",
        include_str!("../../../../manifests/strategies/oracle-edge.json"),
    ),
    (
        "threshold-70",
        include_str!("../../../../manifests/strategies/threshold-70.json"),
    ),
];

/// A day's and a window's start.
const START: EpochMs = EpochMs(1_795_392_000_000);
const SEED: u64 = 11;

/// The first so many shipped strategies on one asset; limits wide enough to trade throughout.
pub(crate) fn manifest(strategies: usize, mins: u32) -> Manifest {
    let ids: Vec<&str> = SHIPPED[..strategies].iter().map(|(id, _)| *id).collect();
    serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "mode": "paper",
        "strategies": ids,
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
            "durations_mins": [mins],
            "min_elapsed_secs": 10,
            "min_remaining_secs": 5,
            "warm_up_secs": 60
        },
        "exit": { "stop_loss": "0.30", "take_profit": "0.40", "flatten_secs": 30 }
    }))
    .unwrap()
}

/// A trader with an empty ledger.
pub(crate) fn engine(strategies: usize, mins: u32) -> Engine {
    let files: BTreeMap<StrategyId, StrategyFile> = SHIPPED
        .iter()
        .map(|(id, text)| (id.parse().unwrap(), serde_json::from_str(text).unwrap()))
        .collect();
    Engine::new(&manifest(strategies, mins), &files, LedgerState::default()).unwrap()
}

/// The generated market of one asset, endless.
pub(crate) fn generated(mins: u32) -> Generator {
    let length = WindowLength::from_mins(mins).unwrap();
    Generator::new(SEED, START, &[Asset::Btc], &[length])
}

/// The same with every quote followed by `more` further changes of its best level.
pub(crate) fn top_of_book(mins: u32, more: u32) -> impl Iterator<Item = Event> {
    generated(mins).flat_map(move |event| {
        let is_quote = matches!(event.kind, EventKind::Book(_));
        let repeats = if is_quote { more } else { 0 };
        (0..=repeats).map(move |n| {
            let mut event = event.clone();
            if let EventKind::Book(tick) = &mut event.kind
                && n % 2 == 1
            {
                std::mem::swap(&mut tick.bid_size, &mut tick.ask_size);
            }
            event
        })
    })
}

/// Events as an engine sees them: the market's and what the simulated venue answers.
pub(crate) struct Recording<I> {
    run: Run,
    events: I,
}

impl<I: Iterator<Item = Event>> Recording<I> {
    pub(crate) fn new(strategies: usize, mins: u32, events: I) -> Self {
        let run = Run::new(engine(strategies, mins), Counterpart::Simulated);
        Self { run, events }
    }

    /// The next so many events, in `into`.
    pub(crate) fn next_events(&mut self, count: usize, into: &mut Vec<Event>) {
        into.clear();
        let mut kept = Kept(into);
        while kept.0.len() < count {
            let event = self.events.next().unwrap();
            self.run.feed(&event, &mut kept);
        }
    }

    /// What the recorded run did.
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }
}

struct Kept<'a>(&'a mut Vec<Event>);

impl Sink for Kept<'_> {
    fn journal(&mut self, _: &str) {}
    fn record(&mut self, _: &Record) {}
    fn event(&mut self, event: &Event) {
        self.0.push(event.clone());
    }
}
