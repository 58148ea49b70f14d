//! The platform as the watchdog sees it: read in the background, slowly, so that a slow platform never
//! delays a look at the trader and a kill always finds calls left.
//!
//! Budget: one list per [`PLATFORM_POLL_MS`] and one read of the variables per [`FREEZE_EVERY`] lists
//! are 320 calls an hour at the default pace, a third of Railway's smallest paid plan (1000 an hour,
//! docs read 2026-11), under a token of the watchdog's own.

use super::shared::Shared;
use launch_kill::deployment::Status;
use launch_kill::freeze::{self, FreezeState};
use launch_kill::platform::{self, Listing, ServiceIds};
use launch_kill::{CallError, Client, Deadline};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Time between two lists of the platform, ms.
pub const PLATFORM_POLL_MS: u64 = 15_000;

/// Least time between two lists, however often somebody asks for one, ms. Scales with the pace.
pub const PLATFORM_POLL_LEAST_PART: u64 = 5;

/// The freeze variable is read with the first of so many lists.
pub const FREEZE_EVERY: u64 = 3;

/// Age from which what the freeze variable said is no knowledge any more, ms: two rounds at the
/// slowest pace have failed by then.
pub const FREEZE_STALE_MS: u64 = 120_000;

/// Longest that one reading may take, ms.
pub const READING_TIMEOUT_MS: u64 = 10_000;

/// The newest reading.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Rises with every successful list.
    pub seq: u64,
    /// Ids of live deployments.
    pub live: Option<Vec<String>>,
    /// Since when the platform has been seen removing one of them without a break, on the shared clock.
    pub leaving_since_ms: BTreeMap<String, u64>,
    /// When it was made, on the shared clock.
    pub read_at_ms: Option<u64>,
    /// Rises with every successful read of the freeze variable.
    pub freeze_seq: u64,
    /// What the freeze variable said.
    pub freeze: Option<FreezeState>,
    /// When it said so, on the shared clock.
    pub freeze_read_at_ms: Option<u64>,
    /// Why the newest attempt failed.
    pub error: Option<String>,
}

impl Reading {
    /// Whether the freeze variable was read lately: a platform that lists deployments and no longer
    /// tells variables must not leave an old "off" standing.
    pub fn knows_freeze(&self, now_ms: u64) -> bool {
        self.freeze_read_at_ms
            .is_some_and(|at| now_ms.saturating_sub(at) < FREEZE_STALE_MS)
    }
}

/// Readings of one service, shared with the patrol.
#[derive(Debug)]
pub struct Readings {
    newest: Mutex<Reading>,
    ask: Notify,
}

impl Readings {
    /// Starts reading in the background.
    pub fn start(
        client: Client,
        ids: ServiceIds,
        shared: Arc<Shared>,
        poll_ms: u64,
        wake: Arc<Notify>,
    ) -> Arc<Self> {
        let readings = Arc::new(Self {
            newest: Mutex::new(Reading::default()),
            ask: Notify::new(),
        });
        tokio::spawn(run(
            Arc::clone(&readings),
            client,
            ids,
            shared,
            poll_ms,
            wake,
        ));
        readings
    }

    /// The newest reading.
    pub fn newest(&self) -> Reading {
        self.lock().clone()
    }

    /// Asks for a reading sooner than the pace would have it.
    pub fn ask_sooner(&self) {
        self.ask.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(
    readings: Arc<Readings>,
    client: Client,
    ids: ServiceIds,
    shared: Arc<Shared>,
    poll_ms: u64,
    wake: Arc<Notify>,
) {
    let least = Duration::from_millis((poll_ms / PLATFORM_POLL_LEAST_PART).max(1));
    let rest = Duration::from_millis(poll_ms).saturating_sub(least);
    let mut count: u64 = 0;
    loop {
        let deadline = Deadline::after(Duration::from_millis(READING_TIMEOUT_MS));
        let listed = list(&client, &ids, deadline).await;
        let with_freeze = count.is_multiple_of(FREEZE_EVERY);
        let frozen = if with_freeze {
            Some(freeze::read_variable(&client, &ids, deadline).await)
        } else {
            None
        };
        // A failed first read of the variable is tried again with the next list.
        if !matches!(frozen, Some(Err(_))) {
            count = count.wrapping_add(1);
        }
        take_in(&readings, listed, frozen, shared.now_ms());
        wake.notify_one();
        tokio::time::sleep(least).await;
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = readings.ask.notified() => {}
        }
    }
}

/// Everything that may have a process now or later: its id, and whether the platform is removing it.
async fn list(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<Vec<(String, bool)>, CallError> {
    let listed = platform::deployments(client, ids, Listing::NotFinal, deadline).await?;
    if !listed.is_complete {
        return Err(CallError::Malformed(
            "the list of deployments has no end".into(),
        ));
    }
    Ok(listed
        .items
        .into_iter()
        .filter(launch_kill::is_live)
        .map(|d| (d.id, d.status == Status::Removing))
        .collect())
}

fn take_in(
    readings: &Readings,
    listed: Result<Vec<(String, bool)>, CallError>,
    frozen: Option<Result<FreezeState, CallError>>,
    now_ms: u64,
) {
    let mut newest = readings.lock();
    newest.error = None;
    match listed {
        Ok(live) => {
            newest.seq = newest.seq.saturating_add(1);
            newest.leaving_since_ms = live
                .iter()
                .filter(|(_, is_leaving)| *is_leaving)
                .map(|(id, _)| {
                    let since = newest.leaving_since_ms.get(id).copied();
                    (id.clone(), since.unwrap_or(now_ms))
                })
                .collect();
            newest.live = Some(live.into_iter().map(|(id, _)| id).collect());
            newest.read_at_ms = Some(now_ms);
        }
        Err(error) => newest.error = Some(error.to_string()),
    }
    match frozen {
        Some(Ok(state)) => {
            newest.freeze_seq = newest.freeze_seq.saturating_add(1);
            newest.freeze = Some(state);
            newest.freeze_read_at_ms = Some(now_ms);
        }
        Some(Err(error)) => newest.error = Some(error.to_string()),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_off_is_no_knowledge_while_the_list_still_answers() {
        let readings = Readings {
            newest: Mutex::default(),
            ask: Notify::new(),
        };
        take_in(&readings, Ok(vec![]), Some(Ok(FreezeState::Off)), 1_000);
        assert!(readings.newest().knows_freeze(1_000 + FREEZE_STALE_MS - 1));
        let late = 1_000 + FREEZE_STALE_MS;
        let refused = Err(CallError::Server("variables".into()));
        take_in(
            &readings,
            Ok(vec![("d1".into(), false)]),
            Some(refused),
            late,
        );
        let newest = readings.newest();
        assert_eq!(newest.read_at_ms, Some(late), "the platform is not blind");
        assert!(!newest.knows_freeze(late));
        assert!(!Reading::default().knows_freeze(0));
    }

    #[test]
    fn a_removal_counts_from_when_it_was_first_seen_and_anew_after_a_break() {
        let readings = Readings {
            newest: Mutex::default(),
            ask: Notify::new(),
        };
        let since = |is_leaving, at| {
            take_in(&readings, Ok(vec![("d0".into(), is_leaving)]), None, at);
            readings.newest().leaving_since_ms.get("d0").copied()
        };
        assert_eq!(since(true, 1_000), Some(1_000));
        assert_eq!(since(true, 9_000), Some(1_000));
        assert_eq!(since(false, 10_000), None);
        assert_eq!(since(true, 11_000), Some(11_000));
    }
}
