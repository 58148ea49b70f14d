//! What a run violates: a pure function of what was expected, what the kill said, and what was true.

use super::expectation::Expectation;
use super::ground_truth::Truth;
use std::time::Duration;

/// How much later than its deadline a kill may report. The contract's figure, not scaled.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// One kill as it went, and what was true when it ended.
#[derive(Debug, Clone)]
pub(super) struct Kill {
    /// Its verdict's word.
    pub(super) verdict: &'static str,
    pub(super) exit: u8,
    /// From outside.
    pub(super) elapsed: Duration,
    pub(super) deadline: Duration,
    /// Why it says what it says, and what its witnesses say.
    pub(super) reason: String,
}

/// What is true at some moment.
#[derive(Debug, Clone)]
pub(super) struct Look {
    /// `when the kill reported`, `10 s later`.
    pub(super) when: &'static str,
    /// `None`: it could not be found out, which proves nothing.
    pub(super) truth: Option<Truth>,
}

/// Everything that is wrong; empty = as it has to be.
pub(super) fn violations(expectation: Expectation, kills: &[Kill], looks: &[Look]) -> Vec<String> {
    let mut all = Vec::new();
    for kill in kills {
        if kill.elapsed > kill.deadline + GRACE {
            all.push(format!(
                "late: reported after {} ms, its deadline is {} ms",
                kill.elapsed.as_millis(),
                kill.deadline.as_millis()
            ));
        }
        if expectation == Expectation::MustVerify && kill.exit != 0 {
            all.push(format!("not verified: {} ({})", kill.verdict, kill.reason));
        }
    }
    let Some(said) = kills.iter().find(|kill| kill.exit == 0) else {
        return all;
    };
    for look in looks {
        let Some(truth) = &look.truth else {
            all.push(format!("unproved: the truth {} is not known", look.when));
            continue;
        };
        for process in &truth.unhalted {
            all.push(format!(
                "UNTRUE: {} although process {process} lives {} and never acknowledged a full halt ({})",
                said.verdict, look.when, said.reason
            ));
        }
        if truth.open_orders > 0 {
            all.push(format!(
                "UNTRUE: {} although {} orders are open {} ({})",
                said.verdict, truth.open_orders, look.when, said.reason
            ));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(exit: u8) -> Kill {
        Kill {
            verdict: if exit == 0 { "verified" } else { "unverified" },
            exit,
            elapsed: Duration::from_secs(2),
            deadline: Duration::from_secs(2),
            reason: String::new(),
        }
    }

    fn look(unhalted: &[u32], open_orders: u64) -> Look {
        let unhalted = unhalted.to_vec();
        Look {
            when: "now",
            truth: Some(Truth {
                unhalted,
                halted: Vec::new(),
                open_orders,
            }),
        }
    }

    const MUST: Expectation = Expectation::MustVerify;
    const MAY_NOT: Expectation = Expectation::MayNot("a test");

    #[test]
    fn a_true_word_in_time_violates_nothing() {
        assert!(violations(MUST, &[kill(0)], &[look(&[], 0)]).is_empty());
        assert!(violations(MAY_NOT, &[kill(7)], &[look(&[7], 1)]).is_empty());
        assert!(violations(MAY_NOT, &[kill(0)], &[look(&[], 0)]).is_empty());
    }

    #[test]
    fn exit_0_over_a_living_process_or_an_open_order_is_untrue_at_any_moment() {
        for (expectation, looks) in [
            (MUST, [look(&[7], 0), look(&[], 0)]),
            (MAY_NOT, [look(&[], 0), look(&[7], 0)]),
            (MAY_NOT, [look(&[], 1), look(&[], 0)]),
        ] {
            let all = violations(expectation, &[kill(0)], &looks);
            assert!(all.len() == 1 && all[0].starts_with("UNTRUE"), "{all:?}");
        }
        let blind = Look {
            when: "now",
            truth: None,
        };
        assert_eq!(
            violations(MAY_NOT, &[kill(0)], &[blind]).len(),
            1,
            "unknown proves nothing"
        );
    }

    #[test]
    fn a_kill_that_always_says_7_fails() {
        assert_eq!(violations(MUST, &[kill(7)], &[]).len(), 1);
        assert_eq!(
            violations(MUST, &[kill(0), kill(7)], &[look(&[], 0)]).len(),
            1,
            "each of two"
        );
    }

    #[test]
    fn lateness_counts_whatever_was_said() {
        let late = Kill {
            elapsed: Duration::from_millis(3_001),
            ..kill(7)
        };
        assert_eq!(violations(MAY_NOT, &[late], &[]).len(), 1);
        let just = Kill {
            elapsed: Duration::from_secs(3),
            ..kill(7)
        };
        assert!(violations(MAY_NOT, &[just], &[]).is_empty());
    }
}
