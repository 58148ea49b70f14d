//! How fast the kill is, beside the five serial requests of Railway's own command line.
//!
//! `cargo bench --bench kill`. Builds the stand-alone binary in the dist profile and runs it
//! against a fake platform on loopback whose every answer takes 0 or 50 ms. Prints figures, limits
//! and the worse of them; writes nothing, and fails on nothing but a kill that does not kill: a
//! loaded machine is no defect. Figures of record: `BENCHMARKS.md`.
//!
//! The stand-in has the shape of `railway down` (CLI 5.71.0, read from its source): project token,
//! project, project again, deployments, remove; one after the other over three HTTP clients. It
//! starts no process, speaks no TLS and verifies nothing, so it flatters the original.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench that cannot go on fails here, and its figures are its output"
)]
#![expect(dead_code, reason = "the fake serves the tests too")]

#[path = "../tests/fake/mod.rs"]
mod fake;

use fake::Fake;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs per figure; the median is shown.
const RUNS: usize = 21;
/// What loopback, process start and two busy cores may add to the injected delays.
const SLACK_MS: f64 = 15.0;
/// Polling of `Pace::default()`, and the shortest settle window that can be asked for.
const POLL_MS: f64 = 500.0;
/// The service of the fake; nothing else is told where ids are not known.
const SERVICE_FLAGS: &[&str] = &["--service-id", fake::SERVICE];

/// What one kill took, from the start of its process.
#[derive(Debug, Clone, Copy)]
struct Figures {
    /// To the arrival of the first stop.
    wire_ms: f64,
    /// To the first acknowledgement, as reported.
    ack_ms: f64,
    /// To the verdict, as reported.
    verdict_ms: f64,
    /// Most memory that was resident, MB; the last that could be read.
    resident_mb: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    /// A kill file with all of them.
    Known,
    /// A token and a service, nothing else.
    TokenOnly,
}

fn main() {
    let binary = dist_binary();
    println!("median of {RUNS} runs; load {}", load());
    println!("{:<58} {:>9} {:>9}", "", "measured", "limit");
    for delay in [0_u32, 50] {
        let five = median(RUNS, || five_serial_requests(delay));
        let delay_ms = f64::from(delay);
        let known = figures(&binary, delay, Ids::Known, false);
        let unknown = figures(&binary, delay, Ids::TokenOnly, false);
        println!("-- {delay} ms per request");
        println!(
            "{:<58} {five:>6.1} ms",
            "stand-in for `railway down` (proves nothing)"
        );
        if delay == 0 {
            line("first stop on the wire, http", known.wire_ms, "ms", 8.0);
            let tls = figures(&binary, delay, Ids::Known, true);
            line("first stop on the wire, TLS", tls.wire_ms, "ms", 45.0);
            line("stop acknowledged, TLS, ids known", tls.ack_ms, "ms", 45.0);
            line("resident at most", tls.resident_mb, "MB", 20.0);
        }
        let (one, two) = (1.3 * delay_ms + SLACK_MS, 2.5 * delay_ms + SLACK_MS);
        line("stop acknowledged, ids known", known.ack_ms, "ms", one);
        line(
            "stop acknowledged, token and service only",
            unknown.ack_ms,
            "ms",
            two,
        );
        println!(
            "{:<58} {:>8.1}x",
            "  five serial requests / stop acknowledged",
            five / known.ack_ms
        );
        // The fake reports a stop with the second read after it: one poll; then two clear ones.
        let reporting = POLL_MS + delay_ms;
        let limit = reporting + 2.0 * (POLL_MS + delay_ms) + SLACK_MS + delay_ms;
        line("verified, settle 0", known.verdict_ms, "ms", limit);
    }
    let bytes = std::fs::metadata(&binary).unwrap().len();
    let size_mb = f64::from(u32::try_from(bytes).unwrap()) / 1e6;
    line("stand-alone binary, dist profile", size_mb, "MB", 8.0);
}

fn line(what: &str, measured: f64, unit: &str, limit: f64) {
    let verdict = if measured <= limit { "PASS" } else { "over" };
    println!("{what:<58} {measured:>6.1} {unit} {limit:>6.1} {unit}  {verdict}");
}

/// The load of the last minute, so that figures can be judged.
fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("unknown").to_owned()
}

