//! Manifests, strategies and targets as people write them: each file of `tests/*/valid` is read,
//! each of `invalid` gives exactly the problems in the `.txt` beside it (`UPDATE_EXPECT=1` rewrites
//! them).

#![expect(
    clippy::expect_used,
    reason = "a test that cannot read its fixtures has to stop"
)]

use launch::schema::{effective_manifest_schema, effective_strategy_schema};
use launch::source::{
    Code, Diagnostic, KnownStrategy, Schema, load_approved_limits, load_manifest, load_strategy,
    load_targets, load_waivers, render_all,
};
use trader_core::manifest::Manifest;

#[path = "support/corpus.rs"]
mod corpus;

type Read<T> = Result<T, Vec<Diagnostic>>;

fn manifest_schema() -> Schema {
    effective_manifest_schema(&[
        KnownStrategy {
            id: "probability-model".to_owned(),
            label: Some("Probability Model Only".to_owned()),
            path: "manifests/strategies/probability-model.json".to_owned(),
        },
        KnownStrategy {
            id: "lag-based".to_owned(),
            label: Some("Lag-Based".to_owned()),
            path: "manifests/strategies/lag-based.json".to_owned(),
        },
    ])
    .expect("the generated schema compiles")
}

fn manifest(file: &str, bytes: &[u8]) -> Read<Manifest> {
    load_manifest(file, bytes, &manifest_schema()).map(|loaded| loaded.value)
}

/// Every file of `folder` is refused with the words beside it.
fn refused<T>(folder: &str, read: impl Fn(&str, &[u8]) -> Read<T>) {
    corpus::refused(folder, |case| match read(&case.name, &case.bytes) {
        Ok(_) => Ok("a value".to_owned()),
        Err(problems) => {
            assert!(
                problems.iter().all(|problem| problem.code != Code::Bug),
                "{}: the schema allowed what the type refuses: {problems:?}",
                case.name
            );
            Err(render_all(&problems, false))
        }
    });
}

/// Every file of `folder` is read.
fn accepted<T>(folder: &str, read: impl Fn(&str, &[u8]) -> Read<T>) -> Vec<(String, T)> {
    corpus::accepted(folder, |case| {
        read(&case.name, &case.bytes).map_err(|problems| render_all(&problems, false))
    })
}

#[test]
fn every_valid_manifest_is_read_and_means_the_same() {
    let read = accepted("manifests/valid", manifest);
    let plain = &read
        .iter()
        .find(|(name, _)| name == "manifest.toml")
        .expect("there")
        .1;
    for (name, manifest) in &read {
        match name.as_str() {
            "upper_case_asset.toml" => {
                assert_eq!(format!("{:?}", manifest.assets), "[Btc, Eth]");
            }
            "json_numbers.json" => {
                let collar = manifest.safeguards.price_collar.to_string();
                assert_eq!(collar, "0.030000000000000000000001", "went through a float");
            }
            "numbers_without_quotes.toml" => {
                assert_eq!(manifest.max_exposure_usd.to_string(), "20.00");
                assert_eq!(manifest.safeguards.max_daily_loss_usd.to_string(), "10.0");
            }
            "number_forms.toml" => {
                assert_eq!(manifest.safeguards.min_entry_interval_ms.get(), 30_000);
                assert_eq!(manifest.window.warm_up_secs.get(), 120);
                assert_eq!(manifest.max_exposure_usd.to_string(), "20");
            }
            _ => assert_eq!(manifest, plain, "{name}"),
        }
    }
}

#[test]
fn every_invalid_manifest_says_what_is_wrong_where() {
    refused("manifests/invalid", manifest);
}

#[test]
fn strategies_are_read_or_refused_with_their_place() {
    let schema = effective_strategy_schema().expect("the generated schema compiles");
    let read = |file: &str, bytes: &[u8]| load_strategy(file, bytes, &schema).map(|l| l.value);
    let valid = accepted("strategies/valid", read);
    assert!(
        valid.windows(2).all(|pair| pair[0].1 == pair[1].1),
        "TOML and JSON differ"
    );
    refused("strategies/invalid", read);
}

#[test]
fn every_shipped_strategy_is_read() {
    let schema = effective_strategy_schema().expect("the generated schema compiles");
    let read = |file: &str, bytes: &[u8]| load_strategy(file, bytes, &schema).map(|l| l.value);
    let shipped = accepted("../manifests/strategies", read);
    let names: Vec<&str> = shipped.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "hybrid.json",
            "lag-based.json",
            "oracle-edge.json",
            "probability-model.json",
            "threshold-70.json"
        ]
    );
}

#[test]
fn targets_are_read_or_refused_with_their_place() {
    accepted("targets/valid", load_targets);
    refused("targets/invalid", load_targets);
}

#[test]
fn approved_limits_are_read_or_refused_with_their_place() {
    let read = accepted("approved_limits/valid", load_approved_limits);
    for (name, file) in read {
        assert!(file.value.approved("production").is_some(), "{name}");
    }
    refused("approved_limits/invalid", load_approved_limits);
}

#[test]
fn waivers_are_read_or_refused_with_their_place() {
    accepted("waivers/valid", load_waivers);
    refused("waivers/invalid", load_waivers);
}

#[test]
fn no_secret_of_a_file_is_repeated() {
    for case in corpus::corpus("manifests/invalid")
        .into_iter()
        .chain(corpus::corpus("targets/invalid"))
    {
        let (name, bytes) = (&case.name, &case.bytes);
        let said = manifest(name, bytes)
            .err()
            .into_iter()
            .chain(load_targets(name, bytes).err());
        for problems in said {
            let said = render_all(&problems, false)
                + &serde_json::to_string(&problems).expect("problems are JSON");
            for secret in ["rw_5f2c0a9b", "9f0c5d0e-token", "me:pw"] {
                assert!(!said.contains(secret), "{name}: {said}");
            }
        }
    }
}
