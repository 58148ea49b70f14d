//! From what was seen to a verdict, line by line.
//!
//! Pure: the plan and the observations come in. What could not be seen is unknown, and unknown never
//! passes; a difference is a fail.

use super::identity;
use crate::watchdog::expectation::Expectation;
use serde::{Deserialize, Serialize};
use trader_core::wire::{Health, InstanceState};

/// A live deployment as the platform lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LiveDeployment {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: String,
    /// `meta.commitHash`.
    pub commit: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Live deployments, or why the platform could not be asked.
    pub live: Result<Vec<LiveDeployment>, String>,
    /// The first read of `/health`.
    pub first: Result<Health, String>,
    /// The second read, later.
    pub second: Result<Health, String>,
}

/// How one question or all of them were answered. Ordered: the worst counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As planned.
    Pass,
    /// As planned, with something to read.
    Warn,
    /// Could not be seen.
    Unknown,
    /// Not as planned.
    Fail,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was asked.
    pub what: &'static str,
    /// The answer.
    pub verdict: Verdict,
    /// What was seen.
    pub detail: String,
}

/// Whether the trader must hold its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It must be held in both reads.
    Held,
    /// Told, not judged.
    Told,
}

/// Judges everything. `nonce_is_known`: the instance was verified before, so it must be the same one.
pub fn judge(
    wanted: &Expectation,
    nonce_is_known: bool,
    lease: Lease,
    seen: &Observed,
) -> Vec<Line> {
    let mut lines = vec![one_live(wanted, seen), platform_commit(wanted, seen)];
    match (&seen.first, &seen.second) {
        (Ok(first), Ok(second)) => {
            lines.push(identity_line(wanted, nonce_is_known, first, second));
            lines.push(state_line(second));
            lines.push(lease_line(lease, first, second));
        }
        (Err(why), _) | (_, Err(why)) => lines.push(Line {
            what: "identity",
            verdict: Verdict::Unknown,
            detail: format!("the trader did not answer /health twice: {why}"),
        }),
    }
    lines
}

/// The verdict over all lines.
pub fn worst(lines: &[Line]) -> Verdict {
    lines
        .iter()
        .map(|line| line.verdict)
        .max()
        // Nothing asked is nothing proved.
        .unwrap_or(Verdict::Unknown)
}

fn line(what: &'static str, verdict: Verdict, detail: impl Into<String>) -> Line {
    Line {
        what,
        verdict,
        detail: detail.into(),
    }
}

fn one_live(wanted: &Expectation, seen: &Observed) -> Line {
    let what = "one live deployment";
    match &seen.live {
        Err(why) => line(
            what,
            Verdict::Unknown,
            format!("the platform could not be asked: {why}"),
        ),
        Ok(live) => {
            let listed: Vec<String> = live
                .iter()
                .map(|d| format!("{} ({})", d.id, d.status))
                .collect();
            match live.as_slice() {
                [] => line(what, Verdict::Fail, "nothing is live"),
                [one] if one.id == wanted.deployment_id => {
                    line(what, Verdict::Pass, listed.join(", "))
                }
                _ => line(
                    what,
                    Verdict::Fail,
                    format!(
                        "live: {}; planned: only {}",
                        listed.join(", "),
                        wanted.deployment_id
                    ),
                ),
            }
        }
    }
}

fn platform_commit(wanted: &Expectation, seen: &Observed) -> Line {
    let what = "deployed commit";
    let planned = &wanted.plan.intent.commit;
    let found = seen
        .live
        .as_ref()
        .ok()
        .and_then(|live| live.iter().find(|d| d.id == wanted.deployment_id));
    match found.map(|deployment| &deployment.commit) {
        None => line(
            what,
            Verdict::Unknown,
            match seen.live {
                Ok(_) => "the platform does not list the deployment as live",
                Err(_) => "the platform could not be asked",
            },
        ),
        Some(None) => line(
            what,
            Verdict::Unknown,
            "the platform names no commit for it (an upload, not a deploy by commit)",
        ),
        Some(Some(commit)) if commit == planned => line(what, Verdict::Pass, commit.clone()),
        Some(Some(commit)) => line(
            what,
            Verdict::Fail,
            format!("the platform deployed {commit}, planned {planned}"),
        ),
    }
}

fn identity_line(
    wanted: &Expectation,
    nonce_is_known: bool,
    first: &Health,
    second: &Health,
) -> Line {
    let mut compared =
        identity::compare_pair(&wanted.plan.intent, &wanted.deployment_id, first, second);
    if nonce_is_known && first.instance_nonce != wanted.instance_nonce {
        compared.differences.push(identity::Difference {
            what: "instance_nonce".to_owned(),
            seen: first.instance_nonce.clone(),
            wanted: wanted.instance_nonce.clone(),
        });
    }
    if !compared.is_same() {
        let all: Vec<String> = compared
            .differences
            .iter()
            .map(ToString::to_string)
            .collect();
        return line("identity", Verdict::Fail, all.join("; "));
    }
    if compared.warnings.is_empty() {
        let detail = format!(
            "commit, manifest {}, {} effective values, {} strategies, {} components, twice",
            second.manifest_digest,
            second.effective.len(),
            second.strategies.len(),
            second.components.len()
        );
        return line("identity", Verdict::Pass, detail);
    }
    line("identity", Verdict::Warn, compared.warnings.join("; "))
}

