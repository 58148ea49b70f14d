//! What an operator relies on in a running trader: it halts and stays halted, one instance trades at a
//! time, nothing is entered without a lease, and whatever cannot be used is refused with one sentence.
//!
//! Every test runs the real program as child processes on loopback ports; no time is waited for that
//! the program does not need.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on must say where"
)]

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use trader_core::units::{EpochMs, Usd};
use trader_runtime::ledger_store::LedgerStore;

const HALT: &str = "halt-token-for-tests";
const CONTROL: &str = "control-token-for-tests";

/// Longest wait for anything that a trader does, s.
const PATIENCE_SECS: u64 = 20;

/// A running `launch trade --mode paper`.
struct Trader {
    child: Child,
    base: String,
    log: std::sync::mpsc::Receiver<String>,
}

/// The program with an environment of its own. Without `HOME`: a trader keeps its state on the volume
/// and needs no other place.
fn launch(volume: &Path, extra: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_launch"));
    command
        .env_clear()
        .env("LAUNCH_MANIFEST", staging())
        .env("LAUNCH_FEED", "generator:7")
        .env("LAUNCH_HALT_TOKEN", HALT)
        .env("LAUNCH_CONTROL_TOKEN", CONTROL)
        .env("LAUNCH_LISTEN", "127.0.0.1:0")
        .env("RAILWAY_DEPLOYMENT_ID", "d1")
        .env("RAILWAY_VOLUME_MOUNT_PATH", volume)
        .envs(extra.iter().copied())
        .args(["trade", "--mode", "paper"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn staging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/staging.toml")
}

impl Trader {
    fn start(volume: &Path, extra: &[(&str, &str)]) -> Self {
        let mut child = launch(volume, extra).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (to, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        let mut trader = Self {
            child,
            base: String::new(),
            log,
        };
        let line = trader.wait_for_line("listening");
        trader.base = format!("http://{}", line["address"].as_str().unwrap());
        trader
    }

    fn wait_for_line(&self, message: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(PATIENCE_SECS);
        let mut seen = Vec::new();
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let Ok(line) = self.log.recv_timeout(left) else {
                break;
            };
            let value: Value = serde_json::from_str(&line).unwrap_or_default();
            if value["message"]
                .as_str()
                .is_some_and(|text| text.starts_with(message))
            {
                return value;
            }
            seen.push(line);
        }
        panic!("the trader never said {message:?}: {seen:#?}");
    }

    fn ready(self) -> Self {
        self.wait_for_line("ready");
        self
    }

    fn get(&self, path: &str) -> Value {
        let (status, value) = self.call(path, HALT, None);
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, value) = self.call(path, CONTROL, Some(body));
        assert_eq!(status, 200, "{path}: {value}");
        value
    }

    fn call(&self, path: &str, token: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.base);
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let client = reqwest::Client::new();
                let request = match body {
                    Some(body) => client.post(url).body(body.to_string()),
                    None => client.get(url),
                };
                let request = request.header("authorization", format!("Bearer {token}"));
                let response = request.send().await.unwrap();
                let status = response.status().as_u16();
                (
                    status,
                    serde_json::from_str(&response.text().await.unwrap()).unwrap(),
                )
            })
    }

    fn lease(&self) -> Value {
        let nonce = self.get("/health")["instance_nonce"].clone();
        self.post(
            "/lease",
            &json!({"holder": "test", "deployment_id": "d1", "instance_nonce": nonce, "ttl_ms": 15000}),
        )
    }

    fn halt(&self, reduce_only: bool) -> Value {
        self.post(
            "/halt",
            &json!({"reason": "test", "by": "ann", "reduce_only": reduce_only}),
        )
    }

    fn kill_nine(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn terminate(mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Trader {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_halt_survives_kill_nine_and_only_reenable_lifts_it() {
    let volume = tempfile::tempdir().unwrap();
    let trader = Trader::start(volume.path(), &[]).ready();
    assert_eq!(trader.lease()["accepted"], true);
    assert_eq!(trader.halt(false)["halted"], true);
    assert_eq!(trader.lease()["accepted"], false, "no lease after a halt");
    let standby = Trader::start(volume.path(), &[]);
    standby.wait_for_line("standby");
    let health = standby.get("/health");
    assert_eq!(
        health["halted"]["by"], "ann",
        "a standby knows the ledger: {health}"
    );
    standby.kill_nine();
    trader.kill_nine();

    let trader = Trader::start(volume.path(), &[]);
    let ready = trader.wait_for_line("ready");
    assert_eq!(
        ready["halted"], true,
        "before any lease can be asked for: {ready}"
    );
    let health = trader.get("/health");
    assert_eq!(health["halted"]["by"], "ann", "{health}");
    assert_eq!(health["halted"]["reduce_only"], false);
    assert_eq!(trader.lease()["accepted"], false);
    let ask = json!({"reason": "looked at it", "by": "ann", "freeze_id": "f1"});
    assert_eq!(
        trader.call("/reenable", HALT, Some(&ask)).0,
        401,
        "the halt token only stops"
    );
    assert_eq!(trader.post("/reenable", &ask)["reenabled"], true);
    assert_eq!(trader.get("/health")["halted"], Value::Null);
    assert_eq!(trader.lease()["accepted"], true);
    trader.kill_nine();

    let trader = Trader::start(volume.path(), &[]).ready();
    assert_eq!(
        trader.get("/health")["halted"],
        Value::Null,
        "re-enabled durably"
    );
}

#[tokio::test]
async fn health_shows_the_end_of_a_halt_as_soon_as_it_is_answered() {
    let volume = tempfile::tempdir().unwrap();
    let trader = Trader::start(volume.path(), &[]).ready();
    let client = reqwest::Client::new();
    let ask = async |request: reqwest::RequestBuilder| -> Value {
        let answer = request.bearer_auth(CONTROL).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    let url = |path: &str| format!("{}{path}", trader.base);
    let halt = json!({"reason": "r", "by": "ann", "reduce_only": true}).to_string();
    let lift = json!({"reason": "r", "by": "ann", "freeze_id": "f1"}).to_string();
    // One client and many rounds: the gap between answer and health is a fraction of a millisecond.
    for round in 0..200 {
        ask(client.post(url("/halt")).body(halt.clone())).await;
        ask(client.post(url("/reenable")).body(lift.clone())).await;
        let health = ask(client.get(url("/health"))).await;
        assert_eq!(health["halted"], Value::Null, "round {round}");
    }
}

#[test]
fn the_second_instance_stands_by_and_takes_over() {
    let volume = tempfile::tempdir().unwrap();
    let first = Trader::start(volume.path(), &[]).ready();
    let second = Trader::start(volume.path(), &[]);
    second.wait_for_line("standby");
    let health = second.get("/health");
    assert_eq!(health["state"], "standby");
    assert_eq!(
        health["manifest_digest"],
        first.get("/health")["manifest_digest"]
    );
    assert!(
        !health["strategies"].as_array().unwrap().is_empty(),
        "identity shows in standby"
    );
    assert!(
        second.lease()["reason"]
            .as_str()
            .unwrap()
            .starts_with("standby")
    );
    assert!(first.terminate().success());
    let second = second.ready();
    assert_eq!(second.get("/health")["state"], "ready");
    assert_eq!(second.lease()["accepted"], true);
}

#[test]
fn halting_the_standby_halts_the_instance_that_trades() {
    let volume = tempfile::tempdir().unwrap();
    let first = Trader::start(volume.path(), &[]).ready();
    assert_eq!(first.lease()["accepted"], true);
    let second = Trader::start(volume.path(), &[]);
    second.wait_for_line("standby");
    assert_eq!(second.halt(false)["halted"], true);
    let until = Instant::now() + Duration::from_secs(PATIENCE_SECS);
    while first.get("/health")["halted"].is_null() {
        assert!(Instant::now() < until, "the writer never took the note");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(first.get("/health")["lease"], Value::Null);
}

#[test]
fn sigterm_ends_with_zero() {
    let volume = tempfile::tempdir().unwrap();
    let trader = Trader::start(volume.path(), &[]).ready();
    assert_eq!(trader.terminate().code(), Some(0));
    let standby_volume = tempfile::tempdir().unwrap();
    let holder = Trader::start(standby_volume.path(), &[]).ready();
    let waiting = Trader::start(standby_volume.path(), &[]);
    waiting.wait_for_line("standby");
    assert_eq!(waiting.terminate().code(), Some(0), "a standby too");
    drop(holder);
}

#[test]
fn a_freeze_at_start_is_a_halt_until_that_freeze_is_lifted() {
    let volume = tempfile::tempdir().unwrap();
    let freeze = r#"{"id":"f7","at":"2026-11-22T10:00:00Z","by":"kill","reason":"drill"}"#;
    let extra = [("LAUNCH_FREEZE", freeze)];
    let trader = Trader::start(volume.path(), &extra).ready();
    assert_eq!(trader.get("/health")["halted"]["by"], "kill");
    assert_eq!(trader.lease()["accepted"], false);
    let ask = |id: &str| json!({"reason": "r", "by": "ann", "freeze_id": id});
    assert_eq!(trader.post("/reenable", &ask("f6"))["reenabled"], false);
    assert_eq!(trader.post("/reenable", &ask("f7"))["reenabled"], true);
    trader.kill_nine();
    let trader = Trader::start(volume.path(), &extra).ready();
    assert_eq!(
        trader.get("/health")["halted"],
        Value::Null,
        "the ledger knows that f7 was lifted"
    );
    trader.kill_nine();
    let unreadable = Trader::start(volume.path(), &[("LAUNCH_FREEZE", "{oops")]).ready();
    assert_eq!(unreadable.get("/health")["halted"]["reduce_only"], false);
}

#[test]
fn health_tells_who_runs_and_what_is_effective() {
    let volume = tempfile::tempdir().unwrap();
    let trader = Trader::start(volume.path(), &[("RAILWAY_GIT_COMMIT_SHA", "abc")]).ready();
    let health = trader.get("/health");
    assert_eq!(health["platform_commit"], "abc");
    assert_eq!(health["deployment_id"], "d1");
    assert_eq!(health["mode"], "paper");
    assert_eq!(health["feed"], "generator:7");
    let program = std::fs::read(env!("CARGO_BIN_EXE_launch")).unwrap();
    assert_eq!(
        health["trader_sha256"],
        trader_core::digest::sha256(&program)
    );
    let declared = trader_runtime::manifest_files::read(&staging()).unwrap();
    assert_eq!(health["manifest_digest"], declared.digest);
    assert_eq!(health["effective"], json!(declared.manifest.flattened()));
    let live = trader.call("/health/live", "no-token-needed-here", None).1;
    assert_eq!(live["nonce"], health["instance_nonce"]);
}

#[test]
fn planted_faults_show_and_do_what_they_say() {
    let volume = tempfile::tempdir().unwrap();
    let fault = [("LAUNCH_REHEARSE_FAULT", "loss_after_ms:0:16.50")];
    let trader = Trader::start(volume.path(), &fault).ready();
    assert_eq!(
        trader.get("/health")["feed"],
        "generator:7 +fault:loss_after_ms:0:16.50"
    );
    trader.wait_for_line("planted loss");
    let lost: Usd = "-16.5".parse().unwrap();
    let until = Instant::now() + Duration::from_secs(PATIENCE_SECS);
    loop {
        let health = trader.get("/health");
        let pnl: Usd = health["pnl_day_usd"].as_str().unwrap().parse().unwrap();
        if pnl == lost && health["halted"]["by"] == "safeguard:daily_loss" {
            break;
        }
        assert!(Instant::now() < until, "{health}");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        trader.lease()["accepted"],
        false,
        "a latch shuts the lease out"
    );
}

#[test]
fn a_token_price_in_place_of_the_oracle_price_is_never_traded_on() {
    let volume = tempfile::tempdir().unwrap();
    let fault = [("LAUNCH_REHEARSE_FAULT", "token_price_as_oracle")];
    let trader = Trader::start(volume.path(), &fault).ready();
    assert_eq!(trader.lease()["accepted"], true);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(trader.get("/health")["orders_last_minute"], 0);
    assert!(trader.terminate().success());
    let journal = std::fs::read_dir(volume.path().join("journal")).unwrap();
    let text: String = journal
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(text.contains("oracle_out_of_range"), "{text}");
    assert!(!text.contains("\"what\":\"enter\""), "{text}");
}

#[test]
fn a_writer_that_is_fenced_off_ends_at_once() {
    let volume = tempfile::tempdir().unwrap();
    let mut trader = Trader::start(volume.path(), &[]).ready();
    let mut store = LedgerStore::open(&volume.path().join("ledger.sqlite3")).unwrap();
    store.take_fence("another", EpochMs(1)).unwrap();
    assert_eq!(trader.child.wait().unwrap().code(), Some(3));
    let last = trader.wait_for_line("trading has ended");
    assert!(
        last["message"].as_str().unwrap().contains("fenced off"),
        "{last}"
    );
}

#[test]
fn what_cannot_be_used_is_refused_with_one_sentence() {
    let volume = tempfile::tempdir().unwrap();
    let broken = volume.path().join("broken.sqlite3");
    std::fs::write(
        &broken,
        "not a ledger, but long enough to be taken for one by mistake",
    )
    .unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (name, value, part) in [
        ("LAUNCH_LEDGER", broken.to_str().unwrap(), "not a database"),
        ("LAUNCH_FEED", "venue", "only the live program"),
        (
            "LAUNCH_FEED",
            "tape:nowhere.jsonl",
            "cannot read the tape nowhere.jsonl",
        ),
        ("LAUNCH_LISTEN", address.as_str(), "cannot listen on"),
        (
            "LAUNCH_MANIFEST",
            "nowhere.toml",
            "cannot read nowhere.toml",
        ),
        ("LAUNCH_HALT_TOKEN", "short", "LAUNCH_HALT_TOKEN"),
        ("LAUNCH_REHEARSE_FAULT", "explode", "LAUNCH_REHEARSE_FAULT"),
    ] {
        let output = launch(volume.path(), &[(name, value)]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}={value}: {text}");
        let last = text.lines().last().unwrap_or_default();
        assert!(last.contains(part), "{name}={value}: {text}");
        assert!(!text.contains(CONTROL), "no secret in the log");
    }
}

#[test]
fn two_dry_runs_are_the_same_run_and_send_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |tape: &str| -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_launch"))
            .env_clear()
            .env("HOME", folder.path())
            .args([
                "trade",
                "--mode",
                "dry-run",
                "--windows",
                "3",
                "--format",
                "json",
            ])
            .args(["--feed", "generator:7", "--manifest"])
            .arg(staging())
            .arg("--tape-out")
            .arg(folder.path().join(tape))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let first = run("a");
    assert_eq!(first, run("b"));
    let tape = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert!(tape("a") == tape("b"), "the tapes differ");
    assert_eq!(first["windows"], 3);
    assert_eq!(first["sent"], 0);
    assert_eq!(first["unexplained"], 0);
    assert!(first["intents"].as_u64().unwrap() > 0, "{first}");
}

#[test]
fn mode_live_is_refused_and_says_where_it_lives() {
    let output = Command::new(env!("CARGO_BIN_EXE_launch"))
        .args(["trade", "--mode", "live"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`trader`"));
}
