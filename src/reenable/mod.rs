//! `launch reenable`: the only way out of a freeze, on the record.
//!
//! The receipt comes first; then state directory, service variable, watchdog and trader are cleared, and
//! each is read back. What could not be read back is not lifted for certain: exit 3. Only what the receipt
//! names is lifted: a freeze that a kill sets meanwhile stands.

mod places;

use crate::clock;
use crate::context::{Context, Format};
use crate::deploy::operator;
use crate::exit::Exit;
use crate::plan::as_json;
use crate::receipts::{self, Kind, Statement};
use launch_kill::freeze::{self, Freeze, FreezeState};
use launch_kill::{EnvName, StateDir};
use places::{Place, Request};
use serde_json::json;
use std::fmt::Write as _;

/// Lift a freeze, on the record.
///
/// Writes its receipt first, then clears the state directory, the platform's variable, the watchdog and
/// the trader, and reads each back. A trader that does not run is re-enabled by the next deploy.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch reenable --env staging --reason \"drill over, positions checked by eye\"

Exit: 0 lifted and read back everywhere; 2 nothing is known of that name;
3 some place could not be cleared or read back.")]
pub struct ReenableArgs {
    /// The environment; without it the only one that was deployed from this machine.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Why it is safe again; recorded.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    /// Another GraphQL address for a railway target.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

/// Freeze id of a re-enable where no freeze could be read.
const NO_FREEZE: &str = "none";

/// Runs `launch reenable`.
pub fn run(args: &ReenableArgs, ctx: &Context) -> Exit {
    let state = StateDir::at(&ctx.state_dir);
    let env = match crate::status::only_env(args.env.as_deref(), &state) {
        Ok(env) => env,
        Err(why) => {
            ctx.error(&format!("error: {why}"));
            return Exit::Usage;
        }
    };
    if let Err(why) = is_known(&state, &env) {
        ctx.error(&format!("error: {why}"));
        return Exit::Usage;
    }
    if args.reason.trim().is_empty() {
        ctx.error("error: --reason is empty: say why it is safe again");
        return Exit::Usage;
    }
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            ctx.error(&format!("error: cannot start: {error}"));
            return Exit::Bug;
        }
    };
    runtime.block_on(reenable(args, ctx, &state, &env))
}

/// A name that this machine never deployed and never froze is a slip of the pen, not "re-enabled".
fn is_known(state: &StateDir, env: &EnvName) -> Result<(), String> {
    if state.kill_file_path(env).exists() || freeze::read_local(state, env).is_frozen() {
        return Ok(());
    }
    let known: Vec<String> = state
        .known_envs()
        .unwrap_or_default()
        .iter()
        .map(ToString::to_string)
        .collect();
    Err(format!(
        "nothing is known of {env}: neither {} nor {} exists, so there is nothing to lift; known here: {}",
        state.kill_file_path(env).display(),
        state.freeze_path(env).display(),
        if known.is_empty() {
            "nothing".to_owned()
        } else {
            known.join(", ")
        }
    ))
}

async fn reenable(args: &ReenableArgs, ctx: &Context, state: &StateDir, env: &EnvName) -> Exit {
    if let Some(endpoint) = &args.endpoint {
        ctx.note(&format!("endpoint {endpoint}, by --endpoint"));
    }
    let platform = places::platform(state, env, args.endpoint.as_deref()).await;
    let here = freeze::read_local(state, env);
    let there = places::read_variable(&platform).await;
    let frozen = known(&here).or_else(|| there.as_ref().ok().and_then(known));
    let request = Request {
        reason: args.reason.clone(),
        by: operator(),
        freeze_id: frozen
            .as_ref()
            .map_or_else(|| NO_FREEZE.to_owned(), |freeze| freeze.id.clone()),
    };
    if let Err(error) = write_receipt(state, env, &request, [&here, there_said(&there)]) {
        ctx.error(&format!(
            "error: the receipt could not be written, so nothing was lifted: {error}"
        ));
        return Exit::Unknown;
    }
    let mut all = vec![
        places::clear_state_dir(state, env, &here),
        places::clear_variable(&platform, &there).await,
    ];
    // While a freeze stands, what guards behind it stays: a kill that came meanwhile has set those, too.
    if all.iter().all(Place::is_lifted) {
        all.push(places::clear_watchdog(state, env, &platform, &request).await);
        all.push(places::clear_trader(state, env, &platform, &request).await);
    } else {
        all.extend(["watchdog", "trader"].map(places::left_alone));
    }
    let lifted = all.iter().all(Place::is_lifted);
    match ctx.format {
        Format::Human => ctx.document(&human(env, &request, lifted, &all)),
        Format::Json => ctx.document(&as_json(&json!({
            "schema_version": 1,
            "env": env.as_str(),
            "freeze_id": request.freeze_id,
            "reason": request.reason,
            "lifted": lifted,
            "places": all,
        }))),
    }
    if lifted { Exit::Ok } else { Exit::Unknown }
}

fn known(state: &FreezeState) -> Option<Freeze> {
    match state {
        FreezeState::Frozen(freeze) => Some(freeze.clone()),
        FreezeState::Off | FreezeState::Unreadable(_) => None,
    }
}

fn there_said(there: &Result<FreezeState, String>) -> &FreezeState {
    there.as_ref().unwrap_or(&FreezeState::Off)
}

/// Two kills at once may have left a freeze each, one in either place: both are named.
fn write_receipt(
    state: &StateDir,
    env: &EnvName,
    request: &Request,
    [here, there]: [&FreezeState; 2],
) -> Result<(), receipts::lines::LinesError> {
    let predicate = json!({
        "env": env.as_str(),
        "at": clock::now_text(),
        "freeze_id": request.freeze_id,
        "freeze": known(here).or_else(|| known(there)),
        "freeze_here": known(here),
        "freeze_on_platform": known(there),
        "reason": request.reason,
        "by": request.by,
    });
    receipts::append(
        state,
        &Statement::new(Kind::Reenable, None, None, predicate),
    )
}

fn human(env: &EnvName, request: &Request, lifted: bool, all: &[Place]) -> String {
    let word = if lifted {
        "re-enabled"
    } else {
        "NOT re-enabled everywhere"
    };
    let mut out = format!("{env}: {word} (freeze {})\n", request.freeze_id);
    for place in all {
        // Writing into a String cannot fail.
        let _infallible = writeln!(
            out,
            "  {:<20} {}: {}",
            place.name, place.status, place.detail
        );
    }
    if lifted {
        let _infallible = writeln!(
            out,
            "\n  next: launch deploy --env {env}, or launch status --env {env}"
        );
    }
    out
}
