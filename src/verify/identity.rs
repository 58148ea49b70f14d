//! Is the running trader the planned one? One pure comparison that deploy, verify and watchdog share.
//!
//! Facts come from the trader's own `/health` and from the plan. Nothing here waits or asks. What
//! cannot be seen counts as different: unknown never passes.
//!
//! Three things keep a liar from passing: values come from the running engine, a listed strategy
//! must have a live component of its own, and the instance's nonce must be the same in two reads.

use crate::plan::intent::{Intent, Program};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use trader_core::wire::Health;

/// One value that is not as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Which value; effective values as `effective.<key>`.
    pub what: String,
    /// As seen.
    pub seen: String,
    /// As planned.
    pub wanted: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {}, planned {}", self.what, self.seen, self.wanted)
    }
}

/// States of a component that is alive; anything else is half-started.
const LIVE_COMPONENT_STATES: [&str; 2] = ["configured", "ready"];

/// The result of one comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What refuses.
    pub differences: Vec<Difference>,
    /// What a person should read and what does not refuse.
    pub warnings: Vec<String>,
}

impl Comparison {
    /// Whether the trader is the planned one.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    fn expect(&mut self, what: impl Into<String>, seen: &str, wanted: &str) {
        if seen != wanted {
            self.differences.push(Difference {
                what: what.into(),
                seen: seen.to_owned(),
                wanted: wanted.to_owned(),
            });
        }
    }
}

/// Compares one `/health` with the plan; `deployment_id` is the one that the platform gave us.
pub fn compare(intent: &Intent, deployment_id: &str, health: &Health) -> Comparison {
    let mut out = Comparison::default();
    out.expect(
        "deployment_id",
        or_absent(health.deployment_id.as_deref()),
        deployment_id,
    );
    out.expect(
        "platform_commit",
        or_absent(health.platform_commit.as_deref()),
        &intent.commit,
    );
    out.expect(
        "manifest_digest",
        &health.manifest_digest,
        &intent.manifest_digest,
    );
    out.expect("feed", &health.feed, &intent.feed);
    out.expect("mode", &health.mode.to_string(), &intent.mode.to_string());
    compare_program(intent, health, &mut out);
    compare_effective(&intent.effective, &health.effective, &mut out);
    compare_strategies(intent, health, &mut out);
    compare_components(intent, health, &mut out);
    out
}

/// Compares two reads of one instance: both as planned, and the same process.
pub fn compare_pair(
    intent: &Intent,
    deployment_id: &str,
    first: &Health,
    second: &Health,
) -> Comparison {
    let mut out = compare(intent, deployment_id, first);
    for difference in compare(intent, deployment_id, second).differences {
        if !out.differences.contains(&difference) {
            out.differences.push(difference);
        }
    }
    out.expect(
        "instance_nonce (second read)",
        &second.instance_nonce,
        &first.instance_nonce,
    );
    if first.instance_nonce.is_empty() {
        out.expect("instance_nonce", "empty", "a nonce of its own");
    }
    out
}

fn compare_program(intent: &Intent, health: &Health, out: &mut Comparison) {
    match &intent.program {
        Program::Binary { sha256 } => {
            out.expect("trader_sha256", &health.trader_sha256, sha256);
            if health.build_commit != intent.commit {
                out.warnings.push(format!(
                    "the program was built from commit {}, the deployed commit is {}: on this \
                     machine the platform runs the launch binary that started it",
                    health.build_commit, intent.commit
                ));
            }
        }
        Program::Source => out.expect("build_commit", &health.build_commit, &intent.commit),
        Program::Pinned { version, sha256 } => {
            out.expect("trader_version", &health.trader_version, version);
            out.expect("trader_sha256", &health.trader_sha256, sha256);
        }
    }
}

fn compare_effective(
    wanted: &BTreeMap<String, serde_json::Value>,
    seen: &BTreeMap<String, serde_json::Value>,
    out: &mut Comparison,
) {
    let keys: BTreeSet<&String> = wanted.keys().chain(seen.keys()).collect();
    for key in keys {
        let (want, have) = (wanted.get(key), seen.get(key));
        if want != have {
            let text = |value: Option<&serde_json::Value>| {
                value.map_or_else(|| "absent".to_owned(), ToString::to_string)
            };
            out.expect(format!("effective.{key}"), &text(have), &text(want));
        }
    }
}

fn compare_strategies(intent: &Intent, health: &Health, out: &mut Comparison) {
    out.expect(
        "strategies",
        &health.strategies.join(", "),
        &intent.strategies.join(", "),
    );
    for strategy in &health.strategies {
        let own = format!("{strategy}/");
        if !health.components.iter().any(|c| c.id.starts_with(&own)) {
            out.expect(
                format!("strategy {strategy}"),
                "listed without a live component",
                "at least one live component",
            );
        }
    }
}

fn compare_components(intent: &Intent, health: &Health, out: &mut Comparison) {
    let seen: BTreeMap<&str, &str> = health
        .components
        .iter()
        .map(|c| (c.id.as_str(), c.state.as_str()))
        .collect();
    let wanted: BTreeSet<&str> = intent.components.iter().map(String::as_str).collect();
    for id in &wanted {
        match seen.get(id) {
            None => out.expect(format!("component {id}"), "absent", "alive"),
            Some(state) if !LIVE_COMPONENT_STATES.contains(state) => {
                out.expect(format!("component {id}"), state, "configured or ready");
            }
            Some(_) => {}
        }
    }
    for id in seen.keys().filter(|id| !wanted.contains(**id)) {
        out.expect(format!("component {id}"), "running", "not planned");
    }
}

