//! Sparse checkouts: which files of HEAD are meant to be absent from the disk.
//!
//! Only a file that is marked skip-worktree, absent, and outside the sparse patterns counts as meant to
//! be absent; the bit alone excuses nothing.

use super::committed_rules::parent;
use super::patterns::Patterns;
use super::{Repo, RepoError};

/// The patterns of a sparse checkout: what they take is checked out.
pub(super) struct Sparse(Patterns);

impl Sparse {
    /// The repository's patterns, or `None` where the checkout is not sparse.
    pub(super) fn of(repo: &Repo) -> Result<Option<Self>, RepoError> {
        let config = repo
            .git
            .config()
            .map_err(RepoError::git("read the configuration"))?;
        if !config.get_bool("core.sparseCheckout").unwrap_or(false) {
            return Ok(None);
        }
        let Ok(patterns) = std::fs::read(repo.git.path().join("info/sparse-checkout")) else {
            return Ok(None);
        };
        Ok(Some(Self(Patterns::parse(&patterns))))
    }

    /// Whether the patterns leave the path out of the checkout: the nearest of the path and the
    /// directories above it that a pattern speaks of decides; what none speaks of is left out.
    pub(super) fn leaves_out(&self, path: &[u8]) -> bool {
        let mut here = path;
        let mut is_dir = false;
        while !here.is_empty() {
            if let Some(taken) = self.0.last_match(here, is_dir) {
                return !taken;
            }
            is_dir = true;
            here = parent(here).unwrap_or_default();
        }
        true
    }
}
