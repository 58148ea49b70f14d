//! A verified drill takes back what it set: the freeze on the service and on this machine, then the
//! watchdog's latch. What cannot be taken back stays in the report with the command that does it.

use super::board::{Board, ServiceFreeze};
use super::pursuit::Job;
use super::watchdog_path::REVOKED;
use crate::call_error::CallError;
use crate::client::Client;
use crate::deadline::Deadline;
use crate::freeze::{self, Freeze, FreezeState};
use crate::platform::ServiceIds;
use crate::state_dir::{StateDir, TokenFile};
use crate::watchdog::Watchdog;
use std::sync::Arc;
use std::time::Duration;

/// Longest time for lifting a drill's own freeze, within the deadline.
const LIFT_MAX: Duration = Duration::from_secs(5);

/// Lifts the freeze that this drill set, and only that one.
pub(super) async fn own_freeze(
    job: &Job,
    board: &Arc<Board>,
    platform: Option<&(Client, ServiceIds)>,
    deadline: Deadline,
) {
    let limit = deadline.at_most(LIFT_MAX);
    let (here, service) = board.read(|state| {
        (
            state.froze_locally,
            state.service_freeze == ServiceFreeze::Ours,
        )
    });
    let Some((own, _)) = &job.freeze else { return };
    // A kill that came meanwhile has put its own freeze there: that one stays.
    let is_own = |state: FreezeState| state == FreezeState::Frozen(own.clone());
    let mut is_lifted = true;
    if let (true, Some((client, ids))) = (service, platform) {
        let stands = freeze::read_variable(client, ids, limit).await;
        is_lifted &=
            stands.is_ok_and(is_own) && freeze::clear_variable(client, ids, limit).await.is_ok();
    }
    if let (true, true, Some((_, Some(dir))), Some(env)) =
        (is_lifted, here, &job.freeze, &job.target.name)
    {
        is_lifted &= is_own(freeze::read_local(dir, env)) && freeze::clear_local(dir, env).is_ok();
    }
    if !is_lifted {
        return;
    }
    // Last: a watchdog that is free again reads the freeze anew and must find it lifted.
    let watchdog = watchdog_latch(job, limit).await;
    board.write(|state| {
        state.changed.retain(|change| {
            let is_here = change.what.starts_with("frozen on this machine");
            let is_service = change.what.starts_with("frozen on the service");
            let is_watchdog = change.what == REVOKED;
            !(is_here && here || is_service && service || is_watchdog && watchdog)
        });
    });
}

/// Whether the watchdog's latch is lifted; a watchdog that has ended has none.
async fn watchdog_latch(job: &Job, limit: Deadline) -> bool {
    let Some((freeze, Some(dir))) = &job.freeze else {
        return false;
    };
    reenable(job, freeze, dir, limit).await.unwrap_or(false)
}

async fn reenable(job: &Job, freeze: &Freeze, dir: &StateDir, limit: Deadline) -> Option<bool> {
    let url = job.target.watchdog_url.clone()?;
    let env = job.target.name.as_ref()?;
    let control = dir.read_token(TokenFile::Control, env).ok()??;
    let watchdog = Watchdog::new(url, Some(control)).ok()?;
    let asked = watchdog
        .reenable(&freeze.reason, &freeze.by, &freeze.id, limit)
        .await;
    match asked {
        Ok(()) => Some(true),
        Err(error) => Some(matches!(error, CallError::Refused)),
    }
}
