//! What a deploy prints at its end: for people, and as one JSON document.
//!
//! Pure: text out.

use super::after;
use super::history::Deployed;
use super::sent::Sent;
use super::unwind::Undone;
use crate::plan::gather::Gathered;
use crate::plan::render::short;
use crate::watchdog::expectation::Expectation;
use serde_json::{Value, json};

/// Version of the document.
const SCHEMA_VERSION: u32 = 1;

/// Verified, for people.
pub fn verified(gathered: &Gathered, sent: &Sent, expected: &Expectation) -> String {
    let env = &gathered.env;
    let place = if gathered.connected.local.is_some() {
        " on THIS machine"
    } else {
        ""
    };
    let pid = sent
        .process
        .as_ref()
        .map_or_else(String::new, |process| format!(", pid {}", process.pid));
    let health = health_url(expected);
    let commit = short(&expected.plan.intent.commit);
    format!(
        "{env}{place}: commit {commit} runs, verified twice, trading lease held\n\
         \n  deployment  {}{pid}\n  health      {health}\n  watchdog    {}\n\n\
         \x20 look:  launch status --env {env}\n  stop:  launch kill --env {env}\n",
        expected.deployment_id,
        sent.watchdog_url.as_deref().unwrap_or("unknown"),
    )
}

/// Where the trader answers.
pub fn health_url(expected: &Expectation) -> String {
    format!("{}/health", expected.trader_url.trim_end_matches('/'))
}

/// Verified, as JSON.
pub fn verified_json(deployed: &Deployed, sent: &Sent, expected: &Expectation) -> Value {
    let pid = sent.process.as_ref().map(|process| process.pid);
    json!({
        "schema_version": SCHEMA_VERSION,
        "env": deployed.env,
        "outcome": deployed.outcome,
        "plan": deployed.plan,
        "running": after::running(expected, pid),
        "watchdog_url": sent.watchdog_url,
        "warnings": deployed.warnings,
        "steps": deployed.steps,
    })
}

/// Not verified, as JSON.
pub fn failed_json(deployed: &Deployed, undone: &Undone) -> Value {
    json!({
        "schema_version": SCHEMA_VERSION,
        "env": deployed.env,
        "outcome": deployed.outcome,
        "reason": deployed.reason,
        "plan": deployed.plan,
        "deployment_id": deployed.deployment_id,
        "told": undone.told,
        "warnings": deployed.warnings,
        "steps": deployed.steps,
    })
}
