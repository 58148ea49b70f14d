//! The kill against a platform that lies, hangs, refuses and forgets.
//!
//! Every test names what must not happen: exit code 0 while something may still run, a deadline
//! that is passed, a request that changes what it should not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails here, with its line"
)]
#![expect(dead_code, reason = "the fake serves other test crates too")]

mod fake;

use clap::Parser;
use fake::{Effect, Fake, NONCE, Wire, deployment, running};
use launch_kill::report::{PathStatus, TargetReport};
use launch_kill::targets::Unusable;
use launch_kill::verdict::WitnessStatus;
use launch_kill::{
    EnvName, KillArgs, LocalProcesses, Pace, Progress, Report, Secret, Surroundings, TokenFile,
    Verdict, freeze,
};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    kill: KillArgs,
}

fn pace() -> Pace {
    let ms = Duration::from_millis;
    Pace {
        poll: ms(10),
        settle_poll: ms(15),
        settle: ms(60),
        escalate_after: ms(300),
        probe: ms(10),
        probe_timeout: ms(150),
        request_timeout: ms(600),
        term_after: ms(20),
        kill_after: ms(100),
        silent_probes: 3,
        stop_reserve: ms(1_000),
        flatten_grace: ms(100),
        venue_poll: ms(10),
        venue_reads_apart: ms(60),
        revoke_after: ms(150),
    }
}

