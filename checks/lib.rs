//! Pure preflight checks: facts in, outcome out. `ls` is the catalogue: one file per check, one table.
//!
//! Reading order: facts → table → the checks → severity → run → report. Nothing here reads a file, a
//! clock, the environment or the network; `launch` gathers, this crate judges, `launch` renders.
//! Adding a check is one file, one row in `table.rs`, four fixtures.

mod code;
mod facts;
pub mod files;
mod outcome;
mod parts;
mod phase;
mod report;
mod run;
mod severity;
mod stage;
mod strength;
mod table;
pub mod targets;

// One file per check; each file's `//!` says what it proves and how it fails.
mod components_ready;
mod components_smoke;
mod declared_effective;
mod entries_bounded;
mod files_in_commit;
mod halt;
mod limits_coherent;
mod limits_not_loosened;
mod manifest_schema;
mod model_evidence;
mod model_golden;
mod model_properties;
mod order_outcomes;
mod quality_gate_works;
mod secrets_present;
mod source_committed;
mod source_pushed;
mod staging_dry_run;
mod strategies_known;
mod strategies_valid;
mod tests_passed;
mod token_scope;
mod units;
mod waive;
mod window_targeting;

#[cfg(test)]
mod fixtures;

pub use code::{Code, CodeError};
pub use facts::{
    AskFailed, BrokenFile, CommitFiles, Difference, DifferenceKind, DryRun, DryRunEnd, EnvFacts,
    Fact, FactKey, Facts, Found, LiveRemote, Loaded, ManifestDocument, Missing, ModelEvidence,
    NamedPath, Policy, RecordingFact, RemoteFacts, Replayed, ServicePlace, StrategyDocument,
    SubmodulePush, TargetFacts, TestEnd, TestEvidence, TestFacts, TokenBelongs, TreeFacts, Unread,
};
pub use outcome::{Finding, Mistake, Outcome, PLACES_MAX, Place, SEEN_LINES_MAX};
pub use phase::{Category, Phase};
pub use report::{CheckResult, Header, REPORT_SCHEMA_VERSION, Report, Status, Verdict};
pub use run::{Ran, Selection, SelectionError, run, run_beside};
pub use severity::{Severity, severity, unbuilt_is_left_out};
pub use strength::{CheckStrength, Counts, Strength};
pub use table::{Row, TABLE, UNBUILT, Unbuilt, catalogue};
