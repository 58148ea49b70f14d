//! `--wait`: asks again until all checks hold or the time is up.
//!
//! Only what does not hold is judged again, and only where it can change without a commit; beside it the disk
//! and the remote, whose verdicts are never kept. When HEAD moves, everything is judged.

use super::{Request, Unusable, judge_beside};
use crate::context::Context;
use crate::repo::Repo;
use launch_checks::{CheckResult, Code, Report, Status, TABLE, Verdict};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(2);
/// Committed and pushed: asked again in every round, whatever they said before.
const NEVER_KEPT: [u16; 2] = [101, 102];

/// Judges once, or until all hold within `wait`.
pub(super) fn judge(
    cwd: &Path,
    request: &Request<'_>,
    wait: Option<Duration>,
    ctx: &Context,
    said: &(dyn Fn(&CheckResult) + Sync),
) -> Result<Report, Unusable> {
    let started = Instant::now();
    let mut report = judge_beside(cwd, request, &BTreeMap::new(), ctx, said)?;
    let started_at = report.started_at.clone();
    // The tests ran once; nothing about them changes without another commit.
    let request = &Request {
        run_tests: false,
        ..request.clone()
    };
    let Some(wait) = wait else {
        return Ok(report);
    };
    let mut told = String::new();
    while report.verdict != Verdict::Pass {
        let left = wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            ctx.note(&format!("note: --wait: {} s are up", wait.as_secs()));
            break;
        }
        if !can_change(&report) {
            ctx.note("note: --wait: what does not hold cannot change without another commit");
            break;
        }
        let open = open_codes(&report);
        if open != told {
            let secs = left.as_secs();
            ctx.note(&format!("waiting for {open} ({secs} s left)"));
            told = open;
        }
        std::thread::sleep(PAUSE.min(left));
        let moved = Repo::discover(cwd).map(|repo| repo.commit()).ok() != report.commit;
        let known = if moved {
            ctx.note("HEAD moved: judging everything again");
            BTreeMap::new()
        } else {
            settled(&report)
        };
        // A line is only news where it says something else than before.
        let before = report.checks.clone();
        let news = |check: &CheckResult| {
            let same = |old: &CheckResult| {
                old.code == check.code && old.status == check.status && old.message == check.message
            };
            if !before.iter().any(same) {
                said(check);
            }
        };
        report = judge_beside(cwd, request, &known, ctx, &news)?;
        report.started_at.clone_from(&started_at);
        report.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    }
    Ok(report)
}

/// What need not be judged again while HEAD stays: what can only change with it.
fn settled(report: &Report) -> BTreeMap<Code, CheckResult> {
    let is_settled = |check: &&CheckResult| match check.status {
        Status::Skipped => false,
        Status::Pass | Status::Warn => !NEVER_KEPT.contains(&check.code.number()),
        Status::Fail | Status::Unknown => sees_only_head(check.code),
    };
    let settled = report.checks.iter().filter(is_settled);
    settled.map(|check| (check.code, check.clone())).collect()
}

/// Whether waiting can help: something that does not hold reads more than HEAD.
///
/// One that does not hold and reads HEAD alone will not hold later; then waiting for others is no use.
fn can_change(report: &Report) -> bool {
    let open = |check: &&CheckResult| matches!(check.status, Status::Fail | Status::Unknown);
    let mut open = report.checks.iter().filter(open).peekable();
    open.peek().is_some() && open.all(|check| !sees_only_head(check.code))
}

fn sees_only_head(code: Code) -> bool {
    TABLE
        .iter()
        .find(|row| row.code == code)
        .is_none_or(launch_checks::Row::sees_only_head)
}

fn open_codes(report: &Report) -> String {
    let open: Vec<String> = report
        .checks
        .iter()
        .filter(|check| matches!(check.status, Status::Fail | Status::Unknown))
        .map(|check| check.code.to_string())
        .collect();
    open.join(", ")
}
