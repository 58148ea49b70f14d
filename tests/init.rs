//! A new project, from `launch init` to its first green preflight; and the listings that go with it.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot make its project has to stop"
)]

use assert_cmd::Command;
use predicates::prelude::*;
use std::path::{Path, PathBuf};

struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a scratch directory"),
        }
    }

    fn project(&self) -> PathBuf {
        self.dir.path().join("my-trader")
    }

    /// `launch` in a directory, with nothing of this machine's environment that it reads.
    fn launch(&self, cwd: &Path) -> Command {
        let mut command = Command::cargo_bin("launch").expect("built");
        for (name, _) in std::env::vars() {
            if ["LAUNCH_", "RAILWAY_", "POLYMARKET_", "GIT_"]
                .iter()
                .any(|own| name.starts_with(own))
            {
                command.env_remove(name);
            }
        }
        command
            .current_dir(cwd)
            .env("LAUNCH_STATE_DIR", self.dir.path().join("state"))
            .timeout(std::time::Duration::from_mins(2));
        command
    }

    fn git(&self, cwd: &Path, args: &[&str]) {
        let done = std::process::Command::new("git")
            .args([
                "-c",
                "user.name=Tester",
                "-c",
                "user.email=tester@example.org",
            ])
            .args([
                "-c",
                "commit.gpgsign=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(args)
            .current_dir(cwd)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HOME", self.dir.path())
            .output()
            .expect("git runs");
        assert!(done.status.success(), "git {args:?}: {done:?}");
    }

    /// A new project, committed and pushed.
    fn pushed_project(&self) -> PathBuf {
        self.launch(self.dir.path())
            .args(["init", "my-trader"])
            .assert()
            .success();
        let project = self.project();
        self.git(
            self.dir.path(),
            &["init", "-q", "--bare", "-b", "main", "remote.git"],
        );
        self.git(&project, &["init", "-q", "-b", "main"]);
        self.git(&project, &["remote", "add", "origin", "../remote.git"]);
        self.commit_and_push(&project);
        project
    }

    fn commit_and_push(&self, project: &Path) {
        self.git(project, &["add", "-A"]);
        self.git(project, &["commit", "-q", "-m", "launch: a change"]);
        self.git(project, &["push", "-q", "origin", "main"]);
    }
}

#[test]
fn a_new_project_passes_preflight_once_it_is_pushed() {
    let scratch = Scratch::new();
    let project = scratch.pushed_project();
    scratch
        .launch(&project)
        .args(["preflight", "--env", "local"])
        .assert()
        .code(0)
        .stdout(predicate::str::contains("PASS"));
    scratch
        .launch(&project)
        .args(["strategies", "--format", "json"])
        .assert()
        .code(0)
        .stdout(predicate::str::contains("\"state\": \"listed\""));
}

#[test]
fn a_file_in_the_way_is_named_and_nothing_is_written() {
    let scratch = Scratch::new();
    let project = scratch.project();
    std::fs::create_dir(&project).expect("created");
    std::fs::write(project.join("README.md"), "mine\n").expect("written");
    scratch
        .launch(&project)
        .arg("init")
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains(
            "README.md already exists; nothing was written",
        ));
    let left: Vec<_> = std::fs::read_dir(&project)
        .expect("listed")
        .map(|entry| entry.expect("listed").file_name())
        .collect();
    assert_eq!(left, ["README.md"]);
    assert_eq!(
        std::fs::read_to_string(project.join("README.md")).expect("read"),
        "mine\n"
    );
}

