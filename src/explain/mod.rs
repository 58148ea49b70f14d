//! `launch explain`: what a check's code means, from the pages inside this program.
//!
//! Needs no repository, network or state: it is read when everything else is broken. Decides nothing.

mod page;

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
