//! Walks the disk once and sorts what is there: files of HEAD to compare, and everything else.
//!
//! Follows no symbolic link, so it is finite; directories that a committed rule ignores are not entered
//! unless HEAD has files in them.

use super::Repo;
use super::committed_rules::CommittedRules;
use super::head::{Entry, shown};
use super::index::IndexView;
use launch_checks::{Difference, DifferenceKind};
use std::collections::BTreeSet;
use std::fs::{DirEntry, FileType};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Most directory entries that are looked at before the walk gives up (and says so).
const ENTRIES_MAX: usize = 5_000_000;

/// What the walk found.
#[derive(Default)]
pub(super) struct Walked<'a> {
    /// Regular files of HEAD that are regular files on disk: to be hashed.
    pub(super) to_hash: Vec<(&'a Entry, PathBuf)>,
    /// Submodules of HEAD that have a directory on disk.
    pub(super) submodules: Vec<(&'a Entry, PathBuf)>,
    /// Entries of HEAD for which something of the right kind, or of another, is on disk.
    pub(super) seen: BTreeSet<&'a [u8]>,
    /// What is not as HEAD says.
    pub(super) differences: Vec<Difference>,
    /// What could not be looked at.
    pub(super) unseen: Vec<String>,
    /// Symbolic links of HEAD that are equal.
    pub(super) equal_links: usize,
}

/// Whether git takes a `.git` for a repository: a directory with a HEAD, or a file that names one. Git
/// looks past anything else of that name, an empty directory say.
fn is_repository(dot_git: &Path) -> bool {
    /// How a file begins that stands for a repository elsewhere.
    const POINTS: &[u8] = b"gitdir:";
    match std::fs::metadata(dot_git) {
        Ok(found) if found.is_dir() => dot_git.join("HEAD").symlink_metadata().is_ok(),
        Ok(found) if found.is_file() => {
            let mut start = [0; POINTS.len()];
            std::fs::File::open(dot_git)
                .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start))
                .is_ok_and(|()| start == POINTS)
        }
        // A pipe, or a link to nowhere.
        Ok(_) => false,
        // What cannot be looked at may be one.
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// Whether `git status` would hide the path, by any rule, committed or not. Only names what was found
/// and decides nothing.
pub(super) fn git_ignores(repo: &Repo, path: &[u8]) -> bool {
    let relative = Path::new(std::ffi::OsStr::from_bytes(path));
    are_plain(&repo.top, relative, ".gitignore")
        && repo.git.is_path_ignored(relative).unwrap_or(false)
}

/// Whether every rule file of this name from the top down to the path is a regular file or absent:
/// libgit2 would open a pipe and wait for ever.
pub(super) fn are_plain(top: &Path, relative: &Path, name: &str) -> bool {
    relative.ancestors().skip(1).all(|dir| {
        std::fs::metadata(top.join(dir).join(name)).map_or(true, |found| found.is_file())
    })
}

pub(super) struct Walk<'a> {
    repo: &'a Repo,
    rules: &'a CommittedRules,
    index: &'a IndexView,
    plain_links: bool,
    looked_at: usize,
    out: Walked<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(repo: &'a Repo, rules: &'a CommittedRules, index: &'a IndexView) -> Self {
        // With core.symlinks = false git checks links out as files that hold their target.
        let plain_links = repo
            .git
            .config()
            .and_then(|config| config.get_bool("core.symlinks"))
            .is_ok_and(|symlinks| !symlinks);
        Self {
            repo,
            rules,
            index,
            plain_links,
            looked_at: 0,
            out: Walked::default(),
        }
    }

    pub(super) fn run(mut self) -> Walked<'a> {
        let mut open = vec![(self.repo.top.clone(), Vec::new())];
        while let Some((dir, at)) = open.pop() {
            let listed = std::fs::read_dir(&dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let mut listed = match listed {
                Ok(listed) => listed,
                Err(error) => {
                    self.out.unseen.push(format!("{}: {error}", dir.display()));
                    continue;
                }
            };
            listed.sort_by_key(DirEntry::file_name);
            self.looked_at += listed.len();
            if self.looked_at > ENTRIES_MAX {
                self.out
                    .unseen
                    .push(format!("more than {ENTRIES_MAX} entries on disk"));
                break;
            }
            for entry in listed {
                if let Some(inner) = self.look(&entry, &at) {
                    open.push((entry.path(), inner));
                }
            }
        }
        self.out
    }

    /// Looks at one entry; returns its path when it is a directory to enter.
    fn look(&mut self, entry: &DirEntry, at: &[u8]) -> Option<Vec<u8>> {
        let name = entry.file_name();
        if name == ".git" {
            if !at.is_empty() && !self.is_submodule(at) && is_repository(&entry.path()) {
                self.differ(DifferenceKind::EmbeddedRepo, at, "");
            }
            return None;
        }
        let mut path = at.to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                self.out.unseen.push(format!("{}: {error}", shown(&path)));
                return None;
            }
        };
        if let Some(head) = self.repo.entry(&path) {
            return self.tracked(head, entry, kind, path);
        }
        if self.repo.is_dir_of_head(&path) {
            if kind.is_dir() {
                return Some(path);
            }
            self.differ(DifferenceKind::TypeChanged, &path, "HEAD has a directory");
            return None;
        }
        self.untracked(entry, kind, path)
    }

    /// A path that HEAD has.
    fn tracked(
        &mut self,
        head: &'a Entry,
        entry: &DirEntry,
        kind: FileType,
        path: Vec<u8>,
    ) -> Option<Vec<u8>> {
        self.out.seen.insert(&head.path);
        if head.is_submodule() {
            if kind.is_dir() {
                self.out.submodules.push((head, entry.path()));
            } else {
                self.differ(DifferenceKind::TypeChanged, &path, "HEAD has a submodule");
            }
            return None;
        }
        if kind.is_dir() {
            self.differ(
                DifferenceKind::TypeChanged,
                &path,
                "HEAD has a file, the disk a directory",
            );
            return Some(path);
        }
        if head.is_link() {
            self.link(head, entry, kind);
        } else if kind.is_file() {
            self.mode(head, entry);
            self.out.to_hash.push((head, entry.path()));
        } else {
            let what = if kind.is_symlink() {
                "a symbolic link"
            } else {
                "a special file"
            };
            self.differ(
                DifferenceKind::TypeChanged,
                &path,
                &format!("HEAD has a file, the disk {what}"),
            );
        }
        None
    }

    fn mode(&mut self, head: &Entry, entry: &DirEntry) {
        /// The owner's executable bit: the only one that git keeps.
        const OWNER_EXECUTES: u32 = 0o100;
        match entry.metadata() {
            Ok(metadata) => {
                let executable = metadata.permissions().mode() & OWNER_EXECUTES != 0;
                if executable != head.is_executable() {
                    let detail = if executable {
                        "executable on disk, not in HEAD"
                    } else {
                        "executable in HEAD, not on disk"
                    };
                    self.differ(DifferenceKind::ModeChanged, &head.path, detail);
                }
            }
            Err(error) => self.out.unseen.push(format!("{}: {error}", head.shown())),
        }
    }

    fn link(&mut self, head: &Entry, entry: &DirEntry, kind: FileType) {
        let target = if kind.is_symlink() {
            std::fs::read_link(entry.path()).map(|target| target.into_os_string().into_vec())
        } else if kind.is_file() && self.plain_links {
            std::fs::read(entry.path())
        } else {
            self.differ(
                DifferenceKind::TypeChanged,
                &head.path,
                "HEAD has a symbolic link",
            );
            return;
        };
        let id = target
            .map_err(|error| error.to_string())
            .and_then(|target| {
                git2::Oid::hash_object(git2::ObjectType::Blob, &target)
                    .map_err(|error| error.message().to_owned())
            });
        match id {
            Ok(id) if id == head.id => self.out.equal_links += 1,
            Ok(_) => self.differ(DifferenceKind::Modified, &head.path, "its target"),
            Err(error) => self.out.unseen.push(format!("{}: {error}", head.shown())),
        }
    }

    /// A path that HEAD does not have.
    fn untracked(&mut self, entry: &DirEntry, kind: FileType, path: Vec<u8>) -> Option<Vec<u8>> {
        if self.rules.ignore(&path, kind.is_dir()) && !self.index.holds(&path) {
            return None;
        }
        if kind.is_dir() {
            if is_repository(&entry.path().join(".git")) {
                self.differ(
                    DifferenceKind::EmbeddedRepo,
                    &path,
                    "its files are in no commit here",
                );
                return None;
            }
            return Some(path);
        }
        // git keeps neither sockets nor pipes nor devices.
        if !(kind.is_file() || kind.is_symlink()) {
            return None;
        }
        // What is staged is told once, as staged.
        if !self.index.holds(&path) {
            if git_ignores(self.repo, &path) {
                self.differ(
                    DifferenceKind::Hidden,
                    &path,
                    "by a rule that is not committed",
                );
            } else {
                self.differ(DifferenceKind::Untracked, &path, "");
            }
        }
        None
    }

    fn is_submodule(&self, path: &[u8]) -> bool {
        self.repo.entry(path).is_some_and(Entry::is_submodule)
    }

    fn differ(&mut self, kind: DifferenceKind, path: &[u8], detail: &str) {
        self.out.differences.push(Difference {
            kind,
            path: shown(path),
            detail: detail.to_owned(),
        });
    }
}
