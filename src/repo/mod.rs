//! Facts about the git repository: what HEAD holds, whether the disk equals it, what the remote has.
//!
//! In process (libgit2), by content: no stat cache, no index bits, no `GIT_*` variable, no replace
//! ref, no hook takes part. Only the live remote is asked through the git command, which has the
//! user's keys. Nothing here judges; what cannot be seen is an error or an entry in `unseen`, never
//! silence.

mod about;
mod committed_rules;
mod content;
mod encoding;
mod export;
mod head;
mod history;
mod index;
mod ls_remote;
mod operation;
mod patterns;
mod remote;
mod sparse;
mod submodule;
mod url;
mod walk;
pub mod web;
mod work_tree;

#[cfg(test)]
pub(crate) mod tests;

pub use head::Entry;
pub use remote::remote_facts;
pub use url::without_credentials;

use git2::{ErrorCode, ObjectType, Oid, Repository, RepositoryOpenFlags};
use launch_checks::{Found, Missing, TreeFacts};
use std::path::{Path, PathBuf};

/// A repository that nothing can be said about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepoError {
    /// No repository at or above the directory.
    #[error("{} is not in a git repository", .0.display())]
    NotARepository(PathBuf),
    /// The repository belongs to another user; git refuses it too.
    #[error("the repository at {} belongs to another user", .0.display())]
    NotOurs(PathBuf),
    /// A bare repository has no disk to compare.
    #[error("{} is a bare repository: it has no work tree", .0.display())]
    Bare(PathBuf),
    /// No commit yet.
    #[error("the branch has no commit yet")]
    Unborn,
    /// `core.worktree` points somewhere else.
    #[error("the repository's work tree is {}, and not here (core.worktree)", .0.display())]
    Elsewhere(PathBuf),
    /// git said no.
    #[error("cannot {doing}: {detail}")]
    Git {
        /// What was being done, after "cannot".
        doing: &'static str,
        /// git's words.
        detail: String,
    },
}

/// What libgit2 says of repository formats that it does not know: reftable, sha256, partial clones.
const FORMATS: [&str; 2] = ["extension", "object format"];

impl RepoError {
    fn git(doing: &'static str) -> impl Fn(git2::Error) -> Self {
        move |error| Self::Git {
            doing,
            detail: error.message().to_owned(),
        }
    }

    fn io(doing: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::Git {
            doing,
            detail: error.to_string(),
        }
    }

    /// The same as a missing fact, with what to do.
    pub fn missing(&self) -> Missing {
        let missing = Missing::new(self.to_string());
        match self {
            Self::NotARepository(_) => missing.help("git init && git add -A && git commit"),
            Self::NotOurs(path) => missing.help(format!(
                "git config --global --add safe.directory {}",
                path.display()
            )),
            Self::Bare(_) => missing.help("run it in a clone that has files"),
            Self::Unborn => missing.help("git add -A && git commit"),
            Self::Elsewhere(path) => missing.help(format!("run it in {}", path.display())),
            Self::Git { detail, .. } if FORMATS.iter().any(|word| detail.contains(word)) => missing
                .help(
                    "this repository's format cannot be read here; run it in a full clone with \
                     sha1 and files for refs: git clone --ref-format=files URL",
                ),
            Self::Git { .. } => missing.help("git fsck shows whether the repository is whole"),
        }
    }
}

/// A repository with a work tree and at least one commit; everything is seen as of HEAD at opening.
pub struct Repo {
    git: Repository,
    top: PathBuf,
    commit: Oid,
    tree: Oid,
    branch: Option<String>,
    entries: Vec<Entry>,
}

impl std::fmt::Debug for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repo")
            .field("top", &self.top)
            .field("commit", &self.commit)
            .finish_non_exhaustive()
    }
}

impl Repo {
    /// Opens the repository that holds `start`. The environment (`GIT_DIR` and the like) is not
    /// asked.
    ///
    /// # Errors
    /// See [`RepoError`]: nothing can then be said about the tree.
    pub fn discover(start: &Path) -> Result<Self, RepoError> {
        Self::open(start, RepositoryOpenFlags::empty())
    }

    /// Opens the repository whose top is exactly `top`.
    pub(super) fn exactly_at(top: &Path) -> Result<Self, RepoError> {
        Self::open(top, RepositoryOpenFlags::NO_SEARCH)
    }

