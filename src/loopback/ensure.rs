//! The platform on demand: found if it runs, started detached if not, provisioned.
//!
//! Two callers at once start one. Must not wait without a bound and must not believe
//! `platform.json`: the process and the answer have to agree with it.

use std::fs::TryLockError;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::access::AdminToken;
use super::endpoint::{self, Endpoint};
use super::error::PlatformError;
use super::files;
use super::local_http::LocalRequest;
use super::provision::{Provisioned, ServiceSpec};

/// Longest wait for another caller that is starting the platform.
const START_LOCK_WAIT: Duration = Duration::from_secs(15);
/// Longest wait for a started platform to answer.
const UP_WAIT: Duration = Duration::from_secs(10);
/// Pause between two looks while waiting.
const LOOK: Duration = Duration::from_millis(20);
/// Longest silence of the platform on one request of ours.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the platform's log that an error quotes.
const QUOTED_LOG: usize = 400;

/// Returns the platform that serves this state directory, starting this very program as one if none
/// does.
///
/// `time_scale` and `trader_bin` (None = this program) matter only when it is started here; a
/// running platform keeps its own.
///
/// # Errors
/// Its files cannot be used, another start is stuck, or the started process does not answer within
/// ten seconds.
pub fn ensure(
    state_dir: &Path,
    time_scale: f64,
    trader_bin: Option<&Path>,
) -> Result<Endpoint, PlatformError> {
    let program = std::env::current_exe().map_err(PlatformError::file(
        "find",
        Path::new("this program's own file"),
    ))?;
    ensure_from(&program, state_dir, time_scale, trader_bin)
}

/// The same with the `launch` binary named, for callers that are not it.
pub fn ensure_from(
    program: &Path,
    state_dir: &Path,
    time_scale: f64,
    trader_bin: Option<&Path>,
) -> Result<Endpoint, PlatformError> {
    if let Some(endpoint) = running(state_dir)? {
        return Ok(endpoint);
    }
    let dir = files::platform_dir(state_dir);
    files::create_private_dir(&dir)?;
    let path = dir.join("start.lock");
    let lock = endpoint::open_lock(&path)?;
    let since = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if since.elapsed() < START_LOCK_WAIT => sleep(LOOK),
            Err(TryLockError::WouldBlock) => {
                let waited_ms = START_LOCK_WAIT.as_millis().try_into().unwrap_or(u64::MAX);
                return Err(PlatformError::StartLock { path, waited_ms });
            }
            Err(TryLockError::Error(error)) => {
                return Err(PlatformError::file("lock", &path)(error));
            }
        }
    }
    // Somebody may have started it while we waited.
    match running(state_dir)? {
        Some(endpoint) => Ok(endpoint),
        None => start(program, state_dir, time_scale, trader_bin),
    }
}

/// The platform that serves this state directory now, if one does: its process lives and it answers
/// as that process.
pub fn running(state_dir: &Path) -> Result<Option<Endpoint>, PlatformError> {
    let Some(endpoint) = Endpoint::read(state_dir)? else {
        return Ok(None);
    };
    let answers = endpoint.may_be_alive() && is_answering(&endpoint);
    Ok(answers.then_some(endpoint))
}

fn is_answering(endpoint: &Endpoint) -> bool {
    let Some(port) = endpoint.port() else {
        return false;
    };
    let request = LocalRequest {
        port,
        method: "GET",
        path: "/loopback/ready",
        authorization: None,
        body: None,
        patience: PATIENCE,
    };
    let field = |answer: &Value, name: &str| answer.get(name).cloned().unwrap_or_default();
    request.send().is_ok_and(|(status, answer)| {
        status == 200
            && field(&answer, "pid") == endpoint.pid
            && field(&answer, "pid_start") == endpoint.pid_start
            && field(&answer, "boot_id") == endpoint.boot_id.as_str()
    })
}

