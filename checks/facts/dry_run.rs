//! The staging dry run: what the trader said as a child process, and what a replay of its tape said.
//!
//! Pure data. The document is the trader's own type (`trader_core::wire`).

use std::collections::BTreeMap;
use trader_core::wire::DryRunDocument;

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
