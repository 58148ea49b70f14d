//! `launch verify`: is what runs what was planned, asked from outside, twice.
//!
//! Changes nothing. Needs neither the manifest nor git: the plan comes from the last verified deploy's
//! receipt, or from a file.

pub mod identity;
pub mod judgement;
pub mod observe;

use crate::clock;
use crate::context::{Context, Format};
use crate::deploy::history;
use crate::exit::Exit;
use crate::plan::as_json;
use crate::platform::reach::{self, ReachError};
use crate::platform::tokens::{self, Role};
use crate::receipts::{self, Kind, Statement};
use crate::watchdog::expectation::Expectation;
use judgement::{Lease, Line, Verdict};
use launch_kill::{Endpoint, EnvName, JsonClient, StateDir};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Compare what runs with what was declared.
///
/// Asks the platform and the trader itself, the trader twice: one live deployment, its id and commit,
/// every effective value, strategies and components that live, one instance.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch verify --env staging
  launch verify --env staging --format json

Exit: 0 as planned; 1 something differs; 3 something could not be seen.")]
pub struct VerifyArgs {
    /// The environment, as it was deployed.
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub env: String,
    /// Another GraphQL address for a railway target.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

/// Runs `launch verify`.
pub fn run(args: &VerifyArgs, ctx: &Context) -> Exit {
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            ctx.error(&format!("error: cannot start: {error}"));
            return Exit::Bug;
        }
    };
    match runtime.block_on(verify(args, ctx)) {
        Ok((expected, lines)) => {
            let verdict = judgement::worst(&lines);
            write_receipt(ctx, &args.env, &expected, verdict, &lines);
            match ctx.format {
                Format::Human => ctx.document(&human(&args.env, &expected, verdict, &lines)),
                Format::Json => {
                    ctx.document(&as_json(&document(&args.env, &expected, verdict, &lines)));
                }
            }
            exit_of(verdict)
        }
        Err((exit, why)) => {
            ctx.error(&format!("error: {why}"));
            exit
        }
    }
}

/// The documented exit code of a verdict.
pub const fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass | Verdict::Warn => Exit::Ok,
        Verdict::Unknown => Exit::Unknown,
        Verdict::Fail => Exit::CheckFailed,
    }
}

async fn verify(
    args: &VerifyArgs,
    ctx: &Context,
) -> Result<(Expectation, Vec<Line>), (Exit, String)> {
    let usage = |error: &dyn std::fmt::Display| (Exit::Usage, error.to_string());
    let unknown = |error: &dyn std::fmt::Display| (Exit::Unknown, error.to_string());
    let state = StateDir::at(&ctx.state_dir);
    let env = EnvName::parse(&args.env).map_err(|error| usage(&error))?;
    if let Some(endpoint) = &args.endpoint {
        ctx.note(&format!("endpoint {endpoint}, by --endpoint"));
    }
    let reach =
        reach::reach(&state, &env, Role::Operator, args.endpoint.as_deref()).map_err(|error| {
            match error {
                ReachError::NoKillFile { .. } | ReachError::Incomplete { .. } => unknown(&error),
                ReachError::ForeignEndpoint { .. }
                | ReachError::State(_)
                | ReachError::Token(_)
                | ReachError::Endpoint(_)
                | ReachError::Client(_) => usage(&error),
            }
        })?;
    let all = receipts::read_all(&state).map_err(|error| unknown(&error))?;
    let mut expected =
        history::last_verified(&history::deploys(&all, env.as_str())).ok_or_else(|| {
            unknown(&format!(
                "no deploy of {env} was ever verified from this state directory: nothing says what \
                 was planned"
            ))
        })?;
    // The platform may have restarted the deployment; the watchdog then wrote the new nonce down.
    if let Some(nonce) = &reach.kill_file.instance_nonce
        && reach.kill_file.deployment_id.as_deref() == Some(&expected.deployment_id)
    {
        expected.instance_nonce.clone_from(nonce);
    }
    let tokens = tokens::find(
        &state,
        &env,
        reach.kill_file.is_local(),
        &tokens::process_variable,
    )
    .map_err(|error| usage(&error))?;
    let at = Endpoint::parse(&expected.trader_url).map_err(|error| unknown(&error))?;
    let trader = JsonClient::new(at, Some(tokens.halt)).map_err(|error| unknown(&error))?;
    let seen = observe::look(&reach.client, &reach.ids, &trader).await;
    let lines = judgement::judge(&expected, true, Lease::Told, &seen);
    Ok((expected, lines))
}

fn human(env: &str, expected: &Expectation, verdict: Verdict, lines: &[Line]) -> String {
    let word = |verdict| match verdict {
        Verdict::Pass => "pass",
        Verdict::Warn => "warn",
        Verdict::Unknown => "unknown",
        Verdict::Fail => "FAIL",
    };
    let mut out = format!(
        "{env}: {} (plan {}, deployment {})\n",
        word(verdict),
        expected.plan.plan_id,
        expected.deployment_id
    );
    for line in lines {
        // Writing into a String cannot fail.
        let _infallible = writeln!(
            out,
            "  {:<8} {:<20} {}",
            word(line.verdict),
            line.what,
            line.detail
        );
    }
    out
}

fn document(env: &str, expected: &Expectation, verdict: Verdict, lines: &[Line]) -> Value {
    json!({
        "schema_version": 1,
        "env": env,
        "verdict": verdict,
        "plan_id": expected.plan.plan_id,
        "intent_digest": expected.plan.intent_digest,
        "deployment_id": expected.deployment_id,
        "commit": expected.plan.intent.commit,
        "lines": lines,
    })
}

/// A receipt that cannot be written is told; the verdict stands.
fn write_receipt(
    ctx: &Context,
    env: &str,
    expected: &Expectation,
    verdict: Verdict,
    lines: &[Line],
) {
    let intent = &expected.plan.intent;
    let mut predicate = document(env, expected, verdict, lines);
    if let Some(fields) = predicate.as_object_mut() {
        fields.insert("at".to_owned(), json!(clock::now_text()));
    }
    let statement = Statement::new(
        Kind::Verify,
        Some(&intent.commit),
        Some(&intent.tree),
        predicate,
    );
    if let Err(error) = receipts::append(&StateDir::at(&ctx.state_dir), &statement) {
        ctx.error(&format!(
            "warning: the receipt could not be written: {error}"
        ));
    }
}
