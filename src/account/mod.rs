//! `launch positions` and `launch orders`: what the account holds and has open, by whoever can tell.
//!
//! The trader where it answers, else the venue's own data. Changes and starts nothing. Each answer
//! says its source and its age; what could not be read is said to be unknown, never shown as none.

mod look;
mod render;

use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::plan::as_json;
use launch_kill::{EnvName, StateDir};
use look::{Told, Wanted};
use trader_core::near_miss::near_miss;

const POSITIONS_HELP: &str = "\
Examples:
  launch positions
  launch positions --env production --format json

Asks the trader; where it does not answer, the venue's public data by
POLYMARKET_FUNDER or POLYMARKET_ADDRESS (mode live or unknown only).

Exit: 0 told by somebody for every environment; 3 something is unknown;
2 no environment is known, or --env is mistyped.";

const ORDERS_HELP: &str = "\
Examples:
  launch orders
  launch orders --env production --format json

Asks the venue with POLYMARKET_ADDRESS, POLYMARKET_API_KEY, _SECRET and
_PASSPHRASE (mode live or unknown only), else the trader, who tells a number.

Exit: 0 told by somebody for every environment; 3 something is unknown;
2 no environment is known, or --env is mistyped.";

/// Show open positions: what they can lose and when they settle.
///
/// Without --env: every environment that was deployed from this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = POSITIONS_HELP)]
pub struct PositionsArgs {
    /// The environment.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}

/// Show open orders.
///
/// Without --env: every environment that was deployed from this machine.
#[derive(Debug, clap::Args)]
#[command(after_help = ORDERS_HELP)]
pub struct OrdersArgs {
    /// The environment.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}

/// Runs `launch positions`.
pub fn positions(args: &PositionsArgs, ctx: &Context) -> Exit {
    run(args.env.as_deref(), Wanted::Positions, ctx)
}

/// Runs `launch orders`.
pub fn orders(args: &OrdersArgs, ctx: &Context) -> Exit {
    run(args.env.as_deref(), Wanted::Orders, ctx)
}

fn run(env: Option<&str>, wanted: Wanted, ctx: &Context) -> Exit {
    let state = StateDir::at(&ctx.state_dir);
    let envs = match wanted_envs(env, &state) {
        Ok(envs) => envs,
        Err(error) => {
            ctx.error(&format!("error: {error}"));
            return Exit::Usage;
        }
    };
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            ctx.error(&format!("error: cannot start: {error}"));
            return Exit::Bug;
        }
    };
    let mut all: Vec<Told> = runtime.block_on(async {
        let mut all = Vec::new();
        for env in &envs {
            all.push(look::take(&state, env, wanted).await);
        }
        all
    });
    for told in &mut all {
        told.set_age();
    }
    match ctx.format {
        Format::Human => ctx.document(&all.iter().map(render::human).collect::<String>()),
        Format::Json => ctx.document(&as_json(
            &serde_json::json!({"schema_version": 1, "targets": all}),
        )),
    }
    if all.iter().all(Told::is_known) {
        Exit::Ok
    } else {
        Exit::Unknown
    }
}

/// The named environment, else every known one. A name that was likely mistyped is refused: it has no kill
/// file, so its mode is unknown, and the account of the environment's variables would be told under it.
fn wanted_envs(env: Option<&str>, state: &StateDir) -> Result<Vec<EnvName>, String> {
    let known = state.known_envs();
    let Some(env) = env else {
        let known = known.map_err(|error| error.to_string())?;
        if known.is_empty() {
            return Err(format!(
                "nothing was ever deployed from {}\nhelp: name the environment with --env",
                state.root().display()
            ));
        }
        return Ok(known);
    };
    let env = EnvName::parse(env).map_err(|error| error.to_string())?;
    // What cannot be listed suggests nothing; the kill file itself is read, and judged, later.
    let known = known.unwrap_or_default();
    if !known.contains(&env)
        && let Some(meant) = near_miss(env.as_str(), known.iter().map(EnvName::as_str))
    {
        return Err(format!(
            "no kill file is called `{env}`\nhelp: did you mean --env {meant}?"
        ));
    }
    Ok(vec![env])
}
