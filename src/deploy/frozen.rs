//! Whether an environment may be deployed at all: both places of the freeze, read before anything else
//! and again under the lock.

use super::refusal::Refusal;
use crate::platform::connect::Connected;
use launch_kill::freeze::{self, Freeze, FreezeState};
use launch_kill::{Deadline, EnvName, StateDir};
use std::time::Duration;

/// Longest wait for the freeze variable, ms.
const VARIABLE_TIMEOUT_MS: u64 = 15_000;

/// Refuses when this machine's freeze file says so. Costs nothing, so it comes first.
///
/// # Errors
/// Frozen (4), or not readable, which counts as frozen and proves nothing (3).
pub fn by_file(state: &StateDir, env: &EnvName) -> Result<(), Refusal> {
    judge(freeze::read_local(state, env), env, "this machine")
}

/// Refuses when the service variable says so.
///
/// # Errors
/// As [`by_file`].
pub async fn by_variable(connected: &Connected, env: &EnvName) -> Result<(), Refusal> {
    let deadline = Deadline::after(Duration::from_millis(VARIABLE_TIMEOUT_MS));
    let state = freeze::read_variable(&connected.client, &connected.ids, deadline)
        .await
        .unwrap_or_else(|error| FreezeState::Unreadable(error.to_string()));
    judge(state, env, "the platform's variable LAUNCH_FREEZE")
}

fn judge(state: FreezeState, env: &EnvName, place: &str) -> Result<(), Refusal> {
    match state {
        FreezeState::Off => Ok(()),
        FreezeState::Frozen(frozen) => Err(Refusal::Locked(told(&frozen, env, place))),
        FreezeState::Unreadable(why) => Err(Refusal::Unknown(format!(
            "whether {env} is frozen cannot be read from {place} ({why}); that counts as frozen\n\
             lift it: launch reenable --env {env} --reason \"…\""
        ))),
    }
}

/// What an operator has to know about a freeze.
pub fn told(frozen: &Freeze, env: &EnvName, place: &str) -> String {
    format!(
        "{env} is frozen since {} by {}: {} (freeze {}, told by {place})\n\
         lift it: launch reenable --env {env} --reason \"…\"",
        frozen.at, frozen.by, frozen.reason, frozen.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn a_freeze_refuses_with_4_and_an_unreadable_one_with_3() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        let env = EnvName::parse("staging").unwrap();
        by_file(&state, &env).unwrap();
        let frozen = Freeze {
            id: "f1".into(),
            at: "2026-11-23T00:00:00Z".into(),
            by: "ann".into(),
            reason: "drill".into(),
        };
        freeze::write_local(&state, &env, &frozen).unwrap();
        let refused = by_file(&state, &env).unwrap_err();
        assert_eq!(refused.exit(), Exit::Locked);
        for named in ["frozen", "ann", "drill", "launch reenable --env staging"] {
            assert!(refused.to_string().contains(named), "{refused}");
        }
        std::fs::write(state.freeze_path(&env), "{").unwrap();
        assert_eq!(by_file(&state, &env).unwrap_err().exit(), Exit::Unknown);
    }
}
