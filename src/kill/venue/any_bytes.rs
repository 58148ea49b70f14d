//! What the exchange may answer instead of an answer: nothing panics, and what cannot be read is no list.
//!
//! Tests only.

use super::decimal::Decimal;
use super::holdings;
use super::orders::{Cancelled, OpenOrder};
use crate::any_bytes::{corpus, spoiled};
use proptest::prelude::*;
use serde_json::Value;

/// A parser of one kind of answer.
type Read = fn(&str) -> Result<String, String>;

const NOW: i64 = 1_795_393_260;

fn said(error: &crate::CallError) -> String {
    error.to_string()
}

fn positions(text: &str) -> Result<String, String> {
    holdings::read(text.as_bytes(), NOW)
        .map(|(positions, _)| positions.len().to_string())
        .map_err(|error| said(&error))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn book(text: &str) -> Result<String, String> {
    holdings::best_bid(&json(text))
        .map(|bid| bid.unwrap_or_else(|| "nobody".to_owned()))
        .map_err(|error| said(&error))
}

fn canceled(text: &str) -> Result<String, String> {
    Cancelled::read(&json(text))
        .map(|answer| format!("{} {}", answer.canceled.len(), answer.not_canceled.len()))
        .map_err(|error| said(&error))
}

fn open_order(text: &str) -> Result<String, String> {
    OpenOrder::read(&json(text))
        .map(|order| order.describe())
        .map_err(|error| said(&error))
}

#[test]
fn answers_of_the_exchange_are_read_or_refused_in_their_words() {
    let parsers: [(&str, Read); 4] = [
        ("positions", positions),
        ("book", book),
        ("canceled", canceled),
        ("open_order", open_order),
    ];
    for (name, read) in parsers {
        corpus::refused_list("answers/invalid", name, read);
        corpus::accepted_list("answers/valid", name, read);
    }
}

proptest! {
    #[test]
    fn no_answer_of_the_exchange_makes_the_kill_panic(body in spoiled(&[
        r#"[{"asset":"713","size":12.345,"avgPrice":0.48,"outcome":"Up","slug":"btc-updown-5m-1795393200"}]"#,
        r#"{"bids":[{"price":"0.01","size":"5"},{"price":"0.5","size":"5"}]}"#,
        r#"{"canceled":["a"],"not_canceled":{"b":"matched"}}"#,
        r#"{"id":"0x1","side":"BUY","price":"0.5","original_size":"20","asset_id":"7"}"#,
    ])) {
        if let Ok((positions, entries)) = holdings::read(&body, NOW) {
            prop_assert!(positions.len() <= entries);
            prop_assert!(positions.iter().all(|one| one.shares != "0"));
        }
        if let Ok(value) = serde_json::from_slice::<Value>(&body) {
            drop(holdings::best_bid(&value));
            drop(Cancelled::read(&value));
            drop(OpenOrder::read(&value).map(|order| order.describe()));
        }
    }

    #[test]
    fn a_decimal_prints_as_one_that_is_read_the_same(text in "-?[0-9]{1,20}(\\.[0-9]{0,20})?([eE][+-]?[0-9]{1,12})?|(?s).{0,12}") {
        if let Some(read) = Decimal::parse(&text) {
            let printed = read.to_string();
            let again = Decimal::parse(&printed).unwrap();
            prop_assert_eq!(read.compare(again), Some(std::cmp::Ordering::Equal), "{} {}", text, printed);
            prop_assert_eq!(again.to_string(), printed);
        }
    }
}
