//! What the watchdog leaves on disk: who it is, what it expects, what it did.
//!
//! `local/watchdog-<env>.json` is the newest state, whole or not at all; `local/watchdog-<env>.jsonl`
//! is the journal, append-only and chained; `.log` holds what it wrote to stderr. Holds no secrets.

use super::expectation::Expectation;
use super::rules::Sighting;
use crate::receipts::lines::{self, DocumentError};
use launch_kill::process::{Life, ProcessId};
use launch_kill::{EnvName, StateDir};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What the watchdog is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stance {
    /// Nothing is expected: grants nothing, trips on nothing.
    Idle,
    /// All as planned: the lease is granted.
    Keeping,
    /// In doubt: the lease is withdrawn.
    Holding,
    /// Frozen or revoked: the lease is withdrawn until a person re-enables.
    Frozen,
    /// Wrong was seen: stopping the target.
    Tripped,
    /// Ended.
    Ended,
}

impl std::fmt::Display for Stance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Idle => "idle",
            Self::Keeping => "keeping",
            Self::Holding => "holding",
            Self::Frozen => "frozen",
            Self::Tripped => "tripped",
            Self::Ended => "ended",
        })
    }
}

/// `local/watchdog-<env>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Environment.
    pub env: String,
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub pid_start: u64,
    /// Boot and pid namespace.
    pub boot_id: String,
    /// Where its HTTP surface answers.
    pub url: String,
    /// RFC 3339 UTC.
    pub started_at: String,
    /// What it is doing.
    pub stance: Stance,
    /// Why.
    pub reasons: Vec<String>,
    /// What it expects.
    pub expected: Option<Expectation>,
    /// How it ended: exit code and reason.
    pub ended: Option<Ended>,
}

/// How a watchdog ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// The documented exit code.
    pub exit: u8,
    /// Why.
    pub reason: String,
    /// RFC 3339 UTC.
    pub at: String,
}

impl Record {
    /// Whether this very process still runs.
    pub fn life(&self) -> Life {
        self.process().life()
    }

    /// Its process.
    pub fn process(&self) -> ProcessId {
        ProcessId {
            boot_id: self.boot_id.clone(),
            pid: self.pid,
            start: self.pid_start,
        }
    }
}

/// A file of the watchdog of `env`, by its ending.
pub fn path(state: &StateDir, env: &EnvName, ending: &str) -> PathBuf {
    state
        .root()
        .join("local")
        .join(format!("watchdog-{env}.{ending}"))
}

/// Reads the record; `None` where no watchdog ever ran.
///
/// # Errors
/// Unreadable or of another shape.
pub fn read(state: &StateDir, env: &EnvName) -> Result<Option<Record>, DocumentError> {
    lines::read_document(&path(state, env, "json"))
}

/// Writes the record.
///
/// # Errors
/// The file system refused.
pub fn write(state: &StateDir, env: &EnvName, record: &Record) -> Result<(), DocumentError> {
    lines::write_document(&path(state, env, "json"), record)
}

/// Every decision so far, oldest first.
///
/// # Errors
/// Unreadable, or the journal's chain is broken.
pub fn read_journal(state: &StateDir, env: &EnvName) -> Result<Vec<Value>, lines::LinesError> {
    lines::read_all(&path(state, env, "jsonl"))
}

/// Appends one decision to the journal.
///
/// # Errors
/// The file system refused, or the journal's chain is broken.
pub fn journal(
    state: &StateDir,
    env: &EnvName,
    at: &str,
    event: &str,
    reasons: &[Sighting],
    detail: &Value,
) -> Result<(), lines::LinesError> {
    let record = json!({"at": at, "event": event, "reasons": reasons, "detail": detail});
    lines::append(&path(state, env, "jsonl"), &record)
}
