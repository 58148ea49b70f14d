//! Is the disk HEAD? The misleading states, one test each.

use super::Scratch;
use crate::repo::{Repo, RepoError};
use launch_checks::DifferenceKind::{
    Conflict, EmbeddedRepo, Hidden, Missing, ModeChanged, Modified, Operation, Staged, Submodule,
    TypeChanged, Untracked,
};
use launch_checks::Found;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[test]
fn a_fresh_clone_is_clean() {
    let s = Scratch::new();
    let facts = s.is_clean();
    assert_eq!(facts.compared, 7);
    assert_eq!(facts.branch.as_deref(), Some("main"));
    assert_eq!(facts.commit, s.git(&["rev-parse", "HEAD"]));
    assert_eq!(facts.tree, s.git(&["rev-parse", "HEAD^{tree}"]));
}

#[test]
fn ignored_files_and_empty_directories_are_clean() {
    let s = Scratch::new();
    s.write("target/debug/x", "x");
    s.write("src/deep/x.log", "x");
    std::fs::create_dir(s.path("empty")).unwrap();
    s.is_clean();
}

#[test]
fn state_01_untracked() {
    let s = Scratch::new();
    s.write("src/new.rs", "");
    s.differs(Untracked, "src/new.rs");
    s.write("new/dir/file", "");
    s.differs(Untracked, "new/dir/file");
}

#[test]
fn state_02_untracked_files_not_shown_by_configuration() {
    let s = Scratch::new();
    s.git(&["config", "status.showUntrackedFiles", "no"]);
    s.write("src/new.rs", "");
    s.git_says_clean();
    s.differs(Untracked, "src/new.rs");
}

#[test]
fn state_03_ignored_but_needed_is_not_in_head() {
    let s = Scratch::new();
    s.write("manifests/strategies/a.log", "{}");
    s.git_says_clean();
    s.is_clean();
    let found = |path: &str| s.repo().found(path).unwrap();
    assert_eq!(
        found("manifests/strategies/a.log"),
        Found::Missing {
            on_disk: true,
            ignored: true
        }
    );
    assert_eq!(found("README.md"), Found::Blob { bytes: 6 });
    assert_eq!(
        found("none"),
        Found::Missing {
            on_disk: false,
            ignored: false
        }
    );
    assert_eq!(found("src"), Found::NotAFile("a directory"));
    assert_eq!(found("link"), Found::NotAFile("a symbolic link"));
    for outside in ["../x", "/etc/passwd", "src/../../x", "", "src//lib.rs"] {
        assert_eq!(found(outside), Found::Outside, "{outside:?}");
    }
}

#[test]
fn state_04_hidden_by_local_exclude_rules() {
    let s = Scratch::new();
    s.write("src/hidden.rs", "");
    std::fs::write(s.path(".git/info/exclude"), "hidden.rs\n").unwrap();
    s.git_says_clean();
    s.differs(Hidden, "src/hidden.rs");

    let s = Scratch::new();
    s.write("src/hidden.rs", "");
    std::fs::write(s.beside("excludes"), "hidden.rs\n").unwrap();
    s.git(&[
        "config",
        "core.excludesFile",
        s.beside("excludes").to_str().unwrap(),
    ]);
    s.git_says_clean();
    s.differs(Hidden, "src/hidden.rs");
}

#[test]
fn state_04b_hidden_by_an_ignore_file_that_ignores_itself() {
    let s = Scratch::new();
    s.write("src/new/.gitignore", "*\n");
    s.write("src/new/strategy.rs", "");
    s.git_says_clean();
    s.differs(Hidden, "src/new/strategy.rs");
    s.differs(Hidden, "src/new/.gitignore");
}

#[test]
fn committed_ignore_rules_are_obeyed_with_negation_and_by_directory() {
    let s = Scratch::new();
    s.write(".gitignore", "target/\n*.log\n!keep.log\n/top\n");
    s.write("docs/.gitignore", "draft*\n");
    s.commit_all("rules");
    s.write("docs/draft.md", "");
    s.write("top", "");
    s.write("x.log", "");
    s.is_clean();
    s.write("src/keep.log", "");
    s.differs(Untracked, "src/keep.log");
    s.write("src/top", "");
    s.differs(Untracked, "src/top");
    s.write("src/draft.md", "");
    s.differs(Untracked, "src/draft.md");
}

