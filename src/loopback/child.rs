//! The trader as a real child process: started in its own group with a scrubbed environment, watched, signalled.
//!
//! A process is known by pid *and* kernel start time *and* boot, so that one left behind by an earlier platform is recognised and a
//! stranger with a reused number is never touched. Output goes straight to a file, never through a pipe: a pipe would end the
//! child when the platform does. Must not decide when to start or stop.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use super::error::PlatformError;
use super::files;
use super::lifecycle::ExitCode;
use super::state::Running;

/// The kernel's random name of the current boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
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

/// The current boot's name, which makes pids comparable.
pub(crate) fn boot_id() -> Result<String, PlatformError> {
    let path = Path::new(BOOT_ID);
    let text = fs::read_to_string(path).map_err(PlatformError::file("read", path))?;
    Ok(text.trim().to_owned())
}

/// Start time (clock ticks since boot) of a process that runs; `None` for one that is gone or only a zombie.
///
/// Source: proc(5), fields 3 (state) and 22 (starttime) of `/proc/PID/stat`; field 2 may contain anything, so count from its `)`.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") {
        return None;
    }
    // Field 3 is consumed; field 22 is the nineteenth after it.
    fields.nth(18)?.parse().ok()
}

/// Whether exactly this process still runs.
pub(crate) fn is_alive(pid: u32, pid_start: u64, its_boot: &str, this_boot: &str) -> bool {
    its_boot == this_boot && start_time(pid) == Some(pid_start)
}

/// Starts the process. Its group is its own, so that SIGKILL reaches what it started and a Ctrl-C on our terminal does not reach it.
pub(crate) fn start(launch: &Launch, boot: &str) -> Result<(Child, Running), String> {
    let (program, arguments) = match launch.words.split_first() {
        Some((first, rest)) if first == "launch" => (launch.trader_bin.clone(), rest),
        Some((first, rest)) => (PathBuf::from(first), rest),
        None => return Err("the service has no start command".to_owned()),
    };
    let log = files::open_log(&launch.log).map_err(|error| error.to_string())?;
    let log_too = log.try_clone().map_err(|error| format!("cannot share the log: {error}"))?;
    let kept = KEPT_VARIABLES.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
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
    // A child that has already ended is a zombie until it is waited for: its start time reads as gone, which 0 stands for.
    let running = Running {
        pid: child.id(),
        pid_start: start_time(child.id()).unwrap_or_default(),
        boot_id: boot.to_owned(),
        terminated_at_ms: None,
        killed: false,
    };
    Ok((child, running))
}

/// Looks at the process. A child of ours that ended is reaped here, after everything left in its group was killed, as a container's
/// other processes die with its first.
pub(crate) fn look(child: Option<&mut Child>, running: &Running, boot: &str) -> Seen {
    let Some(child) = child else { return look_adopted(running, boot) };
    let Some(pid) = as_pid(running.pid) else { return Seen::Gone(None) };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(pid), options) {
        Ok(None) => Seen::Alive,
        Ok(Some(status)) => {
            // The zombie still holds its number here, so the group is certainly its own.
            drop(kill_process_group(pid, Signal::KILL));
            drop(child.wait());
            Seen::Gone(status.exit_status())
        }
        Err(Errno::INTR) => Seen::Alive,
        Err(_) => look_adopted(running, boot),
    }
}

fn look_adopted(running: &Running, boot: &str) -> Seen {
    if is_alive(running.pid, running.pid_start, &running.boot_id, boot) {
        Seen::Alive
    } else {
        Seen::Gone(None)
    }
}

/// SIGTERM to the process itself, as a container runtime sends it to its first process.
pub(crate) fn terminate(running: &Running, boot: &str) {
    if let Some(pid) = as_pid(running.pid)
        && is_alive(running.pid, running.pid_start, &running.boot_id, boot)
    {
        // An error means that it has just ended; the next look says so.
        drop(kill_process(pid, Signal::TERM));
    }
}

/// SIGKILL to the process and everything in its group.
pub(crate) fn kill(running: &Running, boot: &str) {
    if let Some(pid) = as_pid(running.pid)
        && is_alive(running.pid, running.pid_start, &running.boot_id, boot)
    {
        drop(kill_process_group(pid, Signal::KILL));
    }
}

fn as_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_a_stranger_with_its_number_is_not_it() {
        let boot = boot_id().unwrap();
        let pid = std::process::id();
        let start = start_time(pid).unwrap();
        assert!(is_alive(pid, start, &boot, &boot));
        assert!(!is_alive(pid, start + 1, &boot, &boot), "another start time");
        assert!(!is_alive(pid, start, "an earlier boot", &boot), "another boot");
    }

    #[test]
    fn a_zombie_is_not_alive() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_child(&child);
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        assert_eq!(start_time(child.id()), None);
        child.wait().unwrap();
    }
}
