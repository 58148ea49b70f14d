//! From the new deployment's id to verified twice with the lease held. Order is everything here: identity
//! before the old one is let go, the old one gone before the lease, the lease before the verdict.

use super::refusal::{Failure, at};
use super::sent::SharedSent;
use super::stage::{self, Phase, Stage};
use super::steps::Steps;
use super::{frozen, halt_left, kill_file, replace, wait};
use crate::plan::gather::Gathered;
use crate::platform::connect;
use crate::verify::identity;
use crate::verify::judgement::{self, Lease, LiveDeployment, Observed, Verdict};
use crate::verify::observe;
use crate::watchdog::expectation::Expectation;
use crate::watchdog::record::{self, Stance};
use crate::watchdog::spawn;
use launch_kill::{Deadline, Deployment, Endpoint, JsonClient, platform};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use trader_core::wire::{Health, InstanceState};

/// Follows the new deployment to the end. What becomes known goes into `sent`.
///
/// # Errors
/// See [`Failure`]; the caller stops the deployment.
pub async fn bring_up(
    gathered: &Gathered,
    id: &str,
    sent: &SharedSent,
    steps: &mut Steps,
) -> Result<Expectation, Failure> {
    let deployment = follow(gathered, id, steps).await?;
    let trader = trader_of(gathered, &deployment)?;
    let first = first_answer(gathered, id, &trader, steps).await?;
    learn(gathered, &deployment, &trader, &first, sent)?;
    check_identity(gathered, id, &first, sent, steps)?;
    let facts = sent.snapshot();
    replace::confirm_gone(gathered, &facts, steps).await?;
    let ready = ready(gathered, id, &trader, steps).await?;
    lift_halt(gathered, &trader, &ready, steps).await?;
    let expected = Expectation {
        plan: gathered.plan.clone(),
        deployment_id: id.to_owned(),
        instance_nonce: first.instance_nonce,
        trader_url: trader.base().as_str().to_owned(),
    };
    hand_over(gathered, &expected, sent, steps).await?;
    first_lease(gathered, id, &trader, steps).await?;
    verify(gathered, &expected, &trader, steps).await?;
    Ok(expected)
}

/// Waits until the platform calls the deployment active; each phase has its own bound.
async fn follow(gathered: &Gathered, id: &str, steps: &mut Steps) -> Result<Deployment, Failure> {
    let step = "the platform's deployment";
    let connected = &gathered.connected;
    let mut phase: Option<(Phase, Deadline)> = None;
    loop {
        let deadline = Deadline::after(Duration::from_millis(wait::CALL_MS));
        // One unanswered look ends nothing; the phase's bound does.
        let seen = platform::deployment(&connected.client, id, deadline).await;
        let waits_in = match &seen {
            Ok(deployment) => match stage::of(deployment) {
                Stage::Running => return Ok(deployment.clone()),
                Stage::Failed(why) => return Err(Failure::Step { step, why }),
                Stage::Waiting(next) => next,
            },
            Err(_) => phase.map_or(Phase::Queued, |(known, _)| known),
        };
        let known = phase.filter(|(known, _)| *known == waits_in);
        let (_, bound) = *phase.insert(known.unwrap_or_else(|| {
            steps.begin(waits_in.as_str());
            (
                waits_in,
                Deadline::after(Duration::from_millis(waits_in.bound_ms())),
            )
        }));
        if bound.is_over() {
            let why = format!(
                "still {} after {} s{}",
                waits_in.as_str(),
                waits_in.bound_ms() / 1_000,
                seen.err().map_or_else(String::new, |e| format!(" ({e})"))
            );
            return Err(Failure::Step { step, why });
        }
        tokio::time::sleep(connected.poll).await;
    }
}

/// A client for the new instance: where the target says, else where the platform says.
fn trader_of(gathered: &Gathered, deployment: &Deployment) -> Result<JsonClient, Failure> {
    let step = "the trader's address";
    let told = gathered
        .target
        .trader_url
        .clone()
        .or_else(|| deployment.static_url.clone())
        .or_else(|| deployment.url.clone())
        .ok_or_else(|| Failure::Step {
            step,
            why: format!(
                "the platform tells none; give the service a domain and write trader_url into \
                 env.{} of manifests/launch.toml",
                gathered.env
            ),
        })?;
    // Railway tells host names.
    let url = if told.contains("://") {
        told
    } else {
        format!("https://{told}")
    };
    let endpoint = Endpoint::parse(&url).map_err(at(step))?;
    JsonClient::new(endpoint, Some(gathered.tokens.control.clone())).map_err(at(step))
}

