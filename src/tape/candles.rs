//! The recording `candles`: one-minute candles of one coin, in one table named `*_1m_*`.
//!
//! Columns: `open_time_s` (Unix s), `close` (USD). Prices only: no window, oracle or book. The close of a
//! candle becomes a UI price at the candle's end; asked for by name, it stands in for the oracle.

use super::TapeImportError;
use super::recording::{Missing, Reading, Recording, name_of, only_recorded, refuse_made};
use super::table::Table;
use std::path::{Path, PathBuf};
use trader_core::event::{Event, EventKind, PriceTick};
use trader_core::units::{Asset, EpochMs, OraclePrice};

/// Length of a candle, ms.
const CANDLE_MS: i64 = 60_000;

/// Files looked at in a folder; more is no recording.
const FILES_MAX: usize = 1_000;

/// The table of candles in a folder: the first by name.
pub(super) fn table_in(folder: &Path) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .take(FILES_MAX)
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().is_some_and(|name| {
                let name = name.to_string_lossy();
                let is_table = name.ends_with(".csv.gz") || name.ends_with(".csv");
                is_table && name.contains("_1m_")
            })
        })
        .collect();
    found.sort();
    found.into_iter().next()
}

/// Reads the folder.
pub(super) fn read(folder: &Path, reading: &Reading) -> Result<Recording, TapeImportError> {
    only_recorded(folder, reading)?;
    refuse_made(folder, reading, &[Missing::Oracle])?;
    let bound = |problem: &str| TapeImportError::Bound {
        path: folder.display().to_string(),
        problem: problem.to_owned(),
    };
    let path = table_in(folder).ok_or_else(|| bound("no table of candles (*_1m_*.csv) in it"))?;
    let asset = asset_of(&path).ok_or_else(|| {
        bound("the table's name does not begin with an asset (btc, eth, sol, xrp)")
    })?;
    let table = Table::read_file(&path)?;
    let (open, close) = (table.column("open_time_s")?, table.column("close")?);
    let as_oracle = reading.makes(Missing::Oracle);
    let mut events = Vec::new();
    for row in table.rows() {
        let start: i64 = row.value(open, "open_time_s")?;
        let t = EpochMs(start.saturating_mul(1_000)).plus_ms(CANDLE_MS);
        let price: OraclePrice = row.value(close, "close")?;
        let price = PriceTick {
            asset,
            price,
            twap_secs: None,
        };
        let kind = if as_oracle {
            EventKind::Oracle(price)
        } else {
            EventKind::Spot(price)
        };
        events.push(Event {
            t,
            src: Some(t),
            kind,
        });
    }
    let (mut made, mut lacks) = (Vec::new(), vec!["window", "book", "outcome"]);
    if as_oracle {
        made.push("the candles' closes stand in for the oracle, which they are not".to_owned());
    } else {
        lacks.push("oracle");
    }
    Ok(Recording {
        name: name_of(folder),
        assets: vec![asset],
        events,
        mids: Vec::new(),
        made,
        lacks,
        settlement: "no window in it".to_owned(),
        books_recorded: false,
    }
    .sorted())
}

fn asset_of(path: &Path) -> Option<Asset> {
    let name = path.file_name()?.to_string_lossy();
    name.split(['-', '_']).next()?.parse().ok()
}
