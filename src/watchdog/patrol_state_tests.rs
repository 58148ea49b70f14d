//! The patrol's verdicts over time: holds, recovery, trips.

use super::super::rules::tests::{all_well, expectation};
use super::*;
use trader_core::wire::InstanceState;

/// One look a second.
const POLL_MS: u64 = 1_000;

struct Watch {
    state: PatrolState,
    expected: Expectation,
    now_ms: u64,
}

impl Watch {
    fn new() -> Self {
        Self {
            state: PatrolState::default(),
            expected: expectation(),
            now_ms: 0,
        }
    }

    fn look(&mut self, seen: &Observation) -> Verdict {
        self.now_ms += POLL_MS;
        self.state.judge(&self.expected, seen, self.now_ms)
    }

    fn actions(&mut self, seen: &Observation, looks: u32) -> Vec<Action> {
        (0..looks).map(|_| self.look(seen).action).collect()
    }
}

fn standby() -> Observation {
    let mut seen = all_well();
    seen.health.as_mut().unwrap().state = InstanceState::Standby;
    seen
}

fn silent(ms: u64) -> Observation {
    Observation {
        health: None,
        silent_ms: ms,
        ..all_well()
    }
}

fn two_live(lock: Option<&str>) -> Observation {
    Observation {
        live: Some(vec!["d1".into(), "d2".into()]),
        deploy_lock: lock.map(str::to_owned),
        ..all_well()
    }
}

#[test]
fn all_well_keeps() {
    let mut watch = Watch::new();
    let verdict = watch.look(&all_well());
    assert_eq!(verdict.action, Action::Keep);
    assert!(verdict.reasons.is_empty());
    assert!(!watch.state.is_holding());
}

#[test]
fn the_lease_returns_after_three_clean_looks_and_not_after_two() {
    let mut watch = Watch::new();
    assert_eq!(watch.look(&standby()).action, Action::Hold);
    assert_eq!(
        watch.actions(&all_well(), 3),
        [Action::Hold, Action::Hold, Action::Keep]
    );
    // A relapse starts the count anew.
    let mut watch = Watch::new();
    watch.look(&standby());
    watch.actions(&all_well(), 2);
    watch.look(&standby());
    assert_eq!(watch.actions(&all_well(), 2), [Action::Hold, Action::Hold]);
}

#[test]
fn looks_without_an_answer_do_not_count_as_clean() {
    let mut watch = Watch::new();
    watch.look(&standby());
    watch.look(&all_well());
    watch.look(&all_well());
    watch.look(&silent(500));
    assert_eq!(watch.look(&all_well()).action, Action::Hold);
}

#[test]
fn identity_and_loss_kill_at_the_first_look() {
    let mut wrong = all_well();
    wrong.health.as_mut().unwrap().manifest_digest = "sha256:other".into();
    let verdict = Watch::new().look(&wrong);
    assert_eq!(verdict.action, Action::Kill);
    assert_eq!(verdict.reasons[0].rule, "identity_differs");

    let mut lost = all_well();
    lost.health.as_mut().unwrap().pnl_day_usd = "-21".parse().unwrap();
    assert_eq!(Watch::new().look(&lost).reasons[0].rule, "daily_loss");
}

#[test]
fn a_second_deployment_needs_two_readings_of_the_platform() {
    let mut watch = Watch::new();
    assert_eq!(watch.look(&two_live(None)).action, Action::Keep);
    let mut stale = two_live(None);
    stale.platform_is_fresh = false;
    assert_eq!(watch.look(&stale).action, Action::Keep, "no new reading");
    assert_eq!(watch.look(&two_live(None)).action, Action::Kill);
}

#[test]
fn a_deployment_under_a_live_deploy_lock_holds_and_kills_once_the_lock_is_gone() {
    let mut watch = Watch::new();
    watch.look(&two_live(Some("p2")));
    for _ in 0..500 {
        assert_eq!(watch.look(&two_live(Some("p2"))).action, Action::Hold);
    }
    assert_eq!(watch.look(&two_live(None)).action, Action::Hold);
    assert_eq!(watch.look(&two_live(None)).action, Action::Kill);
}

#[test]
fn silence_holds_within_seconds_and_trips_past_its_bound() {
    let mut watch = Watch::new();
    watch.look(&all_well());
    let mut first_hold = None;
    let mut trip = None;
    for second in 1..=200_u64 {
        match watch.look(&silent(second * 1_000)).action {
            Action::Hold => first_hold = first_hold.or(Some(second)),
            Action::Kill => {
                trip = Some(second);
                break;
            }
            Action::Keep | Action::Warn => {}
        }
    }
    assert_eq!(first_hold, Some(4));
    assert_eq!(trip, Some(124), "120 s after the hold began");
}

