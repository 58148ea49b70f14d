//! The book of grants: when the trading lease may be granted, and when the last grant is surely over.
//!
//! Pure: milliseconds of a monotonic clock come in. It must never answer "expired" too early: a grant
//! whose answer is still awaited counts as given at the latest moment at which it can still arrive.

use serde::Serialize;

/// Longest that one grant may wait for its answer, ms.
pub const GRANT_TIMEOUT_MS: u64 = 1_000;

/// Part of the lease's life after which it is granted anew: a third, so that two lost grants in a
/// row still leave the lease standing.
pub const RENEW_PART: u64 = 3;

/// The grants of one watchdog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantBook {
    ttl_ms: u64,
    in_flight: bool,
    last_sent_ms: Option<u64>,
    surely_over_ms: u64,
}

impl GrantBook {
    /// A book without grants. A `ttl_ms` beyond the trader's own bound is cut to it.
    pub fn new(ttl_ms: u64) -> Self {
        Self {
            ttl_ms: ttl_ms.clamp(1, trader_core::wire::LEASE_TTL_MAX_MS),
            in_flight: false,
            last_sent_ms: None,
            surely_over_ms: 0,
        }
    }

    /// The book of a watchdog that has just started: an earlier one may have granted a moment ago, so
    /// nothing is surely over before the longest lease is.
    pub fn at_start(ttl_ms: u64) -> Self {
        let mut book = Self::new(ttl_ms);
        book.extend(trader_core::wire::LEASE_TTL_MAX_MS);
        book
    }

    /// The same book, not before the grants of an `earlier` one are over.
    pub fn after(mut self, earlier: &Self) -> Self {
        self.extend(earlier.surely_over_ms);
        self
    }

    /// Life of one grant, ms.
    pub const fn ttl_ms(&self) -> u64 {
        self.ttl_ms
    }

    /// Whether the next grant is due.
    pub fn is_due(&self, now_ms: u64) -> bool {
        !self.in_flight
            && self
                .last_sent_ms
                .is_none_or(|at| now_ms.saturating_sub(at) >= self.ttl_ms / RENEW_PART)
    }

    /// Notes that a grant is about to be sent.
    pub fn sending(&mut self, now_ms: u64) {
        self.in_flight = true;
        self.last_sent_ms = Some(now_ms);
        self.extend(
            now_ms
                .saturating_add(GRANT_TIMEOUT_MS)
                .saturating_add(self.ttl_ms),
        );
    }

    /// Notes the end of the grant in flight. `expires_in_ms` is the trader's own word when it
    /// accepted. A refusal or a lost answer leaves the pessimistic end: it may have been taken.
    pub fn answered(&mut self, now_ms: u64, outcome: GrantOutcome) {
        self.in_flight = false;
        match outcome {
            GrantOutcome::Accepted { expires_in_ms } => {
                // The trader counted from before its answer reached us, so this is not too early;
                // and a trader that answers nonsense cannot shorten what we granted.
                let by_us = now_ms.saturating_add(self.ttl_ms);
                self.surely_over_ms = by_us.max(now_ms.saturating_add(expires_in_ms));
            }
            GrantOutcome::Lost => {
                self.extend(now_ms.saturating_add(self.ttl_ms));
                // Try again at the next look instead of after a third of the lease.
                self.last_sent_ms = None;
            }
            GrantOutcome::Refused => {
                self.last_sent_ms = None;
            }
        }
    }

    /// Milliseconds until no grant of ours can be in force any more; 0 when that is so now.
    pub const fn expires_in_ms(&self, now_ms: u64) -> u64 {
        self.surely_over_ms.saturating_sub(now_ms)
    }

    fn extend(&mut self, until_ms: u64) {
        self.surely_over_ms = self.surely_over_ms.max(until_ms);
    }
}

/// How one grant ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantOutcome {
    /// The trader holds the lease for so long.
    Accepted {
        /// By the trader's own count, ms.
        expires_in_ms: u64,
    },
    /// The trader said no.
    Refused,
    /// No answer: it may hold the lease.
    Lost,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_granted_is_nothing_to_wait_for() {
        assert_eq!(GrantBook::new(10_000).expires_in_ms(5), 0);
        assert!(GrantBook::new(10_000).is_due(0));
    }

    #[test]
    fn a_watchdog_that_has_just_started_does_not_vouch_for_the_one_before() {
        let book = GrantBook::at_start(5_000);
        assert_eq!(book.expires_in_ms(0), 15_000);
        assert_eq!(book.expires_in_ms(15_000), 0);
        assert!(book.is_due(0), "it may grant all the same");
    }

    #[test]
    fn a_grant_in_flight_counts_at_its_worst() {
        let mut book = GrantBook::new(10_000);
        book.sending(100);
        assert!(!book.is_due(100_000), "one at a time");
        assert_eq!(book.expires_in_ms(100), GRANT_TIMEOUT_MS + 10_000);
    }

    #[test]
    fn an_accepted_grant_ends_its_life_after_the_answer() {
        let mut book = GrantBook::new(9_000);
        book.sending(0);
        book.answered(
            50,
            GrantOutcome::Accepted {
                expires_in_ms: 8_990,
            },
        );
        assert_eq!(book.expires_in_ms(50), 9_000);
        assert_eq!(book.expires_in_ms(9_049), 1);
        assert_eq!(book.expires_in_ms(9_050), 0);
        assert!(!book.is_due(2_999));
        assert!(book.is_due(3_000));
    }

    #[test]
    fn a_trader_cannot_talk_its_lease_shorter_and_a_longer_word_counts() {
        for (said, left) in [(0, 5_000), (60_000, 60_000)] {
            let mut book = GrantBook::new(5_000);
            book.sending(0);
            book.answered(
                0,
                GrantOutcome::Accepted {
                    expires_in_ms: said,
                },
            );
            assert_eq!(book.expires_in_ms(0), left);
        }
    }

    #[test]
    fn a_lost_answer_may_have_been_taken_and_is_tried_again_at_once() {
        let mut book = GrantBook::new(9_000);
        book.sending(0);
        book.answered(1_000, GrantOutcome::Lost);
        assert_eq!(book.expires_in_ms(1_000), 9_000);
        assert!(book.is_due(1_001));
    }

    #[test]
    fn a_refusal_does_not_end_an_earlier_grant() {
        let mut book = GrantBook::new(9_000);
        book.sending(0);
        book.answered(
            0,
            GrantOutcome::Accepted {
                expires_in_ms: 9_000,
            },
        );
        book.sending(3_000);
        book.answered(3_010, GrantOutcome::Refused);
        assert!(book.expires_in_ms(3_010) >= 9_000 - 3_010);
    }

    #[test]
    fn the_life_of_a_grant_is_bounded_by_the_trader() {
        assert_eq!(GrantBook::new(60_000).ttl_ms(), 15_000);
        assert_eq!(GrantBook::new(0).ttl_ms(), 1);
    }
}