#[test]
fn state_05_tracked_and_ignored_is_clean() {
    let s = Scratch::new();
    s.write("kept.log", "x");
    s.git(&["add", "-f", "kept.log"]);
    s.git(&["commit", "-q", "-m", "log"]);
    s.is_clean();
    s.write("kept.log", "y");
    s.differs(Modified, "kept.log");
}

#[test]
fn state_06_assume_unchanged_edited() {
    let s = Scratch::new();
    s.git(&["update-index", "--assume-unchanged", "src/lib.rs"]);
    s.is_clean();
    s.write("src/lib.rs", "pub fn g() {}\n");
    s.git_says_clean();
    assert!(
        s.differs(Modified, "src/lib.rs")
            .contains("--no-assume-unchanged")
    );
}

#[test]
fn state_07_skip_worktree_edited_or_gone() {
    let s = Scratch::new();
    s.git(&["update-index", "--skip-worktree", "src/lib.rs"]);
    s.write("src/lib.rs", "pub fn g() {}\n");
    s.git_says_clean();
    assert!(
        s.differs(Modified, "src/lib.rs")
            .contains("--no-skip-worktree")
    );
    std::fs::remove_file(s.path("src/lib.rs")).unwrap();
    s.git_says_clean();
    s.differs(Missing, "src/lib.rs");
}

#[test]
fn sparse_checkouts_leave_out_only_what_their_patterns_say() {
    let s = Scratch::new();
    s.git(&["sparse-checkout", "set", "src"]);
    assert!(!s.path("docs").exists());
    let facts = s.is_clean();
    assert!(
        facts.notes[0].contains("1 files of HEAD are left out"),
        "{facts:?}"
    );
    // A file inside the patterns that is gone, with the bit set by hand, is no sparse checkout.
    s.git(&["update-index", "--skip-worktree", "src/lib.rs"]);
    std::fs::remove_file(s.path("src/lib.rs")).unwrap();
    s.git_says_clean();
    s.differs(Missing, "src/lib.rs");
}

#[test]
fn sparse_and_split_indexes_are_read() {
    let s = Scratch::new();
    s.git(&["sparse-checkout", "set", "--sparse-index", "src"]);
    s.is_clean();
    s.write("src/lib.rs", "staged\n");
    s.git(&["add", "src/lib.rs"]);
    s.write("src/lib.rs", "pub fn f() {}\n");
    s.differs(Staged, "src/lib.rs");

    let s = Scratch::new();
    s.git(&["update-index", "--split-index"]);
    s.is_clean();
    s.git(&["update-index", "--assume-unchanged", "src/lib.rs"]);
    s.write("src/lib.rs", "pub fn g() {}\n");
    s.git_says_clean();
    assert!(
        s.differs(Modified, "src/lib.rs")
            .contains("assume-unchanged")
    );
}

fn with_submodule() -> Scratch {
    let s = Scratch::new();
    s.git(&[
        "submodule",
        "--quiet",
        "add",
        s.beside("remote.git").to_str().unwrap(),
        "vendor/x",
    ]);
    s.commit_all("submodule");
    s.is_clean();
    s
}

#[test]
fn state_10_11_submodule_edited_inside() {
    let s = with_submodule();
    s.git(&["config", "diff.ignoreSubmodules", "all"]);
    s.write("vendor/x/src/lib.rs", "changed\n");
    s.git_says_clean();
    assert_eq!(s.differs(Submodule, "vendor/x/src/lib.rs"), "modified");
    s.git_in(&s.path("vendor/x"), &["checkout", "-q", "."]);
    s.is_clean();
    s.write("vendor/x/new", "");
    s.differs(Submodule, "vendor/x/new");
}

#[test]
fn state_12_submodule_at_another_commit_or_not_checked_out() {
    let s = with_submodule();
    s.write("vendor/x/new", "");
    s.git_in(&s.path("vendor/x"), &["add", "-A"]);
    s.git_in(&s.path("vendor/x"), &["commit", "-q", "-m", "inside"]);
    assert!(s.differs(Submodule, "vendor/x").contains("HEAD wants"));

    let s = with_submodule();
    s.git(&["submodule", "--quiet", "deinit", "-f", "vendor/x"]);
    s.git_says_clean();
    assert_eq!(s.differs(Submodule, "vendor/x"), "not checked out");
}

