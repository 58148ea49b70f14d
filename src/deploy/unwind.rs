//! The undoing of a deploy that was sent and not verified: that one deployment is stopped, with proof,
//! and nothing else is touched.
//!
//! Runs to its end whatever signal comes. No freeze, except after the third failure in a row.

use super::before::Cleared;
use super::frozen;
use super::history::{FAILURES_THAT_FREEZE, Outcome, failures_in_a_row};
use super::refusal::Failure;
use super::sent::{Sent, SharedSent};
use super::steps::Steps;
use super::stop::{self, Witness};
use super::{operator, send, wait};
use crate::clock;
use crate::exit::Exit;
use crate::plan::gather::Gathered;
use crate::platform::tokens;
use crate::verify::observe;
use launch_kill::freeze::{self, Freeze};
use launch_kill::{Deadline, Endpoint, JsonClient, TargetReport, Verdict};
use serde_json::json;
use std::time::Duration;

/// Random bytes of a freeze's id.
const FREEZE_ID_BYTES: usize = 4;

/// How the undoing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Proved stopped, or not.
    pub outcome: Outcome,
    /// What an operator must know, one line each.
    pub told: Vec<String>,
}

impl Undone {
    /// The documented exit code.
    pub const fn exit(&self) -> Exit {
        match self.outcome {
            Outcome::Verified | Outcome::Stopped => Exit::DeployedNotVerified,
            Outcome::Unproved => Exit::StopNotVerified,
        }
    }
}

/// Stops what the deploy made.
pub async fn undo(
    cleared: &Cleared,
    sent: &SharedSent,
    failure: &Failure,
    steps: &mut Steps,
) -> Undone {
    let gathered = &cleared.gathered;
    steps.begin("automatic stop");
    withhold(gathered, &sent.snapshot(), failure).await;
    let (outcome, mut told) = stop_new(gathered, sent, failure, steps).await;
    let (old_lives, old) = old_one(gathered).await;
    told.push(old);
    let mut undone = Undone { outcome, told };
    if outcome == Outcome::Stopped && old_lives {
        restore_kill_file(gathered, &sent.snapshot(), &mut undone);
    }
    let standing = frozen::standing(gathered).await;
    if let (Some(frozen), false) = (&standing, matches!(failure, Failure::Frozen(_))) {
        undone.told.push(frozen.clone());
    }
    if standing.is_none()
        && failures_in_a_row(&cleared.history).saturating_add(1) >= FAILURES_THAT_FREEZE
    {
        set_freeze(gathered, failure, &mut undone).await;
    }
    undone
}

/// The watchdog must not lease what is about to be stopped. Best effort: the stop does not wait for it.
async fn withhold(gathered: &Gathered, sent: &Sent, failure: &Failure) {
    let client = sent.watchdog_url.as_deref().and_then(|url| {
        let control = Some(gathered.tokens.control.clone());
        JsonClient::new(Endpoint::parse(url).ok()?, control).ok()
    });
    if let Some(client) = client {
        let body = json!({"reason": format!("deploy failed: {failure}"), "by": operator()});
        let deadline = Deadline::after(Duration::from_millis(wait::CALL_MS));
        drop(client.post("/hold", &body, deadline).await);
    }
}

async fn stop_new(
    gathered: &Gathered,
    sent: &SharedSent,
    failure: &Failure,
    steps: &Steps,
) -> (Outcome, Vec<String>) {
    let known = sent.lock().deployment_id.clone();
    let id = match known {
        Some(id) => Some(id),
        None => match send::find_lost(gathered, sent).await {
            Ok(found) => found,
            Err(why) => return (Outcome::Unproved, vec![why.to_string()]),
        },
    };
    let Some(id) = id else {
        return nothing_made(gathered).await;
    };
    let facts = sent.snapshot();
    let was_handed_over = facts.watchdog_url.is_some();
    let witness = Witness {
        trader_url: facts.trader_url,
        instance_nonce: facts.instance_nonce,
        process: facts.process,
    };
    let reason = format!("deploy of plan {} failed: {failure}", gathered.plan.plan_id);
    let report = stop::by_id(gathered, &id, Some(witness), &reason).await;
    steps.say(&format!(
        "{id}: {} in {} ms",
        report.verdict.as_str(),
        report.elapsed_ms
    ));
    if let Some(proof) = proof_of(&report, was_handed_over) {
        let told = format!("{id} is stopped, and that is proved: {proof}");
        return (Outcome::Stopped, vec![told]);
    }
    let mut told = vec![format!(
        "{id} is NOT proved stopped ({}): {}",
        report.verdict.as_str(),
        report.reason
    )];
    told.push(format!(
        "stop everything: launch kill --env {}",
        gathered.env
    ));
    (Outcome::Unproved, told)
}

