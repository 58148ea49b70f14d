//! Which commit the policy is read from: HEAD, or on a pull request the base branch.
//!
//! `--base` says it; else the event that GitHub describes in the environment does. On a pull request whose
//! base is not in this clone the policy is missing, never HEAD's own.

use super::project::Project;
use launch_checks::Missing;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;

/// Largest description of an event, bytes: GitHub's own bound of a webhook.
const EVENT_MAX_BYTES: u64 = 25 * 1024 * 1024;

/// Where the policy is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// From HEAD itself.
    Head,
    /// From the base branch.
    Commit {
        /// As it was named.
        name: String,
        /// The commit, 40 hex digits.
        commit: String,
    },
}

impl Base {
    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Head => "HEAD".to_owned(),
            Self::Commit { name, commit } => {
                format!("base {name} at {}", commit.get(..10).unwrap_or(commit))
            }
        }
    }
}

/// What was asked for, before the repository is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// A base by its names, the most precise last.
    Named(Vec<String>),
    Unreadable(String),
}

/// The base of this run.
pub(super) fn of(project: &Project, flag: Option<&str>) -> Result<Base, Missing> {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let names = match asked(flag, &variable) {
        Asked::Nothing => return Ok(Base::Head),
        Asked::Named(names) => names,
        Asked::Unreadable(why) => {
            return Err(Missing::new(why).help("name the base branch: --base main"));
        }
    };
    let remote = &project.targets.repo.remote;
    let refs: Vec<String> = names
        .iter()
        .flat_map(|name| refs_of(name, remote))
        .collect();
    let shown = names.first().cloned().unwrap_or_default();
    match project.repo.commit_named(&refs) {
        Some(commit) => Ok(Base::Commit {
            name: shown,
            commit,
        }),
        None => Err(Missing::new(format!(
            "the base {shown:?} is not in this clone, so the policy cannot be read from it"
        ))
        .help(format!(
            "git fetch {remote} {shown} (actions/checkout: fetch-depth: 0), or --base with a full ref or commit"
        ))),
    }
}

fn asked(flag: Option<&str>, variable: &dyn Fn(&str) -> Option<String>) -> Asked {
    if let Some(name) = flag {
        return Asked::Named(vec![name.to_owned()]);
    }
    let event = variable("GITHUB_EVENT_NAME").unwrap_or_default();
    let branch = variable("GITHUB_BASE_REF");
    let is_pull_request = event.starts_with("pull_request") || branch.is_some();
    if !is_pull_request && event != "merge_group" {
        return Asked::Nothing;
    }
    let mut names: Vec<String> = branch.into_iter().collect();
    let described = variable("GITHUB_EVENT_PATH").map(|path| describe(Path::new(&path)));
    match described {
        Some(Ok(from_event)) => names.extend(from_event),
        Some(Err(why)) if names.is_empty() => return Asked::Unreadable(why),
        Some(Err(_)) | None => {}
    }
    if names.is_empty() {
        return Asked::Unreadable(format!(
            "this is a {event} and neither GITHUB_BASE_REF nor GITHUB_EVENT_PATH tells its base"
        ));
    }
    Asked::Named(names)
}

