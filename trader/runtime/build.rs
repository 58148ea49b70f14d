//! Compiles the commit into the program: `build_commit` in `/health`.
//!
//! `<sha>`, `<sha>-dirty` when a file that is compiled differs from that commit, `unknown` outside the
//! repository (an export, a registry). Must never fail a build.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is made of, relative to the workspace root: only these make a build dirty, and
/// only these are watched.
const COMPILED: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo",
    "src",
    "trader",
    "checks",
    "schemas",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let root = workspace_root();
    let commit = root.as_deref().and_then(commit_of);
    if let (None, Some(root)) = (&commit, &root) {
        // Not there yet: cargo asks again at every build until it is. An identity that stays
        // "unknown" after `git init` would be wrong for longer than a rebuild takes.
        println!("cargo::rerun-if-changed={}", root.join(".git").display());
    }
    println!(
        "cargo::rustc-env=LAUNCH_BUILD_COMMIT={}",
        commit.as_deref().unwrap_or("unknown")
    );
}

fn workspace_root() -> Option<PathBuf> {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR")?);
    package.join("../..").canonicalize().ok()
}

fn commit_of(root: &Path) -> Option<String> {
    // An export that lies inside another repository must not report that one's commit.
    let top = git(root, &["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize().ok()? != root {
        return None;
    }
    watch(root);
    let head = git(root, &["rev-parse", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(COMPILED);
    let dirty = !git(root, &status)?.is_empty();
    Some(if dirty { format!("{head}-dirty") } else { head })
}

/// A new commit or an edit of a compiled file runs this script again.
fn watch(root: &Path) {
    for name in ["HEAD", "logs/HEAD", "packed-refs"] {
        if let Some(path) = git(root, &["rev-parse", "--git-path", name]) {
            rerun_if_changed(&root.join(path));
        }
    }
    if let Some(branch) = git(root, &["symbolic-ref", "-q", "HEAD"])
        && let Some(path) = git(root, &["rev-parse", "--git-path", &branch])
    {
        rerun_if_changed(&root.join(path));
    }
    for name in COMPILED {
        rerun_if_changed(&root.join(name));
    }
}

/// A watched path that does not exist would make every build run again.
fn rerun_if_changed(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        // Refreshing the index would touch files while cargo looks at them.
        .arg("--no-optional-locks")
        .args(arguments)
        .current_dir(root)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .output()
        .ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8(text).ok()?.trim_end().to_owned())
}
