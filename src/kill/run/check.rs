//! `--check`: is everything there that a kill needs? Changes nothing.

use super::pursuit::{client, service_ids};
use super::{KillArgs, Progress, Surroundings, Unusable, complete, resolve};
use crate::client::Auth;
use crate::deadline::Deadline;
use crate::pace::Pace;
use crate::platform::{self, Listing};
use crate::targets::Target;
use crate::trader::Trader;
use crate::watchdog::Watchdog;
use serde::Serialize;

/// The report of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Format of the document.
    pub schema_version: u32,
    /// Always `true`: tells this document from the report of a kill.
    pub check: bool,
    /// Whether a kill of every target could be verified now, as far as can be told.
    pub ready: bool,
    /// One line per target and need.
    pub findings: Vec<Finding>,
}

/// One need of a kill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The target.
    pub env: String,
    /// `token`, `service`, `deployments`, `trader` or `watchdog`.
    pub what: &'static str,
    /// Whether it is met.
    pub status: FindingStatus,
    /// In words.
    pub detail: String,
}

/// Whether a need is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingStatus {
    /// Met.
    Ok,
    /// Not there; a kill works without it but proves less.
    Missing,
    /// Does not work.
    Failed,
}

/// Looks at every target.
///
/// # Errors
/// [`Unusable`] when nothing names a target.
pub async fn check(
    args: &KillArgs,
    around: &Surroundings,
    pace: &Pace,
    progress: &Progress,
) -> Result<CheckReport, Unusable> {
    let mut found = resolve(args, around)?;
    complete::complete(&mut found, args, pace).await?;
    for note in &found.notes {
        progress.say(format!("note: {note}"));
    }
    let mut findings = Vec::new();
    for (env, why) in found.unreadable {
        findings.push(Finding {
            env,
            what: "kill file",
            status: FindingStatus::Failed,
            detail: why,
        });
    }
    for target in &found.targets {
        of_target(target, pace, &mut findings).await;
    }
    let is_bad = findings
        .iter()
        .any(|finding| finding.status == FindingStatus::Failed);
    let has_witness = |target: &Target| {
        findings.iter().any(|finding| {
            finding.env == target.env
                && matches!(finding.what, "trader" | "watchdog")
                && finding.status == FindingStatus::Ok
        })
    };
    let ready = !is_bad && found.targets.iter().all(has_witness);
    Ok(CheckReport {
        schema_version: 1,
        check: true,
        ready,
        findings,
    })
}

async fn of_target(target: &Target, pace: &Pace, findings: &mut Vec<Finding>) {
    let limit = Deadline::after(pace.request_timeout);
    let mut add = |what, status, detail: String| {
        findings.push(Finding {
            env: target.env.clone(),
            what,
            status,
            detail,
        });
    };
    for doubt in &target.doubts {
        add("ids", FindingStatus::Failed, doubt.clone());
    }
    if let (Some(client), Some(ids)) = (client(target, pace), service_ids(target)) {
        for auth in &target.auths {
            let (status, detail) = match auth {
                Auth::Bearer(_) => (
                    FindingStatus::Ok,
                    "an account or workspace token is set".to_owned(),
                ),
                Auth::Project(_) => {
                    match platform::project_token(&client.with_auth(auth.clone()), limit).await {
                        Ok(scope) if scope.environment_id == ids.environment_id => (
                            FindingStatus::Ok,
                            "the project token belongs to this environment".to_owned(),
                        ),
                        Ok(scope) => (
                            FindingStatus::Failed,
                            format!(
                                "the project token belongs to environment {}",
                                scope.environment_id
                            ),
                        ),
                        Err(error) => (FindingStatus::Failed, error.to_string()),
                    }
                }
            };
            add("token", status, detail);
        }
        match platform::service_exists(&client, &ids, limit).await {
            Ok(name) => add(
                "service",
                FindingStatus::Ok,
                format!("service {name} exists"),
            ),
            Err(error) => add("service", FindingStatus::Failed, error.to_string()),
        }
        match platform::deployments(&client, &ids, Listing::NotFinal, limit).await {
            Ok(list) => {
                let live = list.items.iter().filter(|item| item.is_live()).count();
                add("deployments", FindingStatus::Ok, format!("{live} live"));
            }
            Err(error) => add("deployments", FindingStatus::Failed, error.to_string()),
        }
    } else {
        add(
            "token",
            FindingStatus::Failed,
            "no platform token, or no service id".into(),
        );
    }
    let (status, detail) = trader(target, limit).await;
    add("trader", status, detail);
    if let Some(url) = &target.watchdog_url {
        let answer = match Watchdog::new(url.clone(), target.halt_tokens.first().cloned()) {
            Ok(watchdog) => watchdog.health(limit).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(_) => add("watchdog", FindingStatus::Ok, format!("{url} answers")),
            Err(error) => add("watchdog", FindingStatus::Failed, format!("{url}: {error}")),
        }
    }
}

async fn trader(target: &Target, limit: Deadline) -> (FindingStatus, String) {
    let Some(url) = &target.trader_url else {
        return (
            FindingStatus::Missing,
            "no trader address is known: a kill is platform_only".into(),
        );
    };
    let Some(token) = target.halt_tokens.first() else {
        return (FindingStatus::Missing, "no halt token is known".into());
    };
    let answer = match Trader::new(url.clone(), Some(token.clone())) {
        Ok(trader) => trader.health(limit).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(health) => {
            let nonce = health.nonce.unwrap_or_else(|| "(no nonce)".into());
            (
                FindingStatus::Ok,
                format!("{url} takes the halt token, instance {nonce}"),
            )
        }
        Err(error) => (FindingStatus::Failed, format!("{url}: {error}")),
    }
}
