//! Phase 4: the trader as a child process, on an export of HEAD, in a scratch place of its own; then its
//! tape replayed in this process.
//!
//! The child gets an empty environment, so that no token of the operator reaches it, and a time bound.

use super::project::Project;
use crate::child::{self, Bounds, ChildError, Finished};
use launch_checks::{DryRun, DryRunEnd, Missing, Replayed};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use trader_core::feed::Feed;
use trader_core::manifest::{Manifest, Mode};
use trader_core::run::{Counterpart, Discard, Limits, simulate};
use trader_core::strategy_file::StrategyFile;
use trader_core::tape::TapeReader;
use trader_core::units::StrategyId;
use trader_core::wire::DryRunDocument;
use trader_runtime::identity;

/// Windows that the dry run must see from open to close.
const WINDOWS_WANTED: u64 = 4;
/// Longest life of the child, seconds.
const TIMEOUT_SECS: u64 = 60;
/// Most bytes that the child may print.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest tape of the child that is replayed, bytes: an hour of four assets is below 40 MB.
const TAPE_MAX_BYTES: u64 = 512 * 1024 * 1024;
/// Last lines of its stderr that are shown when it broke.
const STDERR_LINES: usize = 8;
/// The market of a target whose own feed is the venue: phase 4 needs no network.
const REHEARSAL_SEED: u64 = 1;

/// What HEAD declares, in the form that a trader is built from.
pub(super) struct Declared {
    pub(super) manifest: Manifest,
    pub(super) strategies: BTreeMap<StrategyId, StrategyFile>,
    pub(super) digest: String,
}

pub(super) fn run(project: &Project, declared: &Declared) -> Result<DryRun, Missing> {
    let io =
        |what: &'static str| move |error: std::io::Error| Missing::new(format!("{what}: {error}"));
    let scratch = tempfile::Builder::new()
        .prefix("launch-dry-run-")
        .tempdir()
        .map_err(io("no temporary directory can be made"))?;
    let (export, tape) = (
        scratch.path().join("commit"),
        scratch.path().join("tape.jsonl"),
    );
    std::fs::create_dir(&export).map_err(io("no export of HEAD can be made"))?;
    project
        .repo
        .export(&export)
        .map_err(|error| error.missing())?;

    let trader_sha256 =
        identity::trader_sha256().map_err(|error| Missing::new(error.to_string()))?;
    let bounds = Bounds {
        timeout: Duration::from_secs(TIMEOUT_SECS),
        output_bytes: OUTPUT_BYTES_MAX,
    };
    let end = match child::run(command(project, &export, scratch.path(), &tape), bounds) {
        Ok(finished) => read(&finished),
        Err(ChildError::TimedOut { after, .. }) => DryRunEnd::TimedOut {
            after_secs: after.as_secs(),
        },
        Err(error @ ChildError::TooMuch { .. }) => DryRunEnd::Broke {
            what: error.to_string(),
            stderr: Vec::new(),
        },
        Err(error @ (ChildError::NotFound { .. } | ChildError::Io { .. })) => {
            return Err(Missing::new(error.to_string()));
        }
    };
    let replay = match &end {
        DryRunEnd::Printed(_) => replay(declared, &tape),
        DryRunEnd::Broke { .. } | DryRunEnd::TimedOut { .. } => Err("it did not run".to_owned()),
    };
    Ok(DryRun {
        end,
        windows_wanted: WINDOWS_WANTED,
        replay,
        manifest_digest: declared.digest.clone(),
        trader_sha256,
        source_commit: project
            .repo
            .has_dir("trader")
            .then(|| project.repo.commit()),
    })
}

/// This very program as the trader, with nothing of the operator's environment but where programs are.
fn command(project: &Project, export: &Path, scratch: &Path, tape: &Path) -> Command {
    let feed = match &project.target.feed {
        Feed::Venue => Feed::Generator(REHEARSAL_SEED),
        feed @ (Feed::Generator(_) | Feed::Troubled(_) | Feed::Tape(_)) => feed.clone(),
    };
    let mut command = Command::new(this_program());
    command
        .current_dir(export)
        .env_clear()
        .env("LC_ALL", "C")
        .env("HOME", scratch)
        .env("LAUNCH_STATE_DIR", scratch.join("state"))
        .args(["trade", "--mode", "dry-run", "--format", "json"])
        .args(["--manifest", &project.target.manifest])
        .args(["--feed", &feed.to_string()])
        .args(["--windows", &WINDOWS_WANTED.to_string()])
        .arg("--tape-out")
        .arg(tape);
    command
}

/// The file that runs, even when another has taken its name since (a rebuild).
fn this_program() -> PathBuf {
    /// Linux's own link to it.
    const RUNNING: &str = "/proc/self/exe";
    if Path::new(RUNNING).exists() {
        return PathBuf::from(RUNNING);
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("launch"))
}

fn read(finished: &Finished) -> DryRunEnd {
    let broke = |what: String| DryRunEnd::Broke {
        what,
        stderr: finished.stderr_tail(STDERR_LINES),
    };
    if !finished.status.success() {
        return broke(finished.status.to_string());
    }
    match serde_json::from_slice::<DryRunDocument>(&finished.stdout) {
        Ok(document) => DryRunEnd::Printed(Box::new(document)),
        Err(error) => broke(format!("its document cannot be read: {error}")),
    }
}

/// The engine of this process over the child's tape.
fn replay(declared: &Declared, tape: &Path) -> Result<Replayed, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(tape)
        .and_then(|file| file.take(TAPE_MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > TAPE_MAX_BYTES) {
        return Err(format!(
            "the child's tape is longer than {TAPE_MAX_BYTES} bytes"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    let events = TapeReader::new(text.lines())
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| error.to_string())?;
    let mut manifest = declared.manifest.clone();
    // The one value that a dry run replaces.
    manifest.mode = Mode::DryRun;
    let everything = Limits {
        max_events: u64::MAX,
        max_windows: None,
    };
    simulate(
        &manifest,
        &declared.strategies,
        events,
        everything,
        Counterpart::Recorded,
        &mut Discard,
    )
    .map(|report| Replayed {
        journal_digest: report.journal_digest,
        signals: report.signals,
        intents: report.intents,
        unexplained: report.unexplained,
        refusals: report.refusals,
    })
    .map_err(|error| error.to_string())
}
