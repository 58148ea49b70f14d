//! The recordings that the target names, as looks at their windows: what the model said, what the market
//! said, what came.
//!
//! Pure data; who reads a recording has compared its digest with the declared one while reading.

use crate::targets::EvidenceApproval;
use trader_core::sim::evidence::Sample;

/// Every declared recording, and who took responsibility for what it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEvidence {
    /// In the order of `launch.toml`.
    pub recordings: Vec<RecordingFact>,
    /// The approval of a model that is worse than the market.
    pub approval: Option<EvidenceApproval>,
}

/// One declared recording.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordingFact {
    /// As declared.
    pub path: String,
    /// The declared digest.
    pub sha256: String,
    /// What was seen in it, or why it proves nothing.
    pub samples: Result<Vec<Sample>, Unread>,
}

/// Why a recording proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is not there, or cannot be read or understood.
    Absent(String),
    /// It is another one than was declared.
    Changed {
        /// The sha256 that was seen.
        seen: String,
    },
}
