//! The definition of the matrix holds together: names, sizes, coverage, expectations by hand.

use super::combination::{Combination, names_of_axes};
use super::expectation::{self, Expectation};
use super::plan;
use std::collections::BTreeSet;

fn expected(slug: &str) -> Expectation {
    expectation::of(&Combination::parse(slug).unwrap())
}

#[test]
fn at_least_five_hundred_different_combinations_show_every_fault() {
    let all = plan::all(1);
    let slugs: BTreeSet<String> = all.iter().map(Combination::slug).collect();
    assert!(
        all.len() >= 500 && slugs.len() == all.len(),
        "{}",
        all.len()
    );
    let names: BTreeSet<&str> = all.iter().flat_map(Combination::names).collect();
    for name in names_of_axes().into_iter().flatten() {
        assert!(names.contains(name), "{name} is never planted");
    }
    let must = all
        .iter()
        .filter(|one| expectation::of(one) == Expectation::MustVerify)
        .count();
    assert!(
        must * 3 >= all.len(),
        "only {must} of {} must be verified",
        all.len()
    );
    assert_eq!(
        slugs,
        plan::all(1).iter().map(Combination::slug).collect(),
        "the seed decides"
    );
    assert_ne!(slugs, plan::all(2).iter().map(Combination::slug).collect());
}

#[test]
fn forty_show_every_fault_too() {
    let sample = plan::sample(&plan::all(1), 40);
    let names: BTreeSet<&str> = sample.iter().flat_map(Combination::names).collect();
    let missing: Vec<&str> = names_of_axes()
        .into_iter()
        .flatten()
        .filter(|name| !names.contains(name))
        .collect();
    assert!(
        missing.is_empty() && sample.len() == 40,
        "{missing:?} of {}",
        sample.len()
    );
    let must = sample
        .iter()
        .filter(|one| expectation::of(one) == Expectation::MustVerify)
        .count();
    assert!(must >= 20, "only {must} of 40 must be verified");
}

#[test]
fn real_programs_take_part_in_chosen_combinations_only() {
    let real = plan::real();
    let slugs: BTreeSet<String> = real.iter().map(Combination::slug).collect();
    assert!(slugs.len() == real.len() && real.len() == plan::REAL.len());
    let count = |is: fn(&Combination) -> bool| plan::all(1).iter().filter(|one| is(one)).count();
    let traders = count(|one| one.trader.is_real);
    assert!((20..=35).contains(&traders), "{traders}");
    assert!((12..=24).contains(&count(|one| one.moment.is_binary)));
    assert!((12..=24).contains(&count(|one| one.witness.slug == "real-watchdog")));
}

#[test]
fn names_lead_back_and_unknown_ones_are_told() {
    for one in plan::all(7) {
        assert_eq!(Combination::parse(&one.slug()).unwrap(), one);
    }
    let error =
        Combination::parse("truthful.clean.answers.watchdog.paper.railway.never").unwrap_err();
    assert!(
        error.contains("`never`") && error.contains("two-kills"),
        "{error}"
    );
    assert!(Combination::parse("truthful").is_err());
}

#[test]
fn names_are_unique_within_an_axis() {
    for names in names_of_axes() {
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>().len(),
            names.len(),
            "{names:?}"
        );
    }
}

/// Each line by hand from the words of the contract, not from the function.
#[test]
fn expectations_by_hand() {
    for must in [
        "truthful.clean.answers.no-watchdog.paper.railway.once",
        "stop-acknowledged.clean.answers.no-watchdog.paper.railway.once",
        "stop-refused.clean.stubborn.no-watchdog.paper.railway.once",
        "truthful.clean.hung.watchdog.paper.railway.once",
        "truthful.clean.hung.no-watchdog.paper.local.once",
        "both-reported.clean.answers.no-watchdog.paper.local.once",
        "stop-reported.clean.answers.no-watchdog.paper.railway.once",
        "platform-3.clean.answers.no-watchdog.paper.railway.once",
        "autodeploy-for-ever.clean.answers.no-watchdog.paper.railway.once",
        "restart-for-ever.clean.answers.no-watchdog.paper.railway.once",
        "cancel-refused.clean.answers.watchdog.paper.railway.once",
        "truthful.hang-few.answers.no-watchdog.paper.railway.once",
        "truthful.clean.answers.no-watchdog.live-order.railway.once",
        "truthful.stop-hangs.answers.no-watchdog.paper.railway.two-kills",
        "truthful.clean.refuses.watchdog.exchange-late.railway.once",
        "build.clean.answers.watchdog.exchange-orders.railway.once",
        "truthful.clean.hung.no-watchdog.exchange-not-ready.local.once",
        "truthful.clean.answers.no-watchdog.exchange-wrong-key.railway.once",
        "truthful.clean.real.no-watchdog.paper.local.once",
        "truthful.clean.real-hung.real-watchdog.paper.railway.binary",
    ] {
        assert_eq!(expected(must), Expectation::MustVerify, "{must}");
    }
    for may_not in [
        "truthful.clean.unknown.no-watchdog.paper.railway.once",
        "truthful.clean.unknown.watchdog.paper.railway.once",
        "truthful.clean.refuses.no-watchdog.paper.railway.once",
        "truthful.clean.answers.watchdog.live-order-stuck.railway.once",
        "truthful.clean.hung.watchdog.live-flat.railway.once",
        "remove-zombie.clean.answers.watchdog.paper.railway.once",
        "stop-reported.clean.hung.watchdog.paper.railway.once",
        "both-refused.clean.answers.watchdog.paper.local.once",
        "platform-for-ever.clean.answers.watchdog.paper.railway.once",
        "draining-ignored.clean.stubborn.watchdog.paper.railway.once",
        "truthful.hang.answers.watchdog.paper.railway.once",
        "truthful.list-hangs.answers.watchdog.paper.railway.once",
        "truthful.clean.refuses.watchdog.exchange-wrong-key.railway.once",
        "truthful.clean.answers.watchdog.exchange-not-canceled.railway.once",
        "truthful.clean.answers.watchdog.exchange-late-ever.local.once",
        "truthful.clean.answers.watchdog.exchange-down.railway.once",
        "truthful.clean.hung.watchdog.exchange-orders.railway.revokes-key",
        "truthful.clean.real.no-watchdog.paper.railway.once",
        "unreported-then-zombie.reset-few.answers.watchdog.paper.railway.once",
        "autodeploy-once.autodeploy-problem.answers.watchdog.paper.railway.once",
    ] {
        assert!(
            matches!(expected(may_not), Expectation::MayNot(_)),
            "{may_not}"
        );
    }
}
