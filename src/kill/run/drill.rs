//! A drill: the same kill, but only of something that runs and about which nothing disagrees.
//!
//! Reads only; whatever is not as it should be ends the drill before anything is asked to stop.

use super::pursuit::{client, service_ids};
use crate::client::Auth;
use crate::deadline::Deadline;
use crate::pace::Pace;
use crate::platform::{self, Listing};
use crate::targets::{Resolved, Target, Unusable};

/// Refuses unless every target runs and is beyond doubt.
pub(crate) async fn refuse_unless_ready(
    found: &Resolved,
    pace: &Pace,
    limit: Deadline,
) -> Result<(), Unusable> {
    if let Some((env, why)) = found.unreadable.first() {
        return Err(Unusable(format!(
            "no drill: the kill file of {env} is unusable: {why}"
        )));
    }
    for target in &found.targets {
        ready(target, pace, limit).await.map_err(|why| {
            Unusable(format!(
                "no drill on {}: {why}. Nothing was asked to stop",
                target.env
            ))
        })?;
    }
    Ok(())
}

async fn ready(target: &Target, pace: &Pace, limit: Deadline) -> Result<(), String> {
    if let Some(doubt) = target.doubts.first() {
        return Err(doubt.clone());
    }
    let (Some(client), Some(ids)) = (client(target, pace), service_ids(target)) else {
        return Err("its platform cannot be asked (token, service id)".into());
    };
    let limit = limit.at_most(pace.request_timeout);
    for auth in target
        .auths
        .iter()
        .filter(|auth| matches!(auth, Auth::Project(_)))
    {
        let scope = platform::project_token(&client.with_auth(auth.clone()), limit).await;
        let scope = scope.map_err(|error| format!("a token cannot be checked: {error}"))?;
        if scope.environment_id != ids.environment_id {
            return Err(format!(
                "a token belongs to environment {}",
                scope.environment_id
            ));
        }
    }
    let list = platform::deployments(&client, &ids, Listing::NotFinal, limit)
        .await
        .map_err(|error| format!("its deployments cannot be listed: {error}"))?;
    if !list.items.iter().any(crate::deployment::is_live) {
        return Err("nothing runs there, and a drill on nothing is not a drill".into());
    }
    Ok(())
}
