//! How long a deploy waits for what, in one place: every phase has a bound, and all of them together
//! stay below what a deploy lock is believed.

use std::time::Duration;

/// Time between two looks at a trader.
pub const TRADER_POLL: Duration = Duration::from_millis(200);

/// Longest wait for the platform to finish removing what the new deployment replaced, ms: its draining
/// time and ten seconds.
pub const LEAVING_MS: u64 = 40_000;

/// Time between two looks at it, ms.
pub const LEAVING_LOOK_MS: u64 = 200;

/// Longest wait for the answer to the deploy mutation, ms.
pub const SEND_MS: u64 = 30_000;

/// Longest wait for a deployment whose id was lost with the answer, ms.
pub const LOST_ANSWER_MS: u64 = 30_000;

/// Longest wait for the new instance's first answer once the platform calls it active, ms.
pub const FIRST_ANSWER_MS: u64 = 60_000;

/// Longest wait for the writer lock, replay and reconciliation, ms.
pub const READY_MS: u64 = 60_000;

/// Longest wait for the first lease, ms.
pub const FIRST_LEASE_MS: u64 = 30_000;

/// Longest wait for one call to the platform, ms.
pub const CALL_MS: u64 = 15_000;

/// Longest time of an automatic stop, ms.
pub const STOP_MS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::super::lock::DEPLOY_LONGEST_MS;
    use super::super::stage::Phase;
    use super::*;
    use crate::plan::intent::DRAINING_SECS;

    #[test]
    fn a_deploy_ends_before_its_lock_stops_being_believed() {
        let platform: u64 = [Phase::Queued, Phase::Building, Phase::Deploying]
            .into_iter()
            .map(Phase::bound_ms)
            .sum();
        let own = SEND_MS + LOST_ANSWER_MS + FIRST_ANSWER_MS + READY_MS + FIRST_LEASE_MS + STOP_MS;
        let old = u64::from(DRAINING_SECS) * 1_000 + 30_000 + LEAVING_MS;
        assert!(platform + own + old <= u64::try_from(DEPLOY_LONGEST_MS).unwrap());
    }
}
