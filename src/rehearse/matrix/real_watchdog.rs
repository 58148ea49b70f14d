//! The real watchdog in a combination: `launch watchdog --stay` as a process of its own.
//!
//! It expects nothing, so it grants nothing and trips on nothing; what is tried is its word to a kill.

use crate::watchdog::record;
use launch_kill::process::Life;
use launch_kill::{EnvName, StateDir};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for it to answer.
const START_MAX: Duration = Duration::from_secs(30);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A watchdog that is ended when this is dropped.
#[derive(Debug)]
pub(super) struct RealWatchdog {
    child: Child,
    url: String,
}

impl RealWatchdog {
    /// Starts one for `env` and waits until it has said where it answers. Errors: it does not.
    pub(super) async fn start(
        program: &Path,
        state: &StateDir,
        env: &EnvName,
        endpoint: Option<&str>,
    ) -> std::io::Result<Self> {
        let child = Command::new(program)
            .args(["watchdog", "--stay", "--env", env.as_str(), "--state-dir"])
            .arg(state.root())
            .args(
                endpoint
                    .iter()
                    .flat_map(|endpoint| ["--endpoint", endpoint]),
            )
            .env_clear()
            .current_dir(state.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut me = Self {
            child,
            url: String::new(),
        };
        let until = Instant::now() + START_MAX;
        while Instant::now() < until && me.child.try_wait()?.is_none() {
            let record = record::read(state, env).ok().flatten();
            if let Some(record) = record.filter(|record| record.life() == Life::Alive) {
                me.url = record.url;
                return Ok(me);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Err(std::io::Error::other("the watchdog never answered"))
    }

    /// Where it answers.
    pub(super) fn url(&self) -> String {
        self.url.clone()
    }
}

impl Drop for RealWatchdog {
    fn drop(&mut self) {
        // One that has ended by itself needs no signal.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
