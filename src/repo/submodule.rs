//! Submodules: present, at the commit that HEAD names, and unchanged inside.
//!
//! Each one is opened as a repository of its own and compared in full; settings that make git look away
//! (`diff.ignoreSubmodules`) play no part.

use super::head::Entry;
use super::{Repo, RepoError, work_tree};
use launch_checks::{Difference, DifferenceKind};
use std::path::Path;

pub(super) fn compare(
    entry: &Entry,
    dir: &Path,
    depth: usize,
    differences: &mut Vec<Difference>,
    unseen: &mut Vec<String>,
) {
    let path = entry.shown();
    let mut differ = |path: String, detail: String| {
        differences.push(Difference {
            kind: DifferenceKind::Submodule,
            path,
            detail,
        });
    };
    if dir.join(".git").symlink_metadata().is_err() {
        differ(path, "not checked out".to_owned());
        return;
    }
    let Some(depth) = depth.checked_sub(1) else {
        unseen.push(format!(
            "{path}: more than {} levels of submodules",
            work_tree::SUBMODULE_DEPTH_MAX
        ));
        return;
    };
    let inner = match Repo::exactly_at(dir) {
        Ok(inner) => inner,
        Err(RepoError::Unborn) => {
            differ(path, "has no commit".to_owned());
            return;
        }
        Err(error) => {
            unseen.push(format!("submodule {path}: {error}"));
            return;
        }
    };
    if inner.commit != entry.id {
        differ(
            path,
            format!("at {}, HEAD wants {}", inner.commit, entry.id),
        );
        return;
    }
    match work_tree::compare_to_depth(&inner, depth) {
        Ok(facts) => {
            for inside in facts.differences {
                let detail = [inside.kind.word(), &inside.detail]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join(": ");
                differ(join(&path, &inside.path), detail);
            }
            if facts.more > 0 {
                differ(
                    path.clone(),
                    format!("{} more differences inside", facts.more),
                );
            }
            unseen.extend(
                facts
                    .unseen
                    .into_iter()
                    .map(|why| format!("submodule {path}: {why}")),
            );
        }
        Err(error) => unseen.push(format!("submodule {path}: {error}")),
    }
}

fn join(path: &str, inside: &str) -> String {
    if inside.is_empty() {
        path.to_owned()
    } else {
        format!("{path}/{inside}")
    }
}
