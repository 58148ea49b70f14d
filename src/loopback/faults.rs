//! How the platform can be told to misbehave: one value, all off unless somebody with the admin
//! token turns something on.
//!
//! Loaded from no file and no variable: a rehearsal asks for a fault by `POST /loopback/faults` and
//! a fresh platform has none.

use serde::{Deserialize, Serialize};

/// The misbehaviour of a platform. Adding one: a field here, its effect where the truthful
/// behaviour stands, a test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// `deploymentStop` answers true and does nothing: the process lives, reads never change.
    pub stop_acknowledged_only: bool,
    /// Once, when the next deployment becomes active, the platform starts another one of the same
    /// commit by itself.
    pub second_deployment: bool,
    /// Every GraphQL answer comes this much later (milliseconds, at most [`LONGEST_HANG_MS`], not
    /// scaled). 0 = at once.
    pub hang_ms: u64,
}

/// The longest delay that `hang_ms` can ask for (milliseconds): longer than any deadline of ours,
/// short enough to end.
pub const LONGEST_HANG_MS: u64 = 600_000;
