//! Is HEAD on the remote? The misleading states, one test each.

use super::Scratch;
use crate::repo::remote_facts;
use launch_checks::targets::Pushed;
use launch_checks::{LiveRemote, RemoteFacts};

#[track_caller]
fn ask(s: &Scratch, pushed: Pushed) -> RemoteFacts {
    remote_facts(&s.repo(), "origin", "main", pushed).unwrap()
}

/// Tip, whether a tag shadows, merge refs, whether the tip is contained, ahead and behind.
type Answer = (
    Option<String>,
    bool,
    Vec<String>,
    Option<bool>,
    Option<(usize, usize)>,
);

#[track_caller]
fn answer(s: &Scratch, pushed: Pushed) -> Answer {
    match ask(s, pushed).live {
        LiveRemote::Answered {
            tip,
            tag,
            merge_refs,
            contains_tip,
            ahead_behind,
            ..
        } => (tip, tag, merge_refs, contains_tip, ahead_behind),
        other @ (LiveRemote::NotConfigured | LiveRemote::Itself { .. }) => panic!("{other:?}"),
    }
}

fn head(s: &Scratch) -> String {
    s.git(&["rev-parse", "HEAD"])
}

/// Commits to the remote from somewhere else; the new tip comes back.
fn push_from_elsewhere(s: &Scratch) -> String {
    let root = s.beside("");
    s.git_in(&root, &["clone", "-q", "remote.git", "elsewhere"]);
    let there = s.beside("elsewhere");
    std::fs::write(there.join("theirs"), "").unwrap();
    s.git_in(&there, &["add", "-A"]);
    s.git_in(&there, &["commit", "-q", "-m", "theirs"]);
    s.git_in(&there, &["push", "-q", "origin", "main"]);
    s.git_in(&there, &["rev-parse", "HEAD"])
}

#[test]
fn a_pushed_commit_is_the_live_tip() {
    let s = Scratch::new();
    let (tip, tag, _, contains, count) = answer(&s, Pushed::Tip);
    assert_eq!(tip, Some(head(&s)));
    assert_eq!((tag, contains, count), (false, Some(true), Some((0, 0))));
}

#[test]
fn an_unpushed_commit_is_ahead() {
    let s = Scratch::new();
    let before = head(&s);
    s.write("new", "");
    s.commit_all("new");
    let (tip, _, _, contains, count) = answer(&s, Pushed::Tip);
    assert_eq!(
        (tip, contains, count),
        (Some(before), Some(true), Some((1, 0)))
    );
}

#[test]
fn state_37_a_stale_tracking_ref_is_not_believed() {
    let s = Scratch::new();
    s.git(&["fetch", "-q", "origin"]);
    let theirs = push_from_elsewhere(&s);
    assert_eq!(
        s.git(&["rev-parse", "origin/main"]),
        head(&s),
        "the tracking ref lies"
    );
    let (tip, _, _, contains, count) = answer(&s, Pushed::Tip);
    assert_eq!((tip, contains, count), (Some(theirs), None, None));
}

#[test]
fn state_37b_a_rewritten_remote_is_seen() {
    let s = Scratch::new();
    s.write("new", "");
    s.commit_all("new");
    s.git(&["push", "-q", "origin", "main"]);
    let old = s.git(&["rev-parse", "HEAD~1"]);
    s.git_in(
        &s.beside("remote.git"),
        &["update-ref", "refs/heads/main", &old],
    );
    assert_eq!(s.git(&["rev-parse", "origin/main"]), head(&s));
    assert_eq!(answer(&s, Pushed::Tip).0, Some(old));
}

#[test]
fn state_38_a_remote_that_cannot_be_asked_is_missing() {
    let s = Scratch::new();
    for url in [
        "../no-such-repository.git",
        "http://127.0.0.1:9/x.git",
        "ext::sh -c true",
    ] {
        s.git(&["remote", "set-url", "origin", url]);
        let missing = remote_facts(&s.repo(), "origin", "main", Pushed::Tip).unwrap_err();
        assert!(
            missing.why.contains("cannot be asked"),
            "{url}: {missing:?}"
        );
        assert!(missing.help.is_some());
    }
}

#[test]
fn state_39_a_branch_whose_name_ends_alike_is_not_taken() {
    let s = Scratch::new();
    let before = head(&s);
    s.write("new", "");
    s.commit_all("new");
    s.git(&["push", "-q", "origin", "HEAD:refs/heads/foo/main"]);
    s.git(&[
        "push",
        "-q",
        "origin",
        "HEAD:refs/heads/foo/refs/heads/main",
    ]);
    assert_eq!(answer(&s, Pushed::Tip).0, Some(before));
    // And when only the look-alikes exist, there is no such branch.
    s.git_in(
        &s.beside("remote.git"),
        &["update-ref", "-d", "refs/heads/main"],
    );
    assert_eq!(answer(&s, Pushed::Tip).0, None);
}

#[test]
fn state_40_a_tag_with_the_branch_s_name_is_seen_on_either_side() {
    let s = Scratch::new();
    s.git(&["tag", "main"]);
    assert!(ask(&s, Pushed::Tip).local_tag);
    s.git(&["push", "-q", "origin", "refs/tags/main"]);
    s.git(&["tag", "-d", "main"]);
    let facts = ask(&s, Pushed::Tip);
    assert!(!facts.local_tag);
    assert!(matches!(facts.live, LiveRemote::Answered { tag: true, .. }));
}

