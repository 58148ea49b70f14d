//! LC-102 source pushed: HEAD is what the live deploy remote has, by the environment's `pushed`.
//!
//! `tip`: HEAD is the tip of the deploy branch. `merge` (pull requests): HEAD is a live pull or queue
//! ref, or contains the tip. A tag with the branch's name fails, because git would take the tag.
//! Tracking refs are never looked at. An unreachable remote is unknown. Never cached.

use crate::facts::{Facts, LiveRemote, RemoteFacts, known};
use crate::outcome::{Finding, Outcome};
use crate::source_committed::short;
use crate::targets::Pushed;

pub(crate) fn run(facts: &Facts) -> Outcome {
    let remote = known!(facts.remote);
    let head = short(&remote.head);
    let branch = &remote.branch;
    match &remote.live {
        LiveRemote::NotConfigured => about(
            remote,
            Finding::new(format!(
                "HEAD {head} is on no remote: there is no remote {:?}",
                remote.remote
            )),
        )
        .help(format!(
            "git remote add {} URL && git push -u {} HEAD:{branch}",
            remote.remote, remote.remote
        ))
        .fail(),
        LiveRemote::Itself { url } => about(
            remote,
            Finding::new(format!(
                "remote {:?} is this very repository ({url})",
                remote.remote
            )),
        )
        .help(format!(
            "point it at the repository that the platform deploys from: git remote set-url {} URL",
            remote.remote
        ))
        .fail(),
        LiveRemote::Answered { tag, .. } if *tag || remote.local_tag => about(
            remote,
            Finding::new(format!("a tag named {branch:?} shadows the deploy branch")),
        )
        .help(format!(
            "delete the tag: git tag -d {branch}; git push {} :refs/tags/{branch}",
            remote.remote
        ))
        .fail(),
        LiveRemote::Answered {
            tip,
            merge_refs,
            contains_tip,
            ahead_behind,
            ..
        } => {
            let pushed = match remote.pushed {
                Pushed::Tip => at_tip(remote, tip.as_deref(), *ahead_behind),
                Pushed::Merge => merged(remote, tip.as_deref(), merge_refs, *contains_tip),
            };
            match pushed {
                Outcome::Pass(finding) => with_submodules(remote, finding),
                other @ (Outcome::Warn(_) | Outcome::Fail(_) | Outcome::Unknown(_)) => other,
            }
        }
    }
}

fn at_tip(
    remote: &RemoteFacts,
    tip: Option<&str>,
    ahead_behind: Option<(usize, usize)>,
) -> Outcome {
    let (head, branch, name) = (short(&remote.head), &remote.branch, &remote.remote);
    let push = format!("git push {name} HEAD:{branch}");
    match tip {
        None => about(
            remote,
            Finding::new(format!("{name} has no branch {branch:?}")),
        )
        .help(push)
        .fail(),
        Some(tip) if tip == remote.head => about(
            remote,
            Finding::new(format!("HEAD {head} is the live tip of {name}/{branch}")),
        )
        .pass(),
        Some(tip) => {
            let (where_, help) = match ahead_behind {
                Some((ahead, 0)) => (format!("HEAD is {ahead} ahead: not pushed"), push),
                Some((0, behind)) => (
                    format!("HEAD is {behind} behind"),
                    format!("git pull --ff-only {name} {branch}"),
                ),
                Some((ahead, behind)) => (
                    format!("HEAD is {ahead} ahead and {behind} behind: they diverged"),
                    format!("git fetch {name} {branch} && git rebase FETCH_HEAD && {push}"),
                ),
                None => (
                    "that commit is not in this clone".to_owned(),
                    format!("git fetch {name} {branch}, then look at git log HEAD...FETCH_HEAD"),
                ),
            };
            about(
                remote,
                Finding::new(format!(
                    "HEAD {head} is not the live tip {} of {name}/{branch}: {where_}",
                    short(tip)
                )),
            )
            .help(help)
            .fail()
        }
    }
}

