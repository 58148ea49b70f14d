//! LC-101 source committed: the disk equals HEAD's tree by content; nothing is untracked, hidden or in
//! progress.
//!
//! Fails on anything modified, missing, staged, untracked (hidden by an uncommitted rule or not),
//! embedded, unmerged or half done; unknown when part of the tree could not be seen. The fact is
//! gathered fresh on every run; it is never cached. Incident 1: 140 files were never committed.

use crate::facts::{DifferenceKind, Facts, TreeFacts, known};
use crate::outcome::{Finding, Outcome, Place};

pub(crate) fn run(facts: &Facts) -> Outcome {
    let tree = known!(facts.tree);
    let total = tree.differences.len() + tree.more;
    if total > 0 {
        return differs(tree, total);
    }
    if let Some(first) = tree.unseen.first() {
        return about(
            tree,
            Finding::new(format!("part of the work tree could not be seen: {first}")),
        )
        .seen(&tree.unseen)
        .help("let the other git finish or make the files readable, then run again")
        .unknown();
    }
    let message = format!(
        "{} {} HEAD {} by content",
        tree.compared,
        if tree.compared == 1 {
            "file equals"
        } else {
            "files equal"
        },
        short(&tree.commit)
    );
    about(tree, Finding::new(message)).pass()
}

fn differs(tree: &TreeFacts, total: usize) -> Outcome {
    let lines = tree.differences.iter().map(|difference| {
        let mut line = difference.kind.word().to_owned();
        for part in [&difference.path, &difference.detail] {
            if !part.is_empty() {
                line.push_str(": ");
                line.push_str(part);
            }
        }
        line
    });
    let mut finding = about(
        tree,
        Finding::new(format!(
            "the work tree is not HEAD {}: {total} {}",
            short(&tree.commit),
            if total == 1 {
                "difference"
            } else {
                "differences"
            }
        )),
    )
    .seen(lines.chain(tree.unseen.iter().map(|line| format!("not seen: {line}"))))
    .evidence("differences", total);
    finding = finding.at(tree
        .differences
        .iter()
        .filter(|difference| !difference.path.is_empty())
        .map(|difference| Place::file(&difference.path, difference.kind.word())));
    if let Some(first) = tree.differences.first() {
        finding = finding.help(remedy(first.kind));
    }
    finding.fail()
}

fn about(tree: &TreeFacts, finding: Finding) -> Finding {
    let finding = finding
        .evidence("commit", tree.commit.as_str())
        .evidence("tree", tree.tree.as_str())
        .evidence("branch", tree.branch.clone())
        .evidence("compared", tree.compared);
    if tree.notes.is_empty() {
        finding
    } else {
        finding.evidence("notes", tree.notes.clone())
    }
}

/// What to do about the first difference; the kinds are ordered by what must be done first.
const fn remedy(kind: DifferenceKind) -> &'static str {
    match kind {
        DifferenceKind::Operation => {
            "finish or abort it (git status names the command), then run again"
        }
        DifferenceKind::Conflict => "resolve it, git add, git commit",
        DifferenceKind::Modified | DifferenceKind::TypeChanged | DifferenceKind::ModeChanged => {
            "commit it (git add -A && git commit), or put it back (git restore .)"
        }
        DifferenceKind::Missing => "commit the removal (git rm), or bring it back (git restore .)",
        DifferenceKind::Staged => "commit it (git commit), or unstage it (git restore --staged .)",
        DifferenceKind::Untracked => {
            "commit it (git add), delete it, or ignore it in a committed .gitignore"
        }
        DifferenceKind::Hidden => {
            "commit it (git add -f), delete it, or move the rule into a committed .gitignore"
        }
        DifferenceKind::EmbeddedRepo => {
            "move it out, or make it a submodule: its files are not part of any commit here"
        }
        DifferenceKind::Submodule => {
            "commit inside it and commit the new id here, or git submodule update --init"
        }
    }
}

/// A commit id as people read it.
pub(crate) fn short(id: &str) -> &str {
    id.get(..10).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Difference, Fact, Missing};
    use crate::fixtures::{check, facts};
    use crate::report::Status;

    #[test]
    fn passing() {
        check(
            "LC-101",
            &facts(),
            Status::Pass,
            "42 files equal HEAD 1111111111 by content",
        );
    }

    #[test]
    fn failing() {
        let mut facts = facts();
        let tree = facts.tree.value.as_mut().unwrap();
        tree.differences.push(Difference {
            kind: DifferenceKind::Untracked,
            path: "src/strategy.rs".to_owned(),
            detail: String::new(),
        });
        let result = check("LC-101", &facts, Status::Fail, "1 difference");
        assert_eq!(
            result.seen().collect::<Vec<_>>(),
            ["untracked: src/strategy.rs"]
        );
        assert!(result.help.unwrap().contains("git add"));
    }

    #[test]
    fn just_inside() {
        // A stash and normalising line ends are worth a note and nothing more.
        let mut facts = facts();
        let tree = facts.tree.value.as_mut().unwrap();
        tree.notes.push("1 stash entry".to_owned());
        tree.branch = None;
        let result = check("LC-101", &facts, Status::Pass, "by content");
        assert_eq!(result.evidence["notes"][0], "1 stash entry");
    }

    #[test]
    fn fact_missing() {
        let mut facts = facts();
        facts.tree = Fact::missing(Missing::new("not a git repository"), "disk", 0);
        check("LC-101", &facts, Status::Unknown, "not a git repository");
        // Part of the tree unseen and the rest equal proves nothing either.
        let mut partly = self::facts();
        partly
            .tree
            .value
            .as_mut()
            .unwrap()
            .unseen
            .push("another git is at work".to_owned());
        check("LC-101", &partly, Status::Unknown, "another git");
    }

    #[test]
    fn differences_past_the_bound_are_counted() {
        let mut facts = facts();
        facts.tree.value.as_mut().unwrap().more = 3;
        check("LC-101", &facts, Status::Fail, "3 differences");
    }
}
