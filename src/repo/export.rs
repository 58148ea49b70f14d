//! Writes the files of HEAD into a directory: the bytes that are committed, and nothing else.
//!
//! No filter, no line-end rule, no hook takes part, so what runs from the export is what the platform
//! gets. A path or link that would lead out of the directory is refused before anything is written.

use super::head::Entry;
use super::{Repo, RepoError};
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path};

pub(super) fn write(repo: &Repo, dir: &Path) -> Result<(), RepoError> {
    for entry in &repo.entries {
        if !is_plain(path_of(entry)) {
            return Err(refuse(entry, "its path leads out of the export"));
        }
    }
    let put = RepoError::io("write the export");
    for entry in &repo.entries {
        let to = dir.join(path_of(entry));
        if entry.is_submodule() {
            std::fs::create_dir_all(&to).map_err(&put)?;
            continue;
        }
        to.parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .map_err(&put)?;
        if entry.is_link() {
            continue;
        }
        let blob = repo
            .git
            .find_blob(entry.id)
            .map_err(RepoError::git("read HEAD"))?;
        let mode = if entry.is_executable() { 0o755 } else { 0o644 };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        options
            .open(&to)
            .and_then(|mut file| file.write_all(blob.content()))
            .map_err(&put)?;
    }
    // Links come last, so that no file can be written through one.
    for entry in repo.entries.iter().filter(|entry| entry.is_link()) {
        let blob = repo
            .git
            .find_blob(entry.id)
            .map_err(RepoError::git("read HEAD"))?;
        let target = Path::new(OsStr::from_bytes(blob.content()));
        if !stays_inside(path_of(entry), target) {
            return Err(refuse(entry, "its link leads out of the export"));
        }
        std::os::unix::fs::symlink(target, dir.join(path_of(entry))).map_err(&put)?;
    }
    Ok(())
}

fn path_of(entry: &Entry) -> &Path {
    Path::new(OsStr::from_bytes(&entry.path))
}

fn refuse(entry: &Entry, why: &str) -> RepoError {
    RepoError::Git {
        doing: "export HEAD",
        detail: format!("{}: {why}", entry.shown()),
    }
}

/// Only plain parts, none of them `.git`: a tree made by hand can hold anything.
pub(super) fn is_plain(path: &Path) -> bool {
    path.components().all(|part| match part {
        Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            false
        }
    })
}

/// Whether a link at `path` that says `target` stays inside, part by part.
fn stays_inside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            Component::Prefix(_) | Component::RootDir => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside_or_are_refused() {
        let stays = |path: &str, target: &str| stays_inside(Path::new(path), Path::new(target));
        assert!(stays("a/b", "../c"));
        assert!(stays("a", "b/../c"));
        assert!(!stays("a", "../c"));
        assert!(!stays("a/b", "../../c"));
        assert!(!stays("a/b", "/etc/passwd"));
        assert!(!stays("a/b", "c/../../../d"));
    }

    #[test]
    fn only_plain_paths_are_written() {
        for bad in ["../a", "/a", "a/../../b", ".git/config", "a/.GIT/hooks/x"] {
            assert!(!is_plain(Path::new(bad)), "{bad}");
        }
        assert!(is_plain(Path::new("a/.gitignore")));
    }
}
