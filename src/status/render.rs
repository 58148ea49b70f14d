//! A snapshot as people read it: one line a question, "unknown" where nothing was seen.
//!
//! Pure: text out.

use super::snapshot::{Seen, Snapshot};
use crate::plan::render::short;
use serde_json::Value;
use std::fmt::Write as _;
use trader_core::units::EpochMs;
use trader_core::wire::Health;

/// One environment; ends with a newline.
pub(super) fn human(snapshot: &Snapshot) -> String {
    let mut out = format!(
        "{} ({})\n",
        snapshot.env,
        snapshot.platform.as_deref().unwrap_or("platform unknown")
    );
    let mut row = |name: &str, value: &str| {
        // Writing into a String cannot fail.
        let _infallible = writeln!(out, "  {name:<11} {value}");
    };
    row("live", &live(snapshot));
    match &snapshot.trader {
        Seen::Known(health) => trader(health, &mut row),
        Seen::Absent(why) => {
            row("trader", &format!("none: {why}"));
            row(
                "positions",
                "unknown: no trader runs that could tell (the last kill report lists them)",
            );
        }
        Seen::Unknown(why) => {
            row("trader", &format!("unknown: {why}"));
            row("lease", "unknown");
            row("positions", "unknown");
        }
    }
    row("watchdog", &watchdog(snapshot));
    row("freeze", &freeze(snapshot));
    if let Some(plan) = &snapshot.deploying {
        row("deploying", &format!("plan {plan}, from this machine"));
    }
    if let Some(url) = &snapshot.dashboard_url {
        row("dashboard", url);
    }
    out
}

fn live(snapshot: &Snapshot) -> String {
    match &snapshot.live {
        Seen::Known(live) if live.is_empty() => "nothing".to_owned(),
        Seen::Known(live) => live
            .iter()
            .map(|deployment| {
                let commit = deployment.commit.as_deref().unwrap_or("commit unknown");
                format!(
                    "{} ({}, {})",
                    deployment.id,
                    deployment.status,
                    short(commit)
                )
            })
            .collect::<Vec<_>>()
            .join(", "),
        Seen::Absent(why) => format!("nothing: {why}"),
        Seen::Unknown(why) => format!("unknown: {why}"),
    }
}

fn trader(health: &Health, row: &mut impl FnMut(&str, &str)) {
    let commit = health
        .platform_commit
        .as_deref()
        .unwrap_or("commit unknown");
    row(
        "trader",
        &format!(
            "{:?}, {} {}, instance {}, mode {}, feed {}",
            health.state,
            health.trader_version,
            short(commit),
            short(&health.instance_nonce),
            health.mode,
            health.feed
        )
        .to_lowercase(),
    );
    row("strategies", &health.strategies.join(", "));
    row("lease", &lease(health));
    if let Some(halt) = &health.halted {
        let extent = if halt.reduce_only {
            "entries off, exits on"
        } else {
            "nothing is sent"
        };
        row(
            "halted",
            &format!("{extent}; by {}: {}", halt.by, halt.reason),
        );
    }
    if health.closed_strategies.is_empty() {
        row("quality", "the gate is open for every strategy");
    }
    for (strategy, closed) in &health.closed_strategies {
        row(
            "quality",
            &format!(
                "{strategy} is shut out since {} (exits go on; launch reenable lets it in): {}",
                at(closed.at),
                closed.reason
            ),
        );
    }
    row(
        "ticks",
        health.last_tick_at.as_deref().unwrap_or("none seen yet"),
    );
    row("positions", &positions(health));
    row(
        "orders",
        &format!(
            "{} open, {} in the last minute, {} errors",
            health.open_orders, health.orders_last_minute, health.errors_last_minute
        ),
    );
    row("day", &format!("{} USD", health.pnl_day_usd));
}

/// RFC 3339 UTC.
fn at(instant: EpochMs) -> String {
    jiff::Timestamp::from_millisecond(instant.0)
        .map_or_else(|_| format!("{} ms", instant.0), |stamp| stamp.to_string())
}

