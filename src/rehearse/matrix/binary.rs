//! The kill as an operator runs it: `launch kill --format json` as a process of its own, judged by its
//! exit code.
//!
//! Its intervals are the real ones; only the settle window is short.

use super::judge::{GRACE, Kill};
use super::killing::Order;
use super::pace;
use crate::child::{self, Bounds};
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// Most bytes of its document.
const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How much longer than its deadline and the grace it may live before it is ended: late either way.
const PATIENCE: Duration = Duration::from_secs(20);

/// Kills. Errors: it asked nothing, never ended, or told no document.
pub(super) fn kill(order: &Order, start: Instant) -> Result<Kill, String> {
    let ms = |span: Duration| format!("{}ms", span.as_millis());
    let mut command = Command::new(&order.program);
    command
        .args(["kill", "--format", "json", "--env", &order.env])
        .args(["--deadline", &ms(order.deadline)])
        .args(["--settle", &ms(pace::SETTLE), "--reason", "kill matrix"])
        .arg("--state-dir")
        .arg(&order.state_dir)
        .args(order.endpoint.iter().flat_map(|at| ["--endpoint", at]))
        .args(order.revokes_key.then_some("--revoke-venue-key"))
        .env_clear()
        .envs(&order.variables)
        .current_dir(&order.state_dir);
    let bounds = Bounds {
        timeout: order.deadline + GRACE + PATIENCE,
        output_bytes: OUTPUT_BYTES_MAX,
    };
    let ended = child::run(command, bounds).map_err(|error| error.to_string())?;
    let elapsed = start.elapsed();
    let told: Value = serde_json::from_slice(&ended.stdout)
        .map_err(|error| format!("its document cannot be read: {error}"))?;
    let word = told.get("verdict").and_then(Value::as_str);
    let exit = ended.status.code().and_then(|code| u8::try_from(code).ok());
    let Some(exit @ (0 | 7)) = exit else {
        let why = String::from_utf8_lossy(&ended.stderr).into_owned();
        return Err(format!("{}: {why}", ended.status));
    };
    Ok(Kill {
        verdict: verdict(word.unwrap_or_default()),
        exit,
        elapsed,
        deadline: order.deadline,
        reason: told
            .get("targets")
            .map(Value::to_string)
            .unwrap_or_default(),
    })
}

/// The documented words; another one is a failure.
fn verdict(word: &str) -> &'static str {
    let words = [
        "nothing_running",
        "verified",
        "reduced",
        "platform_only",
        "unverified",
    ];
    let known = words.into_iter().find(|known| *known == word);
    known.unwrap_or("failed")
}
