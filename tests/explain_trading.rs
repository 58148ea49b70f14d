//! `launch explain window|position|order` as an operator meets it: the report's open questions 1, 2 and 7,
//! answered from a tape and from a ledger, and what is not known said to be unknown.

#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use rust_decimal::Decimal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use trader_core::engine::Engine;
use trader_core::event::Event;
use trader_core::ledger::{LedgerState, Record, RecordBody};
use trader_core::order::{Order, Purpose};
use trader_core::run::{Counterpart, Run, Sink};
use trader_core::sim::generator::Generator;
use trader_core::units::EpochMs;
use trader_core::window::WindowLength;
use trader_runtime::ledger_store::LedgerStore;
use trader_runtime::manifest_files;

/// Virtual start of `generator:SEED` in a replay.
const START: EpochMs = EpochMs(1_767_225_600_000);

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/local.toml")
}

fn launch(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_launch"))
        .args(args)
        .env_remove("LAUNCH_STATE_DIR")
        .output()
        .unwrap()
}

#[track_caller]
fn told(args: &[&str]) -> String {
    let out = launch(args);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{errors}");
    String::from_utf8(out.stdout).unwrap()
}

#[track_caller]
fn document(args: &[&str]) -> Value {
    serde_json::from_str(&told(&[args, &["--format", "json"]].concat())).unwrap()
}

#[track_caller]
fn refused(args: &[&str]) -> String {
    let out = launch(args);
    assert_eq!(out.status.code(), Some(2));
    assert!(out.stdout.is_empty());
    String::from_utf8(out.stderr).unwrap()
}

#[derive(Default)]
struct Kept {
    records: Vec<Record>,
    journal: String,
}

impl Sink for Kept {
    fn journal(&mut self, line: &str) {
        self.journal.push_str(line);
        self.journal.push('\n');
    }
    fn record(&mut self, record: &Record) {
        self.records.push(record.clone());
    }
    fn event(&mut self, _: &Event) {}
}

/// What a paper trader wrote down over six hours of `generator:7`.
fn traded() -> Kept {
    let declared = manifest_files::read(&manifest()).unwrap();
    let mut manifest = declared.manifest;
    manifest.mode = trader_core::manifest::Mode::Paper;
    let lengths: Vec<WindowLength> = manifest
        .window
        .durations_mins
        .iter()
        .map(|mins| WindowLength::from_mins(*mins).unwrap())
        .collect();
    let engine = Engine::new(&manifest, &declared.strategies, LedgerState::default()).unwrap();
    let mut run = Run::new(engine, Counterpart::Simulated).with_latency(250);
    let mut kept = Kept::default();
    let market = Generator::new(7, START, &manifest.assets, &lengths);
    for event in market.take_while(|event| event.t < START.plus_ms(6 * 3_600_000)) {
        run.feed(&event, &mut kept);
    }
    kept
}

fn entry(kept: &Kept) -> Order {
    let filled = |order: &Order| {
        kept.records
            .iter()
            .any(|record| matches!(&record.body, RecordBody::Fill { id, .. } if *id == order.id))
    };
    let mut intents = kept.records.iter().filter_map(|record| {
        let RecordBody::Intent { order } = &record.body else {
            return None;
        };
        Some(order)
    });
    // Not in the first window, which nobody saw coming.
    let found = intents.find(|order| {
        order.purpose == Purpose::Entry && order.id.window.open() > START && filled(order)
    });
    found.unwrap().clone()
}

/// A volume as a trader leaves it: the ledger, and the journal beside it.
fn volume(folder: &Path, kept: &Kept) -> PathBuf {
    std::fs::create_dir_all(folder.join("journal")).unwrap();
    let path = folder.join("ledger.sqlite3");
    let mut store = LedgerStore::open(&path).unwrap();
    let fence = store.take_fence("n", START).unwrap();
    store.append(fence, &kept.records).unwrap();
    std::fs::write(folder.join("journal/run.1.jsonl"), &kept.journal).unwrap();
    path
}

