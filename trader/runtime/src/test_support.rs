//! A small project on disk for the tests of this crate.

/// A manifest that the tests read.
pub(crate) const MANIFEST_TOML: &str = r#"schema_version = 1
mode = "paper"
strategies = ["probability-edge"]
assets = ["btc"]
position_size_usd = 2
max_exposure_usd = 10
max_capital_usd = 20

[safeguards]
max_open_positions = 3
min_entry_interval_ms = 5000
max_entries_per_tick = 1
max_entries_per_window = 1
max_orders_per_minute = 10
max_order_shares = 20
max_daily_loss_usd = 6
max_consecutive_losses = 4
price_collar = 0.05
max_oracle_age_ms = 5000
max_book_age_ms = 5000
max_clock_offset_ms = 500

[edge]
min = 0.030
max = 0.40

[window]
durations_mins = [5]
min_elapsed_secs = 10
min_remaining_secs = 20
warm_up_secs = 60

[exit]
stop_loss = 0.30
take_profit = 0.40
flatten_secs = 30
"#;

/// A strategy that the manifest names.
pub(crate) const STRATEGY_JSON: &str = r#"{
  "schema_version": 1,
  "name": "Probability edge",
  "probability": { "component": "window-timing" },
  "signals": [{ "component": "edge-after-fees" }],
  "aggregation": "single",
  "entry": { "component": "entry-band" },
  "sizing": { "component": "fixed-size" },
  "exits": [{ "component": "window-close" }]
}"#;

/// A folder with `staging.toml` and its strategy.
pub(crate) fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("staging.toml"), MANIFEST_TOML).unwrap();
    let strategies = folder.path().join("strategies");
    std::fs::create_dir(&strategies).unwrap();
    std::fs::write(strategies.join("probability-edge.json"), STRATEGY_JSON).unwrap();
    folder
}
