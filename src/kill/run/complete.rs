//! Ids that are missing are asked of the platform: a project token knows its environment, and an
//! environment knows its services.
//!
//! Only where they are missing: with ids known the first stop waits for nothing.

use super::pursuit::client;
use crate::args::KillArgs;
use crate::client::Client;
use crate::deadline::Deadline;
use crate::deployment::Deployment;
use crate::pace::Pace;
use crate::platform::{self, Service};
use crate::targets::{Resolved, Target, Unusable};
use std::fmt::Write;

/// Whether ids are missing that the platform could tell.
pub(crate) fn has_gap(target: &Target, pace: &Pace) -> bool {
    let needs = target.environment_id.is_none() || target.service_id.is_none();
    needs && client(target, pace).is_some()
}

/// Fills in what is missing, or says what to paste. `is_all` = there is no target beside these.
pub(crate) async fn complete(
    found: &mut Resolved,
    args: &KillArgs,
    pace: &Pace,
    is_all: bool,
) -> Result<(), Unusable> {
    let is_only = is_all && found.targets.len() == 1;
    let mut complete = Vec::new();
    for target in std::mem::take(&mut found.targets) {
        let needs = target.environment_id.is_none() || target.service_id.is_none();
        let limit = Deadline::after(pace.request_timeout).at_most(args.deadline);
        let Some(client) = client(&target, pace).filter(|_| needs) else {
            complete.push(target);
            continue;
        };
        match fill(target.clone(), &client, args, limit).await {
            Ok(targets) => complete.extend(targets),
            // Another way is left, or others are to be stopped: one gap must not keep them alive.
            Err(why) if !is_only || target.trader_url.is_some() => {
                found.notes.push(why.to_string());
                complete.push(target);
            }
            Err(why) => return Err(why),
        }
    }
    found.targets = complete;
    Ok(())
}

async fn fill(
    mut target: Target,
    client: &Client,
    args: &KillArgs,
    limit: Deadline,
) -> Result<Vec<Target>, Unusable> {
    let mut known_services = None;
    if target.environment_id.is_none() {
        // Side by side: where the platform does not tell everything at once, no time is lost.
        let (overview, scope) = tokio::join!(
            platform::token_overview(client, limit),
            platform::project_token(client, limit),
        );
        let scope = match overview {
            Ok(overview) => {
                known_services = Some(overview.services);
                Ok(overview.scope)
            }
            Err(_) => scope,
        };
        let scope = scope.map_err(|error| {
            Unusable(format!(
                "the environment is not known and the token does not tell it ({error}): set \
                 RAILWAY_ENVIRONMENT_ID or pass --environment-id"
            ))
        })?;
        target.environment_id.get_or_insert(scope.environment_id);
        target.project_id.get_or_insert(scope.project_id);
    } else if target.project_id.is_none()
        && let Ok(scope) = platform::project_token(client, limit).await
    {
        target.project_id.get_or_insert(scope.project_id);
    }
    if target.service_id.is_some() {
        let known = known_services.unwrap_or_default();
        return Ok(vec![with_running(target, &known)]);
    }
    let environment = target.environment_id.clone().unwrap_or_default();
    let known = match known_services {
        Some(known) => known,
        None => platform::services(client, &environment, target.project_id.as_deref(), limit)
            .await
            .map_err(|error| {
                Unusable(format!(
                    "cannot list the services of environment {environment}: {error}"
                ))
            })?
            .into_iter()
            .map(|service| (service, Vec::new()))
            .collect(),
    };
    let services: Vec<&Service> = known.iter().map(|(service, _)| service).collect();
    // On this machine an environment is one project's: its only service is the one that is meant.
    if let ([only], true) = (services.as_slice(), target.is_local) {
        target.service_id = Some(only.id.clone());
        return Ok(vec![target]);
    }
    if args.all_services {
        return Ok(services
            .iter()
            .map(|service| with_running(one_of(&target, service), &known))
            .collect());
    }
    Err(Unusable(which(&environment, &services)))
}

/// What runs is stopped before anything else is read; builds are found by the first listing.
fn with_running(target: Target, known: &[(Service, Vec<Deployment>)]) -> Target {
    let running = known
        .iter()
        .filter(|(service, _)| target.service_id.as_ref() == Some(&service.id))
        .flat_map(|(_, active)| active)
        .find(|deployment| deployment.is_live() && !deployment.status.is_in_progress())
        .map(|deployment| deployment.id.clone());
    Target {
        deployment_id: target.deployment_id.or(running),
        ..target
    }
}

fn one_of(target: &Target, service: &Service) -> Target {
    Target {
        env: format!("{}/{}", target.env, service.name),
        service_id: Some(service.id.clone()),
        ..target.clone()
    }
}

/// The services, each with the line to paste.
fn which(environment: &str, services: &[&Service]) -> String {
    let mut text = format!(
        "no service id is known. Environment {environment} has {}; paste one line:\n",
        services.len()
    );
    for service in services {
        // Writing to a String cannot fail.
        let _ok = writeln!(
            text,
            "  launch kill --service-id {}   # {}",
            service.id, service.name
        )
        .is_ok();
    }
    text.push_str("  launch kill --all-services   # all of them");
    text
}
