//! The platform path: stop what is live, and look again until nothing is.
//!
//! Never trusts one read: what was asked for is read back, an accepted request without effect is
//! followed by a stronger one (stop → remove), a refused one at once, and what reappears is
//! stopped too. Ends only with the run: after the settle window it goes on looking.

use super::board::{Action, Board, Outcome, Probe, Sent, State, SweepRecord, Track};
use crate::call_error::CallError;
use crate::client::Client;
use crate::deadline::Deadline;
use crate::deployment::{Deployment, Status};
use crate::pace::Pace;
use crate::platform::{self, Listing, ServiceIds};
use crate::process::ProcessId;
use crate::verdict::PlatformSays;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Listings without anything live, one after the other, before the settle window can end.
const CLEAR_POLLS: u32 = 2;
/// Longest pause after listings that failed.
const FAILED_POLL_MAX: Duration = Duration::from_secs(5);
/// Most dead ends (ids that are not listed any more) that are read one by one per poll.
const SINGLE_READS_MAX: usize = 20;

/// What is swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every deployment of the service.
    Service,
    /// One deployment and no other.
    Only(String),
}

/// The sweep of one service.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    pub(crate) board: Arc<Board>,
    pub(crate) client: Client,
    pub(crate) ids: ServiceIds,
    pub(crate) scope: Scope,
    /// On this machine: what the platform tells of processes can be looked at. Elsewhere their numbers
    /// mean nothing here.
    pub(crate) is_local: bool,
    /// Stopped before anything is read.
    pub(crate) first: Option<String>,
    pub(crate) pace: Pace,
    pub(crate) deadline: Deadline,
}

/// One listing.
#[derive(Debug)]
struct List {
    items: Vec<Deployment>,
    /// Why it is not whole. What it names is acted on all the same; what it leaves out is not known.
    gap: Option<CallError>,
}

/// Since when nothing has been live.
#[derive(Debug, Default)]
struct Clear {
    polls: u32,
    since: Option<Instant>,
}

impl Sweep {
    /// Names this sweep among those of one target.
    fn key(&self) -> String {
        format!("{}/{}", self.ids.environment_id, self.ids.service_id)
    }

    /// Registers the sweep and starts it; the first stop goes out without waiting for any read.
    pub(crate) fn start(self) {
        let record = SweepRecord {
            says: PlatformSays::Nothing,
            dead_at: None,
            service_proved: false,
            is_exhausted: false,
        };
        let at = self.board.ms();
        self.board.write(|state| {
            state.sweeps.insert(self.key(), record);
            state.platform_path.requested(at);
            state.platform_path.detail.clear();
        });
        if let Some(id) = self.first.clone() {
            self.board.write(|state| {
                // Assumed live until a read says otherwise: it escalates even where reads fail.
                let track = Track {
                    owner: self.key(),
                    is_live: true,
                    ..Track::default()
                };
                state.tracks.insert(id.clone(), track);
            });
            self.send(&id, Action::Stop);
        }
        let board = Arc::clone(&self.board);
        let prover = self.clone();
        board.spawn(async move { prover.prove_service().await });
        board.spawn(async move { self.look_until_the_end().await });
    }

    async fn prove_service(&self) {
        let proof = match self.scope {
            Scope::Service => platform::service_exists(&self.client, &self.ids, self.deadline)
                .await
                .is_ok(),
            // Reading the one deployment is its proof.
            Scope::Only(_) => return,
        };
        if proof {
            self.with_record(|record| record.service_proved = true);
        }
    }

    async fn look_until_the_end(self) {
        let mut clear = Clear::default();
        let mut failures = 0_u32;
        while !self.deadline.is_over() && !self.is_platform_gone() {
            let pause = match self.look_and_act().await {
                Ok(list) => {
                    failures = 0;
                    self.heard(&list).await;
                    self.act();
                    self.judge(&mut clear, &list)
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    clear = Clear::default();
                    self.unheard(&error);
                    self.act();
                    let pause = self.pace.poll.saturating_mul(failures).min(FAILED_POLL_MAX);
                    error
                        .retry_after()
                        .filter(|asked| *asked < self.deadline.remaining())
                        .map_or(pause, |asked| pause.max(asked))
                }
            };
            self.deadline.sleep(pause).await;
        }
    }

    fn is_platform_gone(&self) -> bool {
        self.board.read(|state| state.platform_gone_at.is_some())
    }

