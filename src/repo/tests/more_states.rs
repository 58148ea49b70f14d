//! Is the disk HEAD? States past those of the list, one test each.

use super::Scratch;
use crate::repo::{Repo, RepoError};
use launch_checks::DifferenceKind::{
    Conflict, EmbeddedRepo, Hidden, Missing, ModeChanged, Modified, Operation, Staged, Submodule,
    TypeChanged, Untracked,
};
use launch_checks::Found;
use std::process::Command;

/// What cannot be seen, with no difference beside it.
#[track_caller]
fn only_unseen(s: &Scratch) -> String {
    let facts = s.facts();
    assert!(
        facts.differences.is_empty() && !facts.unseen.is_empty(),
        "{facts:#?}"
    );
    facts.unseen.concat()
}

fn fifo(path: &std::path::Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_whitelisting_ignore_file_is_read_as_git_reads_it() {
    let s = Scratch::new();
    s.write(
        ".gitignore",
        "/*\n!/src/\n!/.gitignore\n/src/*\n!/src/*.rs\n",
    );
    s.git(&["add", "-f", "-A"]);
    s.commit_all("whitelist");
    s.write("anything", "");
    s.write("src/data.bin", "");
    s.git_says_clean();
    s.is_clean();
    s.write("src/new.rs", "");
    s.differs(Untracked, "src/new.rs");
}

#[test]
fn a_file_in_an_ignored_directory_that_head_has_files_in_is_ignored_too() {
    let s = Scratch::new();
    s.write("target/kept", "");
    s.git(&["add", "-f", "target/kept"]);
    s.commit_all("kept");
    s.write("target/other", "");
    s.git_says_clean();
    s.is_clean();
}

#[test]
fn sparse_cones_in_depth_and_patterns_without_a_cone() {
    let s = Scratch::new();
    for path in ["a/x/1", "a/y/1", "a/top", "b/1", "a/x/deep/1"] {
        s.write(path, "");
    }
    s.commit_all("more");
    s.git(&["sparse-checkout", "set", "--cone", "a/x"]);
    assert!(!s.path("a/y").exists() && s.path("a/top").exists());
    s.git_says_clean();
    s.is_clean();
    s.git(&[
        "sparse-checkout",
        "set",
        "--no-cone",
        "/*",
        "!/a/y",
        "!docs",
    ]);
    assert!(!s.path("a/y").exists() && s.path("b/1").exists());
    s.git_says_clean();
    s.is_clean();
    // Put back by hand, with another content.
    s.write("docs/a.md", "other\n");
    s.differs(Modified, "docs/a.md");
}

#[test]
fn pipes_sockets_and_rule_files_that_are_pipes_hang_nothing() {
    let s = Scratch::new();
    fifo(&s.path("src/pipe"));
    drop(std::os::unix::net::UnixListener::bind(s.path("src/socket")).unwrap());
    s.git_says_clean();
    s.is_clean();
    // Rule files that nobody can read to their end.
    fifo(&s.path("src/.gitignore"));
    fifo(&s.path("src/.gitattributes"));
    s.write("src/new.rs", "");
    s.write("src/lib.rs", "pub fn f() {}\r\n");
    let facts = s.facts();
    assert!(
        facts.unseen.concat().contains(".gitattributes"),
        "{facts:?}"
    );
    s.differs(Untracked, "src/new.rs");
    assert_eq!(
        s.repo().found("src/none").unwrap(),
        Found::Missing {
            on_disk: false,
            ignored: false
        }
    );
    // In the place of a file of HEAD.
    let s = Scratch::new();
    std::fs::remove_file(s.path("README.md")).unwrap();
    fifo(&s.path("README.md"));
    s.differs(TypeChanged, "README.md");
}

#[test]
fn old_file_modes_are_read_as_git_reads_them() {
    let s = Scratch::new();
    let blob = s.git(&["rev-parse", "HEAD:README.md"]);
    let raw: Vec<u8> = (0..40)
        .step_by(2)
        .map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap())
        .collect();
    let mut tree = b"100664 README.md\0".to_vec();
    tree.extend(raw);
    std::fs::write(s.beside("tree"), tree).unwrap();
    let file = s.beside("tree");
    let tree = s.git(&[
        "hash-object",
        "-t",
        "tree",
        "-w",
        "--literally",
        file.to_str().unwrap(),
    ]);
    let commit = s.git(&["commit-tree", "-m", "old", &tree]);
    s.git(&["checkout", "-q", "-f", &commit]);
    s.git(&["clean", "-fdxq"]);
    s.git_says_clean();
    assert_eq!(s.is_clean().compared, 1);
}

