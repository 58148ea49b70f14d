//! A plan as people read it.
//!
//! Pure: text out. Shows names and digests, never a variable's value.

use super::intent::{Change, Plan, Program};
use std::fmt::Write as _;

/// Digits of a commit or digest that people read.
const SHORT: usize = 12;

/// The plan as text that ends with a newline.
pub fn human(plan: &Plan) -> String {
    let intent = &plan.intent;
    let mut out = String::new();
    let mut row = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _infallible = writeln!(out, "  {name:<12} {value}");
    };
    row(
        "environment",
        &format!(
            "{} ({}, platform {})",
            intent.env, intent.class, intent.platform
        ),
    );
    row(
        "commit",
        &format!("{} (tree {})", intent.commit, short(&intent.tree)),
    );
    row(
        "manifest",
        &format!(
            "{} ({})",
            intent.manifest_path,
            short_digest(&intent.manifest_digest)
        ),
    );
    row("mode, feed", &format!("{}, {}", intent.mode, intent.feed));
    row(
        "strategies",
        &format!(
            "{} ({} components)",
            intent.strategies.join(", "),
            intent.components.len()
        ),
    );
    row("program", &program(&intent.program));
    row("replaces", &replaced(plan));
    row(
        "variables",
        &intent
            .variables
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(", "),
    );
    row(
        "watch",
        &format!(
            "lease {} ms, trip after {} s of hold or {} holds an hour",
            intent.watch.lease_ttl_ms,
            intent.watch.silence_kill_secs,
            intent.watch.max_holds_per_hour.saturating_add(1)
        ),
    );
    row("intent", &plan.intent_digest);
    row(
        "plan",
        &format!(
            "{} (id {}, until {})",
            plan.plan_digest, plan.plan_id, plan.expires_at
        ),
    );
    for note in &plan.notes {
        row("note", note);
    }
    format!("Plan for {}\n{out}", intent.env)
}

/// What changed since a plan was made.
pub fn changes(changes: &[Change]) -> String {
    let mut out = String::new();
    for change in changes {
        // Writing into a String cannot fail.
        let _infallible = writeln!(
            out,
            "  {}: planned {}, now {}",
            change.field, change.planned, change.now
        );
    }
    out
}

fn program(program: &Program) -> String {
    match program {
        Program::Binary { sha256 } => {
            format!(
                "the launch binary of this machine ({})",
                short_digest(sha256)
            )
        }
        Program::Source => "built by the platform from the commit".to_owned(),
        Program::Pinned { version, sha256 } => {
            format!("trader {version} ({})", short_digest(sha256))
        }
    }
}

fn replaced(plan: &Plan) -> String {
    if plan.active_deployments.is_empty() {
        "nothing is live".to_owned()
    } else {
        plan.active_deployments.join(", ")
    }
}

/// The first digits of a hex id.
pub fn short(hex: &str) -> &str {
    hex.get(..SHORT).unwrap_or(hex)
}

fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((kind, hex)) => format!("{kind}:{}", short(hex)),
        None => digest.to_owned(),
    }
}
