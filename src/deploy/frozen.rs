//! Whether an environment may be deployed at all: both places of the freeze, read before anything else,
//! again under the lock, and on to the deploy's very end.
//!
//! A kill may come at any moment, also from another machine, which leaves its word in the variable only.
//! So the places are read right before the deploy is sent (nothing leaves), right after (what has just
//! been made is stopped before it runs), beside every later step, and once more before the verdict.

use super::refusal::{Failure, Refusal};
use super::sent::SharedSent;
use crate::plan::gather::Gathered;
use crate::platform::connect::Connected;
use launch_kill::freeze::{self, Freeze, FreezeState};
use launch_kill::{Deadline, EnvName, StateDir};
use std::time::Duration;

/// Longest wait for the freeze variable, ms.
const VARIABLE_TIMEOUT_MS: u64 = 15_000;

/// Time between two looks at this machine's freeze file while a deploy is under way, ms.
const FILE_LOOK_MS: u64 = 100;

/// The variable is read once in so many of the platform's polls: it costs a call each time.
const VARIABLE_EVERY_POLLS: u32 = 5;

/// Longest wait for the variable when a deploy that has ended tells what stands there, ms.
const TOLD_TIMEOUT_MS: u64 = 3_000;

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

/// Both places.
///
/// # Errors
/// As [`by_file`].
pub async fn by_either(gathered: &Gathered) -> Result<(), Refusal> {
    by_file(&gathered.state, &gathered.env)?;
    by_variable(&gathered.connected, &gathered.env).await
}

/// Both places, for a deployment that exists: what cannot be read stops it as a freeze does.
///
/// # Errors
/// Frozen, or not to be read.
pub async fn still_off(gathered: &Gathered) -> Result<(), Failure> {
    by_either(gathered)
        .await
        .map_err(|refusal| Failure::Frozen(refusal.to_string()))
}

/// Ends when a freeze appears while the deploy is under way; what it says. A variable that cannot be
/// read for a moment ends nothing here: the deploy's own steps judge that.
pub async fn appears(gathered: &Gathered, sent: &SharedSent) -> String {
    let (state, env) = (&gathered.state, &gathered.env);
    let every = gathered.connected.poll.saturating_mul(VARIABLE_EVERY_POLLS);
    let mut asked = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(FILE_LOOK_MS)).await;
        let here = by_file(state, env);
        let there = if here.is_ok() && asked.elapsed() >= every {
            asked = tokio::time::Instant::now();
            by_variable(&gathered.connected, env).await
        } else {
            Ok(())
        };
        let told = match (here, there) {
            (Err(refusal), _) | (_, Err(refusal @ Refusal::Locked(_))) => refusal.to_string(),
            (Ok(()), _) => continue,
        };
        // With the mutation on its way nobody knows yet what to stop; `send` looks as soon as it does.
        let is_on_its_way = {
            let sent = sent.lock();
            sent.is_sent && sent.deployment_id.is_none()
        };
        if !is_on_its_way {
            return told;
        }
    }
}

/// The freeze that stands now, for a deploy that has failed and may not know that a kill was the cause.
pub async fn standing(gathered: &Gathered) -> Option<String> {
    if let Err(refusal @ Refusal::Locked(_)) = by_file(&gathered.state, &gathered.env) {
        return Some(refusal.to_string());
    }
    let bound = Duration::from_millis(TOLD_TIMEOUT_MS);
    match tokio::time::timeout(bound, by_variable(&gathered.connected, &gathered.env)).await {
        Ok(Err(refusal @ Refusal::Locked(_))) => Some(refusal.to_string()),
        Ok(_) | Err(_) => None,
    }
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
