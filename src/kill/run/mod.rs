//! The kill: from arguments to a report.
//!
//! Order of reading: here (which targets, in what manner), `pursuit` (one target), the paths
//! (`sweep`, `trader_path`, `watchdog_path`, `venue_path`, `local_path`, `chores`), then `board` → `assess` →
//! `verdict` → `outcome`. Asks nothing of the operator and needs no terminal.

mod assess;
#[cfg(test)]
mod assess_tests;
mod board;
mod check;
mod check_here;
mod check_venue;
mod chores;
mod complete;
mod drill;
mod flatten;
mod frozen_still;
mod lift;
mod local_path;
mod outcome;
mod positions_path;
mod pursuit;
mod record;
mod scoped;
mod sweep;
mod trader_path;
mod venue_path;
mod venue_record;
mod watchdog_path;

pub use check::{CheckReport, Finding, FindingStatus, check, check_env};
pub(crate) use flatten::unsold;
pub use scoped::{Stop, stop_deployment};

use crate::args::KillArgs;
use crate::deadline::Deadline;
use crate::freeze::Freeze;
use crate::pace::Pace;
use crate::report::{Report, TargetReport};
use crate::targets::{Resolved, Surroundings, Target, Unusable, resolve};
use crate::verdict::{Goal, Verdict};
use board::Asked;
use pursuit::{Job, pursue};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use trader_path::Voice;

/// What a run tells while it works: lines for stderr, and whether it has begun to stop things.
#[derive(Debug, Clone)]
pub struct Progress {
    lines: std::sync::mpsc::Sender<String>,
    asked: Asked,
    /// The targets' names.
    targets: Arc<Mutex<Vec<String>>>,
    /// Set when the operator presses Ctrl-C while something comes before the stop.
    hurry: Arc<AtomicBool>,
}

/// Between two looks at whether the operator has pressed Ctrl-C.
const HURRY_LOOK: Duration = Duration::from_millis(25);

impl Progress {
    /// Lines go into `lines`; a receiver that is gone is no error.
    pub fn new(lines: std::sync::mpsc::Sender<String>) -> Self {
        Self {
            lines,
            asked: Arc::new(AtomicBool::new(false)),
            targets: Arc::default(),
            hurry: Arc::default(),
        }
    }

    /// Progress that nobody reads.
    pub fn silent() -> Self {
        Self::new(std::sync::mpsc::channel().0)
    }

    /// Whether the first request that stops anything has gone out.
    pub fn has_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// The operator wants the stop now: what comes before it is skipped.
    pub fn hurry(&self) {
        self.hurry.store(true, Ordering::SeqCst);
    }

    /// Returns once the operator wants the stop now; perhaps never.
    async fn hurried(&self) {
        while !self.hurry.load(Ordering::SeqCst) {
            tokio::time::sleep(HURRY_LOOK).await;
        }
    }

    /// Others' texts stand in a line (names of services, addresses): none of them moves the cursor.
    pub(crate) fn say(&self, mut line: String) {
        let is_odd = |c: char| c.is_control() && c != '\n';
        if line.contains(is_odd) {
            line = line.replace(is_odd, " ");
        }
        drop(self.lines.send(line));
    }
}

/// Kills what `args` name and reports. `start` is when the operator asked: all figures and the
/// deadline count from there.
///
/// # Errors
/// [`Unusable`] when nothing could be asked (exit code 2). Everything else is in the report.
pub async fn run(
    args: &KillArgs,
    around: &Surroundings,
    pace: &Pace,
    start: Instant,
    progress: &Progress,
) -> Result<Report, Unusable> {
    let freeze = new_freeze(args, around);
    run_with(args, around, pace, start, progress, freeze).await
}

/// [`run`] under a freeze that the caller has set already: it goes on under the same id.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    args: &KillArgs,
    around: &Surroundings,
    pace: &Pace,
    start: Instant,
    progress: &Progress,
    freeze: Freeze,
) -> Result<Report, Unusable> {
    let mut found = resolve(args, around)?;
    let pace = Pace {
        settle: args.settle,
        ..pace.clone()
    };
    for note in &found.notes {
        progress.say(format!("note: {note}"));
    }
    let mut crew = Crew {
        args,
        around,
        progress,
        pace: &pace,
        freeze: &freeze,
        start,
        span: args.deadline,
        jobs: JoinSet::new(),
    };
    // What is known well enough is stopped before anybody is asked about the others; a drill looks at
    // all of them first.
    let later = if args.drill {
        0
    } else {
        crew.send_complete(&mut found)
    };
    let needed = complete::complete(&mut found, args, &pace, later == 0).await;
    match needed {
        Ok(()) => {}
        Err(why) if later > 0 => progress.say(format!("note: {why}")),
        Err(why) => return Err(why),
    }
    for target in &found.targets {
        crew.name(target);
    }
    if args.drill {
        let limit = Deadline::from_start(start, args.deadline);
        drill::refuse_unless_ready(&found, &pace, limit).await?;
        // Its figures count from here; its deadline does not.
        crew.start = Instant::now();
        crew.span = limit.remaining();
    }
    for target in std::mem::take(&mut found.targets) {
        crew.send(target);
    }
    let mut crew = crew.jobs;
    let mut reports: Vec<(usize, TargetReport)> = Vec::new();
    let mut bugs = 0_u32;
    while let Some(ended) = crew.join_next().await {
        match ended {
            Ok(report) => reports.push(report),
            Err(_) => bugs = bugs.saturating_add(1),
        }
    }
    reports.sort_by_key(|(place, _)| *place);
    let mut targets: Vec<TargetReport> = reports.into_iter().map(|(_, report)| report).collect();
    targets.extend(
        found
            .unreadable
            .into_iter()
            .map(|(env, why)| unreachable_target(env, why, args)),
    );
    targets.extend((0..bugs).map(|_| {
        unreachable_target(
            "unknown".into(),
            "this target's kill broke: a bug".into(),
            args,
        )
    }));
    let report = Report::new(targets);
    record::write(around, args, &report).await;
    Ok(report)
}

