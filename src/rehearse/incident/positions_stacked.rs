//! Four signals a tick, every tick, into the same windows: nothing counted what had been entered.
//!
//! Planted: a manifest whose edge lets nearly every tick signal, over six hours of a seeded market. Seen
//! twice through the real engine: with the project's own safeguards, and with every entry limit raised to
//! the program's compiled-in ceilings. Right: the first never enters a window twice and never passes a
//! limit. The second shows that the market would have let it: where it does not stack, nothing is proved.

use super::{Incident, Outcome};
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};
use std::collections::BTreeMap;
use trader_core::event::Event;
use trader_core::ledger::{Record, RecordBody};
use trader_core::order::Purpose;
use trader_core::run::{Counterpart, Limits, SimReport, Sink, simulate};
use trader_core::safeguards::TABLE;
use trader_core::sim::generator::Generator;
use trader_core::units::{EpochMs, Usd};
use trader_core::window::WindowLength;
use trader_runtime::manifest_files::{Declared, read};

pub(super) const INCIDENT: Incident = Incident {
    id: "9",
    of: None,
    slug: "positions-stacked",
    title: "RAPID POSITION STACKING",
    planted: "an edge of 0: a signal on nearly every tick, for six hours of a seeded market",
    command: "launch trade --mode dry-run --manifest manifests/local.toml --windows 72",
    plant,
};

/// Start of the seeded market, Unix ms; a multiple of both window lengths.
const START: EpochMs = EpochMs(1_795_392_000_000);
/// Seed of the market.
const SEED: u64 = 9;
/// Six hours of five-minute windows.
const WINDOWS: u64 = 72;
/// Most events of either run: six hours of two assets make about a sixth of it.
const EVENTS_MAX: u64 = 2_000_000;

/// Counts entries as they are reserved, before the wire.
#[derive(Debug)]
struct Entries {
    by_window: BTreeMap<String, u32>,
    cost: Usd,
}

impl Sink for Entries {
    fn journal(&mut self, _: &str) {}

    fn record(&mut self, record: &Record) {
        if let RecordBody::Intent { order } = &record.body
            && order.purpose == Purpose::Entry
        {
            *self
                .by_window
                .entry(order.id.window.to_string())
                .or_default() += 1;
            self.cost += order.worst_cost;
        }
    }

    fn event(&mut self, _: &Event) {}
}

impl Entries {
    fn total(&self) -> u32 {
        self.by_window.values().sum()
    }

    fn most_in_one_window(&self) -> u32 {
        self.by_window.values().copied().max().unwrap_or(0)
    }
}

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    let path = "manifests/local.toml";
    set(scratch, path, "min", "\"0\"")?;
    let (guarded, seen) = run(&declared(scratch, path)?)?;
    for (key, most) in [
        ("max_entries_per_window", "10"),
        ("max_entries_per_tick", "10"),
        ("max_open_positions", "50"),
        ("max_orders_per_minute", "120"),
        ("min_entry_interval_ms", "1"),
        ("max_exposure_usd", "\"2500\""),
        ("max_capital_usd", "\"10000\""),
    ] {
        set(scratch, path, key, most)?;
    }
    let (unguarded, _) = run(&declared(scratch, path)?)?;
    let stacked = unguarded.most_in_one_window() > 1;
    let held = guarded.total() > 0 && guarded.most_in_one_window() == 1;
    let refused = seen.refusals.contains_key("window_once");
    let by = if stacked && held && refused {
        let is_safeguard = |code: &str| TABLE.iter().any(|row| row.code == code);
        let codes = seen.refusals.keys().filter(|code| is_safeguard(code));
        codes.map(|code| format!("safeguard:{code}")).collect()
    } else {
        Vec::new()
    };
    let detail = format!(
        "{} entries, at most {} in a window; at the program's ceilings the same market gives {} entries, {} in one window, {} USD",
        guarded.total(),
        guarded.most_in_one_window(),
        unguarded.total(),
        unguarded.most_in_one_window(),
        unguarded.cost,
    );
    Ok(Outcome { by, detail })
}

/// Replaces the value of a key that stands once in the manifest.
fn set(scratch: &Scratch, path: &str, key: &str, value: &str) -> Result<(), RehearseError> {
    let text = scratch.read(path)?;
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{key} = ")))
        .ok_or_else(|| RehearseError::Wrong(format!("{path} declares no {key}")))?;
    scratch.replace(
        path,
        &format!("\n{line}\n"),
        &format!("\n{key} = {value}\n"),
    )
}

fn declared(scratch: &Scratch, path: &str) -> Result<Declared, RehearseError> {
    read(&scratch.project().join(path)).map_err(|error| RehearseError::Wrong(error.to_string()))
}

fn run(declared: &Declared) -> Result<(Entries, SimReport), RehearseError> {
    let market = Generator::new(
        SEED,
        START,
        &declared.manifest.assets,
        &[WindowLength::Min5],
    );
    let limits = Limits {
        max_events: EVENTS_MAX,
        max_windows: Some(WINDOWS),
    };
    let mut entries = Entries {
        by_window: BTreeMap::new(),
        cost: Usd::ZERO,
    };
    let report = simulate(
        &declared.manifest,
        &declared.strategies,
        market,
        limits,
        Counterpart::Simulated,
        &mut entries,
    )
    .map_err(|error| RehearseError::Wrong(error.to_string()))?;
    Ok((entries, report))
}
