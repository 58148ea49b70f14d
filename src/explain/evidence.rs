//! What a trading question is answered from: a ledger with the journals beside it, or a tape that is
//! played again.
//!
//! Reads and changes nothing. What a source cannot tell is said: a ledger holds no refusals, and a
//! journal that was rolled away is not there.

use super::trading::SourceArgs;
use crate::replay::{self, ReplayError, Replayed};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use trader_core::event::{Event, EventKind};
use trader_core::ledger::{Record, RecordBody};
use trader_core::manifest::Manifest;
use trader_core::run::Sink;
use trader_core::window::{Window, WindowId};
use trader_runtime::ledger_store::LedgerStore;
use trader_runtime::manifest_files;

/// Lines of the journal that are kept about one window.
const LINES_MAX: usize = 5_000;
/// Journal files that are read; a trader keeps fewer.
const FILES_MAX: usize = 64;
/// Longest journal line that is read, bytes.
const LINE_MAX_BYTES: u64 = 64 * 1024;
/// Ledgers of this machine that are looked into.
const LEDGERS_MAX: usize = 256;

/// Everything known about one window.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Where it comes from, in words.
    pub(super) source: String,
    /// The ledger's records about the window, and those that concern every window.
    pub(super) records: Vec<Record>,
    /// Journal lines about it, and those about lease, halts, latches and the quality gate.
    pub(super) journal: Vec<Value>,
    /// Why decisions are missing, where they are.
    pub(super) no_journal: Option<String>,
    /// How the window was listed, and when it was first seen.
    pub(super) listed: Vec<(i64, Window)>,
    /// The declared limits, where a manifest was named.
    pub(super) manifest: Option<Manifest>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum EvidenceError {
    /// The tape or manifest cannot be used.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] trader_runtime::ledger_store::StoreError),
    /// The manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] manifest_files::ManifestFileError),
    /// A journal cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        path: String,
        source: std::io::Error,
    },
    /// There is no ledger to ask.
    #[error("{0}")]
    Nowhere(String),
}

/// Gathers what is known about a window.
pub(super) fn gather(
    window: WindowId,
    args: &SourceArgs,
    state_dir: Option<&Path>,
) -> Result<Evidence, EvidenceError> {
    if let Some(tape) = &args.tape {
        return from_tape(window, tape, args);
    }
    let mut evidence = match &args.ledger {
        Some(path) => from_ledger(window, path)?,
        None => from_this_machine(window, state_dir)?,
    };
    if let Some(path) = &args.manifest {
        evidence.manifest = Some(manifest_files::read(path)?.manifest);
    }
    Ok(evidence)
}

fn from_tape(window: WindowId, tape: &str, args: &SourceArgs) -> Result<Evidence, EvidenceError> {
    let mut about = About {
        window,
        evidence: Evidence::default(),
    };
    let wanted = Replayed {
        tape: tape.to_owned(),
        manifest: args.manifest.clone(),
        synthesise: args.synthesise.clone(),
        latency_ms: args.latency_ms,
        hours: args.hours,
    };
    let seen = replay::watch(&wanted, &mut about)?;
    Ok(Evidence {
        source: format!(
            "replay of {tape} ({}) with {}",
            seen.source, seen.manifest_from
        ),
        manifest: Some(seen.manifest),
        ..about.evidence
    })
}

/// Keeps what concerns one window.
struct About {
    window: WindowId,
    evidence: Evidence,
}

impl Sink for About {
    fn journal(&mut self, line: &str) {
        keep_line(&mut self.evidence.journal, self.window, line);
    }

    fn record(&mut self, record: &Record) {
        if concerns(record, self.window) {
            self.evidence.records.push(record.clone());
        }
    }

    fn event(&mut self, event: &Event) {
        if let EventKind::Window(tick) = &event.kind
            && tick.window.id == self.window
        {
            self.evidence.listed.push((event.t.0, tick.window.clone()));
        }
    }
}

/// Kinds of journal lines that concern every window.
const GLOBAL: [&str; 5] = ["control", "latch", "lease", "quality", "unexplained"];

fn keep_line(kept: &mut Vec<Value>, window: WindowId, line: &str) {
    let id = window.to_string();
    if kept.len() >= LINES_MAX || !(line.contains(&id) || GLOBAL.iter().any(|k| line.contains(k))) {
        return;
    }
    let Ok(value) = serde_json::from_str::<Value>(line) else {
        return;
    };
    let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let of_window = text("window") == id || text("order").starts_with(&format!("{id}/"));
    let at = value.get("t_ms").and_then(Value::as_i64).unwrap_or(0);
    let meanwhile = at >= window.open().0 && at < window.close().0;
    if of_window || (meanwhile && GLOBAL.contains(&text("kind"))) {
        kept.push(value);
    }
}

