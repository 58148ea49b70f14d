//! `launch tape`: turns recorded data into a tape that replay, dry run and the staging feed can play.
//!
//! Reads and writes files; decides nothing about markets. Nothing half-written: the tape is written
//! beside its place and renamed.

mod oracle_1s;
mod quotes;
mod table;

use crate::context::{Context, NoState};
use crate::exit::Exit;
use std::path::{Path, PathBuf};
use trader_core::event::Event;
use trader_core::tape::{Header, TAPE_VERSION, event_line, header_line};

/// `launch tape`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch tape import --kind oracle-1s --from recordings/btc --out btc.jsonl
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
Recordings:
  oracle-1s   a folder with ticks.csv (or .csv.gz) and windows.csv: one oracle
              tick a second and official windows. It holds no books: quotes
              are made from the model on the price of some seconds ago, and
              the tape's source line says so.

Example:
  launch tape import --kind oracle-1s --from recordings/btc --out btc.jsonl")]
pub struct ImportArgs {
    /// The recording's form.
    #[arg(long, value_enum)]
    pub kind: Recording,
    /// The recording.
    #[arg(long, value_name = "PATH")]
    pub from: PathBuf,
    /// The tape to write; must not exist.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Forms of recordings that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Recording {
    /// One oracle tick a second, and windows.
    #[value(name = "oracle-1s")]
    OracleOneSecond,
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
    let Recording::OracleOneSecond = args.kind;
    let recording = oracle_1s::read(&args.from)?;
    let (header, events) = (recording.header(), recording.events());
    let text = text_of(&header, &events)?;
    write_whole(&args.out, &text)?;
    Ok(format!(
        "{}: {} events, {} windows, {} oracle ticks\nsource: {}\n",
        args.out.display(),
        events.len(),
        recording.windows.len(),
        recording.ticks.len(),
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

fn write_whole(path: &Path, text: &str) -> Result<(), TapeImportError> {
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
