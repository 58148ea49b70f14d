//! The kill of a combination: the library's own, in a thread of its own as a process would have it, or one
//! that is broken on purpose.

use super::binary;
use super::judge::Kill;
use super::pace;
use launch_kill::report::{PathStatus, TargetReport};
use launch_kill::{KillArgs, Progress, Report, StateDir, Surroundings};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// A kill that is broken on purpose: each has to be noticed, or the matrix proves nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Planted {
    /// The kill as it is.
    #[default]
    Nothing,
    /// Says verified without doing anything, as `railway down` did.
    SaysZero,
    /// Takes the platform's word for the process's end.
    TrustsReports,
    /// Never says verified.
    NeverVerifies,
    /// Is late.
    IsLate,
}

/// What to kill.
#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) state_dir: PathBuf,
    pub(super) env: String,
    pub(super) endpoint: Option<String>,
    pub(super) deadline: Duration,
    /// The operator's environment: nothing of the real one.
    pub(super) variables: BTreeMap<String, String>,
    pub(super) revokes_key: bool,
    /// The program whose `kill` is run as a process of its own, where it is.
    pub(super) program: PathBuf,
    pub(super) is_binary: bool,
}

/// Begins to kill; the result is waited for. `Err`: nothing could be asked.
pub(super) fn start(
    order: &Order,
    planted: Planted,
) -> impl Future<Output = Result<Kill, String>> + use<> {
    let (tell, told) = oneshot::channel();
    let order = order.clone();
    std::thread::spawn(move || {
        // Whoever waits is gone only when the whole matrix is.
        drop(tell.send(kill(&order, planted)));
    });
    async move {
        told.await
            .unwrap_or_else(|_| Err("the kill broke: a bug".to_owned()))
    }
}

fn kill(order: &Order, planted: Planted) -> Result<Kill, String> {
    let start = Instant::now();
    let told = |verdict, exit, reason| Kill {
        verdict,
        exit,
        elapsed: start.elapsed(),
        deadline: order.deadline,
        reason,
    };
    if planted == Planted::SaysZero {
        return Ok(told("verified", 0, "planted: did nothing".to_owned()));
    }
    if order.is_binary && planted == Planted::Nothing {
        return binary::kill(order, start);
    }
    let report = run(order, start)?;
    if planted == Planted::IsLate {
        std::thread::sleep(
            (order.deadline + Duration::from_millis(1_500)).saturating_sub(start.elapsed()),
        );
    }
    let (verdict, exit) = match planted {
        Planted::NeverVerifies => ("unverified", 7),
        Planted::TrustsReports if report.targets.iter().all(platform_says_dead) => ("verified", 0),
        Planted::Nothing | Planted::SaysZero | Planted::TrustsReports | Planted::IsLate => {
            (report.verdict.as_str(), report.verdict.exit_code())
        }
    };
    Ok(told(verdict, exit, explain(&report)))
}

fn run(order: &Order, start: Instant) -> Result<Report, String> {
    let args = KillArgs {
        env: Some(order.env.clone()),
        deadline: order.deadline,
        settle: pace::SETTLE,
        reason: "kill matrix".to_owned(),
        endpoint: order.endpoint.clone(),
        revoke_venue_key: order.revokes_key,
        ..KillArgs::default()
    };
    let around = Surroundings {
        variables: order.variables.clone(),
        state_dir: Some(StateDir::at(&order.state_dir)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let (pace, nobody) = (pace::pace(), Progress::silent());
    let killing = launch_kill::run(&args, &around, &pace, start, &nobody);
    let report = runtime.block_on(killing).map_err(|error| error.to_string());
    // As at the end of a process: what still hangs is not waited for.
    runtime.shutdown_background();
    report
}

fn platform_says_dead(target: &TargetReport) -> bool {
    let mut paths = target.paths.iter();
    paths.any(|path| path.path == "platform" && path.status == PathStatus::Confirmed)
}

fn explain(report: &Report) -> String {
    let of = |target: &TargetReport| {
        let witnesses = target
            .witnesses
            .iter()
            .map(|witness| format!("{} {:?}: {}", witness.name, witness.status, witness.detail));
        let paths = target
            .paths
            .iter()
            .map(|path| format!("{} {:?}: {}", path.path, path.status, path.detail));
        let all: Vec<String> = paths.chain(witnesses).collect();
        format!("{}; {}", target.reason, all.join(" | "))
    };
    report
        .targets
        .iter()
        .map(of)
        .collect::<Vec<_>>()
        .join(" ## ")
}
