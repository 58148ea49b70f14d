//! The venue path: cancel every order of the account, and read back until none is left.
//!
//! Cancels at once, and again once the process is proved dead: what it sent in between may still
//! arrive. Zero counts only in two reads a while apart after that; what shows up is cancelled again.
//! Must not place anything, and is not started where no real order can be behind the target. The
//! verdict is `verdict`'s; what the reads mean is told through the board.

use super::assess::{self, Frame};
use super::board::Board;
use super::venue_record::{KeyState, VenueRecord};
use crate::call_error::CallError;
use crate::deadline::Deadline;
use crate::pace::Pace;
use crate::report::Change;
use crate::venue::{Cancelled, OpenOrder, Venue};
use std::sync::Arc;
use std::time::Instant;

/// Final refusals in a row after which nothing more is expected of the venue.
const REFUSALS_MAX: u32 = 3;
/// Most orders that one request cancels by name; all at once is asked for too.
const NAMED_MAX: usize = 1_000;

/// The path of one target.
#[derive(Debug, Clone)]
pub(crate) struct VenuePath {
    pub(crate) board: Arc<Board>,
    pub(crate) venue: Venue,
    pub(crate) frame: Frame,
    /// Whether the API key may be deleted when nothing else stops the trader.
    pub(crate) may_revoke: bool,
    pub(crate) pace: Pace,
    pub(crate) deadline: Deadline,
}

/// How far one run of the path got.
#[derive(Debug, Default)]
struct Progress {
    /// When the path began.
    began: Option<Instant>,
    /// When the newest acknowledged cancellation of all was asked for.
    cancelled_at: Option<Instant>,
    /// Since when the process has been proved dead, without a break.
    proved_at: Option<Instant>,
    /// The first of the reads that count and show nothing.
    zero_since: Option<Instant>,
    /// Orders that the newest read shows.
    open: Vec<OpenOrder>,
    /// Final refusals in a row.
    refusals: u32,
}

impl VenuePath {
    /// Registers the path and starts it.
    pub(crate) fn start(self) {
        let at = self.board.ms();
        self.board.write(|state| {
            state.venue.is_asked = true;
            state.venue_path.requested(at);
            state.venue_path.detail.clear();
        });
        let board = Arc::clone(&self.board);
        board.spawn(self.work());
    }

    async fn work(self) {
        let mut progress = Progress {
            began: Some(Instant::now()),
            ..Progress::default()
        };
        // Side by side: the cancellation waits for no list. The list goes first on the wire, so that it
        // tells what was there, as a rule.
        let (asked, limit) = (Instant::now(), self.limit());
        let (listed, cancelled) =
            tokio::join!(self.venue.open_orders(limit), self.venue.cancel_all(limit));
        self.heard_list(&mut progress, asked, listed);
        self.heard_cancel(&mut progress, asked, cancelled);
        while !self.deadline.is_over() {
            self.note_proof(&mut progress);
            if self.is_cancel_due(&progress) {
                self.cancel(&mut progress).await;
            }
            self.look(&mut progress).await;
            if self.may_revoke && self.is_revoke_due(&progress) {
                self.revoke(&mut progress).await;
            }
            if self
                .board
                .read(|state| state.venue.key == KeyState::Refused)
            {
                return; // nothing can be asked any more
            }
            self.deadline.sleep(self.pace.venue_poll).await;
        }
    }

    fn limit(&self) -> Deadline {
        self.deadline.at_most(self.pace.request_timeout)
    }

    /// Since when the process is proved dead; a proof that breaks makes earlier reads worthless.
    fn note_proof(&self, progress: &mut Progress) {
        let now = Instant::now();
        let is_proved = self
            .board
            .read(|state| assess::is_proved_dead(state, &self.frame, now));
        if !is_proved {
            progress.proved_at = None;
            progress.zero_since = None;
            self.board.write(|state| {
                if state.venue.is_zero_proved {
                    state.venue.is_zero_proved = false;
                    state.venue_path.unconfirmed();
                }
            });
        } else if progress.proved_at.is_none() {
            progress.proved_at = Some(now);
        }
    }

    /// Due until one is acknowledged after the last thing that could have sent an order ended, and
    /// while orders show.
    fn is_cancel_due(&self, progress: &Progress) -> bool {
        let platform_dead_at = self.board.read(assess::dead_at);
        let milestone = progress.proved_at.max(platform_dead_at);
        !progress.open.is_empty() || progress.cancelled_at.is_none() || {
            progress.cancelled_at < milestone
        }
    }

    async fn cancel(&self, progress: &mut Progress) {
        let named: Vec<String> = progress
            .open
            .iter()
            .take(NAMED_MAX)
            .map(|order| order.id.clone())
            .collect();
        let asked = Instant::now();
        let answer = self.venue.cancel_all(self.limit()).await;
        self.heard_cancel(progress, asked, answer);
        if !named.is_empty() {
            // What a cancellation of all left, by name: the one that hangs must not keep the rest.
            let answer = self.venue.cancel(&named, self.limit()).await;
            if let Ok(cancelled) = answer {
                self.board
                    .write(|state| state.venue.note_cancelled(&cancelled));
            }
        }
    }

    fn heard_cancel(
        &self,
        progress: &mut Progress,
        asked: Instant,
        answer: Result<Cancelled, CallError>,
    ) {
        let at = self.board.ms();
        match answer {
            Ok(cancelled) => {
                progress.cancelled_at = Some(asked);
                progress.refusals = 0;
                self.board.write(|state| {
                    state.venue_path.acknowledged(at);
                    state.venue.accepted(Instant::now());
                    state.venue.note_cancelled(&cancelled);
                    state.venue_path.detail = state.venue.summary();
                });
            }
            Err(error) => self.unheard(progress, "cancel-all", &error),
        }
    }

