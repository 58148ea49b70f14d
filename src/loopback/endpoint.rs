//! `platform.json`: where the platform of a state directory answers, and which process it is.
//!
//! Whoever reads it has to check the process: the file outlives it. Written by temp file and
//! rename.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use launch_kill::process::{self, Life, ProcessId};
use serde::{Deserialize, Serialize};

use super::error::PlatformError;
use super::files;
use super::view;

/// Where a loopback platform answers, and its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The GraphQL address, `http://127.0.0.1:PORT/graphql/v2`.
    pub endpoint: String,
    /// Process id.
    pub pid: u32,
    /// Its start time in clock ticks since boot.
    pub pid_start: u64,
    /// Boot and pid namespace in which the two mean something.
    pub boot_id: String,
    /// RFC 3339 UTC.
    pub started_at: String,
}

impl Endpoint {
    /// This very process, listening on `port`.
    pub(crate) fn of_this_process(port: u16, now_ms: u64) -> Self {
        let me = process::identify(std::process::id());
        Self {
            endpoint: format!("http://127.0.0.1:{port}/graphql/v2"),
            pid: std::process::id(),
            pid_start: me.as_ref().map_or(0, |me| me.start),
            boot_id: me.map(|me| me.boot_id).unwrap_or_default(),
            started_at: view::rfc3339(now_ms),
        }
    }

    /// `<state>/local/platform/platform.json`.
    pub fn path(state_dir: &Path) -> PathBuf {
        files::platform_dir(state_dir).join("platform.json")
    }

    /// Reads `platform.json`; `None` where no platform ever ran. Errors: unreadable or not this
    /// format.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, PlatformError> {
        let path = Self::path(state_dir);
        let Some(bytes) = files::read_if_present(&path)? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| PlatformError::Malformed {
                path,
                detail: error.to_string(),
            })
    }

    pub(crate) fn write(&self, state_dir: &Path) -> Result<(), PlatformError> {
        let path = Self::path(state_dir);
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| PlatformError::Malformed {
            path: path.clone(),
            detail: error.to_string(),
        })?;
        files::write_atomically(&path, &bytes)
    }

    /// The process that answers here.
    pub fn process(&self) -> ProcessId {
        ProcessId {
            boot_id: self.boot_id.clone(),
            pid: self.pid,
            start: self.pid_start,
        }
    }

    /// Whether that process still lives. What cannot be told counts as alive; asking it decides.
    pub fn may_be_alive(&self) -> bool {
        self.process().life() != Life::Gone
    }

    /// The port in the address.
    pub(crate) fn port(&self) -> Option<u16> {
        self.endpoint
            .strip_prefix("http://127.0.0.1:")?
            .split('/')
            .next()?
            .parse()
            .ok()
    }
}

/// Takes the lock that a platform holds as long as it serves a state directory. Errors: another one
/// holds it.
pub(crate) fn lock_for_serving(state_dir: &Path) -> Result<File, PlatformError> {
    let dir = files::platform_dir(state_dir);
    files::create_private_dir(&dir)?;
    let path = dir.join("serve.lock");
    let file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let other = Endpoint::read(state_dir)?;
            Err(PlatformError::AlreadyServed {
                pid: other.as_ref().map_or(0, |other| other.pid),
                endpoint: other.map(|other| other.endpoint).unwrap_or_default(),
            })
        }
        Err(TryLockError::Error(error)) => Err(PlatformError::file("lock", &path)(error)),
    }
}

/// Opens a lock file, made if need be.
pub(crate) fn open_lock(path: &Path) -> Result<File, PlatformError> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(PlatformError::file("open", path))
}
