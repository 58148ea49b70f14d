//! `launch watchdog`: observes from outside, grants the trading lease while all is as planned,
//! withdraws it in doubt, stops the target on evidence.
//!
//! Never lives in the process it guards; never grants under a freeze, a revocation, a hold or without
//! an expected identity. Order of reading: rules, limit rules, patrol state, lease, shared, patrol, server, trip.

pub mod expectation;
pub mod lease;
mod limit_rules;
pub mod patrol;
pub mod patrol_state;
pub mod reading;
pub mod record;
pub mod rules;
pub mod server;
pub mod shared;
pub mod spawn;
pub mod trip;

use crate::clock;
use crate::context::{Context, Format};
use crate::deploy::history;
use crate::exit::Exit;
use crate::plan::as_json;
use crate::plan::intent::LEASE_TTL_MS;
use crate::platform::reach::{self, Reach, ReachError};
use crate::platform::tokens::{self, Role, TokenError};
use crate::receipts;
use expectation::Expectation;
use launch_kill::process::{self, Life};
use launch_kill::{EnvName, StateDir};
use patrol::{End, Patrol, Seen};
use reading::Readings;
use record::{Record, Stance};
use serde_json::{Value, json};
use server::Surface;
use shared::{Shared, Watch};
use std::fs::{File, OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, watch};

/// Time between two looks at a platform on this machine, ms: nobody counts calls here.
const LOCAL_PLATFORM_POLL_MS: u64 = 1_000;

/// Watch a deployment, grant its trading lease, stop it when it is wrong.
///
/// `launch deploy` starts one by itself. It holds (withdraws the lease: entries off, exits on) on
/// silence and doubt, and trips (freezes and stops, with proof) on evidence of wrong. Without it the
/// lease lapses and the trader enters nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch watchdog --env staging          watch what the last deploy left running
  launch watchdog --env staging --stay   as a service; idle without a target

Exit: 0 stopped by someone, or the target is gone;
1 tripped, and the stop is proved; 7 tripped, and the stop is not proved;
3 nothing could ever be observed;
4 another watchdog of this environment runs from this state directory.")]
pub struct WatchdogArgs {
    /// The environment; without it the only one that was deployed from this machine.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Where its HTTP surface listens.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Stay as an idle service when the target is gone, until a deploy hands over the next.
    #[arg(long)]
    pub stay: bool,
    /// Another GraphQL address for a railway target.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Leave the terminal's session, as `deploy` starts it.
    #[arg(long, hide = true)]
    pub detached: bool,
    /// Time between two looks at the trader, ms. For tests.
    #[arg(long, hide = true, value_name = "MS", default_value_t = patrol::POLL_MS,
          value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub poll_ms: u64,
}

/// Why a watchdog could not begin.
#[derive(Debug, thiserror::Error)]
enum Unable {
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Held(String),
    #[error("cannot {doing}: {source}")]
    Io {
        doing: &'static str,
        source: std::io::Error,
    },
}

impl Unable {
    const fn exit(&self) -> Exit {
        match self {
            Self::Reach(_) | Self::Token(_) | Self::Usage(_) => Exit::Usage,
            Self::Held(_) => Exit::Locked,
            Self::Io { .. } => Exit::Unknown,
        }
    }
}

/// Runs `launch watchdog`.
pub fn run(args: &WatchdogArgs, ctx: &Context) -> Exit {
    if args.detached {
        // A session of its own: neither a Ctrl-C meant for the deploy nor a closing terminal reaches it.
        // Fails only for a group leader, which a plain child never is.
        let _left_already = rustix::process::setsid();
    }
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            ctx.error(&format!("error: cannot start: {error}"));
            return Exit::Bug;
        }
    };
    match runtime.block_on(watch(args, ctx)) {
        Ok((exit, document)) => {
            if ctx.format == Format::Json {
                ctx.document(&as_json(&document));
            }
            exit
        }
        Err(unable) => {
            ctx.error(&format!("error: {unable}"));
            unable.exit()
        }
    }
}

