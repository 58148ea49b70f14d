//! `launch platform serve | status | faults | stop`: the loopback platform by hand.
//!
//! `deploy` starts it on demand; nobody has to run this. Must not touch a Railway account.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::comeback;
use super::endpoint::Endpoint;
use super::ensure::{ask_admin, ensure, running};
use super::error::PlatformError;
use super::faults_command::{self, FaultsArgs};
use super::files;
use super::lifecycle;
use super::server::serve;
use super::supervisor::PlatformOptions;
use super::timing::Timing;
use crate::context::{Context, Format};
use crate::exit::Exit;

/// Longest wait for `platform stop`: the longest draining time that a service can have, and a
/// margin.
const STOP_PATIENCE: Duration = Duration::from_secs(3_700);
/// Longest wait for `platform status`.
const STATUS_PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for a stopped platform's process to end, after it has said goodbye.
const GONE_WAIT: Duration = Duration::from_secs(5);
/// Pause between two looks while waiting.
const LOOK: Duration = Duration::from_millis(20);

/// The platform on this machine that stands in for Railway.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  launch platform status
  launch platform start --time-scale 0.1   in the background, ten times faster
  launch platform faults --set '{\"stop\":\"acknowledged_only\"}'
  launch platform stop                     stops its deployments too")]
pub struct PlatformArgs {
    #[command(subcommand)]
    command: PlatformCommand,
}

/// What to do with it.
#[derive(Debug, Subcommand)]
enum PlatformCommand {
    /// Serve until ten minutes after the last live deployment.
    #[command(after_help = "Example:
  launch platform serve --time-scale 0.1 --state-dir scratch")]
    Serve(ServeArgs),
    /// Start one in the background unless one runs; a deploy then uses it.
    #[command(after_help = "Example:
  launch platform start --time-scale 0.1")]
    Start(StartArgs),
    /// Say where it answers and what runs on it.
    #[command(after_help = "Example:
  launch platform status --format json")]
    Status,
    /// Show or set how it misbehaves, to rehearse a bad night.
    ///
    /// Faults end with the platform's process; --clear ends them at once.
    #[command(after_help = "Examples:
  launch platform faults
  launch platform faults --set '{\"remove\":\"reported_only\"}'
  launch platform faults --set '{\"revive\":{\"by\":\"platform\",\"times\":3}}'
  launch platform faults --set '{\"network\":[{\"kind\":\"hang\",
      \"operations\":[\"deploymentStop\"],\"times\":1}]}'
  launch platform faults --clear

stop, remove and cancel are real, acknowledged_only, unreported,
reported_only, stuck or refused. Others: builds_hang, revive,
draining_ignored, report_delay_ms, second_deployment, hang_ms, network.")]
    Faults(FaultsArgs),
    /// Stop its deployments, then the platform.
    ///
    /// SIGTERM, then SIGKILL after their draining time.
    #[command(after_help = "Example:
  launch platform stop")]
    Stop,
}

/// How to serve.
#[derive(Debug, Args)]
struct ServeArgs {
    /// 1 is Railway's own pace, 0.02 fifty times faster.
    #[arg(long, default_value_t = 1.0, value_name = "X", value_parser = Timing::parse)]
    time_scale: f64,
    /// Port on 127.0.0.1; 0 takes the last one or a free one.
    #[arg(long, default_value_t = 0, value_name = "N")]
    port: u16,
    /// The program that `launch` in a start command stands for; this one if absent.
    #[arg(long, value_name = "FILE")]
    trader_bin: Option<PathBuf>,
    /// Leave the terminal's session, as `deploy` starts it.
    #[arg(long, hide = true)]
    detach: bool,
}

/// How to start.
#[derive(Debug, Args)]
struct StartArgs {
    /// 1 is Railway's own pace, 0.02 fifty times faster. A running platform keeps its own.
    #[arg(long, default_value_t = 1.0, value_name = "X", value_parser = Timing::parse)]
    time_scale: f64,
    /// The program that `launch` in a start command stands for; this one if absent.
    #[arg(long, value_name = "FILE")]
    trader_bin: Option<PathBuf>,
}

