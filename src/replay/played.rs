//! What `--tape` names, as events in memory: a tape of ours, a folder of recorded data, or a generator.

use super::chosen::Chosen;
use super::{ReplayArgs, ReplayError, own_tape};
use crate::tape::recording::{self, MidMark, Reading, Settle};
use std::collections::BTreeSet;
use std::path::Path;
use trader_core::event::{Event, EventKind};
use trader_core::feed::GeneratedMarket;
use trader_core::run::Counterpart;
use trader_core::sim::generator::Generator;
use trader_core::sim::trouble::Troubled;
use trader_core::units::{Asset, EpochMs};
use trader_core::window::WindowLength;

/// Virtual start of every generated market: 2026-01-01T00:00:00Z. Fixed, so that runs can be compared.
const START: EpochMs = EpochMs(1_767_225_600_000);

/// An hour, ms.
const HOUR_MS: i64 = 3_600_000;

/// What is played.
#[derive(Debug)]
pub(super) struct Played {
    /// Where the events came from.
    pub(super) source: String,
    /// What was made or assumed.
    pub(super) made: Vec<String>,
    /// What is missing.
    pub(super) lacks: Vec<&'static str>,
    /// What windows settle on, in words.
    pub(super) settlement: String,
    /// Whether books are what a market showed.
    pub(super) books_recorded: bool,
    pub(super) assets: Vec<Asset>,
    pub(super) events: Vec<Event>,
    pub(super) mids: Vec<MidMark>,
    pub(super) counterpart: Counterpart,
}

impl Played {
    /// Minutes of the windows in it, shortest first.
    pub(super) fn lengths(&self) -> Vec<u32> {
        let mins: BTreeSet<u32> = self
            .events
            .iter()
            .filter_map(|event| {
                let EventKind::Window(tick) = &event.kind else {
                    return None;
                };
                Some(tick.window.id.length().mins())
            })
            .collect();
        mins.into_iter().collect()
    }
}

/// Opens what `--tape` names.
pub(super) fn open(args: &ReplayArgs, chosen: &Chosen) -> Result<Played, ReplayError> {
    if let Some(seed) = args.tape.strip_prefix("generator:") {
        refuse_reading(args, "a generated market")?;
        return generated(args, seed, chosen);
    }
    recorded(args, Path::new(&args.tape))
}

/// Opens a tape of ours or a folder of recorded data.
pub(super) fn recorded(args: &ReplayArgs, path: &Path) -> Result<Played, ReplayError> {
    if path.is_dir() {
        return folder(args, path);
    }
    refuse_reading(args, "a tape")?;
    let (header, events) = own_tape::read(path)?;
    let recorded = events.iter().any(|event| is_answer(&event.kind));
    let is_market = header.source == "venue";
    let (counterpart, settlement) = if recorded {
        let words = "as the tape tells: answers, leases and outcomes are its own";
        (Counterpart::Recorded, words)
    } else {
        let words = "outcomes as told, else by each market's own rule";
        (Counterpart::Simulated, words)
    };
    Ok(Played {
        source: header.source,
        made: Vec::new(),
        lacks: Vec::new(),
        settlement: settlement.to_owned(),
        books_recorded: is_market,
        assets: header.assets,
        events,
        mids: Vec::new(),
        counterpart,
    })
}

/// What only a trader's own recording holds.
fn is_answer(kind: &EventKind) -> bool {
    match kind {
        EventKind::Order(_) | EventKind::Fill(_) | EventKind::Lease(_) | EventKind::Control(_) => {
            true
        }
        EventKind::Oracle(_)
        | EventKind::Spot(_)
        | EventKind::Book(_)
        | EventKind::Trade(_)
        | EventKind::Window(_)
        | EventKind::Clock(_) => false,
    }
}

fn refuse_reading(args: &ReplayArgs, what: &str) -> Result<(), ReplayError> {
    if args.synthesise.is_empty() && args.settle == Settle::Recorded {
        return Ok(());
    }
    Err(ReplayError::Usage(format!(
        "--synthesise and --settle are for folders of recorded data; {what} is played as it is"
    )))
}

fn folder(args: &ReplayArgs, path: &Path) -> Result<Played, ReplayError> {
    let reading = Reading {
        make: args.synthesise.clone(),
        settle: args.settle,
    };
    let recording = recording::read(path, &reading)?;
    Ok(Played {
        source: recording.source(),
        made: recording.made,
        lacks: recording.lacks,
        settlement: recording.settlement,
        books_recorded: recording.books_recorded,
        assets: recording.assets,
        events: recording.events,
        mids: recording.mids,
        counterpart: Counterpart::Simulated,
    })
}

fn generated(args: &ReplayArgs, text: &str, chosen: &Chosen) -> Result<Played, ReplayError> {
    let market: GeneratedMarket = text.parse().map_err(|_| {
        ReplayError::Usage(format!(
            "--tape generator:{text}: wanted generator:SEED with a whole number, like generator:7 \
             (troubles after it, in this order: +gaps, +outages, +clock-steps)"
        ))
    })?;
    let lengths: Vec<WindowLength> = chosen
        .manifest
        .window
        .durations_mins
        .iter()
        .filter_map(|mins| WindowLength::from_mins(*mins).ok())
        .collect();
    let assets = chosen.manifest.assets.clone();
    let end = START.plus_ms(i64::from(args.hours) * HOUR_MS);
    let made =
        Generator::new(market.seed, START, &assets, &lengths).take_while(|event| event.t < end);
    let events = Troubled::new(made, market.seed, market.troubles).collect();
    Ok(Played {
        source: format!("generator:{market}, {} h", args.hours),
        made: vec!["everything: a seeded market, whose edges exist nowhere else".to_owned()],
        lacks: Vec::new(),
        settlement: "the generator's outcomes, on the average of 60 s".to_owned(),
        books_recorded: false,
        assets,
        events,
        mids: Vec::new(),
        counterpart: Counterpart::Simulated,
    })
}