/// What proves the stop. The platform's word needs a witness; that no watchdog was ever told to lease
/// the new instance is one: without a lease it could not send anything.
fn proof_of(report: &TargetReport, was_handed_over: bool) -> Option<String> {
    match report.verdict {
        verdict if verdict.exit_code() == 0 => Some(report.reason.clone()),
        Verdict::PlatformOnly if !was_handed_over => {
            Some("the platform says dead, and it never held a trading lease".to_owned())
        }
        Verdict::NothingRunning
        | Verdict::Verified
        | Verdict::Reduced
        | Verdict::PlatformOnly
        | Verdict::Unverified
        | Verdict::Failed => None,
    }
}

/// No new deployment was found within the bound. That is a proof only while the platform answers.
async fn nothing_made(gathered: &Gathered) -> (Outcome, Vec<String>) {
    match observe::live(&gathered.connected.client, &gathered.connected.ids).await {
        Ok(_) => (
            Outcome::Stopped,
            vec!["the platform lists no deployment of this deploy: nothing was made".to_owned()],
        ),
        Err(why) => (
            Outcome::Unproved,
            vec![
                format!("whether a deployment was made cannot be asked: {why}"),
                format!("stop everything: launch kill --env {}", gathered.env),
            ],
        ),
    }
}

/// What became of the one that ran before: whether it may live, and what to say of it.
async fn old_one(gathered: &Gathered) -> (bool, String) {
    let Some(old) = gathered.plan.active_deployments.first() else {
        return (false, "nothing ran before".to_owned());
    };
    match observe::live(&gathered.connected.client, &gathered.connected.ids).await {
        Ok(live) if live.iter().any(|deployment| deployment.id == *old) => {
            let told = format!(
                "the old deployment {old} is live and held: no entries, its exits work; deploy \
                 again, or launch kill --env {}",
                gathered.env
            );
            (true, told)
        }
        Ok(_) => (false, format!("the old deployment {old} is gone, too")),
        Err(why) => (
            true,
            format!("whether the old deployment {old} is live cannot be asked: {why}"),
        ),
    }
}

/// A kill must find what is left: the old one, where it still runs.
fn restore_kill_file(gathered: &Gathered, sent: &Sent, undone: &mut Undone) {
    if let Some(previous) = &sent.previous
        && let Err(error) = previous.write(&gathered.state, &gathered.env)
    {
        undone
            .told
            .push(format!("the kill file could not be restored: {error}"));
    }
}

/// Three in a row are no accident: somebody has to look. A freeze that stands already is left as it is.
async fn set_freeze(gathered: &Gathered, failure: &Failure, undone: &mut Undone) {
    let tail = tokens::random_hex(FREEZE_ID_BYTES).unwrap_or_else(|_| "deploy".to_owned());
    let freeze = Freeze {
        id: format!("deploy-{}-{tail}", clock::now().as_second()),
        at: clock::now_text(),
        by: operator(),
        reason: format!("{FAILURES_THAT_FREEZE} deploys in a row failed; the last: {failure}"),
    };
    let connected = &gathered.connected;
    let deadline = Deadline::after(Duration::from_millis(wait::CALL_MS));
    let file = freeze::write_local(&gathered.state, &gathered.env, &freeze);
    let variable =
        freeze::write_variable(&connected.client, &connected.ids, &freeze, deadline).await;
    undone.told.push(match (file, variable) {
        (Ok(()), Ok(())) => format!(
            "frozen after {FAILURES_THAT_FREEZE} failed deploys in a row; look into it, then: launch \
             reenable --env {} --reason \"…\"",
            gathered.env
        ),
        (Ok(()), Err(error)) => {
            format!("frozen on this machine only: the variable could not be written ({error})")
        }
        (Err(error), _) => format!("the freeze could not be written on this machine: {error}"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict) -> TargetReport {
        TargetReport {
            env: "staging".into(),
            verdict,
            reason: "why".into(),
            started_at: String::new(),
            elapsed_ms: 0,
            deadline_ms: 0,
            first_ack_ms: None,
            paths: vec![],
            deployments: vec![],
            witnesses: vec![],
            open_orders: None,
            positions: None,
            flatten: None,
            changed: vec![],
            may_restart: vec![],
            runbook: vec![],
        }
    }

    #[test]
    fn a_stop_is_proved_by_a_witness_or_by_a_lease_that_never_was() {
        for (verdict, leaseless, leased) in [
            (Verdict::Verified, true, true),
            (Verdict::NothingRunning, true, true),
            (Verdict::PlatformOnly, true, false),
            (Verdict::Unverified, false, false),
            (Verdict::Failed, false, false),
        ] {
            let seen = report(verdict);
            assert_eq!(proof_of(&seen, false).is_some(), leaseless, "{verdict:?}");
            assert_eq!(proof_of(&seen, true).is_some(), leased, "{verdict:?}");
        }
    }
}
