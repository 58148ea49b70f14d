//! From the board to evidence: what each witness says, and whether more waiting can help.
//!
//! Pure over a snapshot and a point in time. The judgement itself is `verdict`'s.

use super::board::{Outcome, Probe, ReadBack, ServiceFreeze, State, TraderRecord, WatchdogRecord};
use crate::process::Life;
use crate::report::{PathStatus, WitnessReport};
use crate::trader::Extent;
use crate::verdict::{Evidence, Goal, Orders, PlatformSays, WitnessStatus, judge};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What of the target does not change during the run.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) goal: Goal,
    /// Mode live or unknown: zero open orders are part of the proof.
    pub(crate) may_be_live: bool,
    /// Deployments of other known targets: an answer of theirs is not ours.
    pub(crate) foreign_deployments: BTreeSet<String>,
    /// Whether a platform path exists.
    pub(crate) has_platform: bool,
    pub(crate) silent_probes: u32,
    /// When the run began.
    pub(crate) started: Instant,
    /// The whole time allowed.
    pub(crate) span: Duration,
}

/// What the platform says over all services of the target: the worst.
pub(crate) fn platform_says(state: &State) -> PlatformSays {
    if state.platform_gone_at.is_some() {
        return PlatformSays::GoneItself;
    }
    let mut says = None;
    for sweep in state.sweeps.values() {
        says = Some(match (says, sweep.says) {
            (Some(PlatformSays::Live), _) | (_, PlatformSays::Live) => PlatformSays::Live,
            (Some(PlatformSays::Nothing), _) | (_, PlatformSays::Nothing) => PlatformSays::Nothing,
            (_, other) => other,
        });
    }
    says.unwrap_or(PlatformSays::Nothing)
}

/// When the platform began to say dead, if it does.
pub(crate) fn dead_at(state: &State) -> Option<Instant> {
    match platform_says(state) {
        PlatformSays::Dead => state
            .sweeps
            .values()
            .filter_map(|sweep| sweep.dead_at)
            .max(),
        PlatformSays::GoneItself => state.platform_gone_at,
        PlatformSays::Live | PlatformSays::Nothing => None,
    }
}

/// All witnesses that this target has.
pub(crate) fn witnesses(state: &State, frame: &Frame, now: Instant) -> Vec<WitnessReport> {
    let mut all = Vec::new();
    for (url, trader) in &state.traders {
        all.push(halt_witness(url, trader, state, frame));
        all.push(endpoint_witness(url, trader, state, frame));
    }
    all.extend(watchdog_witness(&state.watchdog, is_seen_dead(state), now));
    all.extend(process_witness(state));
    all
}

fn witness(name: &'static str, status: WitnessStatus, detail: impl Into<String>) -> WitnessReport {
    WitnessReport {
        name,
        status,
        detail: detail.into(),
    }
}

/// The instance that was halted and asked back, if it is one of ours.
fn proved_halt<'a>(
    trader: &'a TraderRecord,
    state: &State,
    wanted: &[Extent],
) -> Option<(&'a String, &'a ReadBack)> {
    trader.read_back.iter().find(|(nonce, back)| {
        wanted.contains(&back.extent)
            && trader.halted.contains(*nonce)
            && is_ours(nonce, back, trader, state)
    })
}

/// Ours: the instance that deploy verified, or one of a deployment that the platform lists for
/// this service with no other copy beside it.
fn is_ours(nonce: &str, back: &ReadBack, trader: &TraderRecord, state: &State) -> bool {
    let single = |id: &String| {
        state
            .tracks
            .get(id)
            .and_then(|track| track.last.as_ref())
            .is_some_and(|deployment| {
                deployment
                    .instances
                    .as_ref()
                    .is_some_and(|copies| copies.len() <= 1)
            })
    };
    trader.expected_nonce.as_deref() == Some(nonce)
        || back.deployment_id.as_ref().is_some_and(single)
}

fn halt_witness(url: &str, trader: &TraderRecord, state: &State, frame: &Frame) -> WitnessReport {
    let wanted: &[Extent] = match frame.goal {
        Goal::Stop => &[Extent::Full],
        Goal::ReduceOnly => &[Extent::Full, Extent::ReduceOnly],
    };
    if let Some((nonce, _)) = proved_halt(trader, state, wanted) {
        let detail = format!("instance {nonce} at {url} acknowledged the halt and said so again");
        return witness("trader_halt", WitnessStatus::Agrees, detail);
    }
    if let Some(nonce) = trader.halted.first() {
        let why = if trader.read_back.is_empty() {
            "it was not read back"
        } else {
            "it is not the instance that was deployed"
        };
        let detail = format!("instance {nonce} at {url} acknowledged the halt, but {why}");
        return witness("trader_halt", WitnessStatus::Consistent, detail);
    }
    let why = trader.error.as_deref().unwrap_or("no answer yet");
    witness(
        "trader_halt",
        WitnessStatus::Silent,
        format!("{url}: {why}"),
    )
}

