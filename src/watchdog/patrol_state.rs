//! From looks to a verdict: N of M per rule, holds and their bounds, recovery.
//!
//! Pure state machine; time is a monotonic millisecond count that comes in as an argument.
//!
//! | state | what the trader gets | leaves it when |
//! |---|---|---|
//! | idle | nothing | a deploy hands over an identity |
//! | keeping | the lease | a rule holds or kills |
//! | holding | no lease; exits stay on | 3 clean looks in a row |
//! | tripped | freeze, revoke, verified stop | never here: a person re-enables |
//!
//! More holds an hour than the plan tolerates, or one hold past its silence bound, is a trip. A hold
//! that a deploy asked for, or that a halt or a blind platform caused, is not counted.

use super::expectation::Expectation;
use super::rules::{Action, Look, Observation, RULES, Sighting};
use serde::Serialize;
use std::collections::VecDeque;

/// The span in which holds are counted, ms.
pub const HOLD_COUNT_SPAN_MS: u64 = 3_600_000;

/// What one look led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What to do now.
    pub action: Action,
    /// Why, strongest first; empty when all is well.
    pub reasons: Vec<Sighting>,
    /// The platform restarted the very deployment: expect this instance from now on.
    pub adopt: Option<String>,
}

/// A hold in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hold {
    since_ms: u64,
    /// When it began to count towards a trip.
    counted_since_ms: Option<u64>,
}

/// The memory of one patrol.
#[derive(Debug, Clone)]
pub struct PatrolState {
    /// Per rule, the newest looks that were not blind: whether each showed it, and what it said.
    looks: Vec<VecDeque<Option<Sighting>>>,
    hold: Option<Hold>,
    /// Start of each counted hold of the last hour.
    holds: VecDeque<u64>,
    clean_in_a_row: u32,
    /// A deploy asked us to hold.
    asked: Option<String>,
    /// An instance that is as planned in all but its nonce, and how often in a row it was seen.
    restarted: Option<(String, u32)>,
}

impl Default for PatrolState {
    fn default() -> Self {
        Self {
            looks: vec![VecDeque::new(); RULES.len()],
            hold: None,
            holds: VecDeque::new(),
            clean_in_a_row: 0,
            asked: None,
            restarted: None,
        }
    }
}

impl PatrolState {
    /// A new identity is expected: what was seen of the old one no longer counts. Holds of the last
    /// hour stay counted: a redeploy is no way to get more of them.
    pub fn expect_anew(&mut self) {
        *self = Self {
            holds: std::mem::take(&mut self.holds),
            ..Self::default()
        };
    }

    /// A deploy asks for the lease to be withdrawn until the next identity.
    pub fn hold_as_asked(&mut self, reason: String) {
        self.asked = Some(reason);
    }

    /// Whether the lease is withdrawn now.
    pub const fn is_holding(&self) -> bool {
        self.hold.is_some() || self.asked.is_some()
    }

    /// Why a deploy asked us to hold, if one did.
    pub fn asked(&self) -> Option<&str> {
        self.asked.as_deref()
    }

    /// Takes in one look and says what to do.
    pub fn judge(&mut self, expected: &Expectation, seen: &Observation, now_ms: u64) -> Verdict {
        let mut reasons = self.confirmed(expected, seen);
        reasons.sort_by_key(|sighting| std::cmp::Reverse(sighting.action));
        let worst = reasons.first().map_or(Action::Keep, |s| s.action);
        let action = match worst {
            Action::Kill => Action::Kill,
            Action::Hold => self.holding(expected, seen, &mut reasons, now_ms),
            Action::Warn | Action::Keep => self.recovering(expected, seen, worst, &mut reasons),
        };
        let adopt = self.adopting(expected, seen, action, &reasons);
        Verdict {
            action,
            reasons,
            adopt,
        }
    }

    /// A restart of the expected deployment is no new deployment: once it has shown itself as planned
    /// often enough, its nonce is the expected one. Restarts still count as holds.
    fn adopting(
        &mut self,
        expected: &Expectation,
        seen: &Observation,
        action: Action,
        reasons: &[Sighting],
    ) -> Option<String> {
        let health = seen.health.as_ref()?;
        let only_restarted = action == Action::Hold
            && reasons.iter().all(|s| s.rule == "instance_changed")
            && health.instance_nonce != expected.instance_nonce;
        if !only_restarted {
            self.restarted = None;
            return None;
        }
        let count = match self.restarted.take() {
            Some((nonce, count)) if nonce == health.instance_nonce => count.saturating_add(1),
            _ => 1,
        };
        if count >= expected.plan.intent.watch.clean_observations {
            return Some(health.instance_nonce.clone());
        }
        self.restarted = Some((health.instance_nonce.clone(), count));
        None
    }

