//! The recording `oracle-1s`: one oracle tick a second with three clocks, and the official windows.
//!
//! Columns: `ticks` `feed_ts_s` (observation, Unix s), price (USD), `recv_ms` (arrival, Unix ms);
//! `windows` slug, strike (price to beat, may be empty), `outcome_up` (0, 1 or empty), `token_up`,
//! `token_down`. Windows of that time settled on the instantaneous price.

use super::quotes::Quotes;
use super::table::{Row, Table};
use super::{TapeImportError, header};
use std::path::Path;
use trader_core::event::{Event, EventKind, PriceTick, WindowTick};
use trader_core::tape::Header;
use trader_core::units::{Asset, EpochMs, OraclePrice, Outcome, ReferencePrice};
use trader_core::window::{SettlementRule, Window, WindowId};

/// A window is listed this long before its open, ms: the venue lists the next while one is open.
const LISTED_BEFORE_MS: i64 = 300_000;
/// The price to beat is told this long after the open, ms (it takes 2 to 3 s at the venue).
const REFERENCE_AFTER_MS: i64 = 2_000;
/// The outcome is told this long after the close, ms (a recorded market: 16 s).
const OUTCOME_AFTER_MS: i64 = 16_000;

/// One oracle tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tick {
    /// When the oracle observed it.
    pub(super) observed: EpochMs,
    /// When it arrived.
    pub(super) arrived: EpochMs,
    /// Dollars per coin.
    pub(super) price: OraclePrice,
}

/// A recording in memory.
#[derive(Debug)]
pub(super) struct Recorded {
    asset: Asset,
    name: String,
    pub(super) ticks: Vec<Tick>,
    pub(super) windows: Vec<WindowTick>,
}

/// Reads the folder.
pub(super) fn read(folder: &Path) -> Result<Recorded, TapeImportError> {
    let ticks = read_ticks(&Table::read(folder, "ticks")?)?;
    let windows = read_windows(&Table::read(folder, "windows")?)?;
    let name = folder.file_name().map_or_else(
        || "oracle-1s".into(),
        |name| name.to_string_lossy().into_owned(),
    );
    let empty = |problem: &str| TapeImportError::Bound {
        path: folder.display().to_string(),
        problem: problem.to_owned(),
    };
    if ticks.is_empty() {
        return Err(empty("no tick in it"));
    }
    let asset = windows
        .first()
        .ok_or_else(|| empty("no window in it"))?
        .window
        .id
        .asset();
    if windows.iter().any(|tick| tick.window.id.asset() != asset) {
        return Err(empty("windows of several assets, but ticks of one"));
    }
    Ok(Recorded {
        asset,
        name,
        ticks,
        windows,
    })
}

fn read_ticks(table: &Table) -> Result<Vec<Tick>, TapeImportError> {
    let observed = table.column("feed_ts_s")?;
    let price = table.column("price")?;
    let arrived = table.column("recv_ms")?;
    let mut ticks = table
        .rows()
        .map(|row| {
            Ok(Tick {
                observed: EpochMs(
                    row.value::<i64>(observed, "feed_ts_s")?
                        .saturating_mul(1_000),
                ),
                arrived: EpochMs(row.value(arrived, "recv_ms")?),
                price: row.value(price, "price")?,
            })
        })
        .collect::<Result<Vec<_>, TapeImportError>>()?;
    // Two rows for one second are a correction; both arrived, in this order.
    ticks.sort_by_key(|tick| tick.arrived);
    Ok(ticks)
}

fn read_windows(table: &Table) -> Result<Vec<WindowTick>, TapeImportError> {
    let columns = WindowColumns {
        slug: table.column("slug")?,
        strike: table.column("strike")?,
        outcome: table.column("outcome_up")?,
        up: table.column("token_up")?,
        down: table.column("token_down")?,
    };
    table.rows().map(|row| columns.read(row)).collect()
}

struct WindowColumns {
    slug: usize,
    strike: usize,
    outcome: usize,
    up: usize,
    down: usize,
}

impl WindowColumns {
    fn read(&self, row: Row<'_>) -> Result<WindowTick, TapeImportError> {
        let id: WindowId = row.value(self.slug, "slug")?;
        let reference = match row.text(self.strike, "strike")? {
            "" => None,
            _ => Some(row.value::<ReferencePrice>(self.strike, "strike")?),
        };
        let outcome = match row.text(self.outcome, "outcome_up")? {
            "" => None,
            "1" => Some(Outcome::Up),
            "0" => Some(Outcome::Down),
            other => {
                return Err(row.wrong("outcome_up", &format!("{other:?} is not 0, 1 or empty")));
            }
        };
        let window = Window {
            id,
            up: row.value(self.up, "token_up")?,
            down: row.value(self.down, "token_down")?,
            rule: SettlementRule::Spot,
            twap_lookback_secs: 0,
            reference,
        };
        Ok(WindowTick { window, outcome })
    }
}

impl Recorded {
    /// The tape's first line. Says which part was not recorded.
    pub(super) fn header(&self) -> Header {
        header(
            format!("recording:{}; books {}", self.name, Quotes::HOW),
            vec![self.asset],
        )
    }

    /// All events in order of arrival; ties keep listings before prices before quotes.
    pub(super) fn events(&self) -> Vec<Event> {
        let mut events = self.window_events();
        for tick in &self.ticks {
            let price = PriceTick {
                asset: self.asset,
                price: tick.price,
                twap_secs: None,
            };
            let kind = EventKind::Oracle(price);
            events.push(Event {
                t: tick.arrived,
                src: Some(tick.observed),
                kind,
            });
        }
        events.extend(Quotes::over(self.asset, &self.ticks, &self.windows));
        let last = self.ticks.last().map_or(EpochMs(0), |tick| tick.arrived);
        events.retain(|event| event.t <= last);
        events.sort_by_key(|event| event.t);
        events
    }

    fn window_events(&self) -> Vec<Event> {
        let first = self.ticks.first().map_or(EpochMs(0), |tick| tick.arrived);
        let mut events = Vec::new();
        for tick in &self.windows {
            let id = tick.window.id;
            // A window that opened before the first tick has no history to judge it by.
            if id.open() < first.plus_ms(-LISTED_BEFORE_MS) {
                continue;
            }
            let listed = Window {
                reference: None,
                ..tick.window.clone()
            };
            let at = id.open().plus_ms(-LISTED_BEFORE_MS).max(first);
            events.push(event(at, listed, None));
            if tick.window.reference.is_some() {
                let at = id.open().plus_ms(REFERENCE_AFTER_MS).max(first);
                events.push(event(at, tick.window.clone(), None));
            }
            if tick.outcome.is_some() {
                let at = id.close().plus_ms(OUTCOME_AFTER_MS).max(first);
                events.push(event(at, tick.window.clone(), tick.outcome));
            }
        }
        events
    }
}

fn event(t: EpochMs, window: Window, outcome: Option<Outcome>) -> Event {
    Event {
        t,
        src: None,
        kind: EventKind::Window(WindowTick { window, outcome }),
    }
}
