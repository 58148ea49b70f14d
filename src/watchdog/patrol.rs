//! The patrol: look, judge, grant or withhold, write down, and trip.
//!
//! The only loop of the watchdog. Every request has a bound of its own, so a look ends. Decides nothing
//! itself: looks go to [`super::patrol_state`], permission to grant to [`super::shared`].

use super::lease::{GRANT_TIMEOUT_MS, GrantOutcome};
use super::patrol_state::Verdict;
use super::reading::Readings;
use super::record::{self, Ended, Record, Stance};
use super::rules::{Action, Observation, Sighting};
use super::shared::Shared;
use crate::clock;
use crate::context::Context;
use crate::deploy::lock;
use launch_kill::freeze::{self, FreezeState};
use launch_kill::{CallError, Deadline, Endpoint, EnvName, JsonClient, KillFile, Secret, StateDir};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use trader_core::wire::{Health, LeaseAnswer, LeaseRequest};

/// Time between two looks at the trader, ms.
pub const POLL_MS: u64 = 1_000;

/// Longest wait for one `/health`, ms.
pub const HEALTH_TIMEOUT_MS: u64 = 1_000;

/// A watchdog that could observe neither trader nor platform for so long ends with 3, ms.
pub const OBSERVE_WITHIN_MS: u64 = 60_000;

/// A watchdog that nobody gave an identity for so long ends, unless it stays as a service, ms.
pub const IDLE_END_MS: u64 = 600_000;

/// Platform readings in a row that must show nothing live before the target counts as dead.
pub const DEAD_READINGS: u32 = 2;

/// Why a patrol ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The target is proved dead, or nothing was ever expected.
    NothingToWatch(String),
    /// Somebody ended the process.
    Stopped(&'static str),
    /// A trip: stop the target now.
    Trip(Vec<Sighting>),
    /// Nothing could be observed.
    Blind(String),
}

/// One patrol.
#[derive(Debug)]
pub struct Patrol {
    /// The state shared with the HTTP surface.
    pub shared: Arc<Shared>,
    /// Where state is kept.
    pub state: StateDir,
    /// The environment.
    pub env: EnvName,
    /// The control token: reads `/health`, grants the lease.
    pub control: Secret,
    /// The platform, read in the background.
    pub readings: Arc<Readings>,
    /// Wakes the patrol between two polls.
    pub wake: Arc<Notify>,
    /// Time between two looks, ms.
    pub poll_ms: u64,
    /// Stay as an idle service when the target is dead.
    pub stay: bool,
    /// Where its words go.
    pub ctx: Context,
    /// What stands on disk.
    pub record: Record,
    /// Name under which the lease is granted.
    pub holder: String,
    /// Seen so far.
    pub seen: Seen,
}

/// What the patrol remembers between looks, beside the rules' own memory.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    epoch: u64,
    platform_seq: u64,
    dead_readings: u32,
    idle_since_ms: Option<u64>,
    ever_observed: bool,
    trader: Option<(String, JsonClient)>,
}