#[test]
fn a_directory_named_like_a_repository_that_is_none_is_looked_past() {
    let s = Scratch::new();
    std::fs::create_dir(s.path("src/.git")).unwrap();
    s.git_says_clean();
    s.is_clean();
    std::fs::create_dir_all(s.path("lib/.git")).unwrap();
    s.is_clean();
    s.write("lib/a", "");
    s.differs(Untracked, "lib/a");
    // A repository that was put into a directory that HEAD has.
    s.git(&["init", "-q", "docs"]);
    s.differs(EmbeddedRepo, "docs");
    // A work tree of this very repository inside itself.
    let s = Scratch::new();
    s.git(&["worktree", "add", "-q", "inner", "-b", "inner"]);
    s.differs(EmbeddedRepo, "inner");
}

#[test]
fn utf16_files_are_compared_by_their_text() {
    let utf16 = |text: &str| -> Vec<u8> {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        [0xff, 0xfe].into_iter().chain(units).collect()
    };
    let s = Scratch::new();
    s.write(
        ".gitattributes",
        "*.ps1 text working-tree-encoding=UTF-16LE-BOM eol=crlf\n",
    );
    s.write("a.ps1", utf16("one\r\ntwo\r\n"));
    s.commit_all("encoded");
    assert_eq!(s.git(&["show", "HEAD:a.ps1"]), "one\ntwo");
    s.git_says_clean();
    assert!(s.is_clean().notes[0].contains("on disk"));
    s.write("a.ps1", utf16("one\r\nTWO\r\n"));
    s.differs(Modified, "a.ps1");
    s.write("a.ps1", b"\xff\xfe\x00");
    assert!(only_unseen(&s).contains("UTF-16LE-BOM"));
}

#[test]
fn ident_lines_expand_on_disk_and_are_clean() {
    let s = Scratch::new();
    s.write(".gitattributes", "*.c ident\n");
    s.write("a.c", "/* $Id$ */\n");
    s.commit_all("ident");
    std::fs::remove_file(s.path("a.c")).unwrap();
    s.git(&["checkout", "-q", "--", "a.c"]);
    let text = std::fs::read_to_string(s.path("a.c")).unwrap();
    assert!(text.len() > 40, "expanded: {text}");
    s.is_clean();
    s.write("a.c", text + "more\n");
    s.differs(Modified, "a.c");
}

#[test]
fn a_committed_filter_without_a_command_excuses_nothing() {
    let s = Scratch::new();
    s.write(".gitattributes", "*.secret filter=crypt\n");
    s.write("a.secret", "x\n");
    s.commit_all("secret");
    s.write("a.secret", "y\n");
    s.differs(Modified, "a.secret");
    // One that is run as a process counts as a command.
    s.git(&["config", "filter.crypt.process", "false"]);
    assert!(only_unseen(&s).contains("crypt"));
}

#[test]
fn line_ends_by_a_setting_of_the_user() {
    for (key, value) in [("core.autocrlf", "input"), ("core.autocrlf", "true")] {
        let s = Scratch::new();
        s.git(&["config", key, value]);
        s.git(&["config", "core.safecrlf", "true"]);
        s.write("README.md", "hello\r\n");
        s.is_clean();
        // Committed with CRLF: another content without it.
        s.git(&["config", "core.autocrlf", "false"]);
        s.write("docs/crlf.md", "a\r\n");
        s.commit_all("crlf");
        s.git(&["config", key, value]);
        s.write("docs/crlf.md", "a\n");
        s.differs(Modified, "docs/crlf.md");
    }
}

