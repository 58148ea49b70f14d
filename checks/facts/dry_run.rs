//! The staging dry run: what the trader said as a child process, and what a replay of its tape said.
//!
//! Pure data. The document's fields are those that `launch trade --mode dry-run` prints.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The dry run with everything that it is compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct DryRun {
    /// How the child ended.
    pub end: DryRunEnd,
    /// Windows that it had to see.
    pub windows_wanted: u64,
    /// What an in-process replay of its tape gave, or why there is none.
    pub replay: Result<Replayed, String>,
    /// The manifest digest that this program computes from HEAD's blobs.
    pub manifest_digest: String,
    /// sha256 of the executable that was started.
    pub trader_sha256: String,
    /// HEAD's commit, where HEAD carries the trader's source (`trader/`); else `None`.
    pub source_commit: Option<String>,
}

/// What the engine of this process said over the child's tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Digest of the journal.
    pub journal_digest: String,
    /// Signals that the strategies gave.
    pub signals: u64,
    /// Orders that passed every safeguard.
    pub intents: u64,
    /// Events that the engine could not explain.
    pub unexplained: u64,
    /// Refused entries by reason.
    pub refusals: BTreeMap<String, u64>,
}

/// How the child ended.
#[derive(Debug, Clone, PartialEq)]
pub enum DryRunEnd {
    /// It printed its document and ended with success.
    Printed(Box<DryRunDocument>),
    /// It ended without success, or printed no document.
    Broke {
        /// What was seen: exit status or what is wrong with the document.
        what: String,
        /// The last lines that it wrote to stderr.
        stderr: Vec<String>,
    },
    /// It was ended at its time bound.
    TimedOut {
        /// The bound, seconds.
        after_secs: u64,
    },
}

/// What `launch trade --mode dry-run` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DryRunDocument {
    /// Windows that were seen from open to close.
    pub windows: u64,
    /// Market events.
    pub ticks: u64,
    /// Signals that the strategies gave.
    pub signals: u64,
    /// Orders that passed every safeguard.
    pub intents: u64,
    /// Orders that left the process. A dry run sends none.
    pub sent: u64,
    /// Refused entries by reason.
    pub refusals: BTreeMap<String, u64>,
    /// Digest of the journal.
    pub journal_digest: String,
    /// Events that the engine could not explain.
    pub unexplained: u64,
    /// Digest of the manifest and strategies that it ran.
    pub manifest_digest: String,
    /// Every effective value by dotted key, from the running engine.
    pub effective: BTreeMap<String, Value>,
    /// Strategy instances.
    pub strategies: Vec<String>,
    /// Component instances and their states, as the trader reports them.
    pub components: Value,
    /// Commit that the program was built from.
    pub build_commit: String,
    /// sha256 of the running executable.
    pub trader_sha256: String,
}