#[test]
fn state_15_merge_in_progress_with_an_equal_tree() {
    let s = Scratch::new();
    s.git(&["checkout", "-q", "-b", "side"]);
    s.write("side", "");
    s.commit_all("side");
    s.git(&["checkout", "-q", "main"]);
    s.git(&["merge", "-q", "-s", "ours", "--no-commit", "side"]);
    s.git_says_clean();
    assert_eq!(s.differs(Operation, ""), "merge");
}

#[test]
fn state_16_rebase_stopped_at_an_edit() {
    let s = Scratch::new();
    s.write("a", "");
    s.commit_all("second");
    let editor = "sed -i -e s/^pick/edit/";
    s.git(&[
        "-c",
        &format!("sequence.editor={editor}"),
        "rebase",
        "-q",
        "-i",
        "HEAD~1",
    ]);
    s.git_says_clean();
    assert_eq!(s.differs(Operation, ""), "rebase");
}

#[test]
fn state_17_bisect_cherry_pick_revert_and_sequences() {
    let s = Scratch::new();
    s.git(&["bisect", "start"]);
    s.git_says_clean();
    assert_eq!(s.differs(Operation, ""), "bisect");

    for (marker, name) in [
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
    ] {
        let s = Scratch::new();
        let head = s.git(&["rev-parse", "HEAD"]);
        std::fs::write(s.path(".git").join(marker), head).unwrap();
        assert_eq!(s.differs(Operation, ""), name);
    }
    let s = Scratch::new();
    std::fs::create_dir(s.path(".git/sequencer")).unwrap();
    s.git_says_clean();
    assert!(s.differs(Operation, "").contains("sequence"));
}

#[test]
fn state_17b_an_index_lock_is_unseen_and_no_difference() {
    let s = Scratch::new();
    std::fs::write(s.path(".git/index.lock"), "").unwrap();
    let facts = s.facts();
    assert!(facts.differences.is_empty(), "{facts:?}");
    assert!(facts.unseen[0].contains("another git"), "{facts:?}");
}

#[test]
fn state_18_a_stash_is_a_note() {
    let s = Scratch::new();
    s.write("src/lib.rs", "stashed\n");
    s.git(&["stash", "-q"]);
    let facts = s.is_clean();
    assert!(facts.notes[0].contains("1 stash"), "{facts:?}");
}

#[test]
fn state_19_embedded_repositories() {
    let s = Scratch::new();
    s.git(&["init", "-q", "lib"]);
    s.differs(EmbeddedRepo, "lib");
    let s = Scratch::new();
    s.git(&["clone", "-q", "../remote.git", "vendor"]);
    s.differs(EmbeddedRepo, "vendor");
    // In an ignored directory it is nobody's business.
    let s = Scratch::new();
    s.git(&["clone", "-q", "../remote.git", "target/x"]);
    s.is_clean();
}

#[test]
fn state_20_mode_change_with_file_mode_off() {
    let s = Scratch::new();
    s.git(&["config", "core.fileMode", "false"]);
    s.chmod("src/lib.rs", 0o755);
    s.chmod("run.sh", 0o644);
    s.git_says_clean();
    assert!(
        s.differs(ModeChanged, "src/lib.rs")
            .contains("on disk, not in HEAD")
    );
    assert!(
        s.differs(ModeChanged, "run.sh")
            .contains("in HEAD, not on disk")
    );
}

#[test]
fn state_21_line_ends_that_normalise_pass() {
    let s = Scratch::new();
    s.write(".gitattributes", "*.md text\n");
    s.commit_all("attributes");
    s.write("README.md", "hello\r\n");
    let facts = s.is_clean();
    assert!(facts.notes[0].contains("line ends"), "{facts:?}");
    // Without the rule the same bytes are another content.
    s.write("src/lib.rs", "pub fn f() {}\r\n");
    s.differs(Modified, "src/lib.rs");
    // And with it, another content is another content.
    s.write("README.md", "hallo\r\n");
    s.differs(Modified, "README.md");
}

