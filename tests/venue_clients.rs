//! The stub of the exchange answers the official Python client as the exchange would, and our own client
//! is held against that stub: it was not made to fit our own client.
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

/// Our client of that stub's account.
fn own_client(venue: &Venue) -> launch_kill::venue::Venue {
    let variables = venue.variables();
    let mut notes = Vec::new();
    let access = launch_kill::venue::VenueAccess::read(
        |name| variables.get(name).cloned(),
        true,
        &mut notes,
    );
    assert!(notes.is_empty(), "{notes:?}");
    launch_kill::venue::Venue::new(&access.unwrap()).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn soon() -> launch_kill::Deadline {
    launch_kill::Deadline::after(std::time::Duration::from_secs(10))
}

#[test]
fn our_own_client_passes_where_the_official_one_does() {
    let venue = Venue::start(VenueOptions {
        orders: (1..=5).map(RestingOrder::numbered).collect(),
        faults: VenueFaults {
            page_size: 2,
            clock_offset_secs: 86_400,
            ..VenueFaults::default()
        },
        ..VenueOptions::default()
    })
    .unwrap();
    let own = own_client(&venue);
    runtime().block_on(async {
        let orders = own.open_orders(soon()).await.unwrap();
        assert_eq!(orders.len(), 5, "three pages, by a clock that is a day off");
        assert!((own.clock_offset_secs() - 86_400).abs() < 60);
        let two: Vec<String> = orders
            .iter()
            .take(2)
            .map(|order| order.id.clone())
            .collect();
        assert_eq!(own.cancel(&two, soon()).await.unwrap().canceled.len(), 2);
        assert_eq!(own.cancel_all(soon()).await.unwrap().canceled.len(), 3);
        assert!(own.open_orders(soon()).await.unwrap().is_empty());
        own.delete_key(soon()).await.unwrap();
        assert!(own.cancel_all(soon()).await.unwrap_err().is_unauthorized());
    });
    assert!(venue.is_key_deleted() && venue.open_orders().is_empty());
}

#[test]
fn what_the_stub_garbles_is_no_empty_book() {
    let garbled = [
        VenueFaults {
            garbage: true,
            ..VenueFaults::default()
        },
        VenueFaults {
            endless_pages: true,
            ..VenueFaults::default()
        },
        VenueFaults {
            status: Some(503),
            ..VenueFaults::default()
        },
        VenueFaults {
            unauthorized: true,
            ..VenueFaults::default()
        },
        VenueFaults {
            down: true,
            ..VenueFaults::default()
        },
        VenueFaults {
            positions_down: true,
            garbage: true,
            ..VenueFaults::default()
        },
    ];
    for faults in garbled {
        let venue = Venue::start(VenueOptions {
            faults: faults.clone(),
            ..VenueOptions::default()
        })
        .unwrap();
        let answer = runtime().block_on(own_client(&venue).open_orders(soon()));
        assert!(answer.is_err(), "{faults:?}: {answer:?}");
    }
}