/// Runs a kill with the fake's state directory and these flags and variables.
fn kill_with(fake: &Fake, flags: &[&str], variables: &[(&str, &str)]) -> Result<Report, Unusable> {
    let mut line = vec!["launch-kill"];
    if !flags.contains(&"--settle") {
        line.extend(["--settle", "60ms"]);
    }
    if !flags.contains(&"--deadline") {
        line.extend(["--deadline", "3s"]);
    }
    line.extend(flags);
    let args = Cli::try_parse_from(line).unwrap().kill;
    let variables: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let around = Surroundings {
        variables,
        state_dir: Some(fake.dir()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (pace, progress) = (pace(), Progress::silent());
    runtime.block_on(launch_kill::run(
        &args,
        &around,
        &pace,
        Instant::now(),
        &progress,
    ))
}

fn kill(fake: &Fake, flags: &[&str]) -> TargetReport {
    let mut report = kill_with(fake, flags, &[]).unwrap();
    assert_eq!(report.targets.len(), 1, "{report:#?}");
    report.targets.remove(0)
}

/// On Railway the endpoint of a test is taken by flag only.
fn kill_railway(fake: &Fake, flags: &[&str]) -> TargetReport {
    let endpoint = fake.platform.url("/graphql/v2");
    let mut all = vec!["--endpoint", &endpoint];
    all.extend(flags);
    kill(fake, &all)
}

#[track_caller]
fn ended(report: &TargetReport, verdict: Verdict) {
    assert_eq!(report.verdict, verdict, "{report:#?}");
}

fn witness(report: &TargetReport, name: &str) -> Option<WitnessStatus> {
    report
        .witnesses
        .iter()
        .find(|witness| witness.name == name)
        .map(|witness| witness.status)
}

fn staging() -> EnvName {
    EnvName::parse("staging").unwrap()
}

#[test]
fn a_running_trader_is_stopped_and_proved() {
    let fake = Fake::local();
    let report = kill(&fake, &["--env", "staging"]);
    ended(&report, Verdict::Verified);
    assert!(!fake.trader_lives());
    assert_eq!(
        witness(&report, "trader_endpoint"),
        Some(WitnessStatus::Agrees),
        "{report:#?}"
    );
    assert_eq!(
        report.deployments[0].final_status.as_deref(),
        Some("SUCCESS (stopped)")
    );
    assert_eq!(report.deployments[0].action, Some("stop"));
    assert_eq!(
        report.paths[2].status,
        PathStatus::NotConfigured,
        "the venue is not asked"
    );
    assert!(report.first_ack_ms.unwrap() <= report.elapsed_ms);
    assert!(
        fake.count("Deployments") >= 3,
        "an immediate read lies, so it is read again"
    );
}

#[test]
fn what_goes_over_the_wire_is_what_the_platform_needs() {
    let fake = Fake::local();
    kill(&fake, &["--env", "staging"]);
    let world = fake.world.lock().unwrap();
    for (_, operation, variables, request) in &world.requests {
        assert_eq!(request.path, format!("/graphql/v2?query={operation}"));
        assert!(
            request
                .header("user-agent")
                .is_some_and(|agent| agent.starts_with("launch-kill/"))
        );
        assert_eq!(
            request.header("project-access-token"),
            Some("platform-token-1")
        );
        assert!(
            !variables.to_string().contains("null"),
            "{operation}: {variables}"
        );
    }
}

#[test]
fn the_environment_is_frozen_and_deployment_on_push_is_off() {
    let fake = Fake::local();
    let report = kill(&fake, &["--env", "staging", "--reason", "bad fills"]);
    let world = fake.world.lock().unwrap();
    assert!(!world.auto_deploy);
    let on_service = world.variables["LAUNCH_FREEZE"].as_str().unwrap();
    let here = freeze::read_local(&fake.dir(), &staging());
    assert!(here.is_frozen() && freeze::FreezeState::from_variable(Some(on_service)) == here);
    assert!(on_service.contains("bad fills"));
    let told: Vec<&str> = report
        .changed
        .iter()
        .map(|change| change.what.as_str())
        .collect();
    for what in [
        "deployment d1",
        "frozen on this machine",
        "frozen on the service",
        "on push is off",
    ] {
        assert!(
            told.iter().any(|told| told.contains(what)),
            "{what}: {told:?}"
        );
    }
    assert!(
        report
            .changed
            .iter()
            .all(|change| !change.put_back.is_empty())
    );
}

/// One fault of the network for some operations.
fn faulty(
    kind: fake::fault::Kind,
    operations: &'static [&'static str],
    left: Option<u32>,
) -> fake::fault::Fault {
    fake::fault::Fault {
        kind,
        operations,
        left,
    }
}

#[test]
fn what_a_list_beside_errors_names_is_stopped_and_nothing_is_concluded_from_it() {
    let fake = Fake::local()
        .with_file(|file| file.deployment_id = None)
        .with(|world| {
            world.takes_halt = false;
            world.fault = Some(faulty(
                fake::fault::Kind::PartialErrors,
                &["Deployments"],
                None,
            ));
        });
    let report = kill(&fake, &["--env", "staging", "--deadline", "1s"]);
    ended(&report, Verdict::Unverified);
    assert!(!fake.trader_lives(), "{report:#?}");
    assert_eq!(report.deployments[0].action, Some("stop"));
}

#[test]
fn an_error_that_nobody_knows_does_not_end_the_looking() {
    let unknown = fake::fault::Kind::Message("Something went wrong on our side");
    let fake = Fake::railway()
        .with_file(|file| {
            file.deployment_id = None;
            file.trader_url = None;
        })
        .with(|world| world.fault = Some(faulty(unknown, &["Deployments"], Some(2))));
    let report = kill_railway(&fake, &["--env", "staging"]);
    ended(&report, Verdict::PlatformOnly);
    assert!(!fake.trader_lives(), "{report:#?}");
}

#[test]
fn a_stop_on_its_way_is_not_broken_off_because_the_list_is_refused() {
    let fake = Fake::railway()
        .with_file(|file| file.trader_url = None)
        .with(|world| world.wire = Wire::StopLimited { secs: 1, times: 1 });
    fake.world.lock().unwrap().fault = Some(faulty(
        fake::fault::Kind::Message("Not Authorized"),
        &[
            "Deployments",
            "Deployment",
            "ServiceInstance",
            "ProjectToken",
        ],
        None,
    ));
    let report = kill_railway(&fake, &["--env", "staging"]);
    assert_eq!(report.verdict.exit_code(), 7, "{report:#?}");
    assert!(
        !fake.trader_lives(),
        "the stop was limited once: {report:#?}"
    );
}

#[test]
fn freeze_and_auto_deploy_find_the_project_that_nobody_named() {
    for is_told_by_token in [true, false] {
        let fake = Fake::local().with_file(|file| file.project_id = None);
        if !is_told_by_token {
            let refused = fake::fault::Kind::Message("Not Authorized");
            fake.world.lock().unwrap().fault = Some(faulty(refused, &["ProjectToken"], None));
        }
        let report = kill(&fake, &["--env", "staging"]);
        ended(&report, Verdict::Verified);
        assert!(!fake.world.lock().unwrap().auto_deploy, "{report:#?}");
        assert!(frozen(&fake), "{report:#?}");
    }
}

#[test]
fn a_read_that_hangs_does_not_take_the_time_of_the_change() {
    let reads = &["Variables", "AutoDeployStatus"];
    let fake = Fake::local()
        .with(|world| world.fault = Some(faulty(fake::fault::Kind::Hang, reads, None)));
    let report = kill(&fake, &["--env", "staging", "--deadline", "8s"]);
    assert!(!fake.world.lock().unwrap().auto_deploy, "{report:#?}");
    assert!(frozen(&fake), "{report:#?}");
}

#[test]
fn a_target_whose_ids_are_asked_for_does_not_keep_the_others_alive() {
    let fake = Fake::local();
    let hung = Fake::local().with(|world| world.wire = Wire::Hangs);
    let ci = EnvName::parse("ci").unwrap();
    let mut file = hung.file.clone();
    file.service_id = None;
    file.write(&fake.dir(), &ci).unwrap();
    let token = Secret::new("platform-token-1").unwrap();
    fake.dir()
        .write_token(TokenFile::Platform, &ci, &token)
        .unwrap();
    let args = Cli::try_parse_from(["launch-kill", "--deadline", "5s", "--settle", "60ms"]);
    let around = Surroundings {
        variables: BTreeMap::new(),
        state_dir: Some(fake.dir()),
    };
    let patient = Pace {
        request_timeout: Duration::from_secs(4),
        ..pace()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (start, progress) = (Instant::now(), Progress::silent());
    let report = runtime
        .block_on(launch_kill::run(
            &args.unwrap().kill,
            &around,
            &patient,
            start,
            &progress,
        ))
        .unwrap();
    assert_eq!(report.targets.len(), 2, "{report:#?}");
    assert_eq!(report.verdict.exit_code(), 7);
    let world = fake.world.lock().unwrap();
    let mut requests = world.requests.iter();
    let (stopped_at, ..) = requests.find(|(_, op, ..)| op == "DeploymentStop").unwrap();
    let waited = stopped_at.duration_since(start);
    assert!(waited < Duration::from_secs(3), "{waited:?}");
}

#[test]
fn a_watchdog_that_did_not_freeze_is_not_told_as_changed() {
    for (frozen, told) in [(false, 0), (true, 1)] {
        let (fake, _watchdog) = with_watchdog(frozen, 0, None);
        let report = kill_railway(&fake, &["--env", "staging"]);
        let about = |change: &&launch_kill::report::Change| change.what.contains("watchdog");
        assert_eq!(
            report.changed.iter().filter(about).count(),
            told,
            "{report:#?}"
        );
    }
}

#[test]
fn the_trader_of_another_known_target_is_neither_halted_nor_a_witness() {
    // The fake's trader says that it is d1, which is ci's; staging's own is gone, its port used again.
    let fake = Fake::local().with(|world| {
        world.deployments[0].service = "svc-ci".into();
        world.services.push(("svc-ci".into(), "ci".into()));
    });
    let mut ci = fake.file.clone();
    ci.service_id = Some("svc-ci".into());
    ci.write(&fake.dir(), &EnvName::parse("ci").unwrap())
        .unwrap();
    let fake = fake.with_file(|file| file.deployment_id = Some("d0".into()));
    let report = kill(&fake, &["--env", "staging", "--deadline", "20s"]);
    ended(&report, Verdict::NothingRunning);
    assert!(fake.trader_lives(), "{report:#?}");
    let world = fake.world.lock().unwrap();
    assert_eq!(world.halted, None, "{:?}", world.trader_log);
}

#[test]
fn ids_in_other_letters_are_the_same_ids() {
    let fake = Fake::local().with_file(|file| {
        file.deployment_id = None;
        file.trader_url = None;
    });
    {
        let mut world = fake.world.lock().unwrap();
        world.any_letters = true;
    }
    let report = kill(&fake, &["--env", "staging", "--service-id", "SVC-1"]);
    assert!(!fake.trader_lives(), "{report:#?}");
}

#[test]
fn a_stop_that_is_only_acknowledged_is_followed_by_a_removal() {
    let fake = Fake::local().with(|world| world.stop = Effect::AcknowledgedOnly);
    let report = kill(&fake, &["--env", "staging"]);
    ended(&report, Verdict::Verified);
    assert_eq!(report.deployments[0].action, Some("remove"));
    assert_eq!(
        report.deployments[0].final_status.as_deref(),
        Some("REMOVED")
    );
}

#[test]
fn a_zombie_is_not_verified_whatever_the_platform_says() {
    let fake = Fake::railway().with(|world| {
        world.stop = Effect::ReportedOnly;
        world.remove = Effect::ReportedOnly;
    });
    let report = kill_railway(&fake, &["--deadline", "600ms"]);
    ended(&report, Verdict::Unverified);
    assert_eq!(
        witness(&report, "trader_endpoint"),
        Some(WitnessStatus::Contradicts)
    );
    assert_eq!(
        report.paths[1].status,
        PathStatus::Confirmed,
        "the platform says dead"
    );
    assert!(fake.trader_lives() && !report.runbook.is_empty());
}

/// A watchdog that says it is frozen and has no lease out.
fn agreeing_watchdog() -> fake::http::Server {
    fake::http::Server::start(|_| {
        let answer = serde_json::json!({"frozen": true, "last_grant_expires_in_ms": 0});
        fake::http::Reply::Json(200, answer.to_string())
    })
}

/// The platform calls everything dead at once, and nothing ends.
fn only_reported(world: &mut fake::World) {
    world.stop = Effect::ReportedOnly;
    world.remove = Effect::ReportedOnly;
}

#[test]
fn a_zombie_whose_halt_fails_is_not_taken_for_silent() {
    let watchdog = agreeing_watchdog();
    let fake = Fake::railway()
        .with(|world| {
            only_reported(world);
            world.halt_breaks = true;
        })
        .with_file(|file| file.watchdog_url = Some(watchdog.url("/")));
    let report = kill_railway(&fake, &["--deadline", "600ms"]);
    ended(&report, Verdict::Unverified);
    assert_eq!(
        witness(&report, "trader_endpoint"),
        Some(WitnessStatus::Contradicts),
        "it answers in our JSON: {report:#?}"
    );
}

#[test]
fn another_name_for_the_same_service_makes_its_trader_no_stranger() {
    let watchdog = agreeing_watchdog();
    let fake = Fake::railway()
        .with(|world| {
            only_reported(world);
            world.deployments.push(running("d2"));
        })
        .with_file(|file| file.watchdog_url = Some(watchdog.url("/")));
    // The same service under an older name: `d1` is its deployment, and `d1` lives on.
    std::fs::copy(
        fake.dir().kill_file_path(&staging()),
        fake.folder.path().join("kill-older.json"),
    )
    .unwrap();
    let fake = fake.with_file(|file| file.deployment_id = Some("d2".into()));
    let report = kill_railway(&fake, &["--env", "staging", "--deadline", "600ms"]);
    ended(&report, Verdict::Unverified);
    assert!(
        fake.world.lock().unwrap().halted.is_some(),
        "it is halted: {report:#?}"
    );
}

#[test]
fn a_kill_file_that_cannot_be_read_leaves_a_doubt() {
    let fake = Fake::railway();
    std::fs::write(fake.dir().kill_file_path(&staging()), "{").unwrap();
    let endpoint = fake.platform.url("/graphql/v2");
    let trader = fake.trader.url("/");
    let variables = [
        ("RAILWAY_ENVIRONMENT_ID", fake::ENVIRONMENT),
        ("RAILWAY_PROJECT_ID", fake::PROJECT),
        ("RAILWAY_SERVICE_ID", fake::SERVICE),
        ("LAUNCH_TRADER_URL", trader.as_str()),
    ];
    let flags = ["--env", "staging", "--endpoint", endpoint.as_str()];
    let report = kill_with(&fake, &flags, &variables).unwrap();
    assert_eq!(
        report.verdict,
        Verdict::Unverified,
        "what the file named may still run: {report:#?}"
    );
    assert!(!fake.trader_lives(), "what the variables name is stopped");
}

#[test]
fn what_reappears_is_stopped_too() {
    let fake = Fake::local().with(|world| world.comes_back_after = Some(2));
    // Long enough for the listings that it takes to come back, on a busy machine, too.
    let flags = ["--env", "staging", "--settle", "1s", "--deadline", "20s"];
    let report = kill(&fake, &flags);
    let ids: Vec<&str> = report.deployments.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(ids, ["d1", "d2"]);
    assert!(
        report.deployments.iter().all(|d| d.confirmed_ms.is_some()),
        "{report:#?}"
    );
    ended(&report, Verdict::Verified);
}

#[test]
fn a_build_in_progress_is_cancelled() {
    let fake = Fake::local().with(|world| {
        world
            .deployments
            .push(deployment("d2", "BUILDING", "CREATED"));
    });
    let report = kill(&fake, &["--env", "staging"]);
    ended(&report, Verdict::Verified);
    let build = report.deployments.iter().find(|d| d.id == "d2").unwrap();
    assert_eq!(
        (build.action, build.final_status.as_deref()),
        (Some("cancel"), Some("REMOVED"))
    );
}

#[test]
fn a_sleeping_deployment_that_refuses_to_stop_is_removed() {
    let fake = Fake::local().with(|world| {
        world.deployments[0].status = "SLEEPING".into();
    });
    let report = kill(&fake, &["--env", "staging"]);
    ended(&report, Verdict::Verified);
    assert_eq!(report.deployments[0].action, Some("remove"));
}

#[test]
fn an_unknown_status_is_live_until_it_is_removed() {
    let fake = Fake::local().with(|world| {
        world
            .deployments
            .push(deployment("d2", "TELEPORTING", "LEVITATING"));
        world.remove = Effect::AcknowledgedOnly;
        world.cancel = Effect::AcknowledgedOnly;
    });
    let report = kill(&fake, &["--env", "staging", "--deadline", "500ms"]);
    ended(&report, Verdict::Unverified);
    let odd = report.deployments.iter().find(|d| d.id == "d2").unwrap();
    assert_eq!(odd.final_status.as_deref(), Some("TELEPORTING"));
}

#[test]
fn http_200_with_errors_is_no_success() {
    let fake = Fake::railway()
        .with(|world| world.wire = Wire::Errors)
        .with_file(|file| file.trader_url = None);
    let report = kill_railway(&fake, &[]);
    ended(&report, Verdict::Failed);
    assert!(
        report.elapsed_ms < 2000,
        "a refusal is final, there is nothing to wait for"
    );
}

#[test]
fn garbage_is_no_success() {
    let fake = Fake::railway()
        .with(|world| world.wire = Wire::Garbage)
        .with_file(|file| file.trader_url = None);
    ended(
        &kill_railway(&fake, &["--deadline", "400ms"]),
        Verdict::Failed,
    );
}

#[test]
fn a_platform_that_hangs_cannot_hold_the_deadline() {
    let fake = Fake::railway().with(|world| world.wire = Wire::Hangs);
    let start = Instant::now();
    let report = kill_railway(&fake, &["--deadline", "400ms"]);
    assert!(
        start.elapsed() < Duration::from_millis(1400),
        "{:?}",
        start.elapsed()
    );
    ended(&report, Verdict::Unverified);
    assert_eq!(
        report.paths[0].status,
        PathStatus::Confirmed,
        "the trader is halted meanwhile"
    );
    assert_eq!(witness(&report, "trader_halt"), Some(WitnessStatus::Agrees));
}

#[test]
fn the_stop_does_not_wait_for_reads() {
    let fake = Fake::local().with(|world| world.wire = Wire::ReadsHang);
    let report = kill(&fake, &["--env", "staging", "--deadline", "300ms"]);
    ended(&report, Verdict::Unverified);
    assert!(
        !fake.trader_lives(),
        "stopped although nothing could be read"
    );
}

#[test]
fn a_rate_limit_is_waited_for_within_the_deadline() {
    let fake = Fake::local().with(|world| {
        world.wire = Wire::StopLimited { secs: 1, times: 1 };
        world.remove = Effect::AcknowledgedOnly;
    });
    let report = kill(&fake, &["--env", "staging"]);
    ended(&report, Verdict::Verified);
    let world = fake.world.lock().unwrap();
    let stops: Vec<Instant> = world
        .requests
        .iter()
        .filter(|(_, op, ..)| op == "DeploymentStop")
        .map(|(at, ..)| *at)
        .collect();
    assert!(
        stops[1] - stops[0] >= Duration::from_secs(1),
        "Retry-After is honoured"
    );
}

#[test]
fn a_rate_limit_beyond_the_deadline_is_not_waited_for() {
    let fake = Fake::railway()
        .with(|world| {
            world.wire = Wire::Limited {
                secs: 3600,
                times: 1000,
            }
        })
        .with_file(|file| file.trader_url = None);
    let report = kill_railway(&fake, &["--deadline", "300ms"]);
    ended(&report, Verdict::Failed);
    assert!(report.reason.contains("no path acknowledged"));
}

#[test]
fn a_token_of_another_environment_stops_both_and_is_not_verified() {
    let fake = Fake::local().with(|world| {
        world.token_environment = "env-2".into();
        let mut other = running("x1");
        other.environment = "env-2".into();
        world.deployments.push(other);
    });
    let report = kill(&fake, &["--env", "staging"]);
    ended(&report, Verdict::Unverified);
    assert!(report.reason.contains("env-2"), "{}", report.reason);
    assert!(
        report.deployments.iter().all(|d| d.confirmed_ms.is_some()),
        "{report:#?}"
    );
    assert_eq!(report.deployments.len(), 2);
}

#[test]
fn a_trader_that_refuses_the_halt_is_still_stopped() {
    let fake = Fake::local().with(|world| world.takes_halt = false);
    let report = kill(&fake, &["--env", "staging", "--deadline", "20s"]);
    ended(&report, Verdict::Verified);
    assert_eq!(witness(&report, "trader_halt"), Some(WitnessStatus::Silent));
    assert_eq!(report.paths[0].status, PathStatus::Failed);
}

#[test]
fn behind_a_proxy_silence_proves_nothing() {
    let fake = Fake::railway().with(|world| world.takes_halt = false);
    let report = kill_railway(&fake, &[]);
    ended(&report, Verdict::PlatformOnly);
    assert_eq!(
        witness(&report, "trader_endpoint"),
        Some(WitnessStatus::Consistent)
    );
    assert_eq!(report.verdict.exit_code(), 7);
}

#[test]
fn without_any_witness_it_is_platform_only() {
    let fake = Fake::railway().with_file(|file| file.trader_url = None);
    let report = kill_railway(&fake, &[]);
    ended(&report, Verdict::PlatformOnly);
    assert!(
        report.witnesses.is_empty() && report.open_orders.is_none() && report.positions.is_none()
    );
}

#[test]
fn a_process_number_that_railway_tells_is_no_process_of_this_machine() {
    let fake = Fake::railway()
        .with_file(|file| file.trader_url = None)
        .with(|world| {
            let gone = serde_json::json!({"pid": 1, "pid_start": 1, "boot_id": "another-boot/1"});
            world.deployments[0].meta = serde_json::json!({ "loopback": gone });
        });
    let report = kill_railway(&fake, &[]);
    ended(&report, Verdict::PlatformOnly);
    assert_eq!(witness(&report, "process"), None);
}

#[test]
fn where_nothing_runs_it_is_said_and_it_is_success() {
    let fake = Fake::railway()
        .with(|world| world.deployments.clear())
        .with_file(|file| file.trader_url = None);
    let report = kill_railway(&fake, &[]);
    ended(&report, Verdict::NothingRunning);
}

#[test]
fn nothing_running_needs_the_service_to_exist() {
    let fake = Fake::railway()
        .with(|world| {
            world.deployments.clear();
            world.services.clear();
        })
        .with_file(|file| file.trader_url = None);
    ended(
        &kill_railway(&fake, &["--deadline", "400ms"]),
        Verdict::Unverified,
    );
}

#[test]
fn an_answering_trader_contradicts_an_empty_list() {
    let fake = Fake::local().with(|world| world.deployments.clear());
    let report = kill(&fake, &["--env", "staging", "--deadline", "400ms"]);
    ended(&report, Verdict::Unverified);
    assert_eq!(
        witness(&report, "trader_endpoint"),
        Some(WitnessStatus::Contradicts)
    );
}

#[test]
fn with_real_money_open_orders_must_be_zero() {
    for (orders, verdict) in [(0, Verdict::Verified), (2, Verdict::Unverified)] {
        let fake = Fake::local()
            .with(|world| {
                world.open_orders = orders;
                world.stop = Effect::AcknowledgedOnly; // leaves time to be asked back
            })
            .with_file(|file| file.mode = Some("live".into()));
        let report = kill(&fake, &["--env", "staging", "--deadline", "900ms"]);
        ended(&report, verdict);
        assert_eq!(report.open_orders, Some(u64::from(orders)));
    }
}

#[test]
fn with_real_money_a_trader_that_never_told_its_orders_is_not_verified() {
    let fake = Fake::local()
        .with(|world| world.takes_halt = false)
        .with_file(|file| file.mode = None);
    let report = kill(&fake, &["--env", "staging"]);
    ended(&report, Verdict::Unverified);
    assert_eq!(report.open_orders, None);
}

#[test]
fn reduce_only_stops_nothing_but_entries() {
    let fake = Fake::local();
    let report = kill(&fake, &["--env", "staging", "--reduce-only"]);
    ended(&report, Verdict::Reduced);
    assert!(fake.trader_lives());
    assert_eq!(fake.world.lock().unwrap().halted, Some(true));
    for operation in [
        "DeploymentStop",
        "DeploymentRemove",
        "DeploymentCancel",
        "AutoDeployUpdate",
    ] {
        assert_eq!(fake.count(operation), 0, "{operation}");
    }
    assert!(freeze::read_local(&fake.dir(), &staging()).is_frozen());
}

#[test]
fn reduce_only_that_is_refused_is_a_failure() {
    let fake = Fake::local().with(|world| world.takes_halt = false);
    let report = kill(
        &fake,
        &["--env", "staging", "--reduce-only", "--deadline", "300ms"],
    );
    ended(&report, Verdict::Failed);
}

#[test]
fn ambient_ids_that_disagree_are_stopped_too_and_named() {
    let fake = Fake::railway().with(|world| {
        let mut other = running("x1");
        other.service = "svc-2".into();
        world.deployments.push(other);
        world.services.push(("svc-2".into(), "other".into()));
    });
    let endpoint = fake.platform.url("/graphql/v2");
    let flags = ["--env", "staging", "--endpoint", &endpoint];
    let report = kill_with(&fake, &flags, &[("RAILWAY_SERVICE_ID", "svc-2")]).unwrap();
    assert_eq!(report.targets.len(), 2);
    assert_eq!(report.verdict, Verdict::Unverified);
    let reasons: Vec<&str> = report
        .targets
        .iter()
        .map(|target| target.reason.as_str())
        .collect();
    assert!(
        reasons.iter().all(|reason| reason.contains("svc-2")),
        "{reasons:?}"
    );
    let world = fake.world.lock().unwrap();
    assert!(
        world.deployments.iter().all(|d| d.stopped),
        "both are stopped"
    );
}

#[test]
fn a_local_target_ignores_railways_ids_and_tokens() {
    let fake = Fake::local();
    let ambient = [
        ("RAILWAY_SERVICE_ID", "svc-9"),
        ("RAILWAY_TOKEN", "someone-elses-token"),
    ];
    let report = kill_with(&fake, &["--env", "staging"], &ambient).unwrap();
    assert_eq!(
        (report.targets.len(), report.verdict),
        (1, Verdict::Verified)
    );
    let world = fake.world.lock().unwrap();
    let foreign =
        |request: &fake::http::Request| request.headers.iter().any(|(_, v)| v.contains("someone"));
    assert!(!world.requests.iter().any(|(.., request)| foreign(request)));
}

#[test]
fn a_loopback_address_for_railway_is_taken_by_flag_only() {
    let fake = Fake::railway();
    let ambient = fake.platform.url("/graphql/v2");
    let variables = [("LAUNCH_RAILWAY_URL", ambient.as_str())];
    // Without the flag the request would go to Railway itself; the deadline ends it at once.
    let report = kill_with(
        &fake,
        &["--env", "staging", "--deadline", "100ms"],
        &variables,
    )
    .unwrap();
    assert_eq!(report.verdict.exit_code(), 7);
    assert_eq!(fake.operations(), Vec::<String>::new());
}

#[test]
fn an_expired_token_is_followed_by_the_next() {
    let fake = Fake::railway();
    let endpoint = fake.platform.url("/graphql/v2");
    let variables = [("RAILWAY_TOKEN", "expired-token")];
    let report = kill_with(
        &fake,
        &["--env", "staging", "--endpoint", &endpoint],
        &variables,
    )
    .unwrap();
    assert!(
        fake.world.lock().unwrap().deployments[0].stopped,
        "{report:#?}"
    );
    assert!(
        !format!("{report:?}").contains("expired-token"),
        "no token in a report"
    );
}

#[test]
fn a_token_without_a_service_lists_what_to_paste() {
    let fake = Fake::railway();
    std::fs::remove_file(fake.dir().kill_file_path(&staging())).unwrap();
    let endpoint = fake.platform.url("/graphql/v2");
    let token = [("RAILWAY_TOKEN", "platform-token-2")];
    let refused = kill_with(&fake, &["--endpoint", &endpoint], &token).unwrap_err();
    assert!(
        refused
            .0
            .contains("launch kill --service-id svc-1   # trader"),
        "{refused}"
    );
    assert_eq!(fake.count("DeploymentStop"), 0);
    let report = kill_with(&fake, &["--endpoint", &endpoint, "--all-services"], &token).unwrap();
    assert_eq!(report.verdict, Verdict::PlatformOnly);
    assert!(fake.world.lock().unwrap().deployments[0].stopped);
}

#[test]
fn nothing_known_is_a_usage_error() {
    let fake = Fake::railway();
    std::fs::remove_file(fake.dir().kill_file_path(&staging())).unwrap();
    assert!(kill_with(&fake, &[], &[]).is_err());
    assert!(kill_with(&fake, &["--env", "../staging"], &[]).is_err());
    assert!(kill_with(&fake, &["--env", "production"], &[]).is_err());
}

#[test]
fn a_broken_kill_file_does_not_keep_the_others_alive() {
    let fake = Fake::local();
    std::fs::write(fake.folder.path().join("kill-broken.json"), "{").unwrap();
    let report = kill_with(&fake, &["--all"], &[]).unwrap();
    assert_eq!(report.verdict, Verdict::Failed);
    assert!(!fake.trader_lives());
    let verdicts: Vec<(&str, Verdict)> = report
        .targets
        .iter()
        .map(|target| (target.env.as_str(), target.verdict))
        .collect();
    assert_eq!(
        verdicts,
        [("staging", Verdict::Verified), ("broken", Verdict::Failed)]
    );
}

#[test]
fn a_drill_is_the_same_kill_and_lifts_its_own_freeze() {
    let fake = Fake::local();
    let report = kill(&fake, &["--env", "staging", "--drill"]);
    ended(&report, Verdict::Verified);
    assert_eq!(
        freeze::read_local(&fake.dir(), &staging()),
        freeze::FreezeState::Off
    );
    assert_eq!(fake.world.lock().unwrap().variables["LAUNCH_FREEZE"], "off");
    let records: Vec<String> = std::fs::read_dir(fake.folder.path().join("receipts"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    assert_eq!(records.len(), 1);
    let record: serde_json::Value = serde_json::from_str(&records[0]).unwrap();
    assert_eq!(
        (record["kind"].as_str(), record["verdict"].as_str()),
        (Some("drill"), Some("verified"))
    );
    assert!(record["time_to_verified_ms"].is_u64());
}

#[test]
fn a_drill_leaves_an_earlier_freeze() {
    let fake = Fake::local();
    let earlier = freeze::Freeze {
        id: "trip-1".into(),
        at: "2026-11-23T00:00:00Z".into(),
        by: "watchdog".into(),
        reason: "daily loss".into(),
    };
    freeze::write_local(&fake.dir(), &staging(), &earlier).unwrap();
    ended(
        &kill(&fake, &["--env", "staging", "--drill"]),
        Verdict::Verified,
    );
    let now = freeze::read_local(&fake.dir(), &staging());
    assert_eq!(now, freeze::FreezeState::Frozen(earlier));
}

#[test]
fn a_kill_puts_its_own_freeze_over_an_earlier_one() {
    // A drill or a reenable that is under way lifts the freeze that it knows, and only that one.
    let fake = Fake::local();
    let earlier = freeze::Freeze {
        id: "drill-1".into(),
        at: "2026-11-23T00:00:00Z".into(),
        by: "ann".into(),
        reason: "drill".into(),
    };
    freeze::write_local(&fake.dir(), &staging(), &earlier).unwrap();
    let fake = fake.with(|world| {
        let text = serde_json::json!(earlier.to_json());
        world.variables.insert("LAUNCH_FREEZE".into(), text);
    });
    ended(&kill(&fake, &["--env", "staging"]), Verdict::Verified);
    let freeze::FreezeState::Frozen(here) = freeze::read_local(&fake.dir(), &staging()) else {
        panic!("not frozen");
    };
    assert_ne!(here.id, earlier.id);
    let there = fake.world.lock().unwrap().variables["LAUNCH_FREEZE"].clone();
    assert_eq!(there.as_str(), Some(here.to_json().as_str()));
}

#[test]
fn a_drill_does_not_lift_the_freeze_of_a_kill_that_came_meanwhile() {
    let fake = Fake::local();
    let real = freeze::Freeze {
        id: "kill-2".into(),
        at: "2026-11-23T00:00:00Z".into(),
        by: "ben".into(),
        reason: "orders nobody intended".into(),
    };
    let report = std::thread::scope(|scope| {
        let drill = scope.spawn(|| {
            let flags = ["--env", "staging", "--drill", "--settle", "500ms"];
            kill(&fake, &flags)
        });
        let is_set = || {
            fake.world
                .lock()
                .unwrap()
                .variables
                .contains_key("LAUNCH_FREEZE")
        };
        while !(is_set() && freeze::read_local(&fake.dir(), &staging()).is_frozen()) {
            assert!(!drill.is_finished(), "the drill never froze");
            std::thread::sleep(Duration::from_millis(5));
        }
        freeze::write_local(&fake.dir(), &staging(), &real).unwrap();
        let text = serde_json::json!(real.to_json());
        let mut world = fake.world.lock().unwrap();
        world.variables.insert("LAUNCH_FREEZE".into(), text);
        drop(world);
        drill.join().unwrap()
    });
    ended(&report, Verdict::Verified);
    assert_eq!(
        freeze::read_local(&fake.dir(), &staging()),
        freeze::FreezeState::Frozen(real.clone())
    );
    let there = fake.world.lock().unwrap().variables["LAUNCH_FREEZE"].clone();
    assert_eq!(there.as_str(), Some(real.to_json().as_str()));
}

#[test]
fn a_drill_that_is_not_verified_stays_frozen() {
    let fake = Fake::railway();
    let endpoint = fake.platform.url("/graphql/v2");
    let fake = fake.with(|world| world.takes_halt = false);
    let report = kill(
        &fake,
        &["--env", "staging", "--drill", "--endpoint", &endpoint],
    );
    ended(&report, Verdict::PlatformOnly);
    assert!(freeze::read_local(&fake.dir(), &staging()).is_frozen());
}

#[test]
fn a_drill_on_nothing_or_in_doubt_asks_nothing() {
    let idle = Fake::local().with(|world| world.deployments.clear());
    let foreign = Fake::local().with(|world| world.token_environment = "env-2".into());
    for fake in [idle, foreign] {
        let refused = kill_with(&fake, &["--env", "staging", "--drill"], &[]).unwrap_err();
        assert!(refused.0.contains("no drill"), "{refused}");
        for operation in ["DeploymentStop", "VariableUpsert", "AutoDeployUpdate"] {
            assert_eq!(fake.count(operation), 0, "{operation}");
        }
        assert_eq!(fake.world.lock().unwrap().halted, None);
    }
}

/// A child that stands for a platform or trader process of this machine.
struct Process(std::process::Child);

impl Process {
    fn start(script: &str) -> Self {
        Self(
            std::process::Command::new("sh")
                .args(["-c", script])
                .spawn()
                .unwrap(),
        )
    }

    fn identity(&self) -> launch_kill::process::ProcessId {
        launch_kill::process::identify(self.0.id()).unwrap()
    }

    fn end(mut self) -> launch_kill::process::ProcessId {
        let identity = self.identity();
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        identity
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn local_processes(
    platform: &launch_kill::process::ProcessId,
    trader: &launch_kill::process::ProcessId,
) -> LocalProcesses {
    LocalProcesses {
        boot_id: Some(platform.boot_id.clone()),
        platform_pid: Some(platform.pid),
        platform_start: Some(platform.start),
        trader_pid: Some(trader.pid),
        trader_start: Some(trader.start),
    }
}

/// An address where nobody listens any more.
fn dead_address() -> String {
    let listener = std::net::TcpListener::bind((fake::http::own_loopback(), 0)).unwrap();
    format!("http://{}/graphql/v2", listener.local_addr().unwrap())
}

#[test]
fn platform_and_trader_proved_gone_is_nothing_running() {
    let (platform, trader) = (
        Process::start("exec sleep 60").end(),
        Process::start("exec sleep 60").end(),
    );
    let fake = Fake::local().with_file(|file| {
        file.endpoint = Some(dead_address());
        file.trader_url = Some(dead_address());
        file.local = Some(local_processes(&platform, &trader));
    });
    let report = kill(&fake, &["--env", "staging", "--deadline", "20s"]);
    ended(&report, Verdict::NothingRunning);
    assert_eq!(witness(&report, "process"), Some(WitnessStatus::Agrees));
}

#[test]
fn a_refused_port_alone_proves_nothing() {
    let fake = Fake::local().with_file(|file| {
        file.endpoint = Some(dead_address());
        file.trader_url = Some(dead_address());
        file.local = None;
    });
    let report = kill(&fake, &["--env", "staging", "--deadline", "400ms"]);
    ended(&report, Verdict::Failed);
}

#[test]
fn a_trader_without_its_platform_is_ended_by_signal() {
    let platform = Process::start("exec sleep 60").end();
    // Does not listen to SIGTERM: only SIGKILL ends it.
    let trader = Process::start("trap '' TERM; while :; do sleep 0.01; done");
    let identity = trader.identity();
    let fake = Fake::local().with_file(|file| {
        file.endpoint = Some(dead_address());
        file.trader_url = Some(dead_address());
        file.local = Some(local_processes(&platform, &identity));
    });
    let report = kill(&fake, &["--env", "staging", "--deadline", "20s"]);
    ended(&report, Verdict::Verified);
    assert_eq!(identity.life(), launch_kill::process::Life::Gone);
}

#[test]
fn a_process_that_outlives_its_platforms_word_is_ended() {
    let trader = Process::start("exec sleep 60");
    let identity = trader.identity();
    let fake = Fake::local().with_file(|file| {
        file.local = Some(local_processes(&identity, &identity));
    });
    let report = kill(&fake, &["--env", "staging", "--deadline", "20s"]);
    ended(&report, Verdict::Verified);
    assert_eq!(identity.life(), launch_kill::process::Life::Gone);
}

fn frozen(fake: &Fake) -> bool {
    freeze::read_local(&fake.dir(), &staging()).is_frozen()
}

#[test]
fn a_check_names_what_is_odd() {
    let fake = Fake::railway().with_file(|file| file.schema_version = 9);
    let token = fake.dir().token_path(TokenFile::Halt, &staging());
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let endpoint = fake.platform.url("/graphql/v2");
    let line = [
        "launch-kill",
        "--env",
        "staging",
        "--check",
        "--endpoint",
        &endpoint,
    ];
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
    let asked = launch_kill::check(&args, &around, &pace, &progress);
    let report = runtime.block_on(asked).unwrap();
    for what in ["kill_file", "token_file"] {
        let found = report
            .findings
            .iter()
            .find(|finding| finding.what == what)
            .unwrap();
        assert_eq!(
            found.status,
            launch_kill::FindingStatus::Warning,
            "{found:?}"
        );
    }
    assert!(report.ready, "odd, and it would work: {report:#?}");
    // An environment that nobody knows is no answer of any kind.
    let unknown = launch_kill::check_env(Some("other"), &around);
    assert!(runtime.block_on(unknown).is_err());
}

#[test]
fn a_check_changes_nothing() {
    let fake = Fake::local();
    let args = Cli::try_parse_from(["launch-kill", "--env", "staging", "--check"])
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
    let progress = Progress::silent();
    let report = runtime
        .block_on(launch_kill::check(&args, &around, &pace(), &progress))
        .unwrap();
    assert!(report.ready, "{report:#?}");
    assert!(fake.trader_lives() && fake.world.lock().unwrap().halted.is_none());
    let reads = ["ProjectToken", "ServiceInstance", "Deployments"];
    assert!(
        fake.operations()
            .iter()
            .all(|operation| reads.contains(&operation.as_str()))
    );
    assert!(!fake.folder.path().join("receipts").exists() && !frozen(&fake));
    let status = |what: &str| {
        let found = report.findings.iter().find(|finding| finding.what == what);
        found.map(|finding| finding.status)
    };
    for what in [
        "kill_file",
        "token",
        "service",
        "deployments",
        "trader",
        "state_dir",
        "venue",
    ] {
        assert_eq!(
            status(what),
            Some(launch_kill::FindingStatus::Ok),
            "{what}: {report:#?}"
        );
    }
    assert_eq!(
        status("clock"),
        Some(launch_kill::FindingStatus::Missing),
        "it sends no date"
    );
    let fake = fake.with(|world| world.takes_halt = false);
    let report = runtime
        .block_on(launch_kill::check(&args, &around, &pace(), &progress))
        .unwrap();
    assert!(
        !report.ready,
        "a halt token that is refused is found before it is needed"
    );
    drop(fake);
}

#[test]
fn a_scoped_stop_touches_one_deployment() {
    let fake = Fake::local().with(|world| world.deployments.push(running("d2")));
    let stop = launch_kill::Stop {
        env: "staging".into(),
        is_local: true,
        endpoint: launch_kill::Endpoint::parse(&fake.platform.url("/graphql/v2")).unwrap(),
        auth: launch_kill::Auth::Project(Secret::new("platform-token-1").unwrap()),
        ids: launch_kill::ServiceIds {
            project_id: Some(fake::PROJECT.into()),
            environment_id: fake::ENVIRONMENT.into(),
            service_id: fake::SERVICE.into(),
        },
        deployment_id: "d1".into(),
        trader_url: launch_kill::Endpoint::parse(&fake.trader.url("/")).ok(),
        instance_nonce: Some(NONCE.into()),
        halt_token: Secret::new("halt-token-1"),
        trader_process: None,
        may_be_live: false,
        reason: "not verified".into(),
        by: "launch deploy".into(),
        deadline: Duration::from_secs(3),
        pace: pace(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let report = runtime.block_on(launch_kill::stop_deployment(stop));
    ended(&report, Verdict::Verified);
    let world = fake.world.lock().unwrap();
    assert!(world.deployments[0].stopped && !world.deployments[1].stopped);
    assert!(
        world.auto_deploy && world.variables.is_empty(),
        "no freeze, nothing else is changed"
    );
}

/// A watchdog that answers `/revoke`, as the only witness of a kill on Railway whose trader is at
/// `trader_url`.
fn with_watchdog(
    frozen: bool,
    expires_in_ms: i64,
    trader_url: Option<String>,
) -> (Fake, fake::http::Server) {
    let watchdog = fake::http::Server::start(move |request| {
        assert_eq!(request.path, "/revoke");
        let answer =
            serde_json::json!({"frozen": frozen, "last_grant_expires_in_ms": expires_in_ms});
        fake::http::Reply::Json(200, answer.to_string())
    });
    let url = watchdog.url("/");
    let fake = Fake::railway().with_file(|file| {
        file.trader_url = trader_url;
        file.watchdog_url = Some(url);
    });
    (fake, watchdog)
}

#[test]
fn a_watchdog_whose_last_lease_has_expired_is_a_witness() {
    let (fake, watchdog) = with_watchdog(true, 300, Some(dead_address()));
    let report = kill_railway(&fake, &[]);
    ended(&report, Verdict::Verified);
    assert!(
        report.elapsed_ms >= 300,
        "not before the lease has expired: {}",
        report.elapsed_ms
    );
    drop(watchdog);
}

#[test]
fn an_expired_lease_alone_says_nothing_about_a_process() {
    let hung = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/", hung.local_addr().unwrap());
    for address in [None, Some(silent)] {
        let (fake, watchdog) = with_watchdog(true, 0, address);
        let report = kill_railway(&fake, &["--deadline", "2s"]);
        ended(&report, Verdict::PlatformOnly);
        assert_eq!(
            witness(&report, "watchdog"),
            Some(WitnessStatus::Consistent)
        );
        drop(watchdog);
    }
}

#[test]
fn a_stop_that_is_only_reported_is_followed_by_a_removal_while_the_trader_answers() {
    let fake = Fake::railway().with(|world| world.stop = Effect::ReportedOnly);
    let report = kill_railway(&fake, &["--deadline", "5s"]);
    ended(&report, Verdict::Verified);
    assert!(fake.count("DeploymentRemove") > 0 && !fake.trader_lives());
}

#[test]
fn a_watchdog_that_does_not_say_it_is_frozen_proves_nothing() {
    let (fake, watchdog) = with_watchdog(false, 0, Some(dead_address()));
    ended(&kill_railway(&fake, &[]), Verdict::PlatformOnly);
    drop(watchdog);
}

#[test]
fn an_accepted_stop_escalates_even_where_nothing_can_be_read() {
    let fake = Fake::local().with(|world| {
        world.wire = Wire::ReadsHang;
        world.stop = Effect::AcknowledgedOnly;
    });
    let report = kill(&fake, &["--env", "staging", "--deadline", "700ms"]);
    ended(&report, Verdict::Unverified);
    assert!(fake.count("DeploymentRemove") > 0 && !fake.trader_lives());
}

#[test]
fn the_json_report_has_the_contracts_members() {
    let fake = Fake::local();
    let report = kill_with(&fake, &["--env", "staging"], &[]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    let names = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&json), ["schema_version", "targets", "verdict"]);
    let mut wanted = vec![
        "env",
        "verdict",
        "reason",
        "started_at",
        "elapsed_ms",
        "deadline_ms",
        "first_ack_ms",
        "paths",
        "deployments",
        "witnesses",
        "open_orders",
        "positions",
        "changed",
        "may_restart",
        "runbook",
    ];
    wanted.sort_unstable();
    let target = &json["targets"][0];
    let mut found = names(target);
    found.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(target["verdict"], "verified");
    assert_eq!(target["paths"][2]["status"], "not_configured");
    assert!(target["deployments"][0].get("final").is_some());
    let text = launch_kill::render::report(&report, false);
    assert!(text.starts_with("staging: VERIFIED stopped in "), "{text}");
}
