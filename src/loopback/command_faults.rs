//! Stop, remove, cancel and restart as the platform really carries them out, or as it is told to
//! misbehave (see `faults::OnCommand`).
//!
//! Pure: notes what is wanted in the record, and what reads will say; the supervisor does it. The
//! platform judges by what it believes, so a zombie is not stoppable any more.

use super::faults::{Faults, OnCommand, STUCK_MS};
use super::lifecycle::{self, Refusal};
use super::report;
use super::state::{Ask, Deployment, Phase, Wish};
use super::timing::{self, Timing};

/// Railway's generic failure.
pub(crate) const PROBLEM: &str = "Problem processing request";

/// How the platform is told to treat a command.
pub(crate) fn of(faults: &Faults, wish: Wish) -> OnCommand {
    match wish {
        Wish::Stop => faults.stop,
        Wish::Remove => faults.remove,
        Wish::Cancel => faults.cancel,
        Wish::Restart => OnCommand::Real,
    }
}

/// Carries out a command in this way. Errors: what Railway would refuse too, or the fault does.
pub(crate) fn carry_out(
    row: &mut Deployment,
    wish: Wish,
    how: OnCommand,
    now_ms: u64,
    timing: Timing,
) -> Result<(), Refusal> {
    let mut believed = row.clone();
    believed.phase = report::believed(row);
    lifecycle::ask(&mut believed, wish, now_ms)?;
    match how {
        OnCommand::Real => {
            report::lift(row);
            really(row, wish, now_ms);
        }
        OnCommand::AcknowledgedOnly => {}
        OnCommand::Unreported => {
            let before = report::believed(row);
            really(row, wish, now_ms);
            report::say(row, before, now_ms);
        }
        OnCommand::ReportedOnly => only_say(row, wish, now_ms, timing),
        OnCommand::Stuck => stick(row, wish, now_ms),
        OnCommand::Refused => return Err(Refusal(PROBLEM)),
    }
    Ok(())
}

/// Does it to what really is. A build that went on behind a lie is a process by now: cancelling it
/// is removing it.
fn really(row: &mut Deployment, wish: Wish, now_ms: u64) {
    if lifecycle::ask(row, wish, now_ms).is_err() && wish == Wish::Cancel {
        lifecycle::ask_remove(row, now_ms);
    }
}

/// Reads say what they would say after the real command, when they would.
fn only_say(row: &mut Deployment, wish: Wish, now_ms: u64, timing: Timing) {
    let believed = report::believed(row);
    let at = |ms| now_ms.saturating_add(timing.scaled(ms));
    match wish {
        Wish::Stop if runs(believed) => {
            report::say(row, believed, now_ms);
            report::say_later(row, Phase::Stopped, at(timing::STOP_REPORT_MS));
        }
        Wish::Remove if !matches!(believed, Phase::Removing | Phase::Removed) => {
            report::say(row, Phase::Removing, now_ms);
            report::say_later(row, Phase::Removed, at(timing::REMOVE_REPORT_MS));
        }
        Wish::Cancel => {
            report::say(row, believed, now_ms);
            report::say_later(row, Phase::Removed, at(timing::CANCEL_REPORT_MS));
        }
        Wish::Stop | Wish::Remove | Wish::Restart => {}
    }
}

/// Accepted, and not begun for longer than anyone waits.
fn stick(row: &mut Deployment, wish: Wish, now_ms: u64) {
    let believed = report::believed(row);
    let is_over = match wish {
        Wish::Stop | Wish::Restart => !runs(believed),
        Wish::Remove | Wish::Cancel => believed == Phase::Removed,
    };
    if is_over {
        return;
    }
    if wish != Wish::Stop {
        report::say(row, Phase::Removing, now_ms);
    }
    if row.ask.is_none() {
        let at_ms = now_ms.saturating_add(STUCK_MS);
        row.ask = Some(Ask { wish, at_ms });
    }
}

fn runs(phase: Phase) -> bool {
    matches!(phase, Phase::Active | Phase::Restarting)
}
