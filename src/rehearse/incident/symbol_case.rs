//! The model wanted `btc` and received `BTC`; a feed says `btcusdt`, another `btc/usd`.
//!
//! Planted: a tape in which every asset is in upper case or spelt as a feed spells it. Right: text becomes an
//! asset once, at the border, so that the decisions are the same to the last bit; a coin that nobody knows is
//! an error with its line.

use super::catalogue::{market, when};
use super::{Incident, Outcome};
use crate::rehearse::document::text;
use crate::rehearse::scratch::{RehearseError, Scratch};
use serde_json::json;

pub(super) const INCIDENT: Incident = Incident {
    id: "6",
    of: None,
    slug: "symbol-case",
    title: "SYMBOL CASE MISMATCH",
    planted: "\"BTC\" and \"ethusdt\" for every \"btc\" and \"eth\" of a tape; then a coin that nobody knows",
    command: "launch trade --mode dry-run --manifest manifests/local.toml --feed tape:bad.jsonl",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    market::tapes(scratch, |mut line| {
        let spelt = match line.get("asset").and_then(serde_json::Value::as_str) {
            Some("btc") => "BTC",
            Some("eth") => "ethusdt",
            _ => return Some(line),
        };
        if let Some(fields) = line.as_object_mut() {
            fields.insert("asset".to_owned(), json!(spelt));
        }
        Some(line)
    })?;
    let feed = |tape| -> Result<_, RehearseError> {
        market::dry_run(scratch, &["--feed", tape])?
            .expect(0)?
            .json()
    };
    let (whole, spelt) = (feed("tape:whole.jsonl")?, feed("tape:bad.jsonl")?);
    let same = text(&whole, "/journal_digest") == text(&spelt, "/journal_digest")
        && whole.get("intents") == spelt.get("intents");
    let spoiled = scratch
        .read("bad.jsonl")?
        .replace("\"BTC\"", "\"dogeusdt\"");
    scratch.write("bad.jsonl", &spoiled)?;
    let unknown = market::dry_run(scratch, &["--feed", "tape:bad.jsonl"])?;
    let place = unknown
        .stderr
        .lines()
        .find(|line| line.contains("bad.jsonl:"))
        .unwrap_or_default()
        .trim();
    Ok(when(
        same && unknown.code != Some(0) && !place.is_empty(),
        &["type:Asset"],
        format!("the same journal in either spelling: {same}; an unknown coin: {place}"),
    ))
}
