//! What the patrol and the HTTP surface share: one small state behind one lock.
//!
//! Held only for plain computation, never over I/O. All times are milliseconds of one monotonic clock.
//! Decides one thing: whether the lease may be granted now.

use super::expectation::Expectation;
use super::lease::GrantBook;
use super::patrol_state::{PatrolState, Verdict};
use super::record::Stance;
use super::rules::Action;
use serde_json::{Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Who froze us, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The state of one watchdog.
#[derive(Debug)]
pub struct Watch {
    /// What is expected; `None` = idle.
    pub expected: Option<Expectation>,
    /// The memory of the rules.
    pub patrol: PatrolState,
    /// The grants.
    pub book: GrantBook,
    /// Set by `/revoke` and by a trip.
    pub revoked: Option<Revocation>,
    /// What the freeze says, by file and by variable; `None` = not frozen.
    pub frozen: Option<String>,
    /// Whether the freeze variable was read lately: unknown never passes, and neither does old news.
    pub freeze_was_read: bool,
    /// Why the trader did not take the newest grant.
    pub lease_refused: Option<String>,
    /// The newest verdict.
    pub verdict: Option<Verdict>,
    /// Since when it is expected.
    pub expected_since_ms: u64,
    /// When the trader last answered.
    pub last_health_ms: Option<u64>,
    /// When the platform was last read.
    pub last_platform_ms: Option<u64>,
    /// A trip is under way.
    pub tripped: bool,
    /// Rises with every `/expect`: an observation made before it says nothing about it.
    pub epoch: u64,
}

impl Watch {
    /// A watch that expects `expected`.
    pub fn new(expected: Option<Expectation>, lease_ttl_ms: u64) -> Self {
        Self {
            expected,
            patrol: PatrolState::default(),
            book: GrantBook::at_start(lease_ttl_ms),
            revoked: None,
            frozen: None,
            freeze_was_read: false,
            lease_refused: None,
            verdict: None,
            expected_since_ms: 0,
            last_health_ms: None,
            last_platform_ms: None,
            tripped: false,
            epoch: 0,
        }
    }

    /// What the watchdog is doing now.
    pub fn stance(&self) -> Stance {
        if self.tripped {
            Stance::Tripped
        } else if self.expected.is_none() {
            Stance::Idle
        } else if self.revoked.is_some() || self.frozen.is_some() {
            Stance::Frozen
        } else if self.may_grant().is_ok() {
            Stance::Keeping
        } else {
            Stance::Holding
        }
    }

    /// Whether the lease may be granted, or why not.
    pub fn may_grant(&self) -> Result<&Expectation, String> {
        if let Some(revocation) = &self.revoked {
            return Err(format!(
                "revoked by {}: {}",
                revocation.by, revocation.reason
            ));
        }
        if let Some(frozen) = &self.frozen {
            return Err(format!("frozen: {frozen}"));
        }
        if !self.freeze_was_read {
            return Err("the platform's freeze variable could not be read lately".to_owned());
        }
        let Some(expected) = &self.expected else {
            return Err("idle: nothing is expected".to_owned());
        };
        if let Some(reason) = self.patrol.asked() {
            return Err(format!("asked to hold: {reason}"));
        }
        match &self.verdict {
            None => Err("nothing has been observed yet".to_owned()),
            Some(verdict) if verdict.action <= Action::Warn => Ok(expected),
            Some(verdict) => Err(verdict.reasons.first().map_or_else(
                || "held".to_owned(),
                |s| format!("{}: {}", s.rule, s.reason),
            )),
        }
    }

    /// A deploy hands over a new identity: the old one's observations and holds are over. A freeze
    /// and a revocation stay in force: a kill may have come while the deploy was under way, and only
    /// a person re-enables.
    pub fn expect(&mut self, expected: Expectation, now_ms: u64) {
        self.book = GrantBook::new(expected.plan.intent.watch.lease_ttl_ms).after(&self.book);
        self.expected = Some(expected);
        self.patrol.expect_anew();
        self.verdict = None;
        self.lease_refused = None;
        self.expected_since_ms = now_ms;
        self.last_health_ms = None;
        self.epoch = self.epoch.saturating_add(1);
    }

    /// `GET /health`.
    pub fn health(&self, now_ms: u64, env: &str, started_at: &str) -> Value {
        let reason = self.may_grant().err();
        json!({
            "env": env,
            "launch_version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "started_at": started_at,
            "state": self.stance(),
            "reason": reason,
            "reasons": self.verdict.as_ref().map(|v| &v.reasons),
            "expected": self.expected.as_ref().map(|e| json!({
                "plan_id": e.plan.plan_id,
                "commit": e.plan.intent.commit,
                "manifest_digest": e.plan.intent.manifest_digest,
                "deployment_id": e.deployment_id,
                "instance_nonce": e.instance_nonce,
            })),
            "revoked": self.revoked.as_ref().map(|r| format!("{}: {}", r.by, r.reason)),
            "frozen": self.revoked.is_some() || self.frozen.is_some(),
            "health_age_ms": self.last_health_ms.map(|at| now_ms.saturating_sub(at)),
            "platform_age_ms": self.last_platform_ms.map(|at| now_ms.saturating_sub(at)),
            "last_grant_expires_in_ms": self.book.expires_in_ms(now_ms),
            "lease_refused": self.lease_refused,
            "lease_ttl_ms": self.book.ttl_ms(),
        })
    }
}

/// The shared state with its clock.
#[derive(Debug)]
pub struct Shared {
    watch: Mutex<Watch>,
    start: Instant,
}

impl Shared {
    /// Starts the clock.
    pub fn new(watch: Watch) -> Self {
        Self {
            watch: Mutex::new(watch),
            start: Instant::now(),
        }
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The state. A panic elsewhere while it was held left plain values behind, which are still the
    /// newest that there are.
    pub fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Sighting;
    use super::super::rules::tests::expectation;
    use super::*;

    fn clean() -> Watch {
        let mut watch = Watch::new(Some(expectation()), 10_000);
        watch.freeze_was_read = true;
        watch.verdict = Some(Verdict {
            action: Action::Keep,
            reasons: vec![],
            adopt: None,
        });
        watch
    }

    #[test]
    fn a_clean_watch_grants() {
        assert!(clean().may_grant().is_ok());
        assert_eq!(clean().stance(), Stance::Keeping);
    }

    #[track_caller]
    fn refuses(change: impl FnOnce(&mut Watch), stance: Stance, why: &str) {
        let mut watch = clean();
        change(&mut watch);
        let reason = watch.may_grant().map(|_| ()).unwrap_err();
        assert!(reason.contains(why), "{reason}");
        assert_eq!(watch.stance(), stance);
    }

    #[test]
    fn everything_else_does_not_grant_and_says_why() {
        let revocation = || Revocation {
            by: "kill".into(),
            reason: "drill".into(),
        };
        refuses(
            |w| w.revoked = Some(revocation()),
            Stance::Frozen,
            "revoked by kill",
        );
        refuses(|w| w.frozen = Some("f1".into()), Stance::Frozen, "frozen");
        refuses(
            |w| w.freeze_was_read = false,
            Stance::Holding,
            "freeze variable",
        );
        refuses(|w| w.expected = None, Stance::Idle, "idle");
        refuses(
            |w| w.verdict = None,
            Stance::Holding,
            "nothing has been observed",
        );
        refuses(
            |w| w.patrol.hold_as_asked("deploy p2".into()),
            Stance::Holding,
            "deploy p2",
        );
        for action in [Action::Hold, Action::Kill] {
            let held = Verdict {
                action,
                reasons: vec![Sighting {
                    rule: "not_ready",
                    action,
                    reason: "standby".into(),
                    trips: true,
                }],
                adopt: None,
            };
            refuses(|w| w.verdict = Some(held), Stance::Holding, "standby");
        }
    }

    #[test]
    fn a_new_identity_needs_its_own_observation_and_lifts_neither_freeze_nor_revocation() {
        let mut watch = clean();
        watch.revoked = Some(Revocation {
            by: "x".into(),
            reason: "y".into(),
        });
        watch.frozen = Some("f1".into());
        watch.expect(expectation(), 0);
        assert!(watch.may_grant().unwrap_err().contains("revoked by x"));
        watch.revoked = None;
        assert!(watch.may_grant().unwrap_err().contains("frozen"));
        watch.frozen = None;
        assert!(
            watch
                .may_grant()
                .unwrap_err()
                .contains("nothing has been observed")
        );
    }

    #[test]
    fn a_new_identity_does_not_forget_the_last_grant() {
        let mut watch = clean();
        watch.book.sending(20_000);
        let before = watch.book.expires_in_ms(0);
        watch.expect(expectation(), 0);
        assert_eq!(watch.book.expires_in_ms(0), before);
        assert!(watch.book.is_due(0));
    }
}
