//! The policy that a commit is judged by: what people have approved and waived. Pure data; `launch` gathers it.
//!
//! On a pull request it is the base branch's, so that no change can approve or waive itself.

use super::Loaded;
use crate::files::approved_limits::ApprovedLimits;
use crate::files::check_set::CheckSet;
use crate::files::waivers::Waivers;
use crate::outcome::Mistake;

/// The policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Where it was read: "HEAD", or the base branch and its commit.
    pub read_from: String,
    /// `manifests/approved-limits.toml`.
    pub approved: Loaded<ApprovedLimits>,
    /// `manifests/waivers.toml`.
    pub waivers: Loaded<Waivers>,
    /// The base branch's committed check set; `None` where there is no base, or it commits none.
    pub check_set: Option<CheckSet>,
}

/// A file of HEAD beside the manifests that is there and not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenFile {
    /// Its path in HEAD.
    pub path: String,
    /// One per mistake, each with file, line and column.
    pub diagnostics: Vec<Mistake>,
}
