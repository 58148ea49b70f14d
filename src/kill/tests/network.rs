//! The kill over a network that fails: every fault for ever, and every fault while it passes.
//!
//! For ever: no exit code 0 without proof, and the deadline holds. While it passes: the kill still
//! stops and proves. And the four ways in which the first kill switch of this project's ancestor
//! did not stop anything.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails here, with its line"
)]
#![expect(dead_code, reason = "the fake serves other test crates too")]

mod fake;

use clap::Parser;
use fake::fault::{Fault, Kind};
use fake::{Effect, Fake};
use launch_kill::report::{PathStatus, TargetReport};
use launch_kill::{KillArgs, Pace, Progress, Surroundings, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    kill: KillArgs,
}

/// Longest attempt of these tests; a quarter of it later a slow one gets a second beside it.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(800);
/// Requests that a passing fault hits: all of the first round, and a repeat.
const PASSING: u32 = 8;

fn pace() -> Pace {
    let ms = Duration::from_millis;
    Pace {
        poll: ms(10),
        settle_poll: ms(15),
        settle: ms(60),
        escalate_after: ms(80),
        probe: ms(10),
        probe_timeout: ms(150),
        request_timeout: REQUEST_TIMEOUT,
        term_after: ms(20),
        kill_after: ms(100),
        silent_probes: 3,
        ..Pace::default()
    }
}