#[test]
fn state_43_upstreams_play_no_part_and_a_missing_remote_is_told() {
    let s = Scratch::new();
    s.git(&["branch", "-q", "other"]);
    s.git(&["branch", "-q", "--set-upstream-to=other"]);
    assert_eq!(answer(&s, Pushed::Tip).0, Some(head(&s)));
    s.git(&["remote", "remove", "origin"]);
    assert_eq!(ask(&s, Pushed::Tip).live, LiveRemote::NotConfigured);
}

#[test]
fn a_remote_that_is_this_repository_proves_nothing() {
    let s = Scratch::new();
    let here = s.work().to_str().unwrap().to_owned();
    for url in [".", here.as_str(), ".git", &format!("file://{here}/.git")] {
        s.git(&["remote", "set-url", "origin", url]);
        let live = ask(&s, Pushed::Tip).live;
        assert!(matches!(live, LiveRemote::Itself { .. }), "{url}: {live:?}");
    }
}

#[test]
fn state_44_pull_request_merge_refs_and_queues() {
    let s = Scratch::new();
    s.git(&["checkout", "-q", "--detach"]);
    s.write("new", "");
    s.commit_all("merge result");
    s.git(&["push", "-q", "origin", "HEAD:refs/pull/7/merge"]);
    let (tip, _, refs, contains, _) = answer(&s, Pushed::Merge);
    assert_ne!(tip, Some(head(&s)));
    assert_eq!(refs, ["refs/pull/7/merge"]);
    assert_eq!(contains, Some(true));
    // A pull ref counts only for the class that asks for it.
    assert!(answer(&s, Pushed::Tip).2.is_empty());

    let s = Scratch::new();
    let theirs = push_from_elsewhere(&s);
    s.git(&["fetch", "-q", "origin"]);
    let (tip, _, refs, contains, count) = answer(&s, Pushed::Merge);
    assert_eq!((tip, refs.len()), (Some(theirs), 0));
    assert_eq!((contains, count), (Some(false), Some((0, 1))));
}

#[test]
fn state_45_shallow_clones_can_tell_equality_and_direct_parents_only() {
    let s = Scratch::new();
    let first = head(&s);
    for name in ["second", "third"] {
        s.write(name, "");
        s.commit_all(name);
    }
    s.git(&["push", "-q", "origin", "HEAD:refs/heads/side"]);
    let remote = format!("file://{}", s.beside("remote.git").display());
    s.git_in(
        &s.beside(""),
        &["clone", "-q", "--depth=1", "-b", "side", &remote, "shallow"],
    );
    let shallow = crate::repo::Repo::discover(&s.beside("shallow")).unwrap();
    let ask = |branch: &str| match remote_facts(&shallow, "origin", branch, Pushed::Merge) {
        Ok(RemoteFacts {
            live: LiveRemote::Answered {
                tip, contains_tip, ..
            },
            ..
        }) => (tip, contains_tip),
        other => panic!("{other:?}"),
    };
    assert_eq!(ask("side"), (Some(head(&s)), Some(true)));
    assert_eq!(
        ask("main"),
        (Some(first), None),
        "two commits back cannot be seen"
    );
    let second = s.git(&["rev-parse", "HEAD~1"]);
    s.git_in(
        &s.beside("remote.git"),
        &["update-ref", "refs/heads/main", &second],
    );
    assert_eq!(
        ask("main"),
        (Some(second), Some(true)),
        "a direct parent can"
    );
}

#[test]
fn state_49_a_remote_that_wants_a_password_does_not_hang() {
    use std::io::{Read as _, Write as _};
    let s = Scratch::new();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut buffer = [0; 4096];
            drop(stream.read(&mut buffer));
            drop(stream.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n",
            ));
        }
    });
    let url = format!("http://SECRETTOKEN:x@127.0.0.1:{port}/r.git");
    s.git(&["remote", "set-url", "origin", &url]);
    let started = std::time::Instant::now();
    let missing = remote_facts(&s.repo(), "origin", "main", Pushed::Tip).unwrap_err();
    assert!(started.elapsed().as_secs() < 10);
    assert!(
        !format!("{missing:?}").contains("SECRETTOKEN"),
        "{missing:?}"
    );
}

#[test]
fn a_submodule_commit_must_be_on_its_own_remote() {
    let s = Scratch::new();
    s.git_in(
        &s.beside(""),
        &["clone", "-q", "--bare", "remote.git", "sub.git"],
    );
    s.git(&["submodule", "--quiet", "add", "../sub.git", "vendor/x"]);
    s.commit_all("submodule");
    let subs = ask(&s, Pushed::Tip).submodules;
    assert_eq!(subs[0].on_remote, Ok(true), "{subs:?}");
    let inside = s.path("vendor/x");
    std::fs::write(inside.join("new"), "").unwrap();
    s.git_in(&inside, &["add", "-A"]);
    s.git_in(&inside, &["commit", "-q", "-m", "inside"]);
    s.commit_all("points at it");
    let subs = ask(&s, Pushed::Tip).submodules;
    assert_eq!(subs[0].on_remote, Ok(false), "{subs:?}");
    s.git_in(&inside, &["push", "-q", "origin", "HEAD:refs/heads/side"]);
    assert_eq!(ask(&s, Pushed::Tip).submodules[0].on_remote, Ok(true));
}

#[test]
fn a_graft_does_not_prove_ancestry() {
    let s = Scratch::new();
    let theirs = push_from_elsewhere(&s);
    s.git(&["fetch", "-q", "origin"]);
    std::fs::write(
        s.path(".git/info/grafts"),
        format!("{} {theirs}\n", head(&s)),
    )
    .unwrap();
    assert_eq!(answer(&s, Pushed::Merge).3, None);
}
