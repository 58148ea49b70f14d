//! No bytes at all make the readers panic, lose a place, or pass a schema and then fail the type.
//!
//! Each property is a fuzz target too: `PROPTEST_CASES=1000000 cargo test --release --test any_bytes NAME`
//! runs one for as long as is wanted, and keeps what it finds in `tests/any_bytes.proptest-regressions`.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot make its schema has to stop"
)]

use launch::schema::{effective_manifest_schema, effective_strategy_schema};
use launch::source::{
    Code, Diagnostic, KnownStrategy, load_approved_limits, load_manifest, load_strategy,
    load_targets, load_waivers, render_all,
};
use proptest::prelude::*;
use std::fmt::Write as _;

#[path = "support/corpus.rs"]
mod corpus;
#[path = "support/readers.rs"]
mod readers;

const MANIFEST: &str = include_str!("manifests/valid/manifest.toml");
const JSON_MANIFEST: &str = include_str!("manifests/valid/manifest.json");
const TARGETS: &str = include_str!("../manifests/launch.toml");
const APPROVED: &str = include_str!("approved_limits/valid/later.toml");
const WAIVERS: &str = include_str!("waivers/valid/two.toml");
const STRATEGY: &str = include_str!("../manifests/strategies/probability-model.json");

fn judged(file: &str, bytes: &[u8]) -> Vec<Diagnostic> {
    let known = [KnownStrategy {
        id: "probability-model".to_owned(),
        label: None,
        path: "manifests/strategies/probability-model.json".to_owned(),
    }];
    let manifest = effective_manifest_schema(&known).expect("compiles");
    let strategy = effective_strategy_schema().expect("compiles");
    let mut all = load_manifest(file, bytes, &manifest)
        .err()
        .unwrap_or_default();
    all.extend(
        load_strategy(file, bytes, &strategy)
            .err()
            .unwrap_or_default(),
    );
    all.extend(load_targets(file, bytes).err().unwrap_or_default());
    all.extend(load_approved_limits(file, bytes).err().unwrap_or_default());
    all.extend(load_waivers(file, bytes).err().unwrap_or_default());
    all
}

fn sound(file: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let problems = judged(file, bytes);
    for problem in &problems {
        prop_assert!(problem.code != Code::Bug, "{}", problem.one_line());
        prop_assert!(!problem.one_line().contains('\n'));
    }
    // Drawing must not panic either.
    prop_assert!(!render_all(&problems, true).is_empty() || problems.is_empty());
    Ok(())
}

/// A valid file with one stretch replaced.
fn spoiled(text: &'static str) -> impl Strategy<Value = Vec<u8>> {
    spoiled_any(vec![text.as_bytes().to_vec()])
}

