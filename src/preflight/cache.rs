//! Verdicts that need not be drawn again: of checks that see nothing but HEAD, on the same HEAD, by the same
//! program, for the same environment as it was declared.
//!
//! Only what held is kept; a failure or an unknown is always judged anew. Disk, remote, clock and everything
//! else that can change without a commit is never kept (`Row::sees_only_head`). A file that was edited, cut,
//! or written for something else is not believed: it carries a MAC under a key of this state directory, over
//! all of it. Must never make a run fail: without a cache everything is judged.

use super::project::Project;
use crate::clock;
use crate::platform::tokens::random_hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use launch_checks::{CheckResult, Code, Status, TABLE};
use launch_kill::state_dir::write_private;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use trader_runtime::identity;

/// The only version of the file there is.
const VERSION: u32 = 1;
/// Most bytes of a file that are read.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Most files that are kept; the oldest go.
const FILES_MAX: usize = 64;
/// Bytes of the key under which files are sealed.
const SEAL_KEY_BYTES: usize = 32;
/// Most bytes of the key's file.
const SEAL_KEY_FILE_MAX_BYTES: u64 = 256;
/// How long a verdict is kept, ms (a day): a belt for what a key may have left out.
const KEPT_MAX_MS: u64 = 24 * 60 * 60 * 1_000;
/// Evidence of a verdict that was not drawn now: its age.
const AGE: &str = "cached_ms_ago";

/// The file of one project and environment.
pub(super) struct Cache {
    file: PathBuf,
    seal_key: Vec<u8>,
    key: String,
    program: Program,
}

/// The running program, and how to see that it is still the same file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Program {
    /// Device, inode, length, times of change and of status change: the last cannot be set by hand.
    stat: [i64; 7],
    sha256: String,
}

/// What a file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    version: u32,
    key: String,
    program: Program,
    entries: Vec<Entry>,
}

/// One verdict and when it was drawn.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    kept_at_ms: i64,
    check: CheckResult,
}

/// A file: its body as text, so that the seal is over exactly what is read.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed {
    body: String,
    mac: String,
}

impl Cache {
    /// The cache of `project` under `state`; `None` where there can be none (no place to write, the
    /// program cannot be read).
    pub(super) fn open(project: &Project, state: &Path) -> Option<Self> {
        let folder = state.join("cache");
        let seal_key = seal_key(&state.join("keys").join("cache-seal"))?;
        let place = digest(&[&project.repo.top().display().to_string(), &project.env]);
        let file = folder.join(format!("preflight-{}.json", place.get(..32)?));
        let stat = program_stat()?;
        let before = read_sealed(&file, &seal_key);
        let program = match before {
            Some(kept) if kept.program.stat == stat => kept.program,
            _ => Program {
                stat,
                sha256: identity::trader_sha256().ok()?,
            },
        };
        let key = key_of(project, &program.sha256);
        Some(Self {
            file,
            seal_key,
            key,
            program,
        })
    }

    /// What held before and still must, by code.
    pub(super) fn held(&self) -> BTreeMap<Code, CheckResult> {
        let now = clock::now().as_millisecond();
        let Some(kept) = read_sealed(&self.file, &self.seal_key) else {
            return BTreeMap::new();
        };
        if kept.key != self.key {
            return BTreeMap::new();
        }
        kept.entries
            .into_iter()
            .filter(|entry| may_be_kept(&entry.check))
            .filter_map(|entry| {
                let age = u64::try_from(now.checked_sub(entry.kept_at_ms)?).ok()?;
                let mut check = entry.check;
                check.facts_age_ms = check.facts_age_ms.map(|facts| facts.saturating_add(age));
                check.duration_ms = 0;
                check.evidence.insert(AGE.to_owned(), age.into());
                (age < KEPT_MAX_MS).then_some((check.code, check))
            })
            .collect()
    }

