//! Faults in what the trader sees: prices, units, clocks, windows, tokens. Each one is planted into a tape
//! that trades when it is whole.

use super::{row, when};
use crate::rehearse::document::at;
use crate::rehearse::incident::{Incident, Outcome};
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};
use serde_json::{Value, json};

const TRY: &str =
    "launch trade --mode dry-run --manifest manifests/local.toml --feed tape:bad.jsonl";

/// How many times btc's price is eth's in the seeded market.
const BTC_PER_ETH: f64 = 29.25;

/// What one line of the tape becomes; `None` takes it out.
pub(in crate::rehearse::incident) type Spoil = fn(Value) -> Option<Value>;

pub(super) const ROWS: &[Incident] = &[
    row(
        "btc-price-in-eth",
        "One asset's price in another's window",
        "every eth oracle price is as high as btc's, and moves like it",
        TRY,
        |scratch| {
            fewer(scratch, "component:implausible_move", |line| {
                if is(&line, "oracle", "eth") {
                    Some(scaled(line, "price", BTC_PER_ETH))
                } else {
                    Some(line)
                }
            })
        },
    ),
    row(
        "asset-price-missing",
        "An asset without an oracle price",
        "no oracle price of eth at all; no other price may stand in",
        TRY,
        |scratch| {
            fewer(scratch, "view:missing_oracle", |line| {
                (!is(&line, "oracle", "eth")).then_some(line)
            })
        },
    ),
    row(
        "oracle-stale",
        "An oracle that fell silent",
        "of every five minutes the oracle is silent in the last three; the books go on",
        TRY,
        |scratch| {
            fewer(scratch, "safeguard:stale_oracle", |line| {
                let keep = kind(&line) != "oracle" || second(&line) % 300 < 120;
                keep.then_some(line)
            })
        },
    ),
    row(
        "book-missing",
        "Prices without a book",
        "no book at all: a price to buy at is never made up",
        TRY,
        |scratch| {
            refused(scratch, "view:missing_book", |line| {
                (kind(&line) != "book").then_some(line)
            })
        },
    ),
    row(
        "reference-missing",
        "A window without its reference price",
        "every window's reference is taken out",
        TRY,
        |scratch| {
            refused(scratch, "view:missing_reference", |mut line| {
                if let Some(fields) = line.as_object_mut() {
                    fields.remove("reference");
                }
                Some(line)
            })
        },
    ),
    row(
        "volatility-missing",
        "A model without a volatility",
        "one oracle price a minute: no fallback number takes its place",
        TRY,
        |scratch| {
            refused(scratch, "component:missing_volatility", |line| {
                let keep = kind(&line) != "oracle" || second(&line).is_multiple_of(60);
                keep.then_some(line)
            })
        },
    ),
    row(
        "expired-window",
        "A window that has closed",
        "every window is listed an hour after it opened",
        TRY,
        expired,
    ),
    row(
        "clock-skew",
        "A clock that is wrong",
        "the venue's clock is five seconds away from ours",
        TRY,
        |scratch| {
            refused(scratch, "safeguard:clock_offset", |line| {
                Some(with(line, "clock", "offset_ms", json!(5_000)))
            })
        },
    ),
    row(
        "impossible-move",
        "A price that cannot have moved so far",
        "every reference price is a tenth under the oracle's",
        TRY,
        |scratch| {
            refused(scratch, "component:implausible_move", |line| {
                Some(scaled(line, "reference", 0.9))
            })
        },
    ),
    row(
        "dollars-as-token-price",
        "Dollars as a token's price",
        "every bid is 78950",
        TRY,
        |scratch| {
            unreadable(scratch, |line| {
                Some(with(line, "book", "bid", json!("78950")))
            })
        },
    ),
    row(
        "price-not-a-number",
        "A price that is not a number",
        "an oracle price of NaN",
        TRY,
        |scratch| {
            unreadable(scratch, |line| {
                Some(with(line, "oracle", "price", json!("NaN")))
            })
        },
    ),
    row(
        "tokens-the-same",
        "One token for both outcomes",
        "every window's down token is its up token",
        TRY,
        |scratch| {
            unreadable(scratch, |mut line| {
                if let Some(fields) = line.as_object_mut()
                    && let Some(up) = fields.get("up").cloned()
                {
                    fields.insert("down".to_owned(), up);
                }
                Some(line)
            })
        },
    ),
    row(
        "window-id-of-another",
        "A window whose id and times disagree",
        "every window closes a minute late",
        TRY,
        |scratch| {
            unreadable(scratch, |mut line| {
                if let Some(close) = line.get("close_ms").and_then(Value::as_i64)
                    && let Some(fields) = line.as_object_mut()
                {
                    fields.insert("close_ms".to_owned(), json!(close + 60_000));
                }
                Some(line)
            })
        },
    ),
    row(
        "unknown-message",
        "A message that nobody knows",
        "every spot price is called \"prints\"",
        TRY,
        |scratch| {
            unreadable(scratch, |line| {
                Some(with(line, "spot", "kind", json!("prints")))
            })
        },
    ),
];

