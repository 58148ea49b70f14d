//! What the live deploy remote says about HEAD. Asked anew on every call; tracking refs are never
//! looked at.
//!
//! The remote is asked by its configured name, so that an address with a token in it never stands in
//! the process list.

use super::ls_remote::{self, Silence};
use super::{Repo, RepoError, url::without_credentials};
use git2::Oid;
use launch_checks::targets::Pushed;
use launch_checks::{LiveRemote, Missing, RemoteFacts, SubmodulePush};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Refs under which forges keep pull requests, merge results and merge queues.
const MERGE_REFS: [&str; 3] = [
    "refs/pull/*",
    "refs/heads/gh-readonly-queue/*",
    "refs/merge-requests/*",
];

/// Asks `remote` for the tip of `branch` and for what `pushed` needs beside it.
///
/// # Errors
/// The reason why nothing is known: git missing, no answer in time, access refused.
pub fn remote_facts(
    repo: &Repo,
    remote: &str,
    branch: &str,
    pushed: Pushed,
) -> Result<RemoteFacts, Missing> {
    let tag_ref = format!("refs/tags/{branch}");
    let facts = |live| RemoteFacts {
        head: repo.commit(),
        remote: remote.to_owned(),
        branch: branch.to_owned(),
        pushed,
        live,
        local_tag: repo.git.find_reference(&tag_ref).is_ok(),
        submodules: Vec::new(),
    };
    let Some(address) = address(repo, remote) else {
        return Ok(facts(LiveRemote::NotConfigured));
    };
    let url = without_credentials(&address);
    if is_itself(repo, &address) {
        return Ok(facts(LiveRemote::Itself { url }));
    }

    let branch_ref = format!("refs/heads/{branch}");
    let mut patterns = vec![branch_ref.as_str(), tag_ref.as_str()];
    if pushed == Pushed::Merge {
        patterns.extend(MERGE_REFS);
    }
    let until = ls_remote::deadline();
    let refs = ask(repo, remote, &patterns, until)?;
    let head = repo.commit();
    let tip = refs.get(&branch_ref).cloned();
    let merge_refs = refs
        .iter()
        .filter(|(name, id)| **id == head && is_merge_ref(name))
        .map(|(name, _)| name.clone())
        .collect();
    let tip_here = tip.as_deref().and_then(|tip| Oid::from_str(tip).ok());
    let mut facts = facts(LiveRemote::Answered {
        url,
        tag: refs.contains_key(&tag_ref),
        merge_refs,
        contains_tip: tip_here.and_then(|tip| contains(repo, tip)),
        ahead_behind: tip_here.and_then(|tip| ahead_behind(repo, tip)),
        tip,
    });
    facts.submodules = submodules(repo, &address, until);
    Ok(facts)
}

fn ask(
    repo: &Repo,
    remote: &str,
    patterns: &[&str],
    until: Instant,
) -> Result<BTreeMap<String, String>, Missing> {
    ls_remote::refs(
        &repo.top,
        ssh_command(repo).as_deref(),
        remote,
        patterns,
        until,
    )
    .map_err(|silence| {
        let help = match &silence {
            Silence::Child(crate::child::ChildError::NotFound { .. }) => "install git".to_owned(),
            Silence::Child(_) | Silence::Refused(_) => {
                format!("git ls-remote {remote} must answer without asking anything")
            }
        };
        Missing::new(silence.to_string()).help(help)
    })
}

/// The configured address that fetches use; `None` where there is no such remote.
fn address(repo: &Repo, remote: &str) -> Option<String> {
    let remote = repo.git.find_remote(remote).ok()?;
    let address = String::from_utf8_lossy(remote.url_bytes()).into_owned();
    (!address.is_empty()).then_some(address)
}

/// A remote that is this repository would call anything pushed.
fn is_itself(repo: &Repo, address: &str) -> bool {
    let path = address.strip_prefix("file://").unwrap_or(address);
    let path = repo.top.join(path);
    let Ok(ours) = repo.git.commondir().canonicalize() else {
        return false;
    };
    [path.clone(), path.join(".git")]
        .into_iter()
        .filter_map(|path| git2::Repository::open(path).ok())
        .any(|other| {
            other
                .commondir()
                .canonicalize()
                .is_ok_and(|theirs| theirs == ours)
        })
}

