//! What earlier deploys came to, read from the receipts: the last verified one, failures in a row, used
//! plans.
//!
//! Pure over the list of receipts.

use crate::plan::intent::Plan;
use crate::receipts::{Kind, Statement};
use crate::watchdog::expectation::Expectation;
use serde::{Deserialize, Serialize};

/// Failed deploys in a row that set a freeze.
pub const FAILURES_THAT_FREEZE: usize = 3;

/// How a deploy that was sent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Verified twice with the lease held.
    Verified,
    /// Not verified, stopped again, and that is proved.
    Stopped,
    /// Not verified, and the stop is not proved either.
    Unproved,
}

/// The predicate of a deploy receipt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployed {
    /// Environment.
    pub env: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it did not end well.
    pub reason: Option<String>,
    /// What was meant to run.
    pub plan: Plan,
    /// Verdict of the preflight that cleared it.
    pub preflight: String,
    /// The platform's address: receipts made elsewhere than on the platform itself never count there.
    pub endpoint: String,
    /// The deployment, where one was made.
    pub deployment_id: Option<String>,
    /// The instance that was verified.
    pub instance_nonce: Option<String>,
    /// Where it answered.
    pub trader_url: Option<String>,
    /// Where its watchdog answered.
    pub watchdog_url: Option<String>,
    /// RFC 3339 UTC.
    pub started_at: String,
    /// RFC 3339 UTC.
    pub finished_at: String,
    /// Warnings that were shown.
    pub warnings: Vec<String>,
    /// Name and duration of each step, ms.
    pub steps: Vec<(String, u64)>,
}

/// Every deploy of `env`, oldest first. A receipt of a later version that cannot be read is skipped
/// here; the chain itself was checked by the reader.
pub fn deploys(receipts: &[Statement], env: &str) -> Vec<Deployed> {
    receipts
        .iter()
        .filter(|statement| statement.is(Kind::Deploy, env))
        .filter_map(|statement| serde_json::from_value(statement.predicate.clone()).ok())
        .collect()
}

/// Failed deploys at the end of the list. A freeze that was lifted since does not reset it: three
/// failures, a lifted freeze and one more failure freeze again.
pub fn failures_in_a_row(deploys: &[Deployed]) -> usize {
    deploys
        .iter()
        .rev()
        .take_while(|deploy| deploy.outcome != Outcome::Verified)
        .count()
}

/// Whether a plan was sent before: a plan is used once.
pub fn is_used(deploys: &[Deployed], plan_id: &str) -> bool {
    deploys.iter().any(|deploy| deploy.plan.plan_id == plan_id)
}

/// What the last verified deploy left running.
pub fn last_verified(deploys: &[Deployed]) -> Option<Expectation> {
    let last = deploys
        .iter()
        .rev()
        .find(|deploy| deploy.outcome == Outcome::Verified)?;
    Some(Expectation {
        plan: last.plan.clone(),
        deployment_id: last.deployment_id.clone()?,
        instance_nonce: last.instance_nonce.clone()?,
        trader_url: last.trader_url.clone()?,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::intent::tests::{intent, plan};

    pub(crate) fn deployed(outcome: Outcome, plan_id: &str) -> Deployed {
        Deployed {
            env: "staging".into(),
            outcome,
            reason: None,
            plan: plan(intent(), &[], plan_id, ""),
            preflight: "pass".into(),
            endpoint: "http://127.0.0.1:1/graphql/v2".into(),
            deployment_id: Some(format!("d-{plan_id}")),
            instance_nonce: Some("n1".into()),
            trader_url: Some("http://127.0.0.1:2".into()),
            watchdog_url: None,
            started_at: String::new(),
            finished_at: String::new(),
            warnings: vec![],
            steps: vec![],
        }
    }

    fn receipt(deploy: &Deployed) -> Statement {
        Statement::new(
            Kind::Deploy,
            Some(&deploy.plan.intent.commit),
            None,
            serde_json::to_value(deploy).unwrap(),
        )
    }

    #[test]
    fn failures_count_back_to_the_last_verified_one() {
        use Outcome::{Stopped, Unproved, Verified};
        for (outcomes, wanted) in [
            (&[][..], 0),
            (&[Verified][..], 0),
            (&[Stopped, Unproved][..], 2),
            (&[Stopped, Verified, Stopped][..], 1),
            (&[Verified, Stopped, Stopped, Stopped][..], 3),
        ] {
            let list: Vec<_> = outcomes.iter().map(|o| deployed(*o, "p")).collect();
            assert_eq!(failures_in_a_row(&list), wanted, "{outcomes:?}");
        }
    }

    #[test]
    fn the_last_verified_deploy_is_found_behind_failed_ones() {
        let list = [
            deployed(Outcome::Verified, "p1"),
            deployed(Outcome::Verified, "p2"),
            deployed(Outcome::Stopped, "p3"),
        ];
        assert_eq!(last_verified(&list).unwrap().deployment_id, "d-p2");
        assert!(last_verified(&list[2..]).is_none());
        assert!(is_used(&list, "p3") && !is_used(&list, "p4"));
    }

    #[test]
    fn another_environment_or_kind_does_not_count() {
        let ours = deployed(Outcome::Stopped, "p1");
        let mut theirs = ours.clone();
        theirs.env = "production".into();
        let verify = Statement::new(
            Kind::Verify,
            None,
            None,
            serde_json::to_value(&ours).unwrap(),
        );
        let list = deploys(&[receipt(&ours), receipt(&theirs), verify], "staging");
        assert_eq!(list, [ours]);
    }
}
