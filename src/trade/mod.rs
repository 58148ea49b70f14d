//! `launch trade`: the trader itself, paper or dry run. Real orders live in the program `trader`.
//!
//! Only flags, output and exit codes; the trader is `trader-runtime`. Paper is configured by the
//! environment alone, because that is what the platform sets and `verify` compares.

use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use clap::{Args, ValueEnum};
use std::fmt::Write as _;
use std::path::PathBuf;
use trader_core::feed::{FEED_WANTED, Feed, FeedError};
use trader_core::manifest::Mode;
use trader_core::wire::DryRunDocument;
use trader_runtime::config::Config;
use trader_runtime::dry_run::{self, DryRun, WINDOWS_MAX};
use trader_runtime::log::{self, Level};
use trader_runtime::process::{self, ProcessError};

/// What is done with approved orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TradeMode {
    /// Virtual time, nothing is sent; ends after some windows.
    DryRun,
    /// Real time, simulated fills; runs until it is stopped.
    Paper,
    /// Refused here: only the program `trader` sends real orders.
    Live,
}

/// The trader: paper or dry run.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  launch trade --mode dry-run --manifest manifests/staging.toml --windows 3
  launch trade --mode dry-run --manifest manifests/ci.toml --feed tape:t.jsonl
  launch trade --mode paper     configured by the environment variables below

Environment of --mode paper:
  LAUNCH_MANIFEST       path of the manifest
  LAUNCH_FEED           generator:SEED or tape:PATH
  LAUNCH_HALT_TOKEN     can only stop
  LAUNCH_CONTROL_TOKEN  leases and re-enables
  LAUNCH_LISTEN         ip:port (else PORT)
  LAUNCH_FREEZE         off, or a freeze: starts halted
  LAUNCH_LEDGER         file (else $RAILWAY_VOLUME_MOUNT_PATH/ledger.sqlite3)")]
pub struct TradeArgs {
    /// What is done with approved orders.
    #[arg(long, value_enum)]
    pub mode: TradeMode,
    /// The manifest (dry run).
    #[arg(long, value_name = "FILE", required_if_eq("mode", "dry-run"))]
    pub manifest: Option<PathBuf>,
    /// Windows to see from open to outcome (dry run).
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=i64::from(WINDOWS_MAX)))]
    pub windows: u32,
    /// Where events come from: generator:SEED or tape:PATH (dry run).
    #[arg(long, value_name = "FEED", default_value = "generator:1", value_parser = feed)]
    pub feed: Feed,
    /// Write what the engine saw to this file (dry run).
    #[arg(long, value_name = "FILE")]
    pub tape_out: Option<PathBuf>,
}

fn feed(text: &str) -> Result<Feed, String> {
    text.parse()
        .map_err(|error: FeedError| format!("{error}; wanted {FEED_WANTED}"))
}

/// Runs `launch trade`.
pub fn run(args: &TradeArgs, ctx: &Context<NoState>) -> Exit {
    match args.mode {
        TradeMode::DryRun => dry_run(args, ctx),
        TradeMode::Paper => paper(),
        TradeMode::Live => {
            ctx.error(
                "error: launch sends no real orders: mode live exists only in the program `trader`, \
                 which a production manifest deploys",
            );
            Exit::Usage
        }
    }
}

fn paper() -> Exit {
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            log::line(Level::Error, &format!("cannot start: {error}"), &[]);
            return Exit::Usage;
        }
    };
    match process::run(&config, Mode::Paper) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            let refused = error.is_refused_start();
            let message = if refused {
                format!("cannot start: {error}")
            } else {
                error.to_string()
            };
            log::line(Level::Error, &message, &[]);
            if refused {
                Exit::Usage
            } else if matches!(error, ProcessError::Panicked) {
                Exit::Bug
            } else {
                Exit::Unknown
            }
        }
    }
}

fn dry_run(args: &TradeArgs, ctx: &Context<NoState>) -> Exit {
    let order = DryRun {
        // clap has seen to it that there is one.
        manifest: args.manifest.clone().unwrap_or_default(),
        feed: args.feed.clone(),
        windows: args.windows,
        tape_out: args.tape_out.clone(),
    };
    match dry_run::run(&order) {
        Ok(document) => {
            ctx.document(&render(&document, ctx.format));
            Exit::Ok
        }
        Err(error) => {
            log::line(
                Level::Error,
                &format!("the dry run gives no result: {error}"),
                &[],
            );
            Exit::CheckFailed
        }
    }
}

fn render(document: &DryRunDocument, format: Format) -> String {
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(document).unwrap_or_default();
            format!("{text}\n")
        }
        Format::Human => human(document),
    }
}

fn human(document: &DryRunDocument) -> String {
    let mut text = format!(
        "dry run: {} windows, {} ticks, {} signals, {} intents, {} sent\n",
        document.windows, document.ticks, document.signals, document.intents, document.sent
    );
    // Writing into a String cannot fail.
    let mut line = |name: &str, value: &str| {
        let _infallible = writeln!(text, "  {name:<12} {value}");
    };
    let refusals: Vec<String> = document
        .refusals
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    line(
        "refused",
        if refusals.is_empty() {
            "nothing".to_owned()
        } else {
            refusals.join(", ")
        }
        .as_str(),
    );
    line("unexplained", &document.unexplained.to_string());
    line("strategies", &document.strategies.join(", "));
    line("manifest", &document.manifest_digest);
    line("journal", &document.journal_digest);
    text
}
