//! `launch replay` as a user meets it: every form of recording, the contract's document, the same digest
//! twice, and every way in which a tape can be broken.
//!
//! The recordings here are a dozen lines each, made for these tests in the folders' formats. Where
//! `LAUNCH_RECORDINGS` names a folder of real ones, the rows of docs/model-evidence.md are held too.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn launch(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_launch"))
        .args(args)
        .env_remove("LAUNCH_STATE_DIR")
        .output()
        .unwrap()
}

#[track_caller]
fn document(args: &[&str]) -> Value {
    let mut all = vec!["replay", "--format", "json", "--tape"];
    all.extend(args);
    let out = launch(&all);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(0), "{errors}");
    serde_json::from_slice(&out.stdout).unwrap()
}

/// The error of a replay that must end with `code`.
#[track_caller]
fn refused(args: &[&str], code: i32) -> String {
    let mut all = vec!["replay", "--tape"];
    all.extend(args);
    let out = launch(&all);
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(code), "{errors}");
    assert!(out.stdout.is_empty(), "no document beside an error");
    errors
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn path(folder: &tempfile::TempDir) -> &str {
    folder.path().to_str().unwrap()
}

/// A multiple of 900 s: 2026-07-24T00:00:00Z.
const OPEN: i64 = 1_784_851_200;

const TICKS_HEADER: &str = "feed_ts_s,price,server_ts_ms,recv_ms\n";
const WINDOWS_HEADER: &str =
    "slug,strike,outcome_up,token_up,token_down,mid_up_before_close,mid_secs_before_close\n";

/// Half an hour of ticks that swing round 65,000, and four windows.
fn oracle_folder() -> tempfile::TempDir {
    let (mut ticks, mut windows) = (TICKS_HEADER.to_owned(), WINDOWS_HEADER.to_owned());
    for sec in 0..1_800_i64 {
        let swing = (sec * 7_919 % 101) - 50 + (sec / 60 % 7) * 9;
        let at = OPEN + sec;
        let arrived = at * 1_000 + 1_600;
        writeln!(ticks, "{at},{}.25,{arrived},{arrived}", 65_000 + swing / 4).unwrap();
    }
    for n in 1..5_i64 {
        let open = OPEN + n * 300;
        let up = n % 2;
        writeln!(
            windows,
            "btc-updown-5m-{open},65003.5,{up},{n}1,{n}2,0.55,53"
        )
        .unwrap();
    }
    folder(&[("ticks.csv", &ticks), ("windows.csv", &windows)])
}

