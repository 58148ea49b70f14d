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
  "signals": [{ "component": "edge" }],
  "aggregation": "single",
  "entry": { "component": "band" },
  "sizing": { "component": "fixed" },
  "exits": [
    { "component": "stop-loss" },
    { "component": "take-profit" },
    { "component": "window-close" }
  ]
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

/// A health answer with one feed, as a loop would publish it.
pub(crate) fn health(state: trader_core::wire::InstanceState) -> trader_core::wire::Health {
    use trader_core::units::Usd;
    trader_core::wire::Health {
        trader_version: "0".to_owned(),
        build_commit: "unknown".to_owned(),
        platform_commit: None,
        deployment_id: Some("d1".to_owned()),
        instance_nonce: "n1".to_owned(),
        state,
        trader_sha256: String::new(),
        manifest_digest: String::new(),
        effective: std::collections::BTreeMap::new(),
        feed: "generator:1".to_owned(),
        venue: trader_core::wire::VenueHealth::default(),
        mode: trader_core::manifest::Mode::Paper,
        strategies: Vec::new(),
        components: Vec::new(),
        lease: None,
        halted: None,
        closed_strategies: std::collections::BTreeMap::new(),
        flatten: None,
        feeds: vec![trader_core::wire::FeedHealth {
            name: "oracle:btc".to_owned(),
            age_ms: 0,
        }],
        last_tick_at: None,
        windows: Vec::new(),
        open_orders: 0,
        positions: Vec::new(),
        exposure_usd: Usd::ZERO,
        pnl_day_usd: Usd::ZERO,
        orders_last_minute: 0,
        errors_last_minute: 0,
        clock_offset_ms: None,
    }
}

/// The manifest and strategy above, as types.
pub(crate) fn declared() -> crate::manifest_files::Declared {
    crate::manifest_files::read(&project().path().join("staging.toml")).unwrap()
}

/// A lease of 15 s from `t`, as an event.
pub(crate) fn lease_event(t: trader_core::units::EpochMs) -> trader_core::event::Event {
    let grant = trader_core::event::LeaseGrant {
        holder: "test".to_owned(),
        expires_at: t.plus_ms(15_000),
    };
    trader_core::event::Event {
        t,
        src: None,
        kind: trader_core::event::EventKind::Lease(grant),
    }
}
