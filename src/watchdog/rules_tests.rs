//! Each rule: a planted breach that it sees, and a near miss that it does not.

use super::*;
use crate::plan::intent::tests::{intent, plan};
use crate::verify::identity::tests::healthy;
use trader_core::wire::Halted;

pub(crate) fn expectation() -> Expectation {
    Expectation {
        plan: plan(intent(), &[], "p1", ""),
        deployment_id: "d1".into(),
        instance_nonce: "n1".into(),
        trader_url: "http://127.0.0.1:1".into(),
    }
}

pub(crate) fn all_well() -> Observation {
    Observation {
        health: Some(healthy()),
        silent_ms: 0,
        live: Some(vec!["d1".into()]),
        leaving_ms: BTreeMap::new(),
        platform_is_fresh: true,
        platform_blind_ms: 0,
        deploy_lock: None,
    }
}

fn look(rule: &str, seen: &Observation) -> Look {
    let row = RULES.iter().find(|r| r.name == rule).unwrap();
    (row.look)(&expectation(), seen)
}

#[track_caller]
fn sees(rule: &str, action: Action, change: impl FnOnce(&mut Observation)) {
    let mut seen = all_well();
    change(&mut seen);
    match look(rule, &seen) {
        Look::Seen(asked, reason) => assert_eq!(asked, action, "{reason}"),
        other @ (Look::Blind | Look::Clean) => panic!("{rule} saw nothing: {other:?}"),
    }
}

#[track_caller]
fn passes(rule: &str, wanted: &Look, change: impl FnOnce(&mut Observation)) {
    let mut seen = all_well();
    change(&mut seen);
    assert_eq!(look(rule, &seen), *wanted);
}

fn with_pnl(pnl: &str) -> impl FnOnce(&mut Observation) {
    let pnl = pnl.parse().unwrap();
    move |seen| seen.health.as_mut().unwrap().pnl_day_usd = pnl
}

#[test]
fn all_well_is_clean_for_every_rule() {
    for rule in RULES {
        assert_eq!(look(rule.name, &all_well()), Look::Clean, "{}", rule.name);
        assert!(rule.needed >= 1 && rule.needed <= rule.of, "{}", rule.name);
    }
}

#[test]
fn no_answer_is_never_clean_but_for_the_platform() {
    for rule in RULES {
        let mut seen = all_well();
        seen.health = None;
        seen.live = None;
        let clean = look(rule.name, &seen) == Look::Clean;
        assert_eq!(clean, rule.name == "platform_blind", "{}", rule.name);
    }
}

#[test]
fn another_commit_kills_and_the_planned_one_does_not() {
    sees("identity_differs", Action::Kill, |s| {
        s.health.as_mut().unwrap().platform_commit = Some("c".repeat(40));
    });
    sees("identity_differs", Action::Kill, |s| {
        s.health.as_mut().unwrap().effective.clear();
    });
    passes("identity_differs", &Look::Clean, |s| {
        s.health.as_mut().unwrap().build_commit = "0".repeat(40);
    });
}

#[test]
fn another_deployment_at_the_address_holds_only_during_a_deploy() {
    let other = |s: &mut Observation| {
        s.health.as_mut().unwrap().deployment_id = Some("d2".into());
    };
    sees("identity_differs", Action::Kill, other);
    sees("identity_differs", Action::Hold, |s| {
        other(s);
        s.deploy_lock = Some("p2".into());
    });
}

#[test]
fn a_loss_beyond_the_limit_kills_and_the_limit_itself_does_not() {
    sees("daily_loss", Action::Kill, with_pnl("-20.01"));
    passes("daily_loss", &Look::Clean, with_pnl("-20"));
    passes("daily_loss", &Look::Clean, with_pnl("500"));
}

#[test]
fn a_plan_without_a_readable_loss_limit_kills() {
    let mut expected = expectation();
    expected.plan.intent.effective.clear();
    let row = RULES.iter().find(|r| r.name == "daily_loss").unwrap();
    assert!(matches!(
        (row.look)(&expected, &all_well()),
        Look::Seen(Action::Kill, _)
    ));
}

