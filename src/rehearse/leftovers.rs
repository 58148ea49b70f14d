//! What a rehearsal leaves behind when it ends early: the watchdog, which outlives the commands on purpose.

use crate::watchdog::record;
use launch_kill::process::Life;
use launch_kill::state_dir::{EnvName, StateDir};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a state is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Ends the watchdog of `env`, which outlives the commands, and waits until it is gone: one that still
/// wrote its journal would bring the scratch project back.
pub(super) fn end_watchdog(state: &Path, env: &str) {
    /// Longest wait for its end; it stops nothing any more, so it only has to write a line.
    const END_MAX: Duration = Duration::from_secs(5);
    let dir = StateDir::at(state);
    let Some(record) = EnvName::parse(env)
        .ok()
        .and_then(|name| record::read(&dir, &name).ok()?)
    else {
        return;
    };
    drop(record.process().terminate());
    let until = Instant::now() + END_MAX;
    while record.life() != Life::Gone && Instant::now() < until {
        std::thread::sleep(LOOK_EVERY);
    }
    drop(record.process().kill());
}
