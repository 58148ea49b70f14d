//! For a deployment on this machine: what the operating system knows, and signals as last resort.
//!
//! A loopback platform that is gone supervises nothing any more: a trader that lives on without it
//! is halted (by the trader path), then ended by SIGTERM and SIGKILL. The same happens to a process
//! that lives on although the platform says dead. Only processes whose start time is known are
//! ever signalled.

use super::assess::platform_says;
use super::board::Board;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::pace::Pace;
use crate::process::{self, Life, ProcessId};
use crate::verdict::PlatformSays;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Longest wait for a connection to the platform's port on this machine.
const CONNECT_MAX: Duration = Duration::from_millis(500);

/// What the platform starts every process of a deployment with. Source: Railway's provided variables.
const DEPLOYMENT_VARIABLE: &str = "RAILWAY_DEPLOYMENT_ID";

/// The processes of a local target.
#[derive(Debug)]
pub(crate) struct LocalPath {
    pub(crate) board: Arc<Board>,
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) platform: Option<ProcessId>,
    pub(crate) trader: Option<ProcessId>,
    pub(crate) deployment_id: Option<String>,
    pub(crate) pace: Pace,
    pub(crate) deadline: Deadline,
}

/// When a process that should be dead was first seen alive, and what was sent to it.
#[derive(Debug)]
struct Survivor {
    since: Instant,
    is_termed: bool,
    is_killed: bool,
}

impl LocalPath {
    /// Registers the trader's process and watches until the run ends.
    pub(crate) fn start(self) {
        self.board.write(|state| {
            state.is_searched = self.platform.is_some();
            if let Some(trader) = &self.trader {
                state.was_running |= trader.life() == Life::Alive;
                state.processes.insert(trader.pid, trader.clone());
                if let Some(id) = &self.deployment_id {
                    state.process_of.insert(id.clone(), trader.pid);
                }
            }
        });
        let board = Arc::clone(&self.board);
        board.spawn(self.watch());
    }

    async fn watch(self) {
        let mut survivors: BTreeMap<u32, Survivor> = BTreeMap::new();
        while !self.deadline.is_over() {
            let is_gone = self.board.read(|state| state.platform_gone_at.is_some());
            if !is_gone && self.is_platform_gone().await {
                let at = self.board.ms();
                self.board.write(|state| {
                    state.platform_gone_at = Some(Instant::now());
                    state.platform_path.acknowledged(at);
                    state.platform_path.confirmed(at);
                    state.platform_path.detail = "the loopback platform itself has ended".into();
                });
            }
            let says = self.board.read(platform_says);
            if matches!(says, PlatformSays::Dead | PlatformSays::GoneItself) {
                self.search();
                self.end_survivors(&mut survivors);
            } else {
                survivors.clear();
                self.forget_search();
            }
            self.deadline
                .sleep(self.pace.probe.min(self.pace.term_after))
                .await;
        }
    }

    /// Its process has ended and its port refuses: both, or it is not proved.
    async fn is_platform_gone(&self) -> bool {
        let (Some(platform), Some(endpoint)) = (&self.platform, &self.endpoint) else {
            return false;
        };
        platform.life() == Life::Gone && is_refused(endpoint).await
    }

    /// Looks among this machine's processes for one of a deployment whose process the platform never
    /// named. One that is found is a survivor like any other; none is what "it never ran" looks like
    /// from outside.
    fn search(&self) {
        let Some(platform) = &self.platform else {
            return;
        };
        let unnamed: Vec<String> = self.board.read(|state| {
            let is_open = |id: &&String| {
                !state.process_of.contains_key(*id) && !state.without_process.contains(*id)
            };
            let tracks = state.tracks.iter().filter(|(_, track)| track.was_live);
            tracks.map(|(id, _)| id).filter(is_open).cloned().collect()
        });
        for id in unnamed {
            let Some(found) = process::started_with(DEPLOYMENT_VARIABLE, &id, platform) else {
                break;
            };
            self.board.write(|state| {
                if found.is_empty() {
                    state.without_process.insert(id);
                    return;
                }
                state.was_running = true;
                for process in found {
                    state.process_of.insert(id.clone(), process.pid);
                    state.processes.insert(process.pid, process);
                }
            });
        }
        self.board
            .write(|state| state.searched_at = Some(Instant::now()));
    }

    /// What was found before something lived again says nothing about afterwards.
    fn forget_search(&self) {
        if self.board.read(|state| state.searched_at.is_some()) {
            self.board.write(|state| {
                state.without_process.clear();
                state.searched_at = None;
            });
        }
    }

    fn end_survivors(&self, survivors: &mut BTreeMap<u32, Survivor>) {
        let processes = self.board.read(|state| state.processes.clone());
        for (pid, process) in processes {
            if process.life() != Life::Alive {
                continue;
            }
            let survivor = survivors.entry(pid).or_insert_with(|| Survivor {
                since: Instant::now(),
                is_termed: false,
                is_killed: false,
            });
            let age = survivor.since.elapsed();
            if !survivor.is_termed && age >= self.pace.term_after {
                survivor.is_termed = true;
                self.signalled(&process, "SIGTERM", process.terminate());
            } else if survivor.is_termed
                && !survivor.is_killed
                && age >= self.pace.term_after.saturating_add(self.pace.kill_after)
            {
                survivor.is_killed = true;
                self.signalled(&process, "SIGKILL", process.kill());
            }
        }
    }

    fn signalled(&self, process: &ProcessId, signal: &str, outcome: std::io::Result<bool>) {
        let at = self.board.ms();
        self.board.write(|state| match outcome {
            Ok(true) => {
                state.platform_path.acknowledged(at);
                state.platform_path.detail = format!("{signal} sent to process {}", process.pid);
            }
            Ok(false) => {}
            Err(error) => {
                state.platform_path.detail =
                    format!("{signal} to process {}: {error}", process.pid);
            }
        });
    }
}

/// Whether nobody listens at a loopback address.
async fn is_refused(endpoint: &Endpoint) -> bool {
    let Some((host, port)) = endpoint.host_and_port() else {
        return false;
    };
    let attempt =
        tokio::time::timeout(CONNECT_MAX, TcpStream::connect((host.as_str(), port))).await;
    matches!(attempt, Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused)
}