    async fn look(&self, progress: &mut Progress) {
        let asked = Instant::now();
        let answer = self.venue.open_orders(self.limit()).await;
        self.heard_list(progress, asked, answer);
    }

    fn heard_list(
        &self,
        progress: &mut Progress,
        asked: Instant,
        answer: Result<Vec<OpenOrder>, CallError>,
    ) {
        let orders = match answer {
            Ok(orders) => orders,
            Err(error) => return self.unheard(progress, "open orders", &error),
        };
        progress.refusals = 0;
        let is_zero = orders.is_empty();
        let counts = progress.proved_at.is_some_and(|proved| {
            asked >= proved && progress.cancelled_at.is_some_and(|at| at >= proved)
        });
        progress.zero_since = match progress.zero_since {
            Some(since) if is_zero => Some(since),
            None if is_zero && counts => Some(asked),
            Some(_) | None => None,
        };
        let is_proved = progress.zero_since.is_some_and(|since| {
            asked.saturating_duration_since(since) >= self.pace.venue_reads_apart
        });
        let at = self.board.ms();
        self.board.write(|state| {
            state.venue.read(asked, &orders);
            state.venue.is_zero_proved = is_proved;
            state.venue_path.detail = state.venue.summary();
            if is_proved {
                state.venue_path.confirmed(at);
            } else {
                state.venue_path.unconfirmed();
            }
        });
        progress.open = orders;
    }

    /// No usable answer. What may change goes on being asked; a refusal that will not change is
    /// told as such after a few.
    fn unheard(&self, progress: &mut Progress, what: &str, error: &CallError) {
        if error.is_transient() || *error == CallError::DeadlineOver {
            progress.refusals = 0;
        } else {
            progress.refusals = progress.refusals.saturating_add(1);
        }
        let is_refused = progress.refusals >= REFUSALS_MAX;
        self.board.write(|state| {
            state.venue.failures = state.venue.failures.saturating_add(1);
            state.venue.is_refused = is_refused;
            state.venue.error = Some(format!("{what}: {error}"));
            state.venue_path.failed(format!("{what}: {error}"));
        });
    }

    /// Last escalation: the platform does not stop it, and the trader has not halted.
    fn is_revoke_due(&self, progress: &Progress) -> bool {
        let half = self.frame.span / 2;
        let wait = self.pace.revoke_after.min(half);
        progress.proved_at.is_none()
            && progress.began.is_some_and(|began| began.elapsed() >= wait)
            && self.board.read(|state| {
                assess::dead_at(state).is_none() && !assess::is_halted(state, &self.frame)
            })
    }

    /// Deletes the API key; proved when it is refused afterwards.
    async fn revoke(&self, progress: &mut Progress) {
        // With the key goes the right to cancel: once more before.
        self.cancel(progress).await;
        let was_accepted = self.board.read(|state| state.venue.accepted_at.is_some());
        let deleted = self.venue.delete_key(self.limit()).await;
        let seems_gone =
            deleted.is_ok() || (was_accepted && matches!(deleted, Err(CallError::Unauthorized(_))));
        let state = if seems_gone {
            match self.venue.open_orders(self.limit()).await {
                Err(CallError::Unauthorized(_)) => KeyState::Refused,
                Err(error) => KeyState::Asked(format!("whether it is refused now: {error}")),
                Ok(_) => KeyState::Asked("it is still accepted".to_owned()),
            }
        } else {
            let why = deleted.err().map(|error| error.to_string());
            KeyState::Asked(why.unwrap_or_default())
        };
        self.board.write(|board| {
            if state == KeyState::Refused {
                board.changed.push(Change {
                    what: "the venue's API key is deleted, and refused since: nothing can be \
                           ordered, cancelled or read with it"
                        .into(),
                    put_back: NEW_KEY.into(),
                });
                board.venue.forget_reads();
            }
            board.venue.key = state;
            board.venue_path.detail = board.venue.summary();
        });
    }
}

/// How a deleted key is replaced.
const NEW_KEY: &str = "make a new API key with the wallet's own key (official client: \
    create_or_derive_api_key with another nonce), set POLYMARKET_API_KEY, POLYMARKET_API_SECRET and \
    POLYMARKET_API_PASSPHRASE on the service and here";

impl VenueRecord {
    /// A signed request was accepted.
    fn accepted(&mut self, at: Instant) {
        self.accepted_at = Some(at);
        self.failures = 0;
        self.is_refused = false;
        self.error = None;
    }

    fn read(&mut self, asked: Instant, orders: &[OpenOrder]) {
        self.accepted(asked);
        self.read_at = Some(asked);
        self.open = u64::try_from(orders.len()).ok();
        self.stuck
            .retain(|id, _| orders.iter().any(|order| order.id == *id));
        for order in orders {
            self.seen.insert(order.id.clone(), order.clone());
        }
    }

    fn note_cancelled(&mut self, answer: &Cancelled) {
        self.cancelled_at = Some(Instant::now());
        self.cancelled.extend(answer.canceled.iter().cloned());
        self.stuck.extend(
            answer
                .not_canceled
                .iter()
                .map(|(id, why)| (id.clone(), why.clone())),
        );
        for id in &answer.canceled {
            self.stuck.remove(id);
        }
    }

    /// With the key gone, what was read says nothing about now.
    fn forget_reads(&mut self) {
        self.open = None;
        self.is_zero_proved = false;
        self.is_refused = true;
    }
}