fn endpoint_witness(
    url: &str,
    trader: &TraderRecord,
    state: &State,
    frame: &Frame,
) -> WitnessReport {
    let named = |status, detail: String| witness("trader_endpoint", status, detail);
    let Some((at, probe)) = &trader.last else {
        return named(WitnessStatus::Silent, format!("{url}: not asked yet"));
    };
    let was_alive = trader.expected_nonce.is_some() || !trader.seen_nonces.is_empty();
    match probe {
        Probe::Alive {
            deployment_id: Some(id),
            ..
        } if frame.foreign_deployments.contains(id) => named(
            WitnessStatus::Consistent,
            format!("{url} now belongs to deployment {id} of another target"),
        ),
        Probe::Alive { nonce, .. } => {
            let nonce = nonce.as_deref().unwrap_or("(no nonce)");
            if dead_at(state).is_some_and(|dead| *at >= dead) {
                named(
                    WitnessStatus::Contradicts,
                    format!("{url} still answers, instance {nonce}"),
                )
            } else {
                named(
                    WitnessStatus::Silent,
                    format!("{url} answers, instance {nonce}"),
                )
            }
        }
        Probe::Refused if trader.is_direct && was_alive => named(
            WitnessStatus::Agrees,
            format!("{url} refuses connections, where the trader had answered"),
        ),
        Probe::Refused if trader.is_direct => named(
            WitnessStatus::Consistent,
            format!("{url} refuses connections; nobody was known to live there"),
        ),
        Probe::Refused => named(
            WitnessStatus::Consistent,
            format!("{url} refuses connections, behind a proxy"),
        ),
        Probe::Nobody(why) | Probe::Silent(why) if was_alive => named(
            WitnessStatus::Consistent,
            format!("{url} does not answer as a trader: {why}"),
        ),
        Probe::Nobody(why) => named(
            WitnessStatus::Consistent,
            format!("{url} is answered by somebody else: {why}"),
        ),
        Probe::Silent(why) => named(WitnessStatus::Silent, format!("{url}: {why}")),
    }
}

/// Whether the trader's address is known and is seen to be dead, and not merely silent: a process that
/// hangs, or a zombie that nobody looks at, is silent too.
fn is_seen_dead(state: &State) -> bool {
    !state.traders.is_empty()
        && state
            .traders
            .values()
            .all(|trader| matches!(&trader.last, Some((_, Probe::Refused | Probe::Nobody(_)))))
}

/// An expired lease says that nobody may enter, and nothing about a process: it agrees only where the
/// trader is seen to be dead.
fn watchdog_witness(
    record: &WatchdogRecord,
    is_seen_dead: bool,
    now: Instant,
) -> Option<WitnessReport> {
    let (status, detail) = match record {
        WatchdogRecord::NotConfigured => return None,
        WatchdogRecord::Asked => (
            WitnessStatus::Silent,
            "asked to revoke, no answer yet".to_owned(),
        ),
        WatchdogRecord::Failed(why) => (WitnessStatus::Silent, why.clone()),
        WatchdogRecord::Vague(why) => (WitnessStatus::Consistent, why.clone()),
        WatchdogRecord::Revoked { expires_at } if *expires_at <= now && !is_seen_dead => (
            WitnessStatus::Consistent,
            "grants nothing more, and the last lease has expired; nobody has seen the process end"
                .to_owned(),
        ),
        WatchdogRecord::Revoked { expires_at } if *expires_at <= now => (
            WitnessStatus::Agrees,
            "grants nothing more, and the last lease has expired".to_owned(),
        ),
        WatchdogRecord::Revoked { expires_at } => {
            let left = super::board::ms(expires_at.saturating_duration_since(now));
            (
                WitnessStatus::Silent,
                format!("grants nothing more; the last lease ends in {left} ms"),
            )
        }
    };
    Some(witness("watchdog", status, detail))
}

