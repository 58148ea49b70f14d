//! The short way for quotes, which are nearly all lines of a tape: only a book's own fields, as the
//! texts that [`super::event_line`] writes.
//!
//! Takes nothing that the long way refuses and reads nothing differently; what it does not take, for
//! whatever reason, goes the long way, which knows how to say what is wrong.

use super::line::instant;
use crate::event::{BookTick, Event, EventKind};
use crate::units::Shares;
use serde::Deserialize;
use std::str::FromStr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quote<'a> {
    t_ms: i64,
    src_ms: Option<i64>,
    kind: &'a str,
    asset: &'a str,
    token: &'a str,
    bid: Option<&'a str>,
    ask: Option<&'a str>,
    bid_size: Option<&'a str>,
    ask_size: Option<&'a str>,
}

/// Bytes in which a line of ours has told its kind.
const HEAD_BYTES: usize = 96;

/// The event, if the line is a quote without fault.
pub(super) fn parse(line: &str) -> Option<Event> {
    let head = line.get(..HEAD_BYTES)?;
    if !head.contains("\"book\"") {
        return None;
    }
    let quote: Quote<'_> = serde_json::from_str(line).ok()?;
    if quote.kind != "book" {
        return None;
    }
    let tick = BookTick {
        asset: quote.asset.parse().ok()?,
        token: quote.token.parse().ok()?,
        bid: maybe(quote.bid).ok()?,
        ask: maybe(quote.ask).ok()?,
        bid_size: maybe(quote.bid_size).ok()?.unwrap_or(Shares::ZERO),
        ask_size: maybe(quote.ask_size).ok()?.unwrap_or(Shares::ZERO),
    };
    Some(Event {
        t: instant("t_ms", quote.t_ms).ok()?,
        src: quote
            .src_ms
            .map(|ms| instant("src_ms", ms))
            .transpose()
            .ok()?,
        kind: EventKind::Book(tick),
    })
}

/// Absent is fine, unreadable is not.
fn maybe<T: FromStr>(text: Option<&str>) -> Result<Option<T>, T::Err> {
    text.map(str::parse).transpose()
}
