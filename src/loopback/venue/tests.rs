//! The stub itself: what it checks of a signature, and that a truth it keeps is the truth.

use super::account::Account;
use super::signature::{Signed, check};
use super::*;
use axum::http::HeaderMap;
use std::time::Duration;

/// The venue's clock in these tests, Unix seconds.
const NOW: i64 = 1_795_393_198;

fn headers(changed: &[(&'static str, &str)]) -> HeaderMap {
    let own = Credentials::default();
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        headers.insert(name, value.parse().unwrap());
    };
    put("POLY_ADDRESS", &own.address);
    put("POLY_API_KEY", &own.api_key);
    put("POLY_PASSPHRASE", &own.passphrase);
    put("POLY_TIMESTAMP", "1795393198");
    // py-clob-client-v2 1.2.1: build_hmac_signature(secret, 1795393198, "DELETE", "/cancel-all").
    put(
        "POLY_SIGNATURE",
        "z4Mx-Hlk2aaEXPcny2tsrBGyLrlUGTZP64Tnsw5CQQs=",
    );
    for (name, value) in changed {
        put(name, value);
    }
    headers
}

fn judge(headers: &HeaderMap, now: i64) -> Result<(), &'static str> {
    let request = Signed {
        method: "DELETE",
        path: "/cancel-all",
        body: b"",
    };
    check(request, headers, &Credentials::default(), now)
}

#[test]
fn the_official_clients_signature_is_accepted_and_no_other() {
    assert_eq!(judge(&headers(&[]), NOW), Ok(()));
    // The same bytes in the standard alphabet, and without padding: refused by the venue.
    for other in [
        "z4Mx+Hlk2aaEXPcny2tsrBGyLrlUGTZP64Tnsw5CQQs=",
        "z4Mx-Hlk2aaEXPcny2tsrBGyLrlUGTZP64Tnsw5CQQs",
        "DByrj1abrar_Q0PBpmFUkq-GoKlqM9ddW5KvTHQkt7E=",
    ] {
        assert_eq!(
            judge(&headers(&[("POLY_SIGNATURE", other)]), NOW),
            Err("POLY_SIGNATURE"),
            "{other}"
        );
    }
    for name in ["POLY_ADDRESS", "POLY_API_KEY", "POLY_PASSPHRASE"] {
        assert_eq!(judge(&headers(&[(name, "0xother")]), NOW), Err(name));
    }
}

#[test]
fn a_body_is_signed_byte_for_byte() {
    // py-clob-client-v2 1.2.1, cancel_orders(["0x01", "0x02"]).
    let signature = "WMYnQDQrncl03TxnubbuhDl-eA9aQUefT6pxEpHcAnM=";
    let judge = |body: &[u8]| {
        let request = Signed {
            method: "DELETE",
            path: "/orders",
            body,
        };
        let headers = headers(&[("POLY_SIGNATURE", signature)]);
        check(request, &headers, &Credentials::default(), NOW)
    };
    assert_eq!(judge(br#"["0x01","0x02"]"#), Ok(()));
    assert_eq!(judge(br#"["0x01", "0x02"]"#), Err("POLY_SIGNATURE"));
}

#[test]
fn a_timestamp_far_from_the_venues_clock_is_refused() {
    assert_eq!(judge(&headers(&[]), NOW + 60), Ok(()));
    assert_eq!(judge(&headers(&[]), NOW - 60), Ok(()));
    assert!(judge(&headers(&[]), NOW + 61).is_err());
    assert!(judge(&headers(&[]), NOW + 86_400).is_err());
}

fn account(faults: VenueFaults) -> Account {
    let mut account = Account::new(Credentials::default(), faults);
    account.add_order(RestingOrder::numbered(1));
    account.add_order(RestingOrder::numbered(2));
    account
}

#[test]
fn a_true_cancel_empties_the_book_and_says_which() {
    let mut account = account(VenueFaults::default());
    let answer = account.cancel(None);
    assert_eq!(answer["canceled"].as_array().unwrap().len(), 2);
    assert_eq!(
        (account.open_orders().len(), account.shown_orders().len()),
        (0, 0)
    );
}

#[test]
fn lies_do_not_change_the_truth() {
    let mut lying = account(VenueFaults {
        cancel_acknowledged_only: true,
        ..VenueFaults::default()
    });
    assert_eq!(lying.cancel(None)["canceled"].as_array().unwrap().len(), 2);
    assert_eq!(lying.open_orders().len(), 2);

    let mut stale = account(VenueFaults {
        stale_reads_ms: 600_000,
        ..VenueFaults::default()
    });
    drop(stale.cancel(None));
    assert_eq!(
        (stale.open_orders().len(), stale.shown_orders().len()),
        (0, 2)
    );
}

#[test]
fn not_canceled_is_said_as_often_as_told() {
    let mut account = account(VenueFaults {
        not_canceled: 1,
        ..VenueFaults::default()
    });
    let answer = account.cancel(None);
    assert_eq!(answer["not_canceled"].as_object().unwrap().len(), 2);
    assert_eq!(account.open_orders().len(), 2);
    assert_eq!(
        account.cancel(None)["canceled"].as_array().unwrap().len(),
        2
    );
    assert!(account.open_orders().is_empty());
}

#[test]
fn a_late_order_enters_the_book_after_a_cancel_and_is_no_secret_of_the_stub() {
    let mut account = account(VenueFaults {
        late_order_after_ms: Some(0),
        ..VenueFaults::default()
    });
    drop(account.cancel(None));
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(account.open_orders().len(), 1);
    drop(account.cancel(None));
    assert!(account.open_orders().is_empty(), "told once, once");
    assert_eq!(account.orders_in_flight(), 0);
}