fn merged(
    remote: &RemoteFacts,
    tip: Option<&str>,
    merge_refs: &[String],
    contains_tip: Option<bool>,
) -> Outcome {
    let (head, branch, name) = (short(&remote.head), &remote.branch, &remote.remote);
    if let Some(reference) = merge_refs.first() {
        return about(
            remote,
            Finding::new(format!("HEAD {head} is the live {reference} of {name}")),
        )
        .pass();
    }
    let Some(tip) = tip else {
        return about(
            remote,
            Finding::new(format!("{name} has no branch {branch:?}")),
        )
        .help(format!(
            "set [repo] branch in launch.toml to the branch that {name} deploys"
        ))
        .fail();
    };
    let short_tip = short(tip);
    match contains_tip {
        _ if tip == remote.head => about(
            remote,
            Finding::new(format!("HEAD {head} is the live tip of {name}/{branch}")),
        )
        .pass(),
        Some(true) => about(
            remote,
            Finding::new(format!("HEAD {head} contains the live tip of {name}/{branch}")),
        )
        .pass(),
        Some(false) => about(
            remote,
            Finding::new(format!(
                "HEAD {head} does not contain the live tip {short_tip} of {name}/{branch}"
            )),
        )
        .help(format!("git fetch {name} {branch} && git rebase FETCH_HEAD"))
        .fail(),
        None => about(
            remote,
            Finding::new(format!(
                "cannot see whether HEAD {head} contains the live tip {short_tip} of {name}/{branch}"
            )),
        )
        .help(format!(
            "the tip is not here or history is cut: git fetch {name} {branch}, in a shallow clone git fetch --unshallow {name}"
        ))
        .unknown(),
    }
}

/// A pushed commit whose submodule commits are nowhere cannot be built by anyone else.
fn with_submodules(remote: &RemoteFacts, finding: Finding) -> Outcome {
    let lost = remote
        .submodules
        .iter()
        .find(|sub| sub.on_remote == Ok(false));
    if let Some(sub) = lost {
        return about(
            remote,
            Finding::new(format!(
                "submodule {} is at {}, which its remote does not have",
                sub.path,
                short(&sub.commit)
            )),
        )
        .evidence("submodule_url", sub.url.as_str())
        .help(format!("git -C {} push", sub.path))
        .fail();
    }
    let unseen = remote.submodules.iter().find_map(|sub| {
        sub.on_remote
            .as_ref()
            .err()
            .map(|why| format!("submodule {}: {why}", sub.path))
    });
    match unseen {
        Some(why) => about(
            remote,
            Finding::new(format!(
                "cannot see whether a submodule's commit is pushed: {why}"
            )),
        )
        .unknown(),
        None => finding.pass(),
    }
}

