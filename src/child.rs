//! One child process, run to its end within bounds: time, and how much it may print.
//!
//! Never prompts (stdin is empty), never waits without a limit, and leaves no grandchild behind: the
//! child gets its own process group, which is killed as a whole. What the child means is the caller's.

use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
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

/// How a child ended of whose output only the end is kept.
#[derive(Debug)]
pub struct Tailed {
    /// Its status; `None` when it was ended at its time bound or because `stop` said so.
    pub status: Option<ExitStatus>,
    /// The last bytes of stdout and stderr, as they came.
    pub tail: Vec<u8>,
}

/// Runs `command` for at most `timeout`, or until `stop` says so, and keeps the last `tail_bytes` of what it
/// prints, however much that is.
///
/// # Errors
/// It could not be started or watched. In every case the child and its group are gone afterwards.
pub fn run_tail(
    mut command: Command,
    timeout: Duration,
    tail_bytes: usize,
    stop: &dyn Fn() -> bool,
) -> Result<Tailed, ChildError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let io = |source: std::io::Error| {
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
    };
    let (reader, writer) = std::io::pipe().map_err(io)?;
    let also = writer.try_clone().map_err(io)?;
    command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(also)
        .process_group(0);
    let mut child = Group(command.spawn().map_err(io)?);
    // Our own copies of the writing end would keep the pipe open for ever.
    drop(command);
    let (tail, ended) = drain_tail(reader, tail_bytes);
    let deadline = Instant::now() + timeout;
    let status = loop {
        if let Some(status) = child.0.try_wait().map_err(io)? {
            break Some(status);
        }
        if Instant::now() >= deadline || stop() {
            break None;
        }
        std::thread::sleep(Duration::from_millis(POLL_MS));
    };
    drop(child);
    // Whoever left the group may hold the pipe; what came until now is what there is.
    ended
        .recv_timeout(Duration::from_millis(PIPE_GRACE_MS))
        .ok();
    let tail = tail.lock().map(|kept| kept.iter().copied().collect());
    Ok(Tailed {
        status,
        tail: tail.unwrap_or_default(),
    })
}

/// Reads a pipe to its end on its own thread and keeps the last `bound` bytes.
fn drain_tail(
    mut pipe: impl Read + Send + 'static,
    bound: usize,
) -> (Arc<Mutex<VecDeque<u8>>>, mpsc::Receiver<()>) {
    /// Bytes that are read at once.
    const CHUNK_BYTES: usize = 16 * 1024;
    let kept = Arc::new(Mutex::new(VecDeque::new()));
    let (send, receive) = mpsc::channel();
    let into = Arc::clone(&kept);
    std::thread::spawn(move || {
        let mut chunk = vec![0_u8; CHUNK_BYTES];
        while let Ok(read) = pipe.read(&mut chunk) {
            let (Some(bytes), Ok(mut kept)) = (chunk.get(..read), into.lock()) else {
                break;
            };
            if bytes.is_empty() {
                break;
            }
            kept.extend(bytes);
            let over = kept.len().saturating_sub(bound);
            kept.drain(..over);
        }
        // The receiver is gone only when nobody waits any more.
        send.send(()).ok();
    });
    (kept, receive)
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
    fn only_the_end_of_much_output_is_kept() {
        let long =
            "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done; echo end >&2; exit 3";
        let done = run_tail(shell(long), BOUNDS.timeout, 100, &|| false).unwrap();
        assert_eq!(done.status.unwrap().code(), Some(3));
        assert_eq!(done.tail.len(), 100);
        assert!(done.tail.ends_with(b"line 19999\nend\n"));
    }

    #[test]
    fn a_child_is_ended_at_its_bound_or_when_told_with_what_it_said() {
        let timeout = Duration::from_millis(300);
        let done = run_tail(
            shell("echo said; sleep 60 & sleep 60"),
            timeout,
            100,
            &|| false,
        );
        let done = done.unwrap();
        assert!(done.status.is_none() && done.tail == b"said\n");
        let told = run_tail(shell("sleep 60"), BOUNDS.timeout, 100, &|| true).unwrap();
        assert!(told.status.is_none());
        let error = run_tail(Command::new("no-such-program-here"), timeout, 1, &|| false);
        assert!(
            matches!(error, Err(ChildError::NotFound { .. })),
            "{error:?}"
        );
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(Command::new("no-such-program-here"), BOUNDS).unwrap_err();
        assert!(matches!(error, ChildError::NotFound { .. }), "{error}");
    }
}
