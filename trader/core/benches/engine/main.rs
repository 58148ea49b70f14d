//! How fast the core is: events a second with every safeguard, its parts, its memory.
//!
//! `cargo bench --bench engine` (`-- --plot FILE` also draws time against events as SVG; a section's
//! name, `parts`, `throughput`, `memory` or `scaling`, measures that one alone). Prints each figure beside its limit and beside what one would otherwise use; asserts nothing. Time is the
//! thread's CPU time, so that a loaded machine disturbs it little; of several runs the fastest is
//! shown, the median beside it. Figures of record: `BENCHMARKS.md`.
//!
//! The events are those of the seeded generator, recorded once with everything that the simulated
//! venue answered (leases, reports, fills, outcomes) and then stepped through a fresh engine, whose
//! ledger is in memory. Making the events is not timed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench that cannot go on fails here, and its figures are its output"
)]

mod clock;
mod market;
mod memory;
mod parts;
mod plot;
mod scaling;
mod table;
mod throughput;

use table::Table;

const SECTIONS: [&str; 4] = ["parts", "throughput", "memory", "scaling"];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == memory::CHILD_FLAG) {
        memory::thirty_days();
        return;
    }
    let plot = args
        .iter()
        .position(|arg| arg == "--plot")
        .map(|at| args.get(at + 1).map(String::as_str).unwrap());
    // A section's name measures that one alone.
    let wanted = |name: &str| {
        let named = |section: &str| args.iter().any(|arg| arg == section);
        named(name) || !SECTIONS.into_iter().any(named)
    };
    println!(
        "thread CPU time, fastest of several runs (median); load {}",
        clock::load()
    );
    let mut table = Table::default();
    if wanted("parts") {
        parts::measure(&mut table);
    }
    if wanted("throughput") {
        throughput::measure(&mut table);
    }
    if wanted("memory") {
        memory::measure(&mut table);
    }
    if wanted("scaling") {
        scaling::measure(&mut table, plot);
    }
}
