//! Each rule: a planted breach that it sees, and a near miss that it does not.

use super::*;
use crate::plan::intent::tests::{intent, plan};
use crate::verify::identity::tests::healthy;
use trader_core::wire::{FeedHealth, Halted, PositionHealth};

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

fn with_health(change: impl FnOnce(&mut Health)) -> impl FnOnce(&mut Observation) {
    move |seen| change(seen.health.as_mut().unwrap())
}

#[test]
fn a_plan_without_a_readable_limit_kills() {
    let mut expected = expectation();
    expected.plan.intent.effective.clear();
    for rule in [
        "daily_loss",
        "orders_per_minute",
        "open_positions",
        "exposure",
        "clock_offset",
    ] {
        let row = RULES.iter().find(|r| r.name == rule).unwrap();
        assert!(
            matches!(
                (row.look)(&expected, &all_well()),
                Look::Seen(Action::Kill, _)
            ),
            "{rule}"
        );
    }
}

#[test]
fn more_orders_than_can_come_of_the_limit_kill() {
    // 8 a minute are declared: 8 entries, 8 exits, 8 repeated.
    let orders = |n| with_health(move |health| health.orders_last_minute = n);
    sees("orders_per_minute", Action::Kill, orders(25));
    passes("orders_per_minute", &Look::Clean, orders(24));
}

#[test]
fn more_positions_or_more_at_stake_than_declared_hold() {
    let positions = |n: u32| {
        with_health(move |health| {
            let one = || PositionHealth {
                window: "btc-5m-1769949000".into(),
                token: "11".into(),
                outcome: "up".into(),
                shares: "5".parse().unwrap(),
                cost_usd: "2.75".parse().unwrap(),
                worst_loss_usd: "2.75".parse().unwrap(),
                avg_cost: None,
                last_bid: None,
                seconds_to_settlement: 60,
                closes_in_ms: 60_000,
            };
            health.positions = (0..n).map(|_| one()).collect();
        })
    };
    sees("open_positions", Action::Hold, positions(5));
    passes("open_positions", &Look::Clean, positions(4));
    let stake = |text: &str| {
        let usd = text.parse().unwrap();
        with_health(move |health| health.exposure_usd = usd)
    };
    sees("exposure", Action::Hold, stake("20.01"));
    passes("exposure", &Look::Clean, stake("20"));
}

#[test]
fn a_trader_that_cannot_see_work_or_tell_the_time_is_held() {
    let feed = |age_ms| {
        with_health(move |health| {
            health.feeds = vec![FeedHealth {
                name: "oracle:btc".into(),
                age_ms,
            }];
        })
    };
    sees("feed_age", Action::Hold, feed(30_000));
    passes("feed_age", &Look::Clean, feed(29_999));
    let errors = |n| with_health(move |health| health.errors_last_minute = n);
    sees("errors", Action::Hold, errors(10));
    passes("errors", &Look::Clean, errors(9));
    let offset = |ms| with_health(move |health| health.clock_offset_ms = Some(ms));
    for off in [1_001, -1_001] {
        sees("clock_offset", Action::Hold, offset(off));
    }
    for inside in [1_000, -1_000, 0] {
        passes("clock_offset", &Look::Clean, offset(inside));
    }
    passes(
        "clock_offset",
        &Look::Clean,
        with_health(|health| health.clock_offset_ms = None),
    );
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
