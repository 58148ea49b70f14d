//! The report of a kill: the JSON contract, as types.
//!
//! Pure data. Field names and words are relied on by scripts; `null` is "not known", never zero.

pub use crate::position::{FlattenOutcome, FlattenResult, Position, PositionSource};
use crate::verdict::{Verdict, WitnessStatus};
use serde::Serialize;

/// Version of the JSON document.
pub const SCHEMA_VERSION: u32 = 1;

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Format of the document.
    pub schema_version: u32,
    /// The worst of the targets'.
    pub verdict: Verdict,
    /// One per target.
    pub targets: Vec<TargetReport>,
}

impl Report {
    /// A report over targets; no target at all is a failure.
    pub fn new(targets: Vec<TargetReport>) -> Self {
        let verdict = targets
            .iter()
            .map(|target| target.verdict)
            .max()
            .unwrap_or(Verdict::Failed);
        Self {
            schema_version: SCHEMA_VERSION,
            verdict,
            targets,
        }
    }

    /// The JSON document, with a newline at its end.
    pub fn to_json(&self) -> String {
        let fallback = || {
            format!(
                "{{\"schema_version\":1,\"verdict\":\"{}\"}}",
                self.verdict.as_str()
            )
        };
        let mut text = serde_json::to_string_pretty(self).unwrap_or_else(|_| fallback());
        text.push('\n');
        text
    }
}

/// What happened to one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetReport {
    /// Name of the environment, or where its ids came from.
    pub env: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// RFC 3339 UTC.
    pub started_at: String,
    /// From start to this report.
    pub elapsed_ms: u64,
    /// The time that was allowed.
    pub deadline_ms: u64,
    /// First acknowledgement by any path, from start.
    pub first_ack_ms: Option<u64>,
    /// The ways that were tried.
    pub paths: Vec<PathReport>,
    /// Every deployment that was seen live or acted on.
    pub deployments: Vec<DeploymentReport>,
    /// Who else was asked whether it stopped.
    pub witnesses: Vec<WitnessReport>,
    /// Orders still open; `null` = not known.
    pub open_orders: Option<u64>,
    /// Open positions, as the trader or else the venue told them; `null` = not known.
    pub positions: Option<Vec<Position>>,
    /// `--flatten`: how the selling went as a whole; absent where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flatten: Option<FlattenReport>,
    /// What was changed, with the command that puts it back.
    pub changed: Vec<Change>,
    /// What could start it again.
    pub may_restart: Vec<String>,
    /// What to do now, in order.
    pub runbook: Vec<String>,
}

/// How the selling before a stop went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlattenReport {
    /// In one word.
    pub outcome: SellingOutcome,
    /// When the trader acknowledged the order to sell, from start.
    pub acknowledged_ms: Option<u64>,
    /// When the stop took over, from start.
    pub ended_ms: u64,
    /// In words.
    pub detail: String,
}

/// Why the selling before a stop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SellingOutcome {
    /// The trader says that nothing is left that it could sell.
    Done,
    /// The trader says that its time ran out.
    Lapsed,
    /// The stop's own share of the deadline had come.
    CutShort,
    /// The operator pressed Ctrl-C.
    Interrupted,
    /// The trader answered no more.
    Silent,
    /// Nothing could be asked of the trader, or it refused.
    Impossible,
}

/// One of the ways to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PathReport {
    /// `trader`, `platform` or `venue`.
    pub path: &'static str,
    /// How far it got.
    pub status: PathStatus,
    /// First request, from start.
    pub requested_ms: Option<u64>,
    /// First acknowledgement, from start.
    pub acknowledged_ms: Option<u64>,
    /// Read back, from start.
    pub confirmed_ms: Option<u64>,
    /// In words.
    pub detail: String,
}

/// How far a path got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PathStatus {
    /// Not available for this target.
    NotConfigured,
    /// Asked, and refused or unreachable.
    Failed,
    /// Asked; no answer yet.
    Requested,
    /// The other side said yes.
    Acknowledged,
    /// Read back.
    Confirmed,
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentReport {
    /// The platform's id.
    pub id: String,
    /// The first status that was read; `null` when none was.
    pub status_seen: Option<String>,
    /// The last thing that was asked for: `stop`, `cancel`, `remove`.
    pub action: Option<&'static str>,
    /// When the platform accepted it, from start.
    pub acknowledged_ms: Option<u64>,
    /// When it was first read as dead, from start.
    pub confirmed_ms: Option<u64>,
    /// The last status that was read.
    #[serde(rename = "final")]
    pub final_status: Option<String>,
}

/// One witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WitnessReport {
    /// `trader_halt`, `trader_endpoint`, `watchdog` or `process`.
    pub name: &'static str,
    /// What it says.
    pub status: WitnessStatus,
    /// In words.
    pub detail: String,
}

/// Something that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What.
    pub what: String,
    /// The command, or the place in the dashboard, that puts it back.
    pub put_back: String,
}