async fn watch(args: &WatchdogArgs, ctx: &Context) -> Result<(Exit, Value), Unable> {
    let state = StateDir::at(&ctx.state_dir);
    let env = which_env(args, &state)?;
    // Asked before anything is written: a slip of the pen leaves nothing behind.
    reach::reach(&state, &env, Role::Watchdog, args.endpoint.as_deref())?;
    let _lock = only_one(&state, &env)?;
    let stop = signals().map_err(|source| Unable::Io {
        doing: "listen for signals",
        source,
    })?;
    let mut patrol = set_up(args, ctx, &state, &env).await?;
    let stance = patrol.shared.watch().stance();
    patrol.record.stance = stance;
    let detail = json!({"pid": patrol.record.pid, "url": patrol.record.url});
    patrol.tell("started", None, &detail);
    let end = patrol.run(stop).await;
    let (exit, reason, report) = conclude(&mut patrol, end, args.endpoint.clone()).await;
    patrol.write_end(exit.code(), &reason);
    let document = json!({
        "schema_version": 1,
        "env": env.as_str(),
        "exit": exit.code(),
        "reason": reason,
        "kill": report,
    });
    Ok((exit, document))
}

fn which_env(args: &WatchdogArgs, state: &StateDir) -> Result<EnvName, Unable> {
    crate::status::only_env(args.env.as_deref(), state).map_err(Unable::Usage)
}

/// One watchdog per environment and state directory: two would write over each other's record. Two on
/// two machines are harmless, both honour the freeze.
fn only_one(state: &StateDir, env: &EnvName) -> Result<File, Unable> {
    let io = |doing| move |source| Unable::Io { doing, source };
    let path = record::path(state, env, "lock");
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(io("make the state directory"))?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("open the watchdog's lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let who = record::read(state, env)
                .ok()
                .flatten()
                .filter(|other| other.life() != Life::Gone)
                .map_or_else(String::new, |other| {
                    format!(": process {}, {}", other.pid, other.url)
                });
            Err(Unable::Held(format!(
                "a watchdog of {env} runs from {} already{who}",
                state.root().display()
            )))
        }
        Err(TryLockError::Error(source)) => Err(io("lock the watchdog's lock")(source)),
    }
}

async fn set_up(
    args: &WatchdogArgs,
    ctx: &Context,
    state: &StateDir,
    env: &EnvName,
) -> Result<Patrol, Unable> {
    let Reach {
        kill_file,
        client,
        ids,
    } = reach::reach(state, env, Role::Watchdog, args.endpoint.as_deref())?;
    if let Some(endpoint) = &args.endpoint {
        ctx.note(&format!("endpoint {endpoint}, by --endpoint"));
    }
    let is_local = kill_file.is_local();
    let tokens = tokens::find(state, env, is_local, &tokens::process_variable)?;
    let io = |doing| move |source| Unable::Io { doing, source };
    let listener = TcpListener::bind(args.listen).await.map_err(io("listen"))?;
    let address = listener.local_addr().map_err(io("listen"))?;
    let expected = expected_at_start(state, env, kill_file.deployment_id.as_deref());
    let shared = Arc::new(Shared::new(Watch::new(
        expected.clone(),
        expected
            .as_ref()
            .map_or(LEASE_TTL_MS, |e| e.plan.intent.watch.lease_ttl_ms),
    )));
    let wake = Arc::new(Notify::new());
    let started_at = clock::now_text();
    let surface = Surface {
        shared: Arc::clone(&shared),
        env: env.to_string(),
        started_at: started_at.clone(),
        halt_token: tokens.halt,
        control_token: tokens.control.clone(),
        wake: Arc::clone(&wake),
    };
    tokio::spawn(async move { axum::serve(listener, server::router(surface)).await });
    let platform_poll_ms = if is_local {
        LOCAL_PLATFORM_POLL_MS.min(args.poll_ms.saturating_mul(5))
    } else {
        reading::PLATFORM_POLL_MS
    };
    let readings = Readings::start(
        client,
        ids,
        Arc::clone(&shared),
        platform_poll_ms,
        Arc::clone(&wake),
    );
    let me = process::identify(std::process::id());
    Ok(Patrol {
        shared,
        state: state.clone(),
        env: env.clone(),
        control: tokens.control,
        readings,
        wake,
        poll_ms: args.poll_ms,
        stay: args.stay,
        ctx: ctx.clone(),
        holder: format!("watchdog-{env}-{}", std::process::id()),
        record: Record {
            env: env.to_string(),
            pid: std::process::id(),
            pid_start: me.as_ref().map_or(0, |me| me.start),
            boot_id: me.map(|me| me.boot_id).unwrap_or_default(),
            url: format!("http://{address}"),
            started_at,
            stance: Stance::Idle,
            reasons: Vec::new(),
            expected,
            ended: None,
        },
        seen: Seen::default(),
    })
}

