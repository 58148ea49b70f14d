//! Compares one file on disk with its blob: raw bytes first, then what git would make of them.
//!
//! Raw bytes that differ may still be the same content: line ends that normalise, a Git LFS file whose
//! blob is the pointer. Filter commands of the user are never run; what only they could tell is unseen.

use super::committed_rules::CommittedAttributes;
use super::encoding;
use super::head::{Entry, index_of};
use super::walk::are_plain;
use super::{Repo, RepoError};
use git2::{AttrCheckFlags, DiffOptions, ObjectType, Oid, Repository};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Most threads that hash at once.
const HASH_THREADS_MAX: usize = 8;
/// Bytes read at a time when a Git LFS file is hashed.
const READ_BYTES: usize = 64 * 1024;

/// Hashes files in parallel; the result stands at the place of its path.
pub(super) fn hash_all(paths: &[PathBuf]) -> Vec<Result<Oid, String>> {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = cores.min(HASH_THREADS_MAX);
    let share = paths.len().div_ceil(threads).max(1);
    let hash = |path: &PathBuf| {
        Oid::hash_file(ObjectType::Blob, path).map_err(|error| error.message().to_owned())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = paths
            .chunks(share)
            .map(|chunk| {
                (
                    chunk.len(),
                    scope.spawn(move || chunk.iter().map(hash).collect()),
                )
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|(count, worker)| {
                let lost = || vec![Err("hashing broke down".to_owned()); count];
                worker.join().unwrap_or_else(|_| lost())
            })
            .collect()
    })
}

/// What a file whose raw bytes are not its blob's is after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// git makes the same blob of it.
    SameAfterNormalising,
    /// It is the file that the committed Git LFS pointer stands for.
    SameThroughLfs,
    /// Its content differs.
    Differs,
    /// A committed filter stands between, which is not run here.
    Unseen(String),
}

/// Judges the files whose raw bytes differ. `files` pairs each entry with its place on disk.
pub(super) fn judge(repo: &Repo, files: &[(&Entry, PathBuf)]) -> Result<Vec<Verdict>, RepoError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let odd = files.iter().find(|(entry, _)| {
        let path = Path::new(OsStr::from_bytes(&entry.path));
        !are_plain(&repo.top, path, ".gitattributes")
    });
    if let Some((entry, _)) = odd {
        let why = format!(
            "{}: a .gitattributes above it is no regular file",
            entry.shown()
        );
        return Ok(vec![Verdict::Unseen(why); files.len()]);
    }
    let rules = CommittedAttributes::of(repo)?;
    let beside = with_heads_index(repo)?;
    let still_differ = differ_after_normalising(&beside, files)?;
    files
        .iter()
        .map(|(entry, on_disk)| {
            let path = Path::new(OsStr::from_bytes(&entry.path));
            let filter = beside
                .get_attr(path, "filter", AttrCheckFlags::FILE_THEN_INDEX)
                .map_err(RepoError::git("read the attributes"))?
                .map(str::to_owned);
            if filter.as_deref() == Some("lfs") {
                return lfs(repo, entry, on_disk);
            }
            // A filter that is only configured on this machine excuses nothing, and one that is
            // only committed does nothing, in git either.
            let driver = rules.value(path, "filter");
            if let Some(name) = driver.filter(|name| is_configured(repo, name)) {
                return Ok(Verdict::Unseen(format!(
                    "{} passes through filter {name:?}, which is not run here",
                    entry.shown()
                )));
            }
            if let Some(name) = rules.value(path, "working-tree-encoding") {
                let line_ends = ["text", "eol"]
                    .iter()
                    .any(|rule| rules.value(path, rule).is_some());
                return encoding::judge(repo, entry, on_disk, &name, line_ends);
            }
            Ok(if still_differ.contains(&entry.path) {
                Verdict::Differs
            } else {
                Verdict::SameAfterNormalising
            })
        })
        .collect()
}

/// Whether the configuration gives the filter a command that git would run when it adds a file.
fn is_configured(repo: &Repo, filter: &str) -> bool {
    let Ok(config) = repo.git.config() else {
        return true;
    };
    ["clean", "process"]
        .iter()
        .any(|what| config.get_entry(&format!("filter.{filter}.{what}")).is_ok())
}

/// The repository opened once more, with HEAD's files as its index: neither the format nor the
/// content of the index on disk can then change what line-end rules say.
fn with_heads_index(repo: &Repo) -> Result<Repository, RepoError> {
    let beside = Repository::open(&repo.top).map_err(RepoError::git("open the repository"))?;
    let mut index = index_of(&beside, repo.tree)?;
    beside
        .set_index(&mut index)
        .map_err(RepoError::git("use HEAD's index"))?;
    Ok(beside)
}

/// libgit2 compares these paths with HEAD's index, applying line-end and ident rules.
fn differ_after_normalising(
    beside: &Repository,
    files: &[(&Entry, PathBuf)],
) -> Result<BTreeSet<Vec<u8>>, RepoError> {
    let mut options = DiffOptions::new();
    options
        .disable_pathspec_match(true)
        .ignore_submodules(true)
        .include_untracked(false);
    for (entry, _) in files {
        options.pathspec(OsStr::from_bytes(&entry.path));
    }
    let diff = beside
        .diff_index_to_workdir(None, Some(&mut options))
        .map_err(RepoError::git("compare the disk with HEAD"))?;
    Ok(diff
        .deltas()
        .flat_map(|delta| {
            [delta.old_file().path_bytes(), delta.new_file().path_bytes()]
                .into_iter()
                .flatten()
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect())
}

/// The sha256 (hex) and size that a Git LFS pointer stands for.
pub(super) fn lfs_pointer(content: &[u8]) -> Option<(String, u64)> {
    /// The specification's bound on a pointer file.
    const POINTER_BYTES_MAX: usize = 1024;
    if content.len() > POINTER_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(content).ok()?;
    let mut lines = text.lines();
    if lines.next()? != "version https://git-lfs.github.com/spec/v1" {
        return None;
    }
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    Some((
        field("oid sha256:")?.to_owned(),
        field("size ")?.parse().ok()?,
    ))
}

fn lfs(repo: &Repo, entry: &Entry, on_disk: &Path) -> Result<Verdict, RepoError> {
    let blob = repo
        .git
        .find_blob(entry.id)
        .map_err(RepoError::git("read HEAD"))?;
    let Some((wanted, size)) = lfs_pointer(blob.content()) else {
        return Ok(Verdict::Differs);
    };
    let hash = || -> std::io::Result<(String, u64)> {
        let mut file = std::fs::File::open(on_disk)?;
        let (mut hasher, mut total) = (Sha256::new(), 0_u64);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = file.read(&mut buffer)?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
                break;
            };
            hasher.update(read);
            total = total.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        }
        let digest = hasher.finalize();
        let mut hex = String::with_capacity(64);
        for byte in digest {
            // Writing into a String cannot fail.
            write!(hex, "{byte:02x}").ok();
        }
        Ok((hex, total))
    };
    Ok(match hash() {
        Ok(seen) if seen == (wanted, size) => Verdict::SameThroughLfs,
        Ok(_) => Verdict::Differs,
        Err(error) => Verdict::Unseen(format!("{}: {error}", entry.shown())),
    })
}