/// Waits until the new instance answers as itself: another deployment at the same address is not it.
async fn first_answer(
    gathered: &Gathered,
    id: &str,
    trader: &JsonClient,
    steps: &mut Steps,
) -> Result<Health, Failure> {
    let step = "first answer";
    steps.begin(step);
    let deadline = Deadline::after(Duration::from_millis(wait::FIRST_ANSWER_MS));
    let mut still_up = StillUp::new();
    let mut last = String::new();
    while !deadline.is_over() {
        match observe::health(trader).await {
            Ok(health) if health.deployment_id.as_deref() == Some(id) => return Ok(health),
            Ok(other) => {
                last = format!(
                    "deployment {} answers there",
                    other
                        .deployment_id
                        .unwrap_or_else(|| "without an id".into())
                );
            }
            Err(why) => last = why,
        }
        still_up.pause(gathered, id, step).await?;
    }
    Err(Failure::Step {
        step,
        why: format!("{id} does not answer: {last}"),
    })
}

/// Looks beside a wait whether the deployment has failed meanwhile; no oftener than the platform's calls
/// allow.
#[derive(Debug)]
struct StillUp {
    asked: Instant,
}

impl StillUp {
    fn new() -> Self {
        Self {
            asked: Instant::now(),
        }
    }

    /// Pauses, and fails when the deployment has. An unanswered look proves nothing.
    async fn pause(
        &mut self,
        gathered: &Gathered,
        id: &str,
        step: &'static str,
    ) -> Result<(), Failure> {
        tokio::time::sleep(wait::TRADER_POLL).await;
        if self.asked.elapsed() < gathered.connected.poll {
            return Ok(());
        }
        self.asked = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(wait::CALL_MS));
        match platform::deployment(&gathered.connected.client, id, deadline).await {
            Ok(deployment) => match stage::of(&deployment) {
                Stage::Failed(why) => Err(Failure::Step { step, why }),
                Stage::Running | Stage::Waiting(_) => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }
}

/// Writes down who answers where, for a kill and for the undoing.
fn learn(
    gathered: &Gathered,
    deployment: &Deployment,
    trader: &JsonClient,
    first: &Health,
    sent: &SharedSent,
) -> Result<(), Failure> {
    let facts = {
        let mut sent = sent.lock();
        sent.instance_nonce = Some(first.instance_nonce.clone());
        sent.trader_url = Some(trader.base().as_str().to_owned());
        sent.process = connect::process_of(deployment);
        sent.clone()
    };
    kill_file::write(gathered, &facts).map_err(at("kill file"))
}

/// The new instance is the planned one, and it cannot send anything yet.
fn check_identity(
    gathered: &Gathered,
    id: &str,
    first: &Health,
    sent: &SharedSent,
    steps: &mut Steps,
) -> Result<(), Failure> {
    let step = "identity";
    steps.begin(step);
    if let Some(lease) = &first.lease {
        return Err(Failure::Step {
            step,
            why: format!(
                "the new instance came up with a trading lease, held by {}; it must have none \
                 before it is verified",
                lease.holder
            ),
        });
    }
    let compared = identity::compare(&gathered.plan.intent, id, first);
    if !compared.is_same() {
        let all: Vec<String> = compared
            .differences
            .iter()
            .map(ToString::to_string)
            .collect();
        return Err(Failure::Step {
            step,
            why: all.join("; "),
        });
    }
    for warning in &compared.warnings {
        steps.say(&format!("warning: {warning}"));
    }
    sent.lock().warnings.extend(compared.warnings);
    Ok(())
}

/// Waits until the instance holds the writer lock and has reconciled.
async fn ready(
    gathered: &Gathered,
    id: &str,
    trader: &JsonClient,
    steps: &mut Steps,
) -> Result<Health, Failure> {
    let step = "ready";
    steps.begin(step);
    let deadline = Deadline::after(Duration::from_millis(wait::READY_MS));
    let mut still_up = StillUp::new();
    while !deadline.is_over() {
        if let Ok(health) = observe::health(trader).await
            && health.state == InstanceState::Ready
            && health.deployment_id.as_deref() == Some(id)
        {
            return Ok(health);
        }
        still_up.pause(gathered, id, step).await?;
    }
    Err(Failure::Step {
        step,
        why: format!(
            "{id} is still in standby after {} s: another instance holds the ledger's writer lock",
            wait::READY_MS / 1_000
        ),
    })
}

/// Lifts a halt that an earlier kill left in the ledger, where a record allows it.
async fn lift_halt(
    gathered: &Gathered,
    trader: &JsonClient,
    ready: &Health,
    steps: &mut Steps,
) -> Result<(), Failure> {
    let step = "earlier halt";
    let Some(halt) = &ready.halted else {
        return Ok(());
    };
    steps.begin(step);
    let Some(permission) = halt_left::permission(&gathered.state, &gathered.env, halt) else {
        return Err(Failure::Step {
            step,
            why: format!(
                "the ledger carries a halt by {} ({}) that nobody has lifted: launch reenable \
                 --env {} --reason \"…\"",
                halt.by, halt.reason, gathered.env
            ),
        });
    };
    // A kill that comes now halts anew; what it left must not be lifted by an older permission.
    frozen::still_off(gathered).await?;
    let body = json!({
        "reason": permission.reason, "by": permission.by, "freeze_id": permission.freeze_id,
    });
    let deadline = Deadline::after(Duration::from_millis(wait::CALL_MS));
    trader
        .post("/reenable", &body, deadline)
        .await
        .map_err(at(step))?;
    observe::not_halted(trader).await.map_err(at(step))?;
    steps.say(&format!(
        "the halt by {} was lifted by {} ({})",
        halt.by, permission.by, permission.reason
    ));
    Ok(())
}

/// Finds or starts the watchdog and tells it what to expect.
async fn hand_over(
    gathered: &Gathered,
    expected: &Expectation,
    sent: &SharedSent,
    steps: &mut Steps,
) -> Result<(), Failure> {
    let step = "watchdog";
    steps.begin(step);
    let (url, told) = match &gathered.target.watchdog_url {
        Some(url) => (url.clone(), format!("the one at {url}")),
        None => started(gathered).await?,
    };
    let facts = {
        let mut sent = sent.lock();
        sent.watchdog_url = Some(url.clone());
        sent.clone()
    };
    kill_file::write(gathered, &facts).map_err(at("kill file"))?;
    let endpoint = Endpoint::parse(&url).map_err(at(step))?;
    let watchdog =
        JsonClient::new(endpoint, Some(gathered.tokens.control.clone())).map_err(at(step))?;
    let body = serde_json::to_value(expected).map_err(at(step))?;
    let deadline = Deadline::after(Duration::from_millis(wait::CALL_MS));
    watchdog
        .post("/expect", &body, deadline)
        .await
        .map_err(at(step))?;
    steps.say(&told);
    Ok(())
}

async fn started(gathered: &Gathered) -> Result<(String, String), Failure> {
    let step = "watchdog";
    let program = std::env::current_exe().map_err(at(step))?;
    let running = spawn::find_or_start(
        &gathered.state,
        &gathered.env,
        &gathered.tokens.control,
        &program,
    )
    .await
    .map_err(at(step))?;
    let how = if running.started { "started" } else { "found" };
    let told = format!(
        "{how} on this machine: process {}, {}; without it the lease lapses and entries stop",
        running.record.pid, running.record.url
    );
    Ok((running.record.url, told))
}

/// Waits until the trader holds its first lease, and says why it does not get one.
async fn first_lease(
    gathered: &Gathered,
    id: &str,
    trader: &JsonClient,
    steps: &mut Steps,
) -> Result<(), Failure> {
    let step = "first lease";
    steps.begin(step);
    let since = Instant::now();
    let deadline = Deadline::after(Duration::from_millis(wait::FIRST_LEASE_MS));
    let mut still_up = StillUp::new();
    while !deadline.is_over() {
        if let Ok(health) = observe::health(trader).await
            && health.lease.is_some_and(|lease| lease.expires_in_ms > 0)
        {
            return Ok(());
        }
        if let Some(why) = gave_up(gathered) {
            return Err(Failure::Step { step, why });
        }
        still_up.pause(gathered, id, step).await?;
    }
    let watchdog = spawn::find(&gathered.state, &gathered.env, &gathered.tokens.control).await;
    let why = match watchdog {
        Some(running) => format!(
            "{}: {}",
            running.record.stance,
            running.record.reasons.join("; ")
        ),
        None => "it does not answer".to_owned(),
    };
    Err(Failure::Step {
        step,
        why: format!(
            "none after {} s; the watchdog: {why}",
            since.elapsed().as_secs()
        ),
    })
}

/// Why the watchdog of this machine will not grant any more, where it said so.
fn gave_up(gathered: &Gathered) -> Option<String> {
    if gathered.target.watchdog_url.is_some() {
        return None;
    }
    let record = record::read(&gathered.state, &gathered.env).ok()??;
    match (record.stance, record.ended) {
        (Stance::Tripped, _) => Some(format!(
            "the watchdog tripped: {}",
            record.reasons.join("; ")
        )),
        (_, Some(ended)) => Some(format!("the watchdog ended: {}", ended.reason)),
        (
            Stance::Idle | Stance::Keeping | Stance::Holding | Stance::Frozen | Stance::Ended,
            None,
        ) => None,
    }
}

/// Whether all that stands beside the new deployment is records that the platform is removing: once the
/// new one is active it takes the old ones away, and for a moment lists them.
fn is_old_leaving(expected: &Expectation, seen: &Observed) -> bool {
    let live = seen.live.as_ref();
    live.is_ok_and(|live| is_leaving(&expected.deployment_id, live))
}

fn is_leaving(new: &str, live: &[LiveDeployment]) -> bool {
    let mut others = live
        .iter()
        .filter(|deployment| deployment.id != new)
        .peekable();
    others.peek().is_some() && others.all(|deployment| deployment.status == "REMOVING")
}

/// Verified twice, with the lease held.
async fn verify(
    gathered: &Gathered,
    expected: &Expectation,
    trader: &JsonClient,
    steps: &mut Steps,
) -> Result<(), Failure> {
    let step = "verify";
    steps.begin(step);
    let connected = &gathered.connected;
    let gone = Deadline::after(Duration::from_millis(wait::LEAVING_MS));
    let seen = loop {
        let seen = observe::look(&connected.client, &connected.ids, trader).await;
        if !is_old_leaving(expected, &seen) || gone.is_over() {
            break seen;
        }
        gone.sleep(Duration::from_millis(wait::LEAVING_LOOK_MS))
            .await;
    };
    let lines = judgement::judge(expected, true, Lease::Held, &seen);
    let bad: Vec<String> = lines
        .iter()
        .filter(|line| line.verdict > Verdict::Warn)
        .map(|line| format!("{}: {}", line.what, line.detail))
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    Err(Failure::Step {
        step,
        why: bad.join("; "),
    })
}

/// What the deploy's document says about the running trader.
pub fn running(expected: &Expectation, pid: Option<u32>) -> Value {
    json!({
        "deployment_id": expected.deployment_id,
        "instance_nonce": expected.instance_nonce,
        "pid": pid,
        "health_url": format!("{}/health", expected.trader_url.trim_end_matches('/')),
    })
}

#[cfg(test)]
mod tests {
    use super::is_leaving;
    use crate::verify::judgement::LiveDeployment;

    fn listed(rows: &[(&str, &str)]) -> Vec<LiveDeployment> {
        let one = |(id, status): &(&str, &str)| LiveDeployment {
            id: (*id).into(),
            status: (*status).into(),
            commit: None,
        };
        rows.iter().map(one).collect()
    }

    #[test]
    fn only_a_record_that_is_being_removed_is_waited_for() {
        let new = ("new", "SUCCESS");
        assert!(is_leaving("new", &listed(&[new, ("old", "REMOVING")])));
        for standing in ["SUCCESS", "DEPLOYING", "CRASHED", "A WORD TO COME"] {
            let beside = listed(&[new, ("old", "REMOVING"), ("other", standing)]);
            assert!(!is_leaving("new", &beside), "{standing}");
        }
        assert!(!is_leaving("new", &listed(&[new])));
    }
}