/// Runs `launch platform`.
pub fn run(args: &PlatformArgs, ctx: &Context) -> Exit {
    let result = match &args.command {
        PlatformCommand::Serve(serve) => run_server(serve, ctx),
        PlatformCommand::Start(start) => start_detached(start, ctx),
        PlatformCommand::Status => status(ctx),
        PlatformCommand::Faults(faults) => faults_command::run(faults, ctx),
        PlatformCommand::Stop => stop(ctx),
    };
    match result {
        Ok(exit) => exit,
        Err(error) => {
            ctx.error(&format!("error: {error}"));
            exit_of(&error)
        }
    }
}

fn exit_of(error: &PlatformError) -> Exit {
    match error {
        PlatformError::TimeScale(_)
        | PlatformError::Faults(_)
        | PlatformError::Unknown { .. }
        | PlatformError::Forgotten { .. }
        | PlatformError::Listen { .. }
        | PlatformError::File { .. }
        | PlatformError::Malformed { .. } => Exit::Usage,
        PlatformError::AlreadyServed { .. } | PlatformError::StartLock { .. } => Exit::Locked,
        PlatformError::NotUp { .. } | PlatformError::Answer { .. } | PlatformError::Ended => {
            Exit::Unknown
        }
        PlatformError::Schema(_) => Exit::Bug,
    }
}

fn start_detached(args: &StartArgs, ctx: &Context) -> Result<Exit, PlatformError> {
    let state_dir = absolute(&ctx.state_dir)?;
    let endpoint = ensure(&state_dir, args.time_scale, args.trader_bin.as_deref())?;
    ctx.document(&match ctx.format {
        Format::Json => format!("{}\n", json!({ "running": true, "platform": endpoint })),
        Format::Human => format!(
            "loopback platform: {} (pid {})\n",
            endpoint.endpoint, endpoint.pid
        ),
    });
    Ok(Exit::Ok)
}