#[test]
fn the_document_is_the_contracts() {
    let recording = oracle_folder();
    let seen = document(&[path(&recording)]);
    assert_eq!(seen["schema_version"], 1);
    assert_eq!(seen["tape"], path(&recording));
    for key in ["windows", "events", "entries", "fills"] {
        assert!(seen[key].is_u64(), "{key}: {}", seen[key]);
    }
    for key in ["pnl_usd", "fees_usd"] {
        assert!(seen[key].is_string(), "{key}: {}", seen[key]);
    }
    assert!(
        seen["journal_digest"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    assert!(seen["refusals"]["missing_book"].as_u64().unwrap() > 0);
    for key in ["model", "market"] {
        assert!(seen[key]["n"].as_u64().unwrap() > 0, "{key}: {}", seen[key]);
        assert!(seen[key]["brier"].is_f64() && seen[key]["log_loss"].is_f64());
    }
    assert_eq!(seen["calibration"].as_array().unwrap().len(), 10);
    // Nothing was asked to be made, so nothing was, and nothing could be bought.
    assert_eq!(seen["missing"], serde_json::json!(["book"]));
    assert_eq!(seen["synthesised"], serde_json::json!([]));
    assert_eq!(seen["entries"], 0);
    assert_eq!(seen["edge_verdict"], "not_measured");
}

#[test]
fn the_same_tape_gives_the_same_bytes() {
    let recording = oracle_folder();
    let args = [path(&recording), "--synthesise", "book"];
    let (first, second) = (document(&args), document(&args));
    assert_eq!(first, second);
    let slower = document(&[
        path(&recording),
        "--synthesise",
        "book",
        "--latency-ms",
        "5000",
    ]);
    assert!(first["entries"].as_u64().unwrap() > 0, "{first}");
    assert_ne!(
        first["journal_digest"], slower["journal_digest"],
        "latency is consumed"
    );
}

#[test]
fn what_is_made_is_said_and_is_no_market() {
    let recording = oracle_folder();
    let seen = document(&[path(&recording), "--synthesise", "book"]);
    assert!(seen["source"].as_str().unwrap().contains("books made"));
    assert!(
        seen["synthesised"][0]
            .as_str()
            .unwrap()
            .contains("books made")
    );
    // Only the four recorded mids are the market's; the made books are not.
    assert_eq!(seen["market"]["n"], 4);
}

#[test]
fn another_rule_is_not_compared_with_a_market_that_priced_the_old_one() {
    let recording = oracle_folder();
    let seen = document(&[path(&recording), "--settle", "twap:60"]);
    assert!(
        seen["settlement"]
            .as_str()
            .unwrap()
            .contains("average of 60 s")
    );
    assert!(seen["model"]["n"].as_u64().unwrap() > 0);
    assert_eq!(seen["market"]["n"], 0);
    assert_eq!(seen["edge_verdict"], "not_measured");
}

#[test]
fn books_of_one_token_are_read() {
    let mut books = "window_start_s,recv_ts,event_ts_ms,bid1,bid1_sz,ask1,ask1_sz\n".to_owned();
    for sec in 0..300_i64 {
        let ms = (OPEN + sec) * 1_000;
        writeln!(books, "{OPEN},{}.500,{ms},0.60,10,0.62,20", OPEN + sec).unwrap();
    }
    let windows = format!("slug,asset_id,last_mid\nbtc-updown-5m-{OPEN},77,0.995\n");
    let recording = folder(&[("book_1s.csv", &books), ("windows.csv", &windows)]);
    let plain = document(&[path(&recording)]);
    assert_eq!(plain["missing"], serde_json::json!(["oracle", "outcome"]));
    assert_eq!(plain["market"]["n"], 0, "no outcome, no score");
    let derived = document(&[path(&recording), "--synthesise", "outcome"]);
    assert_eq!(derived["market"]["n"], 4);
    // Mid 0.61, and it won: (1 − 0.61)².
    let brier = derived["market"]["brier"].as_f64().unwrap();
    assert!((brier - 0.1521).abs() < 1e-9, "{brier}");
}

#[test]
fn tops_of_both_tokens_are_read_and_joined() {
    let mut rows = "ts_local,window_start_local,window_end_local,secs_to_close,up_bid,up_ask,down_bid,down_ask,up_bid_liq,up_ask_liq,down_bid_liq,down_ask_liq\n".to_owned();
    for sec in 0..60 {
        // Nobody bids for Up; whoever asks 0.30 for Down bids 0.70 for Up.
        writeln!(rows, "2025-12-26 10:41:{sec:02},2025-12-26 10:30:00,2025-12-26 10:45:00,0,,0.80,0.20,0.30,,8,4,6").unwrap();
    }
    let windows = "window_start_local,mid\n2025-12-26 10:30:00,0.95\n";
    let recording = folder(&[("tob_1s.csv", &rows), ("windows.csv", windows)]);
    let seen = document(&[path(&recording), "--synthesise", "outcome"]);
    // One look, 180 s before the close: bid 0.70 and ask 0.80.
    assert_eq!(seen["market"]["n"], 1);
    let brier = seen["market"]["brier"].as_f64().unwrap();
    assert!((brier - 0.0625).abs() < 1e-9, "{brier}");
}

#[test]
fn looks_before_the_close_are_read() {
    let header =
        "slug,winner,recorder_secs_to_close,binance_spot,up_bid,up_ask,down_bid,down_ask\n";
    let row = format!("btc-updown-5m-{OPEN},DOWN,62.5,65000.5,0.12,0.14,0.86,0.88\n");
    let recording = folder(&[("samples.csv", &format!("{header}{row}"))]);
    let seen = document(&[path(&recording)]);
    assert_eq!(seen["market"]["n"], 1);
    assert!(seen["synthesised"].to_string().contains("slow"));
    let made = document(&[path(&recording), "--synthesise", "oracle"]);
    assert!(
        made["synthesised"]
            .to_string()
            .contains("stands in for the oracle")
    );
}

#[test]
fn outcomes_tell_how_often_the_screen_was_wrong() {
    let rows = format!(
        "timestamp,outcome,btc_open,btc_close\n{OPEN},down,65000,65001\n{},up,65001,65100\n",
        OPEN + 300
    );
    let recording = folder(&[("windows.csv", &rows)]);
    let seen = document(&[path(&recording), "--evidence"]);
    let slots = seen["ui_against_outcome"].as_array().unwrap();
    assert_eq!(slots[0]["windows"], 1);
    assert_eq!(slots[0]["differ"], 1, "it showed up, it settled down");
    assert_eq!(slots.last().unwrap()["differ"], 0);
}

#[test]
fn candles_are_read() {
    let rows = "open_time_s,open,high,low,close,volume\n1640991660,1,1,1,46377.0,1\n";
    let recording = folder(&[("btc-perp_1m_x.csv", rows)]);
    assert_eq!(document(&[path(&recording)])["events"], 1);
}

#[test]
fn a_trader_s_own_tape_gives_its_own_digest() {
    let scratch = tempfile::tempdir().unwrap();
    let tape = scratch.path().join("dry.jsonl");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/manifests/ci.toml");
    let tape = tape.to_str().unwrap();
    let dry = launch(&[
        "trade",
        "--mode",
        "dry-run",
        "--format",
        "json",
        "--windows",
        "1",
        "--manifest",
        manifest,
        "--tape-out",
        tape,
    ]);
    assert!(
        dry.status.success(),
        "{}",
        String::from_utf8_lossy(&dry.stderr)
    );
    let dry: Value = serde_json::from_slice(&dry.stdout).unwrap();
    let again = document(&[tape, "--manifest", manifest]);
    assert_eq!(again["journal_digest"], dry["journal_digest"]);
}

#[test]
fn a_page_stands_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let (page, journal) = (
        scratch.path().join("p.html"),
        scratch.path().join("j.jsonl"),
    );
    let recording = oracle_folder();
    document(&[
        path(&recording),
        "--synthesise",
        "book",
        "--html",
        page.to_str().unwrap(),
        "--journal",
        journal.to_str().unwrap(),
    ]);
    let text = std::fs::read_to_string(&page).unwrap();
    assert_eq!(text.matches("<svg").count(), 3);
    assert_eq!(text.matches("</svg>").count(), 3);
    for foreign in ["<script", "<link", "<img", "@import", "cannot be drawn"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    let without_namespace = text.replace("http://www.w3.org/2000/svg", "");
    assert!(!without_namespace.contains("http"), "nothing is fetched");
    assert!(text.contains("proves nothing about edge"));
    let lines = std::fs::read_to_string(&journal).unwrap();
    assert!(
        lines
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
}

#[test]
fn a_sweep_sorts_and_warns() {
    let seen = document(&[
        "generator:7",
        "--hours",
        "1",
        "--sweep",
        "edge.min=0.02,0.20",
    ]);
    let rows = seen["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let net = |row: &Value| row["pnl_usd"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(net(&rows[0]) >= net(&rows[1]));
    assert_ne!(rows[0]["journal_digest"], rows[1]["journal_digest"]);
    assert!(seen["warning"].as_str().unwrap().contains("partly luck"));
    let wrong = refused(&["generator:7", "--sweep", "edge.mni=1"], 2);
    assert!(wrong.contains("edge.mni=1: no such key"), "{wrong}");
}

fn tape(lines: &[&str]) -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("t.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    (scratch, file)
}

const HEADER: &str =
    r#"{"tape":1,"source":"t","created_at":"2026-01-01T00:00:00Z","assets":["btc"]}"#;

#[test]
fn broken_tapes_are_named_with_their_line() {
    for (lines, wanted) in [
        (vec![], "t.jsonl:1: the tape is empty"),
        (vec!["{}"], "t.jsonl:1: not a tape header"),
        (
            vec![HEADER, r#"{"t_ms":1,"kind":"nonsense"}"#],
            "t.jsonl:2: unknown kind",
        ),
        (
            vec![
                HEADER,
                "",
                r#"{"t_ms":1,"kind":"oracle","asset":"btc","price":"-1"}"#,
            ],
            "t.jsonl:3: price",
        ),
        (
            vec![
                HEADER,
                r#"{"t_ms":1,"kind":"oracle","asset":"eth","price":"1"}"#,
            ],
            "t.jsonl:2: asset eth",
        ),
        (
            vec![
                HEADER,
                r#"{"t_ms":2,"kind":"clock"}"#,
                r#"{"t_ms":1,"kind":"clock"}"#,
            ],
            "t.jsonl:3: t_ms 1 comes after 2",
        ),
    ] {
        let (_scratch, file) = tape(&lines);
        let seen = refused(&[file.to_str().unwrap()], 1);
        assert!(seen.contains(wanted), "{seen}");
    }
}

#[test]
fn a_line_without_end_is_not_held_in_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("long.jsonl");
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    writeln!(out, "{HEADER}").unwrap();
    let megabyte = vec![b'x'; 1 << 20];
    for _ in 0..100 {
        out.write_all(&megabyte).unwrap();
    }
    drop(out);
    let seen = refused(&[file.to_str().unwrap()], 1);
    assert!(
        seen.contains("long.jsonl:2: longer than 65536 bytes"),
        "{seen}"
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn a_gzipped_tape_plays_and_a_truncated_one_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("t.jsonl.gz");
    let text = format!(
        "{HEADER}\n{}",
        "{\"t_ms\":1,\"kind\":\"clock\"}\n".repeat(5_000)
    );
    let packed = gzip(text.as_bytes());
    std::fs::write(&file, &packed).unwrap();
    assert_eq!(document(&[file.to_str().unwrap()])["events"], 5_000);
    std::fs::write(&file, &packed[..packed.len() / 2]).unwrap();
    let seen = refused(&[file.to_str().unwrap()], 1);
    assert!(
        seen.contains("t.jsonl.gz:") && seen.contains("cannot read on"),
        "{seen}"
    );
}

#[test]
fn a_tape_packed_with_zstd_plays_and_a_broken_one_is_one_clear_error() {
    let (folder, scratch) = (oracle_folder(), tempfile::tempdir().unwrap());
    let (plain, packed) = (
        scratch.path().join("t.jsonl"),
        scratch.path().join("t.jsonl.zst"),
    );
    for out in [&plain, &packed] {
        let args = [
            "tape",
            "import",
            "--from",
            path(&folder),
            "--synthesise",
            "book",
            "--out",
        ];
        let done = launch(&[&args[..], &[out.to_str().unwrap()]].concat());
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    let bytes = std::fs::read(&packed).unwrap();
    assert!(bytes.len() * 3 < std::fs::read(&plain).unwrap().len());
    let seen = document(&[packed.to_str().unwrap()]);
    let wanted = document(&[plain.to_str().unwrap()]);
    assert_eq!(seen["journal_digest"], wanted["journal_digest"]);
    assert_eq!(seen["events"], wanted["events"]);
    for (spoiled, wanted) in [
        (bytes[..bytes.len() / 2].to_vec(), "its file is cut off"),
        (bytes[..7].to_vec(), "its file is cut off"),
        ([&bytes[..], b"not a frame\n"].concat(), "is damaged"),
    ] {
        std::fs::write(&packed, spoiled).unwrap();
        let errors = refused(&[packed.to_str().unwrap()], 1);
        assert!(
            errors.contains("t.jsonl.zst") && errors.contains(wanted),
            "{errors}"
        );
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn troubles_of_a_generated_market_are_part_of_its_name() {
    let plain = document(&["generator:7", "--hours", "2"]);
    let rough = document(&["generator:7+gaps+outages+clock-steps", "--hours", "2"]);
    assert_ne!(plain["journal_digest"], rough["journal_digest"]);
    assert!(rough["events"].as_u64() < plain["events"].as_u64());
    assert_eq!(rough["unexplained"], 0);
    for wrong in [
        "generator:7+rain",
        "generator:7+outages+gaps",
        "generator:7+",
    ] {
        assert!(refused(&[wrong], 2).contains("+gaps, +outages, +clock-steps"));
    }
}

#[test]
fn broken_folders_are_named_with_their_place() {
    let empty = tempfile::tempdir().unwrap();
    let seen = refused(&[path(&empty)], 1);
    assert!(seen.contains("no recording: wanted"), "{seen}");
    let windows = format!("{WINDOWS_HEADER}btc-updown-5m-{OPEN},65000,1,1,2,,\n");
    for (ticks, wanted) in [
        ("feed_ts_s,price\n", "ticks.csv:1: no column \"recv_ms\""),
        ("feed_ts_s,price,recv_ms\n1,x,1\n", "ticks.csv:2: price"),
        (
            "feed_ts_s,price,recv_ms\n1,5\n",
            "ticks.csv:2: recv_ms: the row is too short",
        ),
        ("feed_ts_s,price,recv_ms\n1,NaN,1\n", "ticks.csv:2: price"),
        ("feed_ts_s,price,recv_ms\n", "no tick in it"),
    ] {
        let recording = folder(&[("ticks.csv", ticks), ("windows.csv", &windows)]);
        let seen = refused(&[path(&recording)], 1);
        assert!(seen.contains(wanted), "{seen}");
    }
    let broken = folder(&[("windows.csv", &windows)]);
    let packed = gzip(TICKS_HEADER.repeat(500).as_bytes());
    std::fs::write(
        broken.path().join("ticks.csv.gz"),
        &packed[..packed.len() / 2],
    )
    .unwrap();
    let seen = refused(&[path(&broken)], 1);
    assert!(
        seen.contains("cannot read") && seen.contains("ticks.csv.gz"),
        "{seen}"
    );
}

#[test]
fn what_cannot_be_meant_is_usage() {
    for (args, wanted) in [
        (vec!["generator:x"], "generator:SEED with a whole number"),
        (
            vec!["generator:7", "--synthesise", "book"],
            "for folders of recorded data",
        ),
        (
            vec!["generator:7", "--settle", "twap:0"],
            "neither recorded nor twap:SECS",
        ),
    ] {
        let seen = refused(&args, 2);
        assert!(seen.contains(wanted), "{seen}");
    }
    let seen = refused(&["generator:7", "--strategy", "no-such"], 1);
    assert!(seen.contains("no-such"), "{seen}");
    let missing = refused(&["no-such-tape.jsonl"], 1);
    assert!(
        missing.contains("no-such-tape.jsonl: cannot read"),
        "{missing}"
    );
}

/// A folder of real recordings, if this machine has it; says what is skipped otherwise.
fn recording(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("LAUNCH_RECORDINGS").map(|root| Path::new(&root).join(name));
    let found = found.filter(|path| path.is_dir());
    if found.is_none() {
        let mut stderr = std::io::stderr();
        drop(writeln!(
            stderr,
            "skipped: LAUNCH_RECORDINGS names no folder with {name}"
        ));
    }
    found
}

fn row_brier(document: &Value, name: &str, at: usize) -> f64 {
    let rows = document["evidence"].as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name).unwrap();
    row["scores"][at]["brier"].as_f64().unwrap()
}

#[test]
fn the_rows_of_the_evidence_are_reproduced() {
    let Some(folder) = recording("oracle-btc-1s-20260724") else {
        return;
    };
    let seen = document(&[folder.to_str().unwrap(), "--evidence"]);
    // Wanted: the published rows; 0.003 counts as equal.
    for (name, wanted) in [
        (
            "windows, N(d2), blended volatility",
            [0.213, 0.188, 0.151, 0.118],
        ),
        (
            "pseudo 15 min, N(d2) on the last price",
            [0.095, 0.069, 0.035, 0.022],
        ),
        ("pseudo 15 min, average-aware", [0.095, 0.068, 0.031, 0.010]),
    ] {
        for (at, wanted) in wanted.into_iter().enumerate() {
            let brier = row_brier(&seen, name, at);
            assert!(
                brier <= wanted + 0.003,
                "{name} {at}: {brier} against {wanted}"
            );
        }
    }
    assert_eq!(seen["edge_verdict"], "worse_than_market");
    assert!(seen["edge_text"].as_str().unwrap().starts_with("no edge"));
}

#[test]
fn every_real_recording_plays() {
    for name in [
        "oracle-btc-1s-20260724",
        "pm-btc5m-book-20260416",
        "pm-btc15m-tob-20251226",
        "pm-btc5m-ladder-20260726",
        "btc-1m-candles",
    ] {
        if let Some(folder) = recording(name) {
            let seen = document(&[folder.to_str().unwrap()]);
            assert!(seen["events"].as_u64().unwrap() > 1_000, "{name}");
        }
    }
}