#[test]
fn state_21b_autocrlf_normalises_too() {
    let s = Scratch::new();
    s.git(&["config", "core.autocrlf", "true"]);
    s.write("README.md", "hello\r\n");
    s.is_clean();
}

#[test]
fn state_23_a_lying_fsmonitor_hook() {
    let s = Scratch::new();
    std::fs::write(s.beside("hook"), "#!/bin/sh\nprintf 'token\\0'\n").unwrap();
    Command::new("chmod")
        .arg("+x")
        .arg(s.beside("hook"))
        .status()
        .unwrap();
    s.git(&[
        "config",
        "core.fsmonitor",
        s.beside("hook").to_str().unwrap(),
    ]);
    s.git(&["update-index", "--fsmonitor"]);
    s.git(&["status", "--porcelain"]);
    s.write("src/lib.rs", "pub fn g() {}\n");
    s.differs(Modified, "src/lib.rs");
}

#[test]
fn state_24_a_clean_filter_that_hides_edits() {
    let s = Scratch::new();
    std::fs::write(s.path(".git/info/attributes"), "lib.rs filter=hide\n").unwrap();
    s.git(&["config", "filter.hide.clean", "git show HEAD:src/lib.rs"]);
    s.write("src/lib.rs", "pub fn g() {}\n");
    s.git(&["add", "src/lib.rs"]);
    s.git_says_clean();
    s.differs(Modified, "src/lib.rs");
}

#[test]
fn state_24b_a_committed_filter_is_unseen_where_it_matters() {
    let s = Scratch::new();
    s.write(".gitattributes", "*.secret filter=crypt\n");
    s.write("a.secret", "x\n");
    s.commit_all("secret");
    s.is_clean();
    s.write("a.secret", "y\n");
    s.git(&["config", "filter.crypt.clean", "git show HEAD:a.secret"]);
    let facts = s.facts();
    assert!(
        facts.unseen[0].contains("passes through filter \"crypt\""),
        "{facts:?}"
    );
}

#[test]
fn state_24c_git_lfs_files_are_compared_with_their_pointer() {
    let s = Scratch::new();
    // sha256 of "big\n".
    let pointer = "version https://git-lfs.github.com/spec/v1\n\
        oid sha256:99f93b1ae2cb3276c3a9e0ca1cf79e7c6e8d0b2ac9cbe1df7ccc0a7ffd20a8e6\nsize 4\n";
    let digest = trader_core::digest::sha256(b"big\n").replace("sha256:", "");
    let pointer = pointer.replace(
        "99f93b1ae2cb3276c3a9e0ca1cf79e7c6e8d0b2ac9cbe1df7ccc0a7ffd20a8e6",
        &digest,
    );
    s.write("big.bin", pointer);
    s.commit_all("pointer");
    s.write(".gitattributes", "*.bin filter=lfs\n");
    s.commit_all("attributes");
    assert_eq!(
        s.repo().found("big.bin").unwrap(),
        Found::NotAFile("a Git LFS pointer")
    );
    s.write("big.bin", "big\n");
    assert!(s.is_clean().notes[0].contains("LFS"));
    s.write("big.bin", "bug\n");
    s.differs(Modified, "big.bin");
}

#[test]
fn state_25_a_replace_ref_does_not_change_what_head_holds() {
    let s = Scratch::new();
    let real = s.git(&["rev-parse", "HEAD"]);
    s.write("src/lib.rs", "other\n");
    s.git(&["commit", "-q", "-am", "other"]);
    let other = s.git(&["rev-parse", "HEAD"]);
    s.git(&["replace", &real, &other]);
    s.git(&["checkout", "-q", &real]);
    s.git_says_clean();
    assert_eq!(
        std::fs::read_to_string(s.path("src/lib.rs")).unwrap(),
        "other\n"
    );
    s.differs(Modified, "src/lib.rs");
}

#[test]
fn state_27_a_staged_change_with_the_file_put_back() {
    let s = Scratch::new();
    s.write("src/lib.rs", "staged\n");
    s.git(&["add", "src/lib.rs"]);
    s.write("src/lib.rs", "pub fn f() {}\n");
    assert_eq!(s.differs(Staged, "src/lib.rs"), "content");
}

