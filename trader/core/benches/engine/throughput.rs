//! Events a second: stepped, simulated, and from text.

use crate::clock::{Runs, runs, timed};
use crate::market::{Recording, engine, generated, top_of_book};
use crate::table::{Limit, Table};
use trader_core::engine::{Commands, Engine};
use trader_core::event::Event;
use trader_core::run::{Counterpart, Discard, Run};
use trader_core::tape::{Header, TapeReader, event_line, header_line};
use trader_core::units::Asset;

const EVENTS: usize = 500_000;
const RUNS: usize = 7;
const MINS: u32 = 5;
/// Changes of the best level that follow each quote: some twenty a second and token.
const MORE: u32 = 19;

/// Measured by others' benches on another machine: see `BENCHMARKS.md`.
const BARTER: f64 = 3_740_000.0;
const NAUTILUS: f64 = 150_600.0;

pub(crate) fn measure(table: &mut Table) {
    for (strategies, least) in [(1, 4_000_000.0), (5, 2_000_000.0)] {
        let (events, did) = recorded(strategies, generated(MINS));
        let stepped = per_event(strategies, &events);
        let beside = format!("{}; {did}", ratios(stepped));
        let what = format!("engine, {}, every safeguard", plural(strategies));
        table.rate(&what, stepped, Limit::AtLeast(least), &beside);
        let (events, did) = recorded(strategies, top_of_book(MINS, MORE));
        let stepped = per_event(strategies, &events);
        let what = format!("engine, {}, top of book 20 a second", plural(strategies));
        table.rate(&what, stepped, Limit::None, &did);
        let lines = tape(&events);
        let read = from_lines(strategies, &lines);
        let what = format!("the same from JSON lines, {}", plural(strategies));
        let limit = if strategies == 1 {
            Limit::AtLeast(1_500_000.0)
        } else {
            Limit::None
        };
        let bytes = lines.iter().map(String::len).sum::<usize>() / lines.len();
        table.rate(&what, read, limit, &format!("{bytes} bytes a line"));
    }
    let simulated = simulated();
    table.rate(
        "five strategies with paper venue, settlement, digest",
        simulated,
        Limit::None,
        "",
    );
}

fn plural(strategies: usize) -> String {
    match strategies {
        1 => "one strategy".to_owned(),
        n => format!("{n} strategies"),
    }
}

fn ratios(per_event: Runs) -> String {
    let rate = 1e9 / per_event.fastest;
    format!(
        "{:.1}x barter, {:.0}x nautilus",
        rate / BARTER,
        rate / NAUTILUS
    )
}

fn recorded(strategies: usize, market: impl Iterator<Item = Event>) -> (Vec<Event>, String) {
    let mut events = Vec::with_capacity(EVENTS + 64);
    let mut recording = Recording::new(strategies, MINS, market);
    recording.next_events(EVENTS, &mut events);
    let report = recording.run().report();
    let did = format!(
        "{} windows, {} orders, {} fills, journal {}",
        report.windows,
        report.sent,
        report.fills,
        report.journal_digest.get(7..15).unwrap_or_default()
    );
    (events, did)
}

fn step_all(engine: &mut Engine, events: &[Event]) {
    let mut commands = Commands::default();
    for event in events {
        commands.clear();
        engine.step(event, &mut commands);
    }
}

fn per_event(strategies: usize, events: &[Event]) -> Runs {
    let all = runs(RUNS, || {
        let mut engine = engine(strategies, MINS);
        timed(|| step_all(&mut engine, events)).0
    });
    all.scaled(1.0 / count(events.len()))
}

fn tape(events: &[Event]) -> Vec<String> {
    let header = Header {
        tape: 1,
        source: "bench".to_owned(),
        created_at: "2026-11-23T00:00:00Z".to_owned(),
        assets: vec![Asset::Btc],
    };
    std::iter::once(header_line(&header))
        .chain(events.iter().map(event_line))
        .map(Result::unwrap)
        .collect()
}

fn from_lines(strategies: usize, lines: &[String]) -> Runs {
    let all = runs(RUNS, || {
        let mut engine = engine(strategies, MINS);
        let mut commands = Commands::default();
        timed(|| {
            for event in TapeReader::new(lines).unwrap() {
                commands.clear();
                engine.step(&event.unwrap(), &mut commands);
            }
        })
        .0
    });
    all.scaled(1.0 / count(lines.len() - 1))
}

fn simulated() -> Runs {
    let events: Vec<Event> = generated(MINS).take(EVENTS).collect();
    let all = runs(3, || {
        let mut run = Run::new(engine(5, MINS), Counterpart::Simulated);
        timed(|| {
            for event in &events {
                run.feed(event, &mut Discard);
            }
        })
        .0
    });
    all.scaled(1.0 / count(events.len()))
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap())
}