fn run_server(args: &ServeArgs, ctx: &Context) -> Result<Exit, PlatformError> {
    if args.detach && rustix::process::setsid().is_err() {
        ctx.note("note: stays in its session, which it already leads");
    }
    let options = PlatformOptions {
        state_dir: absolute(&ctx.state_dir)?,
        time_scale: args.time_scale,
        trader_bin: match &args.trader_bin {
            Some(file) => absolute(file)?,
            None => std::env::current_exe()
                .map_err(PlatformError::file("find", Path::new("this program")))?,
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(PlatformError::file("start", Path::new("the runtime")))?;
    runtime.block_on(serve(&options, args.port))?;
    // A request that hangs on command must not keep the process.
    runtime.shutdown_background();
    Ok(Exit::Ok)
}

/// The platform outlives the directory in which it was started.
fn absolute(path: &Path) -> Result<PathBuf, PlatformError> {
    std::path::absolute(path).map_err(PlatformError::file("find", path))
}

fn status(ctx: &Context) -> Result<Exit, PlatformError> {
    let Some(endpoint) = running(&ctx.state_dir)? else {
        let known = Endpoint::read(&ctx.state_dir)?;
        let left = left_behind(ctx)?;
        match ctx.format {
            Format::Json => {
                let document = json!({ "running": false, "left_behind": left });
                ctx.document(&format!("{document}\n"));
            }
            Format::Human => {
                ctx.document("loopback platform: not running\n");
                for one in &left {
                    ctx.document(&format!("  left behind: {}\n", human_deployment(one)));
                }
            }
        }
        if let Some(known) = known.filter(Endpoint::may_be_alive) {
            ctx.note(&format!(
                "pid {} of platform.json lives but does not answer",
                known.pid
            ));
            return Ok(Exit::Unknown);
        }
        return Ok(Exit::Ok);
    };
    let (_, answer) = ask_admin(
        &ctx.state_dir,
        "GET",
        "/loopback/status",
        &Value::Null,
        STATUS_PATIENCE,
    )?;
    match ctx.format {
        Format::Json => {
            let document = json!({
                "running": true,
                "platform": endpoint,
                "services": answer.get("services"),
                "faults": answer.get("faults"),
            });
            ctx.document(&format!("{document}\n"));
        }
        Format::Human => ctx.document(&human_status(&endpoint, &answer)),
    }
    Ok(Exit::Ok)
}

/// What the next platform will find: processes that live on, deployments under way.
fn left_behind(ctx: &Context) -> Result<Vec<Value>, PlatformError> {
    let dir = files::platform_dir(&absolute(&ctx.state_dir)?);
    let state = comeback::read(&dir)?;
    let under_way: Vec<&str> = comeback::under_way(&state)
        .iter()
        .map(|row| row.id.as_str())
        .collect();
    let living = super::living_processes(&ctx.state_dir).unwrap_or_default();
    let rows = state.deployments.iter();
    Ok(rows
        .filter(|row| under_way.contains(&row.id.as_str()) || living.contains_key(&row.id))
        .map(|row| {
            json!({
                "id": row.id,
                "commit": row.commit,
                "status": lifecycle::status_of(row.phase),
                "pid": living.get(&row.id).and_then(|pids| pids.first()),
                "under_way": under_way.contains(&row.id.as_str()),
            })
        })
        .collect())
}

fn human_deployment(one: &Value) -> String {
    let text = |name: &str| match one.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    format!(
        "{} {} pid {} commit {}",
        text("id"),
        text("status"),
        text("pid"),
        text("commit")
    )
}

/// A list in an answer; a missing one is empty.
fn list(value: &Value, name: &str) -> Vec<Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

fn human_status(endpoint: &Endpoint, answer: &Value) -> String {
    let text = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let mut lines = vec![format!(
        "loopback platform: {} (pid {}, since {})",
        endpoint.endpoint, endpoint.pid, endpoint.started_at
    )];
    for service in list(answer, "services") {
        lines.push(format!(
            "{}: {}",
            text(&service, "env"),
            text(&service, "repo_dir")
        ));
        let live = list(&service, "live");
        if live.is_empty() {
            lines.push("  nothing live".to_owned());
        }
        for one in live {
            lines.push(format!("  {}", human_deployment(&one)));
        }
    }
    let faults = answer.get("faults").unwrap_or(&Value::Null);
    lines.push(faults_command::line(faults));
    lines.push(String::new());
    lines.join("\n")
}

fn stop(ctx: &Context) -> Result<Exit, PlatformError> {
    let Some(endpoint) = running(&ctx.state_dir)? else {
        ctx.note("loopback platform: not running");
        return Ok(Exit::Ok);
    };
    let (_, answer) = ask_admin(
        &ctx.state_dir,
        "POST",
        "/loopback/shutdown",
        &Value::Null,
        STOP_PATIENCE,
    )?;
    for id in list(&answer, "stopped") {
        ctx.note(&format!(
            "stopped deployment {}",
            id.as_str().unwrap_or_default()
        ));
    }
    let left = list(&answer, "left").len();
    if left > 0 {
        ctx.error(&format!(
            "error: {left} deployments still have a process; the platform stays up"
        ));
        return Ok(Exit::Unknown);
    }
    let since = std::time::Instant::now();
    while endpoint.may_be_alive() {
        if since.elapsed() > GONE_WAIT {
            ctx.error(&format!(
                "error: pid {} has said goodbye but still lives",
                endpoint.pid
            ));
            return Ok(Exit::Unknown);
        }
        std::thread::sleep(LOOK);
    }
    ctx.note("loopback platform: stopped");
    Ok(Exit::Ok)
}
