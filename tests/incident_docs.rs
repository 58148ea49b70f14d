//! `docs/incident.md` names only what exists: check codes, tests, commands, safeguards, files; and it answers
//! every failure of the report in its order.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

use clap::CommandFactory;
use launch_checks::catalogue;
use std::collections::BTreeSet;
use std::path::Path;

const DOCS: &str = include_str!("../docs/incident.md");

/// What stands between backquotes.
fn quoted() -> Vec<&'static str> {
    DOCS.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_code_is_of_the_catalogue() {
    let known: BTreeSet<String> = catalogue().map(|(code, _)| code.to_string()).collect();
    let mut named = BTreeSet::new();
    for (at, _) in DOCS.match_indices("LC-") {
        let code = DOCS.get(at..at + 6).unwrap();
        assert!(known.contains(code), "{code}");
        named.insert(code);
    }
    assert!(named.len() >= 20, "{named:?}");
}

#[test]
fn every_command_is_one_and_its_flags_are() {
    let cli = launch::cli::Cli::command();
    let mut commands = 0;
    for line in quoted()
        .into_iter()
        .filter(|text| text.starts_with("launch "))
    {
        let mut words = line.split_whitespace().skip(1);
        let name = words.next().unwrap();
        let command = cli
            .get_subcommands()
            .find(|command| command.get_name() == name)
            .unwrap_or_else(|| panic!("no command {name}: {line}"));
        for flag in words.filter(|word| word.starts_with("--")) {
            let known = command
                .get_arguments()
                .any(|arg| arg.get_long() == flag.strip_prefix("--"));
            assert!(known, "{line}: no flag {flag}");
        }
        commands += 1;
    }
    assert!(commands >= 20, "{commands}");
}

#[test]
fn every_test_and_file_that_it_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in quoted().into_iter().filter(|text| {
        ["docs/", "tests/", "manifests/"]
            .iter()
            .any(|folder| text.starts_with(folder))
    }) {
        assert!(root.join(path).is_file(), "{path}");
    }
    let model = std::fs::read_to_string(root.join("trader/core/src/model.rs")).unwrap();
    assert!(model.contains("fn the_incidents_call_is_refused()"));
    let components =
        std::fs::read_to_string(root.join("trader/core/src/components/tests.rs")).unwrap();
    assert!(components.contains("fn the_incidents_call_is_refused_twice()"));
}

#[test]
fn every_safeguard_and_reason_that_it_names_is_one() {
    let safeguards: BTreeSet<&str> = trader_core::safeguards::TABLE
        .iter()
        .map(|row| row.code)
        .collect();
    let named = [
        "window_once",
        "window_not_open",
        "entry_interval",
        "entries_per_tick",
        "orders_per_minute",
        "open_positions",
        "exposure",
    ];
    for code in named {
        assert!(DOCS.contains(&format!("`{code}`")), "{code} is not named");
        assert!(safeguards.contains(code), "{code} is no safeguard");
    }
    let others = format!("`window_once` and {} more", safeguards.len() - 1);
    assert!(
        DOCS.contains(&others),
        "there are {} safeguards",
        safeguards.len()
    );
}

#[test]
fn the_eleven_stand_in_the_reports_order() {
    let titles: Vec<&str> = DOCS
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            cells.next()?.parse::<u8>().ok()?;
            cells.next()
        })
        .collect();
    assert_eq!(titles.len(), 11, "{titles:?}");
    assert_eq!(titles[0], "EPIC 7 & 8 CODE WAS NEVER COMMITTED TO GIT");
    assert_eq!(titles[10], "MULTIPLE DEPLOYMENT ATTEMPTS REQUIRED");
}
