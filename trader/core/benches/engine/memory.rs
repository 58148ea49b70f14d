//! Memory: allocations per tick, and what is resident after a month.

use crate::market::{Recording, engine, generated};
use crate::table::{Limit, Table};
use std::process::Command;
use trader_core::engine::Commands;
use trader_core::event::{Event, EventKind};
use trader_core::run::{Counterpart, Discard, Run};

/// Asks this program for the month alone, so that nothing else is resident.
pub(crate) const CHILD_FLAG: &str = "--thirty-days";
/// Events before allocations are counted: a few windows have come and gone.
const WARM_UP: usize = 20_000;
const COUNTED: usize = 100_000;
const WINDOWS: u64 = 96 * 30;

pub(crate) fn measure(table: &mut Table) {
    let (quiet, ticks, other, rest) = allocations();
    let what = "allocations per tick that decides as before";
    let beside = format!("{ticks} ticks after {WARM_UP} events");
    table.line(what, quiet, "", Limit::AtMost(0.0), &beside);
    let what = "allocations per other event (orders, fills, listings)";
    table.line(what, other, "", Limit::None, &format!("{rest} events"));
    let this = std::env::current_exe().unwrap();
    let output = Command::new(this).arg(CHILD_FLAG).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let resident: f64 = text.trim().parse().unwrap();
    let what = "resident at most, 96 windows x 30 simulated days";
    table.line(
        what,
        resident,
        "MB",
        Limit::AtMost(32.0),
        "5 strategies, paper venue",
    );
}

/// Per tick without commands, how many of those; per other event, how many of those.
fn allocations() -> (f64, u32, f64, u32) {
    let mut events: Vec<Event> = Vec::new();
    Recording::new(5, 5, generated(5)).next_events(WARM_UP + COUNTED, &mut events);
    let mut engine = engine(5, 5);
    let mut commands = Commands::default();
    let (mut quiet, mut ticks, mut other, mut rest) = (0.0, 0, 0.0, 0);
    for (n, event) in events.iter().enumerate() {
        commands.clear();
        let seen = allocation_counter::measure(|| engine.step(event, &mut commands));
        if n < WARM_UP {
            continue;
        }
        let allocated = f64::from(u32::try_from(seen.count_total).unwrap());
        let is_tick = matches!(
            event.kind,
            EventKind::Oracle(_) | EventKind::Spot(_) | EventKind::Book(_) | EventKind::Trade(_)
        );
        if is_tick && commands.journal.is_empty() && commands.records.is_empty() {
            quiet += allocated;
            ticks += 1;
        } else {
            other += allocated;
            rest += 1;
        }
    }
    (
        quiet / f64::from(ticks),
        ticks,
        other / f64::from(rest),
        rest,
    )
}

/// A month of 15-minute windows; prints what was resident at most, MB.
pub(crate) fn thirty_days() {
    let mut run = Run::new(engine(5, 15), Counterpart::Simulated);
    for event in generated(15) {
        run.feed(&event, &mut Discard);
        if run.engine().tally().windows > WINDOWS {
            break;
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kb: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("{:.1}", kb / 1_024.0);
}
