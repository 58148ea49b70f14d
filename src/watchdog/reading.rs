//! The platform as the watchdog sees it: read in the background, slowly, so that a slow platform never
//! delays a look at the trader and a kill always finds calls left.
//!
//! Budget: one list per [`PLATFORM_POLL_MS`] and one read of the variables per [`FREEZE_EVERY`] lists
//! are 320 calls an hour at the default pace, a third of Railway's smallest paid plan (1000 an hour,
//! docs read 2026-11), under a token of the watchdog's own.

use super::shared::Shared;
use launch_kill::freeze::{self, FreezeState};
use launch_kill::platform::{self, Listing, ServiceIds};
use launch_kill::{CallError, Client, Deadline};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Time between two lists of the platform, ms.
pub const PLATFORM_POLL_MS: u64 = 15_000;

/// Least time between two lists, however often somebody asks for one, ms. Scales with the pace.
pub const PLATFORM_POLL_LEAST_PART: u64 = 5;

/// The freeze variable is read with the first of so many lists.
pub const FREEZE_EVERY: u64 = 3;

/// Longest that one reading may take, ms.
pub const READING_TIMEOUT_MS: u64 = 10_000;

/// The newest reading.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Rises with every successful list.
    pub seq: u64,
    /// Ids of live deployments.
    pub live: Option<Vec<String>>,
    /// When it was made, on the shared clock.
    pub read_at_ms: Option<u64>,
    /// Rises with every successful read of the freeze variable.
    pub freeze_seq: u64,
    /// What the freeze variable said.
    pub freeze: Option<FreezeState>,
    /// Why the newest attempt failed.
    pub error: Option<String>,
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

/// Ids of everything that may have a process now or later.
async fn list(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<Vec<String>, CallError> {
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
        .map(|d| d.id)
        .collect())
}

fn take_in(
    readings: &Readings,
    listed: Result<Vec<String>, CallError>,
    frozen: Option<Result<FreezeState, CallError>>,
    now_ms: u64,
) {
    let mut newest = readings.lock();
    newest.error = None;
    match listed {
        Ok(live) => {
            newest.seq = newest.seq.saturating_add(1);
            newest.live = Some(live);
            newest.read_at_ms = Some(now_ms);
        }
        Err(error) => newest.error = Some(error.to_string()),
    }
    match frozen {
        Some(Ok(state)) => {
            newest.freeze_seq = newest.freeze_seq.saturating_add(1);
            newest.freeze = Some(state);
        }
        Some(Err(error)) => newest.error = Some(error.to_string()),
        None => {}
    }
}
