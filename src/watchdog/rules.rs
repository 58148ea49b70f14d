//! The rules: one row each, observation and time in, sighting out.
//!
//! Pure: no clock, no I/O. A rule says what one look shows; [`super::patrol_state`] counts looks
//! (N of M) and decides. Positive evidence of wrong kills; silence and doubt hold.
//!
//! | rule | sees | action | N of M |
//! |---|---|---|---|
//! | `identity_differs` | a planned value that is not the running one | kill | 1 of 1 |
//! | `daily_loss` | the day's loss beyond the declared limit | kill | 1 of 1 |
//! | `unknown_deployment` | a live deployment that no plan names (one that the plan replaced may be REMOVING for its draining time); under a live deploy lock: hold | kill | 2 of 3 |
//! | `not_live` | the trader answers, and the platform does not list its deployment as live | hold | 2 of 3 |
//! | `health_silent` | no answer for seconds | hold | 2 of 3 |
//! | `instance_changed` | the same deployment with another nonce: it was restarted | hold | 1 of 1 |
//! | `not_ready` | standby | hold | 1 of 1 |
//! | `platform_blind` | the platform could not be read for long: told, then held without a trip | warn, hold | 1 of 1 |
//! | `orders_per_minute` | more orders than can come of the declared limit | kill | 2 of 3 |
//! | `open_positions`, `exposure` | more than is declared | hold, no trip | 2 of 3 |
//! | `feed_age`, `errors`, `clock_offset` | the trader cannot see, work, or tell the time | hold | 2 of 3 |
//! | `trader_halted` | the trader is halted: a lease would be refused anyway | hold, no trip | 1 of 1 |

use super::expectation::Expectation;
use super::limit_rules;
use crate::verify::identity;
use serde::Serialize;
use std::collections::BTreeMap;
use trader_core::units::{Usd, UsdLimit};
use trader_core::wire::{Health, InstanceState};

/// Silence of `/health` after which the lease is withdrawn, ms. Two lost looks at the usual pace.
pub const SILENCE_HOLD_MS: u64 = 3_000;

/// Time without a readable platform after which it is told, ms.
pub const PLATFORM_BLIND_WARN_MS: u64 = 60_000;

/// Time without a readable platform after which the lease is withdrawn, ms.
pub const PLATFORM_BLIND_HOLD_MS: u64 = 300_000;

/// Name of the rule that stops on the day's loss.
pub const DAILY_LOSS_RULE: &str = "daily_loss";

/// Time beyond the draining time for which a deployment that the plan replaced may still be listed as
/// being removed, ms. A deploy waits as long for it.
pub const LEAVING_MARGIN_MS: u64 = 10_000;

/// The effective value that bounds a day's loss.
const DAILY_LOSS_KEY: &str = "safeguards.max_daily_loss_usd";

/// What to do, mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Grant the lease.
    Keep,
    /// Grant the lease and say so.
    Warn,
    /// Withdraw the lease: entries off, exits on.
    Hold,
    /// Freeze, revoke, stop with proof.
    Kill,
}

/// What one look at everything gave.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// The trader's answer of this look; `None` when it did not answer.
    pub health: Option<Health>,
    /// Milliseconds since its last answer, counted from the start of the watch where it never
    /// answered.
    pub silent_ms: u64,
    /// Ids of live deployments by the newest platform reading.
    pub live: Option<Vec<String>>,
    /// Of those the ones that the platform is removing, and for how long that has been seen, ms.
    pub leaving_ms: BTreeMap<String, u64>,
    /// Whether the platform was read anew for this look. A look that shows the reading of an earlier
    /// one is no second witness.
    pub platform_is_fresh: bool,
    /// Milliseconds since the newest platform reading, counted as `silent_ms` is.
    pub platform_blind_ms: u64,
    /// A live deploy lock: a deployment that is being made is not an unknown one.
    pub deploy_lock: Option<String>,
}

/// What one rule saw in one look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The rule's name.
    pub rule: &'static str,
    /// What it asks for once confirmed.
    pub action: Action,
    /// What was seen and what was wanted.
    pub reason: String,
    /// Whether a hold for this reason counts towards a trip.
    pub trips: bool,
}

