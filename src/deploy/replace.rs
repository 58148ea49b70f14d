//! What happens to the old instance: its lease is withdrawn and seen to expire before the deploy is
//! sent, and it is confirmed gone afterwards.
//!
//! Held, it keeps its exits: it may close positions, and enters nothing.

use super::refusal::{Failure, Refusal, at};
use super::sent::Sent;
use super::steps::Steps;
use super::stop;
use super::{operator, wait};
use crate::plan::gather::Gathered;
use crate::plan::intent::DRAINING_SECS;
use crate::verify::observe;
use crate::watchdog::spawn;
use launch_kill::verdict::Verdict as KillVerdict;
use launch_kill::{Deadline, Endpoint, JsonClient, KillFile, Watchdog};
use serde_json::{Value, json};
use std::time::Duration;
use trader_core::wire::LEASE_TTL_MAX_MS;

/// Time beyond the longest lease after which an old one must be over, ms.
const LEASE_MARGIN_MS: u64 = 2_000;

/// Time beyond the draining time after which the old instance is stopped by id, ms.
const GONE_MARGIN_MS: u64 = 10_000;

/// Longest wait for one answer of the watchdog, ms.
const WATCHDOG_TIMEOUT_MS: u64 = 3_000;

/// Withdraws the old instance's lease and waits until it is over.
///
/// # Errors
/// The lease is still held when every lease must be over: somebody else grants it.
pub async fn hold(gathered: &Gathered, steps: &mut Steps) -> Result<(), Refusal> {
    let Some(old) = gathered.plan.active_deployments.first() else {
        return Ok(());
    };
    steps.begin("hold the old instance");
    let over_in_ms = if let Some(watchdog) = watchdog(gathered).await {
        ask_to_hold(&watchdog, gathered, steps).await
    } else {
        steps.say("no watchdog answers: nobody renews the old lease");
        LEASE_TTL_MAX_MS
    };
    let known = KillFile::read(&gathered.state, &gathered.env)
        .map_err(|error| Refusal::Unknown(error.to_string()))?;
    let deadline = Deadline::after(Duration::from_millis(
        over_in_ms
            .max(LEASE_TTL_MAX_MS)
            .saturating_add(LEASE_MARGIN_MS),
    ));
    let client = trader(
        known.as_ref().and_then(|file| file.trader_url.as_deref()),
        gathered,
    );
    let Some(client) = client else {
        steps.say(&format!(
            "the old instance's address is unknown: waiting {over_in_ms} ms"
        ));
        tokio::time::sleep(Duration::from_millis(over_in_ms)).await;
        return Ok(());
    };
    let since = tokio::time::Instant::now();
    while !deadline.is_over() {
        match observe::health(&client).await {
            Ok(health) if health.deployment_id.as_ref() != Some(old) => return Ok(()),
            Ok(health) if health.lease.is_none() => {
                steps.say(&format!("{old} holds no lease; its exits stay on"));
                return Ok(());
            }
            // A silent one is believed to be without a lease only when every grant must be over.
            Err(_) if since.elapsed() >= Duration::from_millis(over_in_ms) => return Ok(()),
            Ok(_) | Err(_) => {}
        }
        deadline.sleep(wait::TRADER_POLL).await;
    }
    Err(Refusal::Unknown(format!(
        "{old} still holds a trading lease after {} ms: somebody else grants it; find that watchdog \
         or stop the environment: launch kill --env {}",
        since.elapsed().as_millis(),
        gathered.env
    )))
}

/// Lets the old instance have its lease again after a deploy that was never sent: its watchdog expects
/// what it expected before. Best effort: without it the old one stays held, with its exits working.
pub async fn release(gathered: &Gathered) {
    let control = &gathered.tokens.control;
    let Some(running) = spawn::find(&gathered.state, &gathered.env, control).await else {
        return;
    };
    let expected = running
        .record
        .expected
        .filter(|e| gathered.plan.active_deployments.contains(&e.deployment_id));
    let (Some(expected), Ok(at)) = (expected, Endpoint::parse(&running.record.url)) else {
        return;
    };
    let (Ok(client), Ok(body)) = (
        JsonClient::new(at, Some(control.clone())),
        serde_json::to_value(&expected),
    ) else {
        return;
    };
    let deadline = Deadline::after(Duration::from_millis(WATCHDOG_TIMEOUT_MS));
    drop(client.post("/expect", &body, deadline).await);
}