/// Whether a record is about a window, or about a strategy's right to enter anywhere.
fn concerns(record: &Record, wanted: WindowId) -> bool {
    match &record.body {
        RecordBody::Intent { order } => order.id.window == wanted,
        RecordBody::Accepted { id, .. }
        | RecordBody::Rejected { id, .. }
        | RecordBody::Withheld { id, .. }
        | RecordBody::Unknown { id, .. }
        | RecordBody::Cancelled { id, .. }
        | RecordBody::Fill { id, .. }
        | RecordBody::FillFinal { id, .. }
        | RecordBody::FillFailed { id, .. }
        | RecordBody::Throttled { id } => id.window == wanted,
        RecordBody::Settlement { window, .. } => *window == wanted,
        RecordBody::QualityClosed { .. } | RecordBody::Reenable { .. } => true,
        RecordBody::Halt { .. }
        | RecordBody::Flatten { .. }
        | RecordBody::FlattenEnd { .. }
        | RecordBody::Latch { .. }
        | RecordBody::Lease { .. } => record.t_ms >= wanted.open() && record.t_ms < wanted.close(),
    }
}

fn is_about(record: &Record, window: WindowId) -> bool {
    concerns(record, window)
        && !matches!(
            record.body,
            RecordBody::QualityClosed { .. }
                | RecordBody::Reenable { .. }
                | RecordBody::Lease { .. }
                | RecordBody::Latch { .. }
                | RecordBody::Halt { .. }
                | RecordBody::Flatten { .. }
                | RecordBody::FlattenEnd { .. }
        )
}

fn from_ledger(window: WindowId, path: &Path) -> Result<Evidence, EvidenceError> {
    let records = LedgerStore::read(path)?;
    let mut evidence = Evidence {
        source: format!("ledger {} ({} records)", path.display(), records.len()),
        records: records
            .into_iter()
            .filter(|record| concerns(record, window))
            .collect(),
        ..Evidence::default()
    };
    let folder = path.parent().unwrap_or(Path::new(".")).join("journal");
    let files = sorted_files(&folder);
    for file in files.iter().take(FILES_MAX) {
        read_journal(file, window, &mut evidence.journal)?;
    }
    evidence
        .journal
        .sort_by_key(|line| line.get("t_ms").and_then(Value::as_i64));
    if evidence.journal.is_empty() {
        evidence.no_journal = Some(format!(
            "no line about it in {}: a ledger holds what was done, not what was refused; \
             --tape with the recorded tape tells both",
            folder.display()
        ));
    }
    Ok(evidence)
}

fn read_journal(path: &Path, window: WindowId, into: &mut Vec<Value>) -> Result<(), EvidenceError> {
    let failed = |source| EvidenceError::Read {
        path: path.display().to_string(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let mut line = Vec::new();
    // As long as the file is; each round takes at least one byte of it.
    while (&mut reader)
        .take(LINE_MAX_BYTES)
        .read_until(b'\n', &mut line)
        .map_err(failed)?
        > 0
    {
        keep_line(into, window, String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    Ok(())
}

/// The files of a folder, oldest name first; none where there is no folder.
fn sorted_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    files
}

/// The ledger of a deployment on this machine that knows the window.
fn from_this_machine(
    window: WindowId,
    state_dir: Option<&Path>,
) -> Result<Evidence, EvidenceError> {
    let wanted = "name --ledger FILE (a downloaded ledger.sqlite3) or --tape TAPE";
    let Some(state_dir) = state_dir else {
        return Err(EvidenceError::Nowhere(format!(
            "no state directory to look for ledgers in; {wanted}"
        )));
    };
    let volumes = state_dir.join("local/volumes");
    let ledgers: Vec<PathBuf> = sorted_files(&volumes)
        .into_iter()
        .map(|volume| volume.join("ledger.sqlite3"))
        .filter(|path| path.is_file())
        .take(LEDGERS_MAX)
        .collect();
    let mut found = Vec::new();
    for path in &ledgers {
        let evidence = from_ledger(window, path)?;
        if !evidence.journal.is_empty() || evidence.records.iter().any(|r| is_about(r, window)) {
            found.push((path, evidence));
        }
    }
    match found.len() {
        1 => Ok(found.remove(0).1),
        0 => Err(EvidenceError::Nowhere(format!(
            "none of the {} ledgers below {} knows {window}; {wanted}",
            ledgers.len(),
            volumes.display()
        ))),
        _ => {
            let names: Vec<String> = found
                .iter()
                .map(|(path, _)| path.display().to_string())
                .collect();
            Err(EvidenceError::Nowhere(format!(
                "several ledgers know {window}; choose one with --ledger: {}",
                names.join(", ")
            )))
        }
    }
}
