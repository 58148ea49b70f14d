//! `launch replay`: the engine over recorded or generated data, with honest paper fills, and what the
//! model was worth on it.
//!
//! Changes nothing and sends nothing. What a recording does not hold stays missing unless it is asked
//! for by name, and is said in every output.

mod charts;
mod chosen;
mod document;
mod human;
mod own_tape;
mod page;
mod play;
mod played;
mod rows;
mod sweep;

use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use crate::tape::recording::{Missing, Settle};
use crate::tape::settle;
use std::path::PathBuf;
use trader_core::engine::Engine;
use trader_core::ledger::LedgerState;
use trader_core::manifest::Manifest;
use trader_core::run::{Run, Sink};
use trader_core::sim::evidence::{EvidenceCollector, Sample, Variant};

/// `launch replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch replay --tape trader.jsonl --manifest manifests/staging.toml
  launch replay --tape recordings/oracle-btc-1s --synthesise book
  launch replay --tape generator:7 --hours 12 --format json --html page.html
  launch replay --tape generator:7+gaps+outages+clock-steps
  launch replay --tape generator:7 --sweep edge.min=0.02,0.03,0.05

A folder is a recording, known by its files (launch tape import --help). What it
lacks stays missing unless --synthesise names it. A tape that a trader recorded
is replayed with its own answers and leases, as declared: the same journal
digest. Everything else is traded on paper.

Exit: 0 replayed; 1 the tape or the manifest is not usable; 2 usage.")]
pub struct ReplayArgs {
    /// A tape (.jsonl, .zst, .gz), a folder of recorded data, or generator:SEED.
    #[arg(long, value_name = "TAPE")]
    pub tape: String,
    /// The manifest; without it the shipped local one, on the tape's assets.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Run this strategy instead of the manifest's; may be repeated.
    #[arg(long, value_name = "ID")]
    pub strategy: Vec<String>,
    /// Make what the recording lacks.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub synthesise: Vec<Missing>,
    /// What windows settle on: recorded, or twap:SECS to compute it again.
    #[arg(long, value_name = "RULE", default_value = "recorded", value_parser = settle)]
    pub settle: Settle,
    /// Orders reach the paper venue so much later.
    #[arg(long, value_name = "MS", default_value_t = 250, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub latency_ms: u32,
    /// Virtual hours of generator:SEED.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub hours: u32,
    /// Score the model beside plainer ones and the market, row by row.
    #[arg(long)]
    pub evidence: bool,
    /// Replay every combination of these values and compare; may be repeated.
    #[arg(long, value_name = "KEY=A,B,C", value_parser = sweep::axis, conflicts_with_all = ["evidence", "journal", "html"])]
    sweep: Vec<sweep::Axis>,
    /// Write one self-contained page with charts to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the journal to this file.
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
}

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayError {
    /// The tape cannot be used.
    #[error(transparent)]
    Recording(#[from] crate::tape::TapeImportError),
    /// An own tape cannot be used.
    #[error("{path}{at}: {problem}")]
    Tape {
        path: String,
        /// `:LINE`, or nothing.
        at: String,
        problem: String,
    },
    /// Manifest or strategies cannot be used.
    #[error(transparent)]
    Manifest(#[from] trader_runtime::manifest_files::ManifestFileError),
    /// The trader cannot be built.
    #[error(transparent)]
    Engine(#[from] trader_core::engine::EngineError),
    /// Something that was typed does not fit.
    #[error("{0}")]
    Usage(String),
    /// An output cannot be written.
    #[error("cannot write {path}: {source}")]
    Write {
        path: String,
        source: std::io::Error,
    },
}

impl ReplayError {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Write { .. } => Exit::Usage,
            Self::Recording(_) | Self::Tape { .. } | Self::Manifest(_) | Self::Engine(_) => {
                Exit::CheckFailed
            }
        }
    }
}

impl ReplayArgs {
    /// As typed with nothing but `--tape`.
    const fn of(tape: String) -> Self {
        Self {
            tape,
            manifest: None,
            strategy: Vec::new(),
            synthesise: Vec::new(),
            settle: Settle::Recorded,
            latency_ms: 250,
            hours: 6,
            evidence: false,
            sweep: Vec::new(),
            html: None,
            journal: None,
        }
    }
}

/// What model and market said of the windows of a recording, and what came. A price that we would have to
/// make is no market: nothing is synthesised.
pub(crate) fn samples(path: &std::path::Path) -> Result<Vec<Sample>, ReplayError> {
    let args = ReplayArgs::of(path.display().to_string());
    let played = played::recorded(&args, path)?;
    let mut collector = EvidenceCollector::new(Variant::Trader);
    for mark in &played.mids {
        collector.mark(mark.window, mark.at, mark.mid);
    }
    for event in &played.events {
        collector.observe(event);
    }
    Ok(document::judged(&played, collector.samples()))
}

/// What another command wants to see played.
#[derive(Debug, Clone)]
pub(crate) struct Replayed {
    pub(crate) tape: String,
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) synthesise: Vec<Missing>,
    pub(crate) latency_ms: u32,
    pub(crate) hours: u32,
}