/// The watchdog of the old instance: on this machine, or where the target says.
async fn watchdog(gathered: &Gathered) -> Option<Watchdog> {
    let control = &gathered.tokens.control;
    let url = match spawn::find(&gathered.state, &gathered.env, control).await {
        Some(running) => running.record.url,
        None => gathered.target.watchdog_url.clone()?,
    };
    Watchdog::new(Endpoint::parse(&url).ok()?, Some(control.clone())).ok()
}

/// Asks for the lease to be withdrawn; milliseconds until the last grant is over.
async fn ask_to_hold(watchdog: &Watchdog, gathered: &Gathered, steps: &Steps) -> u64 {
    let body = json!({
        "reason": format!("deploy of plan {}", gathered.plan.plan_id),
        "by": operator(),
    });
    let deadline = Deadline::after(Duration::from_millis(WATCHDOG_TIMEOUT_MS));
    match watchdog.json().post("/hold", &body, deadline).await {
        Ok(answer) => answer
            .get("last_grant_expires_in_ms")
            .and_then(Value::as_u64)
            .unwrap_or(LEASE_TTL_MAX_MS),
        Err(error) => {
            steps.say(&format!("the watchdog did not take the hold ({error})"));
            LEASE_TTL_MAX_MS
        }
    }
}

fn trader(url: Option<&str>, gathered: &Gathered) -> Option<JsonClient> {
    let control = Some(gathered.tokens.control.clone());
    JsonClient::new(Endpoint::parse(url?).ok()?, control).ok()
}

/// Waits until no other deployment is live; what is left after draining is stopped by id.
///
/// # Errors
/// Something else stays live.
pub async fn confirm_gone(
    gathered: &Gathered,
    sent: &Sent,
    steps: &mut Steps,
) -> Result<(), Failure> {
    if gathered.plan.active_deployments.is_empty() {
        return Ok(());
    }
    let step = "old instance gone";
    steps.begin(step);
    let draining = Duration::from_secs(DRAINING_SECS.into());
    let deadline = Deadline::after(draining + Duration::from_millis(GONE_MARGIN_MS));
    let mut left = others(gathered, sent).await.map_err(at(step))?;
    while !left.is_empty() && !deadline.is_over() {
        known(gathered, &left)?;
        deadline.sleep(gathered.connected.poll).await;
        left = others(gathered, sent).await.map_err(at(step))?;
    }
    known(gathered, &left)?;
    for id in &left {
        steps.say(&format!(
            "{id} is still live after draining: stopping it by id"
        ));
        let reason = format!("replaced by plan {}", gathered.plan.plan_id);
        let report = stop::by_id(gathered, id, None, &reason).await;
        // The platform's word is enough here: the new instance can only take the writer lock when the
        // old one has let go of it, and that is waited for next.
        if report.verdict > KillVerdict::PlatformOnly {
            return Err(Failure::Step {
                step,
                why: format!("{id} could not be stopped: {}", report.reason),
            });
        }
    }
    let left = others(gathered, sent).await.map_err(at(step))?;
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure::Step {
        step,
        why: format!("{} is live beside the new deployment", left.join(", ")),
    })
}

/// Only what the plan replaces is waited for and stopped: another one is somebody else's deploy.
fn known(gathered: &Gathered, left: &[String]) -> Result<(), Failure> {
    let replaced = &gathered.plan.active_deployments;
    let strangers: Vec<&str> = left
        .iter()
        .filter(|id| !replaced.contains(id))
        .map(String::as_str)
        .collect();
    if strangers.is_empty() {
        return Ok(());
    }
    Err(Failure::Step {
        step: "old instance gone",
        why: format!(
            "{} is live beside the new deployment, and this plan does not know it: somebody else \
             deployed; it is left alone",
            strangers.join(", ")
        ),
    })
}

/// Live deployments beside the new one.
async fn others(gathered: &Gathered, sent: &Sent) -> Result<Vec<String>, String> {
    let live = observe::live(&gathered.connected.client, &gathered.connected.ids).await?;
    Ok(live
        .into_iter()
        .map(|deployment| deployment.id)
        .filter(|id| Some(id) != sent.deployment_id.as_ref())
        .collect())
}
