//! Random sequences of edits and git commands: this module's verdict beside that of a slow procedure on
//! the git command (an own index read from HEAD, committed ignore rules, operation markers).

use super::Scratch;
use proptest::prelude::*;
use std::io::Write as _;
use std::process::{Command, Stdio};

const PATHS: [&str; 9] = [
    "README.md",
    "src/lib.rs",
    "src/new.rs",
    "docs/a.md",
    "docs/b c.log",
    "target/x",
    "a/b/c.txt",
    "run.sh",
    "link",
];
const CONTENTS: [&str; 5] = ["hello\n", "hello\r\n", "other\n", "", "pub fn f() {}\n"];
const RULES: [&str; 14] = [
    "*.log",
    "!*.log",
    "target/",
    "/a",
    "a/**",
    "**/c.txt",
    "docs/*",
    "!docs/a.md",
    "*\n!*/\n!*.rs\n!.gitignore",
    "[a-d]*",
    "src/new.rs ",
    "src\\/new.rs",
    "a/*/c.txt",
    "!/a/b/",
];
const ATTRIBUTES: [&str; 5] = [
    "* text=auto\n",
    "*.md text eol=crlf\n",
    "*.rs -text\n",
    "*.md ident\n",
    "* eol=lf\n",
];

/// One step: what is done, where, with what.
type Step = (u8, usize, usize);

fn apply(s: &Scratch, (what, path, with): Step) {
    let path = PATHS[path % PATHS.len()];
    let content = CONTENTS[with % CONTENTS.len()];
    let rule = RULES[with % RULES.len()];
    let place = s.path(path);
    // Many steps are refused in the state that the earlier ones left; that is as good a state.
    let git = |args: &[&str]| drop(s.try_git(&s.work(), args));
    match what {
        0 | 1 => {
            drop(std::fs::remove_file(&place));
            if place
                .parent()
                .is_some_and(|dir| std::fs::create_dir_all(dir).is_ok())
            {
                drop(std::fs::write(&place, content));
            }
        }
        2 => drop(std::fs::remove_file(&place)),
        3 if place.is_file() => s.chmod(path, if with % 2 == 0 { 0o755 } else { 0o644 }),
        4 => git(&["add", "-f", path]),
        5 | 6 => {
            git(&["add", "-A"]);
            git(&["commit", "-q", "-m", "all"]);
        }
        7 => git(&["commit", "-q", "-m", "staged"]),
        8 => git(&["rm", "-q", "--cached", path]),
        9 => git(&["add", "-N", "-f", path]),
        10 => git(&["update-index", "--assume-unchanged", path]),
        11 => git(&["update-index", "--skip-worktree", path]),
        12 | 13 => {
            let dir = ["", "docs/", "a/", "src/"][path.len() % 4];
            if s.path(dir).is_dir() {
                s.write(&format!("{dir}.gitignore"), format!("{rule}\n"));
            }
        }
        14 => s.write(".gitattributes", ATTRIBUTES[with % ATTRIBUTES.len()]),
        15 => drop(std::fs::write(
            s.path(".git/info/exclude"),
            format!("{rule}\n"),
        )),
        16 => {
            let value = ["true", "input", "false"][with % 3];
            git(&["config", "core.autocrlf", value]);
        }
        17 => {
            drop(std::fs::remove_file(&place));
            drop(std::os::unix::fs::symlink("README.md", &place));
        }
        18 => git(&["stash", "-q"]),
        19 => git(&["config", "core.fileMode", "false"]),
        20 => git(&["checkout", "-q", "-f", "HEAD", "--", "."]),
        21 => git(&["reset", "-q", "--hard"]),
        22 => git(&["clean", "-fdq"]),
        23 => git(&["bisect", ["start", "reset"][with % 2]]),
        24 => git(&["checkout", "-q", "--detach"]),
        25 => git(&["mv", "-k", "docs", "moved"]),
        26 => git(&["init", "-q", ["docs", "vendor", "target/deep"][with % 3]]),
        27 => git(&["sparse-checkout", "set", ["src", "docs", "a/b"][with % 3]]),
        28 => git(&["sparse-checkout", "disable"]),
        _ => git(&["update-index", "--refresh", "-q"]),
    }
}

