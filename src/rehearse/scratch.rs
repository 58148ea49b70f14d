//! A scratch project on this machine: a repository, its bare remote, a state directory, all in one
//! temporary folder, and the only way in which a rehearsal runs commands.
//!
//! Touches nothing real: children start from an empty environment with a home of their own, so no
//! token, id or address of a real deployment can reach them. Every child has a bound.

use super::interrupt::Interrupt;
use super::leftovers::end_watchdog;
use std::ffi::OsStr;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest that one command of a rehearsal may run before it is killed and counted as failed.
pub(super) const COMMAND_MAX: Duration = Duration::from_secs(90);

/// How often a running command is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why a rehearsal could not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum RehearseError {
    /// The machine refused something the rehearsal needs.
    #[error("cannot {doing}: {source}")]
    Machine {
        /// What was tried.
        doing: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A command ended in another way than the rehearsal expects.
    #[error("{}", .0.explain())]
    Unexpected(Box<Unexpected>),
    /// Somebody asked the rehearsal to end.
    #[error("interrupted; the scratch project is taken down")]
    Interrupted,
    /// A document or state was not as it has to be.
    #[error("{0}")]
    Wrong(String),
}

/// A command that ended in another way than expected, with all it said.
#[derive(Debug)]
pub(super) struct Unexpected {
    /// What was expected.
    pub(super) wanted: String,
    /// What happened.
    pub(super) ran: Ran,
}

impl Unexpected {
    fn explain(&self) -> String {
        let said = if self.ran.stderr.trim().is_empty() {
            &self.ran.stdout
        } else {
            &self.ran.stderr
        };
        format!(
            "`{}` ended with {}, wanted {}\n{}",
            self.ran.command,
            self.ran.ended(),
            self.wanted,
            said.trim_end()
        )
    }
}

/// What a command did.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    /// As the operator would type it.
    pub(super) command: String,
    /// Its exit code; `None` when a signal or the bound ended it.
    pub(super) code: Option<i32>,
    /// Its document.
    pub(super) stdout: String,
    /// Everything else it said.
    pub(super) stderr: String,
}

impl Ran {
    fn ended(&self) -> String {
        self.code.map_or_else(
            || "a signal or the time bound".to_owned(),
            |code| format!("exit {code}"),
        )
    }

    /// The command itself, if it ended with `code`.
    ///
    /// # Errors
    /// With everything it said when it ended otherwise.
    pub(super) fn expect(self, code: u8) -> Result<Self, RehearseError> {
        if self.code == Some(i32::from(code)) {
            Ok(self)
        } else {
            let wanted = format!("exit {code}");
            Err(RehearseError::Unexpected(Box::new(Unexpected {
                wanted,
                ran: self,
            })))
        }
    }

    /// Its stdout as JSON.
    ///
    /// # Errors
    /// When stdout is not one JSON document.
    pub(super) fn json(&self) -> Result<serde_json::Value, RehearseError> {
        serde_json::from_str(&self.stdout).map_err(|error| {
            RehearseError::Wrong(format!(
                "`{}` printed no JSON document: {error}",
                self.command
            ))
        })
    }
}

/// The scratch project.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: Option<tempfile::TempDir>,
    root: PathBuf,
    exe: PathBuf,
    interrupt: Interrupt,
}

impl Scratch {
    /// Makes the empty folder. Nothing outside it is written.
    ///
    /// # Errors
    /// When the temporary folder cannot be made or the own executable is unknown.
    pub(super) fn new(interrupt: &Interrupt) -> Result<Self, RehearseError> {
        let machine = |doing: &str| {
            let doing = doing.to_owned();
            move |source| RehearseError::Machine { doing, source }
        };
        let folder = tempfile::Builder::new()
            .prefix("launch-rehearse-")
            .tempdir()
            .map_err(machine("make a temporary folder"))?;
        // Temporary folders may lie behind a link; git and the trader report resolved paths.
        let root = folder
            .path()
            .canonicalize()
            .map_err(machine("resolve the temporary folder"))?;
        let exe = std::env::current_exe().map_err(machine("find the own executable"))?;
        for name in ["home", "project", "state"] {
            std::fs::create_dir(root.join(name)).map_err(machine("make a folder"))?;
        }
        Ok(Self {
            folder: Some(folder),
            root,
            exe,
            interrupt: interrupt.clone(),
        })
    }

    /// Leaves the folder on disk when the rehearsal ends.
    pub(super) fn keep(&mut self) -> PathBuf {
        if let Some(folder) = self.folder.take() {
            let _kept = folder.keep();
        }
        self.root.clone()
    }

    /// The project's work tree.
    pub(super) fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// The bare remote.
    pub(super) fn remote(&self) -> PathBuf {
        self.root.join("remote.git")
    }

