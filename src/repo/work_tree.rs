//! Puts together everything that can make the disk differ from HEAD.
//!
//! Operations in progress, index against HEAD, disk against HEAD (every file hashed), submodules. The
//! order of the differences is the order in which they must be dealt with.

use super::committed_rules::CommittedRules;
use super::content::{self, Verdict};
use super::index::IndexView;
use super::sparse::Sparse;
use super::walk::{Walk, Walked};
use super::{Repo, RepoError, operation, submodule};
use launch_checks::{Difference, DifferenceKind, TreeFacts};
use std::path::PathBuf;

/// Most differences that are kept; the rest is counted.
const DIFFERENCES_MAX: usize = 200;

/// Submodules in submodules, levels deep, that are looked into.
pub(super) const SUBMODULE_DEPTH_MAX: usize = 8;

pub(super) fn compare(repo: &Repo) -> Result<TreeFacts, RepoError> {
    compare_to_depth(repo, SUBMODULE_DEPTH_MAX)
}

pub(super) fn compare_to_depth(repo: &Repo, depth: usize) -> Result<TreeFacts, RepoError> {
    let mut facts = TreeFacts {
        commit: repo.commit(),
        tree: repo.tree(),
        branch: repo.branch.clone(),
        unseen: operation::other_git(repo),
        notes: notes(repo),
        ..TreeFacts::default()
    };
    let mut differences = operation::in_progress(repo);
    let index = match IndexView::read(repo) {
        Ok(index) => {
            differences.extend(index.differences(&repo.entries));
            index
        }
        Err(why) => {
            facts.unseen.push(why);
            IndexView::default()
        }
    };
    let rules = CommittedRules::of(repo)?;
    let mut walked = Walk::new(repo, &rules, &index).run();
    differences.append(&mut walked.differences);
    facts.unseen.append(&mut walked.unseen);
    differences.extend(missing(repo, &index, &walked, &mut facts)?);
    facts.compared = walked.equal_links + walked.to_hash.len();
    differences.extend(contents(repo, &index, &walked.to_hash, &mut facts)?);
    for (entry, dir) in &walked.submodules {
        submodule::compare(entry, dir, depth, &mut differences, &mut facts.unseen);
    }

    differences.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    facts.more = differences.len().saturating_sub(DIFFERENCES_MAX);
    differences.truncate(DIFFERENCES_MAX);
    facts.differences = differences;
    Ok(facts)
}

/// Files of HEAD that are not on disk, apart from those that a sparse checkout leaves out.
fn missing(
    repo: &Repo,
    index: &IndexView,
    walked: &Walked<'_>,
    facts: &mut TreeFacts,
) -> Result<Vec<Difference>, RepoError> {
    let sparse = Sparse::of(repo)?;
    let mut left_out = 0_usize;
    let mut missing = Vec::new();
    for entry in repo
        .entries
        .iter()
        .filter(|entry| !walked.seen.contains(entry.path.as_slice()))
    {
        let meant = match &sparse {
            Some(sparse) if index.skips(&entry.path) => sparse.leaves_out(&entry.path),
            _ => false,
        };
        if meant {
            left_out += 1;
        } else {
            missing.push(Difference {
                kind: DifferenceKind::Missing,
                path: entry.shown(),
                detail: index.hiding(&entry.path).unwrap_or_default().to_owned(),
            });
        }
    }
    if left_out > 0 {
        facts.notes.push(format!(
            "{left_out} files of HEAD are left out by the sparse checkout"
        ));
    }
    Ok(missing)
}

/// Hashes every file that is on both sides.
fn contents(
    repo: &Repo,
    index: &IndexView,
    files: &[(&super::Entry, PathBuf)],
    facts: &mut TreeFacts,
) -> Result<Vec<Difference>, RepoError> {
    let paths: Vec<PathBuf> = files.iter().map(|(_, path)| path.clone()).collect();
    let mut differ = Vec::new();
    for ((entry, path), id) in files.iter().zip(content::hash_all(&paths)) {
        match id {
            Ok(id) if id == entry.id => {}
            Ok(_) => differ.push((*entry, path.clone())),
            Err(why) => facts.unseen.push(format!("{}: {why}", entry.shown())),
        }
    }
    let mut normalised = 0_usize;
    let mut through_lfs = 0_usize;
    let mut differences = Vec::new();
    for ((entry, _), verdict) in differ.iter().zip(content::judge(repo, &differ)?) {
        match verdict {
            Verdict::SameAfterNormalising => normalised += 1,
            Verdict::SameThroughLfs => through_lfs += 1,
            Verdict::Unseen(why) => facts.unseen.push(why),
            Verdict::Differs => differences.push(Difference {
                kind: DifferenceKind::Modified,
                path: entry.shown(),
                detail: index.hiding(&entry.path).unwrap_or_default().to_owned(),
            }),
        }
    }
    if normalised > 0 {
        facts.notes.push(format!(
            "{normalised} files have other line ends on disk than in HEAD"
        ));
    }
    if through_lfs > 0 {
        facts
            .notes
            .push(format!("{through_lfs} files are Git LFS pointers in HEAD"));
    }
    Ok(differences)
}

/// Things worth knowing that are not wrong.
fn notes(repo: &Repo) -> Vec<String> {
    let mut notes = Vec::new();
    let stashes = repo.git.reflog("refs/stash").map_or(0, |log| log.len());
    if stashes > 0 {
        notes.push(format!("{stashes} stash entries are not part of HEAD"));
    }
    let replaced = repo
        .git
        .references_glob("refs/replace/*")
        .map_or(0, Iterator::count);
    if replaced > 0 {
        notes.push(format!(
            "{replaced} replace refs make other git commands show other content than HEAD's"
        ));
    }
    let mut steering: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| STEERING.contains(&name.as_str()))
        .collect();
    steering.sort_unstable();
    if !steering.is_empty() {
        notes.push(format!(
            "set in the environment and not obeyed: {}",
            steering.join(", ")
        ));
    }
    notes
}

/// Variables that would point git at another repository, index, object store or configuration.
const STEERING: [&str; 10] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_REPLACE_REF_BASE",
];