/// What was played, and by whom.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) manifest: Manifest,
    pub(crate) manifest_from: String,
    pub(crate) source: String,
}

/// Plays something for another command, which watches every record, line and event.
pub(crate) fn watch(wanted: &Replayed, sink: &mut dyn Sink) -> Result<Watched, ReplayError> {
    let args = ReplayArgs {
        manifest: wanted.manifest.clone(),
        synthesise: wanted.synthesise.clone(),
        latency_ms: wanted.latency_ms,
        hours: wanted.hours,
        ..ReplayArgs::of(wanted.tape.clone())
    };
    let chosen = chosen::choose(&args)?;
    let played = played::open(&args, &chosen)?;
    let chosen = chosen.fitted(&played);
    let engine = Engine::new(&chosen.manifest, &chosen.strategies, LedgerState::default())?;
    let mut run = Run::new(engine, played.counterpart).with_latency(args.latency_ms);
    for event in &played.events {
        run.feed(event, sink);
    }
    Ok(Watched {
        manifest: chosen.manifest,
        manifest_from: chosen.from,
        source: played.source,
    })
}

/// Runs the command.
pub fn run(args: &ReplayArgs, ctx: &Context<NoState>) -> Exit {
    match replay(args, ctx) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            ctx.error(&format!("error: {error}"));
            error.exit()
        }
    }
}

fn replay(args: &ReplayArgs, ctx: &Context<NoState>) -> Result<(), ReplayError> {
    let chosen = chosen::choose(args)?;
    let played = played::open(args, &chosen)?;
    let chosen = chosen.fitted(&played);
    if !args.sweep.is_empty() {
        let table = sweep::run(args, &played, &chosen, ctx)?;
        ctx.document(&match ctx.format {
            Format::Json => json(&table),
            Format::Human => sweep::text(&table),
        });
        return Ok(());
    }
    let run = play::play(&played, &chosen, args.latency_ms, args.journal.is_some())?;
    let mut document = document::Document::new(&args.tape, &played, &chosen, &run, args.latency_ms);
    if args.evidence {
        document.evidence = rows::rows(&played, matches!(args.settle, Settle::Twap(_)));
        document.ui_against_outcome = rows::directions(&played);
    }
    if let Some(path) = &args.journal {
        write_whole(path, &run.journal)?;
    }
    if let Some(path) = &args.html {
        write_whole(path, &page::html(&document, &played, &run))?;
    }
    ctx.document(&match ctx.format {
        Format::Json => json(&document),
        Format::Human => human::text(&document),
    });
    Ok(())
}

fn json(document: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    format!("{text}\n")
}

/// Writes beside the place and renames: nothing half-written.
fn write_whole(path: &std::path::Path, text: &str) -> Result<(), ReplayError> {
    let part = path.with_extension("part");
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        drop(std::fs::remove_file(&part));
    }
    written.map_err(|source| ReplayError::Write {
        path: path.display().to_string(),
        source,
    })
}