/// What a watchdog expects that nobody has told anything yet: what the last one expected, or what the
/// last verified deploy left running; and only if the kill file still names that deployment.
fn expected_at_start(
    state: &StateDir,
    env: &EnvName,
    deployment_id: Option<&str>,
) -> Option<Expectation> {
    let fits = |expected: &Expectation| Some(expected.deployment_id.as_str()) == deployment_id;
    let by_record = record::read(state, env)
        .ok()
        .flatten()?
        .expected
        .filter(fits);
    by_record.or_else(|| {
        let all = receipts::read_all(state).ok()?;
        history::last_verified(&history::deploys(&all, env.as_str())).filter(fits)
    })
}

/// Turns the end of a patrol into the documented exit; a trip is carried out here.
async fn conclude(
    patrol: &mut Patrol,
    end: End,
    endpoint: Option<String>,
) -> (Exit, String, Value) {
    match end {
        End::NothingToWatch(why) => (Exit::Ok, why, Value::Null),
        End::Stopped(signal) => (
            Exit::Ok,
            format!("ended by {signal}: the lease lapses, entries stop"),
            Value::Null,
        ),
        End::Blind(why) => (Exit::Unknown, why, Value::Null),
        End::Trip(reasons) => {
            patrol.record.stance = Stance::Tripped;
            patrol.record.reasons = reasons
                .iter()
                .map(|sighting| format!("{}: {}", sighting.rule, sighting.reason))
                .collect();
            patrol.tell("tripped", None, &json!({"reasons": reasons}));
            let tripped = trip::trip(
                &patrol.shared,
                &patrol.state,
                &patrol.env,
                &reasons,
                endpoint,
            )
            .await;
            let cause = patrol.record.reasons.join("; ");
            match tripped {
                Ok(report) => {
                    let proved = report.verdict.exit_code() == 0;
                    let exit = if proved {
                        Exit::CheckFailed
                    } else {
                        Exit::KillNotVerified
                    };
                    let told = format!("tripped ({cause}); stop: {}", report.verdict.as_str());
                    let document = serde_json::to_value(&report).unwrap_or_default();
                    (exit, told, document)
                }
                Err(why) => (
                    Exit::KillNotVerified,
                    format!("tripped ({cause}); nothing could be asked to stop: {why}"),
                    Value::Null,
                ),
            }
        }
    }
}

/// Turns the signals that end a process into a value that the patrol can wait for.
fn signals() -> std::io::Result<watch::Receiver<Option<&'static str>>> {
    let (to, from) = watch::channel(None);
    let mut int = signal(SignalKind::interrupt())?;
    let mut term = signal(SignalKind::terminate())?;
    // A terminal that closes must not end the watch: the process is told apart from its terminal.
    let mut hup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = int.recv() => break to.send_replace(Some("SIGINT")),
                _ = term.recv() => break to.send_replace(Some("SIGTERM")),
                _ = hup.recv() => {}
            }
        }
    });
    Ok(from)
}