/// Starts the server detached and waits until it answers.
fn start(
    program: &Path,
    state_dir: &Path,
    time_scale: f64,
    trader_bin: Option<&Path>,
) -> Result<Endpoint, PlatformError> {
    let log = files::platform_dir(state_dir).join("platform.log");
    let not_up = |detail: String| PlatformError::NotUp {
        detail,
        log: log.clone(),
    };
    let mut child = spawn(program, state_dir, time_scale, trader_bin, &log)
        .map_err(|error| not_up(format!("cannot start {}: {error}", program.display())))?;
    let since = Instant::now();
    while since.elapsed() < UP_WAIT {
        if let Some(endpoint) = running(state_dir)? {
            return Ok(endpoint);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(not_up(format!(
                "it ended with {status}: {}",
                last_words(&log)
            )));
        }
        sleep(LOOK);
    }
    // What does not answer must not stay behind and answer later.
    drop(child.kill());
    drop(child.wait());
    Err(not_up(format!("no answer within {} s", UP_WAIT.as_secs())))
}

/// The server gets nothing of our environment but a PATH: no tokens, no `RAILWAY_*`.
/// It leaves our session itself (see `command`), because a child may not be changed between fork
/// and exec without unsafe code.
fn spawn(
    program: &Path,
    state_dir: &Path,
    time_scale: f64,
    trader_bin: Option<&Path>,
    log: &Path,
) -> Result<Child, std::io::Error> {
    let log = files::open_log(log).map_err(std::io::Error::other)?;
    let mut command = Command::new(program);
    command
        .args(["platform", "serve", "--detach", "--time-scale"])
        .arg(time_scale.to_string());
    if let Some(trader_bin) = trader_bin {
        command
            .arg("--trader-bin")
            .arg(std::path::absolute(trader_bin)?);
    }
    let path = std::env::var_os("PATH").map(|path| ("PATH", path));
    command
        .env_clear()
        .envs(path)
        .env("LAUNCH_STATE_DIR", std::path::absolute(state_dir)?)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
}

fn last_words(log: &Path) -> String {
    let bytes = files::read_if_present(log)
        .ok()
        .flatten()
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim();
    let from = text
        .char_indices()
        .rev()
        .nth(QUOTED_LOG)
        .map_or(0, |(at, _)| at);
    text.get(from..).unwrap_or_default().to_owned()
}

/// Makes sure that a service exists on the platform of this state directory.
///
/// # Errors
/// The platform does not answer, or refuses the request; the refusal is quoted.
pub fn provision(state_dir: &Path, spec: &ServiceSpec) -> Result<Provisioned, PlatformError> {
    let (endpoint, answer) = ask_admin(state_dir, "POST", "/loopback/services", spec, PATIENCE)?;
    Provisioned::read(&answer).ok_or_else(|| PlatformError::Answer {
        endpoint,
        detail: "ids or token are missing in its answer".to_owned(),
    })
}

/// Sends a request with the admin token to the platform of this state directory; its address and
/// answer.
pub(crate) fn ask_admin(
    state_dir: &Path,
    method: &'static str,
    path: &str,
    body: &impl serde::Serialize,
    patience: Duration,
) -> Result<(String, Value), PlatformError> {
    let known = Endpoint::read(state_dir)?.and_then(|known| Some((known.port()?, known.endpoint)));
    let (port, endpoint) = known.ok_or_else(|| PlatformError::Answer {
        endpoint: "127.0.0.1".to_owned(),
        detail: "no platform runs for this state directory".to_owned(),
    })?;
    let wrong = |detail: String| PlatformError::Answer {
        endpoint: endpoint.clone(),
        detail,
    };
    let token = AdminToken::load(&files::platform_dir(state_dir))?
        .ok_or_else(|| wrong("its admin token is gone".to_owned()))?;
    let body = serde_json::to_value(body).map_err(|error| wrong(error.to_string()))?;
    let request = LocalRequest {
        port,
        method,
        path,
        authorization: Some(token.bearer()),
        body: Some(&body),
        patience,
    };
    let (status, answer) = request.send().map_err(wrong)?;
    if status == 200 {
        Ok((endpoint, answer))
    } else {
        let said = answer
            .get("error")
            .and_then(Value::as_str)
            .unwrap_or("no reason given");
        Err(wrong(format!("{status}: {said}")))
    }
}