#[test]
fn one_railway_id_alone_is_a_usage_error() {
    let scratch = Scratch::new();
    scratch
        .launch(scratch.dir.path())
        .args(["init", "my-trader", "--project-id", "p"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("--environment-id"));
    assert!(!scratch.project().exists());
}

#[test]
fn a_strategy_that_only_exists_on_disk_is_no_strategy() {
    let scratch = Scratch::new();
    let project = scratch.pushed_project();
    let folder = project.join("manifests/strategies");
    std::fs::copy(
        folder.join("probability-model.json"),
        folder.join("lag-based.json"),
    )
    .expect("copied");
    let effective = ["schema", "manifest", "--effective", "-q"];
    scratch
        .launch(&project)
        .args(effective)
        .assert()
        .code(0)
        .stdout(
            predicate::str::contains("probability-model")
                .and(predicate::str::contains("lag-based").not()),
        );
    scratch.commit_and_push(&project);
    scratch
        .launch(&project)
        .args(effective)
        .assert()
        .code(0)
        .stdout(predicate::str::contains("lag-based"));
    scratch
        .launch(&project)
        .arg("strategies")
        .assert()
        .code(0)
        .stdout(predicate::str::contains("not listed"));
}

#[test]
fn a_renamed_strategy_file_shows_in_the_listing() {
    let scratch = Scratch::new();
    let project = scratch.pushed_project();
    let folder = project.join("manifests/strategies");
    std::fs::rename(
        folder.join("probability-model.json"),
        folder.join("Probability Model Only.json"),
    )
    .expect("renamed");
    scratch.commit_and_push(&project);
    scratch
        .launch(&project)
        .arg("strategies")
        .assert()
        .code(1)
        .stdout(
            predicate::str::contains("FILE NAME IS NO ID").and(predicate::str::contains("NO FILE")),
        );
}

#[test]
fn schemas_are_listed_and_printed() {
    let scratch = Scratch::new();
    let here = scratch.dir.path();
    scratch
        .launch(here)
        .arg("schema")
        .assert()
        .code(0)
        .stdout(predicate::str::contains("schemas/strategy.schema.json"));
    let committed = include_str!("../schemas/strategy.schema.json");
    scratch
        .launch(here)
        .args(["schema", "strategy"])
        .assert()
        .code(0)
        .stdout(committed);
    scratch
        .launch(here)
        .args(["schema", "strategy", "--effective"])
        .assert()
        .code(0)
        .stdout(predicate::str::contains("\"const\": \"window-timing\""));
    scratch
        .launch(here)
        .args(["schema", "mainfest"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("'manifest'"));
    scratch
        .launch(here)
        .args(["components", "--format", "json"])
        .assert()
        .code(0)
        .stdout(predicate::str::contains("plausible_sigmas"));
}

/// The shell lines of a Dockerfile's `RUN` that get and check the trader.
fn check_of(dockerfile: &str) -> &str {
    dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("RUN curl"))
        .expect("a RUN line with curl")
}

#[test]
fn the_dockerfile_takes_the_pinned_trader_and_no_other() {
    let scratch = Scratch::new();
    let program = scratch.dir.path().join("program");
    std::fs::write(&program, "#!/bin/sh\n").expect("written");
    // sha256 of those ten bytes.
    let digest = std::process::Command::new("sha256sum")
        .arg(&program)
        .output()
        .expect("sha256sum runs");
    let digest = String::from_utf8(digest.stdout).expect("text")[..64].to_owned();
    let url = format!("file://{}", program.display());
    let args = [
        "init",
        "my-trader",
        "--trader-url",
        &url,
        "--trader-sha256",
        &digest,
    ];
    scratch
        .launch(scratch.dir.path())
        .args(args)
        .assert()
        .success();
    let text = std::fs::read_to_string(scratch.project().join("Dockerfile")).expect("read");
    assert!(
        text.contains(&format!("ARG TRADER_SHA256={digest}\n")),
        "{text}"
    );
    assert!(text.contains(concat!(
        "ARG TRADER_VERSION=",
        env!("CARGO_PKG_VERSION"),
        "\n"
    )));
    if std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_err()
    {
        return;
    }
    let build = |name: &str| {
        let folder = scratch.dir.path().join(name);
        std::fs::create_dir(&folder).expect("created");
        std::process::Command::new("sh")
            .arg("-c")
            .arg(format!("curl{}", check_of(&text)))
            .current_dir(&folder)
            .env("TRADER_URL", &url)
            .env("TRADER_SHA256", &digest)
            .output()
            .expect("sh runs")
            .status
            .success()
    };
    assert!(build("good"));
    std::fs::write(&program, "#!/bin/sh\nexit 1\n").expect("written");
    assert!(!build("another"), "another program at the same address");
}

#[test]
fn nothing_is_pinned_by_half_or_by_what_can_move() {
    let scratch = Scratch::new();
    let full = "0123456789abcdef0123456789abcdef01234567";
    for (args, word) in [
        (&["--trader-url", "https://x/y"][..], "--trader-sha256"),
        (
            &["--trader-url", "https://x/y", "--trader-sha256", "abc"],
            "64 hex digits",
        ),
        (&["--gate-source", "https://x/y"], "--gate-rev"),
        (
            &["--gate-source", "https://x/y", "--gate-rev", "main"],
            "can move",
        ),
        (
            &["--gate-source", "https://me:token@x/y", "--gate-rev", full],
            "without user",
        ),
        (
            &["--gate-source", "https://x/y' injected", "--gate-rev", full],
            "wanted an address",
        ),
    ] {
        scratch
            .launch(scratch.dir.path())
            .args(["init", "my-trader"])
            .args(args)
            .assert()
            .code(2)
            .stderr(predicate::str::contains(word));
        assert!(!scratch.project().exists());
    }
    scratch
        .launch(scratch.dir.path())
        .args([
            "init",
            "my-trader",
            "--gate-source",
            "https://x/y",
            "--gate-rev",
            full,
        ])
        .assert()
        .success();
    let workflow = scratch.project().join(".github/workflows/preflight.yml");
    let workflow = std::fs::read_to_string(workflow).expect("read");
    assert!(workflow.contains("source: 'https://x/y'") && workflow.contains(full));
}
