//! The recording `book-1s`: the book of one outcome token, one row a second.
//!
//! Columns: `book_1s` `window_start_s`, `recv_ts` (arrival, Unix s), `event_ts_ms` (venue's clock), `bid1`,
//! `bid1_sz`, `ask1`, `ask1_sz` (shares; empty = nobody); `windows` slug, `asset_id`, `last_mid`. It does not
//! say whether the token is Up or Down, and holds neither oracle prices nor official outcomes.

use super::TapeImportError;
use super::listing::{LISTED_BEFORE_MS, spot_window, stand_in_token, tell};
use super::recording::{Missing, Reading, Recording, name_of, only_recorded, refuse_made};
use super::table::{Row, Table};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::path::Path;
use trader_core::event::{BookTick, Event, EventKind, WindowTick};
use trader_core::units::{EpochMs, Outcome, Shares, TokenId, TokenPrice};
use trader_core::window::WindowId;

/// A window whose last mid lies above this (or below its complement) is taken for decided.
const DECIDED: Decimal = Decimal::from_parts(9, 0, 0, false, 1);

/// Reads the folder.
pub(super) fn read(folder: &Path, reading: &Reading) -> Result<Recording, TapeImportError> {
    only_recorded(folder, reading)?;
    refuse_made(folder, reading, &[Missing::Outcome])?;
    let derive = reading.makes(Missing::Outcome);
    let windows = read_windows(&Table::read(folder, "windows")?, derive)?;
    let mut events = read_books(&Table::read(folder, "book_1s")?, &windows)?;
    let Some(first) = events.iter().map(|event| event.t).min() else {
        return Err(TapeImportError::Bound {
            path: folder.display().to_string(),
            problem: "no book in it".to_owned(),
        });
    };
    // Listings before the books of the same instant.
    let mut all = Vec::new();
    for tick in windows.values() {
        tell(tick, first.plus_ms(-LISTED_BEFORE_MS), &mut all);
    }
    all.append(&mut events);
    let mut made = vec![
        "the recorded token is taken for Up, its side is not recorded".to_owned(),
        "books of the other token are the complement of the recorded one".to_owned(),
    ];
    let mut lacks = vec!["oracle"];
    if derive {
        made.push("outcomes from the last mid: above 0.9 won, below 0.1 lost".to_owned());
    } else {
        lacks.push("outcome");
    }
    Ok(Recording {
        name: name_of(folder),
        assets: windows
            .keys()
            .next()
            .map(|id| id.asset())
            .into_iter()
            .collect(),
        events: all,
        mids: Vec::new(),
        made,
        lacks,
        settlement: "windows of the instantaneous price (before 2026-08-07)".to_owned(),
        books_recorded: true,
    }
    .sorted())
}

fn read_windows(
    table: &Table,
    derive: bool,
) -> Result<BTreeMap<WindowId, WindowTick>, TapeImportError> {
    let (slug, token) = (table.column("slug")?, table.column("asset_id")?);
    let last_mid = table.column("last_mid")?;
    let mut windows = BTreeMap::new();
    for row in table.rows() {
        let id: WindowId = row.value(slug, "slug")?;
        let up: TokenId = row.value(token, "asset_id")?;
        let down = stand_in_token(id, Outcome::Down)
            .ok_or_else(|| row.wrong("slug", "no token can be made of it"))?;
        let mid: Decimal = row.value(last_mid, "last_mid")?;
        let outcome = derive.then(|| decided(mid)).flatten();
        let window = spot_window(id, up, down);
        windows.insert(id, WindowTick { window, outcome });
    }
    Ok(windows)
}

/// The outcome that a last mid of the Up token shows, if it shows one.
pub(super) fn decided(mid: Decimal) -> Option<Outcome> {
    if mid > DECIDED {
        Some(Outcome::Up)
    } else if mid < Decimal::ONE - DECIDED {
        Some(Outcome::Down)
    } else {
        None
    }
}

fn read_books(
    table: &Table,
    windows: &BTreeMap<WindowId, WindowTick>,
) -> Result<Vec<Event>, TapeImportError> {
    let start = table.column("window_start_s")?;
    let (arrived, told) = (table.column("recv_ts")?, table.column("event_ts_ms")?);
    let sides = [
        (table.column("bid1")?, table.column("bid1_sz")?),
        (table.column("ask1")?, table.column("ask1_sz")?),
    ];
    let by_start: BTreeMap<EpochMs, &WindowTick> = windows
        .values()
        .map(|tick| (tick.window.id.open(), tick))
        .collect();
    let mut events = Vec::new();
    for row in table.rows() {
        let open = EpochMs(
            row.value::<i64>(start, "window_start_s")?
                .saturating_mul(1_000),
        );
        let tick = by_start
            .get(&open)
            .ok_or_else(|| row.wrong("window_start_s", "no such window in windows"))?;
        let secs: Decimal = row.value(arrived, "recv_ts")?;
        let ms = secs
            .checked_mul(Decimal::ONE_THOUSAND)
            .and_then(|ms| i64::try_from(ms.trunc().mantissa()).ok())
            .ok_or_else(|| row.wrong("recv_ts", "not a time"))?;
        let at = (EpochMs(ms), EpochMs(row.value(told, "event_ts_ms")?));
        let bid = level(row, sides[0], "bid1")?;
        let ask = level(row, sides[1], "ask1")?;
        push_both(tick, at, bid, ask, &mut events);
    }
    Ok(events)
}

/// A price with its size in shares; empty is nobody.
fn level(
    row: Row<'_>,
    (price, size): (usize, usize),
    name: &'static str,
) -> Result<Option<(TokenPrice, Shares)>, TapeImportError> {
    if row.text(price, name)?.is_empty() {
        return Ok(None);
    }
    let size: Decimal = row.value(size, name)?;
    let shares = Shares::try_new(size.trunc_with_scale(2))
        .map_err(|error| row.wrong(name, &error.to_string()))?;
    Ok(Some((row.value(price, name)?, shares)))
}

/// The book of the Up token, and its mirror for the Down token.
fn push_both(
    tick: &WindowTick,
    (t, src): (EpochMs, EpochMs),
    bid: Option<(TokenPrice, Shares)>,
    ask: Option<(TokenPrice, Shares)>,
    out: &mut Vec<Event>,
) {
    let mirrored =
        |side: Option<(TokenPrice, Shares)>| side.map(|(price, size)| (price.complement(), size));
    for (token, bid, ask) in [
        (&tick.window.up, bid, ask),
        (&tick.window.down, mirrored(ask), mirrored(bid)),
    ] {
        out.push(book_event(tick.window.id, token, (t, src), bid, ask));
    }
}

/// A book event.
pub(super) fn book_event(
    id: WindowId,
    token: &TokenId,
    (t, src): (EpochMs, EpochMs),
    bid: Option<(TokenPrice, Shares)>,
    ask: Option<(TokenPrice, Shares)>,
) -> Event {
    let size = |side: Option<(TokenPrice, Shares)>| side.map_or(Shares::ZERO, |(_, size)| size);
    Event {
        t,
        src: Some(src),
        kind: EventKind::Book(BookTick {
            asset: id.asset(),
            token: token.clone(),
            bid: bid.map(|(price, _)| price),
            ask: ask.map(|(price, _)| price),
            bid_size: size(bid),
            ask_size: size(ask),
        }),
    }
}
