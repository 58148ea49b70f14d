//! Sparse checkouts: which files of HEAD are meant to be absent from the disk.
//!
//! Only a file that is marked skip-worktree, absent, and outside the sparse patterns counts as meant to
//! be absent; the bit alone excuses nothing.

use super::committed_rules::{ignored, scratch};
use super::{Repo, RepoError};
use git2::Repository;
use tempfile::TempDir;

/// The patterns of a sparse checkout.
pub(super) struct Sparse {
    // Sparse patterns have the syntax of ignore rules, so a scratch repository's ignore engine reads
    // them: "ignored" there means "checked out" here.
    scratch: Repository,
    _dir: TempDir,
}

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
        let Ok(patterns) = std::fs::read_to_string(repo.git.path().join("info/sparse-checkout"))
        else {
            return Ok(None);
        };
        let (scratch, dir) = scratch()?;
        std::fs::write(dir.path().join(".gitignore"), patterns)
            .map_err(RepoError::io("lay out the sparse patterns"))?;
        Ok(Some(Self { scratch, _dir: dir }))
    }

    /// Whether the patterns leave the path out of the checkout.
    pub(super) fn leaves_out(&self, path: &[u8]) -> Result<bool, RepoError> {
        ignored(&self.scratch, path, false).map(|checked_out| !checked_out)
    }
}
