//! Whether a kill would find what it needs: the kill's own `--check`, within a bound.

use super::{Look, State};
use launch_kill::{EnvName, FindingStatus, StateDir, Surroundings};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for platform, trader and watchdog together: the whole command stays under a second.
const ANSWER_MAX: Duration = Duration::from_millis(600);
/// Most environments that are asked; more than a person runs.
const ENVS_MAX: usize = 16;
/// What it is called.
const WHAT: &str = "kill path";

/// Looks that are under way, one an environment.
pub(super) struct Asked {
    answers: Receiver<(EnvName, Look)>,
    waiting: Vec<EnvName>,
    until: Instant,
}

/// Begins to look, on threads of their own: a name server that hangs must not hold the command, nor one
/// environment the others.
pub(super) fn start(state: &Path) -> Asked {
    let known = StateDir::at(state).known_envs().unwrap_or_default();
    let (tell, answers) = channel();
    for env in known.iter().take(ENVS_MAX) {
        let (tell, state, env) = (tell.clone(), state.to_path_buf(), env.clone());
        std::thread::spawn(move || {
            let look = ask(&state, &env);
            // The receiver may have given up, which is its right.
            tell.send((env, look)).ok();
        });
    }
    Asked {
        answers,
        waiting: known,
        until: Instant::now() + ANSWER_MAX,
    }
}

impl Asked {
    /// What was seen, at the latest when the time is up.
    pub(super) fn finish(mut self) -> Vec<Look> {
        if self.waiting.is_empty() {
            let seen = "no deployment is known here, so there is nothing to kill yet";
            return vec![Look::new(WHAT, State::Note, seen)];
        }
        let mut looks = Vec::new();
        while !self.waiting.is_empty() {
            let left = self.until.saturating_duration_since(Instant::now());
            let Ok((env, look)) = self.answers.recv_timeout(left) else {
                break;
            };
            self.waiting.retain(|other| *other != env);
            looks.push(look);
        }
        let silent = format!("no answer within {} ms", ANSWER_MAX.as_millis());
        looks.extend(
            self.waiting.iter().map(|env| {
                Look::new(&what(env), State::Unknown, silent.as_str()).run(by_hand(env))
            }),
        );
        looks.sort_by(|a, b| a.what.cmp(&b.what));
        looks
    }
}

fn what(env: &EnvName) -> String {
    format!("{WHAT} {env}")
}

fn by_hand(env: &EnvName) -> String {
    format!("launch kill --check --env {env}")
}

fn ask(state: &Path, env: &EnvName) -> Look {
    let (what, again) = (what(env), by_hand(env));
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return Look::new(&what, State::Unknown, format!("no threads: {error}")),
    };
    let around = Surroundings::of_this_process(Some(state));
    let asked = launch_kill::check_env(Some(env.as_str()), &around);
    let report = runtime.block_on(async { tokio::time::timeout(ANSWER_MAX, asked).await });
    runtime.shutdown_background();
    match report {
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
    }
}
