//! The deploy lock of this machine: one deploy per environment at a time.
//!
//! Two halves: an OS lock that dies with its owner, and a document that tells everyone else (the
//! watchdog above all) who deploys which plan. A document whose owner is gone is no lock. Production
//! needs more than one disk: the git-ref lock takes this place there.

use crate::receipts::lines::{self, DocumentError};
use launch_kill::process::{self, Life, ProcessId};
use launch_kill::{EnvName, StateDir};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// A deploy cannot take longer than this, ms: where a lock's owner cannot be seen (another
/// container), its document is believed for so long.
pub const DEPLOY_LONGEST_MS: i64 = 30 * 60 * 1_000;

/// `locks/deploy-<env>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockDocument {
    /// Who deploys, as a person reads it.
    pub owner: String,
    /// The deploying process.
    pub pid: u32,
    /// Its start time in clock ticks since boot; with `boot_id` it is one process for good.
    pub pid_start: u64,
    /// Boot and pid namespace of the process.
    pub boot_id: String,
    /// The plan that is being deployed.
    pub plan_id: String,
    /// RFC 3339 UTC.
    pub started_at: String,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else deploys.
    #[error("{0}")]
    Held(String),
    /// The lock's files cannot be used.
    #[error("cannot use the deploy lock: {0}")]
    Document(#[from] DocumentError),
    /// The lock's files cannot be used.
    #[error("cannot use the deploy lock {}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Our own process cannot be identified.
    #[error("cannot identify this process in /proc: a lock that names nobody protects nothing")]
    NoIdentity,
}

/// A lock that is held; released when dropped.
#[derive(Debug)]
pub struct DeployLock {
    document: PathBuf,
    taken_over: Option<LockDocument>,
    // Held for its OS lock only.
    _file: File,
}

impl DeployLock {
    /// The dead owner whose lock this one replaced.
    pub const fn taken_over(&self) -> Option<&LockDocument> {
        self.taken_over.as_ref()
    }
}

impl Drop for DeployLock {
    fn drop(&mut self) {
        // A document that stays names an owner that is gone, and so is no lock.
        drop(fs::remove_file(&self.document));
    }
}

/// Where the document stands.
pub fn document_path(state: &StateDir, env: &EnvName) -> PathBuf {
    state
        .root()
        .join("locks")
        .join(format!("deploy-{env}.json"))
}

