//! Scaled time: everything that lasts is a twenty-fifth of its real length, on both sides.
//!
//! What a machine needs to compute does not shrink with it. So a kill that must be verified has more than
//! its share of the deadline (it ends as soon as it is proved, so this costs nothing), and answers may
//! take longer than a twenty-fifth.

use super::expectation::Expectation;
use launch_kill::Pace;
use std::time::Duration;

/// How much faster: the loopback platform's time scale.
pub(super) const SCALE: f64 = 0.04;
/// 60 s, the kill's usual deadline, scaled.
const DEADLINE: Duration = Duration::from_millis(2_400);
/// The deadline of a kill that must be verified: room for a busy machine and for what is not scaled
/// (`Retry-After` in whole seconds, 1 s from SIGTERM to SIGKILL).
const PATIENT_DEADLINE: Duration = Duration::from_secs(25);
/// 10 s, the settle window, scaled.
pub(super) const SETTLE: Duration = Duration::from_millis(400);
/// 10 s after the report, scaled: what was true then has to be true now.
pub(super) const LATER: Duration = Duration::from_millis(400);
/// From the start of a kill to the platform's restart, where it restarts.
pub(super) const RESTART_AFTER: Duration = Duration::from_millis(60);
/// From one kill to the second, where there are two.
pub(super) const SECOND_AFTER: Duration = Duration::from_millis(30);
/// The lease that the watchdog has granted last ends this long after its revocation (15 s, scaled).
pub(super) const LEASE_LEFT: Duration = Duration::from_millis(600);

/// The same where real programs take part: their intervals are not scaled.
const REAL_DEADLINE: Duration = Duration::from_secs(6);
const PATIENT_REAL_DEADLINE: Duration = Duration::from_secs(40);

/// The deadline of a kill.
pub(super) const fn deadline(expectation: Expectation, is_real: bool) -> Duration {
    match (expectation, is_real) {
        (Expectation::MustVerify, false) => PATIENT_DEADLINE,
        (Expectation::MustVerify, true) => PATIENT_REAL_DEADLINE,
        (Expectation::MayNot(_), false) => DEADLINE,
        (Expectation::MayNot(_), true) => REAL_DEADLINE,
    }
}

/// The kill's intervals, scaled; answers may take longer.
pub(super) fn pace() -> Pace {
    Pace {
        poll: Duration::from_millis(40),
        settle_poll: Duration::from_millis(80),
        settle: SETTLE,
        escalate_after: Duration::from_millis(240),
        probe: Duration::from_millis(40),
        probe_timeout: Duration::from_millis(300),
        request_timeout: Duration::from_millis(600),
        term_after: Duration::from_millis(40),
        kill_after: Duration::from_millis(600),
        venue_poll: Duration::from_millis(40),
        venue_reads_apart: Duration::from_millis(200),
        // At most half of a deadline: 1.2 s of the short one; a kill that must be verified on a busy machine has more.
        revoke_after: Duration::from_secs(5),
        ..Pace::default()
    }
}