    /// The state directory.
    pub(super) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// Runs `launch` in the project, without a terminal, with stdin closed.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn launch(&self, args: &[&str]) -> Result<Ran, RehearseError> {
        self.go_on()?;
        self.launch_regardless(args)
    }

    /// [`Self::launch`] with more in its environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn launch_with(
        &self,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Ran, RehearseError> {
        self.go_on()?;
        let mut command = self.bare(&self.exe, args);
        command
            .env("LAUNCH_STATE_DIR", self.state())
            .envs(environment.iter().copied());
        run(command, format!("launch {}", args.join(" ")), COMMAND_MAX)
    }

    /// [`Self::launch`] with an open stdin on which nobody ever answers.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn launch_unanswered(&self, args: &[&str]) -> Result<Ran, RehearseError> {
        self.go_on()?;
        let mut command = self.bare(&self.exe, args);
        command
            .env("LAUNCH_STATE_DIR", self.state())
            .stdin(Stdio::piped());
        run(command, format!("launch {}", args.join(" ")), COMMAND_MAX)
    }

    /// Fails once somebody asked the rehearsal to end.
    ///
    /// # Errors
    /// [`RehearseError::Interrupted`].
    pub(super) fn go_on(&self) -> Result<(), RehearseError> {
        if self.interrupt.is_set() {
            return Err(RehearseError::Interrupted);
        }
        Ok(())
    }

    /// Sleeps, at most until an interrupt.
    pub(super) fn sleep(&self, span: Duration) {
        self.interrupt.sleep(span);
    }

    /// [`Self::launch`], also while the rehearsal is being taken down.
    fn launch_regardless(&self, args: &[&str]) -> Result<Ran, RehearseError> {
        let mut command = self.bare(&self.exe, args);
        command.env("LAUNCH_STATE_DIR", self.state());
        run(command, format!("launch {}", args.join(" ")), COMMAND_MAX)
    }

    /// Runs git in the project with no configuration but its own.
    ///
    /// # Errors
    /// When git is missing or ends with another code than 0.
    pub(super) fn git(&self, args: &[&str]) -> Result<Ran, RehearseError> {
        let who = [
            "-c",
            "user.name=rehearsal",
            "-c",
            "user.email=rehearsal@localhost",
        ];
        let mut command = self.bare("git", who.iter().copied().chain(args.iter().copied()));
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        run(command, format!("git {}", args.join(" ")), COMMAND_MAX)?.expect(0)
    }

    /// Writes a project file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn write(&self, path: &str, text: &str) -> Result<(), RehearseError> {
        let full = self.project().join(path);
        let machine = |source| RehearseError::Machine {
            doing: format!("write {path}"),
            source,
        };
        if let Some(folder) = full.parent() {
            std::fs::create_dir_all(folder).map_err(machine)?;
        }
        std::fs::write(&full, text).map_err(machine)
    }

    /// Reads a project file.
    ///
    /// # Errors
    /// When it is not there.
    pub(super) fn read(&self, path: &str) -> Result<String, RehearseError> {
        std::fs::read_to_string(self.project().join(path)).map_err(|source| {
            RehearseError::Machine {
                doing: format!("read {path}"),
                source,
            }
        })
    }

    /// Replaces one text in a project file.
    ///
    /// # Errors
    /// When the file does not hold it: the planted fault would be no fault.
    pub(super) fn replace(&self, path: &str, from: &str, to: &str) -> Result<(), RehearseError> {
        let text = self.read(path)?;
        if !text.contains(from) {
            return Err(RehearseError::Wrong(format!(
                "{path} holds no {from:?} to replace"
            )));
        }
        self.write(path, &text.replacen(from, to, 1))
    }

    /// Puts a symbolic link in the place of a project file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn link(&self, path: &str, to: &str) -> Result<(), RehearseError> {
        let full = self.project().join(path);
        let machine = |source| RehearseError::Machine {
            doing: format!("link {path}"),
            source,
        };
        std::fs::remove_file(&full).map_err(machine)?;
        std::os::unix::fs::symlink(to, &full).map_err(machine)
    }

    /// Commits everything and pushes it.
    ///
    /// # Errors
    /// When git refuses.
    pub(super) fn commit_and_push(&self, message: &str) -> Result<(), RehearseError> {
        self.git(&["add", "-A"])?;
        self.git(&["commit", "-q", "-m", message])?;
        self.git(&["push", "-q", "origin", "main"])?;
        Ok(())
    }

    /// Takes the project away, as on a machine that never had it; commands then run in an empty folder.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn lose_project(&self) -> Result<(), RehearseError> {
        let machine = |source| RehearseError::Machine {
            doing: "take the project away".to_owned(),
            source,
        };
        std::fs::rename(self.project(), self.root.join("lost")).map_err(machine)?;
        std::fs::create_dir(self.project()).map_err(machine)
    }

    /// A command with nothing of the operator's environment but where programs and temporary files
    /// are.
    fn bare<I, S>(&self, program: impl AsRef<OsStr>, args: I) -> Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.project())
            .env_clear()
            .env("HOME", self.root.join("home"))
            .stdin(Stdio::null());
        for name in ["PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whatever step failed: no process of the rehearsal outlives it.
        drop(self.launch_regardless(&["kill", "--all", "--settle", "1", "--deadline", "15"]));
        end_watchdog(&self.state(), "staging");
        drop(self.launch_regardless(&["platform", "stop"]));
    }
}

/// Starts a command and waits for it, at most `bound`.
fn run(mut command: Command, shown: String, bound: Duration) -> Result<Ran, RehearseError> {
    let until = Instant::now() + bound;
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| RehearseError::Machine {
            doing: format!("start `{shown}`"),
            source,
        })?;
    let out = read_all(child.stdout.take());
    let err = read_all(child.stderr.take());
    let code = wait(&mut child, until);
    let text = |thread: std::thread::JoinHandle<String>| thread.join().unwrap_or_default();
    Ok(Ran {
        command: shown,
        code,
        stdout: text(out),
        stderr: text(err),
    })
}

fn wait(child: &mut Child, until: Instant) -> Option<i32> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.code(),
            Ok(None) if Instant::now() < until => std::thread::sleep(LOOK_EVERY),
            Ok(None) | Err(_) => {
                drop(child.kill());
                drop(child.wait());
                return None;
            }
        }
    }
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before a failure is still worth showing.
            drop(pipe.read_to_end(&mut bytes));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
