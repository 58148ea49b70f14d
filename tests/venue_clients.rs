//! The stub of the exchange answers the official Python client as the exchange would: what our own
//! client is tested against was not made to fit our own client.
//!
//! Needs `py-clob-client-v2` for the interpreter in `LAUNCH_TEST_PYTHON`, else `python3`; where it
//! is missing the test passes and says so (`.ci/run` installs it).

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use launch::loopback::venue::{RestingOrder, Venue, VenueFaults, VenueOptions};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// What the script ends with where the client is not installed.
const NOT_INSTALLED: i32 = 77;

#[test]
fn the_official_python_client_and_the_stub_understand_each_other() {
    let venue = Venue::start(VenueOptions {
        orders: (1..=5).map(RestingOrder::numbered).collect(),
        faults: VenueFaults {
            page_size: 2,
            ..VenueFaults::default()
        },
        ..VenueOptions::default()
    })
    .unwrap();
    let named = std::env::var("LAUNCH_TEST_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".into());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/venue_client.py");
    let output = Command::new(&python)
        .args([script, &venue.url()])
        .envs(venue.variables())
        .env("NO_PROXY", "127.0.0.1")
        .output();
    let output = match output {
        Ok(output) if output.status.code() != Some(NOT_INSTALLED) => output,
        lacking => {
            assert!(
                named.is_none(),
                "{python} was named for this test: {lacking:?}"
            );
            eprintln!("not tried: {python} lacks py-clob-client-v2 (PyPI)");
            return;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let said: BTreeMap<String, Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            (
                line["step"].as_str().unwrap().to_owned(),
                line["value"].clone(),
            )
        })
        .collect();
    assert!(said["time"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(said["orders"].as_array().unwrap().len(), 5, "three pages");
    assert_eq!(said["cancel_two"]["canceled"].as_array().unwrap().len(), 2);
    assert_eq!(said["cancel_all"]["canceled"].as_array().unwrap().len(), 3);
    assert_eq!(said["cancel_all"]["not_canceled"], json!({}));
    assert_eq!(said["left"], json!([]));
    assert_eq!(said["wrong_secret"], json!(401));
    assert_eq!(said["delete_key"], json!("OK"));
    assert_eq!(said["deleted_key"], json!(401));
    assert!(venue.is_key_deleted() && venue.open_orders().is_empty());
}
