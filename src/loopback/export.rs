//! Writes the files of one commit into a folder, from the object database only.
//!
//! Must never read the work tree or the index: what is deployed is what is committed, byte for byte
//! (no line-ending or clean/smudge filters). Refuses entries that would reach outside the folder: a
//! link out of the export would let the trader read files that no commit holds.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use git2::{Commit, FileMode, ObjectType, Oid, Repository, Tree};

/// Deepest folder nesting that is followed.
const DEEPEST_TREE: usize = 64;
/// Length of a full commit id in hexadecimal (SHA-1).
const FULL_ID: usize = 40;

/// Why a commit's files could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// Unknown repository, object or commit.
    #[error("cannot read commit {commit} from {}: {source}", repo.display())]
    Git {
        commit: String,
        repo: PathBuf,
        #[source]
        source: git2::Error,
    },
    /// The folder could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// An entry that must not be written.
    #[error("{path} in the commit {why}; commit the file itself instead")]
    Refused { path: String, why: &'static str },
}

/// What `meta` says about a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommitFacts {
    pub(crate) id: String,
    pub(crate) message: String,
    pub(crate) author: String,
}

/// Finds a commit by its full id; `None` = Railway's `Commit not found` (unknown, short, or not a
/// commit).
pub(crate) fn find(repo_dir: &Path, id: &str) -> Option<CommitFacts> {
    if id.len() != FULL_ID {
        return None;
    }
    let repo = Repository::open(repo_dir).ok()?;
    let commit = repo.find_commit(Oid::from_str(id).ok()?).ok()?;
    Some(facts_of(&commit))
}

/// The commit that a branch points at in the repository.
pub(crate) fn tip(repo_dir: &Path, branch: &str) -> Option<CommitFacts> {
    let repo = Repository::open(repo_dir).ok()?;
    let commit = repo
        .find_reference(&format!("refs/heads/{branch}"))
        .ok()?
        .peel_to_commit()
        .ok()?;
    Some(facts_of(&commit))
}

fn facts_of(commit: &Commit<'_>) -> CommitFacts {
    CommitFacts {
        id: commit.id().to_string(),
        message: String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned(),
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
    }
}

/// Writes every file of the commit below `into`, which is emptied first. Returns how many files
/// were written.
pub(crate) fn write(repo_dir: &Path, id: &str, into: &Path) -> Result<u64, ExportError> {
    let git = |source| ExportError::Git {
        commit: id.to_owned(),
        repo: repo_dir.to_owned(),
        source,
    };
    let repo = Repository::open(repo_dir).map_err(git)?;
    let tree = Oid::from_str(id)
        .and_then(|oid| repo.find_commit(oid))
        .and_then(|commit| commit.tree())
        .map_err(git)?;
    match fs::remove_dir_all(into) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => {
            return Err(ExportError::Write {
                path: into.to_owned(),
                source,
            });
        }
    }
    let export = Export {
        repo: &repo,
        id,
        repo_dir,
        root: into,
    };
    export.tree(&tree, Path::new(""), 0)
}

struct Export<'a> {
    repo: &'a Repository,
    id: &'a str,
    repo_dir: &'a Path,
    root: &'a Path,
}

impl Export<'_> {
    fn tree(&self, tree: &Tree<'_>, below: &Path, depth: usize) -> Result<u64, ExportError> {
        if depth > DEEPEST_TREE {
            return Err(refused(below, "is nested too deep"));
        }
        let folder = self.root.join(below);
        fs::create_dir_all(&folder).map_err(|source| ExportError::Write {
            path: folder.clone(),
            source,
        })?;
        let mut written = 0;
        for entry in tree {
            let name = entry
                .name()
                .map_err(|_| refused(below, "has a name that is not UTF-8"))?;
            let path = below.join(name);
            if !is_plain_name(name) {
                return Err(refused(&path, "has a name that is not allowed"));
            }
            written += match entry.kind() {
                Some(ObjectType::Tree) => {
                    let inner = self.repo.find_tree(entry.id()).map_err(|e| self.git(e))?;
                    self.tree(&inner, &path, depth + 1)?
                }
                Some(ObjectType::Blob) => self.blob(entry.id(), entry.filemode(), &path)?,
                // A submodule: its files are not in this commit. Its place is left empty.
                _ => 0,
            };
        }
        Ok(written)
    }

    fn blob(&self, id: Oid, mode: i32, path: &Path) -> Result<u64, ExportError> {
        let blob = self.repo.find_blob(id).map_err(|error| self.git(error))?;
        let target = self.root.join(path);
        let done = if mode == i32::from(FileMode::Link) {
            let link = link_within(path, blob.content())?;
            symlink(link, &target)
        } else {
            let executable = mode == i32::from(FileMode::BlobExecutable);
            fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(if executable { 0o755 } else { 0o644 })
                .open(&target)
                .and_then(|mut file| file.write_all(blob.content()))
        };
        done.map_err(|source| ExportError::Write {
            path: target,
            source,
        })?;
        Ok(1)
    }

    fn git(&self, source: git2::Error) -> ExportError {
        ExportError::Git {
            commit: self.id.to_owned(),
            repo: self.repo_dir.to_owned(),
            source,
        }
    }
}

/// One ordinary path component that is not git's own folder.
fn is_plain_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!(
        (components.next(), components.next()),
        (Some(Component::Normal(_)), None)
    ) && !name.contains('/')
        && !name.eq_ignore_ascii_case(".git")
}

/// The target of a link, if it stays inside the export. `..` counts only before the first name:
/// after one it could step out of what another link leads to.
fn link_within(path: &Path, target: &[u8]) -> Result<PathBuf, ExportError> {
    let outside = || refused(path, "is a link that leads outside the commit");
    let target = PathBuf::from(std::str::from_utf8(target).map_err(|_| outside())?);
    let mut folders_above = path.components().count().saturating_sub(1);
    let mut named = false;
    for component in target.components() {
        match component {
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::ParentDir if !named => {
                folders_above = folders_above.checked_sub(1).ok_or_else(outside)?;
            }
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(outside());
            }
        }
    }
    Ok(target)
}

fn refused(path: &Path, why: &'static str) -> ExportError {
    ExportError::Refused {
        path: path.display().to_string(),
        why,
    }
}