impl Patrol {
    /// Patrols until there is a reason to end.
    pub async fn run(
        &mut self,
        mut stop: tokio::sync::watch::Receiver<Option<&'static str>>,
    ) -> End {
        loop {
            if let Some(end) = self.look().await {
                return end;
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(self.poll_ms)) => {}
                () = self.wake.notified() => {}
                changed = stop.changed() => {
                    let why = *stop.borrow();
                    if changed.is_err() || why.is_some() {
                        return End::Stopped(why.unwrap_or("the signal handler is gone"));
                    }
                }
            }
        }
    }

    async fn look(&mut self) -> Option<End> {
        // Tokens, freeze and locks are gone with it: nothing may be granted by memory alone.
        if !self.state.root().is_dir() {
            let root = self.state.root().display();
            return Some(End::NothingToWatch(format!(
                "the state directory {root} is gone"
            )));
        }
        self.read_freeze();
        let (expected, epoch) = {
            let watch = self.shared.watch();
            (watch.expected.clone(), watch.epoch)
        };
        let Some(expected) = expected else {
            return self.idle();
        };
        self.seen.idle_since_ms = None;
        if epoch != self.seen.epoch {
            self.seen = Seen {
                epoch,
                platform_seq: self.seen.platform_seq,
                ever_observed: self.seen.ever_observed,
                ..Seen::default()
            };
            self.readings.ask_sooner();
        }
        let health = self.ask_health(&expected.trader_url).await;
        let observation = self.observe(health);
        if let Some(end) = self.judge(epoch, &observation) {
            return Some(end);
        }
        self.grant().await;
        self.write_down();
        self.dead_or_blind(&observation)
    }

    fn idle(&mut self) -> Option<End> {
        let now_ms = self.shared.now_ms();
        let since = *self.seen.idle_since_ms.get_or_insert(now_ms);
        self.write_down();
        (!self.stay && now_ms.saturating_sub(since) >= IDLE_END_MS)
            .then(|| End::NothingToWatch("nobody said what to expect".to_owned()))
    }

    /// Takes in both places of the freeze. The file is read at every look; the variable in the
    /// background.
    fn read_freeze(&self) {
        let reading = self.readings.newest();
        let by_file = freeze::read_local(&self.state, &self.env);
        let frozen = [Some(by_file), reading.freeze.clone()]
            .into_iter()
            .flatten()
            .find_map(|state| match state {
                FreezeState::Off => None,
                FreezeState::Frozen(freeze) => Some(format!(
                    "by {} ({}): {}",
                    freeze.by, freeze.id, freeze.reason
                )),
                FreezeState::Unreadable(why) => Some(format!("the freeze cannot be read: {why}")),
            });
        let mut watch = self.shared.watch();
        watch.frozen = frozen;
        watch.freeze_was_read = reading.knows_freeze(self.shared.now_ms());
        watch.last_platform_ms = reading.read_at_ms;
    }

    async fn ask_health(&mut self, url: &str) -> Option<Health> {
        let client = self.trader(url).ok()?;
        let deadline = Deadline::after(Duration::from_millis(HEALTH_TIMEOUT_MS));
        let answer = client.get("/health", deadline).await.ok()?;
        // An answer of another shape is no answer: it is held like silence, never read as well.
        serde_json::from_value(answer).ok()
    }

    fn trader(&mut self, url: &str) -> Result<JsonClient, CallError> {
        if let Some((known, client)) = &self.seen.trader
            && known == url
        {
            return Ok(client.clone());
        }
        let client = JsonClient::new(Endpoint::parse(url)?, Some(self.control.clone()))?;
        self.seen.trader = Some((url.to_owned(), client.clone()));
        Ok(client)
    }

    fn observe(&mut self, health: Option<Health>) -> Observation {
        let now_ms = self.shared.now_ms();
        let reading = self.readings.newest();
        let platform_is_fresh = reading.seq != self.seen.platform_seq;
        self.seen.platform_seq = reading.seq;
        let mut watch = self.shared.watch();
        if health.is_some() {
            watch.last_health_ms = Some(now_ms);
        }
        self.seen.ever_observed |= health.is_some() || reading.seq > 0;
        let since = watch.expected_since_ms;
        let lock_ms = clock::now().as_millisecond();
        Observation {
            silent_ms: now_ms.saturating_sub(watch.last_health_ms.unwrap_or(since)),
            platform_blind_ms: now_ms.saturating_sub(reading.read_at_ms.unwrap_or(since)),
            platform_is_fresh,
            leaving_ms: reading
                .leaving_since_ms
                .into_iter()
                .map(|(id, since)| (id, now_ms.saturating_sub(since)))
                .collect(),
            live: reading.live,
            deploy_lock: lock::plan_under_way(&self.state, &self.env, lock_ms),
            health,
        }
    }

    fn judge(&mut self, epoch: u64, observation: &Observation) -> Option<End> {
        let now_ms = self.shared.now_ms();
        let mut watch = self.shared.watch();
        // An identity that was handed over while we looked is not judged by this look.
        if watch.epoch != epoch {
            return None;
        }
        let expected = watch.expected.clone()?;
        let verdict = watch.patrol.judge(&expected, observation, now_ms);
        let adopt = verdict.adopt.clone();
        if let (Some(nonce), Some(expected)) = (&adopt, &mut watch.expected) {
            expected.instance_nonce.clone_from(nonce);
        }
        let in_doubt = observation.health.is_none() || verdict.action > Action::Warn;
        let trip = (verdict.action == Action::Kill).then(|| verdict.reasons.clone());
        watch.tripped = trip.is_some();
        watch.verdict = Some(verdict);
        drop(watch);
        if let Some(nonce) = adopt {
            adopt_in_kill_file(&self.state, &self.env, &expected.deployment_id, &nonce);
        }
        if in_doubt {
            self.readings.ask_sooner();
        }
        trip.map(End::Trip)
    }

    /// Grants the lease when it is due and allowed, and this look had an answer.
    async fn grant(&mut self) {
        let request = {
            let now_ms = self.shared.now_ms();
            let mut watch = self.shared.watch();
            let is_fresh = watch
                .last_health_ms
                .is_some_and(|at| now_ms.saturating_sub(at) <= HEALTH_TIMEOUT_MS);
            if !is_fresh || !watch.book.is_due(now_ms) {
                return;
            }
            let Ok(expected) = watch.may_grant() else {
                return;
            };
            let (url, request) = (
                expected.trader_url.clone(),
                LeaseRequest {
                    holder: self.holder.clone(),
                    deployment_id: expected.deployment_id.clone(),
                    instance_nonce: expected.instance_nonce.clone(),
                    ttl_ms: watch.book.ttl_ms(),
                },
            );
            // From here on the grant counts, before the first byte leaves.
            watch.book.sending(now_ms);
            (url, request)
        };
        let (outcome, refusal) = self.send_grant(&request.0, &request.1).await;
        let now_ms = self.shared.now_ms();
        let mut watch = self.shared.watch();
        watch.book.answered(now_ms, outcome);
        watch.lease_refused = refusal;
    }

    /// How the grant ended, and why it was not accepted.
    async fn send_grant(
        &mut self,
        url: &str,
        request: &LeaseRequest,
    ) -> (GrantOutcome, Option<String>) {
        let client = match self.trader(url) {
            Ok(client) => client,
            Err(error) => return (GrantOutcome::Refused, Some(error.to_string())),
        };
        let deadline = Deadline::after(Duration::from_millis(GRANT_TIMEOUT_MS));
        let body = serde_json::to_value(request).unwrap_or_default();
        match client.post("/lease", &body, deadline).await {
            Ok(answer) => match serde_json::from_value::<LeaseAnswer>(answer) {
                Ok(answer) if answer.accepted => {
                    let expires_in_ms = answer.expires_in_ms;
                    (GrantOutcome::Accepted { expires_in_ms }, None)
                }
                Ok(answer) => (GrantOutcome::Refused, Some(answer.reason)),
                Err(error) => (GrantOutcome::Lost, Some(error.to_string())),
            },
            Err(error) if error.may_have_acted() => (GrantOutcome::Lost, Some(error.to_string())),
            Err(error) => (GrantOutcome::Refused, Some(error.to_string())),
        }
    }

    fn dead_or_blind(&mut self, observation: &Observation) -> Option<End> {
        let is_mute = observation.health.is_none() && observation.deploy_lock.is_none();
        // A platform of this machine that has ended lists nothing any more: the processes tell.
        let is_gone = is_mute
            && KillFile::read(&self.state, &self.env)
                .is_ok_and(|file| file.is_some_and(|file| file.is_proved_gone(&self.state)));
        if observation.platform_is_fresh || is_gone {
            let is_dead =
                is_gone || (is_mute && observation.live.as_ref().is_some_and(Vec::is_empty));
            self.seen.dead_readings = if is_dead {
                self.seen.dead_readings.saturating_add(1)
            } else {
                0
            };
        }
        if self.seen.dead_readings >= DEAD_READINGS {
            if !self.stay {
                let why = if is_gone {
                    "this machine's platform and the trader have ended"
                } else {
                    "the platform lists nothing live and the trader does not answer"
                };
                return Some(End::NothingToWatch(why.to_owned()));
            }
            self.shared.watch().expected = None;
            self.seen.dead_readings = 0;
        }
        let since = self.shared.watch().expected_since_ms;
        let blind = !self.seen.ever_observed
            && self.shared.now_ms().saturating_sub(since) >= OBSERVE_WITHIN_MS;
        blind.then(|| {
            let why = self.readings.newest().error;
            End::Blind(format!(
                "neither trader nor platform could be observed: {}",
                why.unwrap_or_else(|| "no answer".to_owned())
            ))
        })
    }

    /// Writes record and journal when something changed. A disk that refuses is told once a change
    /// and never stops the watch.
    fn write_down(&mut self) {
        let (stance, reasons, expected, verdict) = {
            let watch = self.shared.watch();
            let stance = watch.stance();
            (
                stance,
                watch.may_grant().err().into_iter().collect::<Vec<_>>(),
                watch.expected.clone(),
                watch.verdict.clone(),
            )
        };
        let moved = stance != self.record.stance;
        let expects_other = expected != self.record.expected;
        if !(moved || expects_other || kind(&reasons) != kind(&self.record.reasons)) {
            return;
        }
        self.record.stance = stance;
        self.record.reasons = reasons;
        self.record.expected = expected;
        let detail = json!({
            "reason": self.record.reasons.first(),
            "deployment_id": self.record.expected.as_ref().map(|e| &e.deployment_id),
        });
        self.tell(&stance.to_string(), verdict.as_ref(), &detail);
    }

    /// Writes how the patrol ended.
    pub fn write_end(&mut self, exit: u8, reason: &str) {
        self.record.stance = Stance::Ended;
        self.record.ended = Some(Ended {
            exit,
            reason: reason.to_owned(),
            at: clock::now_text(),
        });
        self.tell("ended", None, &json!({"exit": exit, "reason": reason}));
    }

    /// One decision, to journal, record and stderr.
    pub fn tell(&mut self, event: &str, verdict: Option<&Verdict>, detail: &Value) {
        let at = clock::now_text();
        let reasons = verdict.map_or(&[][..], |v| &v.reasons);
        let mut line = format!("{at} watchdog {} {event} {detail}", self.env);
        if !self.state.root().is_dir() {
            self.ctx.note(&line);
            return;
        }
        let journal = record::journal(&self.state, &self.env, &at, event, reasons, detail);
        let written = record::write(&self.state, &self.env, &self.record);
        if let Err(error) = journal {
            // Writing into a String cannot fail.
            let _infallible = write!(line, " (journal: {error})");
        }
        if let Err(error) = written {
            let _infallible = write!(line, " (record: {error})");
        }
        self.ctx.note(&line);
    }
}

