//! The result of a preflight: one struct that feeds every format. `schema_version` 1.
//!
//! Pure data. Field names are contract; other programs read them.

use crate::code::Code;
use crate::outcome::Place;
use crate::phase::{Category, Phase};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The only version of this document there is.
pub const REPORT_SCHEMA_VERSION: u32 = 1;

/// What all checks together say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check that applies holds, warnings apart.
    Pass,
    /// At least one check failed.
    Fail,
    /// None failed, and at least one could not be judged.
    Unknown,
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It holds.
    Pass,
    /// It holds with something to look at, or it failed where a failure only warns.
    Warn,
    /// It does not hold.
    Fail,
    /// It could not be judged.
    Unknown,
    /// It did not run because of the checks in `blocked_by`.
    Skipped,
}

/// One check's row in the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Its code.
    pub code: Code,
    /// What holds when it passes.
    pub title: String,
    /// What it is about.
    pub category: Category,
    /// Where it stands on the card, 1 to 5.
    pub phase: Phase,
    /// How it ended.
    pub status: Status,
    /// Checks that kept it from running.
    pub blocked_by: Vec<Code>,
    /// One line: what holds, or what does not.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The page about it, from the top of this program's repository.
    pub docs_url: String,
    /// What was seen: `seen` holds the lines for people, the rest is by name.
    pub evidence: Map<String, Value>,
    /// Age of the oldest fact that it read, ms; `null` for one that reads none.
    pub facts_age_ms: Option<u64>,
    /// How long it ran, ms.
    pub duration_ms: u64,
    /// The waiver that covers it, if any.
    pub waiver: Option<Value>,
}

impl CheckResult {
    /// The lines of `evidence.seen`.
    pub fn seen(&self) -> impl Iterator<Item = &str> {
        self.evidence
            .get("seen")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    }

    /// The places of `evidence.places`.
    pub fn places(&self) -> Vec<Place> {
        self.evidence
            .get("places")
            .and_then(|places| serde_json::from_value(places.clone()).ok())
            .unwrap_or_default()
    }
}

/// What a run says about itself, beside its checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of this program.
    pub launch_version: String,
    /// HEAD's commit, where it could be read.
    pub commit: Option<String>,
    /// HEAD's tree.
    pub tree: Option<String>,
    /// The plan that was judged, if any.
    pub plan_digest: Option<String>,
    /// When the run started, RFC 3339 UTC.
    pub started_at: String,
    /// How long gathering and judging took, ms.
    pub duration_ms: u64,
}

/// The result of a preflight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format: 1.
    pub schema_version: u32,
    /// Version of this program.
    pub launch_version: String,
    /// The environment that was judged.
    pub env: String,
    /// The commit that was judged.
    pub commit: Option<String>,
    /// Its tree.
    pub tree: Option<String>,
    /// The plan that was judged, if any.
    pub plan_digest: Option<String>,
    /// When the run started, RFC 3339 UTC.
    pub started_at: String,
    /// How long it took, ms.
    pub duration_ms: u64,
    /// What all checks together say.
    pub verdict: Verdict,
    /// Whether only some checks were asked for. A partial report clears nothing.
    pub partial: bool,
    /// Codes that say nothing about this environment.
    pub not_applicable: Vec<Code>,
    /// The checks, in table order.
    pub checks: Vec<CheckResult>,
}

impl Report {
    /// Puts a run's results under its header and draws the verdict.
    pub fn new(header: Header, env: &str, ran: crate::run::Ran) -> Self {
        Self {
            schema_version: REPORT_SCHEMA_VERSION,
            launch_version: header.launch_version,
            env: env.to_owned(),
            commit: header.commit,
            tree: header.tree,
            plan_digest: header.plan_digest,
            started_at: header.started_at,
            duration_ms: header.duration_ms,
            verdict: verdict(&ran.checks),
            partial: ran.partial,
            not_applicable: ran.not_applicable,
            checks: ran.checks,
        }
    }

    /// Whether this report clears a deploy: everything asked, nothing failed, nothing unknown.
    pub fn clears(&self) -> bool {
        self.verdict == Verdict::Pass && !self.partial
    }

    /// The result of one check, if it ran or was skipped.
    pub fn check(&self, code: &str) -> Option<&CheckResult> {
        self.checks
            .iter()
            .find(|check| check.code.to_string() == code)
    }

    /// How many checks ended so.
    pub fn count(&self, status: Status) -> usize {
        self.checks
            .iter()
            .filter(|check| check.status == status)
            .count()
    }
}

/// Any failure fails; else anything unjudged (unknown, skipped, or nothing at all) is unknown.
fn verdict(checks: &[CheckResult]) -> Verdict {
    let any = |status: Status| checks.iter().any(|check| check.status == status);
    if any(Status::Fail) {
        Verdict::Fail
    } else if checks.is_empty() || any(Status::Unknown) || any(Status::Skipped) {
        Verdict::Unknown
    } else {
        Verdict::Pass
    }
}
