//! What the watchdog was told to expect: a plan, and the deployment and instance that carry it out.
//!
//! Arrives by `POST /expect`, stays on disk so that a restarted watchdog knows its target. Holds no
//! secrets.

use crate::plan::intent::Plan;
use serde::{Deserialize, Serialize};

/// The body of `POST /expect`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What is meant to run.
    pub plan: Plan,
    /// The deployment that the platform gave us for it.
    pub deployment_id: String,
    /// The instance that was verified.
    pub instance_nonce: String,
    /// Where it answers.
    pub trader_url: String,
}

/// Longest `POST /expect` body that is read, bytes.
pub const EXPECTATION_MAX_BYTES: usize = 1_048_576;
