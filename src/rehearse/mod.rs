//! `launch rehearse`: the whole life of a launch in a scratch project on this machine.
//!
//! Every step is the real command of this very binary, run without a terminal from an empty
//! environment, against a loopback platform that speaks Railway's GraphQL. Needs git, no network and no
//! account; leaves nothing behind.

mod document;
mod incident;
pub(crate) mod interrupt;
mod leftovers;
mod life;
mod matrix;
mod progress;
mod running;
mod scratch;

use crate::context::{Context, Format};
use crate::exit::Exit;
use interrupt::Interrupt;
use progress::Progress;
use scratch::{RehearseError, Scratch};
use serde::Serialize;
use std::time::Duration;

/// `launch rehearse`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch rehearse                     the whole life, in under a minute
  launch rehearse --incident all      plant its faults, see what refuses each
  launch rehearse --incident 3        only the third
  launch rehearse --incident market   every fault of prices, clocks, windows
  launch rehearse --kill-matrix       is a kill that says 0 ever wrong?
  launch rehearse --keep              leave the scratch project on disk")]
pub struct RehearseArgs {
    /// Plant a fault of the incident instead: a number, a slug, `all`, or a place of the catalogue (git,
    /// manifest, market, kill, deploy, together).
    #[arg(long, value_name = "all|N|SLUG")]
    pub incident: Option<String>,
    /// Leave the scratch project and its state on disk; its path is printed.
    #[arg(long)]
    pub keep: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "the flags of another mode, documented there")]
    pub matrix: matrix::MatrixArgs,
}

/// Version of the JSON document.
const SCHEMA_VERSION: u32 = 1;

/// One step of the life, as it went.
#[derive(Debug, Clone, Serialize)]
struct StepReport {
    /// What the step is.
    title: String,
    /// The command that a person would type.
    command: String,
    /// What was seen.
    detail: String,
    /// How long it took.
    elapsed_ms: u64,
}

/// The document of a rehearsal of the whole life.
#[derive(Debug, Serialize)]
struct LifeReport {
    schema_version: u32,
    passed: bool,
    steps: Vec<StepReport>,
    /// Why it stopped, if it did.
    failure: Option<String>,
    elapsed_ms: u64,
}

/// Whole milliseconds, held at the type's bound.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Runs the rehearsal.
pub fn run(args: &RehearseArgs, ctx: &Context) -> Exit {
    if let Some(behaviour) = args.matrix.stand_in {
        return matrix::stand_in(behaviour, &args.matrix, ctx);
    }
    let interrupt = Interrupt::watch();
    if args.matrix.kill_matrix {
        return matrix::run(&args.matrix, ctx, &interrupt);
    }
    match &args.incident {
        Some(which) => incident::run(which, args.keep, ctx, &interrupt),
        None => whole_life(args.keep, ctx, &interrupt),
    }
}

/// How a rehearsal ends that could not go on.
fn exit_of(error: &RehearseError) -> Exit {
    match error {
        RehearseError::Interrupted => Exit::Interrupted,
        RehearseError::Machine { .. } => Exit::Usage,
        RehearseError::Unexpected(_) | RehearseError::Wrong(_) => Exit::CheckFailed,
    }
}

fn whole_life(keep: bool, ctx: &Context, interrupt: &Interrupt) -> Exit {
    let started = std::time::Instant::now();
    let mut progress = Progress::new(ctx, life::STEPS.len());
    let mut steps = Vec::new();
    let outcome = Scratch::new(interrupt).and_then(|mut scratch| {
        if keep {
            ctx.note(&format!("scratch project: {}", scratch.keep().display()));
        }
        life::walk(&mut scratch, &mut progress, &mut steps)
    });
    progress.clear();
    let report = LifeReport {
        schema_version: SCHEMA_VERSION,
        passed: outcome.is_ok(),
        steps,
        failure: outcome.as_ref().err().map(ToString::to_string),
        elapsed_ms: millis(started.elapsed()),
    };
    match ctx.format {
        Format::Json => ctx.document(&as_json(&report)),
        Format::Human => ctx.document(&progress::summary(&report, ctx.color)),
    }
    outcome.map_or_else(|error| exit_of(&error), |()| Exit::Ok)
}

/// A document as indented JSON with a final line end.
fn as_json<T: Serialize>(report: &T) -> String {
    // These documents hold only strings, numbers and lists; they serialise.
    serde_json::to_string_pretty(report).map_or_else(|error| error.to_string(), |text| text + "\n")
}
