//! Selling on command, with the real trader: it sells within its bound, survives SIGKILL within the
//! first bound, ends fully halted, and the stop of `launch kill --flatten` follows whatever it does.
//!
//! Positions are planted in the ledger before the trader starts; the market is the generator's.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

mod support;

use launch_kill::{Deadline, Endpoint, JsonClient, Secret};
use predicates::str::contains;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::{Project, wait_until};
use trader_core::ledger::{Record, RecordBody};
use trader_core::order::{Order, Purpose, Side};
use trader_core::units::{EpochMs, Outcome, Usd};
use trader_runtime::ledger_store::LedgerStore;

const HALT: &str = "halt-token-for-tests";
const CONTROL: &str = "control-token-for-tests";

/// Longest wait for anything that a trader does.
const PATIENCE: Duration = Duration::from_secs(30);

/// A window with less time left is not used: the test would meet its end.
const TIME_LEFT_MIN_MS: i64 = 75_000;

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The open of the running 15-minute window of the generator, with time enough left, s.
fn running_window() -> i64 {
    let (period, mut now) = (900_000, now_ms());
    let left = period - now.rem_euclid(period);
    if left < TIME_LEFT_MIN_MS {
        std::thread::sleep(Duration::from_millis(u64::try_from(left).unwrap() + 1_000));
        now = now_ms();
    }
    now.div_euclid(period) * 900
}

/// Writes a position of 10 shares of each outcome, bought at 0.99, into the ledger: at that price no
/// exit rule has anything to win, so only a flatten sells.
fn plant(ledger: &Path, open_secs: i64) {
    let mut store = LedgerStore::open(ledger).unwrap();
    let first = store
        .replay()
        .unwrap()
        .last()
        .map_or(1, |record| record.seq + 1);
    let at = EpochMs(open_secs * 1_000);
    let mut bodies = Vec::new();
    for (sequence, outcome) in [(901, Outcome::Up), (902, Outcome::Down)] {
        let digit = if outcome == Outcome::Up { 1 } else { 2 };
        let order = Order {
            id: format!("btc-15m-{open_secs}/probability-model/{sequence}")
                .parse()
                .unwrap(),
            token: format!("115{open_secs}{digit}").parse().unwrap(),
            outcome,
            side: Side::Buy,
            purpose: Purpose::Entry,
            price: "0.99".parse().unwrap(),
            shares: "10".parse().unwrap(),
            expires_at: at.plus_ms(10_000),
            worst_cost: "9.91".parse().unwrap(),
        };
        let fill = RecordBody::Fill {
            id: order.id.clone(),
            fill_id: format!("planted-{sequence}"),
            price: order.price,
            shares: order.shares,
            fee: Usd::ZERO,
            provisional: false,
        };
        bodies.extend([RecordBody::Intent { order }, fill]);
    }
    let records: Vec<Record> = (first..)
        .zip(bodies)
        .map(|(seq, body)| Record {
            version: 1,
            seq,
            t_ms: at,
            body,
        })
        .collect();
    let fence = store.take_fence("planted", at).unwrap();
    store.append(fence, &records).unwrap();
}

/// The staging manifest of this repository with exits that never fire and another bound.
fn manifest(folder: &Path, flatten_secs: u32) -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    let text = std::fs::read_to_string(ours.join("staging.toml")).unwrap();
    let text = patient(&text).replace(
        "flatten_secs = 20",
        &format!("flatten_secs = {flatten_secs}"),
    );
    let strategies = folder.join("strategies");
    std::fs::create_dir_all(&strategies).unwrap();
    for file in std::fs::read_dir(ours.join("strategies")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), strategies.join(file.file_name())).unwrap();
    }
    let path = folder.join("staging.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn patient(manifest: &str) -> String {
    manifest
        .replace("stop_loss = \"0.20\"", "stop_loss = \"0.99\"")
        .replace("take_profit = \"0.25\"", "take_profit = \"0.99\"")
}

/// A running `launch trade --mode paper`.
struct Trader {
    child: Child,
    http: JsonClient,
}

impl Trader {
    fn start(folder: &Path, manifest: &Path) -> Self {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("launch"))
            .env_clear()
            .env("LAUNCH_MANIFEST", manifest)
            .env("LAUNCH_FEED", "generator:7")
            .env("LAUNCH_HALT_TOKEN", HALT)
            .env("LAUNCH_CONTROL_TOKEN", CONTROL)
            .env("LAUNCH_LISTEN", "127.0.0.1:0")
            .env("RAILWAY_DEPLOYMENT_ID", "d1")
            .env("RAILWAY_VOLUME_MOUNT_PATH", folder)
            .args(["trade", "--mode", "paper"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut address = String::new();
        for line in lines.by_ref().map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            let message = line["message"].as_str().unwrap_or_default();
            if message.starts_with("listening") {
                line["address"].as_str().unwrap().clone_into(&mut address);
            } else if message.starts_with("ready") {
                break;
            }
        }
        // Read on: a full pipe would hold the trader.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let base = Endpoint::parse(&format!("http://{address}")).unwrap();
        let http = JsonClient::new(base, Secret::new(CONTROL)).unwrap();
        Self { child, http }
    }

    fn get(&self, path: &str) -> Value {
        on_this_thread(self.http.get(path, Deadline::after(PATIENCE))).unwrap()
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        on_this_thread(self.http.post(path, body, Deadline::after(PATIENCE)))
            .map_err(|error| error.to_string())
    }

    fn flatten(&self) -> Value {
        self.get("/health")["flatten"].clone()
    }

    fn until_over(&self) -> Value {
        wait_until("the end of the selling", PATIENCE, || {
            let told = self.flatten();
            (told["state"] != "selling").then_some(told)
        })
    }
}

