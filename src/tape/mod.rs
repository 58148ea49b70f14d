//! `launch tape`: turns recorded data into a tape that replay, dry run and the staging feed can play.
//!
//! Reads and writes files; decides nothing about markets. Nothing half-written: the tape is written
//! beside its place and renamed.

mod book_1s;
mod candles;
mod ladder;
mod listing;
mod oracle_1s;
mod outcomes;
mod quotes;
pub mod recording;
mod table;
mod tob_1s;

use self::recording::{Form, Missing, Reading, Settle};
use crate::context::{Context, NoState};
use crate::exit::Exit;
use std::path::{Path, PathBuf};
use trader_core::event::Event;
use trader_core::tape::{Header, TAPE_VERSION, event_line, header_line};

/// `launch tape`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch tape import --from recordings/btc --out btc.jsonl
  launch tape import --help     what a recording holds")]
pub struct TapeArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: TapeAction,
}

/// What can be done with tapes.
#[derive(Debug, clap::Subcommand)]
pub enum TapeAction {
    /// Turn a recording into a tape.
    Import(ImportArgs),
}

/// `launch tape import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Recordings, known by their files (.csv or .csv.gz):
  oracle-1s   ticks, windows: one oracle tick a second, official windows
  book-1s     book_1s, windows: the book of one outcome token a second
  tob-1s      tob_1s, windows: best bid and ask of both tokens a second
  ladder      samples: a few looks at book and UI price before each close
  outcomes    windows: UI price at open and close, official outcome
  candles     *_1m_*: one-minute candles
What a recording lacks stays missing unless --synthesise names it; the tape's
source line says what was made.

Examples:
  launch tape import --from recordings/btc --out btc.jsonl.zst
  launch tape import --kind oracle-1s --synthesise book --from recordings/btc \\
      --out btc.jsonl")]
pub struct ImportArgs {
    /// The recording's form; without it, found by its files.
    #[arg(long, value_enum)]
    pub kind: Option<Form>,
    /// The recording.
    #[arg(long, value_name = "PATH")]
    pub from: PathBuf,
    /// The tape to write; must not exist. A name that ends in .zst is packed.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Make what the recording lacks.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub synthesise: Vec<Missing>,
    /// What windows settle on: recorded, or twap:SECS to compute it again.
    #[arg(long, value_name = "RULE", default_value = "recorded", value_parser = settle)]
    pub settle: Settle,
}

/// `recorded` or `twap:SECS`.
pub(crate) fn settle(text: &str) -> Result<Settle, String> {
    let wanted = || format!("{text:?} is neither recorded nor twap:SECS with 1 to 300 seconds");
    if text == "recorded" {
        return Ok(Settle::Recorded);
    }
    let secs: u32 = text
        .strip_prefix("twap:")
        .and_then(|secs| secs.parse().ok())
        .ok_or_else(wanted)?;
    // The shortest window; no longer average fits into it.
    if (1..=300).contains(&secs) {
        Ok(Settle::Twap(secs))
    } else {
        Err(wanted())
    }
}

/// Why there is no tape.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TapeImportError {
    /// A file cannot be read or written.
    #[error("cannot {doing} {path}: {source}")]
    File {
        doing: &'static str,
        path: String,
        source: std::io::Error,
    },
    /// A cell is not what its column holds.
    #[error("{path}:{line}: {column}: {problem}")]
    Cell {
        path: String,
        line: usize,
        column: &'static str,
        problem: String,
    },
    /// The table is not the one this recording has.
    #[error("{path}:1: no column {column:?}; the header is {header:?}")]
    Column {
        path: String,
        column: &'static str,
        header: String,
    },
    /// A bound is passed.
    #[error("{path}: {problem}")]
    Bound { path: String, problem: String },
    /// The tape would be wrong.
    #[error("cannot write the tape: {0}")]
    Tape(String),
}

/// Runs the command.
pub fn run(args: &TapeArgs, ctx: &Context<NoState>) -> Exit {
    let TapeAction::Import(args) = &args.action;
    match import(args) {
        Ok(figures) => {
            ctx.document(&figures);
            Exit::Ok
        }
        Err(error) => {
            ctx.error(&format!("error: {error}"));
            Exit::Usage
        }
    }
}

fn import(args: &ImportArgs) -> Result<String, TapeImportError> {
    if args.out.exists() {
        return Err(TapeImportError::Bound {
            path: args.out.display().to_string(),
            problem: "exists already; name another --out or remove it".to_owned(),
        });
    }
    let reading = Reading {
        make: args.synthesise.clone(),
        settle: args.settle,
    };
    let recording = match args.kind {
        Some(form) => recording::read_as(form, &args.from, &reading)?,
        None => recording::read(&args.from, &reading)?,
    };
    let header = recording.header();
    let text = text_of(&header, &recording.events)?;
    let is_packed = args.out.extension().is_some_and(|ext| ext == "zst");
    if is_packed {
        let level = ruzstd::encoding::CompressionLevel::Fastest;
        let packed = ruzstd::encoding::compress_to_vec(text.as_bytes(), level);
        write_whole(&args.out, &packed)?;
    } else {
        write_whole(&args.out, text.as_bytes())?;
    }
    Ok(format!(
        "{}: {} events\nsource: {}\n",
        args.out.display(),
        recording.events.len(),
        header.source
    ))
}

/// The tape as text; read back once, so that what is written can be read.
fn text_of(header: &Header, events: &[Event]) -> Result<String, TapeImportError> {
    let wrong = |error: &dyn std::fmt::Display| TapeImportError::Tape(error.to_string());
    let mut text = header_line(header).map_err(|error| wrong(&error))?;
    text.push('\n');
    for event in events {
        text.push_str(&event_line(event).map_err(|error| wrong(&error))?);
        text.push('\n');
    }
    let tape = trader_core::tape::TapeReader::new(text.lines()).map_err(|error| wrong(&error))?;
    for event in tape {
        event.map_err(|error| wrong(&error))?;
    }
    Ok(text)
}

fn write_whole(path: &Path, text: &[u8]) -> Result<(), TapeImportError> {
    let part = path.with_extension("part");
    let failed = |source| TapeImportError::File {
        doing: "write",
        path: path.display().to_string(),
        source,
    };
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    if written.is_err() {
        drop(std::fs::remove_file(&part));
    }
    written.map_err(failed)
}

/// A header for a tape made now from `source`.
fn header(source: String, assets: Vec<trader_core::units::Asset>) -> Header {
    Header {
        tape: TAPE_VERSION,
        source,
        created_at: jiff::Timestamp::now().to_string(),
        assets,
    }
}
