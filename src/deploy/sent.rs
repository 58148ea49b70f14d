//! What is known of a deploy that was sent. Lives outside the sequence, so that an interrupted one can
//! still be undone.

use launch_kill::KillFile;
use launch_kill::process::ProcessId;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Facts about the new deployment, growing as they become known.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// The deploy mutation may have left this process.
    pub is_sent: bool,
    /// Deployments that were there before it.
    pub before: BTreeSet<String>,
    /// Its id.
    pub deployment_id: Option<String>,
    /// The instance that answered.
    pub instance_nonce: Option<String>,
    /// Where it answered.
    pub trader_url: Option<String>,
    /// Its process, where that is on this machine.
    pub process: Option<ProcessId>,
    /// Where its watchdog answers, once that was told to expect it.
    pub watchdog_url: Option<String>,
    /// The kill file of whatever ran before.
    pub previous: Option<KillFile>,
    /// What was shown as a warning.
    pub warnings: Vec<String>,
}

/// [`Sent`], shared between the sequence and its undoing.
#[derive(Debug, Clone, Default)]
pub struct SharedSent(Arc<Mutex<Sent>>);

impl SharedSent {
    /// The facts. A panic elsewhere left the newest ones behind.
    pub fn lock(&self) -> MutexGuard<'_, Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy.
    pub fn snapshot(&self) -> Sent {
        self.lock().clone()
    }
}
