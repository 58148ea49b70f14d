//! The life, step by step. Each row is a title, the command a person would type, and what must be seen.
//!
//! A step that sees something else ends the rehearsal; nothing is retried.

use super::document::{at, list, millis_text, text};
use super::progress::Progress;
use super::running::{Running, wait_until};
use super::scratch::{RehearseError, Scratch};
use super::{StepReport, millis};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The environment that is rehearsed.
const ENV: &str = "staging";

/// How much faster than Railway the scratch platform goes through its phases.
const TIME_SCALE: &str = "0.1";

/// How long a kill watches for what comes back. A real one watches longer; here nothing is slower than
/// the scratch platform.
const SETTLE_SECS: &str = "2";

/// How long the short soak watches the running trader.
const SOAK: Duration = Duration::from_secs(4);

/// Longest from a planted breach to the watchdog's verified stop, its settle window included.
const TRIP_MAX: Duration = Duration::from_secs(45);

/// How a watchdog ends that tripped and stopped its target with proof.
const WATCHDOG_STOPPED: &str = "exit 1 ";

/// What a step does; answers what was seen.
type Do = fn(&mut Scratch) -> Result<String, RehearseError>;

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    title: &'static str,
    command: &'static str,
    act: Do,
}

const DEPLOY: &str = "launch deploy --env staging";
const REENABLE: &str = "launch reenable --env staging --reason …";

/// The whole life, in order.
pub(super) const STEPS: &[Step] = &[
    Step {
        title: "scaffold a project",
        command: "launch init",
        act: scaffold,
    },
    Step {
        title: "commit and push",
        command: "git commit && git push",
        act: commit_and_push,
    },
    Step {
        title: "judge the commit",
        command: "launch preflight --env local",
        act: preflight,
    },
    Step {
        title: "deploy to staging",
        command: DEPLOY,
        act: deploy,
    },
    Step {
        title: "verify from outside",
        command: "launch verify --env staging",
        act: verify,
    },
    Step {
        title: "soak",
        command: "launch status --env staging",
        act: soak,
    },
    Step {
        title: "a second deployment appears",
        command: "(planted)",
        act: breach,
    },
    Step {
        title: "the watchdog stops both",
        command: "launch status --env staging",
        act: tripped,
    },
    Step {
        title: "deploy is refused",
        command: DEPLOY,
        act: refused,
    },
    Step {
        title: "re-enable, on the record",
        command: REENABLE,
        act: reenable,
    },
    Step {
        title: "deploy again",
        command: DEPLOY,
        act: deploy,
    },
    Step {
        title: "kill drill",
        command: "launch kill --env staging --drill",
        act: drill,
    },
    Step {
        title: "deploy again",
        command: DEPLOY,
        act: deploy,
    },
    Step {
        title: "kill",
        command: "launch kill --env staging",
        act: kill,
    },
    Step {
        title: "deploy is refused",
        command: DEPLOY,
        act: refused,
    },
    Step {
        title: "re-enable, on the record",
        command: REENABLE,
        act: reenable,
    },
];

/// Walks the steps; each finished one is added to `done`.
pub(super) fn walk(
    scratch: &mut Scratch,
    progress: &mut Progress,
    done: &mut Vec<StepReport>,
) -> Result<(), RehearseError> {
    for step in STEPS {
        progress.begin(step.title);
        let started = Instant::now();
        let detail = (step.act)(scratch)?;
        let report = StepReport {
            title: step.title.to_owned(),
            command: step.command.to_owned(),
            detail,
            elapsed_ms: millis(started.elapsed()),
        };
        progress.done(&report);
        done.push(report);
    }
    Ok(())
}

/// The first characters of an id.
fn short(id: &str) -> String {
    id.chars().take(8).collect()
}

/// A repository with a bare remote and a scaffolded project, nothing committed yet.
pub(super) fn scaffold(scratch: &mut Scratch) -> Result<String, RehearseError> {
    let remote = scratch.remote().display().to_string();
    scratch.git(&["init", "-q", "--bare", "-b", "main", &remote])?;
    scratch.git(&["init", "-q", "-b", "main", "."])?;
    scratch.git(&["remote", "add", "origin", &remote])?;
    scratch.launch(&["init", "."])?.expect(0)?;
    let files = scratch
        .git(&["ls-files", "--others"])?
        .stdout
        .lines()
        .count();
    Ok(format!("{files} files"))
}

/// Commits and pushes what stands there.
pub(super) fn commit_and_push(scratch: &mut Scratch) -> Result<String, RehearseError> {
    scratch.commit_and_push("project: scaffold")?;
    Ok(format!("{} on origin/main", short(&head(scratch)?)))
}

/// HEAD's commit id.
pub(super) fn head(scratch: &Scratch) -> Result<String, RehearseError> {
    Ok(scratch
        .git(&["rev-parse", "HEAD"])?
        .stdout
        .trim()
        .to_owned())
}

fn preflight(scratch: &mut Scratch) -> Result<String, RehearseError> {
    let report = scratch
        .launch(&["preflight", "--env", "local", "--format", "json"])?
        .expect(0)?
        .json()?;
    let checks = list(&report, "/checks").len();
    Ok(format!(
        "{} after {checks} checks",
        text(&report, "/verdict")
    ))
}

/// Starts the scratch platform at its pace; a deploy finds it running.
pub(super) fn platform(scratch: &Scratch) -> Result<(), RehearseError> {
    scratch
        .launch(&["platform", "start", "--time-scale", TIME_SCALE])?
        .expect(0)?;
    Ok(())
}

