//! The intervals and bounds of a kill, in one place.

use std::time::Duration;

/// Intervals and bounds. The defaults are for real platforms; tests pass shorter ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// Between two listings while something is live. Default 500 ms: at Railway's slowest plan
    /// (1000 requests an hour) a whole deadline of 60 s costs an eighth of the budget.
    pub poll: Duration,
    /// Between two listings once nothing is live. Default 1 s.
    pub settle_poll: Duration,
    /// How long nothing may reappear. Default 10 s (`--settle`).
    pub settle: Duration,
    /// From an accepted request that shows no effect to the next stronger one. Default 6 s: a
    /// stop was reported after 1.6 to 3.4 s on Railway (field report of 2026-10-05).
    pub escalate_after: Duration,
    /// Between two questions to the trader. Default 500 ms.
    pub probe: Duration,
    /// Longest wait for one answer of trader or watchdog. Default 2 s.
    pub probe_timeout: Duration,
    /// Longest wait for one answer of the platform. Default 5 s.
    pub request_timeout: Duration,
    /// Local only: from the platform's end to SIGTERM for a trader that lives on. Default 1 s,
    /// so that a halt can be recorded first.
    pub term_after: Duration,
    /// Local only: from SIGTERM to SIGKILL. Default 5 s.
    pub kill_after: Duration,
    /// Once the platform says dead: how many silent answers of a trader end the waiting.
    /// Default 3.
    pub silent_probes: u32,
    /// `--flatten`: what of the deadline is kept for the stop, whatever the selling does. Default
    /// 30 s: a stop through every escalation, the settle window and its proof.
    pub stop_reserve: Duration,
    /// `--flatten`: how long after its own end the trader may take to say how it went. Default 2 s.
    pub flatten_grace: Duration,
    /// Between two reads of the account's open orders. Default 1 s.
    pub venue_poll: Duration,
    /// How far apart two reads without an open order must be to count as proof. Default 5 s: an order
    /// that was on its way when the process died has arrived by then.
    pub venue_reads_apart: Duration,
    /// `--revoke-venue-key`: how long the platform and the trader get to prove the stop before the
    /// API key is deleted (at most half the deadline). Default 30 s.
    pub revoke_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(500),
            settle_poll: Duration::from_secs(1),
            settle: Duration::from_secs(10),
            escalate_after: Duration::from_secs(6),
            probe: Duration::from_millis(500),
            probe_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(5),
            term_after: Duration::from_secs(1),
            kill_after: Duration::from_secs(5),
            silent_probes: 3,
            stop_reserve: Duration::from_secs(30),
            flatten_grace: Duration::from_secs(2),
            venue_poll: Duration::from_secs(1),
            venue_reads_apart: Duration::from_secs(5),
            revoke_after: Duration::from_secs(30),
        }
    }
}
