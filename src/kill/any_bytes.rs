//! What the platform or the trader may answer instead of an answer: nothing panics, unknown stays unknown.
//!
//! Tests only. `PROPTEST_CASES` says how many spoiled bodies each target is given.

use crate::deployment::Deployment;
use crate::position::Position;
use proptest::prelude::*;
use serde_json::Value;

#[path = "../../tests/support/corpus.rs"]
pub(crate) mod corpus;

/// One of the good bodies with one stretch replaced, or any bytes at all.
pub(crate) fn spoiled(good: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let bits = prop_oneof![
        Just(String::new()),
        "[\\[\\]{}\",:0-9a-z.\\\\ -]{1,6}",
        "(?s).{1,3}",
        Just("null".to_owned()),
        Just("1e999".to_owned()),
        Just("-1".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("[".repeat(300)),
        Just("\"\\ud800\"".to_owned()),
    ];
    prop_oneof![
        4 => (0..good.len(), any::<prop::sample::Index>(), 0..24_usize, bits).prop_map(
            |(which, at, length, new)| {
                let mut bytes = good[which].as_bytes().to_vec();
                let at = at.index(bytes.len());
                let end = (at + length).min(bytes.len());
                bytes.splice(at..end, new.into_bytes());
                bytes
            }
        ),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn deployment(text: &str) -> Result<String, String> {
    let life = |is_live| if is_live { "live" } else { "dead" };
    Deployment::read(&json(text)).map(|deployment| life(deployment.is_live()).to_owned())
}

fn told_positions(text: &str) -> Result<String, String> {
    Position::of_trader(&json(text))
        .map(|positions| positions.len().to_string())
        .ok_or_else(|| "unknown".to_owned())
}

#[test]
fn a_deployment_is_dead_only_by_the_platforms_own_word() {
    corpus::refused_list("answers/invalid", "deployment", deployment);
    corpus::accepted_list("answers/valid", "deployment", deployment);
}

#[test]
fn a_list_of_positions_that_cannot_be_read_is_unknown() {
    corpus::refused_list("answers/invalid", "trader_positions", told_positions);
    corpus::accepted_list("answers/valid", "trader_positions", told_positions);
}

proptest! {
    #[test]
    fn no_deployment_makes_the_kill_panic(body in spoiled(&[
        r#"{"id":"d","status":"SUCCESS","deploymentStopped":true,"instances":[{"id":"i","status":"RUNNING"}],"meta":{"commitHash":"c"}}"#,
    ])) {
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Ok(deployment) = Deployment::read(&value) {
            prop_assert!(!deployment.id.is_empty());
            // Dead needs the word REMOVED, FAILED or SKIPPED, or a stop with no instance left.
            let runs = deployment.instances.iter().flatten().any(|one| one.status == "RUNNING");
            if runs && deployment.status == crate::deployment::Status::Success {
                prop_assert!(deployment.is_live());
            }
        }
    }

    #[test]
    fn no_list_of_positions_makes_the_kill_panic(body in spoiled(&[
        r#"[{"token":"1","shares":"5","window":"btc-5m-1769949000","closes_in_ms":61500,"cost_usd":"5.2","outcome":"up"}]"#,
        r#"{"state":"done","positions":[{"token":"1","shares":"5","sold":"5","left":"0","result":"sold"}]}"#,
    ])) {
        if let Ok(value) = serde_json::from_slice::<Value>(&body) {
            for positions in [Position::of_trader(&value), Position::of_flatten(&value)].into_iter().flatten() {
                prop_assert!(positions.iter().all(|one| !one.token.is_empty() && !one.shares.is_empty()));
            }
        }
    }
}