/// One of some files with one stretch replaced.
fn spoiled_any(files: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let bits = prop_oneof![
        Just(String::new()),
        "[\\[\\]{}\",=:0-9a-z.#'\n\\\\ -]{1,6}",
        "(?s).{1,3}",
        Just("null".to_owned()),
        Just("1e999".to_owned()),
        Just("-0".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("4102444799999".to_owned()),
        Just("79228162514264337593543950335".to_owned()),
        Just("0.0000000000000000000000000001".to_owned()),
        Just("\t".to_owned()),
        Just("\u{feff}".to_owned()),
    ];
    let which = any::<prop::sample::Index>();
    let at = any::<prop::sample::Index>();
    (which, at, 0..24_usize, bits).prop_map(move |(which, at, length, new)| {
        let mut bytes = which.get(&files).clone();
        let at = at.index(bytes.len() + 1);
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, new.into_bytes());
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn byte_soup_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        sound("soup.toml", &bytes)?;
        sound("soup.json", &bytes)?;
    }

    #[test]
    fn text_soup_is_refused(text in "[\\[\\]{}\",=:0-9a-z.#'\n\r\t\\\\ -]{0,120}") {
        sound("soup.toml", text.as_bytes())?;
        sound("soup.json", text.as_bytes())?;
    }

    #[test]
    fn spoiled_manifests_are_refused_or_read(bytes in spoiled(MANIFEST)) {
        sound("m.toml", &bytes)?;
    }

    #[test]
    fn spoiled_json_manifests_are_refused_or_read(bytes in spoiled(JSON_MANIFEST)) {
        sound("m.json", &bytes)?;
    }

    #[test]
    fn spoiled_targets_are_refused_or_read(bytes in spoiled(TARGETS)) {
        sound("launch.toml", &bytes)?;
    }

    #[test]
    fn spoiled_approved_limits_are_refused_or_read(bytes in spoiled(APPROVED)) {
        sound("approved-limits.toml", &bytes)?;
    }

    #[test]
    fn spoiled_waivers_are_refused_or_read(bytes in spoiled(WAIVERS)) {
        sound("waivers.toml", &bytes)?;
    }

    #[test]
    fn spoiled_strategies_are_refused_or_read(bytes in spoiled(STRATEGY)) {
        sound("s.json", &bytes)?;
    }

    /// What `launch` takes as a manifest the trader reads as the same one.
    #[test]
    fn the_trader_reads_every_manifest_that_launch_takes(
        toml in spoiled(MANIFEST),
        json in spoiled(JSON_MANIFEST),
    ) {
        same_for_the_trader("m.toml", &toml)?;
        same_for_the_trader("m.json", &json)?;
    }

    /// What `launch` takes as a strategy the trader reads as the same one.
    #[test]
    fn the_trader_reads_every_strategy_that_launch_takes(bytes in spoiled(STRATEGY)) {
        let schema = effective_strategy_schema().expect("compiles");
        if let Ok(ours) = load_strategy("s.json", &bytes, &schema) {
            let project = Project::new("m.toml", MANIFEST.as_bytes(), &bytes);
            let theirs = project.read("m.toml").map_err(TestCaseError::fail)?;
            prop_assert_eq!(Some(&ours.value), theirs.strategies.values().next());
        }
    }

    #[test]
    fn no_tape_makes_reader_or_engine_panic(bytes in spoiled_any(tapes())) {
        match readers::tape(&bytes) {
            Err(said) => {
                prop_assert!(said.starts_with("line "), "{}", said);
                prop_assert!(said.chars().count() < 700 && !said.contains(char::is_control), "{}", said);
            }
            Ok(events) => {
                // What is read is written so that it is read as the same.
                for event in &events {
                    let line = trader_core::tape::event_line(event).expect("can be written");
                    let again = format!("{HEADER}\n{line}\n");
                    prop_assert_eq!(readers::tape(again.as_bytes()).map_err(TestCaseError::fail)?, vec![event.clone()]);
                }
                run_engine(&events);
            }
        }
    }

    /// Amounts and times that a tape may hold, however large, make neither the engine nor the simulated
    /// exchange overflow.
    #[test]
    fn no_amounts_or_times_make_the_engine_panic(text in extreme_tape()) {
        let events = readers::tape(text.as_bytes()).map_err(TestCaseError::fail)?;
        run_engine(&events);
    }

    #[test]
    fn no_state_file_makes_its_reader_panic(
        kill_file in spoiled_any(files("kill_files/valid")),
        freeze in spoiled_any(files("freezes/valid")),
        receipts in spoiled_any(files("receipts/valid")),
    ) {
        for said in [
            readers::kill_file(&kill_file),
            readers::freeze(&freeze),
            readers::receipts(&receipts),
        ].into_iter().filter_map(Result::err) {
            prop_assert!(said.chars().count() < 1_000 && !said.contains(char::is_control), "{}", said);
        }
    }

    /// A text that is read prints as one that is read as the same; one that is not is repeated in part.
    #[test]
    fn no_text_makes_its_parser_panic(
        parser in 0..readers::TEXTS.len(),
        text in prop_oneof![
            "(?s).{0,40}",
            "-?[0-9]{0,30}(\\.[0-9]{0,30})?",
            "(btc|eth|BTC)-(updown-)?\\+?0?(5|15)m-[+-]?[0-9]{1,20}(/[a-z0-9-]{0,8}/[+0-9]{1,12})?",
            "(http|https|HTTP)://[a-z0-9.:@\\[\\]/%-]{0,30}",
            "(generator|tape|venue):?[+0-9a-z/]{0,24}",
            "[LlCc-]{0,3}[+0-9]{0,4}",
        ],
    ) {
        let (name, parse) = readers::TEXTS[parser];
        match parse(&text) {
            Ok(printed) => prop_assert_eq!(parse(&printed), Ok(printed.clone()), "{} {:?}", name, text),
            Err(said) => prop_assert!(said.chars().count() < 600 && !said.contains(char::is_control), "{}", said),
        }
    }
}

const HEADER: &str = r#"{"tape":1,"source":"t","created_at":"2026-11-23T00:00:00Z","assets":["btc","eth","sol","xrp"]}"#;

fn files(folder: &str) -> Vec<Vec<u8>> {
    corpus::corpus(folder)
        .into_iter()
        .map(|case| case.bytes)
        .collect()
}

fn tapes() -> Vec<Vec<u8>> {
    files("tapes/valid")
}

/// A scratch project with one manifest and the strategy that it lists.
struct Project(tempfile::TempDir);

impl Project {
    fn new(name: &str, manifest: &[u8], strategy: &[u8]) -> Self {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let folder = scratch.path().join("strategies");
        std::fs::create_dir(&folder).expect("created");
        std::fs::write(scratch.path().join(name), manifest).expect("written");
        std::fs::write(folder.join("probability-model.json"), strategy).expect("written");
        Self(scratch)
    }

    fn read(&self, name: &str) -> Result<trader_runtime::manifest_files::Declared, String> {
        trader_runtime::manifest_files::read(&self.0.path().join(name))
            .map_err(|error| format!("the trader refuses it: {error}"))
    }
}

fn same_for_the_trader(file: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    let known = [KnownStrategy {
        id: "probability-model".to_owned(),
        label: None,
        path: "manifests/strategies/probability-model.json".to_owned(),
    }];
    let schema = effective_manifest_schema(&known).expect("compiles");
    let theirs = Project::new(file, bytes, STRATEGY.as_bytes()).read(file);
    if let Ok(ours) = load_manifest(file, bytes, &schema) {
        let theirs = theirs.map_err(TestCaseError::fail)?;
        prop_assert_eq!(ours.value, theirs.manifest);
    }
    Ok(())
}

/// The engine, the simulated exchange and the settlement over some events.
fn run_engine(events: &[trader_core::event::Event]) {
    use trader_core::run::{Counterpart, Discard, Limits, simulate};
    let project = Project::new("m.toml", MANIFEST.as_bytes(), STRATEGY.as_bytes());
    let declared = project.read("m.toml").expect("valid");
    let limits = Limits {
        max_events: 100_000,
        max_windows: None,
    };
    for counterpart in [Counterpart::Simulated, Counterpart::Recorded] {
        let report = simulate(
            &declared.manifest,
            &declared.strategies,
            events.iter().cloned(),
            limits,
            counterpart,
            &mut Discard,
        )
        .expect("the trader can be built");
        assert!(report.journal_digest.starts_with("sha256:"));
    }
}

/// A tape round one window whose amounts and times are at the ends of what a tape may hold.
fn extreme_tape() -> impl Strategy<Value = String> {
    let price = prop_oneof![
        Just("0.0000000000000000000000000001".to_owned()),
        Just("79228162514264337593543950335".to_owned()),
        Just("95000".to_owned()),
        "[1-9][0-9]{0,27}",
    ];
    let token_price = prop_oneof![
        Just("0.0000000000000000000000000001".to_owned()),
        Just("0.9999999999999999999999999999".to_owned()),
        Just("0.50".to_owned()),
    ];
    let shares = prop_oneof![
        Just("0".to_owned()),
        Just("79228162514264337593543950335".to_owned()),
        Just("0.0000000000000000000000000001".to_owned()),
        Just("25".to_owned()),
    ];
    let step = prop_oneof![
        Just(0_i64),
        Just(1),
        Just(1_000),
        Just(60_000),
        Just(900_000),
        Just(2_000_000_000_000),
    ];
    let offset = prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), Just(-5)];
    let line = (0..7_u8, price, token_price, shares, step, offset);
    prop::collection::vec(line, 1..60).prop_map(|lines| {
        let mut t = 1_769_949_000_000_i64;
        let window = |reference: &str, outcome: &str| {
            format!(
                r#","kind":"window","asset":"btc","id":"btc-5m-1769949000","open_ms":1769949000000,"close_ms":1769949300000,"up":"11","down":"22","rule":"spot","twap_lookback_secs":0,"reference":"{reference}"{outcome}}}"#
            )
        };
        let mut text = format!("{HEADER}\n{{\"t_ms\":{t}{}\n", window("95000", ""));
        for (kind, price, token_price, shares, step, offset) in lines {
            t = (t + step).min(4_102_444_799_999);
            let order = r#""id":"btc-5m-1769949000/probability-model/1""#;
            let rest = match kind {
                0 => format!(r#","kind":"oracle","asset":"btc","price":"{price}"}}"#),
                1 => format!(r#","kind":"spot","asset":"btc","price":"{price}"}}"#),
                2 => format!(r#","kind":"book","asset":"btc","token":"11","bid":"0.0000000000000000000000000001","ask":"{token_price}","bid_size":"{shares}","ask_size":"{shares}"}}"#),
                3 => format!(r#","kind":"trade","asset":"btc","token":"22","price":"{token_price}","size":"{shares}","side":"sell"}}"#),
                4 => format!(r#","kind":"clock","offset_ms":{offset}}}"#),
                5 => format!(r#","kind":"fill",{order},"fill_id":"{t}","price":"{token_price}","size":"{shares}","fee":"{price}"}}"#),
                _ => window(&price, r#","outcome":"up""#),
            };
            writeln!(text, "{{\"t_ms\":{t}{rest}").expect("a text takes it");
        }
        text
    })
}

#[test]
fn deep_nesting_and_long_lines_are_refused() {
    for (file, bytes) in [
        ("deep.json", "[".repeat(200_000)),
        ("deep.json", "{\"a\":".repeat(100_000)),
        ("deep.toml", format!("a = {}", "[".repeat(200_000))),
        ("deep.toml", format!("{}b = 1", "a.".repeat(100_000))),
        ("urls.toml", format!("a = \"{}", "://".repeat(200_000))),
        (
            "many.toml",
            (0..20_000)
                .map(|n| format!("k{n} = 1"))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
    ] {
        let problems = judged(file, bytes.as_bytes());
        assert!(!problems.is_empty(), "{file}");
        assert!(
            problems.iter().all(|problem| problem.code != Code::Bug),
            "{file}"
        );
        assert!(!render_all(&problems, false).is_empty());
    }
}
