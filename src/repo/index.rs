//! The repository's own index: what is staged, what is unmerged, which entries carry a bit that hides
//! edits.
//!
//! Only compared with HEAD and asked for bits; never used to find out what the disk holds. An index
//! format that libgit2 cannot read (split, sparse) is read through the git command.

use super::head::{Entry, shown};
use super::{Repo, ls_remote};
use git2::Oid;
use launch_checks::{Difference, DifferenceKind};
use std::collections::BTreeMap;

/// Bits of an index entry's flags (git's index format): assume-unchanged, and the merge stage.
const FLAG_ASSUME_UNCHANGED: u16 = 0x8000;
const FLAG_STAGE_MASK: u16 = 0x3000;
/// Bits of the extended flags: skip-worktree and intent-to-add.
const FLAG_SKIP_WORKTREE: u16 = 1 << 14;
const FLAG_INTENT_TO_ADD: u16 = 1 << 13;

/// One path in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a bit of git's index entry and independent of the others"
)]
struct Staged {
    mode: u32,
    id: Oid,
    unmerged: bool,
    intent_to_add: bool,
    assume_unchanged: bool,
    skip_worktree: bool,
}

/// The index as it is on disk.
#[derive(Debug, Default)]
pub(super) struct IndexView {
    staged: BTreeMap<Vec<u8>, Staged>,
}

impl IndexView {
    /// Reads the index, or says why it cannot be read.
    pub(super) fn read(repo: &Repo) -> Result<Self, String> {
        let by_library = repo.git.index().and_then(|mut index| {
            index.read(true)?;
            Ok(index)
        });
        match by_library {
            Ok(index) => Ok(Self {
                staged: index
                    .iter()
                    .map(|entry| {
                        let staged = Staged {
                            mode: entry.mode,
                            id: entry.id,
                            unmerged: entry.flags & FLAG_STAGE_MASK != 0,
                            intent_to_add: entry.flags_extended & FLAG_INTENT_TO_ADD != 0,
                            assume_unchanged: entry.flags & FLAG_ASSUME_UNCHANGED != 0,
                            skip_worktree: entry.flags_extended & FLAG_SKIP_WORKTREE != 0,
                        };
                        (entry.path, staged)
                    })
                    .collect(),
            }),
            Err(error) => by_command(repo)
                .map_err(|why| format!("the index cannot be read: {} ({why})", error.message())),
        }
    }

    /// Whether the path is in the index at all.
    pub(super) fn holds(&self, path: &[u8]) -> bool {
        self.staged.contains_key(path)
    }

    /// Whether the path is marked to be absent from the disk.
    pub(super) fn skips(&self, path: &[u8]) -> bool {
        self.staged
            .get(path)
            .is_some_and(|staged| staged.skip_worktree)
    }

    /// Which bit hides edits of the path from `git status`, with the command that clears it.
    pub(super) fn hiding(&self, path: &[u8]) -> Option<&'static str> {
        let staged = self.staged.get(path)?;
        if staged.assume_unchanged {
            Some("hidden by assume-unchanged: git update-index --no-assume-unchanged")
        } else if staged.skip_worktree {
            Some("hidden by skip-worktree: git update-index --no-skip-worktree")
        } else {
            None
        }
    }

    /// Everything in which the index is not HEAD.
    pub(super) fn differences(&self, head: &[Entry]) -> Vec<Difference> {
        let difference = |kind, path: &[u8], detail: &str| Difference {
            kind,
            path: shown(path),
            detail: detail.to_owned(),
        };
        let mut found = Vec::new();
        for (path, staged) in &self.staged {
            let in_head = head
                .binary_search_by(|entry| entry.path.as_slice().cmp(path))
                .ok()
                .and_then(|at| head.get(at));
            let staged_as = |detail| difference(DifferenceKind::Staged, path, detail);
            found.extend(match in_head {
                _ if staged.unmerged => Some(difference(DifferenceKind::Conflict, path, "")),
                None if staged.intent_to_add => Some(staged_as("intent to add")),
                None => Some(staged_as("new file")),
                Some(entry) if entry.id != staged.id => Some(staged_as("content")),
                Some(entry) if entry.mode != staged.mode => Some(staged_as("mode")),
                Some(_) => None,
            });
        }
        let removed = head.iter().filter(|entry| !self.holds(&entry.path));
        found.extend(
            removed.map(|entry| difference(DifferenceKind::Staged, &entry.path, "removal")),
        );
        found
    }
}

/// `git ls-files`: tag, mode, id, stage and path of every entry. Its tags: `S` skip-worktree, lower
/// case assume-unchanged.
fn by_command(repo: &Repo) -> Result<IndexView, String> {
    let output = ls_remote::git(
        &repo.top,
        None,
        &["ls-files", "--stage", "-v", "-z"],
        ls_remote::deadline(),
    )
    .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(output.stderr_tail(1).concat());
    }
    let mut view = IndexView::default();
    for record in output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|record| !record.is_empty())
    {
        let (path, staged) =
            parse(record).ok_or_else(|| format!("git ls-files printed {:?}", shown(record)))?;
        view.staged.insert(path, staged);
    }
    Ok(view)
}

fn parse(record: &[u8]) -> Option<(Vec<u8>, Staged)> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let (before, path) = (record.get(..tab)?, record.get(tab + 1..)?);
    let mut fields = std::str::from_utf8(before).ok()?.split(' ');
    let (tag, mode, id, stage) = (
        fields.next()?,
        fields.next()?,
        fields.next()?,
        fields.next()?,
    );
    let staged = Staged {
        mode: u32::from_str_radix(mode, 8).ok()?,
        id: Oid::from_str(id).ok()?,
        unmerged: stage != "0",
        intent_to_add: false,
        assume_unchanged: tag.bytes().all(|byte| byte.is_ascii_lowercase()),
        skip_worktree: tag.eq_ignore_ascii_case("S"),
    };
    Some((path.to_vec(), staged))
}