fn is_merge_ref(name: &str) -> bool {
    [
        "refs/pull/",
        "refs/heads/gh-readonly-queue/",
        "refs/merge-requests/",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

fn ssh_command(repo: &Repo) -> Option<String> {
    repo.git.config().ok()?.get_string("core.sshCommand").ok()
}

/// Whether history is cut, so that walking it proves nothing: a shallow clone, or grafts.
pub(super) fn history_is_cut(repo: &Repo) -> bool {
    repo.git.is_shallow() || repo.git.commondir().join("info/grafts").exists()
}

/// Whether HEAD contains `tip`. A direct parent is read from the commit itself, which no cut changes.
fn contains(repo: &Repo, tip: Oid) -> Option<bool> {
    if repo.commit == tip || has_parent(repo, tip) == Some(true) {
        return Some(true);
    }
    if history_is_cut(repo) || !repo.has_commit(tip) {
        return None;
    }
    repo.git.graph_descendant_of(repo.commit, tip).ok()
}

fn has_parent(repo: &Repo, parent: Oid) -> Option<bool> {
    let commit = repo.git.find_commit(repo.commit).ok()?;
    let line = format!("parent {parent}");
    let header = String::from_utf8_lossy(commit.raw_header_bytes()).into_owned();
    Some(header.lines().any(|seen| seen == line))
}

fn ahead_behind(repo: &Repo, tip: Oid) -> Option<(usize, usize)> {
    if history_is_cut(repo) || !repo.has_commit(tip) {
        return None;
    }
    repo.git.graph_ahead_behind(repo.commit, tip).ok()
}

/// Whether each submodule's commit is on that submodule's own remote, as HEAD's `.gitmodules` names it.
fn submodules(repo: &Repo, parent_address: &str, until: Instant) -> Vec<SubmodulePush> {
    let gitlinks: Vec<&super::Entry> = repo
        .entries
        .iter()
        .filter(|entry| entry.is_submodule())
        .collect();
    if gitlinks.is_empty() {
        return Vec::new();
    }
    let addresses = match submodule_addresses(repo) {
        Ok(addresses) => addresses,
        Err(error) => {
            return gitlinks
                .iter()
                .map(|entry| push_of(entry, String::new(), Err(error.to_string())))
                .collect();
        }
    };
    gitlinks
        .into_iter()
        .map(|entry| {
            let Some(address) = addresses.get(&entry.shown()) else {
                let why = Err("HEAD's .gitmodules gives it no address".to_owned());
                return push_of(entry, String::new(), why);
            };
            let address = resolve(parent_address, address);
            let on_remote = on_remote(repo, entry, &address, until);
            push_of(entry, without_credentials(&address), on_remote)
        })
        .collect()
}

fn push_of(entry: &super::Entry, url: String, on_remote: Result<bool, String>) -> SubmodulePush {
    SubmodulePush {
        path: entry.shown(),
        commit: entry.id.to_string(),
        url,
        on_remote,
    }
}

/// Path → address, from the `.gitmodules` that HEAD has.
fn submodule_addresses(repo: &Repo) -> Result<BTreeMap<String, String>, RepoError> {
    let Some(text) = repo.blob(".gitmodules")? else {
        return Ok(BTreeMap::new());
    };
    let file = tempfile::NamedTempFile::new().map_err(RepoError::io("make a temporary file"))?;
    std::fs::write(file.path(), text).map_err(RepoError::io("write a temporary file"))?;
    let config = git2::Config::open(file.path()).map_err(RepoError::git("read .gitmodules"))?;
    let mut paths = BTreeMap::new();
    let mut urls = BTreeMap::new();
    let entries = config
        .entries(Some("submodule\\..*"))
        .map_err(RepoError::git("read .gitmodules"))?;
    entries
        .for_each(|entry| {
            let (Ok(name), Ok(value)) = (entry.name(), entry.value()) else {
                return;
            };
            if let Some(module) = name.strip_suffix(".path") {
                paths.insert(module.to_owned(), value.to_owned());
            } else if let Some(module) = name.strip_suffix(".url") {
                urls.insert(module.to_owned(), value.to_owned());
            }
        })
        .map_err(RepoError::git("read .gitmodules"))?;
    Ok(paths
        .into_iter()
        .filter_map(|(module, path)| Some((path, urls.remove(&module)?)))
        .collect())
}

/// A relative submodule address counts from its parent's, part by part.
fn resolve(parent: &str, address: &str) -> String {
    let mut base = parent.trim_end_matches('/').to_owned();
    let mut rest = address;
    if !rest.starts_with("./") && !rest.starts_with("../") {
        return address.to_owned();
    }
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            rest = after;
            match base.rfind(['/', ':']) {
                Some(at) => base.truncate(at),
                None => return address.to_owned(),
            }
        } else {
            return format!("{base}/{rest}");
        }
    }
}

/// A tip of the remote is the commit, or contains it as far as the submodule's clone can tell.
fn on_remote(
    repo: &Repo,
    entry: &super::Entry,
    address: &str,
    until: Instant,
) -> Result<bool, String> {
    if address.starts_with('-') {
        return Err(format!("{address:?} is no address"));
    }
    let refs = ls_remote::refs(
        &repo.top,
        ssh_command(repo).as_deref(),
        address,
        &["refs/*"],
        until,
    )
    .map_err(|silence| silence.to_string())?;
    let wanted = entry.id.to_string();
    if refs.values().any(|id| *id == wanted) {
        return Ok(true);
    }
    let inner = Repo::exactly_at(&repo.top.join(Path::new(&entry.shown())))
        .map_err(|error| error.to_string())?;
    let mut all_here = !history_is_cut(&inner);
    for tip in refs.values().filter_map(|id| Oid::from_str(id).ok()) {
        if !inner.has_commit(tip) {
            all_here = false;
        } else if inner
            .git
            .graph_descendant_of(tip, entry.id)
            .unwrap_or(false)
        {
            return Ok(true);
        }
    }
    if all_here {
        Ok(false)
    } else {
        Err("its remote has commits that are not here".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn relative_submodule_addresses_count_from_the_parent() {
        let parent = "https://host/o/r.git";
        assert_eq!(resolve(parent, "../x.git"), "https://host/o/x.git");
        assert_eq!(resolve("git@host:o/r", "../x"), "git@host:o/x");
        assert_eq!(resolve("/a/b", "./c"), "/a/b/c");
        assert_eq!(resolve(parent, "https://else/y"), "https://else/y");
    }
}