#[test]
fn formats_that_cannot_be_read_here_are_unknown() {
    let s = Scratch::new();
    for (name, option) in [
        ("reftable", "--ref-format=reftable"),
        ("sha256", "--object-format=sha256"),
    ] {
        s.git_in(&s.beside(""), &["init", "-q", option, name]);
        let there = s.beside(name);
        std::fs::write(there.join("a"), "").unwrap();
        s.git_in(&there, &["add", "a"]);
        s.git_in(&there, &["commit", "-q", "-m", "first"]);
        let error = Repo::discover(&there).unwrap_err();
        let RepoError::Git { detail, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(
            detail.contains("extension") || detail.contains("object format"),
            "{detail}"
        );
        let help = error.missing().help.unwrap();
        assert!(help.contains("clone"), "{help}");
    }
    // A promisor remote: objects come when they are asked for, and nobody asks here.
    let url = format!("file://{}", s.beside("remote.git").display());
    s.git_in(
        &s.beside("remote.git"),
        &["config", "uploadpack.allowFilter", "true"],
    );
    s.git_in(
        &s.beside(""),
        &["clone", "-q", "--filter=blob:none", &url, "partial"],
    );
    match Repo::discover(&s.beside("partial")) {
        Ok(repo) => assert!(repo.work_tree().unwrap().differences.is_empty()),
        Err(error) => assert!(error.missing().help.unwrap().contains("clone"), "{error}"),
    }
}

#[test]
fn another_index_version_an_untracked_cache_and_no_checksum() {
    let s = Scratch::new();
    s.git(&["update-index", "--index-version", "4"]);
    s.git(&["update-index", "--force-untracked-cache"]);
    s.is_clean();
    s.git(&["config", "index.skipHash", "true"]);
    s.write("src/lib.rs", "staged\n");
    s.git(&["add", "-A"]);
    s.write("src/lib.rs", "pub fn f() {}\n");
    s.differs(Staged, "src/lib.rs");
    // No index at all: git takes everything for removed.
    let s = Scratch::new();
    std::fs::remove_file(s.path(".git/index")).unwrap();
    s.differs(Staged, "src/lib.rs");
}

#[test]
fn missing_and_damaged_objects() {
    let object = |s: &Scratch, name: &str| {
        let id = s.git(&["rev-parse", name]);
        s.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))
    };
    // The tree or the commit of HEAD: nothing can be said.
    for name in ["HEAD", "HEAD^{tree}", "HEAD:src"] {
        let s = Scratch::new();
        std::fs::remove_file(object(&s, name)).unwrap();
        assert!(matches!(
            Repo::discover(&s.work()),
            Err(RepoError::Git { .. })
        ));
        let s = Scratch::new();
        let other = std::fs::read(object(&s, "HEAD:README.md")).unwrap();
        let place = object(&s, name);
        std::fs::remove_file(&place).unwrap();
        std::fs::write(&place, other).unwrap();
        assert!(matches!(
            Repo::discover(&s.work()),
            Err(RepoError::Git { .. })
        ));
    }
    // A blob: the disk still equals HEAD by its name, its content cannot be read from HEAD.
    let s = Scratch::new();
    std::fs::remove_file(object(&s, "HEAD:README.md")).unwrap();
    s.is_clean();
    assert!(s.repo().found("README.md").is_err());
    // The ignore rules of HEAD: what is ignored cannot be known.
    let s = Scratch::new();
    std::fs::remove_file(object(&s, "HEAD:.gitignore")).unwrap();
    assert!(s.repo().work_tree().is_err());
}

#[test]
fn heads_that_lead_nowhere() {
    let head = |text: &str| {
        let s = Scratch::new();
        std::fs::write(s.path(".git/HEAD"), text).unwrap();
        Repo::discover(&s.work()).map(drop)
    };
    assert_eq!(head("ref: refs/heads/none\n"), Err(RepoError::Unborn));
    assert!(head("garbage\n").is_err());
    assert!(head("").is_err());
    assert!(head(&format!("{}\n", "1".repeat(40))).is_err());
    // An orphan branch: staged, but no commit.
    let s = Scratch::new();
    s.git(&["checkout", "-q", "--orphan", "fresh"]);
    assert_eq!(Repo::discover(&s.work()).map(drop), Err(RepoError::Unborn));
    // Packed refs and symbolic ones on the way are followed.
    let s = Scratch::new();
    s.git(&["pack-refs", "--all"]);
    s.git(&["gc", "-q"]);
    s.is_clean();
    s.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/main"]);
    s.git(&["symbolic-ref", "HEAD", "refs/heads/alias"]);
    s.is_clean();
}