fn or_absent(value: Option<&str>) -> &str {
    value.unwrap_or("absent")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::intent::tests::intent;
    use serde_json::json;
    use trader_core::units::Usd;
    use trader_core::wire::{ComponentHealth, InstanceState, VenueHealth};

    /// A health answer that agrees with [`intent`] in every value.
    pub(crate) fn healthy() -> Health {
        let intent = intent();
        Health {
            trader_version: "0.1.0".into(),
            build_commit: intent.commit.clone(),
            platform_commit: Some(intent.commit),
            deployment_id: Some("d1".into()),
            instance_nonce: "n1".into(),
            state: InstanceState::Ready,
            trader_sha256: "sha256:x".into(),
            manifest_digest: intent.manifest_digest,
            effective: intent.effective,
            feed: intent.feed,
            venue: VenueHealth::default(),
            mode: intent.mode,
            strategies: intent.strategies,
            components: intent
                .components
                .into_iter()
                .map(|id| ComponentHealth {
                    id,
                    state: "ready".into(),
                })
                .collect(),
            lease: None,
            halted: None,
            closed_strategies: BTreeMap::new(),
            flatten: None,
            feeds: vec![],
            last_tick_at: None,
            windows: vec![],
            open_orders: 0,
            positions: vec![],
            exposure_usd: Usd::ZERO,
            pnl_day_usd: Usd::ZERO,
            orders_last_minute: 0,
            errors_last_minute: 0,
            clock_offset_ms: None,
        }
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&mut Health), what: &str) {
        let mut health = healthy();
        change(&mut health);
        let seen = compare(&intent(), "d1", &health);
        let named: Vec<&str> = seen.differences.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(named, [what], "{seen:?}");
    }

    #[test]
    fn the_planned_trader_passes_without_a_warning() {
        assert_eq!(compare(&intent(), "d1", &healthy()), Comparison::default());
        assert!(compare_pair(&intent(), "d1", &healthy(), &healthy()).is_same());
    }

    #[test]
    fn each_wrong_value_refuses_and_is_named() {
        refused(
            |h| h.platform_commit = Some("c".repeat(40)),
            "platform_commit",
        );
        refused(|h| h.platform_commit = None, "platform_commit");
        refused(|h| h.deployment_id = Some("d0".into()), "deployment_id");
        refused(|h| h.deployment_id = None, "deployment_id");
        refused(
            |h| h.manifest_digest = "sha256:old".into(),
            "manifest_digest",
        );
        refused(|h| h.feed = "venue".into(), "feed");
        refused(|h| h.mode = trader_core::manifest::Mode::DryRun, "mode");
        refused(|h| h.trader_sha256 = "sha256:y".into(), "trader_sha256");
    }

    #[test]
    fn one_effective_value_that_differs_refuses() {
        let key = "safeguards.max_daily_loss_usd";
        let named = "effective.safeguards.max_daily_loss_usd";
        refused(
            |h| drop(h.effective.insert(key.into(), json!("2000"))),
            named,
        );
        refused(|h| drop(h.effective.insert(key.into(), json!(null))), named);
        refused(|h| drop(h.effective.remove(key)), named);
        refused(
            |h| drop(h.effective.insert("extra".into(), json!(1))),
            "effective.extra",
        );
    }

    #[test]
    fn a_half_started_trader_refuses() {
        let id = intent().components.remove(0);
        let named = format!("component {id}");
        refused(|h| h.components[0].state = "failed".into(), &named);
        refused(
            |h| {
                h.components.push(ComponentHealth {
                    id: "x/y/z/btc".into(),
                    state: "ready".into(),
                });
            },
            "component x/y/z/btc",
        );
    }

    #[test]
    fn a_trader_that_copies_its_manifest_without_running_it_refuses() {
        let mut health = healthy();
        health.components.clear();
        let seen = compare(&intent(), "d1", &health);
        assert!(
            seen.differences
                .iter()
                .any(|d| d.seen == "listed without a live component"),
            "{seen:?}"
        );
        refused(|h| h.strategies.clear(), "strategies");
    }

    #[test]
    fn another_process_in_the_second_read_refuses() {
        let mut second = healthy();
        second.instance_nonce = "n2".into();
        let seen = compare_pair(&intent(), "d1", &healthy(), &second);
        assert_eq!(seen.differences.len(), 1);
        assert_eq!(seen.differences[0].what, "instance_nonce (second read)");
        let mut drifted = healthy();
        drifted
            .effective
            .insert("position_size_usd".into(), json!("500"));
        assert!(!compare_pair(&intent(), "d1", &healthy(), &drifted).is_same());
    }

    #[test]
    fn the_program_rule_follows_the_platform() {
        let mut health = healthy();
        health.build_commit = "0".repeat(40);
        let local = compare(&intent(), "d1", &health);
        assert!(
            local.is_same(),
            "on this machine the binary's sha256 decides"
        );
        assert_eq!(local.warnings.len(), 1);

        let mut railway = intent();
        railway.program = Program::Source;
        assert_eq!(
            compare(&railway, "d1", &health).differences[0].what,
            "build_commit"
        );
        health.build_commit = "unknown".into();
        assert!(!compare(&railway, "d1", &health).is_same());

        railway.program = Program::Pinned {
            version: "9.9.9".into(),
            sha256: "sha256:pin".into(),
        };
        let pinned = compare(&railway, "d1", &health);
        let named: Vec<&str> = pinned.differences.iter().map(|d| d.what.as_str()).collect();
        assert_eq!(named, ["trader_version", "trader_sha256"]);
    }
}
