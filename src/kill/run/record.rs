//! The record of a kill or drill in the state directory; `launch` signs it into its chain later.
//!
//! Failing to write it never fails the kill, and never keeps it waiting.

use crate::args::KillArgs;
use crate::report::{Report, TargetReport};
use crate::state_dir::{StateDir, write_private};
use crate::targets::Surroundings;
use serde_json::json;
use std::time::Duration;

/// Longest wait for the disk.
const WRITE_MAX: Duration = Duration::from_millis(500);

/// Writes one record per target: `receipts/drill-<env>-<ms>-<pid>.json` or `receipts/kill-…`. The process
/// is part of the name: two kills that end in the same millisecond both keep their record.
pub(crate) async fn write(around: &Surroundings, args: &KillArgs, report: &Report) {
    let Some(dir) = around.state_dir.clone() else {
        return;
    };
    let kind = if args.drill { "drill" } else { "kill" };
    let texts: Vec<(String, String)> = report
        .targets
        .iter()
        .map(|target| record(kind, target))
        .collect();
    let work = tokio::task::spawn_blocking(move || {
        for (name, text) in texts {
            // Best effort by contract: the verdict is already fixed.
            drop(write_private(&path(&dir, &name), text.as_bytes()));
        }
    });
    drop(tokio::time::timeout(WRITE_MAX, work).await);
}

fn path(dir: &StateDir, name: &str) -> std::path::PathBuf {
    dir.root().join("receipts").join(name)
}

fn record(kind: &str, target: &TargetReport) -> (String, String) {
    let now = jiff::Timestamp::now();
    let time_to_verified_ms =
        (target.verdict == crate::verdict::Verdict::Verified).then_some(target.elapsed_ms);
    let body = json!({
        "schema_version": 1,
        "kind": kind,
        "env": target.env,
        "at": now.to_string(),
        "verdict": target.verdict,
        "time_to_verified_ms": time_to_verified_ms,
        "first_ack_ms": target.first_ack_ms,
        "target": target,
    });
    let env: String = target
        .env
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    (
        format!(
            "{kind}-{env}-{}-{}.json",
            now.as_millisecond(),
            std::process::id()
        ),
        format!("{body:#}\n"),
    )
}