/// What a rule answers for one look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nothing new to judge by: neither for nor against.
    Blind,
    /// Fine.
    Clean,
    /// Not fine.
    Seen(Action, String),
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable name, in journals and reports.
    pub name: &'static str,
    /// Looks that must show it …
    pub needed: usize,
    /// … of so many of the newest.
    pub of: usize,
    /// Whether a hold by this rule counts as a hold (per hour, past the silence bound).
    pub trips: bool,
    /// The look itself.
    pub look: fn(&Expectation, &Observation) -> Look,
}

/// Every rule there is.
pub const RULES: &[Rule] = &[
    Rule {
        name: "identity_differs",
        needed: 1,
        of: 1,
        trips: true,
        look: identity_differs,
    },
    Rule {
        name: DAILY_LOSS_RULE,
        needed: 1,
        of: 1,
        trips: true,
        look: daily_loss,
    },
    Rule {
        name: "orders_per_minute",
        needed: 2,
        of: 3,
        trips: true,
        look: limit_rules::orders_per_minute,
    },
    Rule {
        name: "open_positions",
        needed: 2,
        of: 3,
        trips: false,
        look: limit_rules::open_positions,
    },
    Rule {
        name: "exposure",
        needed: 2,
        of: 3,
        trips: false,
        look: limit_rules::exposure,
    },
    Rule {
        name: "feed_age",
        needed: 2,
        of: 3,
        trips: true,
        look: limit_rules::feed_age,
    },
    Rule {
        name: "errors",
        needed: 2,
        of: 3,
        trips: true,
        look: limit_rules::errors,
    },
    Rule {
        name: "clock_offset",
        needed: 2,
        of: 3,
        trips: true,
        look: limit_rules::clock_offset,
    },
    Rule {
        name: "unknown_deployment",
        needed: 2,
        of: 3,
        trips: false,
        look: unknown_deployment,
    },
    Rule {
        name: "not_live",
        needed: 2,
        of: 3,
        trips: true,
        look: not_live,
    },
    Rule {
        name: "health_silent",
        needed: 2,
        of: 3,
        trips: true,
        look: health_silent,
    },
    Rule {
        name: "instance_changed",
        needed: 1,
        of: 1,
        trips: true,
        look: instance_changed,
    },
    Rule {
        name: "not_ready",
        needed: 1,
        of: 1,
        trips: true,
        look: not_ready,
    },
    Rule {
        name: "platform_blind",
        needed: 1,
        of: 1,
        trips: false,
        look: platform_blind,
    },
    Rule {
        name: "trader_halted",
        needed: 1,
        of: 1,
        trips: false,
        look: trader_halted,
    },
];

fn identity_differs(expected: &Expectation, seen: &Observation) -> Look {
    let Some(health) = &seen.health else {
        return Look::Blind;
    };
    // While a deploy is under way another deployment may answer at the same address.
    if seen.deploy_lock.is_some()
        && health.deployment_id.as_deref() != Some(&expected.deployment_id)
    {
        return Look::Seen(
            Action::Hold,
            "another deployment answers while a deploy is under way".to_owned(),
        );
    }
    let compared = identity::compare(&expected.plan.intent, &expected.deployment_id, health);
    if compared.is_same() {
        return Look::Clean;
    }
    let all: Vec<String> = compared
        .differences
        .iter()
        .map(ToString::to_string)
        .collect();
    Look::Seen(Action::Kill, all.join("; "))
}

fn daily_loss(expected: &Expectation, seen: &Observation) -> Look {
    let Some(health) = &seen.health else {
        return Look::Blind;
    };
    let declared = expected.plan.intent.effective.get(DAILY_LOSS_KEY);
    let Some(limit) = declared
        .and_then(serde_json::Value::as_str)
        .and_then(|text| text.parse::<UsdLimit>().ok())
    else {
        // A plan without a limit never came from a manifest; no limit is never "unlimited".
        return Look::Seen(
            Action::Kill,
            format!("the plan declares no readable {DAILY_LOSS_KEY}"),
        );
    };
    let loss = -health.pnl_day_usd;
    if loss > Usd::from(limit) {
        return Look::Seen(
            Action::Kill,
            format!("the day's loss is {loss} USD, the limit is {limit} USD"),
        );
    }
    Look::Clean
}

