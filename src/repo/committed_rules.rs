//! The ignore and attribute rules that HEAD carries, and only those.
//!
//! HEAD's `.gitignore` and `.gitattributes` files are laid out in an empty scratch repository, which
//! is then asked. So neither `.git/info/exclude` nor `core.excludesFile` nor an uncommitted
//! `.gitignore` can hide a file.

use super::{Repo, RepoError};
use git2::{AttrCheckFlags, Repository, RepositoryInitOptions};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tempfile::TempDir;

/// The committed rules, ready to be asked.
pub(super) struct CommittedRules {
    scratch: Repository,
    // Removed when dropped; the repository above lives in it.
    _dir: TempDir,
}

impl CommittedRules {
    pub(super) fn of(repo: &Repo) -> Result<Self, RepoError> {
        let (scratch, dir) = scratch()?;
        for entry in &repo.entries {
            let name = entry
                .path
                .rsplit(|byte| *byte == b'/')
                .next()
                .unwrap_or_default();
            // A rule file that is a symbolic link has no effect in git either.
            if !entry.is_file() || !matches!(name, b".gitignore" | b".gitattributes") {
                continue;
            }
            let blob = repo
                .git
                .find_blob(entry.id)
                .map_err(RepoError::git("read HEAD's rules"))?;
            let to = dir.path().join(OsStr::from_bytes(&entry.path));
            let write = || {
                to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                std::fs::write(&to, blob.content())
            };
            write().map_err(RepoError::io("lay out HEAD's ignore rules"))?;
        }
        Ok(Self { scratch, _dir: dir })
    }

    /// Whether a committed rule ignores the path or a directory above it.
    pub(super) fn ignore(&self, path: &[u8], is_dir: bool) -> Result<bool, RepoError> {
        ignored(&self.scratch, path, is_dir)
    }

    /// The value of an attribute, from committed rules.
    pub(super) fn attribute(&self, path: &Path, name: &str) -> Option<String> {
        let flags = AttrCheckFlags::FILE_THEN_INDEX | AttrCheckFlags::NO_SYSTEM;
        self.scratch
            .get_attr(path, name, flags)
            .ok()
            .flatten()
            .map(str::to_owned)
    }
}

/// An empty repository in a temporary directory, with the user's own rules switched off.
pub(super) fn scratch() -> Result<(Repository, TempDir), RepoError> {
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

/// Whether `scratch`'s rules ignore the path; a directory is told apart by its trailing slash.
pub(super) fn ignored(scratch: &Repository, path: &[u8], is_dir: bool) -> Result<bool, RepoError> {
    let mut path = path.to_vec();
    if is_dir {
        path.push(b'/');
    }
    scratch
        .is_path_ignored(Path::new(OsStr::from_bytes(&path)))
        .map_err(RepoError::git("apply HEAD's ignore rules"))
}
