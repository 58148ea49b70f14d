//! Launch manifests as people write them: each file of `tests/manifests/valid` is read, each of
//! `invalid` gives exactly the problems in the `.txt` beside it (`UPDATE_EXPECT=1` rewrites them).

#![expect(
    clippy::expect_used,
    reason = "a test that cannot read its fixtures has to stop"
)]

use launch::schema::effective_manifest_schema;
use launch::source::{KnownStrategy, Loaded, Schema, load_manifest, render_all};
use std::path::{Path, PathBuf};
use trader_core::manifest::Manifest;

fn schema() -> Schema {
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

fn corpus(kind: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/manifests")
        .join(kind);
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the corpus exists")
        .map(|entry| entry.expect("the corpus can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "toml" || e == "json"))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> Result<Loaded<Manifest>, String> {
    let name = path
        .file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned();
    let bytes = std::fs::read(path).expect("the corpus can be read");
    load_manifest(&name, &bytes, &schema()).map_err(|problems| {
        assert!(
            problems
                .iter()
                .all(|problem| problem.code != launch::source::Code::Bug),
            "{name}: the schema allowed what the type refuses"
        );
        render_all(&problems, false) + "\n"
    })
}

#[test]
fn every_valid_manifest_is_read_and_means_the_same() {
    let plain = read(&corpus_file("valid/manifest.toml"))
        .expect("valid")
        .value;
    for path in corpus("valid") {
        let name = path
            .file_name()
            .expect("a file")
            .to_string_lossy()
            .into_owned();
        let manifest = match read(&path) {
            Ok(loaded) => loaded.value,
            Err(problems) => panic!("{problems}"),
        };
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
            _ => assert_eq!(manifest, plain, "{name}"),
        }
    }
}

#[test]
fn every_invalid_manifest_says_what_is_wrong_where() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut differing = Vec::new();
    for path in corpus("invalid") {
        let said = match read(&path) {
            Ok(_) => panic!("{} was read", path.display()),
            Err(problems) => problems,
        };
        let expected = PathBuf::from(format!("{}.txt", path.display()));
        if update {
            std::fs::write(&expected, &said).expect("the corpus can be written");
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(said.as_str()) {
            differing.push(format!("{}\n{said}", path.display()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn no_secret_of_a_manifest_is_repeated() {
    let said = read(&corpus_file("invalid/secret_in_unknown_key.toml")).expect_err("invalid");
    assert!(said.contains("api_token"), "{said}");
    assert!(!said.contains("rw_5f2c0a9b"), "{said}");
}

fn corpus_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/manifests")
        .join(name)
}