#[test]
fn state_28_intent_to_add_and_removal_from_the_index() {
    let s = Scratch::new();
    s.write("src/new.rs", "");
    s.git(&["add", "-N", "src/new.rs"]);
    assert_eq!(s.differs(Staged, "src/new.rs"), "intent to add");
    let s = Scratch::new();
    s.git(&["rm", "-q", "--cached", "src/lib.rs"]);
    assert_eq!(s.differs(Staged, "src/lib.rs"), "removal");
}

/// The child's part of the next test: says whether the repository at `LAUNCH_TEST_REPO` is clean.
#[test]
fn judged_in_a_child_with_git_variables_set() {
    let Some(work) = std::env::var_os("LAUNCH_TEST_REPO") else {
        return;
    };
    let facts = Repo::discover(work.as_ref()).unwrap().work_tree().unwrap();
    assert!(!facts.differences.is_empty(), "the environment was obeyed");
    assert!(facts.notes[0].contains("GIT_DIR"), "{facts:?}");
}

#[test]
fn state_29_git_variables_that_point_elsewhere_are_not_obeyed() {
    let (dirty, clean) = (Scratch::new(), Scratch::new());
    dirty.write("src/new.rs", "");
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "repo::tests::states::judged_in_a_child_with_git_variables_set",
        ])
        .env("LAUNCH_TEST_REPO", dirty.work())
        .env("GIT_DIR", clean.path(".git"))
        .env("GIT_WORK_TREE", clean.work())
        .env("GIT_INDEX_FILE", clean.path(".git/index"))
        .current_dir(dirty.work())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn state_32_linked_work_trees() {
    let s = Scratch::new();
    s.git(&["worktree", "add", "-q", "../linked", "-b", "linked"]);
    let linked = || {
        Repo::discover(&s.beside("linked"))
            .unwrap()
            .work_tree()
            .unwrap()
    };
    assert!(linked().differences.is_empty(), "{:?}", linked());
    std::fs::write(s.beside("linked/new"), "").unwrap();
    assert_eq!(linked().differences[0].kind, Untracked);
    std::fs::remove_file(s.beside("linked/new")).unwrap();
    // Its own operation, in its own git directory.
    s.git_in(&s.beside("linked"), &["bisect", "start"]);
    assert_eq!(linked().differences[0].kind, Operation);
    s.is_clean();
}

#[test]
fn state_35_unborn_bare_and_no_repository() {
    let s = Scratch::new();
    s.git_in(&s.beside(""), &["init", "-q", "unborn"]);
    let error = |name: &str| Repo::discover(&s.beside(name)).unwrap_err();
    assert_eq!(error("unborn"), RepoError::Unborn);
    assert!(matches!(error("remote.git"), RepoError::Bare(_)));
    std::fs::create_dir(s.beside("nothing")).unwrap();
    assert!(matches!(error("nothing"), RepoError::NotARepository(_)));
    assert!(matches!(
        error("no-such-directory"),
        RepoError::NotARepository(_)
    ));
    assert!(error("unborn").missing().help.is_some());
}

#[test]
fn a_work_tree_that_is_configured_to_be_elsewhere_is_unknown() {
    let (s, other) = (Scratch::new(), Scratch::new());
    s.git(&["config", "core.worktree", other.work().to_str().unwrap()]);
    s.write("src/new.rs", "");
    assert!(matches!(
        Repo::discover(&s.work()),
        Err(RepoError::Elsewhere(_))
    ));
}

#[test]
fn a_damaged_index_is_unseen() {
    let s = Scratch::new();
    std::fs::write(s.path(".git/index"), "garbage").unwrap();
    let facts = s.facts();
    assert!(
        facts.unseen[0].contains("index cannot be read"),
        "{facts:?}"
    );
}

#[test]
fn unmerged_paths_are_told() {
    let s = Scratch::new();
    s.git(&["checkout", "-q", "-b", "side"]);
    s.write("src/lib.rs", "side\n");
    s.commit_all("side");
    s.git(&["checkout", "-q", "main"]);
    s.write("src/lib.rs", "main\n");
    s.commit_all("main");
    s.try_git(&s.work(), &["merge", "-q", "side"]);
    s.differs(Conflict, "src/lib.rs");
    s.differs(Operation, "");
}

