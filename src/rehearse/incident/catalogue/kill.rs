//! Faults under a kill: whatever platform and network do, 0 is said only over a dead trader.

use super::{row, when};
use crate::loopback::{Faults, NetworkFault, NetworkKind, OnCommand, Revive, Reviver, set_faults};
use crate::rehearse::document::text;
use crate::rehearse::incident::{Incident, Outcome};
use crate::rehearse::life;
use crate::rehearse::running::Running;
use crate::rehearse::scratch::{RehearseError, Scratch};

const TRY: &str = "launch platform faults --set '…'; launch kill --env staging";
/// Long enough for every escalation on a platform at a tenth of Railway's pace, seconds.
const ENOUGH_SECS: &str = "30";
/// Short: the platform will not give a proof, and the kill must say so in time.
const SHORT_SECS: &str = "5";

pub(super) const ROWS: &[Incident] = &[
    row(
        "kill-graphql-error",
        "HTTP 200 with a GraphQL error under a stop",
        "every deploymentStop is answered with \"Problem processing request\"",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:errors_are_errors",
                &on("deploymentStop", NetworkKind::ProblemProcessing),
            )
        },
    ),
    row(
        "kill-no-data",
        "HTTP 200 with nothing in it",
        "every deploymentStop is carried out nowhere and answered with {\"data\": null}, which is no success",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:no_data_is_no_success",
                &Faults {
                    stop: OnCommand::AcknowledgedOnly,
                    ..on("deploymentStop", NetworkKind::NoData)
                },
            )
        },
    ),
    row(
        "kill-rate-limited",
        "A platform that answers 429",
        "the first three requests are rate limited, a second each",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:retry_after",
                &few(
                    3,
                    NetworkKind::RateLimited {
                        retry_after_secs: 1,
                    },
                ),
            )
        },
    ),
    row(
        "kill-connection-reset",
        "A network that breaks connections",
        "the first four requests are reset",
        TRY,
        |scratch| proved(scratch, "kill:tries_again", &few(4, NetworkKind::Reset)),
    ),
    row(
        "kill-brought-back",
        "Something deploys it again after the kill",
        "auto-deploy brings the service back, for ever",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:settle_window",
                &Faults {
                    revive: Some(Revive {
                        by: Reviver::AutoDeploy,
                        times: None,
                    }),
                    ..Faults::default()
                },
            )
        },
    ),
    row(
        "kill-restarted",
        "Somebody restarts it under the kill",
        "the same deployment is started again, once",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:settle_window",
                &Faults {
                    revive: Some(Revive {
                        by: Reviver::Restart,
                        times: Some(1),
                    }),
                    ..Faults::default()
                },
            )
        },
    ),
    row(
        "kill-sigterm-ignored",
        "A trader that is only asked to end",
        "the platform never sends SIGKILL after SIGTERM",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:escalated",
                &Faults {
                    draining_ignored: true,
                    ..Faults::default()
                },
            )
        },
    ),
    row(
        "kill-unknown-status",
        "A deployment status that nobody knows",
        "the first three answers call every status something new: unknown is live",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:unknown_is_live",
                &few(3, NetworkKind::UnknownStatus),
            )
        },
    ),
    row(
        "kill-clock-wrong",
        "A clock that is wrong by a day",
        "every time in the platform's answers is a day ahead",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:no_wall_clock",
                &on("", NetworkKind::ClockSkew { secs: 86_400 }),
            )
        },
    ),
    row(
        "kill-build-in-progress",
        "A build in progress while the old one is stopped",
        "a second deployment hangs in BUILDING beside the running one",
        TRY,
        build_in_progress,
    ),
    row(
        "kill-wrong-token",
        "A token that is not for this",
        "every request is Not Authorized: no word of success",
        TRY,
        |scratch| unproved(scratch, &on("", NetworkKind::NotAuthorized)),
    ),
    row(
        "kill-no-network",
        "A platform that never answers",
        "every connection hangs: the kill says so before its deadline is over",
        TRY,
        |scratch| unproved(scratch, &on("", NetworkKind::Hang)),
    ),
    row(
        "kill-zombie",
        "REMOVED, and alive",
        "stop and remove are reported and not done: the process lives on under REMOVED",
        TRY,
        |scratch| {
            proved(
                scratch,
                "kill:witness",
                &Faults {
                    stop: OnCommand::ReportedOnly,
                    remove: OnCommand::ReportedOnly,
                    cancel: OnCommand::ReportedOnly,
                    ..Faults::default()
                },
            )
        },
    ),
    row(
        "kill-no-token",
        "A kill without any token",
        "ids on the command line and nothing else",
        "launch kill --project-id P --environment-id E --service-id S",
        |scratch| {
            let ran = scratch.launch(&[
                "kill",
                "--project-id",
                "p",
                "--environment-id",
                "e",
                "--service-id",
                "s",
            ])?;
            let said = ran
                .stderr
                .lines()
                .find(|line| line.contains("no platform token"))
                .unwrap_or_default()
                .trim()
                .to_owned();
            Ok(when(
                matches!(ran.code, Some(2 | 7)) && !said.is_empty(),
                &["kill:names_what_it_lacks"],
                format!("exit {}: {said}", ran.code.unwrap_or(-1)),
            ))
        },
    ),
    row(
        "kill-other-ids-around",
        "The ids of another environment in the shell",
        "RAILWAY_* of another project and a foreign endpoint in the environment, a kill file of this one",
        "RAILWAY_SERVICE_ID=other launch kill --env staging",
        other_ids_around,
    ),
];

