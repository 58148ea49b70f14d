//! A project on this machine as a user has it: scaffolded, committed, pushed to a bare remote, with its
//! own state directory; and the real binary run in it without a terminal from an empty environment.
//!
//! Whatever a test leaves running is stopped when it ends, also when it fails.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test ends at the first surprise"
)]

pub(crate) mod background;
pub(crate) mod target;

use assert_cmd::Command;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Longest that one command of a test may run.
pub(crate) const COMMAND_MAX: Duration = Duration::from_secs(90);

/// How much faster than Railway the loopback platform of a test goes through its phases.
pub(crate) const TIME_SCALE: &str = "0.05";

/// A scaffolded project.
#[derive(Debug)]
pub(crate) struct Project {
    folder: tempfile::TempDir,
    root: PathBuf,
}

impl Project {
    /// Scaffolded, committed and pushed.
    pub(crate) fn new() -> Self {
        let project = Self::empty();
        project.launch(&["init", "."]).assert().success();
        project.commit_and_push("project: scaffold");
        project
    }

    /// Empty folders, no repository.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let project = Self { folder, root };
        for name in ["home", "project", "state"] {
            std::fs::create_dir(project.root.join(name)).unwrap();
        }
        project
    }

    /// A repository with a bare remote and nothing in it.
    pub(crate) fn empty() -> Self {
        let project = Self::bare();
        let remote = project.remote();
        let remote = remote.to_str().unwrap();
        project.git(&["init", "-q", "--bare", "-b", "main", remote]);
        project.git(&["init", "-q", "-b", "main", "."]);
        project.git(&["remote", "add", "origin", remote]);
        project
    }

    /// The work tree.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.join("project")
    }

    /// The bare remote.
    pub(crate) fn remote(&self) -> PathBuf {
        self.root.join("remote.git")
    }

    /// The state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    /// `launch` in the project.
    pub(crate) fn launch(&self, args: &[&str]) -> Command {
        self.launch_in(&self.path(), args)
    }

    /// `launch` in another directory, with the project's state.
    pub(crate) fn launch_in(&self, directory: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("launch"));
        self.scrub(&mut command);
        command
            .args(args)
            .current_dir(directory)
            .env("LAUNCH_STATE_DIR", self.state())
            .timeout(COMMAND_MAX);
        command
    }

    /// `launch` in the project as another operator, with a state directory of its own.
    pub(crate) fn launch_as(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = self.launch(args);
        command.env("LAUNCH_STATE_DIR", state);
        command
    }

    /// A second operator's state directory: the same platform, the same tokens, and the kill file as it is
    /// now; freezes, receipts, locks and watchdogs are its own.
    pub(crate) fn second_operator(&self) -> PathBuf {
        let (first, second) = (self.state(), self.root.join("state-b"));
        std::fs::create_dir_all(second.join("local")).unwrap();
        let platform = Path::new("local").join("platform");
        std::os::unix::fs::symlink(first.join(&platform), second.join(&platform)).unwrap();
        for name in [
            "kill-staging.json",
            "token-staging",
            "halt-staging",
            "control-staging",
            "watchdog-token-staging",
        ] {
            if first.join(name).exists() {
                std::fs::copy(first.join(name), second.join(name)).unwrap();
            }
        }
        second
    }

    /// The JSON document of a command that ends with `code`.
    pub(crate) fn json(&self, code: i32, args: &[&str]) -> serde_json::Value {
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        let output = self.launch(&all).assert().code(code).get_output().clone();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The JSON document of a command, however it ends.
    pub(crate) fn json_any(&self, args: &[&str]) -> serde_json::Value {
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        let output = self.launch(&all).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// git in the project, with no configuration but its own; must succeed. Its stdout, trimmed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        self.scrub(&mut command);
        let output = command
            .args(["-c", "user.name=test", "-c", "user.email=test@localhost"])
            .args(args)
            .current_dir(self.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .assert()
            .success()
            .get_output()
            .clone();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits everything and pushes it.
    pub(crate) fn commit_and_push(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
        self.git(&["push", "-q", "origin", "main"]);
    }

    /// Writes a project file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path().join(path), text).unwrap();
    }

    /// Replaces a text that the project file holds.
    pub(crate) fn replace(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path().join(path)).unwrap();
        assert!(text.contains(from), "{path} holds no {from:?}");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// The platform of this project at test speed; a deploy finds it running.
    pub(crate) fn platform(&self) {
        let args = ["platform", "start", "--time-scale", TIME_SCALE];
        self.launch(&args).assert().success();
    }

    /// A running staging deployment with its watchdog.
    pub(crate) fn deployed() -> Self {
        let project = Self::new();
        project.platform();
        project
            .launch(&["deploy", "--env", "staging"])
            .assert()
            .success();
        project
    }

    /// Traders that live, by the kernel.
    pub(crate) fn living_traders(&self) -> usize {
        let living = launch::loopback::living_processes(&self.state()).unwrap();
        living.values().map(Vec::len).sum()
    }

    fn scrub(&self, command: &mut Command) {
        command.env_clear().env("HOME", self.root.join("home"));
        for name in ["PATH", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // A failed test must leave no trader behind; what these say does not matter any more.
        drop(
            self.launch(&["kill", "--all", "--settle", "0", "--deadline", "15"])
                .output(),
        );
        drop(self.launch(&["platform", "stop"]).output());
    }
}

/// Says that a test proves nothing on this machine, and why.
pub(crate) fn skipped(what: &str, why: &str) {
    drop(writeln!(std::io::stderr(), "SKIPPED {what}: {why}"));
}

/// Whether curl is there; a test that needs it says that it is skipped.
pub(crate) fn has_curl(test: &str) -> bool {
    let found = std::process::Command::new("curl").arg("--version").output();
    if found.is_err() {
        skipped(test, "no curl on this machine (.ci/run wants one)");
    }
    found.is_ok()
}

/// The status of one check in a preflight document.
pub(crate) fn status<'a>(report: &'a serde_json::Value, code: &str) -> &'a str {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["code"] == code);
    check.unwrap_or_else(|| panic!("no {code} in {report}"))["status"]
        .as_str()
        .unwrap()
}

/// Everything that one check says in a preflight document: message, evidence, help.
pub(crate) fn told(report: &serde_json::Value, code: &str) -> String {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["code"] == code);
    check
        .unwrap_or_else(|| panic!("no {code} in {report}"))
        .to_string()
}

/// Looks until `seen` answers, at most `bound`.
#[track_caller]
pub(crate) fn wait_until<T>(what: &str, bound: Duration, mut seen: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + bound;
    loop {
        if let Some(found) = seen() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {bound:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