    /// One listing; while it takes its time, what is due goes out all the same.
    async fn look_and_act(&self) -> Result<List, CallError> {
        let mut look = std::pin::pin!(self.look());
        loop {
            tokio::select! {
                biased;
                list = &mut look => return list,
                () = tokio::time::sleep(self.pace.poll) => self.act(),
            }
        }
    }

    /// One listing.
    async fn look(&self) -> Result<List, CallError> {
        let limit = self.deadline.at_most(self.pace.request_timeout);
        match &self.scope {
            Scope::Service => {
                let (client, ids) = (&self.client, &self.ids);
                let listed =
                    platform::deployments_partly(client, ids, Listing::NotFinal, limit).await;
                listed.map(|(items, gap)| List { items, gap })
            }
            Scope::Only(id) => {
                let one = platform::deployment(&self.client, id, limit).await?;
                self.with_record(|record| record.service_proved = true);
                Ok(List {
                    items: vec![one],
                    gap: None,
                })
            }
        }
    }

    /// Takes a listing in; what was live and is not listed any more is read by its id.
    async fn heard(&self, list: &List) {
        for deployment in &list.items {
            self.see(deployment);
        }
        if list.items.iter().any(|item| self.names_service(item)) {
            self.with_record(|record| record.service_proved = true);
        }
        let listed: BTreeSet<&str> = list.items.iter().map(|item| item.id.as_str()).collect();
        let unlisted: Vec<(String, bool)> = self.board.read(|state| {
            state
                .tracks
                .iter()
                .filter(|(id, track)| {
                    // A cancelled build whose process is not known may yet get one.
                    let may_hide = self.is_local && !state.process_of.contains_key(*id);
                    // Another sweep's are read with that one's token: here they may be refused.
                    self.is_mine(track)
                        && !listed.contains(id.as_str())
                        && (track.is_live || track.final_status.is_none() || may_hide)
                })
                .map(|(id, track)| (id.clone(), track.status_seen.is_some()))
                .take(SINGLE_READS_MAX)
                .collect()
        });
        for (id, was_listed) in unlisted {
            let limit = self.deadline.at_most(self.pace.request_timeout);
            match platform::deployment(&self.client, &id, limit).await {
                Ok(deployment) => self.see(&deployment),
                // An id that this service never listed and that the platform does not know.
                Err(CallError::NotFound(_)) => self.vanished(&id, "not found"),
                Err(CallError::Unauthorized(_)) if !was_listed && list.gap.is_none() => {
                    self.vanished(&id, "not a deployment of this service");
                }
                Err(error) => self.board.write(|state| {
                    if let Some(track) = state.tracks.get_mut(&id) {
                        track.is_live = true;
                        track.final_status = None;
                    }
                    state.platform_path.detail = format!("deployment {id} cannot be read: {error}");
                }),
            }
        }
    }

    /// Whether a record says itself that it belongs to the swept service: then that exists.
    fn names_service(&self, item: &Deployment) -> bool {
        let same = |told: &Option<String>, asked: &str| {
            told.as_ref().is_some_and(|id| platform::same_id(id, asked))
        };
        same(&item.service_id, &self.ids.service_id)
            && same(&item.environment_id, &self.ids.environment_id)
    }

    fn vanished(&self, id: &str, said: &str) {
        let at = self.board.ms();
        self.board.write(|state| {
            if let Some(track) = state.tracks.get_mut(id) {
                track.is_live = false;
                track.final_status = Some(said.to_owned());
                track.confirmed_ms.get_or_insert(at);
            }
        });
    }

    /// Takes one deployment in. An answer that is older than our newest request counts as well:
    /// only "dead" ends the work, and that is asked again and again.
    fn see(&self, deployment: &Deployment) {
        let at = self.board.ms();
        let is_live = deployment.is_live();
        let process = loopback_process(&deployment.meta).filter(|_| self.is_local);
        self.board.write(|state| {
            let is_known = state.tracks.contains_key(&deployment.id);
            if !is_live && !is_known {
                return; // long dead, none of our business
            }
            let track = state.tracks.entry(deployment.id.clone()).or_default();
            if !is_known {
                track.owner = self.key();
            }
            let is_first = track.status_seen.is_none();
            if !is_live && is_first && may_be_our_doing(track, &deployment.status, &self.pace) {
                state.was_running = true;
            }
            if is_live && track.confirmed_ms.is_some() {
                track.times_back = track.times_back.saturating_add(1);
                track.sent.clear();
                track.confirmed_ms = None;
            }
            track
                .status_seen
                .get_or_insert_with(|| deployment.status_text());
            track.is_live = is_live;
            track.was_live |= is_live;
            track.has_run |= is_live && deployment.may_have_run();
            track.final_status = Some(deployment.status_text());
            if is_live {
                state.was_running = true;
            } else {
                track.confirmed_ms.get_or_insert(at);
            }
            if let Some(process) = process {
                state.process_of.insert(deployment.id.clone(), process.pid);
                state.processes.insert(process.pid, process);
            }
            track.last = Some(deployment.clone());
        });
    }

