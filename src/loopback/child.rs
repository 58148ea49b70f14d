//! The trader as a real child process: started in its own group with a scrubbed environment,
//! watched, signalled.
//!
//! A process is known by pid *and* kernel start time *and* boot, so that one left behind by an
//! earlier platform is recognised and a stranger with a reused number is never touched. Output goes
//! straight to a file, never through a pipe: a pipe would end the child when the platform does.
//! Must not decide when to start or stop.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use launch_kill::process::{self, Life, ProcessId};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use super::files;
use super::lifecycle::ExitCode;
use super::state::Running;

/// Variables of our own environment that a child gets; everything else comes from the service.
const KEPT_VARIABLES: [&str; 4] = ["PATH", "TZ", "LANG", "LC_ALL"];

/// What the supervisor sees of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It runs.
    Alive,
    /// It ended; a child of ours with its status, an adopted one without.
    Gone(ExitCode),
}

/// What to start.
#[derive(Debug)]
pub(crate) struct Launch {
    /// The command's words; a first word `launch` stands for [`Self::trader_bin`].
    pub(crate) words: Vec<String>,
    /// The program that `launch` stands for.
    pub(crate) trader_bin: PathBuf,
    /// Service and platform variables.
    pub(crate) variables: BTreeMap<String, String>,
    /// The export of the commit.
    pub(crate) cwd: PathBuf,
    /// Where stdout and stderr go.
    pub(crate) log: PathBuf,
}

/// Starts the process. Its group is its own, so that SIGKILL reaches what it started and a Ctrl-C
/// on our terminal does not reach it.
pub(crate) fn start(launch: &Launch) -> Result<(Child, Running), String> {
    let (program, arguments) = match launch.words.split_first() {
        Some((first, rest)) if first == "launch" => (launch.trader_bin.clone(), rest),
        Some((first, rest)) => (PathBuf::from(first), rest),
        None => return Err("the service has no start command".to_owned()),
    };
    let log = files::open_log(&launch.log).map_err(|error| error.to_string())?;
    let log_too = log
        .try_clone()
        .map_err(|error| format!("cannot share the log: {error}"))?;
    let kept = KEPT_VARIABLES
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    let child = Command::new(&program)
        .args(arguments)
        .env_clear()
        .envs(kept)
        .envs(&launch.variables)
        .current_dir(&launch.cwd)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(log_too)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
    // One that has already ended has no identity any more; as our child it is still looked at by
    // its handle.
    let identity = process::identify(child.id());
    let running = Running {
        pid: child.id(),
        pid_start: identity.as_ref().map_or(0, |identity| identity.start),
        boot_id: identity
            .map(|identity| identity.boot_id)
            .or_else(process::boot_id)
            .unwrap_or_default(),
        terminated_at_ms: None,
        killed: false,
    };
    Ok((child, running))
}

/// Looks at the process. A child of ours that ended is reaped here, after everything left in its
/// group was killed, as a container's other processes die with its first.
pub(crate) fn look(child: Option<&mut Child>, running: &Running) -> Seen {
    let Some((child, pid)) = child.zip(as_pid(running.pid)) else {
        return look_adopted(running);
    };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(pid), options) {
        Ok(None) => Seen::Alive,
        Ok(Some(status)) => {
            // The zombie still holds its number here, so the group is certainly its own.
            ignore(kill_process_group(pid, Signal::KILL));
            drop(child.wait());
            Seen::Gone(status.exit_status())
        }
        Err(_) => look_adopted(running),
    }
}

/// A process that an earlier platform started: its end is seen, its status is not. What cannot be
/// told counts as alive.
fn look_adopted(running: &Running) -> Seen {
    match identity_of(running).life() {
        Life::Gone => Seen::Gone(None),
        Life::Alive | Life::Unknown => Seen::Alive,
    }
}

/// SIGTERM to the process itself, as a container runtime sends it to its first process.
pub(crate) fn terminate(child: Option<&Child>, running: &Running) {
    match child.and_then(|child| as_pid(child.id())) {
        Some(pid) => ignore(kill_process(pid, Signal::TERM)),
        None => drop(identity_of(running).terminate()),
    }
}

/// SIGKILL to the process and everything in its group.
pub(crate) fn kill(child: Option<&Child>, running: &Running) {
    // An unreaped child holds its number; an adopted process has to prove its identity.
    let is_ours = child.is_some();
    if let Some(pid) = as_pid(running.pid)
        && (is_ours || identity_of(running).life() == Life::Alive)
    {
        ignore(kill_process_group(pid, Signal::KILL));
    }
}

/// A signal that cannot be delivered means that the process has just ended; the next look says so.
fn ignore(_delivered: rustix::io::Result<()>) {}

fn identity_of(running: &Running) -> ProcessId {
    ProcessId {
        boot_id: running.boot_id.clone(),
        pid: running.pid,
        start: running.pid_start,
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
