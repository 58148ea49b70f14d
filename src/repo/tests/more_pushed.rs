//! Is HEAD on the remote? States past those of the list, one test each.

use super::Scratch;
use crate::repo::{Repo, remote_facts};
use launch_checks::targets::Pushed;
use launch_checks::{LiveRemote, Missing, RemoteFacts};
use std::fmt::Write as _;
use std::process::Command;

fn ask(s: &Scratch, remote: &str, pushed: Pushed) -> Result<RemoteFacts, Missing> {
    remote_facts(&s.repo(), remote, "main", pushed)
}

#[track_caller]
fn tip(s: &Scratch, remote: &str) -> Option<String> {
    match ask(s, remote, Pushed::Tip).unwrap().live {
        LiveRemote::Answered { tip, .. } => tip,
        other @ (LiveRemote::NotConfigured | LiveRemote::Itself { .. }) => panic!("{other:?}"),
    }
}

#[track_caller]
fn merge_refs(s: &Scratch) -> Vec<String> {
    match ask(s, "origin", Pushed::Merge).unwrap().live {
        LiveRemote::Answered { merge_refs, .. } => merge_refs,
        other @ (LiveRemote::NotConfigured | LiveRemote::Itself { .. }) => panic!("{other:?}"),
    }
}

fn head(s: &Scratch) -> String {
    s.git(&["rev-parse", "HEAD"])
}

fn commit_more(s: &Scratch) -> String {
    s.write("more", "");
    s.commit_all("more");
    head(s)
}

#[test]
fn addresses_that_are_rewritten_are_followed_as_git_follows_them() {
    let s = Scratch::new();
    let before = head(&s);
    let real = s.beside("remote.git").to_str().unwrap().to_owned();
    s.git(&[
        "config",
        &format!("url.{real}.insteadOf"),
        "https://example.invalid/r",
    ]);
    s.git(&["remote", "set-url", "origin", "https://example.invalid/r"]);
    assert_eq!(tip(&s, "origin"), Some(before));
    // And when the rewriting leads back here, nothing is proved.
    s.git(&["config", "--unset", &format!("url.{real}.insteadOf")]);
    let here = s.work().to_str().unwrap().to_owned();
    s.git(&[
        "config",
        &format!("url.{here}.insteadOf"),
        "https://example.invalid/r",
    ]);
    let live = ask(&s, "origin", Pushed::Tip).unwrap().live;
    assert!(matches!(live, LiveRemote::Itself { .. }), "{live:?}");
}

#[test]
fn a_push_to_another_place_than_the_one_that_is_fetched_is_not_pushed() {
    let s = Scratch::new();
    let before = head(&s);
    s.git_in(&s.beside(""), &["init", "-q", "--bare", "mirror.git"]);
    s.git(&["remote", "set-url", "--push", "origin", "../mirror.git"]);
    let after = commit_more(&s);
    s.git(&["push", "-q", "origin", "main"]);
    assert_eq!(
        s.git_in(&s.beside("mirror.git"), &["rev-parse", "main"]),
        after
    );
    assert_eq!(
        s.git(&["rev-parse", "origin/main"]),
        after,
        "the tracking ref lies"
    );
    assert_eq!(tip(&s, "origin"), Some(before.clone()));
    // The same by a rewriting of push addresses alone.
    let s = Scratch::new();
    s.git_in(&s.beside(""), &["init", "-q", "--bare", "mirror.git"]);
    s.git(&["config", "url.../mirror.git.pushInsteadOf", "../remote.git"]);
    let before = head(&s);
    commit_more(&s);
    s.git(&["push", "-q", "origin", "main"]);
    assert_eq!(tip(&s, "origin"), Some(before.clone()));
    // Of several addresses git fetches from the first.
    let s = Scratch::new();
    s.git_in(&s.beside(""), &["init", "-q", "--bare", "mirror.git"]);
    s.git(&["remote", "set-url", "--add", "origin", "../mirror.git"]);
    assert_eq!(tip(&s, "origin"), Some(head(&s)));
    assert!(!before.is_empty());
}