#[test]
fn deleted_files_and_changed_types() {
    let s = Scratch::new();
    std::fs::remove_file(s.path("src/lib.rs")).unwrap();
    s.differs(Missing, "src/lib.rs");
    std::fs::remove_file(s.path("link")).unwrap();
    s.write("link", "README.md");
    s.differs(TypeChanged, "link");
    std::fs::remove_file(s.path("README.md")).unwrap();
    std::os::unix::fs::symlink("run.sh", s.path("README.md")).unwrap();
    s.differs(TypeChanged, "README.md");
    // A directory that became a link to one with the same files.
    std::fs::rename(s.path("docs"), s.beside("docs")).unwrap();
    std::os::unix::fs::symlink("../docs", s.path("docs")).unwrap();
    s.differs(TypeChanged, "docs");
    s.differs(Missing, "docs/a.md");
}

#[test]
fn a_link_to_another_target_is_modified_and_a_dangling_one_is_fine() {
    let s = Scratch::new();
    std::fs::remove_file(s.path("link")).unwrap();
    std::os::unix::fs::symlink("run.sh", s.path("link")).unwrap();
    s.differs(Modified, "link");
    let s = Scratch::new();
    std::os::unix::fs::symlink("nowhere", s.path("dangling")).unwrap();
    s.differs(Untracked, "dangling");
    s.commit_all("dangling");
    s.is_clean();
}

#[test]
fn an_edit_that_keeps_size_and_time_is_seen() {
    let s = Scratch::new();
    let before = std::fs::metadata(s.path("src/lib.rs"))
        .unwrap()
        .modified()
        .unwrap();
    s.write("src/lib.rs", "pub fn g() {}\n");
    let file = std::fs::File::options()
        .write(true)
        .open(s.path("src/lib.rs"))
        .unwrap();
    file.set_modified(before).unwrap();
    s.differs(Modified, "src/lib.rs");
}

#[test]
fn names_that_are_not_text_are_handled() {
    use std::os::unix::ffi::OsStrExt as _;
    let s = Scratch::new();
    let name = std::ffi::OsStr::from_bytes(b"odd-\xff name\n");
    std::fs::write(s.work().join(name), "x").unwrap();
    assert_eq!(s.facts().differences.len(), 1);
    s.commit_all("odd");
    s.is_clean();
}

#[test]
fn a_detached_head_is_judged_by_its_commit() {
    let s = Scratch::new();
    s.git(&["checkout", "-q", "--detach"]);
    assert_eq!(s.is_clean().branch, None);
}

#[test]
fn a_subdirectory_sees_the_whole_tree() {
    let s = Scratch::new();
    s.write("new", "");
    let facts = Repo::discover(&s.path("src")).unwrap().work_tree().unwrap();
    assert_eq!(facts.differences[0].path, "new");
}

#[test]
fn the_export_is_the_commit_and_not_the_disk() {
    let s = Scratch::new();
    s.write("src/lib.rs", "edited\n");
    s.write("src/new.rs", "");
    let out = s.beside("export");
    std::fs::create_dir(&out).unwrap();
    s.repo().export(&out).unwrap();
    assert_eq!(
        std::fs::read_to_string(out.join("src/lib.rs")).unwrap(),
        "pub fn f() {}\n"
    );
    assert!(!out.join("src/new.rs").exists());
    assert_eq!(
        std::fs::read_link(out.join("link")).unwrap().to_str(),
        Some("README.md")
    );
    let mode = std::fs::metadata(out.join("run.sh"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o755);
    assert_eq!(
        s.repo().blob("src/lib.rs").unwrap().unwrap(),
        b"pub fn f() {}\n"
    );
    assert_eq!(s.repo().blob("src/new.rs").unwrap(), None);
}

#[test]
fn an_export_refuses_links_that_lead_out() {
    let s = Scratch::new();
    std::os::unix::fs::symlink("../../etc/passwd", s.path("src/out")).unwrap();
    s.commit_all("out");
    let out = s.beside("export");
    std::fs::create_dir(&out).unwrap();
    let error = s.repo().export(&out).unwrap_err();
    assert!(error.to_string().contains("src/out"), "{error}");
}