#[test]
fn the_fourth_hold_of_an_hour_trips_and_an_hour_later_it_would_not() {
    let mut watch = Watch::new();
    for _ in 0..3 {
        assert_eq!(watch.look(&standby()).action, Action::Hold);
        watch.actions(&all_well(), 3);
    }
    let mut later = Watch {
        state: watch.state.clone(),
        expected: expectation(),
        now_ms: watch.now_ms + HOLD_COUNT_SPAN_MS,
    };
    let verdict = watch.look(&standby());
    assert_eq!(verdict.action, Action::Kill);
    assert_eq!(verdict.reasons[0].rule, "too_many_holds");
    assert_eq!(later.look(&standby()).action, Action::Hold);
}

#[test]
fn a_redeploy_does_not_buy_more_holds() {
    let mut watch = Watch::new();
    for _ in 0..3 {
        watch.look(&standby());
        watch.actions(&all_well(), 3);
    }
    watch.state.expect_anew();
    assert_eq!(watch.look(&standby()).action, Action::Kill);
}

#[test]
fn one_long_hold_is_one_hold() {
    let mut watch = Watch::new();
    let actions = watch.actions(&standby(), 100);
    assert!(actions.iter().all(|a| *a == Action::Hold), "{actions:?}");
}

#[test]
fn a_hold_that_a_deploy_asked_for_lasts_until_the_next_identity_and_never_trips() {
    let mut watch = Watch::new();
    watch.state.hold_as_asked("deploy p2".into());
    assert!(
        watch
            .actions(&all_well(), 500)
            .iter()
            .all(|a| *a == Action::Hold)
    );
    // The old one falls silent while the deploy replaces it.
    let mut gone = silent(60_000);
    gone.deploy_lock = Some("p2".into());
    assert!(watch.actions(&gone, 500).iter().all(|a| *a == Action::Hold));
    watch.state.expect_anew();
    assert_eq!(watch.look(&all_well()).action, Action::Keep);
}

#[test]
fn a_held_target_that_goes_silent_without_a_deploy_still_trips() {
    let mut watch = Watch::new();
    watch.state.hold_as_asked("a deploy that died".into());
    let actions = watch.actions(&silent(60_000), 130);
    assert_eq!(actions.last(), Some(&Action::Kill));
}

#[test]
fn a_halt_or_a_blind_platform_holds_without_ever_tripping() {
    let mut blind = all_well();
    blind.platform_blind_ms = super::super::rules::PLATFORM_BLIND_HOLD_MS;
    blind.platform_is_fresh = false;
    let actions = Watch::new().actions(&blind, 1_000);
    assert!(actions.iter().all(|a| *a == Action::Hold));
}

#[test]
fn a_restarted_instance_is_held_then_adopted_then_leased() {
    let mut watch = Watch::new();
    let mut restarted = all_well();
    restarted.health.as_mut().unwrap().instance_nonce = "n2".into();
    assert_eq!(watch.look(&restarted).adopt, None);
    assert_eq!(watch.look(&restarted).adopt, None);
    let third = watch.look(&restarted);
    assert_eq!(
        (third.action, third.adopt.as_deref()),
        (Action::Hold, Some("n2"))
    );
    watch.expected.instance_nonce = "n2".into();
    assert_eq!(
        watch.actions(&restarted, 3),
        [Action::Hold, Action::Hold, Action::Keep]
    );
}

#[test]
fn two_instances_in_turn_are_never_adopted() {
    let mut watch = Watch::new();
    let mut seen = all_well();
    for turn in 0..20 {
        seen.health.as_mut().unwrap().instance_nonce = format!("n{}", 2 + turn % 2);
        assert_eq!(watch.look(&seen).adopt, None);
    }
}

#[test]
fn a_trader_that_outlives_its_deployment_loses_its_lease_and_is_stopped() {
    let mut watch = Watch::new();
    let mut zombie = all_well();
    zombie.live = Some(vec![]);
    assert_eq!(
        watch.actions(&zombie, 3),
        [Action::Keep, Action::Hold, Action::Hold]
    );
    let bound = expectation().plan.intent.watch.silence_kill_secs;
    let last = watch.actions(&zombie, u32::try_from(bound).unwrap());
    assert_eq!(last.last(), Some(&Action::Kill), "past its bound it trips");
}
