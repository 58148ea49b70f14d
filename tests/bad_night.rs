//! What goes wrong at three in the morning: files that are broken, a platform that has died, names with
//! a slip of the pen. Nothing may hang, come back, or be called gone when it is only unseen.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use launch::loopback::living_processes;
use launch_kill::process::{Life, ProcessId};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use std::time::{Duration, Instant};
use support::target::Target;
use support::{Project, wait_until};

/// Longest wait for something that happens by itself within a second or two.
const SOON: Duration = Duration::from_secs(15);

fn kill(project: &Project) -> assert_cmd::assert::Assert {
    project
        .launch(&["kill", "--env", "staging", "--settle", "300ms"])
        .assert()
}

/// SIGKILL to this machine's platform: its traders live on, with nobody to supervise them.
fn kill_platform(project: &Project) -> ProcessId {
    let local = Target::staging(project).kill_file.local.unwrap();
    let platform = local.platform().unwrap();
    assert!(platform.kill().unwrap());
    wait_until("the platform's end", SOON, || {
        (platform.life() == Life::Gone).then_some(())
    });
    local.trader().unwrap()
}

#[test]
fn a_kill_needs_no_kill_file_that_can_be_read() {
    let project = Project::deployed();
    std::fs::write(project.state().join("kill-staging.json"), "{\"schema_v").unwrap();
    // Without the file the mode is unknown, so 0 also needs an account of zero open orders, which the
    // stop may be too quick for. Stopped it is either way.
    kill(&project)
        .code(predicates::ord::eq(0).or(predicates::ord::eq(7)))
        .stderr(contains("kill-staging.json"))
        .stdout(contains("stop accepted"));
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn what_was_killed_without_a_platform_does_not_come_back_with_it() {
    let project = Project::deployed();
    let trader = kill_platform(&project);

    let asked = Instant::now();
    project
        .launch(&["status"])
        .assert()
        .code(3)
        .stdout(contains("live        unknown").and(contains("trader      ready")));
    assert!(asked.elapsed() < Duration::from_secs(5), "nobody answers");

    let asked = Instant::now();
    project
        .launch(&["verify", "--env", "staging"])
        .assert()
        .code(3);
    assert!(asked.elapsed() < Duration::from_secs(10), "nobody answers");

    kill(&project).code(0).stdout(
        contains("VERIFIED").and(contains("goes on with a deployment that was still queued")),
    );
    assert_ne!(trader.life(), Life::Alive);
    project.platform();
    wait_until("the platform's word", SOON, || {
        Target::staging(&project).live().is_empty().then_some(())
    });
    // Longer than a restart takes at this pace.
    std::thread::sleep(Duration::from_secs(1));
    let living = living_processes(&project.state()).unwrap();
    assert_eq!(living.values().map(Vec::len).sum::<usize>(), 0);
}

#[test]
fn a_platform_stopped_in_good_order_freezes_nothing() {
    let project = Project::deployed();
    let watchdog = Target::staging(&project).watchdog().unwrap();
    assert_eq!(watchdog["state"], "keeping");
    project.launch(&["platform", "stop"]).assert().success();
    wait_until("the watchdog's end", SOON, || {
        Target::staging(&project).watchdog().is_none().then_some(())
    });
    project
        .launch(&["status", "--env", "staging"])
        .assert()
        .code(0)
        .stdout(contains("exit 0").and(contains("freeze      off")));
}

#[test]
fn a_name_nobody_knows_is_not_re_enabled() {
    let project = Project::bare();
    project
        .launch(&["reenable", "--env", "stagin", "--reason", "typo"])
        .assert()
        .code(2)
        .stderr(contains("nothing is known of stagin"));
    assert!(!project.state().join("receipts").exists());
    project
        .launch(&["status", "--env", "stagin"])
        .assert()
        .code(3)
        .stdout(contains("watchdog    unknown"));
}

#[test]
fn a_freeze_that_cannot_be_read_is_not_seen() {
    let project = Project::deployed();
    std::fs::write(project.state().join("freeze-staging.json"), "{\"id\":").unwrap();
    project
        .launch(&["status", "--env", "staging"])
        .assert()
        .code(3)
        .stdout(contains("unreadable").and(contains("freeze-staging.json")));
    project
        .launch(&["deploy", "--env", "staging"])
        .assert()
        .code(3)
        .stderr(contains("freeze-staging.json").and(contains("launch reenable")));
}

#[test]
fn halt_offers_no_drill_and_a_scale_is_a_number() {
    let project = Project::bare();
    let halt = project.launch(&["halt", "--drill"]).assert().code(2);
    halt.stderr(contains("launch kill"));
    for scale in ["0", "nan", "1000"] {
        project
            .launch(&["platform", "start", "--time-scale", scale])
            .assert()
            .code(2)
            .stderr(contains("0.001"));
    }
    let trade = [
        "trade",
        "--mode",
        "dry-run",
        "--manifest",
        "m",
        "--windows",
        "0",
    ];
    project.launch(&trade).assert().code(2);
}
