//! A day's loss that stopped the trader is still in its ledger: until the next UTC day a deploy would be
//! stopped again. Told before anything is deployed; refuses nothing.
//!
//! Reads what the watchdog of this machine wrote down. Where another machine watched, nothing is known
//! here, and nothing is said.

use crate::watchdog::record;
use crate::watchdog::rules::DAILY_LOSS_RULE;
use launch_kill::{EnvName, StateDir};
use serde_json::Value;

/// The warning, where the newest trip for the day's loss is of today's UTC date.
pub fn warning(state: &StateDir, env: &EnvName, now: jiff::Timestamp) -> Option<String> {
    let journal = record::read_journal(state, env).ok()?;
    let (at, reason) = journal.iter().rev().find_map(tripped)?;
    let day = |at: jiff::Timestamp| at.to_zoned(jiff::tz::TimeZone::UTC).date();
    (day(at) == day(now)).then(|| {
        format!(
            "warning: {env} was stopped at {at} because {reason}; its ledger counts that loss until \
             00:00 UTC, so a deploy before then is stopped again"
        )
    })
}

/// When and why, of a journal line that tells a trip for the day's loss.
fn tripped(line: &Value) -> Option<(jiff::Timestamp, String)> {
    if line.get("event")?.as_str()? != "tripped" {
        return None;
    }
    let reasons = line.pointer("/detail/reasons")?.as_array()?;
    let loss = reasons
        .iter()
        .find(|reason| reason.get("rule").and_then(Value::as_str) == Some(DAILY_LOSS_RULE))?;
    let at = line.get("at")?.as_str()?.parse().ok()?;
    Some((at, loss.get("reason")?.as_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn trip(state: &StateDir, env: &EnvName, at: &str, rule: &str) {
        let detail = json!({"reasons": [{"rule": rule, "reason": "the day's loss is 51 USD"}]});
        record::journal(state, env, at, "tripped", &[], &detail).unwrap();
    }

    #[test]
    fn only_a_loss_of_the_same_utc_day_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::at(folder.path());
        let env = EnvName::parse("staging").unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
        let noon = at("2026-11-23T12:00:00Z");
        assert_eq!(warning(&state, &env, noon), None);
        trip(&state, &env, "2026-11-23T10:00:00Z", "unknown_deployment");
        assert_eq!(warning(&state, &env, noon), None);
        trip(&state, &env, "2026-11-22T23:59:59Z", DAILY_LOSS_RULE);
        assert_eq!(warning(&state, &env, noon), None, "another day");
        trip(&state, &env, "2026-11-23T11:00:00Z", DAILY_LOSS_RULE);
        let told = warning(&state, &env, noon).unwrap();
        assert!(
            told.contains("51 USD") && told.contains("00:00 UTC"),
            "{told}"
        );
        assert_eq!(warning(&state, &env, at("2026-11-24T00:00:00Z")), None);
    }
}