/// Builds the binary as it is handed out and returns its path.
fn dist_binary() -> PathBuf {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--profile", "dist"])
        .args(["--package", "launch-kill", "--bin", "launch-kill"])
        .status();
    assert!(
        built.unwrap().success(),
        "the stand-alone binary does not build"
    );
    // target/release/deps/kill-… → target/dist/launch-kill
    let own = std::env::current_exe().unwrap();
    let target = own.ancestors().nth(3).map(Path::to_owned).unwrap();
    target.join("dist").join("launch-kill")
}

/// Medians over kills of fresh fakes.
fn figures(binary: &Path, delay: u32, ids: Ids, is_tls: bool) -> Figures {
    let all: Vec<Figures> = (0..RUNS)
        .map(|_| one_kill(binary, delay, ids, is_tls))
        .collect();
    let of = |member: fn(&Figures) -> f64| middle(all.iter().map(member).collect());
    Figures {
        wire_ms: of(|one| one.wire_ms),
        ack_ms: of(|one| one.ack_ms),
        verdict_ms: of(|one| one.verdict_ms),
        resident_mb: of(|one| one.resident_mb),
    }
}

fn one_kill(binary: &Path, delay: u32, ids: Ids, is_tls: bool) -> Figures {
    let fake = Fake::railway().with(|world| {
        world.delay = Duration::from_millis(u64::from(delay));
    });
    let fake = fake.with_file(|file| file.trader_url = None);
    let address = if is_tls {
        format!("https://{}", fake::tls::in_front_of(&fake.platform))
    } else {
        fake.platform.url("")
    };
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("SSL_CERT_FILE", fake::tls::ca_file())
        .args(["--settle", "0", "--format", "json", "--deadline", "20s"])
        .args([
            "--endpoint",
            &format!("{address}/graphql/v2"),
            "--state-dir",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    match ids {
        Ids::Known => command.arg(fake.folder.path()).args(["--env", "staging"]),
        Ids::TokenOnly => command
            .arg(fake.folder.path().join("empty"))
            .env("RAILWAY_TOKEN", "platform-token-1")
            .args(SERVICE_FLAGS),
    };
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let resident_mb = watch_memory(&mut child);
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let world = fake.world.lock().unwrap();
    let stop = world
        .requests
        .iter()
        .find(|(_, op, ..)| op == "DeploymentStop");
    let (at, ..) = stop.unwrap();
    let reported = |name: &str| {
        report
            .pointer(&format!("/targets/0/{name}"))
            .and_then(Value::as_f64)
    };
    assert_eq!(
        report["verdict"], "platform_only",
        "the fake has no witness: {report}"
    );
    Figures {
        wire_ms: ms(*at - start),
        ack_ms: reported("first_ack_ms").unwrap(),
        verdict_ms: reported("elapsed_ms").unwrap(),
        resident_mb,
    }
}

/// Waits for the end of the child; returns the most memory that it was seen to hold (`VmHWM`).
fn watch_memory(child: &mut Child) -> f64 {
    let mut most = 0.0_f64;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(kilobytes.unwrap_or(0.0) / 1000.0);
        std::thread::sleep(Duration::from_millis(5));
    }
    most
}

/// Project token, project, project again, deployments, remove: over three clients.
fn five_serial_requests(delay: u32) -> f64 {
    let fake = Fake::railway().with(|world| world.delay = Duration::from_millis(u64::from(delay)));
    let address = reqwest::Url::parse(&fake.platform.url("/graphql/v2")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let list = json!({"input": {"environmentId": fake::ENVIRONMENT, "serviceId": fake::SERVICE}});
    let start = Instant::now();
    runtime.block_on(async {
        let clients: Vec<reqwest::Client> = (0..3)
            .map(|_| reqwest::Client::builder().no_proxy().build().unwrap())
            .collect();
        for (client, operation, variables) in [
            (0, "ProjectToken", json!({})),
            // The fake has no `project`: a read of the same size stands for it.
            (
                0,
                "EnvironmentServices",
                json!({"environmentId": fake::ENVIRONMENT}),
            ),
            (
                1,
                "EnvironmentServices",
                json!({"environmentId": fake::ENVIRONMENT}),
            ),
            (2, "Deployments", list),
            (2, "DeploymentRemove", json!({"id": "d1"})),
        ] {
            let body = json!({"operationName": operation, "variables": variables,
                "query": format!("\nmutation {operation}")});
            let request = clients
                .get(client)
                .unwrap()
                .post(address.clone())
                .body(body.to_string());
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success());
            drop(answer.bytes().await.unwrap());
        }
    });
    ms(start.elapsed())
}

fn median(runs: usize, mut one: impl FnMut() -> f64) -> f64 {
    middle((0..runs).map(|_| one()).collect())
}

fn middle(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}