fn decimal(value: &Value) -> Decimal {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn an_order_tells_requested_rounded_and_filled_from_tape_and_from_ledger_alike() {
    let (kept, scratch) = (traded(), tempfile::tempdir().unwrap());
    let order = entry(&kept);
    let ledger = volume(scratch.path(), &kept);
    let (id, manifest) = (order.id.to_string(), manifest());
    let manifest = manifest.to_str().unwrap();
    let from_tape = document(&[
        "explain",
        "order",
        &id,
        "--tape",
        "generator:7",
        "--manifest",
        manifest,
    ]);
    let ledger = ledger.to_str().unwrap();
    let from_ledger = document(&[
        "explain",
        "order",
        &id,
        "--ledger",
        ledger,
        "--manifest",
        manifest,
    ]);
    for key in [
        "shares",
        "worst_cost_usd",
        "filled_shares",
        "paid_usd",
        "fees_usd",
        "fills",
        "journal",
    ] {
        assert_eq!(from_tape[key], from_ledger[key], "{key}");
    }
    let told_of = &from_ledger;
    let (budget, worst) = (
        decimal(&told_of["requested_usd"]),
        decimal(&told_of["worst_cost_usd"]),
    );
    let cost = decimal(&told_of["paid_usd"]) + decimal(&told_of["fees_usd"]);
    assert!(
        Decimal::ZERO < cost && cost <= worst && worst <= budget,
        "{told_of}"
    );
    assert_eq!(told_of["shares"], order.shares.to_string());
    let text = told(&[
        "explain",
        "order",
        &id,
        "--ledger",
        ledger,
        "--manifest",
        manifest,
    ]);
    for words in [
        "requested",
        "rounded",
        "filled",
        "difference",
        "worst case",
        "p_up",
        "intended: its money",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // Without the manifest the budget is not known, and that is said.
    let text = told(&["explain", "order", &id, "--ledger", ledger]);
    assert!(
        text.contains("name --manifest to see the declared budget"),
        "{text}"
    );
}

#[test]
fn a_window_tells_why_it_was_entered_and_every_refusal_with_its_numbers() {
    let kept = traded();
    let order = entry(&kept);
    let id = order.id.window.to_string();
    let seen = document(&["explain", "window", &id, "--tape", "generator:7"]);
    let entries = seen["entries"].as_array().unwrap();
    assert!(entries.iter().all(|entry| entry["window_open"] == true));
    assert!(
        entries
            .iter()
            .any(|entry| entry["order"] == order.id.to_string())
    );
    let safeguards = trader_core::safeguards::TABLE.len();
    assert_eq!(
        entries[0]["safeguards_asked"].as_array().unwrap().len(),
        safeguards
    );
    let decisions = seen["decisions"].as_array().unwrap();
    let refused = |code: &str| decisions.iter().find(|line| line["reason"] == code);
    // The next window was listed while this one's predecessor was open: looked at and refused.
    let early = refused("window_not_open").unwrap();
    assert!(early["seen"].as_i64().unwrap() > 0, "{early}");
    assert!(early["t_ms"].as_i64().unwrap() < order.id.window.open().0);
    let text = told(&["explain", "window", &id, "--tape", "generator:7"]);
    for words in [
        "the window was open",
        "window_not_open, seen",
        "safeguards, each of which let it pass",
        "reference",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_position_tells_cost_result_and_the_quality_gate() {
    let kept = traded();
    let order = entry(&kept);
    let id = format!("{}/{}", order.id.window, order.id.strategy);
    let seen = document(&["explain", "position", &id, "--tape", "generator:7"]);
    let held = &seen["held"][0];
    assert!(decimal(&held["cost_usd"]) > Decimal::ZERO);
    assert_eq!(held["settled"], true);
    let gate = seen["quality_gate"].as_str().unwrap();
    assert!(
        gate.starts_with("open") || gate.starts_with("shut"),
        "{gate}"
    );
    // Gains and losses of the whole ledger are those of its positions.
    let result = decimal(&held["result_usd"]);
    let (cost, proceeds) = (decimal(&held["cost_usd"]), decimal(&held["proceeds_usd"]));
    let paid_out = result - proceeds + cost;
    assert!(
        paid_out == Decimal::ZERO || paid_out == decimal(&held["held"]),
        "{held}"
    );
}

#[test]
fn the_deployments_of_this_machine_are_asked_without_being_named() {
    let (kept, state) = (traded(), tempfile::tempdir().unwrap());
    let order = entry(&kept);
    volume(&state.path().join("local/volumes/one"), &kept);
    volume(&state.path().join("local/volumes/two"), &Kept::default());
    let (id, dir) = (order.id.to_string(), state.path().to_str().unwrap());
    let seen = document(&["explain", "order", &id, "--state-dir", dir]);
    assert_eq!(seen["order"], id);
    let other = refused(&["explain", "window", "btc-5m-1769949000", "--state-dir", dir]);
    assert!(
        other.contains("none of the 2 ledgers") && other.contains("--tape"),
        "{other}"
    );
    volume(&state.path().join("local/volumes/three"), &kept);
    let both = refused(&["explain", "order", &id, "--state-dir", dir]);
    assert!(both.contains("choose one with --ledger"), "{both}");
}

#[test]
fn what_is_not_known_is_said() {
    let scratch = tempfile::tempdir().unwrap();
    let kept = traded();
    let ledger = volume(scratch.path(), &kept);
    std::fs::remove_dir_all(scratch.path().join("journal")).unwrap();
    let order = entry(&kept);
    let (window, ledger) = (order.id.window.to_string(), ledger.to_str().unwrap());
    let text = told(&["explain", "window", &window, "--ledger", ledger]);
    assert!(
        text.contains("a ledger holds what was done, not what was refused"),
        "{text}"
    );
    for (args, words) in [
        (
            vec!["order", "btc-5m-1767225600/none/1", "--ledger", ledger],
            "no order btc-5m-1767225600/none/1",
        ),
        (
            vec!["position", &window, "--ledger", ledger],
            "wanted WINDOW/STRATEGY",
        ),
        (vec!["window", "btc-5m-1", "--ledger", ledger], "btc-5m-1"),
        (
            vec!["window", &window, "--ledger", "/nowhere/x"],
            "/nowhere/x",
        ),
    ] {
        let seen = refused(&[&["explain"], args.as_slice()].concat());
        assert!(seen.contains(words), "{words}: {seen}");
    }
}
