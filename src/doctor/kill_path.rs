//! Whether a kill would find what it needs: the kill's own `--check`, within a bound.

use super::{Look, State};
use launch_kill::{FindingStatus, StateDir, Surroundings};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for platform, trader and watchdog together: the whole command stays under a second.
const ANSWER_MAX: Duration = Duration::from_millis(600);
/// What it is called.
const WHAT: &str = "kill path";

/// A look that is under way.
pub(super) struct Asked {
    answer: Receiver<Vec<Look>>,
    until: Instant,
}

/// Begins to look, on a thread of its own: a name server that hangs must not hold the command.
pub(super) fn start(state: &Path) -> Asked {
    let (tell, answer) = channel();
    let state = state.to_path_buf();
    std::thread::spawn(move || {
        // The receiver may have given up, which is its right.
        tell.send(ask(&state)).ok();
    });
    Asked {
        answer,
        until: Instant::now() + ANSWER_MAX,
    }
}

impl Asked {
    /// What was seen, at the latest when the time is up.
    pub(super) fn finish(self) -> Vec<Look> {
        let left = self.until.saturating_duration_since(Instant::now());
        self.answer.recv_timeout(left).unwrap_or_else(|_| {
            let seen = format!("no answer within {} ms", ANSWER_MAX.as_millis());
            vec![Look::new(WHAT, State::Unknown, seen).run("launch kill --check")]
        })
    }
}

fn ask(state: &Path) -> Vec<Look> {
    let known = StateDir::at(state).known_envs().unwrap_or_default();
    if known.is_empty() {
        let seen = "no deployment is known here, so there is nothing to kill yet";
        return vec![Look::new(WHAT, State::Note, seen)];
    }
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let seen = format!("no threads: {error}");
            return vec![Look::new(WHAT, State::Unknown, seen)];
        }
    };
    let around = Surroundings::of_this_process(Some(state));
    let mut looks = Vec::new();
    for env in known {
        let what = format!("{WHAT} {env}");
        let asked = launch_kill::check_env(Some(env.as_str()), &around);
        let report = runtime.block_on(async { tokio::time::timeout(ANSWER_MAX, asked).await });
        let again = format!("launch kill --check --env {env}");
        looks.push(match report {
            Err(_) => Look::new(&what, State::Unknown, "no answer in time").run(again),
            Ok(Err(unusable)) => Look::new(&what, State::Bad, unusable.to_string()).run(again),
            Ok(Ok(report)) => {
                let wanting: Vec<String> = report
                    .findings
                    .iter()
                    .filter(|finding| finding.status != FindingStatus::Ok)
                    .map(|finding| format!("{}: {}", finding.what, finding.detail))
                    .collect();
                match (report.ready, wanting.is_empty()) {
                    (true, true) => Look::new(&what, State::Ok, "a kill finds all it needs"),
                    (true, false) => Look::new(&what, State::Warn, wanting.join("; ")).run(again),
                    (false, _) => Look::new(&what, State::Bad, wanting.join("; ")).run(again),
                }
            }
        });
    }
    runtime.shutdown_background();
    looks
}