/// Takes the lock for `plan_id`, from a dead owner too.
///
/// # Errors
/// Held by a live process ([`LockError::Held`] says whose), or the files cannot be used.
pub fn take(
    state: &StateDir,
    env: &EnvName,
    owner: String,
    plan_id: &str,
    started_at: String,
) -> Result<DeployLock, LockError> {
    let document = document_path(state, env);
    let path = document.with_extension("lock");
    let io = |source| LockError::Io {
        path: path.clone(),
        source,
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(LockError::Held(held_by(state, env)));
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    // Ours by the OS. A document that is still there was left by an owner that died, or, on a disk
    // shared by two machines whose locks do not meet, belongs to one that we cannot see.
    let left = lines::read_document::<LockDocument>(&document).unwrap_or_default();
    if let Some(other) = &left
        && life(other) == Life::Unknown
    {
        return Err(LockError::Held(format!(
            "{} holds the deploy lock since {} for plan {}, in a place this process cannot look \
             into; when nobody deploys, remove {}",
            other.owner,
            other.started_at,
            other.plan_id,
            document.display()
        )));
    }
    let me = process::identify(std::process::id()).ok_or(LockError::NoIdentity)?;
    lines::write_document(
        &document,
        &LockDocument {
            owner,
            pid: me.pid,
            pid_start: me.start,
            boot_id: me.boot_id,
            plan_id: plan_id.to_owned(),
            started_at,
        },
    )?;
    Ok(DeployLock {
        document,
        taken_over: left,
        _file: file,
    })
}

fn held_by(state: &StateDir, env: &EnvName) -> String {
    match lines::read_document::<LockDocument>(&document_path(state, env)) {
        Ok(Some(other)) => format!(
            "{} (process {}) is deploying {env} since {}, plan {}; wait for it to end",
            other.owner, other.pid, other.started_at, other.plan_id
        ),
        Ok(None) | Err(_) => format!("another process is deploying {env}; wait for it to end"),
    }
}

/// The plan that a live deploy names, if one is under way.
///
/// An owner that cannot be seen is believed for [`DEPLOY_LONGEST_MS`]; an unreadable document names
/// nobody.
pub fn plan_under_way(state: &StateDir, env: &EnvName, now_ms: i64) -> Option<String> {
    let document = lines::read_document::<LockDocument>(&document_path(state, env)).ok()??;
    let is_live = match life(&document) {
        Life::Alive => true,
        Life::Gone => false,
        Life::Unknown => document
            .started_at
            .parse::<jiff::Timestamp>()
            .is_ok_and(|at| now_ms.saturating_sub(at.as_millisecond()) < DEPLOY_LONGEST_MS),
    };
    is_live.then_some(document.plan_id)
}

fn life(document: &LockDocument) -> Life {
    ProcessId {
        boot_id: document.boot_id.clone(),
        pid: document.pid,
        start: document.pid_start,
    }
    .life()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, StateDir, EnvName) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        (dir, state, EnvName::parse("staging").unwrap())
    }

    fn at(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    const START: &str = "2026-11-23T00:00:00Z";

    #[test]
    fn a_second_deploy_is_told_who_holds_the_lock() {
        let (_dir, state, env) = place();
        let first = take(&state, &env, "ann".into(), "p1", START.into()).unwrap();
        assert!(first.taken_over().is_none());
        assert_eq!(plan_under_way(&state, &env, 0).as_deref(), Some("p1"));
        let error = take(&state, &env, "bob".into(), "p2", START.into()).unwrap_err();
        assert!(
            matches!(&error, LockError::Held(who) if who.contains("ann") && who.contains("p1"))
        );
        drop(first);
        assert_eq!(plan_under_way(&state, &env, 0), None);
        take(&state, &env, "bob".into(), "p2", START.into()).unwrap();
    }

    #[test]
    fn environments_do_not_lock_each_other() {
        let (_dir, state, env) = place();
        let _one = take(&state, &env, "ann".into(), "p1", START.into()).unwrap();
        let other = EnvName::parse("production").unwrap();
        take(&state, &other, "bob".into(), "p2", START.into()).unwrap();
    }

    fn leave(state: &StateDir, env: &EnvName, boot_id: &str) {
        lines::write_document(
            &document_path(state, env),
            &LockDocument {
                owner: "ann".into(),
                pid: u32::MAX,
                pid_start: 1,
                boot_id: boot_id.into(),
                plan_id: "p1".into(),
                started_at: START.into(),
            },
        )
        .unwrap();
    }

    #[test]
    fn a_dead_owner_is_no_lock_and_is_taken_over() {
        let (_dir, state, env) = place();
        let boot = process::boot_id().unwrap();
        let (_, here) = boot.split_once('/').unwrap();
        leave(&state, &env, &format!("another boot/{here}"));
        assert_eq!(plan_under_way(&state, &env, at(START)), None);
        let lock = take(&state, &env, "bob".into(), "p2", START.into()).unwrap();
        assert_eq!(lock.taken_over().unwrap().owner, "ann");
        assert_eq!(plan_under_way(&state, &env, 0).as_deref(), Some("p2"));
    }

    #[test]
    fn an_owner_that_cannot_be_seen_is_believed_for_a_bounded_time() {
        let (_dir, state, env) = place();
        let boot = process::boot_id().unwrap();
        let other_namespace = format!("{}/0", boot.split_once('/').unwrap().0);
        leave(&state, &env, &other_namespace);
        let start = at(START);
        assert_eq!(plan_under_way(&state, &env, start).as_deref(), Some("p1"));
        assert_eq!(
            plan_under_way(&state, &env, start + DEPLOY_LONGEST_MS),
            None
        );
        assert!(matches!(
            take(&state, &env, "bob".into(), "p2", START.into()),
            Err(LockError::Held(_))
        ));
    }

    #[test]
    fn a_document_that_is_no_lock_names_nobody() {
        let (_dir, state, env) = place();
        launch_kill::state_dir::write_private(&document_path(&state, &env), b"{").unwrap();
        assert_eq!(plan_under_way(&state, &env, 0), None);
        take(&state, &env, "bob".into(), "p2", START.into()).unwrap();
    }
}
