//! The life of one deployment as a pure function: record + time + what its process does → the next
//! record and one thing to do.
//!
//! | phase | status | deploymentStopped | instance | goes on when |
//! |---|---|---|---|---|
//! | initializing | INITIALIZING | true | none | time |
//! | building | BUILDING | true | none | time, and the commit's files are exported |
//! | placing | DEPLOYING | true | INITIALIZING | time |
//! | created | DEPLOYING | true | CREATED | time; the old one gone first where the service says so; process started |
//! | starting | DEPLOYING | true | RUNNING | time, and the process lives (else failed) |
//! | active | SUCCESS | false | RUNNING | the process ends, or somebody asks |
//! | restarting | SUCCESS | false | RESTARTING | time |
//! | stopped | SUCCESS | true | EXITED | `deploymentRestart` |
//! | crashed | CRASHED | true | CRASHED | `deploymentRestart` |
//! | failed | FAILED | true | none or CRASHED | never |
//! | removing | REMOVING | false | REMOVING | time, and the process is gone |
//! | removed | REMOVED | true | REMOVED | never |
//!
//! A stop leaves the phase alone until it is reported: that is how an immediate read lies. Must not
//! read a clock, touch a process or a file; the supervisor does what is returned here. Facts:
//! Railway's measured table (see `timing`).

use super::faults::Faults;
use super::state::{Ask, Deployment, Phase, RestartPolicy, Wish};
use super::timing::{self, Timing};

/// What the supervisor has to do for a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Write the commit's files into the deployment's folder.
    Export,
    /// Start the process.
    Start,
    /// Send SIGTERM to the process.
    Terminate,
    /// Send SIGKILL to the process and everything it started.
    Kill,
}

/// How a process ended: its status, `None` when a signal ended it or nobody saw it.
pub(crate) type ExitCode = Option<i32>;

/// Moves the record as far as time and faults allow and says what to do next; `None` = nothing now.
pub(crate) fn step(
    row: &mut Deployment,
    now_ms: u64,
    timing: Timing,
    faults: &Faults,
) -> Option<Action> {
    let action = match row.ask {
        Some(ask) => answer(row, ask, now_ms, timing),
        None if faults.builds_hang && row.phase == Phase::Building && row.exported => None,
        None => advance(row, now_ms, timing),
    };
    action.filter(|action| !(faults.draining_ignored && *action == Action::Kill))
}

/// Works on what somebody asked for.
fn answer(row: &mut Deployment, ask: Ask, now_ms: u64, timing: Timing) -> Option<Action> {
    if now_ms < ask.at_ms {
        return None;
    }
    if ask.wish == Wish::Remove {
        enter(row, Phase::Removing, now_ms);
    }
    if row.process.is_some() {
        return drain(row, now_ms, timing);
    }
    let waited = |ms| now_ms >= ask.at_ms.saturating_add(timing.scaled(ms));
    match ask.wish {
        Wish::Stop if waited(timing::STOP_REPORT_MS) => settle(row, Phase::Stopped, now_ms),
        Wish::Remove if waited(timing::REMOVE_REPORT_MS) => settle(row, Phase::Removed, now_ms),
        Wish::Cancel if waited(timing::CANCEL_REPORT_MS) => settle(row, Phase::Removed, now_ms),
        Wish::Restart if waited(timing::RESUME_MS) => return Some(Action::Start),
        Wish::Stop | Wish::Remove | Wish::Cancel | Wish::Restart => {}
    }
    None
}

/// SIGTERM, then SIGKILL after the draining time that the deployment went out with.
fn drain(row: &Deployment, now_ms: u64, timing: Timing) -> Option<Action> {
    let process = row.process.as_ref()?;
    let patience = timing.drain_ms(row.config.draining_secs);
    match process.terminated_at_ms {
        None => Some(Action::Terminate),
        Some(at) if !process.killed && now_ms >= at.saturating_add(patience) => Some(Action::Kill),
        Some(_) => None,
    }
}