    /// Sends what is due for every live deployment.
    fn act(&self) {
        let due: Vec<(String, Action)> = self.board.read(|state| {
            let is_contradicted = self.is_contradicted(state);
            state
                .tracks
                .iter()
                .filter(|(id, track)| {
                    let in_scope = match &self.scope {
                        Scope::Service => true,
                        Scope::Only(only) => *id == only,
                    };
                    in_scope && (track.is_live || is_contradicted) && self.is_mine(track)
                })
                .filter_map(|(id, track)| {
                    let due = if track.is_live {
                        due(track, &self.pace)
                    } else {
                        due_again(track, Action::Remove, &self.pace)
                    };
                    Some((id.clone(), due?))
                })
                .collect()
        });
        for (id, action) in due {
            self.send(&id, action);
        }
    }

    /// Whether the trader goes on answering although the platform says dead: a stop that was only
    /// reported. A removal may still end it.
    fn is_contradicted(&self, state: &State) -> bool {
        let record = state.sweeps.get(&self.key());
        let Some(dead_at) = record.and_then(|record| record.dead_at) else {
            return false;
        };
        state.traders.values().any(|trader| {
            matches!(&trader.last, Some((at, Probe::Alive { nonce, .. })) if *at >= dead_at
                && nonce.as_ref().is_none_or(|nonce| trader.seen_nonces.contains(nonce)))
        })
    }

    /// A target may have two sweeps; each acts on what it found itself.
    fn is_mine(&self, track: &Track) -> bool {
        track.owner == self.key()
    }

    /// Sends one request, beside everything else.
    fn send(&self, id: &str, action: Action) {
        self.board.asking();
        self.board.write(|state| {
            let track = state.tracks.entry(id.to_owned()).or_default();
            let now = Instant::now();
            let sent = Sent {
                at: now,
                first_at: track.sent.get(&action).map_or(now, |sent| sent.first_at),
                outcome: Outcome::Pending,
                may_have_acted: track
                    .sent
                    .get(&action)
                    .is_some_and(|sent| sent.may_have_acted),
            };
            track.sent.insert(action, sent);
            track.last_action = Some(action);
        });
        let (sweep, id) = (self.clone(), id.to_owned());
        self.board.spawn(async move {
            let (client, deadline) = (&sweep.client, sweep.deadline);
            let outcome = match action {
                Action::Stop => platform::stop(client, &id, deadline).await,
                Action::Cancel => platform::cancel(client, &id, deadline).await,
                Action::Remove => platform::remove(client, &id, deadline).await,
            };
            sweep.answered(&id, action, outcome);
        });
    }

    fn answered(&self, id: &str, action: Action, outcome: Result<(), CallError>) {
        let at = self.board.ms();
        self.board.write(|state| {
            let track = state.tracks.entry(id.to_owned()).or_default();
            let may_have_acted = outcome.as_ref().err().is_none_or(CallError::may_have_acted);
            let outcome = match outcome {
                Ok(()) => {
                    track.acknowledged_ms.get_or_insert(at);
                    state.platform_path.acknowledged(at);
                    Outcome::Accepted
                }
                Err(error) => {
                    state
                        .platform_path
                        .failed(format!("{} {id}: {error}", action.as_str()));
                    Outcome::Refused(error.to_string())
                }
            };
            if let Some(sent) = track.sent.get_mut(&action) {
                sent.outcome = outcome;
                sent.may_have_acted |= may_have_acted;
            }
        });
    }

