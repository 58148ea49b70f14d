//! No bytes at all make the readers panic, lose a place, or pass a schema and then fail the type.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot make its schema has to stop"
)]

use launch::schema::{effective_manifest_schema, effective_strategy_schema};
use launch::source::{
    Code, Diagnostic, KnownStrategy, load_manifest, load_strategy, load_targets, render_all,
};
use proptest::prelude::*;

const MANIFEST: &str = include_str!("manifests/valid/manifest.toml");
const JSON_MANIFEST: &str = include_str!("manifests/valid/manifest.json");
const TARGETS: &str = include_str!("../manifests/launch.toml");
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
    let bits = prop_oneof![
        Just(String::new()),
        "[\\[\\]{}\",=:0-9a-z.#'\n\\\\ -]{1,6}",
        "(?s).{1,3}",
        Just("null".to_owned()),
        Just("1e999".to_owned()),
        Just("-0".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("\"\\ud800\"".to_owned()),
    ];
    (0..text.len(), 0..24_usize, bits).prop_map(move |(at, length, new)| {
        let mut bytes = text.as_bytes().to_vec();
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
    fn spoiled_strategies_are_refused_or_read(bytes in spoiled(STRATEGY)) {
        sound("s.json", &bytes)?;
    }
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