/// The way from accepted to active when nobody asks for anything.
fn advance(row: &mut Deployment, now_ms: u64, timing: Timing) -> Option<Action> {
    let waited = |row: &Deployment, ms| now_ms >= row.phase_at_ms.saturating_add(timing.scaled(ms));
    match row.phase {
        Phase::Initializing if waited(row, timing::INITIALIZING_MS) => {
            enter(row, Phase::Building, now_ms);
            Some(Action::Export)
        }
        Phase::Building if !row.exported => Some(Action::Export),
        Phase::Building if waited(row, timing::BUILDING_MS) => {
            row.placed = true;
            enter(row, Phase::Placing, now_ms);
            None
        }
        Phase::Placing if waited(row, timing::PLACING_MS) => {
            enter(row, Phase::Created, now_ms);
            None
        }
        Phase::Created if waited(row, timing::CREATED_MS) => Some(Action::Start),
        Phase::Starting if waited(row, timing::ACTIVATING_MS) && row.process.is_some() => {
            enter(row, Phase::Active, now_ms);
            None
        }
        Phase::Restarting if waited(row, timing::RESTART_BACKOFF_MS) => Some(Action::Start),
        Phase::Initializing
        | Phase::Building
        | Phase::Placing
        | Phase::Created
        | Phase::Starting
        | Phase::Active
        | Phase::Restarting
        | Phase::Stopped
        | Phase::Crashed
        | Phase::Failed
        | Phase::Removing
        | Phase::Removed => None,
    }
}

/// The process was started.
pub(crate) fn started(row: &mut Deployment, now_ms: u64) {
    if row.phase == Phase::Created {
        enter(row, Phase::Starting, now_ms);
    } else {
        settle(row, Phase::Active, now_ms);
    }
}

/// The deployment cannot go on: its export or its start failed.
pub(crate) fn failed(row: &mut Deployment, now_ms: u64) {
    let phase = if row.phase.was_active() {
        Phase::Crashed
    } else {
        Phase::Failed
    };
    settle(row, phase, now_ms);
}

/// The process ended. Whoever asked for that gets its report by [`step`]; an end that nobody asked
/// for follows the restart policy.
pub(crate) fn exited(row: &mut Deployment, code: ExitCode, now_ms: u64) {
    row.ended = row.process.take();
    row.updated_at_ms = now_ms;
    if row.ask.is_some() {
        return;
    }
    if row.phase != Phase::Active {
        enter(row, Phase::Failed, now_ms);
    } else if wants_restart(row, code) {
        row.restarts = row.restarts.saturating_add(1);
        enter(row, Phase::Restarting, now_ms);
    } else if code == Some(0) {
        enter(row, Phase::Stopped, now_ms);
    } else {
        enter(row, Phase::Crashed, now_ms);
    }
}

/// The process of an earlier platform ended: nobody saw why. A kill may have ended it while no platform
/// was there, so whatever the policy says it is not started again, nor is a restart that was on its way.
pub(crate) fn ended_unseen(row: &mut Deployment, now_ms: u64) {
    row.ended = row.process.take().or_else(|| row.ended.take());
    row.updated_at_ms = now_ms;
    if row.ask.is_none() {
        let phase = if row.phase.was_active() {
            Phase::Stopped
        } else {
            Phase::Failed
        };
        enter(row, phase, now_ms);
    }
}

/// Railway counts retries for `ON_FAILURE` only; `ALWAYS` goes on for ever, with a pause between.
fn wants_restart(row: &Deployment, code: ExitCode) -> bool {
    match row.config.restart_policy {
        RestartPolicy::Never => false,
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => {
            code != Some(0) && row.restarts < row.config.restart_max_retries
        }
    }
}

/// Why the platform does not do what was asked, in Railway's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str);

/// Notes what somebody wants of a deployment. Errors: Railway's refusal.
pub(crate) fn ask(row: &mut Deployment, wish: Wish, now_ms: u64) -> Result<(), Refusal> {
    match wish {
        Wish::Stop => ask_stop(row, now_ms),
        Wish::Remove => {
            ask_remove(row, now_ms);
            Ok(())
        }
        Wish::Cancel => ask_cancel(row, now_ms),
        Wish::Restart => ask_restart(row, now_ms),
    }
}

