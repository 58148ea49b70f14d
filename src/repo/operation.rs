//! Half-done git operations and another git at work.
//!
//! Markers are looked for in the work tree's own git directory, which a linked work tree has apart from
//! the main one.

use super::Repo;
use git2::RepositoryState;
use launch_checks::{Difference, DifferenceKind};

/// Marker files of an operation that stopped in the middle, with its name: what libgit2's state does
/// not tell.
const MARKERS: [(&str, &str); 9] = [
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("BISECT_LOG", "bisect"),
    ("BISECT_START", "bisect"),
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase or am"),
    ("sequencer", "cherry-pick or revert sequence"),
    ("NOTES_MERGE_WORKTREE", "notes merge"),
];

/// Locks that another git holds while it works.
const LOCKS: [&str; 2] = ["index.lock", "HEAD.lock"];

/// Operations in progress, each once.
pub(super) fn in_progress(repo: &Repo) -> Vec<Difference> {
    let mut names: Vec<&str> = MARKERS
        .iter()
        .filter(|(file, _)| repo.git.path().join(file).symlink_metadata().is_ok())
        .map(|(_, name)| *name)
        .collect();
    names.dedup();
    if names.is_empty() && repo.git.state() != RepositoryState::Clean {
        names.push("an operation that this version does not know");
    }
    names
        .into_iter()
        .map(|name| Difference {
            kind: DifferenceKind::Operation,
            path: String::new(),
            detail: name.to_owned(),
        })
        .collect()
}

/// Locks that are held right now.
pub(super) fn other_git(repo: &Repo) -> Vec<String> {
    LOCKS
        .iter()
        .map(|name| repo.git.path().join(name))
        .filter(|lock| lock.symlink_metadata().is_ok())
        .map(|lock| {
            format!(
                "another git is at work, or one crashed ({} exists)",
                lock.display()
            )
        })
        .collect()
}