/// A reason without its figures: `no answer for 3000 ms` and `… 4000 ms` are one reason.
fn kind(reasons: &[String]) -> String {
    reasons
        .iter()
        .flat_map(|text| text.chars())
        .filter(|c| !c.is_ascii_digit())
        .collect()
}

/// A later kill must find the instance that runs now. Best effort: the watch goes on either way. A
/// kill file that a deploy has already written for the next deployment is left alone.
fn adopt_in_kill_file(state: &StateDir, env: &EnvName, deployment_id: &str, nonce: &str) {
    if let Ok(Some(mut kill_file)) = KillFile::read(state, env)
        && kill_file.deployment_id.as_deref() == Some(deployment_id)
    {
        kill_file.instance_nonce = Some(nonce.to_owned());
        drop(kill_file.write(state, env));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_written_into_the_kill_file_of_its_own_deployment_only() {
        let folder = tempfile::tempdir().unwrap();
        let (state, env) = (
            StateDir::at(folder.path()),
            EnvName::parse("staging").unwrap(),
        );
        let written = KillFile {
            deployment_id: Some("d2".into()),
            instance_nonce: Some("n2".into()),
            ..KillFile::default()
        };
        written.write(&state, &env).unwrap();
        adopt_in_kill_file(&state, &env, "d1", "n1");
        assert_eq!(KillFile::read(&state, &env).unwrap(), Some(written));
        adopt_in_kill_file(&state, &env, "d2", "n3");
        let nonce = KillFile::read(&state, &env)
            .unwrap()
            .unwrap()
            .instance_nonce;
        assert_eq!(nonce.as_deref(), Some("n3"));
    }
}
