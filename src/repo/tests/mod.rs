//! Real throw-away repositories in every state that makes other tools say "clean" or "pushed" wrongly.
//!
//! Each test makes the state with the git command and asks this module. Numbers are those of the list
//! of states that the design keeps.

mod against_git;
mod more_pushed;
mod more_states;
mod pushed;
mod states;

use super::Repo;
use launch_checks::{DifferenceKind, TreeFacts};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A repository with a few files, one commit, and a bare remote that has it.
pub(crate) struct Scratch {
    dir: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        let scratch = Self {
            dir: TempDir::new().unwrap(),
        };
        std::fs::create_dir(scratch.work()).unwrap();
        scratch.git(&["init", "-q", "-b", "main"]);
        scratch.write("README.md", "hello\n");
        scratch.write("src/main.rs", "fn main() {}\n");
        scratch.write("src/lib.rs", "pub fn f() {}\n");
        scratch.write("docs/a.md", "a\n");
        scratch.write(".gitignore", "target/\n*.log\n");
        scratch.write("run.sh", "#!/bin/sh\n");
        scratch.git(&["update-index", "--add", "--chmod=+x", "run.sh"]);
        scratch.chmod("run.sh", 0o755);
        std::os::unix::fs::symlink("README.md", scratch.work().join("link")).unwrap();
        scratch.commit_all("first");
        scratch.git_in(
            scratch.dir.path(),
            &["clone", "-q", "--bare", "work", "remote.git"],
        );
        scratch.git(&["remote", "add", "origin", "../remote.git"]);
        scratch
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.work().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path(path), permissions).unwrap();
    }

    pub(crate) fn commit_all(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.work(), args)
    }

    #[track_caller]
    pub(crate) fn git_in(&self, dir: &Path, args: &[&str]) -> String {
        let output = self.try_git(dir, args);
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn try_git(&self, dir: &Path, args: &[&str]) -> Output {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(dir)
            .env("HOME", self.dir.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_EDITOR", "true")
            .env("GIT_TERMINAL_PROMPT", "0")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args([
                "-c",
                "protocol.file.allow=always",
                "-c",
                "advice.detachedHead=false",
            ])
            .args(args)
            .output()
            .unwrap()
    }

    #[track_caller]
    pub(crate) fn repo(&self) -> Repo {
        Repo::discover(&self.work()).unwrap()
    }

    #[track_caller]
    pub(crate) fn facts(&self) -> TreeFacts {
        self.repo().work_tree().unwrap()
    }

    /// The disk equals HEAD, and all of it was seen.
    #[track_caller]
    pub(crate) fn is_clean(&self) -> TreeFacts {
        let facts = self.facts();
        assert!(
            facts.differences.is_empty() && facts.unseen.is_empty(),
            "{facts:#?}"
        );
        facts
    }

    /// There is a difference of this kind at this path; its detail comes back.
    #[track_caller]
    pub(crate) fn differs(&self, kind: DifferenceKind, path: &str) -> String {
        let facts = self.facts();
        facts
            .differences
            .iter()
            .find(|difference| difference.kind == kind && difference.path == path)
            .unwrap_or_else(|| panic!("no {kind:?} at {path:?} in {facts:#?}"))
            .detail
            .clone()
    }

    /// git itself says that the tree is clean: the state is one that misleads.
    #[track_caller]
    pub(crate) fn git_says_clean(&self) {
        assert_eq!(self.git(&["status", "--porcelain"]), "");
    }
}
