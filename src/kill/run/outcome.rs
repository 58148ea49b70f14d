//! From the board to the report: what an operator reads, and what to do next.

use super::assess::{self, Frame};
use super::board::{Board, PathRecord, ServiceFreeze, State, WatchdogRecord, ms};
use super::pursuit::{Job, reenable};
use crate::report::{Change, DeploymentReport, PathReport, Position, TargetReport};
use crate::verdict::{Goal, Verdict};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Most positions that the runbook names one by one; the report lists them all.
const STEPS_MAX: usize = 10;

/// How the pursuit ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) verdict: Verdict,
    pub(crate) reason: &'static str,
    pub(crate) started_at: String,
    pub(crate) elapsed: Duration,
}

/// The report of one target.
pub(crate) fn report(job: &Job, board: &Board, frame: &Frame, end: End) -> TargetReport {
    let now = Instant::now();
    board.read(|state| TargetReport {
        env: job.target.env.clone(),
        verdict: end.verdict,
        reason: reason(state, job, &end),
        started_at: end.started_at,
        elapsed_ms: ms(end.elapsed),
        deadline_ms: ms(job.span),
        first_ack_ms: [
            state.trader_path.acknowledged_ms,
            state.platform_path.acknowledged_ms,
            state.venue_path.acknowledged_ms,
        ]
        .into_iter()
        .flatten()
        .min(),
        paths: vec![
            path("trader", &state.trader_path),
            path("platform", &state.platform_path),
            path_of_venue(state),
        ],
        deployments: deployments(state),
        witnesses: assess::witnesses(state, frame, now),
        open_orders: assess::open_orders(state),
        positions: positions(state),
        flatten: state.flatten.clone(),
        changed: changed(state, job),
        may_restart: may_restart(state, job),
        runbook: runbook(job, end.verdict)
            .into_iter()
            .chain(positions_left(state))
            .collect(),
    })
}

fn reason(state: &State, job: &Job, end: &End) -> String {
    let mut parts = vec![end.reason.to_owned()];
    if state.bugs > 0 {
        parts = vec!["a path of the kill broke: a bug".to_owned()];
    } else if !state.doubts.is_empty() {
        parts.push(state.doubts.join("; "));
    }
    if end.verdict == Verdict::PlatformOnly && assess::never_ran(state) {
        parts.push(
            "it was cancelled while queued or building, so it never ran, by the platform's own \
             account alone"
                .to_owned(),
        );
    }
    if end.verdict.exit_code() != 0 && end.elapsed >= job.span {
        parts.push(format!("deadline of {} s reached", job.span.as_secs_f32()));
    }
    parts.join("; ")
}

fn path(path: &'static str, record: &PathRecord) -> PathReport {
    PathReport {
        path,
        status: record.status,
        requested_ms: record.requested_ms,
        acknowledged_ms: record.acknowledged_ms,
        confirmed_ms: record.confirmed_ms,
        detail: record.detail.clone(),
    }
}

