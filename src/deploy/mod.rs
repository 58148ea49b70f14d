//! `launch deploy`: plan, preflight, lock, deploy by commit id, verify, hand to the watchdog; and the
//! automatic stop of what could not be verified.
//!
//! Until the deploy mutation is sent, any refusal leaves everything as it was. Afterwards every way out
//! is either verified (0), stopped again (6), or says that the stop is not proved (8). Order of reading:
//! `before`, `replace`, `send`, `after`, `unwind`.

pub mod after;
pub mod before;
pub mod day_loss;
pub mod frozen;
pub mod halt_left;
pub mod history;
pub mod kill_file;
pub mod lock;
pub mod preflight;
pub mod refusal;
pub mod render;
pub mod replace;
pub mod send;
pub mod sent;
pub mod stage;
pub mod steps;
pub mod stop;
pub mod unwind;
pub mod wait;

use crate::clock;
use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::plan::as_json;
use crate::receipts::{self, Kind, Statement};
use crate::watchdog::expectation::Expectation;
use before::Cleared;
use history::{Deployed, Outcome};
use refusal::{Failure, Refusal};
use sent::SharedSent;
use std::path::PathBuf;
use steps::Steps;
use tokio::signal::unix::{SignalKind, signal};

/// Preflight, deploy by commit id, verify, hand to the watchdog.
///
/// Once the deploy is sent, any failure or interrupt ends in an automatic, proved stop of the new
/// deployment only (exit 6, or 8 when the stop is not proved).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch deploy --env staging
  launch plan --env staging --out plan.json
  launch deploy --env staging --plan plan.json

Exit: 0 verified twice with the lease held; 1 a check failed;
3 something could not be seen; 4 lock held or frozen; 5 the plan is stale;
6 deployed, not verified, stopped again;
8 deployed, not verified, and the stop is not proved either;
130 interrupted before anything was sent.")]
pub struct DeployArgs {
    /// The environment, from manifests/launch.toml.
    #[arg(long, value_name = "NAME", default_value = "local")]
    pub env: String,
    /// Deploy exactly this plan: used once, at most 30 minutes old, nothing changed since.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Another GraphQL address for a railway target.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
}

/// How a deploy ended.
#[derive(Debug)]
enum End {
    Verified(Box<Expectation>),
    Refused(Refusal),
    Failed(Failure),
}

/// Runs `launch deploy`.
pub fn run(args: &DeployArgs, ctx: &Context) -> Exit {
    match crate::runtime::new() {
        Ok(runtime) => {
            let exit = runtime.block_on(deploy(args, ctx));
            // An interrupted preflight may still be at work on a thread; nobody waits for it.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            ctx.error(&format!("error: cannot start: {error}"));
            Exit::Bug
        }
    }
}

async fn deploy(args: &DeployArgs, ctx: &Context) -> Exit {
    let mut steps = Steps::new(ctx);
    let started_at = clock::now_text();
    let sent = SharedSent::default();
    let mut interrupted = match Interrupts::listen() {
        Ok(interrupts) => interrupts,
        Err(error) => {
            ctx.error(&format!("error: cannot listen for signals: {error}"));
            return Exit::Bug;
        }
    };
    let cleared = tokio::select! {
        cleared = before::clear(args, ctx, &mut steps) => cleared,
        name = interrupted.next() => return nothing_sent(ctx, &Failure::Interrupted(name)),
    };
    let cleared = match cleared {
        Ok(cleared) => cleared,
        Err(refusal) => return refuse(ctx, &refusal),
    };
    let end = tokio::select! {
        end = carry_out(&cleared, &sent, &mut steps) => end,
        name = interrupted.next() => End::Failed(Failure::Interrupted(name)),
        told = frozen::appears(&cleared.gathered, &sent) => frozen_meanwhile(told, &sent),
    };
    match end {
        End::Verified(expected) => finish(ctx, &cleared, &sent, &mut steps, &started_at, &expected),
        End::Refused(refusal) => {
            replace::release(&cleared.gathered).await;
            refuse(ctx, &refusal)
        }
        End::Failed(failure) if !sent.lock().is_sent => {
            replace::release(&cleared.gathered).await;
            nothing_sent(ctx, &failure)
        }
        End::Failed(failure) => fail(ctx, &cleared, &sent, &mut steps, &started_at, &failure).await,
    }
}

/// A kill came: before anything was sent nothing is, afterwards what was made is stopped.
fn frozen_meanwhile(told: String, sent: &SharedSent) -> End {
    if sent.lock().is_sent {
        End::Failed(Failure::Frozen(told))
    } else {
        End::Refused(Refusal::Locked(told))
    }
}

/// It ended before the deploy was sent.
fn nothing_sent(ctx: &Context, failure: &Failure) -> Exit {
    ctx.error(&format!(
        "error: {failure}: nothing was deployed, and what ran before goes on"
    ));
    Exit::Interrupted
}

