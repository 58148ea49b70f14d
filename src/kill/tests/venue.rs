//! The kill and the exchange: exit code 0 only when no order is open, and no account is touched that
//! is not the target's.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails here, with its line"
)]
#![allow(dead_code, reason = "the fakes serve several test programs")]

mod fake;
mod fake_venue;

use clap::Parser;
use fake::{Effect, Fake, Wire};
use fake_venue::{API_KEY, Exchange, FakeVenue, PASSPHRASE, SECRET, WALLET};
use launch_kill::report::{PathReport, PathStatus, TargetReport};
use launch_kill::{CheckReport, FindingStatus, KillArgs, Pace, Progress, Surroundings, Verdict};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    kill: KillArgs,
}

/// Apart enough to be told apart on a loaded machine, short enough for a test.
const APART: Duration = Duration::from_millis(120);

fn pace() -> Pace {
    let ms = Duration::from_millis;
    Pace {
        poll: ms(10),
        settle_poll: ms(15),
        escalate_after: ms(80),
        probe: ms(10),
        probe_timeout: ms(300),
        request_timeout: ms(400),
        term_after: ms(20),
        kill_after: ms(100),
        venue_poll: ms(10),
        venue_reads_apart: APART,
        revoke_after: ms(150),
        ..Pace::default()
    }
}

/// A target of mode live, its trader in reach.
fn live() -> Fake {
    let mut fake = Fake::local();
    fake.file.mode = Some("live".into());
    fake.write_kill_file();
    fake
}

/// Ends the trader before the kill: nobody tells of its orders.
fn end_trader(fake: &Fake) {
    fake.trader.alive.store(false, Ordering::SeqCst);
}