#[test]
fn a_bare_setting_a_git_file_and_a_parent_as_work_tree() {
    let s = Scratch::new();
    s.git(&["config", "core.bare", "true"]);
    assert!(matches!(Repo::discover(&s.work()), Err(RepoError::Bare(_))));
    // `.git` is a file, or a link.
    let s = Scratch::new();
    std::fs::rename(s.path(".git"), s.beside("elsewhere.git")).unwrap();
    s.write(".git", "gitdir: ../elsewhere.git\n");
    s.is_clean();
    s.write("new", "");
    s.differs(Untracked, "new");
    std::fs::remove_file(s.path(".git")).unwrap();
    std::os::unix::fs::symlink("../elsewhere.git", s.path(".git")).unwrap();
    s.differs(Untracked, "new");
    // It leads nowhere.
    std::fs::remove_file(s.path(".git")).unwrap();
    s.write(".git", "gitdir: ../gone.git\n");
    assert!(Repo::discover(&s.work()).is_err());
    // The work tree is configured to be the directory above.
    let s = Scratch::new();
    s.git(&["config", "core.worktree", s.beside("").to_str().unwrap()]);
    s.differs(Missing, "README.md");
}

#[test]
fn another_user_s_repository_is_refused() {
    if !rustix::process::geteuid().is_root() {
        // Only root can give a directory away.
        return;
    }
    let s = Scratch::new();
    let chown = Command::new("chown")
        .args(["-R", "12345"])
        .arg(s.work())
        .status();
    assert!(chown.unwrap().success());
    let error = Repo::discover(&s.work()).unwrap_err();
    assert!(matches!(error, RepoError::NotOurs(_)), "{error:?}");
    assert!(error.missing().help.unwrap().contains("safe.directory"));
}

#[test]
fn settings_of_other_systems_do_not_blur_the_comparison() {
    let s = Scratch::new();
    s.git(&["config", "core.ignoreCase", "true"]);
    s.git(&["config", "core.precomposeUnicode", "true"]);
    s.write("readme.md", "other\n");
    s.write("a.LOG", "");
    s.differs(Untracked, "readme.md");
    let kinds: Vec<_> = s.facts().differences.iter().map(|d| d.kind).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    s.git(&["-c", "core.ignoreCase=false", "add", "-A"]);
    s.git(&["-c", "core.ignoreCase=false", "commit", "-q", "-m", "both"]);
    s.is_clean();
    // Renamed in case only.
    std::fs::rename(s.path("src/lib.rs"), s.path("src/Lib.rs")).unwrap();
    s.differs(Missing, "src/lib.rs");
    // Two spellings of one name.
    let s = Scratch::new();
    s.write("caf\u{e9}", "");
    s.commit_all("composed");
    s.is_clean();
    s.write("cafe\u{301}", "");
    s.differs(Untracked, "cafe\u{301}");
}

#[test]
fn links_that_are_files_where_the_setting_says_so() {
    let s = Scratch::new();
    std::fs::remove_file(s.path("link")).unwrap();
    s.write("link", "README.md");
    s.differs(TypeChanged, "link");
    s.git(&["config", "core.symlinks", "false"]);
    s.is_clean();
    s.write("link", "run.sh");
    s.differs(Modified, "link");
    // A link to a directory outside is a link, not its files.
    let s = Scratch::new();
    std::os::unix::fs::symlink("/etc", s.path("etc")).unwrap();
    s.differs(Untracked, "etc");
    assert_eq!(s.facts().differences.len(), 1);
}