async fn carry_out(cleared: &Cleared, sent: &SharedSent, steps: &mut Steps) -> End {
    let gathered = &cleared.gathered;
    let begun = async {
        send::announce(gathered)?;
        replace::hold(gathered, steps).await?;
        send::prepare_service(gathered, steps).await?;
        send::note_before(gathered, sent).await?;
        frozen::by_either(gathered).await
    };
    if let Err(refusal) = begun.await {
        return End::Refused(refusal);
    }
    let brought_up = async {
        let id = send::send(gathered, sent, steps).await?;
        frozen::still_off(gathered).await?;
        let expected = after::bring_up(gathered, &id, sent, steps).await?;
        frozen::still_off(gathered).await?;
        Ok::<_, Failure>(expected)
    };
    match brought_up.await {
        Ok(expected) => End::Verified(Box::new(expected)),
        Err(failure) => End::Failed(failure),
    }
}

fn refuse(ctx: &Context, refusal: &Refusal) -> Exit {
    match refusal {
        Refusal::Gather(error) => error.report(ctx),
        Refusal::Failed(_)
        | Refusal::Unknown(_)
        | Refusal::Usage(_)
        | Refusal::Locked(_)
        | Refusal::Stale(_) => {
            ctx.error(&format!("error: {refusal}"));
            refusal.exit()
        }
    }
}

fn finish(
    ctx: &Context,
    cleared: &Cleared,
    sent: &SharedSent,
    steps: &mut Steps,
    started_at: &str,
    expected: &Expectation,
) -> Exit {
    let deployed = deployed(cleared, sent, steps, started_at, Outcome::Verified, None);
    write_receipt(ctx, cleared, &deployed);
    let facts = sent.snapshot();
    match ctx.format {
        Format::Human => ctx.document(&render::verified(&cleared.gathered, &facts, expected)),
        Format::Json => ctx.document(&as_json(&render::verified_json(
            &deployed, &facts, expected,
        ))),
    }
    Exit::Ok
}

async fn fail(
    ctx: &Context,
    cleared: &Cleared,
    sent: &SharedSent,
    steps: &mut Steps,
    started_at: &str,
    failure: &Failure,
) -> Exit {
    ctx.error(&format!("error: not verified: {failure}"));
    let undone = unwind::undo(cleared, sent, failure, steps).await;
    let reason = Some(failure.to_string());
    let deployed = deployed(cleared, sent, steps, started_at, undone.outcome, reason);
    write_receipt(ctx, cleared, &deployed);
    for line in &undone.told {
        ctx.error(line);
    }
    if ctx.format == Format::Json {
        ctx.document(&as_json(&render::failed_json(&deployed, &undone)));
    }
    undone.exit()
}

fn deployed(
    cleared: &Cleared,
    sent: &SharedSent,
    steps: &mut Steps,
    started_at: &str,
    outcome: Outcome,
    reason: Option<String>,
) -> Deployed {
    let facts = sent.snapshot();
    let gathered = &cleared.gathered;
    Deployed {
        env: gathered.env.to_string(),
        outcome,
        reason,
        plan: gathered.plan.clone(),
        preflight: cleared.preflight.clone(),
        endpoint: gathered.connected.endpoint.as_str().to_owned(),
        deployment_id: facts.deployment_id,
        instance_nonce: facts.instance_nonce,
        trader_url: facts.trader_url,
        watchdog_url: facts.watchdog_url,
        started_at: started_at.to_owned(),
        finished_at: clock::now_text(),
        warnings: facts.warnings,
        steps: steps.taken(),
    }
}

/// A receipt that cannot be written is told; it changes nothing about what runs.
fn write_receipt(ctx: &Context, cleared: &Cleared, deployed: &Deployed) {
    let intent = &deployed.plan.intent;
    let written = serde_json::to_value(deployed)
        .map_err(receipts::lines::LinesError::Record)
        .and_then(|predicate| {
            let statement = Statement::new(
                Kind::Deploy,
                Some(&intent.commit),
                Some(&intent.tree),
                predicate,
            );
            receipts::append(&cleared.gathered.state, &statement)
        });
    if let Err(error) = written {
        ctx.error(&format!(
            "warning: the receipt could not be written: {error}"
        ));
    }
}

/// The signals that end a command; none of them ends this one before its undoing.
#[derive(Debug)]
struct Interrupts {
    int: tokio::signal::unix::Signal,
    term: tokio::signal::unix::Signal,
    hup: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            int: signal(SignalKind::interrupt())?,
            term: signal(SignalKind::terminate())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.int.recv() => "SIGINT",
            _ = self.term.recv() => "SIGTERM",
            _ = self.hup.recv() => "SIGHUP",
        }
    }
}

/// Who runs this command, as far as the environment tells.
pub fn operator() -> String {
    ["USER", "LOGNAME", "GITHUB_ACTOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.is_empty()))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