fn kill_for(
    fake: &Fake,
    variables: &[(&str, String)],
    deadline: &str,
    more: &[&str],
) -> TargetReport {
    let mut line = vec![
        "launch-kill",
        "--env",
        "staging",
        "--settle",
        "60ms",
        "--deadline",
        deadline,
    ];
    line.extend(more);
    let args = Cli::try_parse_from(line).unwrap().kill;
    let around = Surroundings {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
        state_dir: Some(fake.dir()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (pace, progress) = (pace(), Progress::silent());
    let report = runtime
        .block_on(launch_kill::run(
            &args,
            &around,
            &pace,
            Instant::now(),
            &progress,
        ))
        .unwrap();
    for text in [
        report.to_json(),
        launch_kill::render::report(&report, false),
        format!("{report:?}"),
    ] {
        for secret in [API_KEY, SECRET, PASSPHRASE] {
            assert!(!text.contains(secret), "a secret in {text}");
        }
    }
    let mut targets = report.targets;
    assert_eq!(targets.len(), 1);
    targets.remove(0)
}

fn kill(fake: &Fake, venue: &FakeVenue) -> TargetReport {
    kill_for(fake, &venue.variables(), "20s", &[])
}

/// For what cannot be proved: the deadline is spent.
fn kill_in_vain(fake: &Fake, venue: &FakeVenue) -> TargetReport {
    kill_for(fake, &venue.variables(), "1500ms", &[])
}

fn venue_path(report: &TargetReport) -> &PathReport {
    report
        .paths
        .iter()
        .find(|path| path.path == "venue")
        .unwrap()
}

#[track_caller]
fn ended(report: &TargetReport, verdict: Verdict) {
    assert_eq!(report.verdict, verdict, "{report:#?}");
}

#[test]
fn every_order_is_cancelled_and_read_back_twice() {
    let (fake, venue) = (live(), FakeVenue::with_orders(&["0xa", "0xb"]));
    let report = kill(&fake, &venue);
    ended(&report, Verdict::Verified);
    assert_eq!(venue.open(), Vec::<String>::new());
    assert_eq!(report.open_orders, Some(0));
    assert_eq!(venue_path(&report).status, PathStatus::Confirmed);
    assert!(
        venue.count("DELETE /cancel-all") >= 2,
        "at once and after the process's end"
    );
    let log = &venue.exchange.lock().unwrap().log;
    let last_cancel = log
        .iter()
        .rfind(|(line, _)| line == "DELETE /cancel-all")
        .unwrap()
        .1;
    let reads: Vec<Instant> = log
        .iter()
        .filter(|(line, at)| line == "GET /data/orders" && *at > last_cancel)
        .map(|(_, at)| *at)
        .collect();
    let apart = *reads.last().unwrap() - *reads.first().unwrap();
    // The fake notes arrivals, the kill counts from when it asked.
    assert!(
        apart + Duration::from_millis(20) >= APART,
        "two reads {apart:?} apart"
    );
    let told = report
        .changed
        .iter()
        .any(|change| change.what.contains("0xa") || change.what.contains("BUY 20 @ 0.48"));
    assert!(told, "what was cancelled is listed: {:#?}", report.changed);
}

#[test]
fn a_paper_kill_never_touches_the_account_of_the_environment() {
    for mode in ["paper", "dry-run"] {
        let mut fake = Fake::local();
        fake.file.mode = Some(mode.into());
        fake.write_kill_file();
        let venue = FakeVenue::with_orders(&["0xa"]);
        let report = kill(&fake, &venue);
        ended(&report, Verdict::Verified);
        assert_eq!(venue.open(), ["0xa"], "somebody else's order");
        assert!(
            venue.exchange.lock().unwrap().log.is_empty(),
            "nothing was asked"
        );
        assert_eq!(venue_path(&report).status, PathStatus::NotConfigured);
        assert!(venue_path(&report).detail.contains("paper"), "{report:#?}");
        assert_eq!(report.positions, None);
    }
}

#[test]
fn a_mode_that_is_not_known_counts_as_live() {
    let mut fake = Fake::local();
    fake.file.mode = None;
    fake.write_kill_file();
    let venue = FakeVenue::with_orders(&["0xa"]);
    ended(&kill(&fake, &venue), Verdict::Verified);
    assert!(venue.open().is_empty());
}

#[test]
fn reduce_only_leaves_the_exits_orders_alone() {
    let (fake, venue) = (live(), FakeVenue::with_orders(&["exit-order"]));
    let report = kill_for(&fake, &venue.variables(), "5s", &["--reduce-only"]);
    ended(&report, Verdict::Reduced);
    assert_eq!(venue.open(), ["exit-order"]);
    assert_eq!(venue.count("DELETE /cancel-all"), 0);
}

#[test]
fn an_order_that_arrives_late_is_cancelled_too() {
    let venue = FakeVenue::start(Exchange {
        orders: vec!["0xa".into()],
        late: Some((Duration::from_millis(60), 3)),
        ..Exchange::default()
    });
    let report = kill(&live(), &venue);
    ended(&report, Verdict::Verified);
    assert!(venue.open().is_empty());
    assert!(venue.count("DELETE /cancel-all") >= 3);
}

#[test]
fn not_canceled_is_asked_for_again() {
    let venue = FakeVenue::start(Exchange {
        orders: vec!["0xa".into()],
        not_canceled: 3,
        ..Exchange::default()
    });
    let report = kill(&live(), &venue);
    ended(&report, Verdict::Verified);
    assert!(venue.open().is_empty());
}

#[test]
fn an_order_that_stays_open_is_no_success() {
    let venue = FakeVenue::start(Exchange {
        orders: vec!["0xa".into()],
        not_canceled: u32::MAX,
        ..Exchange::default()
    });
    let report = kill_in_vain(&live(), &venue);
    ended(&report, Verdict::Unverified);
    assert_eq!(report.open_orders, Some(1));
    let detail = &venue_path(&report).detail;
    assert!(
        detail.contains("STILL OPEN") && detail.contains("being matched"),
        "{detail}"
    );
}

#[test]
fn orders_outlive_a_trader_that_does_not_run() {
    let (fake, venue) = (
        live(),
        FakeVenue::start(Exchange {
            orders: vec!["0xa".into()],
            not_canceled: u32::MAX,
            ..Exchange::default()
        }),
    );
    let fake = fake
        .with(|world| world.deployments.clear())
        .with_file(|file| file.deployment_id = None);
    end_trader(&fake);
    let report = kill_in_vain(&fake, &venue);
    ended(&report, Verdict::Unverified);
    venue.exchange.lock().unwrap().not_canceled = 0;
    let report = kill(&fake, &venue);
    ended(&report, Verdict::NothingRunning);
    assert!(venue.open().is_empty() && report.open_orders == Some(0));
}

#[test]
fn a_clock_a_day_off_does_not_stop_the_cancel() {
    for offset in [86_400, -86_400] {
        let venue = FakeVenue::start(Exchange {
            orders: vec!["0xa".into()],
            clock_offset: offset,
            ..Exchange::default()
        });
        let report = kill(&live(), &venue);
        ended(&report, Verdict::Verified);
        assert!(venue.open().is_empty());
        assert!(venue.count("GET /time") >= 1);
    }
}

#[test]
fn a_matching_engine_that_restarts_is_asked_again() {
    let venue = FakeVenue::start(Exchange {
        orders: vec!["0xa".into()],
        not_ready: 12,
        ..Exchange::default()
    });
    ended(&kill(&live(), &venue), Verdict::Verified);
    assert!(venue.open().is_empty());
}

#[test]
fn a_refused_key_proves_nothing_and_the_trader_may_speak_for_its_orders() {
    // The trader cannot tell: unknown stays unknown.
    let slow_stop = || live().with(|world| world.stop = Effect::AcknowledgedOnly);
    let fake = slow_stop().with(|world| world.open_orders = 2);
    let venue = FakeVenue::with_orders(&["0xa"]);
    let mut variables = venue.variables();
    variables.retain(|(name, _)| *name != "POLYMARKET_API_KEY");
    variables.push(("POLYMARKET_API_KEY", "another-key-123".into()));
    let report = kill_for(&fake, &variables, "1500ms", &[]);
    ended(&report, Verdict::Unverified);
    assert_ne!(report.open_orders, Some(0));
    assert_eq!(venue_path(&report).status, PathStatus::Failed);
    assert!(
        venue_path(&report).detail.contains("Unauthorized"),
        "{report:#?}"
    );
    // The contract's other proof: zero, told by the fully halted trader.
    let report = kill_for(&slow_stop(), &variables, "20s", &[]);
    ended(&report, Verdict::Verified);
    assert_eq!(report.open_orders, Some(0));
}

#[test]
fn a_venue_that_fails_or_hangs_is_no_zero() {
    for exchange in [
        Exchange {
            status: Some(500),
            ..Exchange::default()
        },
        Exchange {
            status: Some(400),
            ..Exchange::default()
        },
        Exchange {
            hangs: true,
            ..Exchange::default()
        },
    ] {
        let fake = live();
        end_trader(&fake);
        let venue = FakeVenue::start(exchange);
        let started = Instant::now();
        let report = kill_in_vain(&fake, &venue);
        assert!(report.verdict.exit_code() == 7, "{report:#?}");
        assert_eq!(report.open_orders, None, "unknown, never 0");
        assert!(
            started.elapsed() < Duration::from_millis(2500),
            "deadline + 1 s"
        );
    }
}

#[test]
fn without_access_orders_and_positions_are_unknown() {
    let fake = live();
    end_trader(&fake);
    let report = kill_for(&fake, &[], "20s", &[]);
    assert_eq!(
        (report.open_orders, report.positions.clone()),
        (None, None),
        "{report:#?}"
    );
    let path = venue_path(&report);
    assert_eq!(path.status, PathStatus::NotConfigured);
    assert!(path.detail.contains("POLYMARKET"), "{path:?}");
}

#[test]
fn positions_come_from_the_public_data_when_the_trader_is_gone() {
    let fake = live();
    end_trader(&fake);
    let venue = FakeVenue::start(Exchange {
        positions: Some(
            json!([{"asset": "713", "size": 20, "avgPrice": 0.48, "outcome": "Up",
            "slug": "btc-updown-5m-1795393200", "eventSlug": "btc-updown-5m-1795393200"}]),
        ),
        ..Exchange::default()
    });
    // The address is enough: no key.
    let variables = [
        ("LAUNCH_CLOB_URL", venue.server.url("")),
        ("POLYMARKET_ADDRESS", WALLET.to_owned()),
    ];
    let report = kill_for(&fake, &variables, "20s", &[]);
    let positions = report.positions.unwrap();
    assert_eq!(positions.len(), 1);
    assert_eq!(positions[0].shares, "20");
    assert_eq!(positions[0].worst_loss_usd.as_deref(), Some("9.6"));
    assert_eq!(positions[0].last_bid.as_deref(), Some("0.47"));
    assert!(
        positions[0]
            .link
            .as_deref()
            .unwrap()
            .ends_with("/event/btc-updown-5m-1795393200")
    );
    assert_eq!(venue.count("DELETE /cancel-all"), 0);
}

#[test]
fn an_empty_answer_for_a_key_that_may_trade_for_a_wallet_is_not_none() {
    let fake = live();
    end_trader(&fake);
    let venue = FakeVenue::start(Exchange {
        positions: Some(json!([])),
        ..Exchange::default()
    });
    let own = [
        ("LAUNCH_CLOB_URL", venue.server.url("")),
        ("POLYMARKET_ADDRESS", WALLET.to_owned()),
    ];
    let report = kill_for(&fake, &own, "20s", &[]);
    assert_eq!(report.positions, None, "{report:#?}");
    assert!(
        venue_path(&report).detail.contains("POLYMARKET_FUNDER"),
        "{report:#?}"
    );
    let named = [
        own[0].clone(),
        own[1].clone(),
        ("POLYMARKET_FUNDER", WALLET.to_owned()),
    ];
    let report = kill_for(&fake, &named, "20s", &[]);
    assert_eq!(report.positions, Some(vec![]));
}

#[test]
fn the_api_key_goes_last_and_only_when_nothing_else_stops_it() {
    let stubborn = || {
        let fake = live();
        let mut world = fake.world.lock().unwrap();
        world.stop = Effect::AcknowledgedOnly;
        world.remove = Effect::AcknowledgedOnly;
        world.wire = Wire::Hangs;
        world.halt_breaks = true;
        drop(world);
        fake
    };
    let venue = FakeVenue::with_orders(&["0xa"]);
    let report = kill_for(
        &stubborn(),
        &venue.variables(),
        "3s",
        &["--revoke-venue-key"],
    );
    assert_eq!(
        report.verdict.exit_code(),
        7,
        "something still runs: {report:#?}"
    );
    assert!(venue.exchange.lock().unwrap().key_deleted);
    assert!(venue.open().is_empty(), "cancelled before the key went");
    let change = report
        .changed
        .iter()
        .find(|change| change.what.contains("API key"));
    assert!(
        change.unwrap().put_back.contains("new API key"),
        "{report:#?}"
    );

    // Not asked for: the key stays.
    let venue = FakeVenue::with_orders(&[]);
    drop(kill_for(&stubborn(), &venue.variables(), "1500ms", &[]));
    assert_eq!(venue.count("DELETE /auth/api-key"), 0);

    // Asked for, and the stop works: the key stays.
    let venue = FakeVenue::with_orders(&[]);
    let report = kill_for(&live(), &venue.variables(), "20s", &["--revoke-venue-key"]);
    ended(&report, Verdict::Verified);
    assert_eq!(venue.count("DELETE /auth/api-key"), 0);
}

fn check(fake: &Fake, variables: &[(&str, String)]) -> (CheckReport, FindingStatus, String) {
    let args = Cli::try_parse_from(["launch-kill", "--env", "staging", "--check"])
        .unwrap()
        .kill;
    let around = Surroundings {
        variables: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
        state_dir: Some(fake.dir()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (pace, progress) = (pace(), Progress::silent());
    let report = runtime
        .block_on(launch_kill::check(&args, &around, &pace, &progress))
        .unwrap();
    let told = serde_json::to_string(&report).unwrap();
    for (name, secret) in variables {
        let is_secret = name.starts_with("POLYMARKET_API");
        assert!(!is_secret || !told.contains(secret), "{name} in {told}");
    }
    let found = report.findings.iter().find(|found| found.what == "venue");
    let (status, detail) = {
        let found = found.unwrap();
        (found.status, found.detail.clone())
    };
    (report, status, detail)
}

#[test]
fn a_check_uses_the_key_and_changes_nothing() {
    let (fake, venue) = (live(), FakeVenue::with_orders(&["0xa", "0xb"]));
    let (report, status, detail) = check(&fake, &venue.variables());
    assert_eq!(status, FindingStatus::Ok, "{detail}");
    assert!(
        report.ready && detail.contains("2 order(s) open"),
        "{detail}"
    );
    let asked: Vec<String> = {
        let exchange = venue.exchange.lock().unwrap();
        exchange.log.iter().map(|(line, _)| line.clone()).collect()
    };
    assert_eq!(asked, ["GET /data/orders"], "one signed read");
    assert_eq!(venue.open(), ["0xa", "0xb"]);
    // Nothing of it for a trader whose orders are not real.
    let paper = Fake::local().with_file(|file| file.mode = Some("paper".into()));
    let (_, status, detail) = check(&paper, &venue.variables());
    assert_eq!(status, FindingStatus::Ok, "{detail}");
    assert_eq!(venue.count("GET /data/orders"), 1, "not asked again");
}

#[test]
fn a_check_finds_a_key_that_would_fail_at_night() {
    let broken = |exchange| check(&live(), &FakeVenue::start(exchange).variables());
    for exchange in [
        Exchange {
            key_deleted: true,
            ..Exchange::default()
        },
        Exchange {
            status: Some(500),
            ..Exchange::default()
        },
        Exchange {
            hangs: true,
            ..Exchange::default()
        },
    ] {
        let (report, status, detail) = broken(exchange);
        assert_eq!(status, FindingStatus::Failed, "{detail}");
        assert!(!report.ready, "{report:#?}");
    }
    let (report, status, detail) = broken(Exchange {
        clock_offset: -86_400,
        ..Exchange::default()
    });
    assert_eq!(status, FindingStatus::Warning, "{detail}");
    assert!(report.ready && detail.contains("-86"), "{detail}");
    // Not set at all is not there; set and unusable does not work.
    let venue = FakeVenue::with_orders(&[]);
    let with = |name: &str, value: Option<&str>| {
        let mut variables = venue.variables();
        variables.retain(|(known, _)| *known != name);
        variables.extend(value.map(|value| ("POLYMARKET_API_SECRET", value.to_owned())));
        check(&live(), &variables)
    };
    let (_, status, detail) = with("POLYMARKET_API_KEY", None);
    assert_eq!(status, FindingStatus::Missing);
    assert!(detail.contains("POLYMARKET_API_KEY"), "{detail}");
    let (_, status, detail) = with("POLYMARKET_API_SECRET", Some("s3cr3t!not!base64"));
    assert_eq!(status, FindingStatus::Failed, "{detail}");
    let (_, status, detail) = with("POLYMARKET_FUNDER", None);
    assert_eq!(status, FindingStatus::Ok);
    assert!(detail.contains("POLYMARKET_FUNDER"), "{detail}");
}
