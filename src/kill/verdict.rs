//! The verdict: a pure function from what was seen to one word.
//!
//! This is the only place that decides whether a kill counts. Reads no clock, asks nobody. The
//! rule is the contract's: verified = the platform says dead, and no witness contradicts, and at
//! least one agrees positively; and where real money may be behind it, zero open orders too.

use serde::Serialize;

/// How a kill ended. Ordered: a later one is worse, and a report is as bad as its worst target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The platform proved that the service exists and runs nothing.
    NothingRunning,
    /// Stopped, and proved from outside.
    Verified,
    /// `--reduce-only`: entries off, exits on, read back.
    Reduced,
    /// The platform says dead; nobody else can tell.
    PlatformOnly,
    /// Something answered, but it is not proved that nothing runs.
    Unverified,
    /// No path acknowledged anything.
    Failed,
}

impl Verdict {
    /// The documented exit code: 0 for the first three, else 7.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::NothingRunning | Self::Verified | Self::Reduced => 0,
            Self::PlatformOnly | Self::Unverified | Self::Failed => 7,
        }
    }

    /// The word as reports carry it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NothingRunning => "nothing_running",
            Self::Verified => "verified",
            Self::Reduced => "reduced",
            Self::PlatformOnly => "platform_only",
            Self::Unverified => "unverified",
            Self::Failed => "failed",
        }
    }
}

/// What a witness says about the claim "nothing of it runs or may act".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WitnessStatus {
    /// Positive evidence for it.
    Agrees,
    /// What one would see if it were true, and also otherwise.
    Consistent,
    /// Evidence against it.
    Contradicts,
    /// Has said nothing.
    Silent,
}

/// What the kill is to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Nothing runs.
    Stop,
    /// Entries off, exits on, it keeps running.
    ReduceOnly,
}

/// What the platform says at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformSays {
    /// Could not be asked, or never gave a usable answer.
    Nothing,
    /// Something is live, or may be (an incomplete list, a status that cannot be read).
    Live,
    /// Nothing live for two polls and through the settle window.
    Dead,
    /// The loopback platform is itself proved gone: it cannot start anything.
    GoneItself,
}

/// What is known about open orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orders {
    /// No real money behind it (mode paper or dry-run).
    NotReal,
    /// Zero: two reads of the venue after the process's proved end, or as told by a fully halted
    /// trader and read back.
    Zero,
    /// Some are open.
    Open,
    /// Not known: nobody can tell.
    Unknown,
    /// The venue can be asked, and has not proved that there are none.
    Unproved,
}

/// Everything that the verdict depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent fact of the table"
)]
pub struct Evidence {
    /// What was wanted.
    pub goal: Goal,
    /// Whether any path acknowledged the request (or proved that there was nothing to request).
    pub acknowledged: bool,
    /// What the platform says.
    pub platform: PlatformSays,
    /// Whether the platform proved that the named service exists in the named environment.
    pub service_proved: bool,
    /// Whether anything was seen alive during the run.
    pub was_running: bool,
    /// Whether ids or tokens disagreed about the target, or a path broke by a bug.
    pub in_doubt: bool,
    /// Whether every trader address was asked again after the platform said dead.
    pub is_fresh: bool,
    /// What each witness says.
    pub witnesses: Vec<WitnessStatus>,
    /// Open orders.
    pub orders: Orders,
    /// `--reduce-only`: whether the halt was read back from the instance that acknowledged it.
    pub halt_read_back: bool,
}

/// Said where the venue can be asked and its answers do not prove anything yet.
const NOT_SHOWN_TWICE: &str = "the venue has not shown twice that no order is open";

