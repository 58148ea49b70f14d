//! `--flatten`: the trader sells for a bounded time, and the stop follows whatever it does.
//!
//! What must not happen: a stop that waits for a sale, a position that was not sold and is not
//! named, an exit code that depends on what was sold.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails here, with its line"
)]
#![allow(dead_code, reason = "the fake has more than these tests use")]

mod fake;

use clap::Parser;
use fake::{Fake, Sells};
use launch_kill::report::{FlattenOutcome, SellingOutcome, TargetReport};
use launch_kill::{KillArgs, Pace, Progress, Surroundings, Verdict};
use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    kill: KillArgs,
}

const STOP_RESERVE: Duration = Duration::from_secs(2);

fn pace() -> Pace {
    let ms = Duration::from_millis;
    Pace {
        poll: ms(10),
        settle_poll: ms(15),
        settle: ms(60),
        escalate_after: ms(80),
        probe: ms(20),
        probe_timeout: ms(300),
        term_after: ms(20),
        kill_after: ms(100),
        stop_reserve: STOP_RESERVE,
        flatten_grace: ms(100),
        ..Pace::default()
    }
}

/// The report, what was said meanwhile, and how long it took. `hurry_after`: Ctrl-C then.
fn flatten(
    fake: &Fake,
    deadline: &str,
    hurry_after: Option<Duration>,
) -> (TargetReport, Vec<String>, Duration) {
    let args = Cli::try_parse_from([
        "launch-kill",
        "--env",
        "staging",
        "--flatten",
        "--settle",
        "60ms",
        "--deadline",
        deadline,
    ])
    .unwrap()
    .kill;
    let around = Surroundings {
        variables: BTreeMap::new(),
        state_dir: Some(fake.dir()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (lines, told) = channel();
    let progress = Progress::new(lines);
    if let Some(after) = hurry_after {
        let progress = progress.clone();
        std::thread::spawn(move || {
            std::thread::sleep(after);
            progress.hurry();
        });
    }
    let (start, pace) = (Instant::now(), pace());
    let run = launch_kill::run(&args, &around, &pace, start, &progress);
    let mut report = runtime.block_on(run).unwrap();
    (
        report.targets.remove(0),
        told.try_iter().collect(),
        start.elapsed(),
    )
}

fn with(sells: Sells) -> Fake {
    Fake::local().with(|world| world.sells = sells)
}

#[track_caller]
fn stopped(fake: &Fake, report: &TargetReport, outcome: SellingOutcome) {
    assert_eq!(report.verdict, Verdict::Verified, "{report:#?}");
    assert!(!fake.trader_lives());
    assert_eq!(
        report.flatten.as_ref().unwrap().outcome,
        outcome,
        "{report:#?}"
    );
}

/// The place of an operation among what the platform was asked.
fn place(fake: &Fake, operation: &str) -> usize {
    let operations = fake.operations();
    operations
        .iter()
        .position(|op| op == operation)
        .unwrap_or_else(|| panic!("{operation} in {operations:?}"))
}

#[test]
fn what_was_sold_and_what_was_not_is_told_and_the_stop_follows() {
    let fake = with(Sells::One);
    let (report, said, _) = flatten(&fake, "30s", None);
    stopped(&fake, &report, SellingOutcome::Done);
    let results: Vec<FlattenOutcome> = report
        .positions
        .as_ref()
        .unwrap()
        .iter()
        .map(|position| position.flatten.as_ref().unwrap().result)
        .collect();
    assert_eq!(results, [FlattenOutcome::Sold, FlattenOutcome::NoBid]);
    assert_eq!(
        report.verdict.exit_code(),
        0,
        "what is left does not change the proof"
    );
    assert!(
        said.iter().any(|line| line.contains("NOT SOLD")),
        "{said:?}"
    );
    assert_eq!(report.runbook.len(), 1, "{:?}", report.runbook);
    let whole = launch_kill::Report::new(vec![report]);
    let text = launch_kill::render::report(&whole, false);
    let second = text.lines().nth(1).unwrap();
    assert!(second.contains("1 of 2 position(s) NOT SOLD"), "{text}");
    assert!(text.contains("can lose 5.2 USD"), "{text}");
    let log = fake.world.lock().unwrap().trader_log.clone();
    assert_eq!(log[0], "/flatten", "{log:?}");
}

#[test]
fn freeze_and_auto_deploy_do_not_wait_for_the_selling() {
    let fake = with(Sells::Nothing);
    let (report, said, took) = flatten(&fake, "3s", None);
    stopped(&fake, &report, SellingOutcome::CutShort);
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert!(place(&fake, "VariableUpsert") < place(&fake, "DeploymentStop"));
    // The trader's own 60 s do not fit: said in the first lines.
    assert!(
        said.iter()
            .take(6)
            .any(|line| line.contains("leaves no more")),
        "{said:?}"
    );
    let ended = report.flatten.unwrap().ended_ms;
    assert!((900..2_000).contains(&ended), "{ended}");
}

#[test]
fn a_trader_that_cannot_sell_is_stopped_at_once() {
    for (sells, words) in [
        (Sells::Unknown, "HTTP 404"),
        (Sells::Refuses, "fully halted by bob"),
    ] {
        let fake = with(sells);
        let (report, said, took) = flatten(&fake, "30s", None);
        stopped(&fake, &report, SellingOutcome::Impossible);
        assert!(
            said.iter()
                .any(|line| line.contains("NOT SELLING") && line.contains(words)),
            "{said:?}"
        );
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[test]
fn one_that_nobody_reaches_is_stopped_at_once() {
    let fake = with(Sells::One);
    fake.trader
        .alive
        .store(false, std::sync::atomic::Ordering::SeqCst);
    let (report, _, took) = flatten(&fake, "30s", None);
    assert_eq!(report.flatten.unwrap().outcome, SellingOutcome::Impossible);
    assert!(fake.count("DeploymentStop") > 0);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn silence_in_the_middle_ends_the_waiting() {
    let fake = with(Sells::Dies);
    let (report, _, took) = flatten(&fake, "60s", None);
    assert_eq!(
        report.flatten.as_ref().unwrap().outcome,
        SellingOutcome::Silent
    );
    assert!(fake.count("DeploymentStop") > 0);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(report.positions.unwrap().len(), 2, "the last word is kept");
}

#[test]
fn ctrl_c_goes_over_to_the_stop() {
    let fake = with(Sells::Nothing);
    let (report, _, took) = flatten(&fake, "60s", Some(Duration::from_millis(300)));
    stopped(&fake, &report, SellingOutcome::Interrupted);
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_deadline_that_is_the_stops_own_leaves_nothing_for_selling() {
    let fake = with(Sells::Nothing);
    let (report, said, _) = flatten(&fake, "2s", None);
    stopped(&fake, &report, SellingOutcome::Impossible);
    assert!(
        said.iter().any(|line| line.contains("are the stop's own")),
        "{said:?}"
    );
    assert_eq!(fake.world.lock().unwrap().looks, 0, "it was not asked");
}

#[test]
fn it_is_no_halt_no_drill_and_no_look() {
    for other in [
        "--reduce-only",
        "--drill",
        "--check",
        "--card",
        "--print-curl",
    ] {
        let parsed = Cli::try_parse_from(["launch-kill", "--flatten", other]);
        assert_eq!(parsed.unwrap_err().exit_code(), 2, "{other}");
    }
}
