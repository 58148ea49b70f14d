//! What a person sees while a rehearsal runs, and the summary at its end.
//!
//! The moving line goes to stderr and only where stderr is a terminal; elsewhere each finished step is
//! one plain line. The summary is the document.

use super::{LifeReport, StepReport};
use crate::context::{Context, complain};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use owo_colors::OwoColorize;
use std::fmt::Write as _;
use std::time::Duration;

/// How often the moving line turns.
const TURN_EVERY: Duration = Duration::from_millis(100);

/// Progress on stderr.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    plain: bool,
    quiet: bool,
    count: usize,
    at: usize,
}

impl Progress {
    /// Progress over `count` steps.
    pub(super) fn new(ctx: &Context, count: usize) -> Self {
        let target = if ctx.progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TURN_EVERY);
        Self {
            bar,
            plain: !ctx.progress,
            quiet: ctx.quiet,
            count,
            at: 0,
        }
    }

    /// A step begins.
    pub(super) fn begin(&mut self, title: &str) {
        self.at = self.at.saturating_add(1);
        self.bar
            .set_message(format!("{}/{} {title}", self.at, self.count));
    }

    /// A step is done.
    pub(super) fn done(&self, step: &StepReport) {
        let line = format!("{:>2}/{} {}", self.at, self.count, line(step));
        if self.quiet {
            return;
        }
        if self.plain {
            complain(&line);
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the moving line away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn line(step: &StepReport) -> String {
    let (title, took) = (&step.title, seconds(step.elapsed_ms));
    format!("{title:<30} {took:>7}  {}", brief(&step.detail))
}

/// The beginning of a detail, as much as a wide terminal shows beside the step; the JSON document has
/// it whole.
fn brief(detail: &str) -> String {
    const CHARS_MAX: usize = 96;
    if detail.chars().count() <= CHARS_MAX {
        return detail.to_owned();
    }
    detail.chars().take(CHARS_MAX).chain(['…']).collect()
}

/// `2.9 s`.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

/// A word in green or red, or plain.
pub(super) fn mark(good: bool, word: &str, color: bool) -> String {
    match (color, good) {
        (true, true) => word.green().to_string(),
        (true, false) => word.red().to_string(),
        (false, _) => word.to_owned(),
    }
}

/// The rehearsal's document for people.
pub(super) fn summary(report: &LifeReport, color: bool) -> String {
    let mut out = String::new();
    for step in &report.steps {
        // Writing into a String cannot fail.
        let _infallible = writeln!(out, "{} {}", mark(true, "ok", color), line(step));
    }
    let total = seconds(report.elapsed_ms);
    let end = match &report.failure {
        None => format!(
            "{} the whole life in {total}; the scratch project is taken down",
            mark(true, "passed:", color)
        ),
        Some(why) => format!("{} {why}", mark(false, "failed:", color)),
    };
    let _infallible = writeln!(out, "\n{end}");
    out
}