    /// After a listing: live, or clear for long enough. Returns the pause until the next one.
    fn judge(&self, clear: &mut Clear, list: &List) -> Duration {
        let at = self.board.ms();
        let is_live = self.board.read(|state| {
            state
                .tracks
                .values()
                .any(|track| track.is_live && self.is_mine(track))
        });
        if is_live || list.gap.is_some() {
            *clear = Clear::default();
            self.board.write(|state| {
                if state.platform_path.confirmed_ms.is_some() {
                    state.platform_path.unconfirmed();
                }
                if let Some(record) = state.sweeps.get_mut(&self.key()) {
                    record.says = PlatformSays::Live;
                    record.dead_at = None;
                    record.is_exhausted = false;
                }
                if let Some(gap) = &list.gap {
                    state.platform_path.detail =
                        format!("the list of deployments is not whole: {gap}");
                }
            });
            return self.pace.poll;
        }
        clear.polls = clear.polls.saturating_add(1);
        let now = Instant::now();
        let waited = now.saturating_duration_since(*clear.since.get_or_insert(now));
        self.board
            .write(|state| state.platform_path.acknowledged(at));
        if clear.polls >= CLEAR_POLLS && waited >= self.pace.settle {
            self.board.write(|state| {
                if let Some(record) = state.sweeps.get_mut(&self.key()) {
                    record.says = PlatformSays::Dead;
                    record.dead_at.get_or_insert(now);
                }
                if state
                    .sweeps
                    .values()
                    .all(|record| record.says == PlatformSays::Dead)
                {
                    state.platform_path.confirmed(at);
                    state.platform_path.detail = "nothing live through the settle window".into();
                }
            });
            return self.pace.settle_poll;
        }
        if clear.polls < CLEAR_POLLS {
            return self.pace.poll;
        }
        self.pace
            .settle_poll
            .min(self.pace.settle.saturating_sub(waited))
    }

    /// After a listing that failed: what was known before proves nothing any more.
    fn unheard(&self, error: &CallError) {
        self.board.write(|state| {
            if state.platform_path.confirmed_ms.is_some() {
                state.platform_path.unconfirmed();
            }
            state
                .platform_path
                .failed(format!("cannot list deployments: {error}"));
            if let Some(record) = state.sweeps.get_mut(&self.key()) {
                record.says = PlatformSays::Nothing;
                record.dead_at = None;
                record.is_exhausted = error.is_final_for_reads();
            }
        });
    }

    fn with_record(&self, change: impl FnOnce(&mut SweepRecord)) {
        self.board.write(|state| {
            if let Some(record) = state.sweeps.get_mut(&self.key()) {
                change(record);
            }
        });
    }
}

/// The order of escalation for a status.
fn ladder(status: Option<&Status>) -> &'static [Action] {
    use Action::{Cancel, Remove, Stop};
    match status {
        Some(status) if status.is_in_progress() => &[Cancel, Stop, Remove],
        Some(Status::Removing) => &[Remove],
        Some(Status::Other(_)) => &[Stop, Cancel, Remove],
        _ => &[Stop, Remove],
    }
}

/// The next request for a live deployment, if one is due.
fn due(track: &Track, pace: &Pace) -> Option<Action> {
    let ladder = ladder(track.last.as_ref().map(|last| &last.status));
    for action in ladder {
        match track.sent.get(action) {
            None => return Some(*action),
            Some(Sent {
                outcome: Outcome::Refused(_),
                ..
            }) => {}
            Some(sent) if sent.at.elapsed() < pace.escalate_after => return None,
            Some(_) => {}
        }
    }
    // Everything has been tried: the strongest again, at the same interval.
    due_again(track, *ladder.last()?, pace)
}

/// Whether a deployment that is dead when it is read for the first time may be so by our own request: it
/// ran then, and its end wants a witness. A platform shows no stop as early as a read that goes out
/// beside it (on Railway 1.6 s at the soonest, a quarter of the time to the next stronger request); one
/// whose reads came late may.
fn may_be_our_doing(track: &Track, status: &Status, pace: &Pace) -> bool {
    let shows_after = pace.escalate_after / 6;
    track.sent.iter().any(|(action, sent)| {
        let may = match action {
            Action::Stop => *status == Status::Success && sent.first_at.elapsed() >= shows_after,
            // Sent unseen only after a stop had shown nothing for long: nothing is too early for it.
            Action::Cancel | Action::Remove => true,
        };
        // A lost answer is no refusal, and a refusal after it ("not stoppable") may be its echo.
        may && (sent.may_have_acted || !matches!(sent.outcome, Outcome::Refused(_)))
    })
}

/// A request that is repeated, but not hammered.
fn due_again(track: &Track, action: Action, pace: &Pace) -> Option<Action> {
    let is_due = track
        .sent
        .get(&action)
        .is_none_or(|sent| sent.at.elapsed() >= pace.escalate_after);
    is_due.then_some(action)
}

