//! Whether the declared test command passed on HEAD's tree. Pure data; `launch` runs it and keeps the evidence.

use serde::{Deserialize, Serialize};

/// What is declared, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestFacts {
    /// HEAD's tree.
    pub tree: String,
    /// The command that `launch.toml` declares; `None` where it declares none.
    pub command: Option<Vec<String>>,
    /// The last run on this tree; `None` where there was none.
    pub evidence: Option<TestEvidence>,
}

/// One run of the tests, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestEvidence {
    /// The tree whose export they ran on.
    pub tree: String,
    /// The commit that had it.
    pub commit: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// How they ended.
    pub end: TestEnd,
    /// When they ended, RFC 3339 UTC.
    pub ended_at: String,
    /// How long they ran, ms.
    pub duration_ms: u64,
    /// Version of the program that ran them.
    pub launch_version: String,
    /// The last lines that they printed.
    pub tail: Vec<String>,
}

/// How the tests ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestEnd {
    /// With success.
    Passed,
    /// Without; the words of the system ("exit status: 101").
    Failed(String),
    /// They were ended at their time bound, seconds.
    TimedOut(u64),
}
