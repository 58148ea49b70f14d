//! The stand-alone binary in hostile surroundings: no environment, no reader, signals.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails here, with its line"
)]
#![expect(dead_code, reason = "the fake serves another test crate too")]

mod fake;

use fake::{Fake, Wire};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The binary without any environment, standard input closed.
fn launch_kill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_launch-kill"));
    command.env_clear().stdin(Stdio::null()).current_dir("/");
    command
}

fn against(fake: &Fake, flags: &[&str]) -> Command {
    let mut command = launch_kill();
    command
        .arg("--state-dir")
        .arg(fake.folder.path())
        .args(["--env", "staging"])
        .args(flags);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn without_home_and_environment_it_says_what_is_missing() {
    let output = launch_kill().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("RAILWAY_TOKEN"),
        "{}",
        stderr(&output)
    );
    assert!(output.stdout.is_empty());
}

#[test]
fn json_keeps_its_form_when_nothing_could_be_asked() {
    let output = launch_kill().args(["--format", "json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), json["verdict"].as_str()),
        (Some(2), Some("failed"))
    );
    assert_eq!(json["targets"], serde_json::json!([]));
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    let output = launch_kill().arg("--flaten").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn it_stops_and_proves_without_any_environment() {
    let fake = Fake::local();
    let output = against(&fake, &["--settle", "0", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["verdict"], "verified");
    assert!(
        stderr(&output).starts_with("launch kill stops staging (local)"),
        "{}",
        stderr(&output)
    );
    assert!(!fake.trader_lives());
    let all = format!(
        "{}{}",
        String::from_utf8(output.stdout.clone()).unwrap(),
        stderr(&output)
    );
    assert!(!all.contains("halt-token-1") && !all.contains("platform-token-1"));
}

#[test]
fn nobody_reads_and_it_stops_all_the_same() {
    let fake = Fake::local();
    let mut child = against(&fake, &["--settle", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(!fake.trader_lives());
}

#[test]
fn an_interrupt_after_the_lease_was_revoked_does_not_end_it() {
    // Nothing is known that could be stopped yet; the watchdog has been told all the same.
    let revoked = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&revoked);
    let watchdog = fake::http::Server::start(move |_| {
        seen.store(true, Ordering::SeqCst);
        fake::http::Reply::Json(200, r#"{"frozen": true}"#.into())
    });
    let fake = Fake::railway()
        .with(|world| world.wire = Wire::Hangs)
        .with_file(|file| {
            file.deployment_id = None;
            file.trader_url = None;
            file.watchdog_url = Some(watchdog.url("/"));
        });
    let endpoint = fake.platform.url("/graphql/v2");
    let mut child = against(&fake, &["--deadline", "600ms", "--endpoint", &endpoint])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !revoked.load(Ordering::SeqCst) && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn an_interrupt_after_the_first_request_does_not_end_it() {
    let fake = Fake::railway().with(|world| world.wire = Wire::Hangs);
    let endpoint = fake.platform.url("/graphql/v2");
    let start = Instant::now();
    let mut child = against(&fake, &["--deadline", "600ms", "--endpoint", &endpoint])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while fake.world.lock().unwrap().halted.is_none() && start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let process = rustix::process::Pid::from_child(&child);
    for signal in [
        rustix::process::Signal::INT,
        rustix::process::Signal::TERM,
        rustix::process::Signal::HUP,
    ] {
        rustix::process::kill_process(process, signal).unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(7));
    assert!(
        start.elapsed() >= Duration::from_millis(590),
        "it went on to its deadline"
    );
}

#[test]
fn a_read_only_state_directory_does_not_fail_the_kill() {
    let fake = Fake::local();
    // Files where directories are wanted: not even root can write there.
    std::fs::write(fake.folder.path().join("receipts"), "x").unwrap();
    std::fs::create_dir(fake.folder.path().join("freeze-staging.json")).unwrap();
    let output = against(&fake, &["--settle", "0", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = json["targets"][0]["may_restart"].to_string();
    assert!(
        told.contains("the freeze could not be written here"),
        "{told}"
    );
}

/// A kill of a platform that never answers, whose trader has acknowledged a halt: it has asked, and
/// would go on to its deadline.
fn in_the_middle(fake: &Fake) -> std::process::Child {
    let endpoint = fake.platform.url("/graphql/v2");
    let flags = [
        "--deadline",
        "20s",
        "--endpoint",
        &endpoint,
        "--format",
        "json",
    ];
    let child = against(fake, &flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while fake.world.lock().unwrap().halted.is_none() && start.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

fn signal(child: &std::process::Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
    // Two signals of one kind that wait together are one.
    std::thread::sleep(Duration::from_millis(200));
}

#[test]
fn a_second_interrupt_ends_it_at_once_unproved() {
    for kind in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let fake = Fake::railway().with(|world| world.wire = Wire::Hangs);
        let mut child = in_the_middle(&fake);
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() && start.elapsed() < Duration::from_secs(10) {
            signal(&child, kind);
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7));
        assert!(start.elapsed() < Duration::from_secs(10), "it did not wait");
        let told = stderr(&output);
        assert!(told.contains("may still run: staging"), "{told}");
        assert!(told.contains("the stop is on its way"), "{told}");
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["targets"][0]["verdict"], "unverified", "{json:#}");
        assert_eq!(json["targets"][0]["env"], "staging", "{json:#}");
    }
}

#[test]
fn an_interrupt_before_the_first_request_that_stops_is_130() {
    for kind in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        // Ids are asked for, and nobody answers: until then nothing can be asked to stop.
        let fake = Fake::railway().with(|world| world.wire = Wire::Hangs);
        let mut child = launch_kill()
            .env("RAILWAY_TOKEN", "platform-token-1")
            .args(["--format", "json", "--endpoint"])
            .arg(fake.platform.url("/graphql/v2"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let in_time = || start.elapsed() < Duration::from_secs(10);
        while fake.operations().is_empty() && in_time() {
            std::thread::sleep(Duration::from_millis(2));
        }
        while child.try_wait().unwrap().is_none() && in_time() {
            signal(&child, kind);
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
        assert!(stderr(&output).contains("nothing was asked to stop"));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["targets"], serde_json::json!([]));
        let is_harmless = |op: &String| op == "ProjectToken" || op == "TokenOverview";
        assert!(fake.operations().iter().all(is_harmless));
    }
}

#[test]
fn a_closed_terminal_ends_no_kill() {
    let fake = Fake::railway().with(|world| world.wire = Wire::Hangs);
    let mut child = in_the_middle(&fake);
    for _ in 0..3 {
        signal(&child, rustix::process::Signal::HUP);
    }
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    signal(&child, rustix::process::Signal::INT);
    signal(&child, rustix::process::Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
fn a_slip_of_the_pen_leaves_a_doubt_whatever_the_variables_name() {
    let fake = Fake::railway();
    let endpoint = fake.platform.url("/graphql/v2");
    let mut command = launch_kill();
    command
        .arg("--state-dir")
        .arg(fake.folder.path())
        .args(["--env", "stagin", "--settle", "0", "--deadline", "5s"])
        .args([
            "--endpoint",
            &endpoint,
            "--trader-url",
            &fake.trader.url("/"),
        ]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean `staging`?"),
        "{}",
        stderr(&output)
    );
    let ids = [
        ("RAILWAY_TOKEN", "platform-token-1"),
        ("RAILWAY_PROJECT_ID", fake::PROJECT),
        ("RAILWAY_ENVIRONMENT_ID", fake::ENVIRONMENT),
        ("RAILWAY_SERVICE_ID", fake::SERVICE),
        ("LAUNCH_HALT_TOKEN", "halt-token-1"),
    ];
    let output = command.envs(ids).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert!(!fake.trader_lives(), "what the variables name is stopped");
}

#[test]
fn the_card_is_one_page_without_secrets_whatever_is_known() {
    let fake = Fake::railway();
    let uuid = "8d1a05cc-29ec-4f39-bd4e-b9d4a6c5f5e8";
    let fake = fake.with_file(|file| {
        file.project_id = Some(uuid.into());
        file.environment_id = Some(uuid.into());
        file.service_id = Some(uuid.into());
        file.deployment_id = Some(uuid.into());
        file.trader_url = Some("https://trader-production-1a2b.up.railway.app".into());
        file.dashboard_url = Some(format!(
            "https://railway.com/project/{uuid}/service/{uuid}?environmentId={uuid}"
        ));
    });
    let fill = ["--card", "--repository", "https://github.com/me/trader"];
    let local = Fake::local();
    for output in [
        against(&fake, &fill).output().unwrap(),
        against(&local, &["--card"]).output().unwrap(),
        launch_kill().arg("--card").output().unwrap(),
    ] {
        assert_eq!(output.status.code(), Some(0));
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.lines().count() <= 60, "{page}");
        for line in page.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for part in [
            "launch kill --env",
            "launch-kill",
            "curl",
            "RAILWAY_TOKEN",
            "reenable",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        for verdict in [
            "verified",
            "nothing_running",
            "reduced",
            "platform_only",
            "failed",
        ] {
            assert!(page.contains(verdict), "{verdict}: {page}");
        }
        for secret in ["platform-token-1", "halt-token-1"] {
            assert!(!page.contains(secret), "{page}");
        }
    }
    assert_eq!(
        fake.world.lock().unwrap().requests.len(),
        0,
        "nobody was asked"
    );
}

#[test]
fn an_empty_card_says_how_to_fill_it() {
    let output = launch_kill().arg("--card").output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    assert!(
        page.contains("NOT FILLED IN") && page.contains("--service-id ________"),
        "{page}"
    );
    let ids = [
        "--card",
        "--service-id",
        "s-1",
        "--environment-id",
        "e-1",
        "--format",
        "json",
    ];
    let output = launch_kill().args(ids).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["cards"][0]["is_filled"], true, "{json:#}");
    assert_eq!(json["cards"][0]["service_id"], "s-1");
}

#[test]
fn an_id_that_is_shell_stays_off_the_paper() {
    for flag in ["--card", "--print-curl"] {
        let output = launch_kill()
            .args([flag, "--service-id", "$(reboot)"])
            .output()
            .unwrap();
        let page = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(!page.contains("reboot"), "{page}");
        assert!(stderr(&output).contains("is no id"), "{}", stderr(&output));
    }
}

#[test]
fn a_check_ends_with_what_it_found_and_writes_nothing() {
    let fake = Fake::local();
    let files = || std::fs::read_dir(fake.folder.path()).unwrap().count();
    let before = files();
    let code = |fake: &Fake| against(fake, &["--check"]).output().unwrap().status.code();
    assert_eq!(code(&fake), Some(0));
    assert_eq!(files(), before);
    let fake = fake.with(|world| world.takes_halt = false);
    assert_eq!(code(&fake), Some(3));
    let nothing = launch_kill().arg("--check").output().unwrap();
    assert_eq!(nothing.status.code(), Some(2));
}
