//! `--check`: is everything there that a kill needs? Changes nothing.

use super::pursuit::{client, service_ids};
use super::{KillArgs, Progress, Surroundings, Unusable, complete, resolve};
use super::{check_here, check_venue};
use crate::client::Auth;
use crate::deadline::Deadline;
use crate::pace::Pace;
use crate::platform::{self, Listing};
use crate::targets::Target;
use crate::trader::Trader;
use crate::watchdog::Watchdog;
use jiff::SignedDuration;
use serde::Serialize;
use std::time::Duration;

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
    /// `ids`, `kill_file`, `token`, `token_file`, `service`, `deployments`, `trader`, `watchdog`,
    /// `venue`, `clock` or `state_dir`.
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
    /// Works, and is odd: to be put right by day.
    Warning,
    /// Not there; a kill works without it but proves less.
    Missing,
    /// Does not work.
    Failed,
}

/// Longest time that [`check_env`] may take to find ids which are missing.
const COMPLETE_MAX: Duration = Duration::from_secs(10);
/// How far this machine's clock may be from the platform's before it is odd. Lower bound: the
/// platform tells whole seconds, and an answer takes time.
const CLOCK_OFFSET_MAX: SignedDuration = SignedDuration::from_secs(5);

/// Looks at one environment, or at every one that the state directory knows: `launch kill --check`
/// for programs (preflight's target phase, `doctor`).
///
/// # Errors
/// [`Unusable`] when nothing names a target.
pub async fn check_env(env: Option<&str>, around: &Surroundings) -> Result<CheckReport, Unusable> {
    let args = KillArgs {
        env: env.map(str::to_owned),
        check: true,
        deadline: COMPLETE_MAX,
        ..KillArgs::default()
    };
    check(&args, around, &Pace::default(), &Progress::silent()).await
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
    complete::complete(&mut found, args, pace, true).await?;
    for note in &found.notes {
        progress.say(format!("note: {note}"));
    }
    let mut findings = Vec::new();
    for (env, why) in found.unreadable {
        findings.push(Finding {
            env,
            what: "kill_file",
            status: FindingStatus::Failed,
            detail: why,
        });
    }
    for target in &found.targets {
        let mut looks = check_here::look(target, around);
        let limit = Deadline::after(pace.request_timeout);
        looks.push(check_venue::look(target, around, limit).await);
        for (what, status, detail) in looks {
            findings.push(Finding {
                env: target.env.clone(),
                what,
                status,
                detail,
            });
        }
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
        let (status, detail) = clock(client.server_time(limit).await, jiff::Timestamp::now());
        add("clock", status, detail);
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

/// A kill counts on no clock; what it writes down does (freeze, records).
fn clock(server: Option<jiff::Timestamp>, here: jiff::Timestamp) -> (FindingStatus, String) {
    let Some(server) = server else {
        return (
            FindingStatus::Missing,
            "the platform does not say what time it is".into(),
        );
    };
    let offset = here.duration_since(server);
    let told = format!("{} s from the platform's", offset.as_secs());
    let status = if offset.abs() > CLOCK_OFFSET_MAX {
        FindingStatus::Warning
    } else {
        FindingStatus::Ok
    };
    (status, told)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_by_a_day_is_odd() {
        let at = |secs| jiff::Timestamp::from_second(secs).unwrap();
        assert_eq!(clock(None, at(0)).0, FindingStatus::Missing);
        for (server, here, wanted) in [
            (1_000_000, 1_000_005, FindingStatus::Ok),
            (1_000_000, 1_000_006, FindingStatus::Warning),
            (1_000_000, 1_000_000 - 86_400, FindingStatus::Warning),
        ] {
            assert_eq!(clock(Some(at(server)), at(here)).0, wanted, "{here}");
        }
    }
}