/// The operating system's own account, where the processes run on this machine.
fn process_witness(state: &State) -> Option<WitnessReport> {
    if state.processes.is_empty() {
        return never_ran_witness(state);
    }
    let lives: Vec<(u32, Life)> = state
        .processes
        .iter()
        .map(|(pid, process)| (*pid, process.life()))
        .collect();
    let pids = |wanted: Life| {
        let list: Vec<String> = lives
            .iter()
            .filter(|(_, life)| *life == wanted)
            .map(|(pid, _)| pid.to_string())
            .collect();
        list.join(", ")
    };
    let has = |wanted: Life| lives.iter().any(|(_, life)| *life == wanted);
    let is_dead = matches!(
        platform_says(state),
        PlatformSays::Dead | PlatformSays::GoneItself
    );
    let unseen = state
        .tracks
        .iter()
        .find(|(id, track)| track.has_run && !state.process_of.contains_key(*id))
        .map(|(id, _)| id);
    let (status, detail) = if has(Life::Alive) {
        let status = if is_dead {
            WitnessStatus::Contradicts
        } else {
            WitnessStatus::Silent
        };
        (status, format!("process {} is alive", pids(Life::Alive)))
    } else if has(Life::Unknown) {
        (
            WitnessStatus::Silent,
            format!("process {} cannot be seen from here", pids(Life::Unknown)),
        )
    } else if let Some(id) = unseen {
        (
            WitnessStatus::Consistent,
            format!("the process of deployment {id} is not known"),
        )
    } else {
        (
            WitnessStatus::Agrees,
            format!("process {} has ended", pids(Life::Gone)),
        )
    };
    Some(witness("process", status, detail))
}

/// For deployments that were cancelled before they ran: nothing answers for them and no process was ever
/// named. The platform's word alone proves nothing; that this machine was searched for a process of
/// each of them, after that word, and none was there, does. The freeze of the service belongs to it: a
/// process that came up later all the same would start halted.
fn never_ran_witness(state: &State) -> Option<WitnessReport> {
    let mut searched = state
        .tracks
        .iter()
        .filter(|(_, track)| track.was_live)
        .peekable();
    searched.peek()?;
    if matches!(state.service_freeze, ServiceFreeze::NotSet(_)) {
        return None;
    }
    let is_proved =
        searched.all(|(id, track)| !track.has_run && state.without_process.contains(id));
    is_proved.then(|| {
        witness(
            "process",
            WitnessStatus::Agrees,
            "no process on this machine was started for it: it never ran",
        )
    })
}

/// Whether all that was stopped was, by the platform's own account, never placed.
pub(crate) fn never_ran(state: &State) -> bool {
    let mut live = state
        .tracks
        .values()
        .filter(|track| track.was_live)
        .peekable();
    live.peek().is_some() && live.all(|track| !track.has_run)
}

/// Open orders, as the venue told them, else as far as halted traders did; `None` = not known. A
/// single read without any is not known to be none.
pub(crate) fn open_orders(state: &State) -> Option<u64> {
    if !state.venue.is_asked || state.venue.is_silent() {
        return told_by_traders(state);
    }
    match state.venue.open {
        Some(0) => state.venue.is_zero_proved.then_some(0),
        open => open,
    }
}

/// The sum over all addresses. One that never told, or that somebody else answered for, leaves zero
/// unknown; what the others have open is still told.
fn told_by_traders(state: &State) -> Option<u64> {
    let told = state.traders.values().map(|trader| {
        proved_halt(trader, state, &[Extent::Full, Extent::ReduceOnly])
            .and_then(|(_, back)| back.open_orders)
    });
    let told: Vec<Option<u64>> = told.collect();
    let sum = told
        .iter()
        .flatten()
        .fold(0, |sum: u64, open| sum.saturating_add(*open));
    let is_whole = !told.is_empty() && told.iter().all(Option::is_some);
    (is_whole || sum > 0).then_some(sum)
}

fn orders(state: &State, frame: &Frame) -> Orders {
    if !frame.may_be_live {
        return Orders::NotReal;
    }
    if state.venue.is_asked && !state.venue.is_silent() {
        return match state.venue.open {
            Some(0) if state.venue.is_zero_proved => Orders::Zero,
            Some(0) | None => Orders::Unproved,
            Some(_) => Orders::Open,
        };
    }
    // Every address must have told zero under a full halt; one that never spoke leaves it open.
    let told: Vec<Option<u64>> = state
        .traders
        .values()
        .map(|trader| {
            proved_halt(trader, state, &[Extent::Full]).and_then(|(_, back)| back.open_orders)
        })
        .collect();
    if told
        .iter()
        .any(|orders| orders.is_some_and(|open| open > 0))
    {
        Orders::Open
    } else if !told.is_empty() && told.iter().all(|orders| *orders == Some(0)) {
        Orders::Zero
    } else if state.venue.is_asked {
        Orders::Unproved
    } else {
        Orders::Unknown
    }
}

/// Whether everything but the account's orders proves the end.
pub(crate) fn is_proved_dead(state: &State, frame: &Frame, now: Instant) -> bool {
    let evidence = Evidence {
        orders: Orders::NotReal,
        ..evidence(state, frame, now)
    };
    dead_at(state).is_some() && judge(&evidence).0.exit_code() == 0
}