fn kind(line: &Value) -> &str {
    line.get("kind").and_then(Value::as_str).unwrap_or_default()
}

fn is(line: &Value, wanted: &str, asset: &str) -> bool {
    kind(line) == wanted && line.get("asset").and_then(Value::as_str) == Some(asset)
}

/// The second of the day in which a line arrived.
fn second(line: &Value) -> u64 {
    line.get("t_ms").and_then(Value::as_u64).unwrap_or(0) / 1_000
}

fn with(mut line: Value, of_kind: &str, key: &str, value: Value) -> Value {
    if kind(&line) == of_kind
        && let Some(fields) = line.as_object_mut()
    {
        fields.insert(key.to_owned(), value);
    }
    line
}

/// A price of the line, so many times as high.
fn scaled(mut line: Value, key: &str, times: f64) -> Value {
    let higher = line
        .get(key)
        .and_then(Value::as_str)
        .and_then(|price| price.parse::<f64>().ok())
        .map(|price| format!("{:.4}", price * times));
    if let (Some(higher), Some(fields)) = (higher, line.as_object_mut()) {
        fields.insert(key.to_owned(), json!(higher));
    }
    line
}

/// The same window, so much later: id, open and close.
fn moved(mut line: Value, by_ms: i64) -> Value {
    if kind(&line) == "window"
        && let Some(fields) = line.as_object_mut()
    {
        for key in ["open_ms", "close_ms"] {
            if let Some(ms) = fields.get(key).and_then(Value::as_i64) {
                fields.insert(key.to_owned(), json!(ms + by_ms));
            }
        }
        if let Some((name, epoch)) = fields
            .get("id")
            .and_then(Value::as_str)
            .and_then(|id| id.rsplit_once('-'))
            && let Ok(epoch) = epoch.parse::<i64>()
        {
            let id = format!("{name}-{}", epoch + by_ms / 1_000);
            fields.insert("id".to_owned(), json!(id));
        }
        fields.remove("outcome");
    }
    line
}

pub(in crate::rehearse::incident) fn dry_run(
    scratch: &Scratch,
    feed: &[&str],
) -> Result<crate::rehearse::scratch::Ran, RehearseError> {
    let mut args = vec![
        "trade",
        "--mode",
        "dry-run",
        "--manifest",
        "manifests/local.toml",
        "--format",
        "json",
    ];
    args.extend(feed);
    scratch.launch(&args)
}

/// Writes `whole.jsonl`, which trades, and `bad.jsonl`; how many intents the whole one gave.
pub(in crate::rehearse::incident) fn tapes(
    scratch: &mut Scratch,
    spoil: Spoil,
) -> Result<u64, RehearseError> {
    life::scaffold(scratch)?;
    let whole = dry_run(scratch, &["--tape-out", "whole.jsonl"])?
        .expect(0)?
        .json()?;
    let intents = at(&whole, "/intents").as_u64().unwrap_or(0);
    if intents == 0 {
        return Err(RehearseError::Wrong(
            "the whole tape does not trade, so nothing would be proved".to_owned(),
        ));
    }
    let tape = scratch.read("whole.jsonl")?;
    let mut lines = tape.lines();
    let mut bad = format!("{}\n", lines.next().unwrap_or_default());
    let mut changed = false;
    for line in lines {
        let event: Value = serde_json::from_str(line)
            .map_err(|error| RehearseError::Wrong(format!("whole.jsonl: {error}")))?;
        let spoiled = spoil(event.clone());
        changed |= spoiled.as_ref() != Some(&event);
        if let Some(spoiled) = spoiled {
            bad.push_str(&spoiled.to_string());
            bad.push('\n');
        }
    }
    if !changed {
        return Err(RehearseError::Wrong("nothing was planted".to_owned()));
    }
    scratch.write("bad.jsonl", &bad)?;
    Ok(intents)
}