fn unknown_deployment(expected: &Expectation, seen: &Observation) -> Look {
    let (Some(live), true) = (&seen.live, seen.platform_is_fresh) else {
        return Look::Blind;
    };
    let unknown: Vec<&str> = live
        .iter()
        .map(String::as_str)
        .filter(|id| *id != expected.deployment_id && !is_leaving(expected, seen, id))
        .collect();
    match (unknown.as_slice(), &seen.deploy_lock) {
        ([], _) => Look::Clean,
        ([_], Some(plan)) => Look::Seen(
            Action::Hold,
            format!(
                "deployment {} is live while plan {plan} is being deployed",
                unknown.join(", ")
            ),
        ),
        _ => Look::Seen(
            Action::Kill,
            format!(
                "deployment {} is live beside {}, and no plan names it",
                unknown.join(", "),
                expected.deployment_id
            ),
        ),
    }
}

/// A record that the platform is removing and that the expected plan itself replaced: on its way out,
/// for as long as draining may take. Any other, and one that stays, is unknown.
fn is_leaving(expected: &Expectation, seen: &Observation, id: &str) -> bool {
    let plan = &expected.plan;
    let draining_ms = u64::from(plan.intent.settings.draining_secs).saturating_mul(1_000);
    let bound_ms = draining_ms.saturating_add(LEAVING_MARGIN_MS);
    plan.active_deployments.iter().any(|old| old == id)
        && seen.leaving_ms.get(id).is_some_and(|ms| *ms < bound_ms)
}

/// A container can outlive its deployment's end (field report): somebody stopped it on the platform,
/// and nothing it does is meant any more.
fn not_live(expected: &Expectation, seen: &Observation) -> Look {
    let (Some(live), true, Some(_)) = (&seen.live, seen.platform_is_fresh, &seen.health) else {
        return Look::Blind;
    };
    if live.contains(&expected.deployment_id) {
        return Look::Clean;
    }
    Look::Seen(
        Action::Hold,
        format!(
            "the trader answers, but the platform does not list {} as live: it was stopped there",
            expected.deployment_id
        ),
    )
}

fn health_silent(_: &Expectation, seen: &Observation) -> Look {
    if seen.health.is_some() {
        Look::Clean
    } else if seen.silent_ms >= SILENCE_HOLD_MS {
        Look::Seen(
            Action::Hold,
            format!("no answer from /health for {} ms", seen.silent_ms),
        )
    } else {
        Look::Blind
    }
}

fn instance_changed(expected: &Expectation, seen: &Observation) -> Look {
    match &seen.health {
        None => Look::Blind,
        Some(health) if health.instance_nonce == expected.instance_nonce => Look::Clean,
        Some(health) => Look::Seen(
            Action::Hold,
            format!(
                "instance {} answers instead of {}: the platform restarted it",
                health.instance_nonce, expected.instance_nonce
            ),
        ),
    }
}

fn not_ready(_: &Expectation, seen: &Observation) -> Look {
    match &seen.health {
        None => Look::Blind,
        Some(health) if health.state == InstanceState::Ready => Look::Clean,
        Some(_) => Look::Seen(
            Action::Hold,
            "the trader is in standby: another instance holds the writer lock".to_owned(),
        ),
    }
}

fn platform_blind(_: &Expectation, seen: &Observation) -> Look {
    let said = |action| {
        Look::Seen(
            action,
            format!(
                "the platform could not be read for {} ms",
                seen.platform_blind_ms
            ),
        )
    };
    if seen.platform_blind_ms >= PLATFORM_BLIND_HOLD_MS {
        said(Action::Hold)
    } else if seen.platform_blind_ms >= PLATFORM_BLIND_WARN_MS {
        said(Action::Warn)
    } else {
        Look::Clean
    }
}

fn trader_halted(_: &Expectation, seen: &Observation) -> Look {
    match seen.health.as_ref().map(|health| &health.halted) {
        None => Look::Blind,
        Some(None) => Look::Clean,
        Some(Some(halt)) => Look::Seen(
            Action::Hold,
            format!("the trader is halted by {}: {}", halt.by, halt.reason),
        ),
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
pub(crate) mod tests;
