//! `launch explain window|position|order`: why something was done or refused, from ledger, journal or
//! tape, with the numbers of every refusal.
//!
//! Decides nothing and computes no market: it shows what the trader wrote down, and folds the same
//! records into the same state.

use super::evidence::{self, Evidence};
use super::{order, position, window};
use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::tape::recording::Missing;
use serde_json::Value;
use std::fmt::Write as _;
use std::path::PathBuf;
use trader_core::ledger::{LedgerState, RECORD_VERSION, Record};
use trader_core::order::OrderId;
use trader_core::units::{EpochMs, StrategyId};
use trader_core::window::WindowId;

/// Where the answer comes from.
#[derive(Debug, clap::Args)]
pub struct SourceArgs {
    /// A ledger; the journals in the folder beside it are read too. Without it and --tape: the
    /// deployments of this machine.
    #[arg(long, value_name = "FILE", conflicts_with = "tape")]
    pub ledger: Option<PathBuf>,
    /// Play this again instead: a tape, a folder of recorded data, or generator:SEED.
    #[arg(long, value_name = "TAPE")]
    pub tape: Option<String>,
    /// The manifest that was in force.
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// Make what a recording lacks.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "WHAT",
        requires = "tape"
    )]
    pub synthesise: Vec<Missing>,
    /// Orders reach the paper venue so much later.
    #[arg(long, value_name = "MS", default_value_t = 250, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub latency_ms: u32,
    /// Virtual hours of generator:SEED.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub hours: u32,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Question {
    /// Every decision about a window.
    Window(WindowId),
    /// One strategy's position in it.
    Position(WindowId, StrategyId),
    /// One order.
    Order(OrderId),
}

impl Question {
    const fn window(&self) -> WindowId {
        match self {
            Self::Window(window) | Self::Position(window, _) => *window,
            Self::Order(id) => id.window,
        }
    }
}

/// `WINDOW/STRATEGY`.
pub(super) fn position_id(text: &str) -> Result<(WindowId, StrategyId), String> {
    let wanted = || {
        format!(
            "{:?} is no position; wanted WINDOW/STRATEGY like btc-5m-1769949000/probability-model",
            crate::render::plain(text)
        )
    };
    let (window, strategy) = text.split_once('/').ok_or_else(wanted)?;
    Ok((
        window.parse().map_err(|_| wanted())?,
        strategy.parse().map_err(|_| wanted())?,
    ))
}

/// Answers one question.
pub(super) fn answer(
    question: &Question,
    args: &SourceArgs,
    ctx: &Context<Option<PathBuf>>,
) -> Exit {
    let evidence = match evidence::gather(question.window(), args, ctx.state_dir.as_deref()) {
        Ok(evidence) => evidence,
        Err(error) => {
            ctx.error(&format!("error: {error}"));
            return Exit::Usage;
        }
    };
    let told = match question {
        Question::Window(id) => window::explain(*id, &evidence),
        Question::Position(id, strategy) => position::explain(*id, strategy, &evidence),
        Question::Order(id) => order::explain(id, &evidence),
    };
    match told {
        Ok((text, value)) => {
            ctx.document(&match ctx.format {
                Format::Human => text,
                Format::Json => format!("{value:#}\n"),
            });
            Exit::Ok
        }
        Err(why) => {
            ctx.error(&format!("error: {why} (looked at: {})", evidence.source));
            Exit::Usage
        }
    }
}

/// The ledger's state from the records about one window, numbered anew.
pub(super) fn state(evidence: &Evidence) -> Result<LedgerState, String> {
    let records: Vec<Record> = (1..)
        .zip(&evidence.records)
        .map(|(seq, record)| Record {
            version: RECORD_VERSION,
            seq,
            ..record.clone()
        })
        .collect();
    LedgerState::replay(&records).map_err(|error| error.to_string())
}

/// Text with aligned names.
#[derive(Debug, Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn line(&mut self, text: &str) {
        // Writing into a String cannot fail.
        let _infallible = writeln!(self.0, "{text}");
    }

    pub(super) fn row(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:<11} {value}"));
    }

    pub(super) fn text(self) -> String {
        self.0
    }
}

/// `2026-02-01T12:30:00.250Z`.
pub(super) fn time(at: EpochMs) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// Time since the open, or left until it: `+70.250 s`.
pub(super) fn since_open(window: WindowId, at: EpochMs) -> String {
    let ms = at - window.open();
    let sign = if ms < 0 { '-' } else { '+' };
    let ms = ms.unsigned_abs();
    format!("{sign}{}.{:03} s", ms / 1_000, ms % 1_000)
}

/// A member of a journal line as text without quotes; empty where it is missing.
pub(super) fn word(line: &Value, name: &str) -> String {
    match line.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What a reason code stands for.
pub(super) fn meaning(code: &str, by: &str) -> String {
    let row = trader_core::safeguards::TABLE
        .iter()
        .find(|row| row.code == code);
    match (row, by) {
        (Some(row), _) => format!("safeguard: {}", row.doc),
        (None, "view") => "the data did not allow a decision".to_owned(),
        (None, "component") => "a component of the strategy said no".to_owned(),
        (None, "wire") => "the last question before the wire".to_owned(),
        (None, _) => String::new(),
    }
}

/// One journal line in words.
pub(super) fn decision(window: WindowId, line: &Value) -> String {
    let at = EpochMs(line.get("t_ms").and_then(Value::as_i64).unwrap_or(0));
    let mut out = format!("{:>12}  {}", since_open(window, at), word(line, "kind"));
    for name in ["strategy", "order", "what", "reason"] {
        let value = word(line, name);
        if !value.is_empty() {
            out.push(' ');
            out.push_str(&value);
        }
    }
    for (name, unit) in [
        ("seen", ""),
        ("limit", ""),
        ("outcome", ""),
        ("p_up", ""),
        ("edge", ""),
        ("price", ""),
        ("shares", ""),
        ("usd", " USD"),
    ] {
        let value = word(line, name);
        if !value.is_empty() {
            // Writing into a String cannot fail.
            let _infallible = write!(out, ", {name} {value}{unit}");
        }
    }
    let meaning = meaning(&word(line, "reason"), &word(line, "by"));
    if !meaning.is_empty() {
        let _infallible = write!(out, " [{meaning}]");
    }
    out
}
