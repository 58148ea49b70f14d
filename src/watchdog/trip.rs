//! The trip: freeze first, then the same kill that an operator would run, with the watchdog's own token.
//!
//! Must not decide whether to trip. Whatever goes wrong here, nothing is granted any more: the lease of
//! the target lapses by itself.

use super::rules::Sighting;
use super::shared::{Revocation, Shared};
use crate::clock;
use crate::platform::tokens;
use launch_kill::args::KillArgs;
use launch_kill::freeze::{self, Freeze};
use launch_kill::pace::Pace;
use launch_kill::report::Report;
use launch_kill::targets::Surroundings;
use launch_kill::{EnvName, Progress, StateDir};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest time of a trip's stop.
const STOP_MAX: Duration = Duration::from_mins(1);

/// How long nothing may reappear.
const SETTLE: Duration = Duration::from_secs(10);

/// Random bytes of a freeze's id.
const FREEZE_ID_BYTES: usize = 4;

/// Environment variables that say who asks; kill reads the first.
const OPERATOR_VARIABLE: &str = "USER";

/// Freezes, revokes and stops.
///
/// # Errors
/// Nothing could be asked; why, as text.
pub async fn trip(
    shared: &Shared,
    state: &StateDir,
    env: &EnvName,
    reasons: &[Sighting],
    endpoint: Option<String>,
) -> Result<Report, String> {
    let reason = reasons
        .iter()
        .map(|sighting| format!("{}: {}", sighting.rule, sighting.reason))
        .collect::<Vec<_>>()
        .join("; ");
    shared.watch().revoked = Some(Revocation {
        by: who(env),
        reason: reason.clone(),
    });
    let freeze = new_freeze(env, &reason);
    // Before anything else, so that no deploy slips in while the stop runs. The kill goes on under the
    // same id: it sets the variable, and the file again where it could not be written here, and says so.
    drop(freeze::write_local(state, env, &freeze));
    let args = KillArgs {
        env: Some(env.to_string()),
        deadline: STOP_MAX,
        settle: SETTLE,
        reason: format!("watchdog: {reason}"),
        endpoint,
        state_dir: Some(state.root().to_owned()),
        ..KillArgs::default()
    };
    let around = Surroundings {
        variables: variables(env),
        state_dir: Some(state.clone()),
    };
    let progress = Progress::silent();
    let (pace, start) = (Pace::default(), Instant::now());
    launch_kill::run_with(&args, &around, &pace, start, &progress, freeze)
        .await
        .map_err(|unusable| unusable.to_string())
}

fn who(env: &EnvName) -> String {
    format!("watchdog of {env}")
}

fn new_freeze(env: &EnvName, reason: &str) -> Freeze {
    let tail = tokens::random_hex(FREEZE_ID_BYTES).unwrap_or_else(|_| "trip".to_owned());
    Freeze {
        id: format!("watchdog-{}-{tail}", clock::now().as_second()),
        at: clock::now_text(),
        by: who(env),
        reason: reason.to_owned(),
    }
}

/// The process's environment, with the watchdog as the one who asks and its own platform token.
fn variables(env: &EnvName) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    if let Some(token) = all.get("LAUNCH_WATCHDOG_RAILWAY_TOKEN").cloned() {
        all.insert("RAILWAY_TOKEN".to_owned(), token);
    }
    all.insert(OPERATOR_VARIABLE.to_owned(), who(env));
    all
}