fn path_of_venue(state: &State) -> PathReport {
    let mut report = path("venue", &state.venue_path);
    if let Some(note) = &state.venue.positions_note {
        let parts = [report.detail.as_str(), note.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        report.detail = parts.join("; ");
    }
    report
}

/// What the trader told, and what the venue's public data shows beside it: a position that the trader
/// does not know can lose all the same.
fn positions(state: &State) -> Option<Vec<Position>> {
    let Some(told) = &state.positions else {
        return state.venue.positions.clone();
    };
    let mut all = told.clone();
    let known: BTreeSet<&str> = told
        .iter()
        .map(|position| position.token.as_str())
        .collect();
    let beside = state.venue.positions.iter().flatten();
    all.extend(
        beside
            .filter(|position| !known.contains(position.token.as_str()))
            .cloned(),
    );
    Some(all)
}

fn deployments(state: &State) -> Vec<DeploymentReport> {
    state
        .tracks
        .iter()
        .map(|(id, track)| DeploymentReport {
            id: id.clone(),
            status_seen: track.status_seen.clone(),
            action: track.last_action.map(super::board::Action::as_str),
            acknowledged_ms: track.acknowledged_ms,
            confirmed_ms: track.confirmed_ms,
            final_status: track.final_status.clone(),
        })
        .collect()
}

/// What was done, with the way back.
fn changed(state: &State, job: &Job) -> Vec<Change> {
    let env = &job.target.env;
    let mut all = Vec::new();
    if state
        .traders
        .values()
        .any(|trader| !trader.halted.is_empty())
    {
        let what = match job.goal {
            Goal::Stop => "the trader is halted; its ledger keeps the halt over restarts",
            Goal::ReduceOnly => "the trader's entries are off; its ledger keeps that over restarts",
        };
        all.push(Change {
            what: what.to_owned(),
            put_back: reenable(job),
        });
    }
    for (id, track) in &state.tracks {
        let was_running = track.was_live || track.status_seen.is_none();
        if let (Some(action), Some(_), true) =
            (track.last_action, track.acknowledged_ms, was_running)
        {
            all.push(Change {
                what: format!("deployment {id}: {} accepted", action.as_str()),
                put_back: format!("launch deploy --env {env} (after reenable)"),
            });
        }
    }
    all.extend(state.venue.cancelled_orders().map(|what| Change {
        what,
        put_back: "place by hand what somebody else wanted there".to_owned(),
    }));
    all.extend(state.changed.iter().cloned());
    all
}

/// What could start it again, from what was seen.
fn may_restart(state: &State, job: &Job) -> Vec<String> {
    let mut all: Vec<String> = state.may_restart.iter().cloned().collect();
    let is_watchdog_frozen = matches!(state.watchdog, WatchdogRecord::Revoked { .. });
    if let (Some(_), ServiceFreeze::NotSet(why), false) =
        (&job.freeze, &state.service_freeze, is_watchdog_frozen)
    {
        let why = why.as_deref().unwrap_or("the platform is not in reach");
        all.push(format!(
            "another operator's deploy: the freeze is on this machine only ({why})"
        ));
    }
    if state.platform_gone_at.is_some() {
        all.push(
            "this machine's platform, once it is started again: it goes on with a deployment that \
             was still queued or building when it ended"
                .to_owned(),
        );
    }
    for (id, track) in &state.tracks {
        if track.final_status.as_deref() == Some("SUCCESS (stopped)") {
            all.push(format!(
                "a restart or redeploy of {id} by hand: its record is kept"
            ));
        }
        if track.times_back > 0 {
            all.push(format!(
                "whatever brought {id} back {} time(s) during this kill",
                track.times_back
            ));
        }
        let settings = track
            .last
            .as_ref()
            .and_then(|last| last.meta.pointer("/serviceManifest/deploy"));
        let setting = |name: &str| settings?.get(name).and_then(Value::as_str);
        if let Some(cron) = setting("cronSchedule") {
            all.push(format!("the service's cron schedule `{cron}`"));
        }
        if setting("restartPolicyType") == Some("ALWAYS") {
            all.push(format!("the restart policy ALWAYS of {id}"));
        }
    }
    if !job.target.is_local && !state.tracks.is_empty() {
        all.push(
            "a variable written without skipDeploys, or Railway moving the service".to_owned(),
        );
    }
    all
}

/// What was to be sold and was not stays open: nobody trades it any more.
fn positions_left(state: &State) -> Vec<String> {
    let positions = state.positions.as_deref().unwrap_or_default();
    let step = |position: &Position| {
        let left = super::flatten::unsold(position)?;
        let page = position.link.as_deref().unwrap_or("the venue's own page");
        Some(format!("sell by hand, or let it settle: {left}; {page}"))
    };
    positions.iter().filter_map(step).take(STEPS_MAX).collect()
}

/// What to do now.
fn runbook(job: &Job, verdict: Verdict) -> Vec<String> {
    let target = &job.target;
    let mut steps = Vec::new();
    if matches!(
        verdict,
        Verdict::Verified | Verdict::NothingRunning | Verdict::Reduced
    ) {
        return steps;
    }
    let page = target
        .dashboard_url
        .as_deref()
        .unwrap_or("https://railway.com/dashboard");
    if target.is_local {
        steps.push("look for the process: ps -ef | grep 'launch trade', and end it".to_owned());
    } else {
        steps.push(format!(
            "open {page}, remove every deployment of the service, look at its logs for new lines"
        ));
    }
    steps.push(match job.goal {
        Goal::Stop => format!(
            "run it again: launch kill --env {} --deadline 120s",
            target.env
        ),
        Goal::ReduceOnly => format!(
            "stop it instead, it asks for no answer of the trader: launch kill --env {}",
            target.env
        ),
    });
    if verdict == Verdict::PlatformOnly {
        steps.push(
            "make a witness possible: LAUNCH_TRADER_URL and LAUNCH_HALT_TOKEN, or the watchdog"
                .to_owned(),
        );
    }
    if target.auths.is_empty() {
        steps.push("set RAILWAY_TOKEN to a project token of this environment".to_owned());
    }
    if target.may_be_live && job.goal == Goal::Stop {
        steps.push("cancel open orders and look at positions on the venue's own page".to_owned());
    }
    steps
}
