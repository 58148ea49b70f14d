//! What a kill does beside stopping: freeze, auto-deploy off, whose token it is.
//!
//! None of it may delay a stop or fail the kill; each says on the board what it changed, how to
//! put it back, and what could still start the trader again.

use super::assess;
use super::board::{Board, ServiceFreeze};
use super::pursuit::Job;
use crate::client::Client;
use crate::deadline::Deadline;
use crate::freeze::{self, Freeze, FreezeState};
use crate::platform::{self, ServiceIds};
use crate::report::Change;
use crate::state_dir::{EnvName, StateDir};
use std::sync::Arc;
use std::time::Duration;

/// Longest time for reading what is there before it is changed: the change must not wait for it.
const READ_FIRST_MAX: Duration = Duration::from_secs(2);
/// Between two looks for the project id in what the platform listed.
const PROJECT_LOOK: Duration = Duration::from_millis(100);

/// The same ids with the project, which auto-deploy and freeze need: where nobody named it, the token or
/// a listed deployment does.
pub(crate) async fn with_project(
    board: &Board,
    client: &Client,
    ids: ServiceIds,
    deadline: Deadline,
) -> ServiceIds {
    if ids.project_id.is_some() {
        return ids;
    }
    let environment_id = ids.environment_id.clone();
    let scope = platform::project_token(client, deadline.at_most(READ_FIRST_MAX)).await;
    let mut project_id = scope
        .ok()
        .filter(|scope| platform::same_id(&scope.environment_id, &environment_id))
        .map(|scope| scope.project_id);
    while project_id.is_none() && !deadline.is_over() {
        project_id = board.read(|state| {
            let mut listed = state
                .tracks
                .values()
                .filter_map(|track| track.last.as_ref());
            listed.find_map(|last| {
                let is_of = last.environment_id.as_ref() == Some(&environment_id);
                last.project_id.clone().filter(|_| is_of)
            })
        });
        if project_id.is_none() && board.read(|state| assess::dead_at(state).is_some()) {
            break; // nothing is listed that could tell it
        }
        deadline.sleep(PROJECT_LOOK).await;
    }
    ServiceIds { project_id, ..ids }
}

/// The freeze of this run, and whether it yields to one that stands already.
///
/// Only a drill's yields: it lifts its own at its end. A kill puts its own over any other, so that
/// whoever is lifting the earlier one (a drill, a reenable) finds another and leaves it.
#[derive(Debug, Clone)]
pub(crate) struct NewFreeze {
    freeze: Freeze,
    yields: bool,
}

impl NewFreeze {
    /// The freeze of a job.
    pub(crate) fn of(job: &Job, freeze: &Freeze) -> Self {
        Self {
            freeze: freeze.clone(),
            yields: job.is_drill,
        }
    }

    fn yields_to(&self, before: &FreezeState) -> bool {
        self.yields && matches!(before, FreezeState::Frozen(_))
    }
}

/// Writes the freeze on this machine.
pub(crate) async fn freeze_here(
    board: Arc<Board>,
    dir: StateDir,
    env: EnvName,
    freeze: NewFreeze,
    put_back: String,
) {
    // fsync may take long: never on the thread that sends the stop.
    let written = tokio::task::spawn_blocking(move || {
        let before = freeze::read_local(&dir, &env);
        if freeze.yields_to(&before) {
            return Ok(false);
        }
        // One that is replaced (or cannot be read) does not become ours to lift.
        freeze::write_local(&dir, &env, &freeze.freeze)
            .map(|()| before == FreezeState::Off)
            .map_err(|error| error.to_string())
    })
    .await
    .unwrap_or_else(|_| Err("the writer broke".to_owned()));
    board.write(|state| match written {
        Ok(is_new) => {
            state.froze_locally = is_new;
            let since = if is_new { "" } else { " (it was before, too)" };
            let what = format!("frozen on this machine{since}: deploys and leases are refused");
            state.changed.push(Change { what, put_back });
        }
        Err(why) => {
            state.may_restart.insert(format!(
                "a deploy: the freeze could not be written here ({why})"
            ));
        }
    });
}

/// Sets the service variable.
pub(crate) async fn freeze_service(
    board: Arc<Board>,
    client: Client,
    ids: ServiceIds,
    freeze: NewFreeze,
    put_back: String,
    deadline: Deadline,
) {
    let ids = with_project(&board, &client, ids, deadline).await;
    let before = freeze::read_variable(&client, &ids, deadline.at_most(READ_FIRST_MAX)).await;
    if before.as_ref().is_ok_and(|before| freeze.yields_to(before)) {
        board.write(|state| {
            state.service_freeze = ServiceFreeze::Earlier;
            let what = "frozen on the service (it was before, too)".to_owned();
            state.changed.push(Change { what, put_back });
        });
        return;
    }
    match freeze::write_variable(&client, &ids, &freeze.freeze, deadline).await {
        Ok(()) => board.write(|state| {
            state.service_freeze = if before == Ok(FreezeState::Off) {
                ServiceFreeze::Ours
            } else {
                ServiceFreeze::Earlier
            };
            let what = format!(
                "frozen on the service ({} set, no redeploy)",
                freeze::VARIABLE
            );
            state.changed.push(Change { what, put_back });
        }),
        Err(error) => board.write(|state| {
            state.service_freeze = ServiceFreeze::NotSet(Some(error.to_string()));
        }),
    }
}

/// Turns deployment on push off.
pub(crate) async fn auto_deploy_off(
    board: Arc<Board>,
    client: Client,
    ids: ServiceIds,
    dashboard: Option<String>,
    deadline: Deadline,
) {
    let ids = with_project(&board, &client, ids, deadline).await;
    let status = platform::auto_deploy(&client, &ids, deadline.at_most(READ_FIRST_MAX)).await;
    if status.as_ref().is_ok_and(|status| !status.enabled) {
        return;
    }
    // Unknown is treated as on.
    let now = match platform::set_auto_deploy(&client, &ids, false, deadline).await {
        Ok(false) => Ok(()),
        Ok(true) => Err("the platform still says on".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    board.write(|state| match now {
        Ok(()) => {
            let place = dashboard.unwrap_or_else(|| "the dashboard".to_owned());
            state.changed.push(Change {
                what: "deployment on push is off".into(),
                put_back: format!("{place}: service settings, Source, enable deployment on push"),
            });
        }
        Err(why) => {
            state
                .may_restart
                .insert(format!("a push to the connected branch ({why})"));
        }
    });
}
