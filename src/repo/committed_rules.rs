//! The ignore and attribute rules that HEAD carries, and only those.
//!
//! Read from the blobs of HEAD, so neither `.git/info/exclude` nor `core.excludesFile` nor an
//! uncommitted `.gitignore` can hide a file.

use super::export::is_plain;
use super::patterns::Patterns;
use super::{Repo, RepoError};
use git2::{AttrCheckFlags, Repository, RepositoryInitOptions};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tempfile::TempDir;

/// The committed ignore rules, ready to be asked.
pub(super) struct CommittedRules {
    /// Directory (no slash at its end, empty for the top) → the patterns of its `.gitignore`.
    by_dir: BTreeMap<Vec<u8>, Patterns>,
}

impl CommittedRules {
    pub(super) fn of(repo: &Repo) -> Result<Self, RepoError> {
        let mut by_dir = BTreeMap::new();
        for (dir, entry) in rule_files(repo, b".gitignore") {
            let blob = repo
                .git
                .find_blob(entry.id)
                .map_err(RepoError::git("read HEAD's ignore rules"))?;
            let patterns = Patterns::parse(blob.content());
            if !patterns.is_empty() {
                by_dir.insert(dir.to_vec(), patterns);
            }
        }
        Ok(Self { by_dir })
    }

    /// Whether a committed rule ignores the path or a directory above it. A file in an ignored
    /// directory cannot be taken back, as in git.
    pub(super) fn ignore(&self, path: &[u8], is_dir: bool) -> bool {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        for (slash, _) in slashes {
            let above = path.get(..slash).unwrap_or_default();
            if self.decide(above, true) == Some(true) {
                return true;
            }
        }
        self.decide(path, is_dir) == Some(true)
    }

    /// What the nearest rule file that says anything says about this very path.
    fn decide(&self, path: &[u8], is_dir: bool) -> Option<bool> {
        let mut dir = path;
        loop {
            dir = parent(dir)?;
            let below = if dir.is_empty() { 0 } else { dir.len() + 1 };
            let relative = path.get(below..).unwrap_or_default();
            let said = self
                .by_dir
                .get(dir)
                .and_then(|patterns| patterns.last_match(relative, is_dir));
            if said.is_some() || dir.is_empty() {
                return said;
            }
        }
    }
}

/// The directory that holds a path; the empty path is the top and has none.
pub(super) fn parent(path: &[u8]) -> Option<&[u8]> {
    if path.is_empty() {
        return None;
    }
    let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    path.get(..slash)
}

/// Regular files of HEAD with this name, with their directories. A rule file that is a symbolic link
/// has no effect in git either.
fn rule_files<'a>(
    repo: &'a Repo,
    name: &'a [u8],
) -> impl Iterator<Item = (&'a [u8], &'a super::Entry)> {
    repo.entries.iter().filter_map(move |entry| {
        let dir = parent(&entry.path)?;
        let below = if dir.is_empty() { 0 } else { dir.len() + 1 };
        (entry.is_file() && entry.path.get(below..) == Some(name)).then_some((dir, entry))
    })
}

/// The committed attribute rules, laid out in an empty scratch repository which is then asked.
pub(super) struct CommittedAttributes {
    scratch: Repository,
    // Removed when dropped; the repository above lives in it.
    _dir: TempDir,
}

impl CommittedAttributes {
    pub(super) fn of(repo: &Repo) -> Result<Self, RepoError> {
        let (scratch, dir) = scratch()?;
        for (_, entry) in rule_files(repo, b".gitattributes") {
            let relative = Path::new(OsStr::from_bytes(&entry.path));
            // A tree made by hand may name places outside of it.
            if !is_plain(relative) {
                continue;
            }
            let blob = repo
                .git
                .find_blob(entry.id)
                .map_err(RepoError::git("read HEAD's attributes"))?;
            let to = dir.path().join(relative);
            let write = || {
                to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(&to, blob.content())
            };
            write().map_err(RepoError::io("lay out HEAD's attributes"))?;
        }
        Ok(Self { scratch, _dir: dir })
    }

    /// The value of an attribute.
    pub(super) fn value(&self, path: &Path, name: &str) -> Option<String> {
        let flags = AttrCheckFlags::FILE_THEN_INDEX | AttrCheckFlags::NO_SYSTEM;
        self.scratch
            .get_attr(path, name, flags)
            .ok()
            .flatten()
            .map(str::to_owned)
    }
}

/// An empty repository in a temporary directory, with the user's own rules switched off.
fn scratch() -> Result<(Repository, TempDir), RepoError> {
    let dir = TempDir::new().map_err(RepoError::io("make a temporary directory"))?;
    let mut options = RepositoryInitOptions::new();
    options.external_template(false);
    let scratch = Repository::init_opts(dir.path(), &options)
        .map_err(RepoError::git("make a scratch repository"))?;
    let mut config = scratch
        .config()
        .map_err(RepoError::git("read its configuration"))?;
    for key in ["core.excludesFile", "core.attributesFile"] {
        config
            .set_str(key, "/dev/null")
            .map_err(RepoError::git("write its configuration"))?;
    }
    config
        .set_bool("core.ignoreCase", false)
        .map_err(RepoError::git("write its configuration"))?;
    drop(config);
    // Opened anew, so that nothing read before the configuration was written stays cached.
    let scratch =
        Repository::open(dir.path()).map_err(RepoError::git("open a scratch repository"))?;
    Ok((scratch, dir))
}