#[test]
fn operations_of_every_kind_stopped_half_way() {
    let conflicting = || {
        let s = Scratch::new();
        s.git(&["checkout", "-q", "-b", "side"]);
        s.write("src/lib.rs", "side\n");
        s.commit_all("side");
        s.git(&[
            "format-patch",
            "-q",
            "-1",
            "-o",
            s.beside("").to_str().unwrap(),
        ]);
        s.git(&["checkout", "-q", "main"]);
        s.write("src/lib.rs", "main\n");
        s.commit_all("main");
        s
    };
    let patch = |s: &Scratch| s.beside("0001-side.patch").to_str().unwrap().to_owned();
    let stopped = |args: &[&str], word: &str| {
        let s = conflicting();
        let patch = patch(&s);
        let args: Vec<&str> = args
            .iter()
            .map(|arg| {
                if *arg == "PATCH" {
                    patch.as_str()
                } else {
                    *arg
                }
            })
            .collect();
        assert!(!s.try_git(&s.work(), &args).status.success(), "{args:?}");
        // Whatever the files say now, the operation itself is told.
        s.git(&["checkout", "-q", "-f", "HEAD", "--", "."]);
        let told = s.facts().differences;
        assert!(
            told.iter()
                .any(|d| d.kind == Operation && d.detail.contains(word)),
            "{args:?}: {told:?}"
        );
    };
    stopped(&["cherry-pick", "side"], "cherry-pick");
    stopped(&["revert", "HEAD~1"], "revert");
    stopped(&["rebase", "side"], "rebase");
    stopped(&["rebase", "--apply", "side"], "rebase");
    stopped(&["am", "PATCH"], "am");
    stopped(&["am", "-3", "PATCH"], "am");
    stopped(&["merge", "side"], "merge");
    // Three at once: the list of what is left to pick.
    let s = conflicting();
    s.git(&["branch", "second", "side"]);
    s.try_git(&s.work(), &["cherry-pick", "side", "main~1"]);
    s.differs(Operation, "");
    s.git(&["cherry-pick", "--abort"]);
    s.is_clean();
    // A squash leaves no marker, only what is staged.
    let s = conflicting();
    s.git(&["reset", "-q", "--hard", "HEAD~1"]);
    s.git(&["merge", "-q", "--squash", "side"]);
    s.differs(Staged, "src/lib.rs");
    // A stash that does not apply.
    let s = conflicting();
    s.write("src/lib.rs", "stashed\n");
    s.git(&["stash", "-q"]);
    s.git(&["reset", "-q", "--hard", "HEAD~1"]);
    s.try_git(&s.work(), &["stash", "pop"]);
    s.differs(Conflict, "src/lib.rs");
}

#[test]
fn renames_removals_and_modes_that_are_only_staged() {
    let s = Scratch::new();
    s.git(&["mv", "src/lib.rs", "src/moved.rs"]);
    assert_eq!(s.differs(Staged, "src/lib.rs"), "removal");
    assert_eq!(s.differs(Staged, "src/moved.rs"), "new file");
    let s = Scratch::new();
    s.git(&["update-index", "--chmod=+x", "src/lib.rs"]);
    assert_eq!(s.differs(Staged, "src/lib.rs"), "mode");
    // On disk as in HEAD, gone from the index: git would commit the removal.
    let s = Scratch::new();
    s.git(&["update-index", "--force-remove", "src/lib.rs"]);
    s.differs(Staged, "src/lib.rs");
    // An executable bit for others only is none.
    let s = Scratch::new();
    s.chmod("src/lib.rs", 0o655);
    s.is_clean();
    s.chmod("src/lib.rs", 0o744);
    s.differs(ModeChanged, "src/lib.rs");
}

fn with_nested_submodule() -> Scratch {
    let s = Scratch::new();
    let sub = |at: &std::path::Path, name: &str, from: &str| {
        s.git_in(at, &["submodule", "--quiet", "add", from, name]);
        s.git_in(at, &["commit", "-q", "-am", "submodule"]);
    };
    let remote = s.beside("remote.git").to_str().unwrap().to_owned();
    s.git_in(&s.beside(""), &["clone", "-q", &remote, "middle"]);
    sub(&s.beside("middle"), "inner", &remote);
    let middle = s.beside("middle").to_str().unwrap().to_owned();
    sub(&s.work(), "vendor/x", &middle);
    s.git(&["submodule", "--quiet", "update", "--init", "--recursive"]);
    s.is_clean();
    s
}

#[test]
fn submodules_in_submodules_with_every_setting_that_looks_away() {
    let s = with_nested_submodule();
    s.git(&["config", "submodule.vendor/x.ignore", "all"]);
    s.git(&[
        "config",
        "-f",
        ".gitmodules",
        "submodule.vendor/x.ignore",
        "all",
    ]);
    s.commit_all("ignore = all");
    s.is_clean();
    s.write("vendor/x/inner/src/lib.rs", "changed\n");
    s.git_says_clean();
    s.differs(Submodule, "vendor/x/inner/src/lib.rs");
    // Staged only, inside.
    let s = with_nested_submodule();
    s.write("vendor/x/README.md", "staged\n");
    s.git_in(&s.path("vendor/x"), &["add", "README.md"]);
    s.write("vendor/x/README.md", "hello\n");
    assert!(
        s.differs(Submodule, "vendor/x/README.md")
            .contains("staged")
    );
    // An operation, inside.
    let s = with_nested_submodule();
    s.git_in(&s.path("vendor/x/inner"), &["bisect", "start"]);
    assert!(s.differs(Submodule, "vendor/x/inner").contains("bisect"));
}

