//! Whether a process on this machine still lives, and signals to it.
//!
//! A pid alone proves nothing (pids are reused): the start time since boot and the boot itself
//! belong to the identity. Linux only, from `/proc`; elsewhere every answer is [`Life::Unknown`],
//! which proves nothing. Signals go through a pidfd, so they cannot hit a successor.

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io;

/// Position of `starttime` (field 22 of `/proc/PID/stat`, proc(5)) counted after the command name.
const START_TIME_INDEX: usize = 19;

/// Bytes of the hash that names a machine.
const MACHINE_BYTES: usize = 8;

/// A process that was seen alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessId {
    /// Which boot, pid namespace and machine: `BOOT_UUID/NAMESPACE/MACHINE`, see [`boot_id`].
    pub boot_id: String,
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start: u64,
}

/// What is known about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It has ended: not there, another start time, ended and unreaped, or an earlier boot of this
    /// machine.
    Gone,
    /// Cannot be told from here (another machine, another container, no `/proc`).
    Unknown,
}

/// This boot, pid namespace and machine, or `None` where it cannot be read.
///
/// The namespace stands in it because a pid that is "not there" inside a container may well run
/// outside of it; the machine, because another boot is an earlier one only on the same machine: a
/// process written down elsewhere says nothing here.
pub fn boot_id() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let number: String = namespace
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    Some(format!("{}/{number}/{}", boot.trim(), machine()))
}

/// What stays the same over boots of one machine: machine-id(5) and host name, hashed. Two machines of
/// one image may share the first, two unnamed ones the second.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let named = format!(
        "{} {}",
        read("/etc/machine-id").trim(),
        read("/proc/sys/kernel/hostname").trim()
    );
    let digest = Sha256::digest(named.as_bytes());
    digest
        .iter()
        .take(MACHINE_BYTES)
        .fold(String::new(), |mut text, byte| {
            // Writing into a String cannot fail.
            let _infallible = write!(text, "{byte:02x}");
            text
        })
}

/// The identity of a process that runs now; `None` when it has ended or cannot be seen.
pub fn identify(pid: u32) -> Option<ProcessId> {
    match stat(pid) {
        Ok(Stat {
            ended: false,
            start,
        }) => Some(ProcessId {
            boot_id: boot_id()?,
            pid,
            start,
        }),
        Ok(Stat { ended: true, .. }) | Err(_) => None,
    }
}

/// The processes of this machine that were started with `NAME=value` in their environment.
///
/// `None` where that cannot be told: `seen_from` is one of the processes that would start them; while its
/// own environment can be read, so can its children's, which run as the same user.
pub fn started_with(name: &str, value: &str, seen_from: &ProcessId) -> Option<Vec<ProcessId>> {
    let wanted = format!("{name}={value}");
    if seen_from.life() != Life::Alive || environment(seen_from.pid).is_none() {
        return None;
    }
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").ok()? {
        let name = entry.ok()?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that cannot be read belongs to somebody else, or has ended.
        let carries = environment(pid).is_some_and(|all| {
            all.split(|byte| *byte == 0)
                .any(|entry| entry == wanted.as_bytes())
        });
        if carries && let Some(process) = identify(pid) {
            found.push(process);
        }
    }
    // It lives on: had it ended meanwhile, another one's children would have been looked at.
    (seen_from.life() == Life::Alive).then_some(found)
}

/// `/proc/PID/environ` as the process was started with.
fn environment(pid: u32) -> Option<Vec<u8>> {
    fs::read(format!("/proc/{pid}/environ")).ok()
}

impl ProcessId {
    /// Whether this very process still runs.
    pub fn life(&self) -> Life {
        let Some(now) = boot_id() else {
            return Life::Unknown;
        };
        match same_boot(&self.boot_id, &now) {
            Some(true) => self.life_in_this_boot(),
            Some(false) => Life::Gone,
            None => Life::Unknown,
        }
    }

    fn life_in_this_boot(&self) -> Life {
        match stat(self.pid) {
            Ok(Stat { ended, start }) if ended || start != self.start => Life::Gone,
            Ok(_) => Life::Alive,
            Err(StatError::NotThere) if !is_hidden(self.pid) => Life::Gone,
            Err(StatError::NotThere | StatError::Unreadable) => Life::Unknown,
        }
    }

    /// Asks it to end (SIGTERM). `Ok(false)`: it has ended already.
    pub fn terminate(&self) -> io::Result<bool> {
        self.signal(Signal::TERM)
    }

    /// Ends it (SIGKILL). `Ok(false)`: it has ended already.
    pub fn kill(&self) -> io::Result<bool> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> io::Result<bool> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a pid"));
        };
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(rustix::io::Errno::SRCH) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        // The handle now names one process for good; only here can its identity be checked.
        match self.life() {
            Life::Alive => pidfd_send_signal(&handle, signal)?,
            Life::Gone => return Ok(false),
            Life::Unknown => {
                return Err(io::Error::other(
                    "cannot tell whether it is the same process",
                ));
            }
        }
        Ok(true)
    }
}