#[test]
fn remotes_with_odd_names_and_this_repository_by_other_ways() {
    let s = Scratch::new();
    s.git(&["remote", "add", "team/deploy", "../remote.git"]);
    assert_eq!(tip(&s, "team/deploy"), Some(head(&s)));
    // A directory of the remote's name is not the remote.
    s.git(&["clone", "-q", "--bare", ".", "target/origin"]);
    assert_eq!(
        ask(&s, "target/origin", Pushed::Tip).unwrap().live,
        LiveRemote::NotConfigured
    );
    assert_eq!(
        ask(&s, "-x", Pushed::Tip).unwrap().live,
        LiveRemote::NotConfigured
    );
    // A link to this repository, and a second work tree of it.
    std::os::unix::fs::symlink(s.work(), s.beside("alias")).unwrap();
    s.git(&["worktree", "add", "-q", "../linked", "-b", "linked"]);
    for url in ["../alias", "../linked", "../linked/.git", "../alias/.git/"] {
        s.git(&["remote", "set-url", "origin", url]);
        let live = ask(&s, "origin", Pushed::Tip).unwrap().live;
        assert!(matches!(live, LiveRemote::Itself { .. }), "{url}: {live:?}");
    }
}

#[test]
fn remotes_that_are_empty_headless_huge_or_hide_the_branch() {
    let s = Scratch::new();
    s.git_in(&s.beside(""), &["init", "-q", "--bare", "empty.git"]);
    s.git(&["remote", "add", "empty", "../empty.git"]);
    assert_eq!(tip(&s, "empty"), None);
    // Its own HEAD says nothing about the branch.
    let remote = s.beside("remote.git");
    s.git_in(&remote, &["symbolic-ref", "HEAD", "refs/heads/none"]);
    assert_eq!(tip(&s, "origin"), Some(head(&s)));
    std::fs::write(remote.join("HEAD"), format!("{}\n", head(&s))).unwrap();
    assert_eq!(tip(&s, "origin"), Some(head(&s)));
    // Many refs, some of which look alike.
    let mut packed = String::from("# pack-refs with: peeled fully-peeled sorted \n");
    let tip_now = head(&s);
    for number in 0..20_000 {
        writeln!(packed, "{tip_now} refs/heads/b/{number:05}/main").unwrap();
    }
    std::fs::write(remote.join("packed-refs"), packed).unwrap();
    let loose = remote.join("refs/heads");
    std::fs::create_dir_all(&loose).unwrap();
    std::fs::write(loose.join("main"), format!("{}\n", head(&s))).unwrap();
    assert_eq!(tip(&s, "origin"), Some(head(&s)));
    // What the remote does not show is not there for the platform either.
    s.git_in(&remote, &["config", "transfer.hideRefs", "refs/heads/main"]);
    assert_eq!(tip(&s, "origin"), None);
}

#[test]
fn a_protocol_that_is_not_allowed_and_a_remote_that_talks_nonsense_are_unknown() {
    let s = Scratch::new();
    s.git(&["config", "protocol.file.allow", "never"]);
    assert!(
        ask(&s, "origin", Pushed::Tip)
            .unwrap_err()
            .why
            .contains("cannot be asked")
    );
    for script in [
        "echo nonsense",
        "true",
        "exit 2",
        "head -c 100000 /dev/zero",
    ] {
        let s = Scratch::new();
        std::fs::write(s.beside("pack"), format!("#!/bin/sh\n{script}\n")).unwrap();
        Command::new("chmod")
            .arg("+x")
            .arg(s.beside("pack"))
            .status()
            .unwrap();
        s.git(&[
            "config",
            "remote.origin.uploadpack",
            s.beside("pack").to_str().unwrap(),
        ]);
        let missing = ask(&s, "origin", Pushed::Tip).unwrap_err();
        assert!(
            missing.why.contains("cannot be asked"),
            "{script}: {missing:?}"
        );
    }
}

#[test]
fn a_git_that_says_nothing_or_something_else_is_unknown() {
    for script in [
        "exit 0",
        "echo hello",
        "printf 'abc\\trefs/heads/main\\n'",
        "printf '%s refs/heads/main\\n' 0123456789012345678901234567890123456789",
        "exit 128",
        "kill -9 $$",
    ] {
        let s = Scratch::new();
        std::fs::create_dir(s.beside("bin")).unwrap();
        let git = s.beside("bin/git");
        std::fs::write(&git, format!("#!/bin/sh\n{script}\n")).unwrap();
        Command::new("chmod").arg("+x").arg(&git).status().unwrap();
        judged_in_child(&s, &s.beside("bin"));
    }
    // No git at all.
    let s = Scratch::new();
    std::fs::create_dir(s.beside("bin")).unwrap();
    judged_in_child(&s, &s.beside("bin"));
}