fn lease(health: &Health) -> String {
    match &health.lease {
        Some(lease) => format!("held by {} for {} ms", lease.holder, lease.expires_in_ms),
        None => "not held: no entries".to_owned(),
    }
}

fn positions(health: &Health) -> String {
    if health.positions.is_empty() {
        return "none".to_owned();
    }
    let each: Vec<String> = health
        .positions
        .iter()
        .map(|position| {
            format!(
                "{} {} shares {} (at most {} USD to lose, closes in {} s)",
                position.window,
                position.shares,
                position.outcome,
                position.cost_usd,
                position.closes_in_ms / 1_000
            )
        })
        .collect();
    format!("{} USD at stake: {}", health.exposure_usd, each.join("; "))
}

fn watchdog(snapshot: &Snapshot) -> String {
    match &snapshot.watchdog {
        Seen::Known(told) => {
            let text = |name: &str| told.get(name).and_then(Value::as_str);
            let reason = text("reason").map_or_else(String::new, |why| format!(" ({why})"));
            let pid = told.get("pid").and_then(Value::as_u64);
            let pid = pid.map_or_else(String::new, |pid| format!(", process {pid}"));
            format!("{}{reason}{pid}", text("state").unwrap_or("unknown"))
        }
        Seen::Absent(why) => match &snapshot.watchdog_ended {
            Some(ended) => format!("{why} (the last one: {ended})"),
            None => why.clone(),
        },
        Seen::Unknown(why) => format!("unknown: {why}"),
    }
}

fn freeze(snapshot: &Snapshot) -> String {
    let platform = match &snapshot.frozen_on_platform {
        Seen::Known(Some(frozen)) => Some(format!("platform: {frozen}")),
        Seen::Known(None) | Seen::Absent(_) => None,
        Seen::Unknown(why) => Some(format!("platform: unknown ({why})")),
    };
    let here = snapshot.frozen_here.as_ref().map(|frozen| {
        match (&snapshot.frozen_on_platform, &platform) {
            (Seen::Known(None), _) => {
                format!("this machine only, other operators are not held back: {frozen}")
            }
            _ => format!("this machine: {frozen}"),
        }
    });
    let all: Vec<String> = here.into_iter().chain(platform).collect();
    if all.is_empty() {
        "off".to_owned()
    } else {
        all.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(closed: &Value) -> Health {
        serde_json::from_value(serde_json::json!({
            "trader_version": "0.1.0", "build_commit": "c", "platform_commit": "c",
            "deployment_id": "d", "instance_nonce": "n", "state": "ready", "trader_sha256": "s",
            "manifest_digest": "m", "effective": {}, "feed": "generator:7",
            "venue": {"geoblocked": null, "clock_offset_ms": null, "order_version": null},
            "mode": "paper", "strategies": ["hybrid"], "components": [], "lease": null,
            "halted": null, "closed_strategies": closed, "feeds": [], "last_tick_at": null,
            "windows": [], "open_orders": 0, "positions": [], "exposure_usd": "0",
            "pnl_day_usd": "0", "orders_last_minute": 0, "errors_last_minute": 0,
            "clock_offset_ms": null
        }))
        .unwrap()
    }

    fn rows(health: &Health) -> Vec<String> {
        let mut rows = Vec::new();
        trader(health, &mut |name, value| {
            rows.push(format!("{name}: {value}"));
        });
        rows
    }

    #[test]
    fn a_strategy_that_the_quality_gate_has_shut_out_is_named_with_its_reason() {
        let open = rows(&health(&serde_json::json!({})));
        assert!(open.contains(&"quality: the gate is open for every strategy".to_owned()));
        let closed = serde_json::json!({"hybrid": {
            "by": "safeguard:quality_gate", "reason": "quality_net (seen 0.3, limit 0.25)",
            "reduce_only": true, "at": 1_769_949_000_000_i64
        }});
        let shut = rows(&health(&closed)).join("\n");
        assert!(
            shut.contains(
                "quality: hybrid is shut out since 2026-02-01T12:30:00Z (exits go on; launch reenable \
                 lets it in): quality_net (seen 0.3, limit 0.25)"
            ),
            "{shut}"
        );
        assert!(!shut.contains("open for every"));
    }
}