/// `Some(false)` = an earlier boot of this machine; `None` = another machine, or the same boot in another
/// or unknown pid namespace.
fn same_boot(recorded: &str, now: &str) -> Option<bool> {
    let parts = |text: &str| {
        let mut parts = text.splitn(3, '/').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        (next(), next(), next())
    };
    let (boot, namespace, machine) = parts(recorded);
    let (boot_now, namespace_now, machine_now) = parts(now);
    if boot.is_empty() {
        None
    } else if boot != boot_now {
        (machine == machine_now).then_some(false)
    } else if namespace.is_empty() || namespace == namespace_now {
        Some(true)
    } else {
        None
    }
}

struct Stat {
    ended: bool,
    start: u64,
}

enum StatError {
    NotThere,
    Unreadable,
}

fn stat(pid: u32) -> Result<Stat, StatError> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| {
        // ESRCH: it ended between open and read.
        let gone = error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(3);
        if gone {
            StatError::NotThere
        } else {
            StatError::Unreadable
        }
    })?;
    parse_stat(&text).ok_or(StatError::Unreadable)
}

/// `PID (COMMAND) STATE PPID …`; the command may itself hold spaces and parentheses.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, after) = text.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let state = *fields.first()?;
    let start = fields.get(START_TIME_INDEX)?.parse().ok()?;
    Some(Stat {
        ended: matches!(state, "Z" | "X" | "x"),
        start,
    })
}

/// Whether the process exists although `/proc` does not show it (mounted with `hidepid`).
fn is_hidden(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .is_some_and(|pid| !matches!(test_kill_process(pid), Err(rustix::io::Errno::SRCH)))
        || !fs::exists("/proc/self/stat").unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    #[test]
    fn a_child_lives_until_it_is_ended() {
        let mut child = sleeper();
        let process = identify(child.id()).unwrap();
        assert_eq!(process.life(), Life::Alive);
        assert!(process.terminate().unwrap());
        child.wait().unwrap();
        assert_eq!(process.life(), Life::Gone);
        assert!(!process.kill().unwrap(), "nothing is signalled any more");
    }

    #[test]
    fn a_process_is_found_by_what_it_was_started_with() {
        let me = identify(std::process::id()).unwrap();
        let value = format!("d-{}", me.start);
        let find = || started_with("SOME_DEPLOYMENT", &value, &me).unwrap();
        assert_eq!(find(), []);
        let mut child = Command::new("sleep")
            .arg("60")
            .env("SOME_DEPLOYMENT", &value)
            .spawn()
            .unwrap();
        // A process that has just been started shows its environment a moment later.
        let mut found = find();
        for _ in 0..2_000 {
            if !found.is_empty() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
            found = find();
        }
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pid, child.id());
        let prefix = value.split_at(value.len() - 1).0;
        assert_eq!(started_with("SOME_DEPLOYMENT", prefix, &me), Some(vec![]));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(find(), []);
        let gone = ProcessId {
            start: me.start - 1,
            ..me
        };
        assert_eq!(
            started_with("SOME_DEPLOYMENT", &value, &gone),
            None,
            "nobody to vouch"
        );
    }

    #[test]
    fn an_unreaped_child_is_gone() {
        let mut child = sleeper();
        let process = identify(child.id()).unwrap();
        assert!(process.kill().unwrap());
        for _ in 0..200 {
            if process.life() == Life::Gone {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert_eq!(process.life(), Life::Gone);
        child.wait().unwrap();
    }

    #[test]
    fn a_reused_pid_is_another_process_and_is_not_signalled() {
        let mut child = sleeper();
        let real = identify(child.id()).unwrap();
        let earlier = ProcessId {
            start: real.start - 1,
            ..real.clone()
        };
        assert_eq!(earlier.life(), Life::Gone);
        assert!(!earlier.kill().unwrap());
        assert_eq!(real.life(), Life::Alive);
        real.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn an_earlier_boot_is_gone_and_another_machine_or_container_is_unknown() {
        let me = identify(std::process::id()).unwrap();
        let rebooted = ProcessId {
            boot_id: format!("another-boot/1/{}", machine()),
            ..me.clone()
        };
        assert_eq!(rebooted.life(), Life::Gone);
        for elsewhere in ["another-boot/1/another-machine", "another-boot/1"] {
            let process = ProcessId {
                boot_id: elsewhere.into(),
                ..me.clone()
            };
            assert_eq!(process.life(), Life::Unknown, "{elsewhere}");
            assert!(process.kill().is_err(), "and is not signalled");
        }
        let (boot, _) = me.boot_id.split_once('/').unwrap();
        let elsewhere = ProcessId {
            boot_id: format!("{boot}/1"),
            ..me.clone()
        };
        assert_eq!(elsewhere.life(), Life::Unknown);
        assert_eq!(
            ProcessId {
                boot_id: String::new(),
                ..me
            }
            .life(),
            Life::Unknown
        );
    }

    #[test]
    fn a_command_name_cannot_forge_the_start_time() {
        let text = "7 (a) Z 1 (b) R 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 4242 0";
        let stat = parse_stat(text).unwrap();
        assert!(!stat.ended && stat.start == 4242);
    }
}
