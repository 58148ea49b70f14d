//! `launch explain`: what a check's code means, from the pages inside this program; and why a window,
//! position or order came out as it did, from a ledger or a tape.
//!
//! The pages need no repository, network or state: they are read when everything else is broken. Decides
//! nothing.

mod evidence;
mod order;
mod page;
mod position;
mod trading;
mod window;

use crate::context::{Context, Format};
use crate::exit::Exit;
use page::Page;
use serde_json::{Value, json};
use std::path::PathBuf;
use trader_core::near_miss::near_miss;

/// `launch explain`.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  launch explain LC-101                what the check proves, how to fix it
  launch explain codes                 every code with its title
  launch explain LC-205 --format json  the page for programs
  launch explain window --help         why something was entered or refused

Exit: 0 shown; 2 no such code."
)]
pub struct ExplainArgs {
    /// A check's code; without it, every code.
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Something other than a check.
    #[command(subcommand)]
    pub topic: Option<Topic>,
}

/// What can be explained beside a check.
#[derive(Debug, clap::Subcommand)]
pub enum Topic {
    /// Every check's code and title.
    #[command(after_help = "Example:\n  launch explain codes")]
    Codes,
    /// Every decision about one window: entries, refusals with their numbers, orders.
    #[command(after_help = "\
Examples:
  launch explain window btc-5m-1769949000
  launch explain window btc-5m-1769949000 --ledger ledger.sqlite3
  launch explain window btc-5m-1767226500 --tape generator:7

Exit: 0 told; 2 nothing is known of it, or the source cannot be used.")]
    Window {
        /// The window, like btc-5m-1769949000.
        #[arg(value_name = "WINDOW")]
        id: trader_core::window::WindowId,
        /// Where to look.
        #[command(flatten)]
        source: trading::SourceArgs,
    },
    /// One strategy's position in a window: cost, worst case, exits, result, quality gate.
    #[command(after_help = "\
Examples:
  launch explain position btc-5m-1769949000/probability-model
  launch explain position btc-5m-1767226500/hybrid --tape generator:7

Exit: 0 told; 2 nothing is known of it, or the source cannot be used.")]
    Position {
        /// The position, like btc-5m-1769949000/probability-model.
        #[arg(value_name = "WINDOW/STRATEGY", value_parser = trading::position_id)]
        id: (
            trader_core::window::WindowId,
            trader_core::units::StrategyId,
        ),
        /// Where to look.
        #[command(flatten)]
        source: trading::SourceArgs,
    },
    /// One order: requested, rounded and filled size, cost, fees, worst case.
    #[command(after_help = "\
Examples:
  launch explain order btc-5m-1769949000/probability-model/1
  launch explain order btc-5m-1769949000/probability-model/1 \\
      --ledger ledger.sqlite3 --manifest manifests/staging.toml

Exit: 0 told; 2 nothing is known of it, or the source cannot be used.")]
    Order {
        /// The order, like btc-5m-1769949000/probability-model/1.
        #[arg(value_name = "ORDER")]
        id: trader_core::order::OrderId,
        /// Where to look.
        #[command(flatten)]
        source: trading::SourceArgs,
    },
}

/// A check's page as it is written, for formats that carry it along.
pub fn text_of(code: &str) -> Option<String> {
    page::of(code).map(|page| page.text())
}

/// Runs `launch explain`. The state directory is `None` where there is no place for one.
pub fn run(args: &ExplainArgs, ctx: &Context<Option<PathBuf>>) -> Exit {
    if let Some(code) = &args.code {
        return explain_code(code, ctx);
    }
    match &args.topic {
        None | Some(Topic::Codes) => list(ctx),
        Some(Topic::Window { id, source }) => {
            trading::answer(&trading::Question::Window(*id), source, ctx)
        }
        Some(Topic::Position { id, source }) => {
            let question = trading::Question::Position(id.0, id.1.clone());
            trading::answer(&question, source, ctx)
        }
        Some(Topic::Order { id, source }) => {
            trading::answer(&trading::Question::Order(id.clone()), source, ctx)
        }
    }
}

fn explain_code(typed: &str, ctx: &Context<Option<PathBuf>>) -> Exit {
    let Some(page) = page::of(typed) else {
        ctx.error(&unknown(typed));
        return Exit::Usage;
    };
    ctx.document(&match ctx.format {
        Format::Human => page.human(),
        Format::Json => format!("{:#}\n", page.json()),
    });
    Exit::Ok
}

fn unknown(typed: &str) -> String {
    let codes: Vec<String> = launch_checks::catalogue()
        .map(|(code, _)| code.to_string())
        .collect();
    let upper = typed.to_ascii_uppercase();
    let near = near_miss(&upper, codes.iter().map(String::as_str))
        .map(|near| format!("did you mean {near}? "))
        .unwrap_or_default();
    let shown = crate::render::plain(typed);
    format!("error: {shown:?} is no check\nhelp: {near}launch explain codes lists all of them")
}

fn list(ctx: &Context<Option<PathBuf>>) -> Exit {
    let pages = page::all();
    ctx.document(&match ctx.format {
        Format::Human => pages.iter().map(Page::line).collect::<String>(),
        Format::Json => {
            let codes: Vec<Value> = pages.iter().map(Page::summary).collect();
            format!("{:#}\n", json!({ "schema_version": 1, "codes": codes }))
        }
    });
    Exit::Ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_code_is_told_the_nearest() {
        assert!(unknown("lc-1001").contains("did you mean LC-101?"));
        assert!(unknown("nonsense").contains("launch explain codes"));
    }
}
