//! A manifest and a strategy for this crate's own tests.

use crate::ledger::Position;
use crate::manifest::Manifest;
use crate::strategy_file::StrategyFile;
use crate::units::{Asset, Outcome, StrategyId};
use crate::view::{Book, ExitView, Freshness};
use crate::window::{SettlementRule, Window, WindowPhase};
use std::collections::BTreeMap;

pub(crate) fn manifest() -> Manifest {
    serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "mode": "paper",
        "strategies": ["probability-model"],
        "assets": ["btc"],
        "position_size_usd": "5",
        "max_exposure_usd": "20",
        "max_capital_usd": "60",
        "safeguards": {
            "max_open_positions": 2,
            "min_entry_interval_ms": 30000,
            "max_entries_per_tick": 1,
            "max_entries_per_window": 1,
            "max_orders_per_minute": 6,
            "max_order_shares": "100",
            "max_daily_loss_usd": "15",
            "max_consecutive_losses": 4,
            "price_collar": "0.03",
            "max_oracle_age_ms": 5000,
            "max_book_age_ms": 10000,
            "max_clock_offset_ms": 1000
        },
        "edge": { "min": "0.03", "max": "0.30" },
        "window": {
            "durations_mins": [5],
            "min_elapsed_secs": 10,
            "min_remaining_secs": 75,
            "warm_up_secs": 60
        },
        "exit": { "stop_loss": "0.25", "take_profit": "0.30", "flatten_secs": 30 }
    }))
    .unwrap()
}

pub(crate) fn strategy() -> StrategyFile {
    serde_json::from_value(serde_json::json!({
        "schema_version": 1,
        "name": "Probability model",
        "probability": { "component": "window-timing" },
        "signals": [{ "component": "edge" }],
        "aggregation": "single",
        "entry": { "component": "band" },
        "sizing": { "component": "fixed" },
        "exits": [
            { "component": "stop-loss" },
            { "component": "take-profit" },
            { "component": "window-close" }
        ]
    }))
    .unwrap()
}

pub(crate) fn strategies() -> BTreeMap<StrategyId, StrategyFile> {
    BTreeMap::from([("probability-model".parse().unwrap(), strategy())])
}

/// An exit view of ten shares bought at `entry`, with `bid` in the book.
pub(crate) fn exit_view<T>(entry: &str, bid: &str, look: impl FnOnce(ExitView<'_>) -> T) -> T {
    exit_view_of((entry, "10"), (bid, "10"), look)
}

/// An exit view of a position (price, shares) against a bid (price, shares).
pub(crate) fn exit_view_of<T>(
    (entry, held): (&str, &str),
    (bid, bid_size): (&str, &str),
    look: impl FnOnce(ExitView<'_>) -> T,
) -> T {
    let window = Window {
        id: "btc-15m-1769949000".parse().unwrap(),
        up: "11".parse().unwrap(),
        down: "22".parse().unwrap(),
        rule: SettlementRule::Twap,
        twap_lookback_secs: 60,
        reference: None,
    };
    let now = window.id.open().plus_ms(60_000);
    let WindowPhase::Open(open) = window.at(now) else {
        panic!("not open")
    };
    let book = Book {
        asset: Asset::Btc,
        token: "11".parse().unwrap(),
        bid: Some(bid.parse().unwrap()),
        ask: None,
        bid_size: bid_size.parse().unwrap(),
        ask_size: "0".parse().unwrap(),
        at: now,
    };
    let position = Position::bought(held.parse().unwrap(), entry.parse().unwrap());
    let freshness = Freshness {
        max_oracle_age_ms: 5_000,
        max_book_age_ms: 5_000,
    };
    look(ExitView::try_new(open, Outcome::Up, &position, Some(&book), freshness).unwrap())
}