    /// Keeps what held. A verdict that was itself kept keeps the time of its judgement.
    pub(super) fn keep(&self, checks: &[CheckResult]) {
        let now = clock::now().as_millisecond();
        let is_new = |check: &CheckResult| !check.evidence.contains_key(AGE);
        if !checks
            .iter()
            .any(|check| may_be_kept(check) && is_new(check))
        {
            return;
        }
        let entries = checks
            .iter()
            .filter(|check| may_be_kept(check))
            .map(|check| {
                let mut check = check.clone();
                let age = check.evidence.remove(AGE).and_then(|age| age.as_u64());
                let age = age.unwrap_or(0);
                check.facts_age_ms = check.facts_age_ms.map(|facts| facts.saturating_sub(age));
                Entry {
                    kept_at_ms: now.saturating_sub(i64::try_from(age).unwrap_or(i64::MAX)),
                    check,
                }
            })
            .collect();
        let kept = Kept {
            version: VERSION,
            key: self.key.clone(),
            program: self.program.clone(),
            entries,
        };
        let Ok(body) = serde_json::to_string(&kept) else {
            return;
        };
        let Some(mac) = seal(&self.seal_key, &body) else {
            return;
        };
        if let Ok(text) = serde_json::to_string(&Sealed { body, mac }) {
            // A full disk costs the next run some seconds and nothing else.
            write_private(&self.file, text.as_bytes()).ok();
            prune(&self.file);
        }
    }
}

/// Whether a result says the same as long as HEAD, program and declaration are the same.
fn may_be_kept(check: &CheckResult) -> bool {
    matches!(check.status, Status::Pass | Status::Warn)
        && check.waiver.is_none()
        && TABLE
            .iter()
            .any(|row| row.code == check.code && row.sees_only_head())
}

/// Everything that a verdict about HEAD depends on.
fn key_of(project: &Project, program: &str) -> String {
    digest(&[
        env!("CARGO_PKG_VERSION"),
        program,
        &project.repo.commit(),
        &project.repo.tree(),
        &project.env,
        // Class, platform, pushed, advisory codes and whatever else the policy comes to hold.
        &format!("{:?}", project.env_facts()),
        // Manifest path, feed, ids.
        &format!("{:?}", project.target),
        // The check set.
        &format!("{:?}", TABLE.iter().map(|row| row.code).collect::<Vec<_>>()),
    ])
}

fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn program_stat() -> Option<[i64; 7]> {
    let found = std::fs::metadata("/proc/self/exe")
        .or_else(|_| std::env::current_exe().and_then(std::fs::metadata))
        .ok()?;
    Some([
        i64::try_from(found.dev()).ok()?,
        i64::try_from(found.ino()).ok()?,
        i64::try_from(found.size()).ok()?,
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    ])
}

/// The key of this state directory; made on first use.
fn seal_key(path: &Path) -> Option<Vec<u8>> {
    if let Some(text) = read_bounded(path, SEAL_KEY_FILE_MAX_BYTES) {
        let text = text.trim();
        return (text.len() == SEAL_KEY_BYTES * 2).then(|| text.as_bytes().to_vec());
    }
    let made = random_hex(SEAL_KEY_BYTES).ok()?;
    write_private(path, made.as_bytes()).ok()?;
    Some(made.into_bytes())
}

fn seal(key: &[u8], body: &str) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(body.as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

fn read_sealed(file: &Path, key: &[u8]) -> Option<Kept> {
    let sealed: Sealed = serde_json::from_str(&read_bounded(file, FILE_MAX_BYTES)?).ok()?;
    if seal(key, &sealed.body)? != sealed.mac {
        return None;
    }
    let kept: Kept = serde_json::from_str(&sealed.body).ok()?;
    (kept.version == VERSION).then_some(kept)
}

/// A regular file's text; `None` for anything else, a longer one, or one that cannot be read.
fn read_bounded(path: &Path, max_bytes: u64) -> Option<String> {
    if !path.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path)
        .ok()?
        .take(max_bytes.saturating_add(1))
        .read_to_string(&mut text)
        .ok()?;
    (u64::try_from(text.len()).ok()? <= max_bytes).then_some(text)
}

/// Removes the oldest files past [`FILES_MAX`].
fn prune(newest: &Path) {
    let Some(entries) = newest.parent().and_then(|folder| folder.read_dir().ok()) else {
        return;
    };
    let mut files: Vec<(std::time::SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("preflight-")
        })
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_unstable();
    let surplus = files.len().saturating_sub(FILES_MAX);
    for (_, path) in files.iter().take(surplus) {
        std::fs::remove_file(path).ok();
    }
}
