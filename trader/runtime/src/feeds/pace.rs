//! Plays a feed in real time into a bounded queue.
//!
//! History goes out at once with its own times; from then on an event leaves when its time has come and
//! carries the instant at which it really left, so a stalled process sees old data as old.

use super::{Events, FeedError};
use std::time::Duration;
use tokio::sync::mpsc;
use trader_core::event::Event;
use trader_core::units::EpochMs;

/// Events that may wait for the loop; the feed waits beyond it.
pub const FEED_QUEUE_MAX: usize = 1_024;

/// Longest single wait, ms: the wall clock may be set while we sleep.
const SLEEP_MAX_MS: i64 = 1_000;

/// Plays until the receiver is gone or the feed fails; the failure is the last thing sent.
pub async fn pace(
    events: Events,
    opened_at: EpochMs,
    clock: fn() -> EpochMs,
    to: mpsc::Sender<Result<Event, FeedError>>,
) {
    for item in events {
        let item = match item {
            Ok(event) => Ok(due(event, opened_at, clock).await),
            Err(error) => Err(error),
        };
        let failed = item.is_err();
        if to.send(item).await.is_err() || failed {
            return;
        }
    }
}

async fn due(mut event: Event, opened_at: EpochMs, clock: fn() -> EpochMs) -> Event {
    if event.t <= opened_at {
        return event;
    }
    loop {
        let now = clock();
        let wait_ms = event.t - now;
        if wait_ms <= 0 {
            event.t = now;
            return event;
        }
        let wait = u64::try_from(wait_ms.min(SLEEP_MAX_MS)).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
}
