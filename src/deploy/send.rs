//! Sending the deploy: variables and settings first, then one mutation, sent once.
//!
//! A lost answer is never sent again: the platform's own list says whether the deployment was made.

use super::refusal::{Failure, Refusal};
use super::sent::{Sent, SharedSent};
use super::steps::Steps;
use super::{kill_file, wait};
use crate::plan::gather::Gathered;
use crate::plan::intent::Plan;
use crate::plan::variables;
use crate::platform::{calls, connect};
use launch_kill::platform::{self, Listing};
use launch_kill::{CallError, Deadline, Deployment, KillFile, StateError};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Lets a kill find the service before anything is sent: where no kill file names it yet, one is written
/// that names no deployment.
///
/// # Errors
/// The state directory cannot be used: a kill would not find what is about to be made.
pub fn announce(gathered: &Gathered) -> Result<(), Refusal> {
    let unknown = |error: StateError| Refusal::Unknown(error.to_string());
    let (state, env) = (&gathered.state, &gathered.env);
    connect::keep_local_token(&gathered.connected, state, env).map_err(unknown)?;
    let ids = &gathered.connected.ids;
    let is_named = KillFile::read(state, env)
        .map_err(unknown)?
        .is_some_and(|file| {
            file.service_id.as_ref() == Some(&ids.service_id)
                && file.environment_id.as_ref() == Some(&ids.environment_id)
        });
    if is_named {
        return Ok(());
    }
    kill_file::write(gathered, &Sent::default()).map_err(unknown)
}

/// Writes variables and settings, none of which triggers a deployment, and reads them back.
///
/// # Errors
/// Written or read in vain (3), or something else than the plan's stands there afterwards (5).
pub async fn prepare_service(gathered: &Gathered, steps: &mut Steps) -> Result<(), Refusal> {
    steps.begin("variables and settings");
    let connected = &gathered.connected;
    let unknown = |error: CallError| Refusal::Unknown(format!("writing variables: {error}"));
    let call = || Deadline::after(Duration::from_millis(wait::CALL_MS));
    // Never the freeze variable: a kill may set it between a look and the write.
    calls::set_variables(
        &connected.client,
        &connected.ids,
        &gathered.written.0,
        call(),
    )
    .await
    .map_err(unknown)?;
    let wanted = &gathered.plan.intent.settings;
    calls::set_settings(&connected.client, &connected.ids, wanted, call())
        .await
        .map_err(unknown)?;
    read_back(gathered).await
}

async fn read_back(gathered: &Gathered) -> Result<(), Refusal> {
    let connected = &gathered.connected;
    let call = || Deadline::after(Duration::from_millis(wait::CALL_MS));
    let unknown = |error: CallError| Refusal::Unknown(format!("reading variables back: {error}"));
    let after: BTreeMap<String, String> =
        platform::variables(&connected.client, &connected.ids, call())
            .await
            .map_err(unknown)?
            .into_iter()
            .map(|(name, value)| {
                (
                    name,
                    value.map_or_else(String::new, |v| v.expose().to_owned()),
                )
            })
            .collect();
    let control = gathered.tokens.control.expose().as_bytes();
    let seen = variables::salted(&after, &BTreeMap::new(), control);
    let planned = &gathered.plan.intent.variables;
    let names: BTreeSet<&String> = seen.keys().chain(planned.keys()).collect();
    let other: Vec<&str> = names
        .into_iter()
        .filter(|name| seen.get(*name) != planned.get(*name))
        .map(String::as_str)
        .collect();
    if !other.is_empty() {
        return Err(Refusal::Stale(format!(
            "the service's variables are not the planned ones: {}",
            other.join(", ")
        )));
    }
    let settings = calls::settings(&connected.client, &connected.ids, call())
        .await
        .map_err(unknown)?;
    let differing = settings.differing(&gathered.plan.intent.settings);
    if differing.is_empty() {
        return Ok(());
    }
    Err(Refusal::Unknown(format!(
        "the platform took the service settings but does not show them: {}",
        differing.join(", ")
    )))
}

