//! The watchdog as a process of its own: found where one runs, else started detached.
//!
//! It outlives the deploy that started it. Its surface listens on loopback with a free port; record
//! and log lie in the state directory.

use super::record::{self, Record};
use launch_kill::process::Life;
use launch_kill::{Deadline, Endpoint, EnvName, Secret, StateDir, Watchdog};
use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest wait for a started watchdog to answer, ms.
pub const START_WITHIN_MS: u64 = 10_000;

/// Time between two looks for its answer, ms.
const START_POLL_MS: u64 = 50;

/// Longest wait for one answer, ms.
const ANSWER_MS: u64 = 1_000;

/// Lines of the log that an error repeats.
const LOG_LINES: usize = 5;

/// Why there is no watchdog.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The process could not be started.
    #[error("cannot start the watchdog: {0}")]
    Io(#[from] io::Error),
    /// It was started and does not answer.
    #[error(
        "the watchdog was started but does not answer after {START_WITHIN_MS} ms; its log {log}:\n{tail}"
    )]
    Silent {
        /// The log file.
        log: String,
        /// Its last lines.
        tail: String,
    },
}

/// A watchdog that answers.
#[derive(Debug, Clone)]
pub struct Running {
    /// What it wrote down.
    pub record: Record,
    /// Whether this call started it.
    pub started: bool,
}

/// The watchdog that runs for `env` on this machine and answers, if there is one.
pub async fn find(state: &StateDir, env: &EnvName, control: &Secret) -> Option<Running> {
    let record = record::read(state, env).ok()??;
    if record.life() == Life::Gone || record.ended.is_some() {
        return None;
    }
    let watchdog = Watchdog::new(Endpoint::parse(&record.url).ok()?, Some(control.clone())).ok()?;
    let told = watchdog
        .health(Deadline::after(Duration::from_millis(ANSWER_MS)))
        .await
        .ok()?;
    let is_it = told.get("pid").and_then(serde_json::Value::as_u64) == Some(record.pid.into())
        && told.get("env").and_then(serde_json::Value::as_str) == Some(env.as_str());
    is_it.then_some(Running {
        record,
        started: false,
    })
}

/// Finds the watchdog of `env` or starts one with `program`, and waits until it answers.
///
/// # Errors
/// It cannot be started or does not answer in time.
pub async fn find_or_start(
    state: &StateDir,
    env: &EnvName,
    control: &Secret,
    program: &Path,
) -> Result<Running, SpawnError> {
    if let Some(running) = find(state, env, control).await {
        return Ok(running);
    }
    let log = record::path(state, env, "log");
    if let Some(parent) = log.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let output = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&log)?;
    let mut child = Command::new(program)
        .arg("watchdog")
        .args(["--env", env.as_str(), "--detached"])
        .arg("--state-dir")
        .arg(state.root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()?;
    let deadline = Deadline::after(Duration::from_millis(START_WITHIN_MS));
    while !deadline.is_over() {
        if let Some(running) = find(state, env, control).await {
            return Ok(Running {
                started: true,
                ..running
            });
        }
        if child.try_wait()?.is_some() {
            break;
        }
        deadline.sleep(Duration::from_millis(START_POLL_MS)).await;
    }
    // One that was started and never answered must not begin to watch later, unseen.
    drop(child.kill());
    drop(child.wait());
    Err(SpawnError::Silent {
        log: log.display().to_string(),
        tail: tail(&log),
    })
}

/// Most bytes of a log that are looked at.
const LOG_TAIL_BYTES: u64 = 64 * 1024;

/// The end of a file, whatever its size and bytes.
fn end_of(log: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn tail(log: &Path) -> String {
    let text = end_of(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}
