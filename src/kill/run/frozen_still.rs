//! The freeze is read back before the report says that it stands. One that somebody lifted while the kill
//! was at work is set again: whoever lifted it had not seen this kill's end.
//!
//! Delays no stop and changes no verdict: the verdict's figures are taken before.

use super::board::{Board, ServiceFreeze};
use super::pursuit::{Job, reenable};
use crate::client::Client;
use crate::deadline::Deadline;
use crate::freeze::{self, Freeze, FreezeState};
use crate::platform::ServiceIds;
use crate::report::Change;
use std::sync::Arc;
use std::time::Duration;

/// Longest time for reading the freeze back, within the deadline.
const READ_BACK_MAX: Duration = Duration::from_secs(2);

/// Reads both places back, and sets the freeze again where it was lifted.
pub(super) async fn read_back(
    job: &Job,
    board: &Arc<Board>,
    platform: Option<&(Client, ServiceIds)>,
    deadline: Deadline,
) {
    let Some((own, dir)) = &job.freeze else {
        return;
    };
    if let (Some(dir), Some(env)) = (dir, &job.target.name)
        && freeze::read_local(dir, env) == FreezeState::Off
    {
        let again = freeze::write_local(dir, env, own).map_err(|error| error.to_string());
        told(job, board, "on this machine", again);
    }
    let is_set = board.read(|state| !matches!(state.service_freeze, ServiceFreeze::NotSet(_)));
    if let (true, Some((client, ids))) = (is_set, platform) {
        let limit = deadline.at_most(READ_BACK_MAX);
        match freeze::read_variable(client, ids, limit).await {
            Ok(FreezeState::Off) => {
                let again = set_again(client, ids, own, limit).await;
                told(job, board, "on the service", again);
            }
            Ok(FreezeState::Frozen(_) | FreezeState::Unreadable(_)) => {}
            Err(error) => board.write(|state| {
                state.may_restart.insert(format!(
                    "another operator's deploy: the freeze of the service was not read back ({error})"
                ));
            }),
        }
    }
}

async fn set_again(
    client: &Client,
    ids: &ServiceIds,
    own: &Freeze,
    limit: Deadline,
) -> Result<(), String> {
    let said = |error: crate::call_error::CallError| error.to_string();
    freeze::write_variable(client, ids, own, limit)
        .await
        .map_err(said)?;
    match freeze::read_variable(client, ids, limit).await {
        Ok(FreezeState::Off) => Err("it still reads off".to_owned()),
        Ok(FreezeState::Frozen(_) | FreezeState::Unreadable(_)) => Ok(()),
        Err(error) => Err(said(error)),
    }
}

/// Says what became of a freeze that was lifted meanwhile.
fn told(job: &Job, board: &Board, place: &str, again: Result<(), String>) {
    board.write(|state| match again {
        Ok(()) => state.changed.push(Change {
            what: format!("frozen {place} again: somebody lifted it while this kill ran"),
            put_back: reenable(job),
        }),
        Err(why) => {
            state.may_restart.insert(format!(
                "a deploy: somebody lifted the freeze {place} while this kill ran, and it could not \
                 be set again ({why})"
            ));
        }
    });
}