#[track_caller]
fn judged_in_child(s: &Scratch, path: &std::path::Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "repo::tests::more_pushed::judged_in_a_child_with_another_path",
        ])
        .env("LAUNCH_TEST_REPO", s.work())
        .env("PATH", path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

/// The child's part of the test above: nothing is known of the remote at `LAUNCH_TEST_REPO`.
#[test]
fn judged_in_a_child_with_another_path() {
    let Some(work) = std::env::var_os("LAUNCH_TEST_REPO") else {
        return;
    };
    let repo = Repo::discover(work.as_ref()).unwrap();
    let asked = remote_facts(&repo, "origin", "main", Pushed::Tip);
    assert!(asked.is_err(), "{asked:?}");
}

#[test]
fn a_remote_that_hangs_is_given_up_once_for_all_its_submodules() {
    let s = Scratch::new();
    s.git(&[
        "submodule",
        "--quiet",
        "add",
        s.beside("remote.git").to_str().unwrap(),
        "x",
    ]);
    s.git(&[
        "submodule",
        "--quiet",
        "add",
        s.beside("remote.git").to_str().unwrap(),
        "y",
    ]);
    s.git(&[
        "config",
        "-f",
        ".gitmodules",
        "submodule.x.url",
        "git@example.invalid:x",
    ]);
    s.git(&[
        "config",
        "-f",
        ".gitmodules",
        "submodule.y.url",
        "git@example.invalid:y",
    ]);
    s.commit_all("submodules");
    // Takes no option for granted and never ends.
    std::fs::write(s.beside("hang"), "#!/bin/sh\nsleep 60\n").unwrap();
    Command::new("chmod")
        .arg("+x")
        .arg(s.beside("hang"))
        .status()
        .unwrap();
    s.git(&[
        "config",
        "core.sshCommand",
        s.beside("hang").to_str().unwrap(),
    ]);
    let facts = ask(&s, "origin", Pushed::Tip).unwrap();
    let whys: Vec<&str> = facts
        .submodules
        .iter()
        .map(|sub| sub.on_remote.as_ref().unwrap_err().as_str())
        .collect();
    assert_eq!(whys.len(), 2);
    for why in whys {
        assert!(why.contains("did not end within 10 s"), "{why}");
    }
}

#[test]
fn merge_and_queue_refs_count_by_their_full_name_and_only_at_head() {
    let s = Scratch::new();
    s.git(&["push", "-q", "origin", "HEAD:refs/pull/6/merge"]);
    commit_more(&s);
    assert_eq!(merge_refs(&s), [""; 0], "a merge ref that is not HEAD");
    for name in [
        "refs/pull/7/head",
        "refs/heads/gh-readonly-queue/main/pr-7-0123",
        "refs/merge-requests/7/merge",
    ] {
        s.git(&["push", "-q", "origin", &format!("HEAD:{name}")]);
        assert_eq!(merge_refs(&s), [name]);
        s.git(&["push", "-q", "origin", &format!(":{name}")]);
    }
    for name in [
        "refs/heads/refs/pull/7/merge",
        "refs/tags/pull/7/merge",
        "refs/x/pull/7/merge",
    ] {
        s.git(&["push", "-q", "origin", &format!("HEAD:{name}")]);
    }
    assert_eq!(merge_refs(&s), [""; 0], "names that only end alike");
}

#[test]
fn a_submodule_that_nobody_can_fetch_is_no_pass() {
    // Committed as a link, with no address for anybody.
    let s = Scratch::new();
    s.git(&["clone", "-q", "../remote.git", "vendor"]);
    s.git(&["add", "vendor"]);
    s.commit_all("a repository inside, added by hand");
    let subs = ask(&s, "origin", Pushed::Tip).unwrap().submodules;
    assert!(subs[0].on_remote.is_err(), "{subs:?}");
    // Addresses that are options or commands.
    for url in ["--upload-pack=touch pwned", "ext::sh -c 'touch pwned'"] {
        let text = format!("[submodule \"v\"]\n\tpath = vendor\n\turl = {url}\n");
        s.write(".gitmodules", text);
        s.commit_all("odd address");
        let subs = ask(&s, "origin", Pushed::Tip).unwrap().submodules;
        assert!(subs[0].on_remote.is_err(), "{subs:?}");
        assert!(!s.path("pwned").exists());
    }
}