impl Drop for Trader {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn on_this_thread<T>(question: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(question)
}

fn results(told: &Value) -> Vec<&str> {
    let positions = told["positions"].as_array().unwrap();
    positions
        .iter()
        .map(|position| {
            let flatten = &position["flatten"];
            let word = if flatten.is_null() {
                &position["result"]
            } else {
                &flatten["result"]
            };
            word.as_str().unwrap()
        })
        .collect()
}

#[test]
fn it_sells_what_it_holds_then_sends_nothing_until_a_person_reenables() {
    let folder = tempfile::tempdir().unwrap();
    plant(&folder.path().join("ledger.sqlite3"), running_window());
    let trader = Trader::start(folder.path(), &manifest(folder.path(), 6));
    let held = trader.get("/health")["positions"].clone();
    assert_eq!(held.as_array().unwrap().len(), 2, "{held}");
    assert_eq!(held[0]["worst_loss_usd"], "9.90");
    assert!(held[0]["seconds_to_settlement"].as_i64().unwrap() > 0);

    let asked = json!({"reason": "night", "by": "ann"});
    let answer = trader.post("/flatten", &asked).unwrap();
    assert_eq!(
        (&answer["flattening"], &answer["positions"]),
        (&json!(true), &json!(2))
    );
    assert!(answer["ends_in_ms"].as_u64().unwrap() <= 6_000);
    let told = trader.until_over();
    // The losing side may have no bid; the winning side always has one.
    assert!(results(&told).contains(&"sold"), "{told:#}");
    let health = trader.get("/health");
    assert_eq!(health["halted"]["reduce_only"], false, "{health:#}");
    assert_eq!(health["halted"]["by"], "ann");
    assert!(
        trader.post("/flatten", &asked).unwrap_err().contains("503"),
        "a full halt is not softened"
    );
    let lift = json!({"reason": "looked", "by": "ann", "freeze_id": "f"});
    assert_eq!(trader.post("/reenable", &lift).unwrap()["reenabled"], true);
    let health = trader.get("/health");
    assert!(
        health["flatten"].is_null() && health["halted"].is_null(),
        "{health:#}"
    );
}

#[test]
fn sigkill_in_the_middle_moves_no_bound_and_lapses_into_a_full_halt() {
    let folder = tempfile::tempdir().unwrap();
    // A window that has not opened: nothing can be sold, so the selling lasts until its end.
    plant(
        &folder.path().join("ledger.sqlite3"),
        running_window() + 900,
    );
    let manifest = manifest(folder.path(), 5);
    let mut trader = Trader::start(folder.path(), &manifest);
    let asked = json!({"reason": "night", "by": "ann"});
    let first = trader.post("/flatten", &asked).unwrap();
    assert_eq!(trader.flatten()["state"], "selling");
    trader.child.kill().unwrap();
    drop(trader);

    let trader = Trader::start(folder.path(), &manifest);
    assert_eq!(
        trader.flatten()["ends_at"],
        first["ends_at"],
        "the first bound"
    );
    let told = trader.until_over();
    assert_eq!(told["state"], "lapsed", "{told:#}");
    assert!(told["ended_at"].as_i64().unwrap() >= first["ends_at"].as_i64().unwrap());
    assert_eq!(trader.get("/health")["halted"]["reduce_only"], false);
    assert!(
        results(&told).iter().all(|word| *word != "sold"),
        "{told:#}"
    );
}

fn ledger_of(state: &Path) -> PathBuf {
    let mut folders = vec![state.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .file_name()
                .is_some_and(|name| name == "ledger.sqlite3")
            {
                return path;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    panic!("no ledger under {}", state.display());
}

#[test]
fn a_kill_sells_first_and_stops_whatever_was_sold() {
    let project = Project::new();
    let text = std::fs::read_to_string(project.path().join("manifests/staging.toml")).unwrap();
    project.write("manifests/staging.toml", &patient(&text));
    let approve = [
        "approve", "--env", "staging", "--who", "test", "--why", "test",
    ];
    project.launch(&approve).assert().success();
    project.commit_and_push("staging: exits that never fire");
    project.platform();
    let launch = |args: &[&str]| project.launch(args);
    launch(&["deploy", "--env", "staging"]).assert().success();
    launch(&["kill", "--env", "staging", "--settle", "500ms"])
        .assert()
        .success();
    launch(&["reenable", "--env", "staging", "--reason", "test"])
        .assert()
        .success();
    plant(&ledger_of(&project.state()), running_window());
    launch(&["deploy", "--env", "staging"]).assert().success();

    let flags = [
        "kill",
        "--env",
        "staging",
        "--flatten",
        "--settle",
        "500ms",
        "--format",
        "json",
    ];
    let output = launch(&flags).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let target = &document["targets"][0];
    assert_eq!(target["verdict"], "verified", "{document:#}");
    assert_eq!(project.living_traders(), 0);
    assert!(results(target).contains(&"sold"), "{target:#}");
    assert!(
        said.contains("entries are off, the trader sells "),
        "{said}"
    );
    let upserts = target["changed"].as_array().unwrap();
    assert!(!upserts.is_empty(), "frozen: {target:#}");
}

#[test]
fn a_halt_names_itself_and_takes_no_flatten() {
    let project = Project::bare();
    let halt = |args: &[&str]| project.launch(args).assert().code(2);
    halt(&["halt"]).stderr(contains("launch halt: "));
    halt(&["halt", "--flatten"]).stderr(contains("launch kill takes them"));
    halt(&["kill"]).stderr(contains("launch kill: "));
}
