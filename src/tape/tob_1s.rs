//! The recording `tob-1s`: best bid and ask of both tokens of a window, one row a second.
//!
//! Columns: `tob_1s` `ts_local`, `window_start_local`, `window_end_local` (the recorder's local time, zone not
//! told), `up_bid`, `up_ask`, `down_bid`, `down_ask` (empty = nobody), `*_liq` (USD at that quote); `windows`
//! `window_start_local`, mid. No oracle, no official outcome, no token ids.

use super::TapeImportError;
use super::book_1s::{book_event, decided};
use super::listing::{spot_window, stand_in_token, tell};
use super::recording::{Missing, Reading, Recording, name_of, only_recorded, refuse_made};
use super::table::{Row, Table};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::path::Path;
use trader_core::event::{Event, WindowTick};
use trader_core::units::{Asset, EpochMs, Outcome, Shares, TokenPrice};
use trader_core::window::{WindowId, WindowLength};

/// Reads the folder.
pub(super) fn read(folder: &Path, reading: &Reading) -> Result<Recording, TapeImportError> {
    only_recorded(folder, reading)?;
    refuse_made(folder, reading, &[Missing::Outcome])?;
    let derive = reading.makes(Missing::Outcome);
    let windows = read_windows(&Table::read(folder, "windows")?, derive)?;
    let mut books = read_books(&Table::read(folder, "tob_1s")?, &windows)?;
    let mut events = Vec::new();
    for tick in windows.values() {
        tell(tick, EpochMs(i64::MIN), &mut events);
    }
    events.append(&mut books);
    let mut made = vec![
        "the recorder's local time is read as UTC, its zone is not recorded".to_owned(),
        "token ids are stand-ins, they are not recorded".to_owned(),
        "shares at a quote are its recorded USD over its price".to_owned(),
    ];
    let mut lacks = vec!["oracle"];
    if derive {
        made.push("outcomes from the last mid: above 0.9 won, below 0.1 lost".to_owned());
    } else {
        lacks.push("outcome");
    }
    Ok(Recording {
        name: name_of(folder),
        assets: vec![Asset::Btc],
        events,
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
) -> Result<BTreeMap<EpochMs, WindowTick>, TapeImportError> {
    let (start, mid) = (table.column("window_start_local")?, table.column("mid")?);
    let mut windows = BTreeMap::new();
    for row in table.rows() {
        let open = time(row, start, "window_start_local")?;
        let wrong = |problem: String| row.wrong("window_start_local", &problem);
        let id = WindowId::try_new(Asset::Btc, WindowLength::Min15, open.0 / 1_000)
            .map_err(|error| wrong(error.to_string()))?;
        let tokens = (
            stand_in_token(id, Outcome::Up),
            stand_in_token(id, Outcome::Down),
        );
        let (Some(up), Some(down)) = tokens else {
            return Err(wrong("no token can be made of it".to_owned()));
        };
        let mid: Decimal = row.value(mid, "mid")?;
        let outcome = derive.then(|| decided(mid)).flatten();
        let window = spot_window(id, up, down);
        windows.insert(open, WindowTick { window, outcome });
    }
    Ok(windows)
}

fn read_books(
    table: &Table,
    windows: &BTreeMap<EpochMs, WindowTick>,
) -> Result<Vec<Event>, TapeImportError> {
    let (at, start) = (
        table.column("ts_local")?,
        table.column("window_start_local")?,
    );
    let quote = |price: &'static str, usd: &'static str| {
        Ok::<_, TapeImportError>((table.column(price)?, table.column(usd)?, price))
    };
    let sides = [
        (
            quote("up_bid", "up_bid_liq")?,
            quote("up_ask", "up_ask_liq")?,
        ),
        (
            quote("down_bid", "down_bid_liq")?,
            quote("down_ask", "down_ask_liq")?,
        ),
    ];
    let mut events = Vec::new();
    for row in table.rows() {
        let t = time(row, at, "ts_local")?;
        let open = time(row, start, "window_start_local")?;
        let tick = windows
            .get(&open)
            .ok_or_else(|| row.wrong("window_start_local", "no such window in windows"))?;
        let tokens = [&tick.window.up, &tick.window.down];
        for (token, (bid, ask)) in tokens.into_iter().zip(sides) {
            let (bid, ask) = (level(row, bid)?, level(row, ask)?);
            events.push(book_event(tick.window.id, token, (t, t), bid, ask));
        }
    }
    Ok(events)
}

fn level(
    row: Row<'_>,
    (price, usd, name): (usize, usize, &'static str),
) -> Result<Option<(TokenPrice, Shares)>, TapeImportError> {
    if row.text(price, name)?.is_empty() {
        return Ok(None);
    }
    let price: TokenPrice = row.value(price, name)?;
    let usd: Decimal = match row.text(usd, name)? {
        "" => Decimal::ZERO,
        _ => row.value(usd, name)?,
    };
    let shares = usd
        .checked_div(price.get())
        .map_or(Decimal::ZERO, |shares| shares.trunc_with_scale(2));
    let shares = Shares::try_new(shares).map_err(|error| row.wrong(name, &error.to_string()))?;
    Ok(Some((price, shares)))
}

/// `2025-12-26 10:34:14`, read as UTC.
fn time(row: Row<'_>, column: usize, name: &'static str) -> Result<EpochMs, TapeImportError> {
    let text = row.text(column, name)?;
    let civil: jiff::civil::DateTime = text
        .parse()
        .map_err(|error| row.wrong(name, &format!("{text:?} is no local time: {error}")))?;
    let zoned = civil
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|error| row.wrong(name, &error.to_string()))?;
    Ok(EpochMs(zoned.timestamp().as_millisecond()))
}