/// `deploymentStop`: true at once for an active one, and again for one already stopped.
///
/// Source for SLEEPING → not stoppable: measured. ASSUMED for one not yet active, failed or
/// removed.
pub(crate) fn ask_stop(row: &mut Deployment, now_ms: u64) -> Result<(), Refusal> {
    if !row.phase.was_active() {
        return Err(Refusal("Deployment is not stoppable"));
    }
    let going = |ask: Ask| match ask.wish {
        Wish::Stop | Wish::Remove => ask.at_ms <= now_ms,
        Wish::Cancel | Wish::Restart => false,
    };
    if !row.ask.is_some_and(going) {
        // One that is stopped already needs no report, only that a restart on its way is called
        // off.
        let runs = row.process.is_some() || matches!(row.phase, Phase::Active | Phase::Restarting);
        row.ask = runs.then_some(Ask {
            wish: Wish::Stop,
            at_ms: now_ms,
        });
    }
    Ok(())
}

/// `deploymentRemove`: any deployment; one already removed stays so.
pub(crate) fn ask_remove(row: &mut Deployment, at_ms: u64) {
    let is_on_its_way = row
        .ask
        .is_some_and(|ask| ask.wish == Wish::Remove && ask.at_ms <= at_ms);
    if row.phase != Phase::Removed && !is_on_its_way {
        row.ask = Some(Ask {
            wish: Wish::Remove,
            at_ms,
        });
    }
}

/// `deploymentCancel`: one that is not active yet. The message for any other is ASSUMED.
pub(crate) fn ask_cancel(row: &mut Deployment, now_ms: u64) -> Result<(), Refusal> {
    if !row.phase.is_in_progress() {
        return Err(Refusal("Deployment is not cancelable"));
    }
    if row.ask.is_none_or(|ask| ask.at_ms > now_ms) {
        row.ask = Some(Ask {
            wish: Wish::Cancel,
            at_ms: now_ms,
        });
    }
    Ok(())
}

/// `deploymentRestart`: resumes a stopped one, restarts an active one. One on its way out is not
/// restartable any more (ASSUMED).
pub(crate) fn ask_restart(row: &mut Deployment, now_ms: u64) -> Result<(), Refusal> {
    let is_leaving = row
        .ask
        .is_some_and(|ask| ask.wish == Wish::Remove && ask.at_ms <= now_ms);
    if !row.phase.was_active() || is_leaving {
        return Err(Refusal("Deployment is not restartable"));
    }
    row.ask = Some(Ask {
        wish: Wish::Restart,
        at_ms: now_ms,
    });
    Ok(())
}

/// Enters a phase and closes what was asked for.
fn settle(row: &mut Deployment, phase: Phase, now_ms: u64) {
    row.ask = None;
    enter(row, phase, now_ms);
}

/// Enters a phase; the time of the *status* moves only when a client could see a difference in it.
fn enter(row: &mut Deployment, phase: Phase, now_ms: u64) {
    if row.phase == phase {
        return;
    }
    if status_of(row.phase) != status_of(phase) {
        row.status_at_ms = now_ms;
    }
    row.phase = phase;
    row.phase_at_ms = now_ms;
    row.updated_at_ms = now_ms;
}

/// `Deployment.status`, by phase.
pub(crate) const fn status_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Initializing => "INITIALIZING",
        Phase::Building => "BUILDING",
        Phase::Placing | Phase::Created | Phase::Starting => "DEPLOYING",
        Phase::Active | Phase::Restarting | Phase::Stopped => "SUCCESS",
        Phase::Crashed => "CRASHED",
        Phase::Failed => "FAILED",
        Phase::Removing => "REMOVING",
        Phase::Removed => "REMOVED",
    }
}

/// `Deployment.deploymentStopped`, by phase: true before anything runs, so it means "stopped" only
/// under SUCCESS.
pub(crate) const fn stopped_flag(phase: Phase) -> bool {
    !matches!(phase, Phase::Active | Phase::Restarting | Phase::Removing)
}

/// The status of the one instance, `None` where a deployment has none yet or never had one.
pub(crate) const fn instance_status(phase: Phase, placed: bool) -> Option<&'static str> {
    if !placed {
        return None;
    }
    match phase {
        Phase::Initializing | Phase::Building => None,
        Phase::Placing => Some("INITIALIZING"),
        Phase::Created => Some("CREATED"),
        Phase::Starting | Phase::Active => Some("RUNNING"),
        Phase::Restarting => Some("RESTARTING"),
        Phase::Stopped => Some("EXITED"),
        Phase::Crashed | Phase::Failed => Some("CRASHED"),
        Phase::Removing => Some("REMOVING"),
        Phase::Removed => Some("REMOVED"),
    }
}