/// `meta.loopback` of a deployment on this machine: its process.
fn loopback_process(meta: &Value) -> Option<ProcessId> {
    let local = meta.get("loopback")?;
    Some(ProcessId {
        boot_id: local.get("boot_id")?.as_str()?.to_owned(),
        pid: local
            .get("pid")?
            .as_u64()
            .and_then(|pid| u32::try_from(pid).ok())?,
        // 0 = the platform could not tell: no identity, and no proof.
        start: local
            .get("pid_start")?
            .as_u64()
            .filter(|start| *start > 0)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn track(status: &str, sent: &[(Action, Outcome)]) -> Track {
        let node =
            json!({"id": "d", "status": status, "deploymentStopped": false, "instances": []});
        let at = Instant::now();
        Track {
            last: Some(Deployment::read(&node).unwrap()),
            is_live: true,
            sent: sent
                .iter()
                .map(|(action, outcome)| {
                    (
                        *action,
                        Sent {
                            at,
                            first_at: at,
                            outcome: outcome.clone(),
                            may_have_acted: *outcome == Outcome::Accepted,
                        },
                    )
                })
                .collect(),
            ..Track::default()
        }
    }

    fn refused() -> Outcome {
        Outcome::Refused("Deployment is not stoppable".into())
    }

    #[test]
    fn the_first_request_fits_the_status() {
        let pace = Pace::default();
        let first = |status| due(&track(status, &[]), &pace);
        for status in [
            "BUILDING",
            "QUEUED",
            "INITIALIZING",
            "DEPLOYING",
            "WAITING",
            "NEEDS_APPROVAL",
        ] {
            assert_eq!(first(status), Some(Action::Cancel), "{status}");
        }
        for status in ["SUCCESS", "CRASHED", "SLEEPING", "TELEPORTING"] {
            assert_eq!(first(status), Some(Action::Stop), "{status}");
        }
        assert_eq!(first("REMOVING"), Some(Action::Remove));
    }

    #[test]
    fn a_refusal_escalates_at_once_and_an_acceptance_only_after_a_while() {
        let patient = Pace::default();
        let hasty = Pace {
            escalate_after: Duration::ZERO,
            ..Pace::default()
        };
        let stopped = track("SUCCESS", &[(Action::Stop, Outcome::Accepted)]);
        assert_eq!(due(&stopped, &patient), None);
        assert_eq!(due(&stopped, &hasty), Some(Action::Remove));
        let refused = track("SLEEPING", &[(Action::Stop, refused())]);
        assert_eq!(due(&refused, &patient), Some(Action::Remove));
        let hung = track("SUCCESS", &[(Action::Stop, Outcome::Pending)]);
        assert_eq!(
            due(&hung, &hasty),
            Some(Action::Remove),
            "an unanswered stop does not block"
        );
    }

    #[test]
    fn what_is_first_read_dead_long_after_our_stop_may_have_run() {
        let early = Pace::default();
        let late = Pace {
            escalate_after: Duration::ZERO,
            ..Pace::default()
        };
        let stopped = track("SUCCESS", &[(Action::Stop, Outcome::Accepted)]);
        assert!(may_be_our_doing(&stopped, &Status::Success, &late));
        assert!(!may_be_our_doing(&stopped, &Status::Success, &early));
        assert!(
            !may_be_our_doing(&stopped, &Status::Removed, &late),
            "no stop removes"
        );
        let mut repeated = track("SUCCESS", &[(Action::Stop, Outcome::Accepted)]);
        for sent in repeated.sent.values_mut() {
            sent.first_at -= early.escalate_after;
        }
        assert!(
            may_be_our_doing(&repeated, &Status::Success, &early),
            "a repeat is no new beginning"
        );
        let unheard = track("SUCCESS", &[(Action::Stop, Outcome::Pending)]);
        assert!(may_be_our_doing(&unheard, &Status::Success, &late));
        let no = track("SUCCESS", &[(Action::Stop, refused())]);
        assert!(!may_be_our_doing(&no, &Status::Success, &late));
        let mut lost = track("SUCCESS", &[(Action::Stop, refused())]);
        for sent in lost.sent.values_mut() {
            sent.may_have_acted = true;
        }
        assert!(
            may_be_our_doing(&lost, &Status::Success, &late),
            "a lost answer is no refusal"
        );
        let removed = track("SUCCESS", &[(Action::Remove, Outcome::Accepted)]);
        assert!(may_be_our_doing(&removed, &Status::Removed, &early));
    }

    #[test]
    fn the_strongest_is_repeated_but_not_hammered() {
        let all = [
            (Action::Stop, Outcome::Accepted),
            (Action::Remove, refused()),
        ];
        assert_eq!(due(&track("SUCCESS", &all), &Pace::default()), None);
        let hasty = Pace {
            escalate_after: Duration::ZERO,
            ..Pace::default()
        };
        assert_eq!(due(&track("SUCCESS", &all), &hasty), Some(Action::Remove));
    }
}
