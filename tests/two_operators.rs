//! Two operators, two state directories, one platform: whatever they do at once, the safer one wins, and
//! nobody is told what is not so.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use launch_kill::freeze::FreezeState;
use predicates::str::contains;
use support::Project;
use support::background::Background;
use support::target::Target;

const DEPLOY: &[&str] = &["deploy", "--env", "staging"];
const REENABLE: &[&str] = &[
    "reenable",
    "--env",
    "staging",
    "--reason",
    "both have looked",
];
const KILL: &[&str] = &["kill", "--env", "staging", "--settle", "1"];

#[test]
fn two_first_deploys_at_once_make_one_and_the_other_is_locked_out() {
    let project = Project::new();
    project.platform();
    let both = [(); 2].map(|()| Background::start(&project, &project.state(), DEPLOY));
    let mut ends = both.map(Background::end);
    ends.sort_by_key(|(code, _)| *code);
    let [(winner, won), (loser, lost)] = &ends;
    assert_eq!((*winner, *loser), (0, 4), "won: {won}\nlost: {lost}");
    assert!(lost.contains("is deploying staging"), "{lost}");
    assert_eq!(Target::staging(&project).live().len(), 1);
    assert_eq!(project.living_traders(), 1);
}

#[test]
fn two_kills_at_once_both_prove_it_and_each_machine_lifts_its_own_freeze() {
    let project = Project::deployed();
    let second = project.second_operator();
    let (here, there) = (project.state(), second.clone());
    let both = [here, there].map(|state| Background::start(&project, &state, KILL));
    for (code, said) in both.map(Background::end) {
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(project.living_traders(), 0);
    let target = Target::staging(&project);
    assert!(target.freeze().is_frozen());
    project.launch(REENABLE).assert().success();
    assert_eq!(target.freeze(), FreezeState::Off);
    // The other one's own file still stands: nobody lifted that.
    project
        .launch_as(&second, DEPLOY)
        .assert()
        .code(4)
        .stderr(contains("told by this machine"));
    project.launch_as(&second, REENABLE).assert().success();
    project.launch(DEPLOY).assert().success();
    assert!(Target::staging(&project).is_leased());
}

#[test]
fn two_redeploys_from_two_machines_never_leave_two_traders() {
    let project = Project::deployed();
    let second = project.second_operator();
    let both = [project.state(), second];
    let both = both.map(|state| Background::start(&project, &state, DEPLOY));
    let ends = both.map(Background::end);
    let verified = ends.iter().filter(|(code, _)| *code == 0).count();
    for (code, said) in &ends {
        assert!([0, 4, 5, 6, 8].contains(code), "{code}: {said}");
    }
    assert!(verified <= 1, "{ends:#?}");
    assert!(project.living_traders() <= 1, "{ends:#?}");
}

#[test]
fn two_kills_at_once_of_one_operator_are_one_freeze_lifted_once() {
    let project = Project::deployed();
    let both = [(); 2].map(|()| Background::start(&project, &project.state(), KILL));
    for (code, said) in both.map(Background::end) {
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(project.living_traders(), 0);
    project.launch(DEPLOY).assert().code(4);
    project.launch(REENABLE).assert().success();
    project.launch(DEPLOY).assert().success();
}
