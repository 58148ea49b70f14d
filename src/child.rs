//! One child process, run to its end within bounds: time, and how much it may print.
//!
//! Never prompts (stdin is empty), never waits without a limit, and leaves no grandchild behind: the
//! child gets its own process group, which is killed as a whole. What the child means is the caller's.

use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How often a running child is looked at, ms.
const POLL_MS: u64 = 5;

/// How long the pipes may stay open after the child is gone, ms: a grandchild that left the process
/// group can hold them, and is not waited for.
const PIPE_GRACE_MS: u64 = 500;

/// What a child may use.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Longest life.
    pub timeout: Duration,
    /// Most bytes on stdout, and as many on stderr; what goes past ends the child.
    pub output_bytes: usize,
}

/// How a child ended by itself.
#[derive(Debug)]
pub struct Finished {
    /// Its status.
    pub status: ExitStatus,
    /// Everything on stdout.
    pub stdout: Vec<u8>,
    /// Everything on stderr.
    pub stderr: Vec<u8>,
}

impl Finished {
    /// The last `lines` of stderr, as text.
    pub fn stderr_tail(&self, lines: usize) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.stderr);
        let all: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        all.iter()
            .skip(all.len().saturating_sub(lines))
            .map(|line| (*line).to_owned())
            .collect()
    }
}

/// A child that did not end by itself, or never began.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// There is no such program.
    #[error("{program} is not installed, or not on PATH")]
    NotFound {
        /// The program.
        program: String,
    },
    /// It could not be started or watched.
    #[error("{program} could not be run: {source}")]
    Io {
        /// The program.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It was ended at its time bound.
    #[error("{program} did not end within {} s", .after.as_secs())]
    TimedOut {
        /// The program.
        program: String,
        /// The bound.
        after: Duration,
    },
    /// It printed more than it may.
    #[error("{program} printed more than {bytes} bytes")]
    TooMuch {
        /// The program.
        program: String,
        /// The bound.
        bytes: usize,
    },
}

/// Runs `command` to its end.
///
/// # Errors
/// See [`ChildError`]; in every case the child and its group are gone or were never there.
pub fn run(mut command: Command, bounds: Bounds) -> Result<Finished, ChildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let io = |source| ChildError::Io {
        program: program.clone(),
        source,
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let child = command.spawn().map_err(|source| {
        if source.kind() == std::io::ErrorKind::NotFound {
            ChildError::NotFound {
                program: program.clone(),
            }
        } else {
            ChildError::Io {
                program: program.clone(),
                source,
            }
        }
    })?;
    let mut child = Group(child);
    let stdout = drain(child.0.stdout.take(), bounds.output_bytes);
    let stderr = drain(child.0.stderr.take(), bounds.output_bytes);

    let deadline = Instant::now() + bounds.timeout;
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(io)? {
            break status;
        }
        if Instant::now() >= deadline {
            return Err(ChildError::TimedOut {
                program,
                after: bounds.timeout,
            });
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    };
    let mut collected = [stdout, stderr].map(|pipe| {
        pipe.recv_timeout(Duration::from_millis(PIPE_GRACE_MS))
            .unwrap_or_default()
    });
    if collected
        .iter()
        .any(|bytes| bytes.len() > bounds.output_bytes)
    {
        return Err(ChildError::TooMuch {
            program,
            bytes: bounds.output_bytes,
        });
    }
    let [stdout, stderr] = collected.each_mut().map(std::mem::take);
    Ok(Finished {
        status,
        stdout,
        stderr,
    })
}

/// Reads a pipe to its end, or to one byte past the bound, on its own thread. Dropping the pipe
/// early makes a child that goes on printing end by itself.
fn drain(pipe: Option<impl Read + Send + 'static>, bound: usize) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let most = u64::try_from(bound).unwrap_or(u64::MAX).saturating_add(1);
            // A broken pipe ends the reading; what arrived until then is what there is.
            drop(pipe.take(most).read_to_end(&mut bytes));
        }
        // The receiver is gone only when nobody waits for the bytes any more.
        drop(send.send(bytes));
    });
    receive
}

/// A child with its process group, killed and reaped when dropped.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            // An error means that the group is gone already.
            kill_process_group(pid, Signal::KILL).ok();
        }
        drop(self.0.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const BOUNDS: Bounds = Bounds {
        timeout: Duration::from_secs(5),
        output_bytes: 1_000,
    };

    #[test]
    fn output_and_status_come_back() {
        let done = run(shell("echo out; echo a >&2; echo b >&2; exit 3"), BOUNDS).unwrap();
        assert_eq!(done.status.code(), Some(3));
        assert_eq!(done.stdout, b"out\n");
        assert_eq!(done.stderr_tail(1), ["b"]);
    }

    #[test]
    fn a_hanging_child_and_its_grandchild_are_ended() {
        let short = Bounds {
            timeout: Duration::from_millis(100),
            ..BOUNDS
        };
        let started = Instant::now();
        let error = run(shell("sleep 60 & sleep 60"), short).unwrap_err();
        assert!(matches!(error, ChildError::TimedOut { .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_child_that_prints_without_end_is_ended() {
        let error = run(shell("while :; do echo 0123456789; done"), BOUNDS).unwrap_err();
        assert!(matches!(error, ChildError::TooMuch { .. }), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(Command::new("no-such-program-here"), BOUNDS).unwrap_err();
        assert!(matches!(error, ChildError::NotFound { .. }), "{error}");
    }
}