/// Notes what is there now, so that a new deployment can be told from it. The hold before took seconds, in
/// which somebody without this machine's lock may have deployed.
///
/// # Errors
/// The platform cannot be asked (3), or something lives there that the plan does not know (5).
pub async fn note_before(gathered: &Gathered, sent: &SharedSent) -> Result<(), Refusal> {
    let previous = KillFile::read(&gathered.state, &gathered.env)
        .map_err(|error| Refusal::Unknown(error.to_string()))?
        .filter(|_| !gathered.plan.active_deployments.is_empty());
    let listed = newest(gathered)
        .await
        .map_err(|error| Refusal::Unknown(format!("listing deployments: {error}")))?;
    let strangers = strangers(&listed, &gathered.plan);
    if !strangers.is_empty() {
        return Err(Refusal::Stale(format!(
            "{} became live since plan {} was made: somebody else deployed; look first: launch status \
             --env {}",
            strangers.join(", "),
            gathered.plan.plan_id,
            gathered.env
        )));
    }
    let mut sent = sent.lock();
    sent.before = listed.into_iter().map(|deployment| deployment.id).collect();
    sent.previous = previous;
    Ok(())
}

/// Live deployments that the plan does not replace.
fn strangers<'a>(listed: &'a [Deployment], plan: &Plan) -> Vec<&'a str> {
    listed
        .iter()
        .filter(|deployment| deployment.is_live())
        .map(|deployment| deployment.id.as_str())
        .filter(|id| !plan.active_deployments.iter().any(|old| old == id))
        .collect()
}

/// Sends the deploy and learns the new deployment's id. From the first line on, whatever happens is
/// undone.
///
/// # Errors
/// Refused, or lost and not to be found.
pub async fn send(
    gathered: &Gathered,
    sent: &SharedSent,
    steps: &mut Steps,
) -> Result<String, Failure> {
    steps.begin("deploy");
    sent.lock().is_sent = true;
    let connected = &gathered.connected;
    let deadline = Deadline::after(Duration::from_millis(wait::SEND_MS));
    let commit = &gathered.plan.intent.commit;
    let answer = calls::deploy(&connected.client, &connected.ids, commit, deadline).await;
    let id = match answer {
        Ok(id) => id,
        Err(error) if error.may_have_acted() => {
            steps.say(&format!(
                "the answer was lost ({error}): looking for the deployment"
            ));
            find_lost(gathered, sent)
                .await?
                .ok_or_else(|| Failure::NeverAppeared(error.to_string()))?
        }
        Err(error) => return Err(Failure::NotAccepted(error.to_string())),
    };
    let facts = {
        let mut sent = sent.lock();
        sent.deployment_id = Some(id.clone());
        sent.clone()
    };
    kill_file::write(gathered, &facts).map_err(super::refusal::at("kill file"))?;
    steps.say(&format!("deployment {id}"));
    Ok(id)
}

/// The deployment that a lost answer made, if it shows up in time.
///
/// # Errors
/// More than one new deployment of the commit: which one is ours cannot be told.
pub async fn find_lost(gathered: &Gathered, sent: &SharedSent) -> Result<Option<String>, Failure> {
    let before = sent.lock().before.clone();
    let deadline = Deadline::after(Duration::from_millis(wait::LOST_ANSWER_MS));
    loop {
        if let Ok(listed) = newest(gathered).await {
            match new_of(&listed, &before, &gathered.plan).as_slice() {
                [] => {}
                [one] => return Ok(Some(one.clone())),
                several => {
                    return Err(Failure::Step {
                        step: "lost answer",
                        why: format!(
                            "{} are new and of this commit; which one is ours cannot be told",
                            several.join(", ")
                        ),
                    });
                }
            }
        }
        if deadline.is_over() {
            return Ok(None);
        }
        deadline
            .sleep(gathered.connected.poll.max(wait::TRADER_POLL))
            .await;
    }
}

/// New deployments that may be of the planned commit; one that does not tell its commit may be.
fn new_of(listed: &[Deployment], before: &BTreeSet<String>, plan: &Plan) -> Vec<String> {
    listed
        .iter()
        .filter(|deployment| !before.contains(&deployment.id))
        .filter(|deployment| {
            deployment
                .commit()
                .is_none_or(|commit| commit == plan.intent.commit)
        })
        .map(|deployment| deployment.id.clone())
        .collect()
}

async fn newest(gathered: &Gathered) -> Result<Vec<Deployment>, CallError> {
    let connected = &gathered.connected;
    let deadline = Deadline::after(Duration::from_millis(wait::CALL_MS));
    let listed =
        platform::deployments(&connected.client, &connected.ids, Listing::Newest, deadline).await?;
    Ok(listed.items)
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