#[test]
fn a_second_live_deployment_kills_unless_a_deploy_is_making_it() {
    let two = |s: &mut Observation| s.live = Some(vec!["d1".into(), "d2".into()]);
    sees("unknown_deployment", Action::Kill, two);
    sees("unknown_deployment", Action::Kill, |s| {
        s.live = Some(vec!["d2".into()]);
    });
    sees("unknown_deployment", Action::Hold, |s| {
        two(s);
        s.deploy_lock = Some("p2".into());
    });
    sees("unknown_deployment", Action::Kill, |s| {
        s.live = Some(vec!["d1".into(), "d2".into(), "d3".into()]);
        s.deploy_lock = Some("p2".into());
    });
    passes("unknown_deployment", &Look::Blind, |s| {
        two(s);
        s.platform_is_fresh = false;
    });
}

#[test]
fn what_the_plan_replaced_may_leave_for_its_draining_time_and_no_longer() {
    let mut expected = expectation();
    expected.plan.active_deployments = vec!["d0".into()];
    let draining_ms = u64::from(expected.plan.intent.settings.draining_secs) * 1_000;
    let bound_ms = draining_ms + LEAVING_MARGIN_MS;
    let rule = RULES
        .iter()
        .find(|r| r.name == "unknown_deployment")
        .unwrap();
    let with = |id: &str, removing_ms: Option<u64>| {
        let seen = Observation {
            live: Some(vec!["d1".into(), id.into()]),
            leaving_ms: removing_ms
                .map(|ms| (id.to_owned(), ms))
                .into_iter()
                .collect(),
            ..all_well()
        };
        (rule.look)(&expected, &seen)
    };
    assert_eq!(with("d0", Some(bound_ms - 1)), Look::Clean);
    for (id, removing_ms, why) in [
        ("d0", Some(bound_ms), "it should be gone by now"),
        ("d0", None, "nobody is removing it"),
        ("d9", Some(0), "no plan ever named it"),
    ] {
        let look = with(id, removing_ms);
        assert!(
            matches!(&look, Look::Seen(Action::Kill, said) if said.contains(id)),
            "{why}: {look:?}"
        );
    }
}

#[test]
fn silence_holds_from_its_bound_on() {
    let silent = |ms| {
        move |s: &mut Observation| {
            s.health = None;
            s.silent_ms = ms;
        }
    };
    sees("health_silent", Action::Hold, silent(SILENCE_HOLD_MS));
    passes("health_silent", &Look::Blind, silent(SILENCE_HOLD_MS - 1));
}

#[test]
fn a_restart_standby_or_halt_holds() {
    sees("instance_changed", Action::Hold, |s| {
        s.health.as_mut().unwrap().instance_nonce = "n2".into();
    });
    sees("not_ready", Action::Hold, |s| {
        s.health.as_mut().unwrap().state = InstanceState::Standby;
    });
    sees("trader_halted", Action::Hold, |s| {
        s.health.as_mut().unwrap().halted = Some(Halted {
            by: "x".into(),
            reason: "y".into(),
            reduce_only: true,
            at: trader_core::units::EpochMs(0),
        });
    });
}

#[test]
fn a_blind_platform_is_told_and_then_held() {
    let blind = |ms| move |s: &mut Observation| s.platform_blind_ms = ms;
    passes(
        "platform_blind",
        &Look::Clean,
        blind(PLATFORM_BLIND_WARN_MS - 1),
    );
    sees(
        "platform_blind",
        Action::Warn,
        blind(PLATFORM_BLIND_WARN_MS),
    );
    sees(
        "platform_blind",
        Action::Warn,
        blind(PLATFORM_BLIND_HOLD_MS - 1),
    );
    sees(
        "platform_blind",
        Action::Hold,
        blind(PLATFORM_BLIND_HOLD_MS),
    );
}

#[test]
fn a_trader_that_outlives_its_deployment_is_held() {
    sees("not_live", Action::Hold, |seen| seen.live = Some(vec![]));
    // Without a new reading, or a trader that answers, it says nothing either way.
    passes("not_live", &Look::Blind, |seen| {
        seen.live = Some(vec![]);
        seen.platform_is_fresh = false;
    });
    passes("not_live", &Look::Blind, |seen| {
        seen.live = Some(vec![]);
        seen.health = None;
    });
}