/// The targets that are being pursued. One freeze for the whole run: a target with several services has
/// one file and many variables.
struct Crew<'a> {
    args: &'a KillArgs,
    around: &'a Surroundings,
    progress: &'a Progress,
    pace: &'a Pace,
    freeze: &'a Freeze,
    start: Instant,
    span: Duration,
    jobs: JoinSet<(usize, TargetReport)>,
}

impl Crew<'_> {
    /// Starts on every target of which nothing has to be asked first; returns how many those are.
    fn send_complete(&mut self, found: &mut Resolved) -> usize {
        let (needy, ready): (Vec<Target>, Vec<Target>) = std::mem::take(&mut found.targets)
            .into_iter()
            .partition(|target| complete::has_gap(target, self.pace));
        found.targets = needy;
        let count = ready.len();
        for target in ready {
            self.name(&target);
            self.send(target);
        }
        count
    }

    /// Says what is about to happen to a target.
    fn name(&self, target: &Target) {
        let verb = match (self.args.reduce_only, self.args.flatten) {
            (true, _) => "reduces",
            (false, true) => "sells, then stops,",
            (false, false) => "stops",
        };
        let command = self.args.command();
        let described = target.describe();
        self.progress.say(format!("{command} {verb} {described}"));
        let named = self.progress.targets.lock();
        let mut named = named.unwrap_or_else(PoisonError::into_inner);
        named.push(target.env.clone());
    }

    fn send(&mut self, target: Target) {
        let (args, place) = (self.args, self.jobs.len());
        let job = Job {
            goal: if args.reduce_only {
                Goal::ReduceOnly
            } else {
                Goal::Stop
            },
            flatten: args.flatten.then(|| self.progress.clone()),
            only: None,
            voice: voice(args, self.around),
            freeze: Some((self.freeze.clone(), self.around.state_dir.clone())),
            may_revoke_venue_key: args.revoke_venue_key,
            is_drill: args.drill,
            pace: self.pace.clone(),
            start: self.start,
            span: self.span,
            asked: Arc::clone(&self.progress.asked),
            target,
        };
        self.jobs.spawn(async move { (place, pursue(job).await) });
    }
}

fn voice(args: &KillArgs, around: &Surroundings) -> Voice {
    Voice {
        by: operator(args, around),
        reason: args.reason.clone(),
    }
}

/// Who asks, as far as the environment tells.
fn operator(args: &KillArgs, around: &Surroundings) -> String {
    let name = ["USER", "LOGNAME", "GITHUB_ACTOR"]
        .iter()
        .find_map(|name| around.variables.get(*name));
    let name = name
        .cloned()
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()));
    format!("{name} ({})", args.command())
}

fn new_freeze(args: &KillArgs, around: &Surroundings) -> Freeze {
    let at = jiff::Timestamp::now();
    // Random enough to tell two freezes of one second apart.
    let tail = RandomState::new().build_hasher().finish();
    Freeze {
        id: format!("kill-{}-{:08x}", at.as_second(), tail & 0xffff_ffff),
        at: at.to_string(),
        by: operator(args, around),
        reason: args.reason.clone(),
    }
}

/// The report of a run that was ended after its first request, and `why`: nothing is proved.
pub(crate) fn cut_off(
    args: &KillArgs,
    elapsed: Duration,
    progress: &Progress,
    why: &str,
) -> Report {
    let named = progress.targets.lock();
    let named = named.unwrap_or_else(PoisonError::into_inner).clone();
    let of_one = |env: String| TargetReport {
        verdict: Verdict::Unverified,
        elapsed_ms: board::ms(elapsed),
        runbook: vec![
            "run it again, and let it end".into(),
            format!(
                "what it had changed by then is not listed: launch status --env {env}, then \
                 launch reenable --env {env} --reason \"…\""
            ),
        ],
        ..unreachable_target(env, why.to_owned(), args)
    };
    Report::new(named.into_iter().map(of_one).collect())
}

/// A target that could not even be tried.
fn unreachable_target(env: String, why: String, args: &KillArgs) -> TargetReport {
    TargetReport {
        env,
        verdict: Verdict::Failed,
        reason: why,
        started_at: jiff::Timestamp::now().to_string(),
        elapsed_ms: 0,
        deadline_ms: board::ms(args.deadline),
        first_ack_ms: None,
        paths: Vec::new(),
        deployments: Vec::new(),
        witnesses: Vec::new(),
        open_orders: None,
        positions: None,
        flatten: None,
        changed: Vec::new(),
        may_restart: Vec::new(),
        runbook: vec!["pass the ids by hand: --project-id --environment-id --service-id".into()],
    }
}
