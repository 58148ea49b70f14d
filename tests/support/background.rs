//! `launch` in the background, followed by what it says on stderr, and ended with its test.

use super::{COMMAND_MAX, Project};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Background {
    /// Starts it in the project, with the state directory `state`.
    pub(crate) fn start(project: &Project, state: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("launch"))
            .args(args)
            .current_dir(project.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", state)
            .env("LAUNCH_STATE_DIR", state)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            said: String::new(),
        }
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said `text`.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) {
        let until = Instant::now() + COMMAND_MAX;
        while !self.said.contains(text) {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|why| panic!("no {text:?} ({why}): {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
        }
    }

    /// Waits for its end: the exit code and all that it said.
    #[track_caller]
    pub(crate) fn end(mut self) -> (i32, String) {
        let until = Instant::now() + COMMAND_MAX;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.said.push_str(&line);
                    self.said.push('\n');
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    panic!("does not end: {}", self.said)
                }
            }
        }
        let code = self.child.wait().unwrap().code().expect("an exit code");
        (code, std::mem::take(&mut self.said))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
