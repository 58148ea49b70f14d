//! Runs many combinations at once, tells how far it is, and collects what each violated.
//!
//! Most of a combination is waiting, so many run beside each other. One that should have been verified and
//! was not, or was late, is played once more, alone: a machine that is too busy is no defect of the kill.
//! A word that was untrue is never played again: it stands.

use super::combination::Combination;
use super::expectation::Expectation;
use super::judge::{self, Kill};
use super::stage::{self, Scenery};
use crate::context::Context;
use crate::rehearse::interrupt::Interrupt;
use crate::rehearse::millis;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A line of progress each so many combinations, where stderr is no terminal.
const LINE_EVERY: usize = 50;
/// How often the moving line turns.
const TURN_EVERY: Duration = Duration::from_millis(200);
/// Longest that one combination may take: more than any deadline with setting up and tearing down.
const COMBINATION_MAX: Duration = Duration::from_mins(2);

/// One combination, run and judged.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) combination: Combination,
    pub(super) expectation: Expectation,
    pub(super) kills: Vec<Kill>,
    pub(super) violations: Vec<String>,
    /// What the first run violated, where this is the second.
    pub(super) before: Vec<String>,
    pub(super) took_ms: u64,
}

impl Outcome {
    /// The worst of its kills' verdicts.
    pub(super) fn verdict(&self) -> &'static str {
        let worst = self.kills.iter().max_by_key(|kill| rank(kill.verdict));
        worst.map_or("failed", |kill| kill.verdict)
    }

    /// The longest of its kills.
    pub(super) fn elapsed_ms(&self) -> u64 {
        self.kills
            .iter()
            .map(|kill| millis(kill.elapsed))
            .max()
            .unwrap_or(0)
    }
}

fn rank(verdict: &str) -> usize {
    let order = [
        "nothing_running",
        "verified",
        "reduced",
        "platform_only",
        "unverified",
    ];
    order
        .iter()
        .position(|one| *one == verdict)
        .unwrap_or(order.len())
}

/// Runs all, `jobs` at a time, in the order given. Ends early on an interrupt. Errors: no runtime.
pub(super) fn run(
    combinations: &[Combination],
    scenery: &Scenery,
    jobs: usize,
    ctx: &Context,
    interrupt: &Interrupt,
) -> std::io::Result<Vec<Outcome>> {
    // The platforms live here; every kill has a thread and a runtime of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    let bar = Bar::new(ctx, combinations.len());
    let first = round(combinations, scenery, jobs, &runtime, &bar, interrupt);
    let mut outcomes = Vec::new();
    for outcome in first {
        let may_be_the_machine = !outcome.violations.is_empty()
            && !outcome
                .violations
                .iter()
                .any(|one| one.starts_with("UNTRUE"));
        outcomes.push(if may_be_the_machine && !interrupt.is_set() {
            let again = play(&outcome.combination, scenery, &runtime);
            Outcome {
                before: outcome.violations,
                ..again
            }
        } else {
            outcome
        });
    }
    bar.0.finish_and_clear();
    runtime.shutdown_background();
    Ok(outcomes)
}

fn round(
    combinations: &[Combination],
    scenery: &Scenery,
    jobs: usize,
    runtime: &tokio::runtime::Runtime,
    bar: &Bar,
    interrupt: &Interrupt,
) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Outcome)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while !interrupt.is_set() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(combination) = combinations.get(at) else {
                        return;
                    };
                    let outcome = play(combination, scenery, runtime);
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((at, outcome));
                    bar.tell(&done);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, outcome)| outcome).collect()
}

fn play(
    combination: &Combination,
    scenery: &Scenery,
    runtime: &tokio::runtime::Runtime,
) -> Outcome {
    let since = Instant::now();
    let played = runtime.block_on(async {
        tokio::time::timeout(COMBINATION_MAX, stage::play(combination, scenery)).await
    });
    let outcome = |expectation, kills, violations| Outcome {
        combination: *combination,
        expectation,
        kills,
        violations,
        before: Vec::new(),
        took_ms: millis(since.elapsed()),
    };
    let expectation = super::expectation::of(combination);
    match played {
        Ok(Ok(played)) => {
            let violations = judge::violations(played.expectation, &played.kills, &played.looks);
            outcome(played.expectation, played.kills, violations)
        }
        // What could not be played proves nothing, and unknown never passes.
        Ok(Err(error)) => outcome(
            expectation,
            Vec::new(),
            vec![format!("not played: {error}")],
        ),
        Err(_) => outcome(
            expectation,
            Vec::new(),
            vec!["not played: it never ended".to_owned()],
        ),
    }
}

struct Bar(ProgressBar, bool);

impl Bar {
    fn new(ctx: &Context, count: usize) -> Self {
        let target = if ctx.progress && !ctx.quiet {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let bar = ProgressBar::with_draw_target(Some(count), target);
        let template = "{bar:30} {pos}/{len} kills {msg} {elapsed} (about {eta} left)";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TURN_EVERY);
        Self(bar, !ctx.progress && !ctx.quiet)
    }

    fn tell(&self, done: &[(usize, Outcome)]) {
        self.0.inc(1);
        let bad = done
            .iter()
            .filter(|(_, outcome)| !outcome.violations.is_empty())
            .count();
        self.0.set_message(format!("· {bad} to look at ·"));
        if self.1 && done.len().is_multiple_of(LINE_EVERY) {
            let all = self.0.length().unwrap_or(0);
            crate::context::complain(&format!("{}/{all} kills, {bad} to look at", done.len()));
        }
    }
}
