//! Runs the declared tests on an export of HEAD and keeps how they ended, by tree; reads what was kept.
//!
//! The tests get only what programs need to be found and built: no token, no `LAUNCH_*`, no state directory of
//! the operator. They run in a process group of their own, which ends with them or at their time bound. Must
//! not decide: a run that failed is kept like one that passed.

use super::project::Project;
use crate::child::{self, ChildError, Tailed};
use crate::clock;
use crate::receipts::lines;
use crate::rehearse::interrupt::Interrupt;
use launch_checks::targets::Tests;
use launch_checks::{Missing, TestEnd, TestEvidence, TestFacts};
use launch_kill::StateDir;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use trader_core::digest;

/// Set for the tests, so that a `launch` inside them knows where it is.
const INSIDE: &str = "LAUNCH_INSIDE_TESTS";

/// Last bytes of their output that are kept.
const TAIL_BYTES: usize = 64 * 1024;
/// Last lines of these.
const TAIL_LINES: usize = 40;
/// Longest line of these, characters.
const LINE_MAX_CHARS: usize = 400;

/// What a build needs of the operator's environment. Everything else, every secret with it, stays out.
const PASSED_ON: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_FILE",
];

/// The evidence as it is kept: an edit shows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    evidence: TestEvidence,
    sum: String,
}

/// What is declared and what is kept for HEAD's tree.
pub(super) fn read(project: &Project, state: &StateDir) -> Result<TestFacts, Missing> {
    if std::env::var_os(INSIDE).is_some() {
        return Err(Missing::new(
            "this run is inside the tests themselves, so it cannot say how they end",
        )
        .help(format!("run it without {INSIDE}")));
    }
    let tree = project.repo.tree();
    Ok(TestFacts {
        command: project.targets.tests.as_ref().map(|t| t.command.clone()),
        evidence: kept(&path(state, &tree))?,
        tree,
    })
}

fn path(state: &StateDir, tree: &str) -> PathBuf {
    state
        .root()
        .join("cache")
        .join("tests")
        .join(format!("{tree}.json"))
}

fn kept(path: &Path) -> Result<Option<TestEvidence>, Missing> {
    let again = |why: String| Missing::new(why).help("launch preflight --run-tests writes it anew");
    // A file where the folder belongs: no evidence was ever kept there.
    if std::fs::metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotADirectory) {
        return Ok(None);
    }
    let read = lines::read_document::<Kept>(path)
        .map_err(|error| again(format!("the evidence of the tests cannot be read: {error}")))?;
    let Some(kept) = read else { return Ok(None) };
    match sum_of(&kept.evidence) {
        Ok(sum) if sum == kept.sum => Ok(Some(kept.evidence)),
        Ok(_) | Err(_) => Err(again(format!(
            "{} was edited: its sum does not fit",
            path.display()
        ))),
    }
}

fn sum_of(evidence: &TestEvidence) -> Result<String, serde_json::Error> {
    digest::of_document(&serde_json::to_value(evidence)?)
}

/// Why there is no evidence of a run.
pub(super) enum NoRun {
    /// Somebody ended it.
    Interrupted,
    /// It could not be started or kept.
    Missing(Missing),
}

/// Runs the declared tests on an export of HEAD and keeps how they ended. Nothing where none are declared.
pub(super) fn run(project: &Project, state: &StateDir) -> Result<(), NoRun> {
    let Some(tests) = &project.targets.tests else {
        return Ok(());
    };
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let missing = |why: String| NoRun::Missing(Missing::new(why));
    let scratch = tempfile::Builder::new()
        .prefix("launch-tests-")
        .tempdir()
        .map_err(|error| missing(format!("no temporary directory can be made: {error}")))?;
    let export = scratch.path().join("commit");
    std::fs::create_dir(&export)
        .map_err(|error| missing(format!("no export of HEAD can be made: {error}")))?;
    project
        .repo
        .export(&export)
        .map_err(|error| NoRun::Missing(error.missing()))?;
    let interrupt = Interrupt::watch();
    let started = Instant::now();
    let tailed = child::run_tail(
        command(tests, &export, scratch.path()).map_err(NoRun::Missing)?,
        Duration::from_secs(u64::from(tests.timeout_secs)),
        TAIL_BYTES,
        &|| interrupt.is_set(),
    )
    .map_err(|error| match error {
        ChildError::NotFound { program } => NoRun::Missing(
            Missing::new(format!("the tests' program {program} is not on PATH"))
                .help("install it, or correct [tests] command in manifests/launch.toml"),
        ),
        error @ (ChildError::Io { .. }
        | ChildError::TimedOut { .. }
        | ChildError::TooMuch { .. }) => missing(error.to_string()),
    })?;
    if interrupt.is_set() {
        return Err(NoRun::Interrupted);
    }
    let evidence = TestEvidence {
        tree: project.repo.tree(),
        commit: project.repo.commit(),
        command: tests.command.clone(),
        tail: lines_of(&tailed.tail),
        end: end_of(&tailed, tests),
        ended_at: clock::now_text(),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        launch_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let sum = sum_of(&evidence).map_err(|error| missing(error.to_string()))?;
    let path = path(state, &evidence.tree);
    lines::write_document(&path, &Kept { evidence, sum })
        .map_err(|error| missing(format!("the evidence of the tests cannot be kept: {error}")))
}

fn end_of(tailed: &Tailed, tests: &Tests) -> TestEnd {
    match tailed.status {
        Some(status) if status.success() => TestEnd::Passed,
        Some(status) => TestEnd::Failed(status.to_string()),
        None => TestEnd::TimedOut(u64::from(tests.timeout_secs)),
    }
}

fn command(tests: &Tests, export: &Path, scratch: &Path) -> Result<Command, Missing> {
    let Some((program, arguments)) = tests.command.split_first() else {
        return Err(Missing::new("[tests] command names no program"));
    };
    // A program of the project is looked for in the export, never in the work tree.
    let mut command = if program.contains('/') && !program.starts_with('/') {
        Command::new(export.join(program))
    } else {
        Command::new(program)
    };
    command.args(arguments).current_dir(export).env_clear();
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
        .env(INSIDE, "1")
        .env("LAUNCH_STATE_DIR", scratch.join("state"));
    Ok(command)
}

/// The last lines, bounded, without what a terminal obeys.
fn lines_of(tail: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(tail);
    let all: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    all.iter()
        .skip(all.len().saturating_sub(TAIL_LINES))
        .map(|line| {
            line.chars()
                .take(LINE_MAX_CHARS)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect()
        })
        .collect()
}
