//! The watchdog: asked at once to withdraw the trading lease and to grant no more.

use super::board::{Board, WatchdogRecord};
use super::trader_path::Voice;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::pace::Pace;
use crate::report::Change;
use crate::secret::Secret;
use crate::watchdog::Watchdog;
use std::sync::Arc;
use std::time::Instant;

/// Most questions to a watchdog that does not answer.
const ATTEMPTS_MAX: u32 = 3;

/// How the change that revoking makes is told.
pub(super) const REVOKED: &str = "the watchdog grants no more leases";

/// Revokes. `put_back` is the command that lifts the latch.
pub(crate) async fn revoke(
    board: Arc<Board>,
    url: Endpoint,
    tokens: Vec<Secret>,
    voice: Voice,
    put_back: String,
    pace: Pace,
    deadline: Deadline,
) {
    let mut last = "no halt token is known".to_owned();
    for _ in 0..ATTEMPTS_MAX {
        for token in &tokens {
            let limit = deadline.at_most(pace.probe_timeout);
            let answer = match Watchdog::new(url.clone(), Some(token.clone())) {
                Ok(watchdog) => watchdog.revoke(&voice.reason, &voice.by, limit).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(revoked) => {
                    let expires_at = revoked
                        .last_grant_expires_in
                        .and_then(|left| Instant::now().checked_add(left));
                    let record = match expires_at {
                        Some(expires_at) if revoked.frozen => {
                            WatchdogRecord::Revoked { expires_at }
                        }
                        Some(_) => WatchdogRecord::Vague("does not say that it is frozen".into()),
                        None => {
                            WatchdogRecord::Vague("does not say when its last lease ends".into())
                        }
                    };
                    board.write(|state| {
                        state.watchdog = record;
                        if revoked.frozen {
                            state.changed.push(Change {
                                what: REVOKED.into(),
                                put_back,
                            });
                        }
                    });
                    return;
                }
                Err(error) => last = format!("{url}: {error}"),
            }
        }
        deadline.sleep(pace.probe).await;
    }
    board.write(|state| state.watchdog = WatchdogRecord::Failed(last));
}