/// Refused by `by` (`view:…`, `component:…`, `safeguard:…`): no intent, and the reason was given.
fn refused(scratch: &mut Scratch, by: &str, spoil: Spoil) -> Result<Outcome, RehearseError> {
    judged(scratch, by, spoil, |_, intents| intents == 0)
}

/// The same where a part of the tape is whole and goes on trading: fewer intents, and the reason was given.
fn fewer(scratch: &mut Scratch, by: &str, spoil: Spoil) -> Result<Outcome, RehearseError> {
    judged(scratch, by, spoil, |whole, intents| intents < whole)
}

fn judged(
    scratch: &mut Scratch,
    by: &str,
    spoil: Spoil,
    holds: fn(u64, u64) -> bool,
) -> Result<Outcome, RehearseError> {
    let whole = tapes(scratch, spoil)?;
    let bad = dry_run(scratch, &["--feed", "tape:bad.jsonl"])?
        .expect(0)?
        .json()?;
    let intents = at(&bad, "/intents").as_u64().unwrap_or(u64::MAX);
    let reason = by.split_once(':').map_or(by, |(_, reason)| reason);
    let times = at(&bad, &format!("/refusals/{reason}"))
        .as_u64()
        .unwrap_or(0);
    Ok(when(
        holds(whole, intents) && times > 0,
        &[by],
        format!("{intents} intents instead of {whole}; {reason} {times} times"),
    ))
}

/// Refused as it is read: one error that names the line.
pub(in crate::rehearse::incident) fn unreadable(
    scratch: &mut Scratch,
    spoil: Spoil,
) -> Result<Outcome, RehearseError> {
    tapes(scratch, spoil)?;
    let ran = dry_run(scratch, &["--feed", "tape:bad.jsonl"])?;
    let place = ran
        .stderr
        .lines()
        .find(|line| line.contains("bad.jsonl:"))
        .unwrap_or_default()
        .trim();
    Ok(when(
        ran.code.is_some_and(|code| code != 0) && !place.is_empty(),
        &["tape:typed_line"],
        format!("exit {}: {place}", ran.code.unwrap_or(-1)),
    ))
}

/// No window is open at any time: nothing is entered, and a run that saw none gives no result at all.
fn expired(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    tapes(scratch, |line| Some(moved(line, -3_600_000)))?;
    let ran = dry_run(scratch, &["--feed", "tape:bad.jsonl"])?;
    let said = ran
        .stderr
        .lines()
        .find(|line| line.contains("0 of 3 windows"))
        .unwrap_or_default();
    Ok(when(
        ran.code == Some(1) && !said.is_empty(),
        &["view:window_not_open", "dry_run:windows_seen"],
        format!("exit 1: {}", said.trim()),
    ))
}

/// The token's price in the place of the oracle's dollars.
pub(in crate::rehearse::incident) fn token_price_as_s(
    scratch: &mut Scratch,
) -> Result<Outcome, RehearseError> {
    refused(scratch, "view:oracle_out_of_range", |line| {
        Some(with(line, "oracle", "price", json!("0.72")))
    })
}

/// Every window an hour before it opens.
pub(in crate::rehearse::incident) fn not_open_yet(
    scratch: &mut Scratch,
) -> Result<Outcome, RehearseError> {
    refused(scratch, "view:window_not_open", |line| {
        Some(moved(line, 3_600_000))
    })
}

/// Windows whose token is called `token_id`, as the orchestrator called it.
pub(in crate::rehearse::incident) fn without_token_ids(
    scratch: &mut Scratch,
) -> Result<Outcome, RehearseError> {
    unreadable(scratch, |mut line| {
        if let Some(fields) = line.as_object_mut()
            && let Some(up) = fields.remove("up")
        {
            fields.insert("token_id".to_owned(), up);
        }
        Some(line)
    })
}