/// The base's names in GitHub's description of the event.
fn describe(path: &Path) -> Result<Vec<String>, String> {
    let cannot = |why: String| format!("GITHUB_EVENT_PATH {} {why}", path.display());
    // Looked at before it is opened: a pipe may have no end.
    let about = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
    if !about.is_file() {
        return Err(cannot("is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(EVENT_MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| cannot(error.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > EVENT_MAX_BYTES) {
        return Err(cannot(format!("is longer than {EVENT_MAX_BYTES} bytes")));
    }
    let event: Value =
        serde_json::from_slice(&bytes).map_err(|error| cannot(format!("is no event: {error}")))?;
    let names: Vec<String> = [
        "/pull_request/base/ref",
        "/merge_group/base_ref",
        "/pull_request/base/sha",
        "/merge_group/base_sha",
    ]
    .iter()
    .filter_map(|pointer| event.pointer(pointer)?.as_str())
    .filter(|name| !name.is_empty())
    .map(str::to_owned)
    .collect();
    if names.is_empty() {
        return Err(cannot("names no base".to_owned()));
    }
    Ok(names)
}

/// The full names that a base's name may stand for. The remote's own view comes before a local branch.
fn refs_of(name: &str, remote: &str) -> Vec<String> {
    let is_commit = name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if is_commit {
        return vec![name.to_ascii_lowercase()];
    }
    let branch = name.strip_prefix("refs/heads/").unwrap_or(name);
    if branch.starts_with("refs/") {
        return vec![branch.to_owned()];
    }
    vec![
        format!("refs/remotes/{remote}/{branch}"),
        format!("refs/remotes/{branch}"),
        format!("refs/heads/{branch}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_in(flag: Option<&str>, variables: &[(&str, &str)]) -> Asked {
        asked(flag, &|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn names(asked: &Asked) -> Vec<&str> {
        match asked {
            Asked::Named(names) => names.iter().map(String::as_str).collect(),
            Asked::Nothing | Asked::Unreadable(_) => panic!("{asked:?}"),
        }
    }

    #[test]
    fn only_a_pull_request_or_a_merge_queue_has_a_base() {
        assert_eq!(asked_in(None, &[]), Asked::Nothing);
        assert_eq!(
            asked_in(None, &[("GITHUB_EVENT_NAME", "push")]),
            Asked::Nothing
        );
        let flag = asked_in(Some("release"), &[("GITHUB_BASE_REF", "main")]);
        assert_eq!(names(&flag), ["release"]);
        let request = asked_in(None, &[("GITHUB_BASE_REF", "main")]);
        assert_eq!(names(&request), ["main"]);
    }

    #[test]
    fn the_event_s_description_names_branch_and_commit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("event.json");
        let at = path.to_str().unwrap();
        let queue = [
            ("GITHUB_EVENT_NAME", "merge_group"),
            ("GITHUB_EVENT_PATH", at),
        ];
        std::fs::write(&path, r#"{"merge_group":{"base_ref":"refs/heads/main","base_sha":"1111111111111111111111111111111111111111"}}"#).unwrap();
        assert_eq!(
            names(&asked_in(None, &queue)),
            [
                "refs/heads/main",
                "1111111111111111111111111111111111111111"
            ]
        );
        for broken in [
            "",
            "{",
            "[]",
            "{}",
            "null",
            r#"{"merge_group":{"base_ref":7}}"#,
        ] {
            std::fs::write(&path, broken).unwrap();
            let asked = asked_in(None, &queue);
            assert!(
                matches!(asked, Asked::Unreadable(_)),
                "{broken:?}: {asked:?}"
            );
        }
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(asked_in(None, &queue), Asked::Unreadable(_)));
        let folder = [
            ("GITHUB_EVENT_NAME", "merge_group"),
            ("GITHUB_EVENT_PATH", "/"),
        ];
        assert!(matches!(asked_in(None, &folder), Asked::Unreadable(_)));
        let nothing = [("GITHUB_EVENT_NAME", "pull_request")];
        assert!(matches!(asked_in(None, &nothing), Asked::Unreadable(_)));
    }

    #[test]
    fn the_remote_s_branch_comes_before_a_local_one() {
        let main = refs_of("main", "origin");
        assert_eq!(
            main.first().map(String::as_str),
            Some("refs/remotes/origin/main")
        );
        assert_eq!(refs_of("refs/heads/main", "origin"), main);
        assert_eq!(refs_of("refs/tags/x", "origin"), ["refs/tags/x"]);
        assert_eq!(refs_of(&"A".repeat(40), "origin"), ["a".repeat(40)]);
    }
}