fn about(remote: &RemoteFacts, finding: Finding) -> Finding {
    let finding = finding
        .evidence("head", remote.head.as_str())
        .evidence("remote", remote.remote.as_str())
        .evidence("branch", remote.branch.as_str());
    match &remote.live {
        LiveRemote::NotConfigured => finding,
        LiveRemote::Itself { url } => finding.evidence("url", url.as_str()),
        LiveRemote::Answered { url, tip, .. } => finding
            .evidence("url", url.as_str())
            .evidence("tip", tip.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Fact, Missing, SubmodulePush};
    use crate::fixtures::{HEAD, OTHER, check, facts};
    use crate::report::Status;
    use crate::targets::Class;

    fn staging() -> Facts {
        let mut facts = facts();
        facts.env.class = Class::Staging;
        facts
    }

    fn answer(facts: &mut Facts, at: Option<&str>, count: Option<(usize, usize)>) {
        let remote = facts.remote.value.as_mut().unwrap();
        let LiveRemote::Answered {
            tip, ahead_behind, ..
        } = &mut remote.live
        else {
            panic!("the fixture answers")
        };
        *tip = at.map(str::to_owned);
        *ahead_behind = count;
    }

    fn contains(facts: &mut Facts, whether: Option<bool>) {
        let remote = facts.remote.value.as_mut().unwrap();
        let LiveRemote::Answered { contains_tip, .. } = &mut remote.live else {
            panic!("the fixture answers")
        };
        *contains_tip = whether;
    }

    fn merge(facts: &mut Facts) {
        facts.remote.value.as_mut().unwrap().pushed = Pushed::Merge;
    }

    #[test]
    fn passing() {
        check(
            "LC-102",
            &staging(),
            Status::Pass,
            "is the live tip of origin/main",
        );
    }

    #[test]
    fn failing() {
        let mut facts = staging();
        answer(&mut facts, Some(OTHER), Some((2, 0)));
        let result = check("LC-102", &facts, Status::Fail, "2 ahead: not pushed");
        assert_eq!(result.help.as_deref(), Some("git push origin HEAD:main"));
        // The same on a developer's machine only warns.
        facts.env.class = Class::Local;
        check("LC-102", &facts, Status::Warn, "2 ahead");
        for (count, word) in [
            (Some((0, 3)), "3 behind"),
            (Some((1, 1)), "diverged"),
            (None, "not in this clone"),
        ] {
            let mut facts = staging();
            answer(&mut facts, Some(OTHER), count);
            check("LC-102", &facts, Status::Fail, word);
        }
        let mut gone = staging();
        answer(&mut gone, None, None);
        check("LC-102", &gone, Status::Fail, "has no branch");
        let mut none = staging();
        none.remote.value.as_mut().unwrap().live = LiveRemote::NotConfigured;
        check("LC-102", &none, Status::Fail, "no remote");
    }

    #[test]
    fn a_tag_with_the_branch_s_name_fails_even_at_the_tip() {
        let mut facts = staging();
        facts.remote.value.as_mut().unwrap().local_tag = true;
        check("LC-102", &facts, Status::Fail, "shadows");
    }

    #[test]
    fn just_inside() {
        // A pull request's merge result: not the tip, but it contains the tip.
        let mut facts = staging();
        merge(&mut facts);
        answer(&mut facts, Some(OTHER), Some((4, 0)));
        check("LC-102", &facts, Status::Pass, "contains the live tip");
        contains(&mut facts, Some(false));
        check("LC-102", &facts, Status::Fail, "does not contain");
    }

    #[test]
    fn fact_missing() {
        let mut facts = staging();
        facts.remote = Fact::missing(Missing::new("git is not installed"), "git ls-remote", 0);
        check("LC-102", &facts, Status::Unknown, "git is not installed");
        // Unknown stays unknown where a failure would only warn.
        facts.env.class = Class::Local;
        check("LC-102", &facts, Status::Unknown, "git is not installed");
    }

    #[test]
    fn cut_history_is_unknown_where_ancestry_matters() {
        let mut facts = staging();
        merge(&mut facts);
        answer(&mut facts, Some(OTHER), None);
        contains(&mut facts, None);
        check("LC-102", &facts, Status::Unknown, "cannot see");
    }

    #[test]
    fn a_submodule_commit_that_is_nowhere_fails() {
        let mut facts = staging();
        let sub = |on_remote| SubmodulePush {
            path: "vendor/x".to_owned(),
            commit: HEAD.to_owned(),
            url: "https://example.com/x".to_owned(),
            on_remote,
        };
        facts.remote.value.as_mut().unwrap().submodules = vec![sub(Ok(true))];
        check("LC-102", &facts, Status::Pass, "live tip");
        facts.remote.value.as_mut().unwrap().submodules = vec![sub(Ok(false))];
        check("LC-102", &facts, Status::Fail, "does not have");
        facts.remote.value.as_mut().unwrap().submodules = vec![sub(Err("no answer".to_owned()))];
        check("LC-102", &facts, Status::Unknown, "no answer");
    }
}