#[test]
fn submodules_that_are_gone_moved_or_replaced() {
    let s = with_nested_submodule();
    std::fs::remove_dir_all(s.path("vendor/x")).unwrap();
    s.differs(Missing, "vendor/x");
    std::fs::create_dir(s.path("vendor/x")).unwrap();
    s.differs(Submodule, "vendor/x");
    s.write("vendor/x/file", "");
    s.differs(Submodule, "vendor/x");
    std::fs::remove_dir_all(s.path("vendor/x")).unwrap();
    s.write("vendor/x", "a file");
    s.differs(TypeChanged, "vendor/x");
    // Its repository is gone, its files are there.
    let s = with_nested_submodule();
    std::fs::remove_dir_all(s.path(".git/modules")).unwrap();
    assert!(!s.facts().unseen.is_empty() || !s.facts().differences.is_empty());
    // Moved and not committed.
    let s = with_nested_submodule();
    s.git(&["mv", "vendor/x", "vendor/y"]);
    s.differs(Missing, "vendor/x");
    // A link to another repository at the same commit is no submodule.
    let s = with_nested_submodule();
    std::fs::rename(s.path("vendor/x"), s.beside("moved")).unwrap();
    std::os::unix::fs::symlink("../../moved", s.path("vendor/x")).unwrap();
    s.differs(TypeChanged, "vendor/x");
}

#[test]
fn rules_that_only_this_machine_has_hide_nothing() {
    // By a configuration that is included when a condition holds.
    let s = Scratch::new();
    std::fs::write(s.beside("excludes"), "hidden.rs\n").unwrap();
    std::fs::write(
        s.beside("extra"),
        format!(
            "[core]\n\texcludesFile = {}\n",
            s.beside("excludes").display()
        ),
    )
    .unwrap();
    s.git(&[
        "config",
        "includeIf.onbranch:main.path",
        s.beside("extra").to_str().unwrap(),
    ]);
    s.write("src/hidden.rs", "");
    s.git_says_clean();
    s.differs(Hidden, "src/hidden.rs");
    // By an edit of a committed rule file that is itself hidden.
    let s = Scratch::new();
    s.git(&["update-index", "--assume-unchanged", ".gitignore"]);
    s.write(".gitignore", "target/\n*.log\nhidden.rs\n");
    s.write("src/hidden.rs", "");
    s.git_says_clean();
    s.differs(Hidden, "src/hidden.rs");
    s.differs(Modified, ".gitignore");
    // By a rule file that is a link.
    let s = Scratch::new();
    std::fs::write(s.beside("rules"), "*\n").unwrap();
    std::os::unix::fs::symlink("../../rules", s.path("src/.gitignore")).unwrap();
    s.write("src/new.rs", "");
    assert!(s.facts().differences.iter().any(|d| d.path == "src/new.rs"));
}

#[test]
fn alternates_that_are_gone_are_unknown() {
    let s = Scratch::new();
    s.git_in(
        &s.beside(""),
        &["clone", "-q", "--shared", "work", "borrowing"],
    );
    let clean = Repo::discover(&s.beside("borrowing")).unwrap().work_tree();
    assert!(clean.unwrap().differences.is_empty());
    std::fs::rename(s.path(".git/objects"), s.beside("objects")).unwrap();
    assert!(Repo::discover(&s.beside("borrowing")).is_err());
}

#[test]
fn names_with_line_ends_quotes_and_escapes() {
    let s = Scratch::new();
    for name in [
        "a\nb",
        "\"quoted\"",
        "tab\there",
        " lead",
        "\u{1b}[31mred",
        "-rf",
    ] {
        s.write(name, "x");
        s.differs(Untracked, name);
    }
    s.commit_all("odd names");
    s.is_clean();
    s.write("a\nb", "y");
    s.differs(Modified, "a\nb");
}
