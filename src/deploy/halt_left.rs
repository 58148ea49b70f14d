//! A halt that an earlier kill left in the ledger, and who may lift it.
//!
//! A halt survives restart and redeploy. `launch reenable` lifts it in a trader that runs; where none ran,
//! its receipt stands, and the next deploy carries it out on the trader that reads that ledger. A
//! verified drill includes lifting what it set. Nobody else lifts anything: without such a record the
//! deploy fails and says what to do.

use crate::receipts::{self, Kind};
use launch_kill::{EnvName, StateDir, state_dir};
use serde_json::Value;
use trader_core::wire::Halted;

/// Most drill records that are looked at.
const RECORDS_MAX: usize = 10_000;

/// A record that allows lifting a halt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// The freeze that was lifted.
    pub freeze_id: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// The record that allows lifting `halt`, if there is one.
pub fn permission(state: &StateDir, env: &EnvName, halt: &Halted) -> Option<Permission> {
    by_reenable(state, env, halt).or_else(|| by_drill(state, env, halt))
}

/// The newest reenable receipt, if it is later than the halt.
fn by_reenable(state: &StateDir, env: &EnvName, halt: &Halted) -> Option<Permission> {
    let all = receipts::read_all(state).ok()?;
    let receipt = all
        .iter()
        .rev()
        .find(|statement| statement.is(Kind::Reenable, env.as_str()))?;
    let text = |name: &str| receipt.predicate.get(name)?.as_str().map(str::to_owned);
    (moment(&text("at")?)? > halt.at.0).then_some(Permission {
        freeze_id: text("freeze_id")?,
        reason: text("reason")?,
        by: text("by")?,
    })
}

/// A verified drill during which the halt was set.
fn by_drill(state: &StateDir, env: &EnvName, halt: &Halted) -> Option<Permission> {
    let prefix = format!("drill-{env}-");
    let folder = std::fs::read_dir(state.root().join("receipts")).ok()?;
    folder
        .take(RECORDS_MAX)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .filter_map(|entry| state_dir::read_text(&entry.path()).ok()?)
        .filter_map(|text| serde_json::from_str::<Value>(&text).ok())
        .find_map(|drill| drilled(&drill, env, halt))
}

fn drilled(drill: &Value, env: &EnvName, halt: &Halted) -> Option<Permission> {
    let text = |pointer: &str| drill.pointer(pointer)?.as_str();
    let during =
        moment(text("/target/started_at")?)? <= halt.at.0 && halt.at.0 <= moment(text("/at")?)?;
    let counts = text("/kind")? == "drill"
        && text("/env")? == env.as_str()
        && text("/verdict")? == "verified"
        && during;
    counts.then(|| Permission {
        freeze_id: "drill".to_owned(),
        reason: format!("the halt was part of a verified drill: {}", halt.reason),
        by: halt.by.clone(),
    })
}

/// Milliseconds since the epoch of an RFC 3339 text.
fn moment(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipts::Statement;
    use serde_json::json;
    use trader_core::units::EpochMs;

    const HALTED: &str = "2026-11-23T10:00:00Z";

    fn place() -> (tempfile::TempDir, StateDir, EnvName, Halted) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let halt = Halted {
            by: "ann (launch kill)".into(),
            reason: "drill".into(),
            reduce_only: false,
            at: EpochMs(moment(HALTED).unwrap()),
        };
        (dir, state, EnvName::parse("staging").unwrap(), halt)
    }

    fn reenabled(state: &StateDir, env: &str, at: &str) {
        let predicate = json!({"env": env, "at": at, "freeze_id": "f1", "reason": "r", "by": "b"});
        let receipt = Statement::new(Kind::Reenable, None, None, predicate);
        receipts::append(state, &receipt).unwrap();
    }

    #[test]
    fn without_a_record_nobody_lifts_a_halt() {
        let (_dir, state, env, halt) = place();
        assert_eq!(permission(&state, &env, &halt), None);
        reenabled(&state, "production", "2026-11-23T11:00:00Z");
        assert_eq!(permission(&state, &env, &halt), None, "another environment");
        reenabled(&state, "staging", "2026-11-23T09:00:00Z");
        assert_eq!(
            permission(&state, &env, &halt),
            None,
            "earlier than the halt"
        );
    }

    #[test]
    fn a_later_reenable_is_carried_out() {
        let (_dir, state, env, halt) = place();
        reenabled(&state, "staging", "2026-11-23T10:00:00.001Z");
        assert_eq!(permission(&state, &env, &halt).unwrap().freeze_id, "f1");
    }

    fn drill(state: &StateDir, verdict: &str, started_at: &str, at: &str) {
        let record = json!({
            "kind": "drill", "env": "staging", "at": at, "verdict": verdict,
            "target": {"started_at": started_at},
        });
        let path = state.root().join("receipts/drill-staging-1.json");
        state_dir::write_private(&path, record.to_string().as_bytes()).unwrap();
    }

    #[test]
    fn only_the_verified_drill_that_set_the_halt_lifts_it() {
        let (_dir, state, env, halt) = place();
        let (before, after) = ("2026-11-23T09:59:59Z", "2026-11-23T10:00:09Z");
        drill(&state, "unverified", before, after);
        assert_eq!(permission(&state, &env, &halt), None);
        drill(&state, "verified", after, "2026-11-23T10:01:00Z");
        assert_eq!(permission(&state, &env, &halt), None, "the halt is older");
        drill(&state, "verified", "2026-11-23T09:00:00Z", before);
        assert_eq!(permission(&state, &env, &halt), None, "the halt is newer");
        drill(&state, "verified", before, after);
        assert_eq!(permission(&state, &env, &halt).unwrap().freeze_id, "drill");
    }
}
