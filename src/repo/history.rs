//! Other commits than HEAD: a base branch's files, and whether a commit is part of a history.
//!
//! Only what this clone holds; where it is cut short, the answer is "not known", never "no".

use super::remote::history_is_cut;
use super::{Repo, RepoError};
use git2::{ErrorCode, ObjectType, Oid};
use std::path::Path;

impl Repo {
    /// The commit that the first of these names that exists means: a full ref name, or 40 hex digits.
    pub fn commit_named(&self, names: &[String]) -> Option<String> {
        names.iter().find_map(|name| {
            if name.len() == 40
                && let Ok(id) = Oid::from_str(name)
            {
                return self.has_commit(id).then(|| id.to_string());
            }
            let reference = self.git.find_reference(name).ok()?;
            let commit = reference.peel_to_commit().ok()?;
            Some(commit.id().to_string())
        })
    }

    /// The content of a regular file of another commit; `None` where it has none.
    ///
    /// # Errors
    /// When the commit or the file cannot be read (a damaged or partial clone).
    pub fn blob_at(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>, RepoError> {
        const DOING: &str = "read the base commit";
        let id = Oid::from_str(commit).map_err(RepoError::git(DOING))?;
        let tree = self
            .git
            .find_commit(id)
            .and_then(|commit| commit.tree())
            .map_err(RepoError::git(DOING))?;
        let entry = match tree.get_path(Path::new(path)) {
            Ok(entry) => entry,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(RepoError::git(DOING)(error)),
        };
        // A link's blob is the path it points to, not a file.
        if entry.kind() != Some(ObjectType::Blob) || entry.filemode() == 0o120_000 {
            return Ok(None);
        }
        let blob = self
            .git
            .find_blob(entry.id())
            .map_err(RepoError::git(DOING))?;
        Ok(Some(blob.content().to_vec()))
    }

    /// Whether `commit` is `tip` or one of its ancestors; `None` when this clone cannot tell.
    pub fn is_in(&self, commit: &str, tip: &str) -> Option<bool> {
        if commit == tip {
            return Some(true);
        }
        let (commit, tip) = (Oid::from_str(commit).ok()?, Oid::from_str(tip).ok()?);
        if !self.has_commit(tip) {
            return None;
        }
        if !self.has_commit(commit) {
            // A whole history that lacks it does not contain it.
            return if history_is_cut(self) {
                None
            } else {
                Some(false)
            };
        }
        match self.git.graph_descendant_of(tip, commit) {
            Ok(true) => Some(true),
            Ok(false) if history_is_cut(self) => None,
            Ok(false) => Some(false),
            Err(_) => None,
        }
    }

    /// Whether this clone holds the commit.
    pub fn holds(&self, commit: &str) -> bool {
        Oid::from_str(commit).is_ok_and(|id| self.has_commit(id))
    }

    /// Whether a commit's tree has a file or folder at a path; `None` when it cannot be read.
    pub fn has_path_at(&self, commit: &str, path: &str) -> Option<bool> {
        let commit = self.git.find_commit(Oid::from_str(commit).ok()?).ok()?;
        match commit.tree().ok()?.get_path(Path::new(path)) {
            Ok(_) => Some(true),
            Err(error) if error.code() == ErrorCode::NotFound => Some(false),
            Err(_) => None,
        }
    }
}