/// Deploys; the trading lease is held at the end.
pub(super) fn deploy(scratch: &mut Scratch) -> Result<String, RehearseError> {
    platform(scratch)?;
    scratch.launch(&["deploy", "--env", ENV])?.expect(0)?;
    let running = Running::of(scratch, ENV)?;
    let health = running.health()?;
    if at(&health, "/lease").is_null() {
        return Err(RehearseError::Wrong(
            "deployed, but the trader holds no trading lease".to_owned(),
        ));
    }
    let nonce = short(text(&health, "/instance_nonce"));
    Ok(format!(
        "{} runs, instance {nonce}, lease held",
        short(running.deployment())
    ))
}

fn verify(scratch: &mut Scratch) -> Result<String, RehearseError> {
    scratch.launch(&["verify", "--env", ENV])?.expect(0)?;
    let health = Running::of(scratch, ENV)?.health()?;
    Ok(format!(
        "commit {}, manifest {}",
        short(text(&health, "/platform_commit")),
        &short_digest(&health)
    ))
}

fn short_digest(health: &Value) -> String {
    text(health, "/manifest_digest")
        .trim_start_matches("sha256:")
        .chars()
        .take(8)
        .collect()
}

fn soak(scratch: &mut Scratch) -> Result<String, RehearseError> {
    let running = Running::of(scratch, ENV)?;
    let before = running.health()?;
    scratch.sleep(SOAK);
    scratch.go_on()?;
    let after = running.health()?;
    let (from, to) = (
        text(&before, "/last_tick_at"),
        text(&after, "/last_tick_at"),
    );
    if from == to {
        return Err(RehearseError::Wrong(format!(
            "no tick in {} s: last at {to}",
            SOAK.as_secs()
        )));
    }
    if at(&after, "/lease").is_null() || at(&after, "/errors_last_minute") != 0 {
        return Err(RehearseError::Wrong(format!(
            "not healthy after the soak: {after}"
        )));
    }
    scratch.launch(&["status", "--env", ENV])?.expect(0)?;
    Ok(format!(
        "{} s, ticks flow, lease renewed, 0 errors",
        SOAK.as_secs()
    ))
}

fn breach(scratch: &mut Scratch) -> Result<String, RehearseError> {
    let id = Running::of(scratch, ENV)?.deploy_beside(&head(scratch)?)?;
    Ok(format!("{} deployed past launch", short(&id)))
}

fn tripped(scratch: &mut Scratch) -> Result<String, RehearseError> {
    // Its own word comes last: it ends when the stop is proved, or says that it is not.
    let ended = wait_until(scratch, "the watchdog's verdict", TRIP_MAX, || {
        let status = scratch
            .launch(&["status", "--env", ENV, "--format", "json"])?
            .json()?;
        let target = list(&status, "/targets").first().unwrap_or(&status);
        Ok(at(target, "/watchdog_ended").as_str().map(str::to_owned))
    })?;
    let living = living_traders(scratch)?;
    if living != 0 || !ended.starts_with(WATCHDOG_STOPPED) {
        return Err(RehearseError::Wrong(format!(
            "{living} traders live; the watchdog: {ended}"
        )));
    }
    Ok(format!(
        "0 traders live; {}",
        ended
            .split_once(": ")
            .map_or(ended.as_str(), |(_, why)| why)
    ))
}

/// Traders that live, by the kernel and not by the platform's word.
pub(super) fn living_traders(scratch: &Scratch) -> Result<usize, RehearseError> {
    let living = crate::loopback::living_processes(&scratch.state())
        .map_err(|error| RehearseError::Wrong(error.to_string()))?;
    Ok(living.values().map(Vec::len).sum())
}

fn refused(scratch: &mut Scratch) -> Result<String, RehearseError> {
    let ran = scratch.launch(&["deploy", "--env", ENV])?.expect(4)?;
    let why = ran
        .stderr
        .lines()
        .find(|line| line.contains("frozen"))
        .unwrap_or_default();
    Ok(format!(
        "exit 4: {}",
        why.trim().trim_start_matches("error: ")
    ))
}

fn reenable(scratch: &mut Scratch) -> Result<String, RehearseError> {
    scratch
        .launch(&[
            "reenable",
            "--env",
            ENV,
            "--reason",
            "rehearsal: the breach was planted",
        ])?
        .expect(0)?;
    Ok("read back everywhere".to_owned())
}

/// The figures of a kill's JSON document.
pub(super) fn kill_figures(document: &Value) -> String {
    format!(
        "{}: first answer {}, proved after {}",
        text(document, "/verdict"),
        millis_text(document, "/targets/0/first_ack_ms"),
        millis_text(document, "/targets/0/elapsed_ms")
    )
}

fn drill(scratch: &mut Scratch) -> Result<String, RehearseError> {
    stop(
        scratch,
        &[
            "kill",
            "--env",
            ENV,
            "--drill",
            "--settle",
            SETTLE_SECS,
            "--format",
            "json",
        ],
    )
}

fn kill(scratch: &mut Scratch) -> Result<String, RehearseError> {
    stop(
        scratch,
        &[
            "kill",
            "--env",
            ENV,
            "--settle",
            SETTLE_SECS,
            "--format",
            "json",
        ],
    )
}

fn stop(scratch: &Scratch, args: &[&str]) -> Result<String, RehearseError> {
    let document = scratch.launch(args)?.expect(0)?.json()?;
    let living = living_traders(scratch)?;
    if living != 0 {
        return Err(RehearseError::Wrong(format!(
            "the kill said {document}, but {living} traders live"
        )));
    }
    Ok(kill_figures(&document))
}
