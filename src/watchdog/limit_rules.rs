//! Rules that hold what the trader reports against the limits that its plan declares: a second pair of eyes
//! on safeguards that live in the process they guard.
//!
//! Pure. More orders than can come of the declared limit is positive evidence of wrong and kills. More
//! positions or more at stake than declared holds, for as long as it lasts: a redeploy with tighter limits
//! begins so, and the exits that bring it down must go on. What says that the trader cannot see or work (old
//! feeds, errors, a clock that is off) holds, too. A plan without a limit that can be read never came from a
//! manifest and kills: no limit is never "unlimited".

use super::expectation::Expectation;
use super::rules::{Action, Look, Observation};
use serde_json::Value;
use trader_core::units::{Usd, UsdLimit};

/// Age of a feed after which entries are held, ms: several times what the trader's own safeguard allows
/// (5 s as shipped), so that this speaks only where that one does not.
pub(super) const FEED_AGE_HOLD_MS: u64 = 30_000;

/// Orders a minute that a declared `max_orders_per_minute` can come to: each entry, its exit, and one exit
/// that had to be repeated, because exits are never blocked by it.
pub(super) const ORDERS_PER_ENTRY_MAX: u64 = 3;

/// Errors a minute after which entries are held.
pub(super) const ERRORS_PER_MINUTE_HOLD: u32 = 10;

/// A declared whole number; `Err` is the kill that its absence means.
fn declared(expected: &Expectation, key: &str) -> Result<u64, Look> {
    value(expected, key)
        .and_then(Value::as_u64)
        .ok_or_else(|| no_limit(key))
}

fn value<'a>(expected: &'a Expectation, key: &str) -> Option<&'a Value> {
    expected.plan.intent.effective.get(key)
}

fn no_limit(key: &str) -> Look {
    Look::Seen(Action::Kill, format!("the plan declares no readable {key}"))
}

/// A count that may not be above what is declared for `key`, times `factor`.
fn count(
    expected: &Expectation,
    (key, factor): (&str, u64),
    beyond: Action,
    seen: u64,
    what: &str,
) -> Look {
    let limit = match declared(expected, key) {
        Ok(limit) => limit.saturating_mul(factor),
        Err(kill) => return kill,
    };
    if seen <= limit {
        return Look::Clean;
    }
    Look::Seen(beyond, format!("{seen} {what}, {limit} can come of {key}"))
}

pub(super) fn orders_per_minute(expected: &Expectation, seen: &Observation) -> Look {
    let Some(health) = &seen.health else {
        return Look::Blind;
    };
    count(
        expected,
        ("safeguards.max_orders_per_minute", ORDERS_PER_ENTRY_MAX),
        Action::Kill,
        u64::from(health.orders_last_minute),
        "orders in the last minute",
    )
}

pub(super) fn open_positions(expected: &Expectation, seen: &Observation) -> Look {
    let Some(health) = &seen.health else {
        return Look::Blind;
    };
    count(
        expected,
        ("safeguards.max_open_positions", 1),
        Action::Hold,
        u64::try_from(health.positions.len()).unwrap_or(u64::MAX),
        "open positions",
    )
}

pub(super) fn exposure(expected: &Expectation, seen: &Observation) -> Look {
    const KEY: &str = "max_exposure_usd";
    let Some(health) = &seen.health else {
        return Look::Blind;
    };
    let limit = value(expected, KEY)
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<UsdLimit>().ok());
    match limit {
        None => no_limit(KEY),
        Some(limit) if health.exposure_usd <= Usd::from(limit) => Look::Clean,
        Some(limit) => Look::Seen(
            Action::Hold,
            format!("{} USD at stake, {KEY} is {limit} USD", health.exposure_usd),
        ),
    }
}

pub(super) fn feed_age(_: &Expectation, seen: &Observation) -> Look {
    let Some(health) = &seen.health else {
        return Look::Blind;
    };
    let old: Vec<String> = health
        .feeds
        .iter()
        .filter(|feed| feed.age_ms >= FEED_AGE_HOLD_MS)
        .map(|feed| format!("{} is {} ms old", feed.name, feed.age_ms))
        .collect();
    if old.is_empty() {
        Look::Clean
    } else {
        Look::Seen(Action::Hold, old.join(", "))
    }
}

pub(super) fn errors(_: &Expectation, seen: &Observation) -> Look {
    match seen.health.as_ref().map(|health| health.errors_last_minute) {
        None => Look::Blind,
        Some(errors) if errors < ERRORS_PER_MINUTE_HOLD => Look::Clean,
        Some(errors) => Look::Seen(Action::Hold, format!("{errors} errors in the last minute")),
    }
}

pub(super) fn clock_offset(expected: &Expectation, seen: &Observation) -> Look {
    const KEY: &str = "safeguards.max_clock_offset_ms";
    let Some(health) = &seen.health else {
        return Look::Blind;
    };
    let limit = match declared(expected, KEY) {
        Ok(limit) => limit,
        Err(kill) => return kill,
    };
    match health.clock_offset_ms {
        // The trader's own safeguard refuses entries while nothing can tell.
        None => Look::Clean,
        Some(offset) if offset.unsigned_abs() <= limit => Look::Clean,
        Some(offset) => Look::Seen(
            Action::Hold,
            format!("the trader's clock is {offset} ms off, {KEY} is {limit}"),
        ),
    }
}
