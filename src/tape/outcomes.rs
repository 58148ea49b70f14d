//! The recording `outcomes`: per window the UI price at open and close, and the official outcome.
//!
//! Columns of `windows`: `timestamp` (window's open, Unix s), `outcome` (up, down), `btc_open`, `btc_close`
//! (UI price, USD). Neither oracle prices nor books: nothing can be traded on it; it tells how often the
//! UI's direction is not the outcome.

use super::TapeImportError;
use super::listing::{spot_window, stand_in_token, tell};
use super::recording::{Reading, Recording, name_of, only_recorded, refuse_made};
use super::table::{Row, Table};
use std::path::Path;
use trader_core::event::{Event, EventKind, PriceTick, WindowTick};
use trader_core::units::{Asset, EpochMs, OraclePrice, Outcome};
use trader_core::window::{WindowId, WindowLength};

/// Reads the folder.
pub(super) fn read(folder: &Path, reading: &Reading) -> Result<Recording, TapeImportError> {
    only_recorded(folder, reading)?;
    refuse_made(folder, reading, &[])?;
    let table = Table::read(folder, "windows")?;
    let (start, outcome) = (table.column("timestamp")?, table.column("outcome")?);
    let prices = [table.column("btc_open")?, table.column("btc_close")?];
    let mut events = Vec::new();
    for row in table.rows() {
        let tick = window(row, start, outcome)?;
        let id = tick.window.id;
        tell(&tick, EpochMs(i64::MIN), &mut events);
        // The close's price a moment before the next window's open price, which is the same instant.
        for (column, t) in prices.into_iter().zip([id.open(), id.close().plus_ms(-1)]) {
            let price: OraclePrice = row.value(column, "btc_open and btc_close")?;
            let price = PriceTick {
                asset: Asset::Btc,
                price,
                twap_secs: None,
            };
            events.push(Event {
                t,
                src: Some(t),
                kind: EventKind::Spot(price),
            });
        }
    }
    Ok(Recording {
        name: name_of(folder),
        assets: vec![Asset::Btc],
        events,
        mids: Vec::new(),
        made: vec!["token ids are stand-ins, they are not recorded".to_owned()],
        lacks: vec!["oracle", "book", "reference"],
        settlement: "settled as recorded, on the instantaneous price (before 2026-08-07)"
            .to_owned(),
        books_recorded: false,
    }
    .sorted())
}

fn window(row: Row<'_>, start: usize, outcome: usize) -> Result<WindowTick, TapeImportError> {
    let open: i64 = row.value(start, "timestamp")?;
    let id = WindowId::try_new(Asset::Btc, WindowLength::Min5, open)
        .map_err(|error| row.wrong("timestamp", &error.to_string()))?;
    let outcome = match row.text(outcome, "outcome")? {
        "up" => Outcome::Up,
        "down" => Outcome::Down,
        other => return Err(row.wrong("outcome", &format!("{other:?} is not up or down"))),
    };
    let tokens = (
        stand_in_token(id, Outcome::Up),
        stand_in_token(id, Outcome::Down),
    );
    let (Some(up), Some(down)) = tokens else {
        return Err(row.wrong("timestamp", "no token can be made of it"));
    };
    Ok(WindowTick {
        window: spot_window(id, up, down),
        outcome: Some(outcome),
    })
}