/// Judges. The reason is one clause that stands after "because".
pub fn judge(evidence: &Evidence) -> (Verdict, &'static str) {
    let says = |status| evidence.witnesses.contains(&status);
    let agrees = says(WitnessStatus::Agrees);
    if !evidence.acknowledged {
        return (Verdict::Failed, "no path acknowledged the request");
    }
    if evidence.in_doubt {
        return (
            Verdict::Unverified,
            "ids or tokens disagree about what was to be stopped",
        );
    }
    if evidence.goal == Goal::ReduceOnly {
        return if evidence.halt_read_back {
            (
                Verdict::Reduced,
                "entries are off, read back from the trader",
            )
        } else {
            (
                Verdict::Unverified,
                "the trader did not confirm that entries are off",
            )
        };
    }
    if says(WitnessStatus::Contradicts) {
        return (Verdict::Unverified, "a witness says that it still lives");
    }
    match evidence.platform {
        PlatformSays::Nothing => {
            return (
                Verdict::Unverified,
                "the platform did not say whether anything is live",
            );
        }
        PlatformSays::Live => return (Verdict::Unverified, "the platform says something is live"),
        PlatformSays::GoneItself if !agrees => {
            return (
                Verdict::Unverified,
                "the platform is gone and nothing tells about the trader",
            );
        }
        PlatformSays::Dead | PlatformSays::GoneItself => {}
    }
    if !evidence.is_fresh {
        return (
            Verdict::Unverified,
            "the trader was not asked again after the platform said dead",
        );
    }
    // An account's orders outlive the process that sent them.
    if evidence.orders == Orders::Open {
        return (Verdict::Unverified, "orders are still open");
    }
    if !evidence.was_running {
        return if evidence.orders == Orders::Unproved {
            (Verdict::Unverified, NOT_SHOWN_TWICE)
        } else if evidence.orders == Orders::Unknown {
            (
                Verdict::Unverified,
                "nothing runs, but open orders are not known to be zero",
            )
        } else if evidence.platform == PlatformSays::GoneItself {
            (
                Verdict::NothingRunning,
                "platform and trader processes are proved gone",
            )
        } else if evidence.service_proved {
            (
                Verdict::NothingRunning,
                "the platform lists nothing live for this service",
            )
        } else {
            (
                Verdict::Unverified,
                "the platform did not prove that this service exists",
            )
        };
    }
    match (evidence.orders, agrees) {
        (_, false) => (
            Verdict::PlatformOnly,
            "the platform says dead and no witness can confirm it",
        ),
        (Orders::Unproved | Orders::Open, true) => (Verdict::Unverified, NOT_SHOWN_TWICE),
        (Orders::Unknown, true) => (Verdict::Unverified, "open orders are not known to be zero"),
        (Orders::NotReal | Orders::Zero, true) if evidence.platform == PlatformSays::GoneItself => {
            (
                Verdict::Verified,
                "the platform is itself gone and a witness confirms the trader's end",
            )
        }
        (Orders::NotReal | Orders::Zero, true) => (
            Verdict::Verified,
            "the platform says dead and a witness agrees",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PlatformSays::{Dead, GoneItself, Live, Nothing};
    use WitnessStatus::{Agrees, Consistent, Contradicts, Silent};

    fn stopped() -> Evidence {
        Evidence {
            goal: Goal::Stop,
            acknowledged: true,
            platform: Dead,
            service_proved: true,
            was_running: true,
            in_doubt: false,
            is_fresh: true,
            witnesses: vec![Agrees],
            orders: Orders::NotReal,
            halt_read_back: false,
        }
    }

    #[track_caller]
    fn check(evidence: &Evidence, expected: Verdict) {
        assert_eq!(judge(evidence).0, expected, "{evidence:?}");
    }

    #[test]
    fn where_nothing_runs_an_order_may_still_be_open() {
        let nothing = |orders| Evidence {
            was_running: false,
            witnesses: Vec::new(),
            orders,
            ..stopped()
        };
        check(&nothing(Orders::NotReal), Verdict::NothingRunning);
        check(&nothing(Orders::Zero), Verdict::NothingRunning);
        check(&nothing(Orders::Unknown), Verdict::Unverified);
        check(&nothing(Orders::Open), Verdict::Unverified);
    }

    #[test]
    fn the_contracts_lines() {
        check(&stopped(), Verdict::Verified);
        check(
            &Evidence {
                acknowledged: false,
                ..stopped()
            },
            Verdict::Failed,
        );
        check(
            &Evidence {
                in_doubt: true,
                ..stopped()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                witnesses: vec![Agrees, Contradicts],
                ..stopped()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                witnesses: vec![],
                ..stopped()
            },
            Verdict::PlatformOnly,
        );
        check(
            &Evidence {
                witnesses: vec![Silent, Consistent],
                ..stopped()
            },
            Verdict::PlatformOnly,
        );
        check(
            &Evidence {
                platform: Live,
                ..stopped()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                platform: Nothing,
                ..stopped()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                orders: Orders::Unknown,
                ..stopped()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                orders: Orders::Open,
                ..stopped()
            },
            Verdict::Unverified,
        );
        for orders in [Orders::Open, Orders::Unproved] {
            for was_running in [false, true] {
                let left_open = Evidence {
                    was_running,
                    orders,
                    ..stopped()
                };
                check(&left_open, Verdict::Unverified);
            }
        }
        check(
            &Evidence {
                orders: Orders::Zero,
                ..stopped()
            },
            Verdict::Verified,
        );
        check(
            &Evidence {
                platform: GoneItself,
                ..stopped()
            },
            Verdict::Verified,
        );
        check(
            &Evidence {
                platform: GoneItself,
                witnesses: vec![Silent],
                ..stopped()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                is_fresh: false,
                ..stopped()
            },
            Verdict::Unverified,
        );
        let idle = Evidence {
            was_running: false,
            witnesses: vec![],
            ..stopped()
        };
        check(&idle, Verdict::NothingRunning);
        check(
            &Evidence {
                service_proved: false,
                ..idle.clone()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                witnesses: vec![Contradicts],
                ..idle.clone()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                platform: GoneItself,
                ..idle.clone()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                platform: GoneItself,
                witnesses: vec![Agrees],
                ..idle
            },
            Verdict::NothingRunning,
        );
        let reduce = Evidence {
            goal: Goal::ReduceOnly,
            halt_read_back: true,
            ..stopped()
        };
        check(&reduce, Verdict::Reduced);
        check(
            &Evidence {
                halt_read_back: false,
                ..reduce.clone()
            },
            Verdict::Unverified,
        );
        check(
            &Evidence {
                acknowledged: false,
                ..reduce
            },
            Verdict::Failed,
        );
    }

    /// Every combination of all inputs, with every set of witness statuses.
    fn all() -> Vec<Evidence> {
        let mut all = Vec::new();
        let statuses = [Agrees, Consistent, Contradicts, Silent];
        for bits in 0_u32..(1 << 11) {
            let bit = |n: u32| bits & (1 << n) != 0;
            for platform in [Nothing, Live, Dead, GoneItself] {
                for orders in [
                    Orders::NotReal,
                    Orders::Zero,
                    Orders::Open,
                    Orders::Unknown,
                    Orders::Unproved,
                ] {
                    all.push(Evidence {
                        goal: if bit(0) { Goal::Stop } else { Goal::ReduceOnly },
                        acknowledged: bit(1),
                        platform,
                        service_proved: bit(2),
                        was_running: bit(3),
                        in_doubt: bit(4),
                        is_fresh: bit(10),
                        witnesses: (5..9)
                            .zip(statuses)
                            .filter(|(n, _)| bit(*n))
                            .map(|(_, s)| s)
                            .collect(),
                        orders,
                        halt_read_back: bit(9),
                    });
                }
            }
        }
        all
    }

    #[test]
    fn success_implies_its_proof_in_every_combination() {
        for evidence in all() {
            let (verdict, _) = judge(&evidence);
            let has = |status| evidence.witnesses.contains(&status);
            let dead = matches!(evidence.platform, Dead | GoneItself);
            if verdict.exit_code() == 0 {
                assert!(evidence.acknowledged && !evidence.in_doubt, "{evidence:?}");
            }
            match verdict {
                Verdict::Verified => assert!(
                    evidence.goal == Goal::Stop
                        && dead
                        && evidence.is_fresh
                        && has(Agrees)
                        && !has(Contradicts)
                        && matches!(evidence.orders, Orders::NotReal | Orders::Zero),
                    "{evidence:?}"
                ),
                Verdict::NothingRunning => assert!(
                    evidence.goal == Goal::Stop
                        && !matches!(evidence.orders, Orders::Open | Orders::Unproved)
                        && !evidence.was_running
                        && !has(Contradicts)
                        && match evidence.platform {
                            Dead => evidence.service_proved,
                            GoneItself => has(Agrees),
                            Nothing | Live => false,
                        },
                    "{evidence:?}"
                ),
                Verdict::Reduced => assert!(
                    evidence.goal == Goal::ReduceOnly && evidence.halt_read_back,
                    "{evidence:?}"
                ),
                Verdict::PlatformOnly => {
                    assert!(evidence.platform == Dead && !has(Agrees), "{evidence:?}");
                }
                Verdict::Failed => assert!(!evidence.acknowledged, "{evidence:?}"),
                Verdict::Unverified => {}
            }
        }
    }

    #[test]
    fn more_doubt_never_improves_a_verdict() {
        for evidence in all() {
            let before = judge(&evidence).0;
            let mut contradicted = evidence.clone();
            contradicted.witnesses.push(Contradicts);
            let mut doubted = evidence.clone();
            doubted.in_doubt = true;
            let mut unanswered = evidence.clone();
            unanswered.platform = Nothing;
            let mut stale = evidence.clone();
            stale.is_fresh = false;
            for worse in [contradicted, doubted, unanswered, stale] {
                assert!(judge(&worse).0 >= before, "{evidence:?} -> {worse:?}");
            }
        }
    }

    #[test]
    fn the_worst_target_decides() {
        let order = [
            Verdict::NothingRunning,
            Verdict::Verified,
            Verdict::Reduced,
            Verdict::PlatformOnly,
            Verdict::Unverified,
            Verdict::Failed,
        ];
        assert!(order.is_sorted());
        assert_eq!(order.map(Verdict::exit_code), [0, 0, 0, 7, 7, 7]);
    }
}
