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
    let output = launch_kill().arg("--flatten").output().unwrap();
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