/// Everything that the git command finds to differ from HEAD.
fn reference(s: &Scratch) -> Vec<String> {
    let run = |env: Option<&std::path::Path>, args: &[&str]| {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        if let Some(index) = env {
            command.env("GIT_INDEX_FILE", index);
        }
        let output = command
            .current_dir(s.work())
            .env("HOME", s.beside(""))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .args(["-c", "core.fsmonitor=false", "-c", "core.fileMode=true"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        output.stdout
    };
    let parts = |bytes: Vec<u8>| -> Vec<Vec<u8>> {
        let parts = bytes.split(|byte| *byte == 0);
        parts
            .filter(|part| !part.is_empty())
            .map(<[u8]>::to_vec)
            .collect()
    };
    let mut found = Vec::new();
    for marker in [
        "MERGE_HEAD",
        "BISECT_LOG",
        "BISECT_START",
        "CHERRY_PICK_HEAD",
    ] {
        let place = String::from_utf8(run(None, &["rev-parse", "--git-path", marker])).unwrap();
        if s.path(place.trim()).exists() {
            found.push(format!("marker {marker}"));
        }
    }
    // git looks past the files of HEAD that have a repository around them, and past what is added there.
    for dir in ["docs", "vendor"] {
        let in_head = !run(None, &["ls-tree", "HEAD", &format!("{dir}/")]).is_empty();
        if in_head && s.path(dir).join(".git/HEAD").exists() {
            found.push(format!("repository in {dir}"));
        }
    }
    // The real index beside HEAD; an intention to add does not show in a diff.
    let staged = [
        "diff-index",
        "--cached",
        "-z",
        "--name-only",
        "--ita-visible-in-index",
        "HEAD",
    ];
    for path in parts(run(None, &staged)) {
        found.push(format!("staged {:?}", String::from_utf8_lossy(&path)));
    }
    // The disk beside an index that is read from HEAD and knows nothing else. Files that a sparse
    // checkout leaves out get their bit there, from the patterns.
    let index = s.beside("own-index");
    drop(std::fs::remove_file(&index));
    run(Some(&index), &["read-tree", "HEAD"]);
    if s.path(".git/info/sparse-checkout").exists()
        && run(
            None,
            &["config", "--default", "false", "core.sparseCheckout"],
        )
        .starts_with(b"true")
    {
        let absent = |path: &[u8]| !s.path(std::str::from_utf8(path).unwrap()).exists();
        let bits = parts(run(None, &["ls-files", "-z", "-t"]));
        let skipped: Vec<Vec<u8>> = bits
            .into_iter()
            .filter_map(|line| line.strip_prefix(b"S ").map(<[u8]>::to_vec))
            .collect();
        // By the patterns alone: what they do not take is meant to be absent.
        let all = run(Some(&index), &["ls-files", "-z"]);
        let taken = parts(fed(s, &["sparse-checkout", "check-rules", "-z"], &all));
        let meant: Vec<Vec<u8>> = parts(all)
            .into_iter()
            .filter(|path| !taken.contains(path))
            .collect();
        for path in meant
            .iter()
            .filter(|path| skipped.contains(path) && absent(path))
        {
            let path = std::str::from_utf8(path).unwrap();
            run(Some(&index), &["update-index", "--skip-worktree", path]);
        }
    }
    for path in parts(run(
        Some(&index),
        &[
            "diff-files",
            "-z",
            "--name-only",
            "--ignore-submodules=none",
        ],
    )) {
        // Stat data is empty in this index, so each of these is looked into.
        let path = String::from_utf8(path).unwrap();
        let status = run(
            Some(&index),
            &[
                "status",
                "--porcelain",
                "-z",
                "-uno",
                "--ignore-submodules=none",
                "--",
                &path,
            ],
        );
        if !status.is_empty() {
            found.push(format!("changed {path:?}"));
        }
    }
    let untracked = run(Some(&index), &["ls-files", "-o", "-z"]);
    for path in parts(not_ignored(s, &untracked)) {
        let path = String::from_utf8_lossy(&path).into_owned();
        let staged = found.contains(&format!("staged {path:?}"));
        if !staged {
            found.push(format!("untracked {path:?}"));
        }
    }
    found
}

/// What a git command makes of what it is fed.
fn fed(s: &Scratch, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("git")
        .current_dir(s.work())
        .env("HOME", s.beside(""))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// Which of the paths HEAD's own ignore files do not ignore, by `git check-ignore` in an empty
/// repository that holds those files alone.
fn not_ignored(s: &Scratch, paths: &[u8]) -> Vec<u8> {
    let rules = s.beside("rules");
    drop(std::fs::remove_dir_all(&rules));
    s.git_in(&s.beside(""), &["init", "-q", "--template=", "rules"]);
    for file in s.git(&["ls-tree", "-r", "--name-only", "HEAD"]).lines() {
        if file.rsplit('/').next() == Some(".gitignore") {
            let output = s.try_git(&s.work(), &["show", &format!("HEAD:{file}")]);
            let to = rules.join(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, output.stdout).unwrap();
        }
    }
    let mut child = Command::new("git")
        .current_dir(&rules)
        .env("HOME", s.beside(""))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "core.excludesFile=/dev/null"])
        .args(["check-ignore", "--no-index", "-z", "-v", "-n", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(paths).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    // Source, line, pattern and path of each; the pattern that takes back begins with "!".
    let fields: Vec<&[u8]> = output.split(|byte| *byte == 0).collect();
    let mut kept = Vec::new();
    for record in fields.chunks_exact(4) {
        if record[0].is_empty() || record[2].starts_with(b"!") {
            kept.extend_from_slice(record[3]);
            kept.push(0);
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 60, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn the_verdict_is_that_of_the_git_command(
        steps in prop::collection::vec((0_u8..30, 0_usize..9, 0_usize..28), 1..9)
    ) {
        let s = Scratch::new();
        for step in &steps {
            apply(&s, *step);
        }
        let facts = s.facts();
        let ours = facts.differences.is_empty() && facts.unseen.is_empty();
        let theirs = reference(&s);
        prop_assert_eq!(
            ours, theirs.is_empty(),
            "after {:?}\nhere: {:#?}\ngit: {:#?}", steps, facts, theirs
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Patterns made of the pieces that matter, on paths made of the letters in them.
    #[test]
    fn patterns_match_as_in_git(
        lines in prop::collection::vec("[!/]{0,1}(a|b|\\*|\\*\\*|\\?|/|\\[ab\\]|\\[!a\\]|\\[\\[:alpha:\\]\\]|\\\\a| |\\.){1,6}/{0,1}", 1..5),
        paths in prop::collection::vec("(a|b|c|\\.| ){1,3}(/(a|b|ab|\\[|\\*){1,2}){0,3}", 24),
    ) {
        let s = Scratch::new();
        s.write(".gitignore", lines.join("\n"));
        s.git(&["add", "-f", ".gitignore"]);
        s.git(&["commit", "-q", "--allow-empty", "-m", "rules"]);
        let repo = s.repo();
        let rules = crate::repo::committed_rules::CommittedRules::of(&repo).unwrap();
        let usable = |path: &&String| path.split('/').all(|part| part != "." && part != "..");
        for path in paths.iter().filter(usable) {
            let kept = not_ignored(&s, format!("{path}\0").as_bytes());
            prop_assert_eq!(
                rules.ignore(path.as_bytes(), false), kept.is_empty(),
                "{:?} under {:?}", path, lines
            );
        }
    }
}
