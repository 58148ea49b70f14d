//! What HEAD is: commit, tree, branch and every file of it, straight from the object store.
//!
//! Reads HEAD into a fresh in-memory index; the repository's own index is not asked. Replace refs play
//! no part: libgit2 has none.

use super::RepoError;
use git2::{ErrorCode, Index, Oid, Repository};

/// File mode of a regular file in a tree.
const MODE_REGULAR: u32 = 0o100_644;
/// File mode of an executable file in a tree.
const MODE_EXECUTABLE: u32 = 0o100_755;
/// File mode of a symbolic link in a tree.
const MODE_LINK: u32 = 0o120_000;
/// File mode of a submodule in a tree.
const MODE_SUBMODULE: u32 = 0o160_000;

/// One file of HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path from the top, `/` between parts; not always text.
    pub path: Vec<u8>,
    /// Its mode in the tree.
    pub mode: u32,
    /// Its blob (or, for a submodule, its commit).
    pub id: Oid,
}

impl Entry {
    /// A regular file, executable or not.
    pub const fn is_file(&self) -> bool {
        !self.is_link() && !self.is_submodule()
    }

    /// An executable file.
    pub const fn is_executable(&self) -> bool {
        self.mode == MODE_EXECUTABLE
    }

    /// A symbolic link.
    pub const fn is_link(&self) -> bool {
        self.mode == MODE_LINK
    }

    /// A submodule.
    pub const fn is_submodule(&self) -> bool {
        self.mode == MODE_SUBMODULE
    }

    /// The path for people.
    pub fn shown(&self) -> String {
        shown(&self.path)
    }
}

/// A path for people: text, with what is not text replaced.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// HEAD, read once.
pub(super) struct Head {
    pub(super) commit: Oid,
    pub(super) tree: Oid,
    pub(super) branch: Option<String>,
    pub(super) entries: Vec<Entry>,
}

pub(super) fn read(git: &Repository) -> Result<Head, RepoError> {
    let head = git.head().map_err(|error| {
        if [ErrorCode::UnbornBranch, ErrorCode::NotFound].contains(&error.code()) {
            RepoError::Unborn
        } else {
            RepoError::git("read HEAD")(error)
        }
    })?;
    let commit = head
        .peel_to_commit()
        .map_err(RepoError::git("read HEAD's commit"))?;
    let tree = commit.tree().map_err(RepoError::git("read HEAD's tree"))?;
    let branch = head
        .is_branch()
        .then(|| String::from_utf8_lossy(head.shorthand_bytes()).into_owned());
    let index = index_of(git, tree.id())?;
    let mut entries: Vec<Entry> = index
        .iter()
        .map(|entry| Entry {
            path: entry.path,
            mode: canonical(entry.mode),
            id: entry.id,
        })
        .collect();
    // Sorted already unless `core.ignoreCase` had its say; lookups need byte order.
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(Head {
        commit: commit.id(),
        tree: tree.id(),
        branch,
        entries,
    })
}

/// A tree may hold modes that git no longer writes (100664); git reads them as these.
const fn canonical(mode: u32) -> u32 {
    const KIND: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    const OWNER_EXECUTES: u32 = 0o100;
    match mode & KIND {
        REGULAR if mode & OWNER_EXECUTES != 0 => MODE_EXECUTABLE,
        REGULAR => MODE_REGULAR,
        MODE_LINK => MODE_LINK,
        _ => MODE_SUBMODULE,
    }
}

/// A fresh in-memory index that holds exactly `tree`, with no stat data at all.
pub(super) fn index_of(git: &Repository, tree: Oid) -> Result<Index, RepoError> {
    let tree = git
        .find_tree(tree)
        .map_err(RepoError::git("read HEAD's tree"))?;
    let mut index = Index::new().map_err(RepoError::git("make an index"))?;
    index
        .read_tree(&tree)
        .map_err(RepoError::git("read HEAD's files"))?;
    Ok(index)
}