fn kill(fake: &Fake, deadline: &str) -> TargetReport {
    let endpoint = fake.platform.url("/graphql/v2");
    let mut line = vec!["launch-kill", "--env", "staging", "--settle", "60ms"];
    line.extend(["--deadline", deadline, "--endpoint", &endpoint]);
    let args = Cli::try_parse_from(line).unwrap().kill;
    let around = Surroundings {
        variables: BTreeMap::new(),
        state_dir: Some(fake.dir()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (pace, progress) = (pace(), Progress::silent());
    let start = Instant::now();
    let work = launch_kill::run(&args, &around, &pace, start, &progress);
    let mut report = runtime.block_on(work).unwrap();
    runtime.shutdown_background();
    assert!(
        start.elapsed() < args.deadline + Duration::from_secs(1),
        "the deadline holds: {:?}",
        start.elapsed()
    );
    report.targets.remove(0)
}

fn faulty(kind: Kind, operations: &'static [&'static str], left: Option<u32>) -> Fake {
    Fake::local().with(|world| {
        world.fault = Some(Fault {
            kind,
            operations,
            left,
        });
    })
}

#[track_caller]
fn ended(report: &TargetReport, verdict: Verdict) {
    assert_eq!(report.verdict, verdict, "{report:#?}");
}

/// For ever: never a success. While it passes: stopped and proved.
#[track_caller]
fn for_ever_and_passing(kind: &Kind) {
    let fake = faulty(kind.clone(), &[], None);
    let report = kill(&fake, "700ms");
    assert_eq!(report.verdict.exit_code(), 7, "for ever: {report:#?}");
    let fake = faulty(kind.clone(), &[], Some(PASSING));
    let report = kill(&fake, "20s");
    // Where the platform acted and its answers were lost, nothing was ever seen running.
    assert_eq!(report.verdict.exit_code(), 0, "passing: {report:#?}");
    assert!(!fake.trader_lives());
}

#[test]
fn every_connection_hangs() {
    for_ever_and_passing(&Kind::Hang);
}

#[test]
fn every_connection_breaks() {
    for_ever_and_passing(&Kind::Drop);
}

#[test]
fn the_server_fails() {
    for_ever_and_passing(&Kind::Status(502, "<html>Bad Gateway</html>"));
    for_ever_and_passing(&Kind::Message("Problem processing request"));
}

#[test]
fn the_edge_does_not_know_the_path() {
    for_ever_and_passing(&Kind::Status(404, r#"{"message":"Not Found"}"#));
}

#[test]
fn the_edge_blocks_the_client() {
    for_ever_and_passing(&Kind::Status(403, "error code: 1010"));
}

#[test]
fn the_platform_limits_the_rate() {
    for_ever_and_passing(&Kind::RateLimited { secs: 0 });
}

#[test]
fn the_answer_is_garbage() {
    for_ever_and_passing(&Kind::Garbage);
}

#[test]
fn the_answer_is_empty() {
    for_ever_and_passing(&Kind::EmptyBody);
    for_ever_and_passing(&Kind::NoData);
}

#[test]
fn the_answer_is_cut_in_half() {
    for_ever_and_passing(&Kind::TruncatedBody);
}

#[test]
fn the_answer_never_ends() {
    for_ever_and_passing(&Kind::SlowBody);
}

#[test]
fn the_answer_is_larger_than_anybody_reads() {
    for_ever_and_passing(&Kind::HugeBody);
}

#[test]
fn the_answer_is_right_and_carries_errors() {
    for_ever_and_passing(&Kind::PartialErrors);
}

#[test]
fn a_redirect_is_not_followed_with_the_token() {
    let trap = fake::http::Server::start(|request| {
        let secrets = ["project-access-token", "authorization"];
        assert!(secrets.iter().all(|name| request.header(name).is_none()));
        panic!("a redirect was followed: {request:?}");
    });
    let touched = std::sync::Arc::clone(&trap.alive);
    for_ever_and_passing(&Kind::Redirect(trap.url("/graphql/v2")));
    assert!(touched.load(std::sync::atomic::Ordering::SeqCst));
}

#[test]
fn members_to_come_change_nothing() {
    ended(
        &kill(&faulty(Kind::UnknownFields, &[], None), "20s"),
        Verdict::Verified,
    );
}

#[test]
fn a_clock_that_is_wrong_by_a_day_decides_nothing() {
    ended(
        &kill(&faulty(Kind::ClockSkew, &[], None), "20s"),
        Verdict::Verified,
    );
}

/// When requests of an operation arrived, and on which connections.
fn arrivals(fake: &Fake, operation: &str) -> Vec<(Instant, u32)> {
    let world = fake.world.lock().unwrap();
    world
        .requests
        .iter()
        .filter(|(_, name, ..)| name == operation)
        .map(|(at, _, _, request)| (*at, request.connection))
        .collect()
}

#[test]
fn a_stop_on_a_hung_connection_goes_out_again_on_another() {
    let fake = faulty(Kind::Hang, &["DeploymentStop"], Some(1));
    // Nothing but the stop can end it: no removal to fall back on.
    let fake = fake.with(|world| world.remove = Effect::AcknowledgedOnly);
    let report = kill(&fake, "20s");
    ended(&report, Verdict::Verified);
    let stops = arrivals(&fake, "DeploymentStop");
    assert_ne!(stops[0].1, stops[1].1, "another connection: {stops:?}");
    assert!(
        stops[1].0 - stops[0].0 < REQUEST_TIMEOUT,
        "before the first attempt is given up"
    );
}

#[test]
fn a_hung_listing_does_not_hold_up_the_next() {
    let fake = faulty(Kind::Hang, &["Deployments"], Some(1));
    let report = kill(&fake, "20s");
    ended(&report, Verdict::Verified);
    let lists = arrivals(&fake, "Deployments");
    assert_ne!(lists[0].1, lists[1].1);
    assert!(lists[1].0 - lists[0].0 < REQUEST_TIMEOUT);
}

#[test]
fn escalation_does_not_wait_for_a_listing_that_hangs() {
    let fake = faulty(Kind::Hang, &["Deployments", "Deployment"], None)
        .with(|world| world.stop = Effect::AcknowledgedOnly);
    let report = kill(&fake, "700ms");
    assert_eq!(report.verdict.exit_code(), 7);
    assert!(
        !fake.trader_lives(),
        "removed, although nothing could be read"
    );
}

#[test]
fn requests_share_their_connections() {
    let fake = Fake::local();
    ended(&kill(&fake, "20s"), Verdict::Verified);
    let world = fake.world.lock().unwrap();
    let (mut connections, mut at_once) = (BTreeSet::new(), 0);
    let first = world.requests[0].0;
    for (at, _, _, request) in &world.requests {
        connections.insert(request.connection);
        at_once += usize::from(*at - first < Duration::from_millis(100));
    }
    assert!(
        connections.len() < world.requests.len() && connections.len() <= at_once,
        "{} connections for {} requests",
        connections.len(),
        world.requests.len()
    );
}

#[test]
fn a_rate_limit_longer_than_the_deadline_is_not_waited_for() {
    let fake = faulty(
        Kind::RateLimited { secs: 3600 },
        &["DeploymentStop"],
        Some(1),
    );
    let report = kill(&fake, "20s");
    ended(&report, Verdict::Verified);
    assert!(!fake.trader_lives() && report.elapsed_ms < 20_000);
}

#[test]
fn an_expired_token_fails_and_the_trader_is_halted_all_the_same() {
    for message in ["Project Token not found", "Not Authorized"] {
        let fake = faulty(Kind::Message(message), &[], None);
        let report = kill(&fake, "700ms");
        assert_eq!(report.verdict.exit_code(), 7, "{report:#?}");
        assert_eq!(fake.world.lock().unwrap().halted, Some(false));
        assert_eq!(report.paths[0].status, PathStatus::Confirmed);
    }
}

#[test]
fn a_record_without_a_status_is_live_and_is_stopped() {
    let fake = Fake::local().with(|world| {
        world
            .deployments
            .push(fake::deployment("d2", "", "RUNNING"));
    });
    let report = kill(&fake, "700ms");
    let odd = report.deployments.iter().find(|d| d.id == "d2");
    assert!(odd.is_some_and(|odd| odd.action.is_some()), "{report:#?}");
}

/// A kill that knows a token and a service, and nothing else.
fn kill_by_token(fake: &Fake) -> TargetReport {
    let endpoint = fake.platform.url("/graphql/v2");
    let flags = ["--service-id", fake::SERVICE, "--endpoint", &endpoint];
    let line = ["launch-kill", "--settle", "60ms", "--deadline", "10s"];
    let args = Cli::try_parse_from(line.iter().chain(&flags)).unwrap().kill;
    let around = Surroundings {
        variables: BTreeMap::from([("RAILWAY_TOKEN".to_owned(), "platform-token-1".to_owned())]),
        state_dir: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (pace, progress) = (pace(), Progress::silent());
    let work = launch_kill::run(&args, &around, &pace, Instant::now(), &progress);
    runtime.block_on(work).unwrap().targets.remove(0)
}

#[test]
fn with_nothing_but_a_token_one_answer_is_enough_to_stop() {
    // The list hangs three times: whoever waited for it would stop only after the fourth question.
    let hangs = Fault {
        kind: Kind::Hang,
        operations: &["Deployments"],
        left: Some(3),
    };
    let fake = Fake::railway().with(|world| world.fault = Some(hangs));
    ended(&kill_by_token(&fake), Verdict::PlatformOnly);
    assert!(fake.world.lock().unwrap().deployments[0].stopped);
    let operations = fake.operations();
    let mut places = operations.iter().enumerate();
    let (stop, _) = places.find(|(_, op)| *op == "DeploymentStop").unwrap();
    let before = operations[..stop].iter().filter(|op| *op == "Deployments");
    assert!(
        before.count() < 4,
        "stopped before anything else is read: {operations:?}"
    );
}

#[test]
fn a_token_that_may_not_see_everything_at_once_stops_all_the_same() {
    let fake = Fake::railway().with(|world| world.tells_overview = false);
    ended(&kill_by_token(&fake), Verdict::PlatformOnly);
    assert!(fake.world.lock().unwrap().deployments[0].stopped);
}

/// The stand-alone binary without any environment but `variables`.
fn binary(fake: &Fake, flags: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_launch-kill"))
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir("/")
        .stdin(Stdio::null())
        .arg("--state-dir")
        .arg(fake.folder.path())
        .args(["--env", "staging", "--settle", "0", "--format", "json"])
        .args(flags)
        .output()
        .unwrap()
}

fn verdict(output: &Output) -> String {
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    json["verdict"].as_str().unwrap().to_owned()
}

#[test]
fn a_name_that_does_not_resolve_leaves_the_trader_halted() {
    let fake = Fake::railway();
    // No name may have a label this long: no name server is asked.
    let endpoint = format!("https://{}.invalid/graphql/v2", "x".repeat(64));
    let start = Instant::now();
    let output = binary(
        &fake,
        &["--deadline", "600ms", "--endpoint", &endpoint],
        &[],
    );
    assert_eq!(output.status.code(), Some(7));
    assert!(start.elapsed() < Duration::from_millis(1600) + Duration::from_secs(1));
    assert_eq!(fake.world.lock().unwrap().halted, Some(false));
}

#[test]
fn a_name_resolution_that_hangs_cannot_hold_the_deadline() {
    let fake = Fake::railway();
    // The resolver reads this file for names without a dot, and a pipe without a writer blocks it.
    let aliases = fake.folder.path().join("aliases");
    let made = Command::new("mkfifo").arg(&aliases).status().unwrap();
    assert!(made.success());
    let start = Instant::now();
    let output = binary(
        &fake,
        &[
            "--deadline",
            "1s",
            "--endpoint",
            "https://nowhere/graphql/v2",
        ],
        &[("HOSTALIASES", aliases.to_str().unwrap())],
    );
    assert_eq!(output.status.code(), Some(7));
    assert!(start.elapsed() < Duration::from_secs(2) + Duration::from_secs(1));
    assert_eq!(fake.world.lock().unwrap().halted, Some(false));
}

#[test]
fn behind_an_inspecting_proxy_its_ca_is_taken_from_a_file() {
    let fake = Fake::railway();
    let address = fake::tls::in_front_of(&fake.platform);
    let endpoint = format!("https://{address}/graphql/v2");
    let flags = ["--deadline", "15s", "--endpoint", &endpoint];
    let ca = fake::tls::ca_file();
    let output = binary(&fake, &flags, &[("SSL_CERT_FILE", ca.to_str().unwrap())]);
    assert!(fake.count("DeploymentStop") > 0 && !fake.trader_lives());
    assert_eq!(verdict(&output), "verified");
}

#[test]
fn a_certificate_that_nobody_vouches_for_gets_no_token() {
    let fake = Fake::railway();
    let address = fake::tls::in_front_of(&fake.platform);
    let endpoint = format!("https://{address}/graphql/v2");
    let flags = ["--deadline", "500ms", "--endpoint", &endpoint];
    let nothing = fake.folder.path().join("absent.pem");
    let unusable = [("SSL_CERT_FILE", nothing.to_str().unwrap())];
    for (variables, hint) in [
        (&[][..], "name a file with its CA in SSL_CERT_FILE"),
        (&unusable[..], "SSL_CERT_FILE cannot be used"),
    ] {
        let output = binary(&fake, &flags, variables);
        assert_eq!(output.status.code(), Some(7));
        assert_eq!(fake.operations(), Vec::<String>::new());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains(hint), "{text}");
    }
}

// The four ways in which the first kill switch stopped nothing.

#[test]
fn old_failure_1_a_pid_of_another_machine_is_no_process_of_ours() {
    // The kill file names a living process of this machine, under another machine's boot id.
    let mut bystander = Command::new("sleep").arg("60").spawn().unwrap();
    let own = launch_kill::process::identify(bystander.id()).unwrap();
    let fake = Fake::railway().with_file(|file| {
        file.platform = Some("local".into());
        file.endpoint = None;
        file.local = Some(launch_kill::LocalProcesses {
            boot_id: Some("another-machine".into()),
            platform_pid: Some(own.pid),
            platform_start: Some(own.start),
            trader_pid: Some(own.pid),
            trader_start: Some(own.start),
        });
    });
    let report = kill(&fake, "20s");
    assert!(
        fake.count("DeploymentStop") > 0 && !fake.trader_lives(),
        "stopped through the platform, not by pid: {report:#?}"
    );
    assert!(bystander.try_wait().unwrap().is_none(), "left alone");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn old_failure_2_no_terminal_is_needed_and_nothing_is_asked() {
    let fake = Fake::local();
    let output = binary(&fake, &["--deadline", "15s"], &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(!fake.trader_lives());
}

#[test]
fn old_failure_3_accepted_is_not_stopped() {
    // HTTP 200 and `true`, and the process lives on: a setting was changed, nothing was stopped.
    let fake = Fake::local().with(|world| {
        world.stop = Effect::AcknowledgedOnly;
        world.remove = Effect::AcknowledgedOnly;
        world.takes_halt = false;
    });
    let report = kill(&fake, "700ms");
    ended(&report, Verdict::Unverified);
    assert_eq!(report.paths[1].status, PathStatus::Acknowledged);
    assert!(fake.trader_lives() && report.verdict.exit_code() == 7);
}

#[test]
fn old_failure_4_a_halt_that_nobody_reads_and_orders_in_another_case_are_not_none() {
    // "halted" is answered and never shows when asked back; the orders come under another name.
    let trader = fake::http::Server::start(|request| {
        let body = match request.path.as_str() {
            "/halt" => r#"{"halted": true, "nonce": "nonce-1"}"#,
            "/health" => {
                r#"{"instance_nonce": "nonce-1", "halted": null,
                    "Open_Orders": 0, "OPEN": [], "positions": "none"}"#
            }
            _ => r#"{"alive": true, "nonce": "nonce-1"}"#,
        };
        fake::http::Reply::Json(200, body.into())
    });
    let fake = Fake::railway().with_file(|file| {
        file.trader_url = Some(trader.url("/"));
        file.mode = Some("live".into());
    });
    let report = kill(&fake, "900ms");
    ended(&report, Verdict::Unverified);
    assert!(report.open_orders.is_none() && report.positions.is_none());
    assert_ne!(report.paths[0].status, PathStatus::Confirmed);
    drop(trader);
}