    /// Feeds every rule and returns those that are confirmed.
    fn confirmed(&mut self, expected: &Expectation, seen: &Observation) -> Vec<Sighting> {
        let mut out = Vec::new();
        for (rule, looks) in RULES.iter().zip(&mut self.looks) {
            let look = (rule.look)(expected, seen);
            match look {
                Look::Blind => {}
                Look::Clean => looks.push_back(None),
                Look::Seen(action, reason) => looks.push_back(Some(Sighting {
                    rule: rule.name,
                    action,
                    reason,
                    trips: rule.trips,
                })),
            }
            while looks.len() > rule.of {
                looks.pop_front();
            }
            // A clean look ends a sighting at once; recovery is counted elsewhere.
            if looks.back().is_none_or(Option::is_none) {
                continue;
            }
            // A rule is confirmed by the sightings that ask for at least as much: two holds do not
            // confirm one kill.
            let mut shown: Vec<&Sighting> = looks.iter().flatten().collect();
            shown.sort_by_key(|s| std::cmp::Reverse(s.action));
            if let Some(sighting) = rule.needed.checked_sub(1).and_then(|n| shown.get(n)) {
                out.push((*sighting).clone());
            }
        }
        out
    }

    fn holding(
        &mut self,
        expected: &Expectation,
        seen: &Observation,
        reasons: &mut Vec<Sighting>,
        now_ms: u64,
    ) -> Action {
        self.clean_in_a_row = 0;
        // While a deploy replaces the target, its silence is what the deploy asked for.
        let is_replaced = self.asked.is_some() && seen.deploy_lock.is_some();
        let counts = !is_replaced && reasons.iter().any(|s| s.trips && s.action == Action::Hold);
        let hold = self.hold.get_or_insert(Hold {
            since_ms: now_ms,
            counted_since_ms: None,
        });
        if counts && hold.counted_since_ms.is_none() {
            hold.counted_since_ms = Some(now_ms);
            self.holds.push_back(now_ms);
        }
        let counted_since = if counts { hold.counted_since_ms } else { None };
        while self
            .holds
            .front()
            .is_some_and(|at| now_ms.saturating_sub(*at) > HOLD_COUNT_SPAN_MS)
        {
            self.holds.pop_front();
        }
        let policy = &expected.plan.intent.watch;
        let held_ms = counted_since.map_or(0, |since| now_ms.saturating_sub(since));
        if held_ms >= policy.silence_kill_secs.saturating_mul(1_000) && counts {
            reasons.insert(
                0,
                trip(
                    "hold_too_long",
                    format!(
                        "the lease has been withdrawn for {held_ms} ms, at most {} s are tolerated",
                        policy.silence_kill_secs
                    ),
                ),
            );
            return Action::Kill;
        }
        let tolerated = usize::try_from(policy.max_holds_per_hour).unwrap_or(usize::MAX);
        if self.holds.len() > tolerated {
            reasons.insert(
                0,
                trip(
                    "too_many_holds",
                    format!(
                        "{} holds within an hour, at most {tolerated} are tolerated",
                        self.holds.len()
                    ),
                ),
            );
            return Action::Kill;
        }
        Action::Hold
    }

    fn recovering(
        &mut self,
        expected: &Expectation,
        seen: &Observation,
        worst: Action,
        reasons: &mut Vec<Sighting>,
    ) -> Action {
        // A look without an answer confirms nothing, and nothing unconfirmed returns a lease.
        if seen.health.is_none() {
            self.clean_in_a_row = 0;
        } else {
            self.clean_in_a_row = self.clean_in_a_row.saturating_add(1);
        }
        let wanted = expected.plan.intent.watch.clean_observations;
        if self.hold.is_some() && self.clean_in_a_row >= wanted {
            self.hold = None;
        }
        if let Some(reason) = &self.asked {
            reasons.push(quiet_hold("asked", reason.clone()));
            return Action::Hold;
        }
        if self.hold.is_some() {
            reasons.push(quiet_hold(
                "recovering",
                format!("{} of {wanted} clean observations", self.clean_in_a_row),
            ));
            return Action::Hold;
        }
        worst
    }
}

fn trip(rule: &'static str, reason: String) -> Sighting {
    Sighting {
        rule,
        action: Action::Kill,
        reason,
        trips: true,
    }
}

fn quiet_hold(rule: &'static str, reason: String) -> Sighting {
    Sighting {
        rule,
        action: Action::Hold,
        reason,
        trips: false,
    }
}

#[cfg(test)]
#[path = "patrol_state_tests.rs"]
mod tests;
