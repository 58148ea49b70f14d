//! The policy that a commit is judged by: what people have approved. Pure data; `launch` gathers it.
//!
//! On a pull request it is the base branch's, so that no change can approve itself.

use super::Loaded;
use crate::files::approved_limits::ApprovedLimits;

/// The policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Where it was read: "HEAD", or the base branch and its commit.
    pub read_from: String,
    /// `manifests/approved-limits.toml`.
    pub approved: Loaded<ApprovedLimits>,
}