    fn open(start: &Path, flags: RepositoryOpenFlags) -> Result<Self, RepoError> {
        let none: [&Path; 0] = [];
        let git = Repository::open_ext(start, flags, none).map_err(|error| {
            if error.code() == ErrorCode::NotFound {
                RepoError::NotARepository(start.to_owned())
            } else if error.code() == ErrorCode::Owner {
                RepoError::NotOurs(start.to_owned())
            } else {
                RepoError::git("open the repository")(error)
            }
        })?;
        let top = git
            .workdir()
            .ok_or_else(|| RepoError::Bare(start.to_owned()))?;
        let top = top
            .canonicalize()
            .map_err(RepoError::io("find the work tree"))?;
        let here = start
            .canonicalize()
            .map_err(RepoError::io("find the directory"))?;
        if !here.starts_with(&top) {
            return Err(RepoError::Elsewhere(top));
        }
        let head = head::read(&git)?;
        Ok(Self {
            git,
            top,
            commit: head.commit,
            tree: head.tree,
            branch: head.branch,
            entries: head.entries,
        })
    }

    /// The top of the work tree.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// HEAD's commit id, 40 hex digits.
    pub fn commit(&self) -> String {
        self.commit.to_string()
    }

    /// HEAD's tree id.
    pub fn tree(&self) -> String {
        self.tree.to_string()
    }

    /// Every file of HEAD, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The content of a regular file of HEAD; `None` where HEAD has none.
    ///
    /// # Errors
    /// When the object cannot be read (a damaged or partial clone).
    pub fn blob(&self, path: &str) -> Result<Option<Vec<u8>>, RepoError> {
        match self.entry(path.as_bytes()) {
            Some(entry) if entry.is_file() => {
                let blob = self
                    .git
                    .find_blob(entry.id)
                    .map_err(RepoError::git("read HEAD"))?;
                Ok(Some(blob.content().to_vec()))
            }
            _ => Ok(None),
        }
    }

    /// Whether HEAD carries anything under `dir` (`trader`).
    pub fn has_dir(&self, dir: &str) -> bool {
        self.is_dir_of_head(dir.as_bytes())
    }

    /// What HEAD has at a path that somebody names.
    ///
    /// # Errors
    /// When HEAD cannot be read.
    pub fn found(&self, path: &str) -> Result<Found, RepoError> {
        let inside = !path.is_empty()
            && !path.starts_with('/')
            && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !inside {
            return Ok(Found::Outside);
        }
        let Some(entry) = self.entry(path.as_bytes()) else {
            if self.is_dir_of_head(path.as_bytes()) {
                return Ok(Found::NotAFile("a directory"));
            }
            return Ok(Found::Missing {
                on_disk: self.top.join(path).symlink_metadata().is_ok(),
                ignored: walk::git_ignores(self, path.as_bytes()),
            });
        };
        if entry.is_link() {
            return Ok(Found::NotAFile("a symbolic link"));
        }
        if entry.is_submodule() {
            return Ok(Found::NotAFile("a submodule"));
        }
        let content = self.blob(path)?.unwrap_or_default();
        Ok(if content::lfs_pointer(&content).is_some() {
            Found::NotAFile("a Git LFS pointer")
        } else {
            Found::Blob {
                bytes: content.len(),
            }
        })
    }

    /// Compares the disk with HEAD, by content. Fresh on every call.
    ///
    /// # Errors
    /// When HEAD or the index cannot be read at all.
    pub fn work_tree(&self) -> Result<TreeFacts, RepoError> {
        work_tree::compare(self)
    }

    /// Writes the files of HEAD into `dir` (which must be empty): plain bytes as committed, modes and
    /// symbolic links kept, nothing outside `dir`.
    ///
    /// # Errors
    /// When a path or link of HEAD leads out of `dir`, or a file cannot be written.
    pub fn export(&self, dir: &Path) -> Result<(), RepoError> {
        export::write(self, dir)
    }

    fn entry(&self, path: &[u8]) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.path.as_slice().cmp(path))
            .ok()?;
        self.entries.get(at)
    }

    fn is_dir_of_head(&self, path: &[u8]) -> bool {
        let mut prefix = path.to_vec();
        prefix.push(b'/');
        let at = self
            .entries
            .partition_point(|entry| entry.path.as_slice() < prefix.as_slice());
        self.entries
            .get(at)
            .is_some_and(|entry| entry.path.starts_with(&prefix))
    }

    /// Whether the object is a commit that this clone has.
    fn has_commit(&self, id: Oid) -> bool {
        self.git.find_object(id, Some(ObjectType::Commit)).is_ok()
    }
}