/// Whether a trader of ours is fully halted, read back.
pub(crate) fn is_halted(state: &State, frame: &Frame) -> bool {
    frame.goal == Goal::Stop
        && state
            .traders
            .values()
            .any(|trader| proved_halt(trader, state, &[Extent::Full]).is_some())
}

/// Whether the venue may still tell something that changes the verdict, or has not yet been asked
/// all that a report without proof should say.
fn is_venue_pending(state: &State, frame: &Frame, now: Instant) -> bool {
    let venue = &state.venue;
    if !venue.is_asked || venue.is_refused {
        return false;
    }
    if is_proved_dead(state, frame, now) {
        return !venue.is_zero_proved;
    }
    let wanted = dead_at(state).max(Some(frame.started));
    venue.cancelled_at < wanted || venue.read_at < venue.cancelled_at || venue.open != Some(0)
}

/// The evidence as it stands.
pub(crate) fn evidence(state: &State, frame: &Frame, now: Instant) -> Evidence {
    let witnesses = witnesses(state, frame, now);
    let acknowledged = [&state.trader_path, &state.platform_path, &state.venue_path]
        .iter()
        .any(|path| path.status >= PathStatus::Acknowledged);
    Evidence {
        goal: frame.goal,
        acknowledged: acknowledged || state.platform_gone_at.is_some(),
        platform: platform_says(state),
        service_proved: !state.sweeps.is_empty()
            && state.sweeps.values().all(|sweep| sweep.service_proved),
        was_running: state.was_running,
        in_doubt: !state.doubts.is_empty() || state.bugs > 0,
        is_fresh: is_fresh(state),
        halt_read_back: witnesses.iter().any(|witness| {
            witness.name == "trader_halt" && witness.status == WitnessStatus::Agrees
        }),
        witnesses: witnesses.iter().map(|witness| witness.status).collect(),
        orders: orders(state, frame),
    }
}

/// Whether every answer that could still change the verdict is in.
///
/// Success needs answers that are newer than the platform's death; other verdicts wait until no
/// path has anything left to try.
pub(crate) fn is_settled(state: &State, frame: &Frame, is_success: bool, now: Instant) -> bool {
    let is_platform_there = state.platform_gone_at.is_none();
    if state.chores_here > 0 || (state.chores_platform > 0 && is_platform_there) {
        return false;
    }
    if frame.goal == Goal::ReduceOnly {
        // Only a refused token is final: anything else may still be answered.
        return is_success || state.traders.values().all(|trader| trader.is_token_refused);
    }
    let dead = dead_at(state);
    let is_hopeless = !frame.has_platform
        || (!state.sweeps.is_empty() && state.sweeps.values().all(|sweep| sweep.is_exhausted));
    if !(is_hopeless || dead.is_some()) || !is_fresh(state) {
        return false;
    }
    if is_success {
        return true;
    }
    let is_watchdog_pending = match &state.watchdog {
        WatchdogRecord::Asked => true,
        WatchdogRecord::Revoked { expires_at } => *expires_at > now,
        WatchdogRecord::NotConfigured | WatchdogRecord::Failed(_) | WatchdogRecord::Vague(_) => {
            false
        }
    };
    let is_process_alive = state
        .processes
        .values()
        .any(|process| process.life() == Life::Alive);
    let is_search_pending = state.is_searched && dead.is_some() && state.searched_at.is_none();
    // A stop on its way would be broken off: the list may be refused where the stop is not.
    let is_request_pending = state.tracks.values().any(|track| {
        let mut sent = track.sent.values();
        sent.any(|sent| sent.outcome == Outcome::Pending)
    });
    !is_watchdog_pending
        && !is_request_pending
        && !is_process_alive
        && !is_search_pending
        && !is_venue_pending(state, frame, now)
        && state.traders.values().all(|trader| {
            let is_halted = || proved_halt(trader, state, &[Extent::Full]).is_some();
            is_trader_mute(trader, frame) || (is_hopeless && is_halted())
        })
}

/// Whether every trader address was asked after the platform said dead (or, before that, at all).
fn is_fresh(state: &State) -> bool {
    let dead = dead_at(state);
    state
        .traders
        .values()
        .all(|trader| match (&trader.last, dead) {
            (Some((asked, _)), Some(dead)) => *asked >= dead,
            (Some(_), None) => true,
            (None, _) => false,
        })
}

/// Whether an address has been quiet for so long, or belongs to another target, that waiting for
/// it is pointless.
fn is_trader_mute(trader: &TraderRecord, frame: &Frame) -> bool {
    let is_foreign = matches!(
        &trader.last,
        Some((_, Probe::Alive { deployment_id: Some(id), .. })) if frame.foreign_deployments.contains(id)
    );
    is_foreign || trader.quiet >= frame.silent_probes
}