fn state_line(second: &Health) -> Line {
    let what = "ready";
    if let Some(halt) = &second.halted {
        return line(
            what,
            Verdict::Warn,
            format!("halted by {}: {}", halt.by, halt.reason),
        );
    }
    match second.state {
        InstanceState::Ready => line(what, Verdict::Pass, "holds the writer lock, reconciled"),
        InstanceState::Standby => line(
            what,
            Verdict::Fail,
            "standby: another instance holds the writer lock",
        ),
    }
}

fn lease_line(wanted: Lease, first: &Health, second: &Health) -> Line {
    let what = "trading lease";
    let held = |health: &Health| health.lease.as_ref().is_some_and(|l| l.expires_in_ms > 0);
    let told = match &second.lease {
        Some(lease) => format!("held by {} for {} ms", lease.holder, lease.expires_in_ms),
        None => "not held: no entries".to_owned(),
    };
    let verdict = match wanted {
        Lease::Told => Verdict::Pass,
        Lease::Held if held(first) && held(second) => Verdict::Pass,
        Lease::Held => Verdict::Fail,
    };
    line(what, verdict, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::identity::tests::healthy;
    use crate::watchdog::rules::tests::expectation;
    use trader_core::wire::LeaseHealth;

    fn live(id: &str, commit: Option<&str>) -> LiveDeployment {
        LiveDeployment {
            id: id.into(),
            status: "SUCCESS".into(),
            commit: commit.map(str::to_owned),
        }
    }

    fn as_planned() -> Observed {
        let commit = expectation().plan.intent.commit;
        Observed {
            live: Ok(vec![live("d1", Some(&commit))]),
            first: Ok(healthy()),
            second: Ok(healthy()),
        }
    }

    #[track_caller]
    fn judged(change: impl FnOnce(&mut Observed), wanted: Verdict, at: &str) {
        let mut seen = as_planned();
        change(&mut seen);
        let lines = judge(&expectation(), true, Lease::Told, &seen);
        assert_eq!(worst(&lines), wanted, "{lines:#?}");
        let first = lines.iter().find(|l| l.verdict == wanted).unwrap();
        assert_eq!(first.what, at, "{lines:#?}");
    }

    #[test]
    fn the_planned_deployment_passes() {
        let lines = judge(&expectation(), true, Lease::Told, &as_planned());
        assert!(
            lines.iter().all(|l| l.verdict == Verdict::Pass),
            "{lines:#?}"
        );
        assert_eq!(lines.len(), 5);
        assert_eq!(worst(&[]), Verdict::Unknown);
    }

    #[test]
    fn what_the_platform_says_is_judged() {
        use Verdict::{Fail, Unknown};
        let one = "one live deployment";
        judged(|s| s.live = Err("timeout".into()), Unknown, one);
        judged(|s| s.live = Ok(vec![]), Fail, one);
        judged(|s| s.live = Ok(vec![live("d2", None)]), Fail, one);
        judged(
            |s| s.live.as_mut().unwrap().push(live("d2", None)),
            Fail,
            one,
        );
        let commit = "deployed commit";
        judged(|s| s.live = Ok(vec![live("d1", Some("c"))]), Fail, commit);
        judged(|s| s.live = Ok(vec![live("d1", None)]), Unknown, commit);
    }

    #[test]
    fn what_the_trader_says_is_judged_in_both_reads() {
        use Verdict::{Fail, Unknown};
        judged(|s| s.first = Err("refused".into()), Unknown, "identity");
        judged(|s| s.second = Err("refused".into()), Unknown, "identity");
        for is_first in [true, false] {
            let wrong = |change: fn(&mut Health)| {
                move |s: &mut Observed| {
                    let read = if is_first {
                        &mut s.first
                    } else {
                        &mut s.second
                    };
                    change(read.as_mut().unwrap());
                }
            };
            judged(wrong(|h| h.manifest_digest = "x".into()), Fail, "identity");
            judged(wrong(|h| h.instance_nonce = "n2".into()), Fail, "identity");
            judged(wrong(|h| h.components.clear()), Fail, "identity");
        }
        judged(
            |s| s.second.as_mut().unwrap().state = InstanceState::Standby,
            Fail,
            "ready",
        );
    }

    #[test]
    fn another_instance_than_the_verified_one_fails_only_where_one_was_verified() {
        let mut seen = as_planned();
        for read in [&mut seen.first, &mut seen.second] {
            read.as_mut().unwrap().instance_nonce = "n2".into();
        }
        let known = judge(&expectation(), true, Lease::Told, &seen);
        assert_eq!(worst(&known), Verdict::Fail);
        let new = judge(&expectation(), false, Lease::Told, &seen);
        assert_eq!(worst(&new), Verdict::Pass);
    }

    #[test]
    fn the_lease_is_judged_as_the_moment_needs_it() {
        let lease = |ms| {
            Some(LeaseHealth {
                holder: "w".into(),
                expires_in_ms: ms,
            })
        };
        for (first, second, held) in [
            (None, None, Verdict::Fail),
            (lease(100), lease(100), Verdict::Pass),
            (lease(100), None, Verdict::Fail),
            (lease(0), lease(0), Verdict::Fail),
        ] {
            let mut seen = as_planned();
            seen.first.as_mut().unwrap().lease.clone_from(&first);
            seen.second.as_mut().unwrap().lease.clone_from(&second);
            let of = |wanted| worst(&judge(&expectation(), true, wanted, &seen));
            assert_eq!(of(Lease::Held), held, "{first:?} {second:?}");
            assert_eq!(of(Lease::Told), Verdict::Pass);
        }
    }
}
