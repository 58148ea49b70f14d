//! House rules that a compiler does not know: who may use whom, what the kill path can reach, that
//! every check is in the table, that every file says what it is for.
//!
//! Each rule is a function over text, and each is shown able to fail on a planted fault beside it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our packages may use which: arrows only point down.
const ARROWS: &[(&str, &[&str])] = &[
    ("trader-core", &[]),
    ("launch-kill", &[]),
    ("trader-runtime", &["trader-core"]),
    ("launch-checks", &["trader-core"]),
    (
        "launch",
        &[
            "launch-checks",
            "launch-kill",
            "trader-core",
            "trader-runtime",
        ],
    ),
];

/// Crates that would give the kill path a manifest, a git, a check, a trader, a store or a prompt.
const KILL_MUST_NOT_REACH: &[&str] = &[
    "annotate-snippets",
    "apollo-compiler",
    "axum",
    "dialoguer",
    "git2",
    "gix",
    "inquire",
    "jsonschema",
    "launch",
    "launch-checks",
    "libgit2-sys",
    "libsqlite3-sys",
    "openssl-sys",
    "ring",
    "rusqlite",
    "rust_decimal",
    "toml",
    "trader-core",
    "trader-runtime",
];

/// What the pure packages must not name outside their tests: they decide, they do not touch.
const PURE_MUST_NOT_NAME: &[&str] = &[
    "tokio::",
    "reqwest::",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant::now",
    "println!",
    "eprintln!",
];

/// Most lines of a file before its unit tests.
const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(args: &[&str]) -> String {
    let out = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "cargo {args:?}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}

fn collect(dir: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, found);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Every `.rs` file of ours below `dirs`, sorted.
fn sources(dirs: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for dir in dirs {
        collect(&root().join(dir), &mut found);
    }
    found.sort();
    assert!(
        found.len() > 4,
        "only {} files found in {dirs:?}: the walk is broken",
        found.len()
    );
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

// ---- package arrows --------------------------------------------------------------------------------

fn forbidden_arrows(edges: &[(String, String)]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    edges
        .iter()
        .filter(|(from, to)| {
            allowed.contains_key(to.as_str())
                && !allowed
                    .get(from.as_str())
                    .is_some_and(|may| may.contains(&to.as_str()))
        })
        .map(|(from, to)| format!("{from} -> {to}"))
        .collect()
}

fn package_edges() -> Vec<(String, String)> {
    let text = cargo(&[
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
        "--offline",
    ]);
    let metadata: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut edges = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        let from = package["name"].as_str().unwrap();
        assert!(
            ARROWS.iter().any(|(name, _)| *name == from),
            "package {from} is not in ARROWS"
        );
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["kind"].is_null() {
                edges.push((
                    from.to_owned(),
                    dependency["name"].as_str().unwrap().to_owned(),
                ));
            }
        }
    }
    edges
}

#[test]
fn packages_only_use_what_lies_below_them() {
    assert_eq!(forbidden_arrows(&package_edges()), Vec::<String>::new());
}

#[test]
fn an_arrow_that_points_up_is_found() {
    let planted = [("launch-kill".to_owned(), "trader-core".to_owned())];
    assert_eq!(forbidden_arrows(&planted), ["launch-kill -> trader-core"]);
}

// ---- the kill path's reach -------------------------------------------------------------------------

#[test]
fn the_kill_path_reaches_no_manifest_git_check_trader_or_prompt() {
    let tree = cargo(&[
        "tree",
        "-p",
        "launch-kill",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--offline",
    ]);
    let reached: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(
        reached.contains("reqwest"),
        "the tree was not read:\n{tree}"
    );
    let wrong: Vec<_> = KILL_MUST_NOT_REACH
        .iter()
        .filter(|name| reached.contains(*name))
        .collect();
    assert!(wrong.is_empty(), "launch-kill reaches {wrong:?}");
}

// ---- who may name what -----------------------------------------------------------------------------

fn names(text: &str, words: &[&str]) -> Vec<String> {
    without_tests(text)
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .flat_map(|(at, line)| {
            words
                .iter()
                .filter(move |word| line.contains(**word))
                .map(move |word| format!("line {}: {word}", at + 1))
        })
        .collect()
}

#[test]
fn pure_packages_touch_nothing() {
    for path in sources(&["trader/core/src", "checks"]) {
        let found = names(&read(&path), PURE_MUST_NOT_NAME);
        assert!(found.is_empty(), "{}: {found:?}", shown(&path));
    }
    assert_eq!(
        names("fn f() {\n  std::fs::read(p)\n}", PURE_MUST_NOT_NAME),
        ["line 2: std::fs"]
    );
}

#[test]
fn deploy_kill_and_verify_do_not_know_the_loopback_platform() {
    let words = ["loopback::", "crate::loopback"];
    for path in sources(&["src/deploy", "src/kill", "src/verify"]) {
        let found = names(&read(&path), &words);
        assert!(found.is_empty(), "{}: {found:?}", shown(&path));
    }
    assert_eq!(names("use crate::loopback::ensure;", &words).len(), 2);
}

// ---- the check table -------------------------------------------------------------------------------

#[test]
fn every_check_file_is_in_the_table_and_every_code_has_one_file() {
    let mut codes = BTreeSet::new();
    for row in launch_checks::TABLE {
        assert!(
            codes.insert(row.code.to_string()),
            "{} stands twice",
            row.code
        );
    }
    let files: BTreeSet<String> = sources(&["checks"])
        .iter()
        .filter_map(|path| {
            let text = read(path);
            let code = text.strip_prefix("//! LC-")?.get(..3)?.to_owned();
            Some(format!("LC-{code}"))
        })
        .collect();
    assert_eq!(
        files, codes,
        "files that open with their code on the left, the table on the right"
    );
}

// ---- files -----------------------------------------------------------------------------------------

#[test]
fn every_file_says_what_it_is_for() {
    for path in sources(&["src", "checks", "trader", "tests"]) {
        assert!(
            read(&path).starts_with("//!"),
            "{} does not open with `//!`",
            shown(&path)
        );
    }
}

#[test]
fn files_read_in_one_sitting() {
    let is_test = |path: &Path| {
        path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
    };
    for path in sources(&["src", "checks", "trader"])
        .into_iter()
        .filter(|path| !is_test(path))
    {
        let text = read(&path);
        let lines = without_tests(&text).lines().count();
        assert!(
            lines <= LINES_MAX,
            "{}: {lines} lines without tests",
            shown(&path)
        );
    }
}
