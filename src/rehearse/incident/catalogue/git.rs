//! Faults between the commit, the disk and the remote.

use super::{Done, after_the_push, in_the_commit, row, when};
use crate::rehearse::document::text;
use crate::rehearse::incident::Incident;
use crate::rehearse::life;
use crate::rehearse::scratch::Scratch;

const STAGING: &str = "launch preflight --env staging";
const LOCAL: &str = "launch preflight --env local";

pub(super) const ROWS: &[Incident] = &[
    row(
        "dirty-tree",
        "An edit that is not committed",
        "a comment added to manifests/local.toml, not committed",
        LOCAL,
        |scratch| after_the_push(scratch, "local", &["LC-101"], edit),
    ),
    row(
        "staged-only",
        "Staged is not committed",
        "a new file added to the index and nothing more",
        LOCAL,
        |scratch| {
            after_the_push(scratch, "local", &["LC-101"], |scratch| {
                scratch.write("notes.md", "later\n")?;
                scratch.git(&["add", "notes.md"]).map(drop)
            })
        },
    ),
    row(
        "hidden-edit",
        "An edit that git was told not to look at",
        "assume-unchanged on manifests/local.toml, then an edit",
        LOCAL,
        |scratch| {
            after_the_push(scratch, "local", &["LC-101"], |scratch| {
                scratch.git(&["update-index", "--assume-unchanged", "manifests/local.toml"])?;
                edit(scratch)
            })
        },
    ),
    row(
        "merge-in-progress",
        "A merge in progress that changes nothing",
        "git merge -s ours --no-commit of another branch",
        LOCAL,
        |scratch| after_the_push(scratch, "local", &["LC-101"], merge_in_progress),
    ),
    row(
        "ignored-but-needed",
        "A strategy that .gitignore keeps out of the commit",
        "manifests/strategies/second.json listed by the manifest and matched by .gitignore",
        LOCAL,
        |scratch| in_the_commit(scratch, "local", &["LC-103"], ignored_strategy),
    ),
    row(
        "link-for-a-file",
        "A link where the commit needs a file",
        "manifests/local.toml is a symbolic link to a file outside the repository",
        LOCAL,
        |scratch| {
            in_the_commit(scratch, "local", &["LC-103"], |scratch| {
                let text = scratch.read("manifests/local.toml")?;
                scratch.write("../outside.toml", &text)?;
                scratch.link("manifests/local.toml", "../../outside.toml")
            })
        },
    ),
    row(
        "unpushed",
        "Committed, not pushed",
        "one commit more than the remote has",
        STAGING,
        |scratch| {
            after_the_push(scratch, "staging", &["LC-102"], |scratch| {
                edit(scratch)?;
                scratch.git(&["commit", "-qam", "config: a note"]).map(drop)
            })
        },
    ),
    row(
        "remote-moved",
        "The remote moved on",
        "somebody else pushed; the tracking branch here still says in sync",
        STAGING,
        |scratch| {
            after_the_push(scratch, "staging", &["LC-102"], |scratch| {
                edit(scratch)?;
                scratch.git(&["commit", "-qam", "config: theirs"])?;
                scratch.git(&["push", "-q", "origin", "main"])?;
                scratch.git(&["reset", "-q", "--hard", "HEAD~1"])?;
                scratch
                    .git(&["update-ref", "refs/remotes/origin/main", "HEAD"])
                    .map(drop)
            })
        },
    ),
    row(
        "tag-for-a-branch",
        "A tag that has the deploy branch's name",
        "git tag main, pushed: git itself would take the tag",
        STAGING,
        |scratch| {
            after_the_push(scratch, "staging", &["LC-102"], |scratch| {
                scratch.git(&["tag", "main"])?;
                scratch
                    .git(&["push", "-q", "origin", "refs/tags/main"])
                    .map(drop)
            })
        },
    ),
    row(
        "remote-gone",
        "The remote cannot be asked",
        "origin points at a folder that is not there",
        STAGING,
        |scratch| {
            after_the_push(scratch, "staging", &["LC-102"], |scratch| {
                scratch
                    .git(&["remote", "set-url", "origin", "/nonexistent/remote.git"])
                    .map(drop)
            })
        },
    ),
    row(
        "git-missing",
        "No git on the machine",
        "an empty PATH: the remote cannot be asked, and nothing is taken for granted",
        "PATH=/nonexistent launch preflight --env staging",
        |scratch| {
            life::scaffold(scratch)?;
            life::commit_and_push(scratch)?;
            let args = ["preflight", "--env", "staging", "--format", "json"];
            let ran = scratch.launch_with(&args, &[("PATH", "/nonexistent")])?;
            let report = ran.json()?;
            let pushed = super::list(&report, "/checks")
                .iter()
                .find(|check| text(check, "/code") == "LC-102");
            let status = pushed.map_or("?", |check| text(check, "/status"));
            Ok(when(
                ran.code != Some(0) && status == "unknown",
                &["check:LC-102"],
                format!(
                    "LC-102 {status}: {}",
                    pushed.map_or_else(String::new, super::first_words)
                ),
            ))
        },
    ),
];

fn edit(scratch: &Scratch) -> Done {
    let text = scratch.read("manifests/local.toml")?;
    scratch.write("manifests/local.toml", &format!("{text}# a note\n"))
}

fn merge_in_progress(scratch: &Scratch) -> Done {
    scratch.git(&["checkout", "-q", "-b", "theirs"])?;
    scratch.write("theirs.md", "theirs\n")?;
    scratch.git(&["add", "theirs.md"])?;
    scratch.git(&["commit", "-q", "-m", "notes: theirs"])?;
    scratch.git(&["checkout", "-q", "main"])?;
    scratch
        .git(&["merge", "-q", "-s", "ours", "--no-commit", "theirs"])
        .map(drop)
}

fn ignored_strategy(scratch: &Scratch) -> Done {
    let strategy = scratch.read("manifests/strategies/probability-model.json")?;
    scratch.write("manifests/strategies/second.json", &strategy)?;
    let ignored = scratch.read(".gitignore")?;
    scratch.write(
        ".gitignore",
        &format!("{ignored}manifests/strategies/second.json\n"),
    )?;
    scratch.replace(
        "manifests/local.toml",
        "[\"probability-model\"]",
        "[\"probability-model\", \"second\"]",
    )
}