/// A fault for every request of one root field (all requests when empty), for ever.
fn on(field: &str, kind: NetworkKind) -> Faults {
    let operations = if field.is_empty() {
        Vec::new()
    } else {
        vec![field.to_owned()]
    };
    network(NetworkFault {
        kind,
        operations,
        times: None,
    })
}

/// A fault for the next few requests.
fn few(times: u32, kind: NetworkKind) -> Faults {
    network(NetworkFault {
        kind,
        operations: Vec::new(),
        times: Some(times),
    })
}

fn network(fault: NetworkFault) -> Faults {
    Faults {
        network: vec![fault],
        ..Faults::default()
    }
}

fn running(scratch: &mut Scratch) -> Result<(), RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    life::deploy(scratch)?;
    if life::living_traders(scratch)? == 0 {
        return Err(RehearseError::Wrong("no trader runs".to_owned()));
    }
    Ok(())
}

fn tell(scratch: &Scratch, faults: &Faults) -> Result<(), RehearseError> {
    set_faults(&scratch.state(), faults).map_err(|error| RehearseError::Wrong(error.to_string()))
}

fn kill(scratch: &Scratch, deadline: &str) -> Result<(Option<i32>, String), RehearseError> {
    let ran = scratch.launch(&[
        "kill",
        "--env",
        "staging",
        "--settle",
        "2",
        "--deadline",
        deadline,
        "--format",
        "json",
    ])?;
    let verdict = text(&ran.json()?, "/verdict").to_owned();
    Ok((ran.code, verdict))
}

/// The fault is one that a kill can get past: verified, and nothing lives.
fn proved(scratch: &mut Scratch, by: &str, faults: &Faults) -> Result<Outcome, RehearseError> {
    running(scratch)?;
    tell(scratch, faults)?;
    let (code, verdict) = kill(scratch, ENOUGH_SECS)?;
    let alive = life::living_traders(scratch)?;
    Ok(when(
        code == Some(0) && verdict == "verified" && alive == 0,
        &[by],
        format!(
            "{verdict} (exit {}), traders alive {alive}",
            code.unwrap_or(-1)
        ),
    ))
}

/// Nobody can prove a stop here: exit 7 and never 0; with the fault gone the same command proves it.
fn unproved(scratch: &mut Scratch, faults: &Faults) -> Result<Outcome, RehearseError> {
    running(scratch)?;
    tell(scratch, faults)?;
    let (code, verdict) = kill(scratch, SHORT_SECS)?;
    let before = life::living_traders(scratch)?;
    tell(scratch, &Faults::default())?;
    let (then, proof) = kill(scratch, ENOUGH_SECS)?;
    let after = life::living_traders(scratch)?;
    Ok(when(
        code == Some(7) && then == Some(0) && after == 0,
        &["kill:read_back", "exit:7"],
        format!(
            "{verdict} (exit {}) with {before} traders alive; without the fault {proof}, alive {after}",
            code.unwrap_or(-1)
        ),
    ))
}

fn build_in_progress(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    running(scratch)?;
    let hanging = Faults {
        builds_hang: true,
        ..Faults::default()
    };
    tell(scratch, &hanging)?;
    let beside = Running::of(scratch, "staging")?.deploy_beside(&life::head(scratch)?)?;
    let (code, verdict) = kill(scratch, ENOUGH_SECS)?;
    // What was only told to wait would go live now.
    tell(scratch, &Faults::default())?;
    scratch.sleep(std::time::Duration::from_secs(3));
    let alive = life::living_traders(scratch)?;
    Ok(when(
        code == Some(0) && alive == 0,
        &["kill:cancels_builds"],
        format!("{verdict}; build {beside} cancelled, traders alive {alive} after builds go on"),
    ))
}

fn other_ids_around(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    running(scratch)?;
    let args = [
        "kill",
        "--env",
        "staging",
        "--settle",
        "2",
        "--deadline",
        ENOUGH_SECS,
    ];
    let ran = scratch.launch_with(
        &args,
        &[
            ("RAILWAY_PROJECT_ID", "another-project"),
            ("RAILWAY_ENVIRONMENT_ID", "another-environment"),
            ("RAILWAY_SERVICE_ID", "another-service"),
            ("RAILWAY_TOKEN", "another-token"),
        ],
    )?;
    let alive = life::living_traders(scratch)?;
    let said = format!("{}{}", ran.stdout, ran.stderr);
    let named = said
        .lines()
        .find(|line| line.contains("RAILWAY_") && line.contains("ignored"))
        .unwrap_or_default()
        .trim()
        .to_owned();
    Ok(when(
        ran.code == Some(0) && alive == 0 && !named.is_empty(),
        &["kill:own_ids_only"],
        format!(
            "exit {}, traders alive {alive}; {named}",
            ran.code.unwrap_or(-1)
        ),
    ))
}
