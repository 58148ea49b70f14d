//! What a platform finds when it comes back: its records, the processes that it left behind, and
//! deployments that were under way.
//!
//! Nothing that was killed meanwhile may come to life through the platform's return, and nothing
//! that lives may be forgotten: records that cannot be read, or are gone while their processes
//! live, are refused. Must not start a process, and ends only what an ended deployment left.

use std::path::Path;

use launch_kill::freeze::{self, FreezeState};
use launch_kill::{EnvName, StateDir, process};

use super::error::PlatformError;
use super::ground_truth;
use super::lifecycle;
use super::state::{Deployment, Phase, Running, ServiceInstance, State};

/// File name of the records in the platform's folder.
pub(crate) const STATE_FILE: &str = "state.json";

/// The records as the next platform goes on with them. Errors: unreadable, or gone although
/// processes of theirs live.
pub(crate) fn take_up(dir: &Path, state_dir: &Path, now_ms: u64) -> Result<State, PlatformError> {
    let mut state = read(dir)?;
    let living = ground_truth::living(dir).unwrap_or_default();
    let frozen: Vec<(String, String)> = state
        .instances
        .iter()
        .filter(|row| is_frozen(state_dir, row))
        .map(|row| (row.environment_id.clone(), row.service_id.clone()))
        .collect();
    for row in &mut state.deployments {
        let is_frozen = frozen
            .iter()
            .any(|(environment, service)| row.belongs_to(environment, service));
        go_on(row, is_frozen, now_ms);
        if let Some(pids) = living.get(&row.id).filter(|_| row.process.is_none()) {
            adopt(dir, row, pids, now_ms);
        }
    }
    Ok(state)
}

/// The records as they were left. Errors as [`take_up`].
pub(crate) fn read(dir: &Path) -> Result<State, PlatformError> {
    let path = dir.join(STATE_FILE);
    let state = State::load(&path)?;
    // Where the process table cannot be read, nothing is known to live.
    let living = ground_truth::living(dir).unwrap_or_default();
    let unknown: Vec<u32> = living
        .into_iter()
        .filter(|(id, _)| state.deployment(id).is_none())
        .flat_map(|(_, pids)| pids)
        .collect();
    if unknown.is_empty() {
        Ok(state)
    } else {
        Err(PlatformError::Forgotten {
            path,
            pids: unknown,
        })
    }
}

/// Deployments that a platform would go on with, with their status.
pub(crate) fn under_way(state: &State) -> Vec<&Deployment> {
    let rows = state.deployments.iter();
    rows.filter(|row| row.may_start()).collect()
}

/// How one deployment goes on.
fn go_on(row: &mut Deployment, is_frozen: bool, now_ms: u64) {
    if row.phase == Phase::Restarting {
        lifecycle::ended_unseen(row, now_ms);
    }
    if !row.phase.is_in_progress() {
        return;
    }
    // Its phase begins again, so that a client has as long to see and cancel it as ever.
    row.phase_at_ms = now_ms;
    if is_frozen {
        // A kill found no process of it while no platform ran; it must not get one now.
        lifecycle::ask_remove(row, now_ms);
    }
}

/// A platform that dies between starting a process and writing that down leaves one that its
/// records do not know.
fn adopt(dir: &Path, row: &mut Deployment, pids: &[u32], now_ms: u64) {
    let may_have_one = row.phase.is_in_progress() || row.phase == Phase::Active;
    if !may_have_one {
        ground_truth::kill_leftovers(dir, &row.id);
        return;
    }
    let identities = pids.iter().copied().filter_map(process::identify);
    // The first was started by the platform, the others by it.
    let Some(first) = identities.min_by_key(|one| (one.start, one.pid)) else {
        return;
    };
    row.process = Some(Running {
        pid: first.pid,
        pid_start: first.start,
        boot_id: first.boot_id,
        terminated_at_ms: None,
        killed: false,
    });
    if row.phase.is_in_progress() {
        lifecycle::started(row, now_ms);
    }
}

/// What cannot be read counts as frozen.
fn is_frozen(state_dir: &Path, row: &ServiceInstance) -> bool {
    let in_variable = row.variables.get(freeze::VARIABLE).map(String::as_str);
    let on_disk = EnvName::parse(&row.env)
        .map(|env| freeze::read_local(&StateDir::at(state_dir), &env))
        .is_ok_and(|state| state.is_frozen());
    on_disk || FreezeState::from_variable(in_variable).is_frozen()
}
