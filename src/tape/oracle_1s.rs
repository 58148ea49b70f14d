//! The recording `oracle-1s`: one oracle tick a second with three clocks, and the official windows.
//!
//! Columns: `ticks` `feed_ts_s` (observation, Unix s), price (USD), `recv_ms` (arrival, Unix ms);
//! `windows` slug, strike (price to beat, may be empty), `outcome_up` (0, 1 or empty), `token_up`,
//! `token_down`, and where present `mid_up_before_close` with `mid_secs_before_close`. Windows of that
//! time settled on the instantaneous price; settled on an average, reference and outcome are computed
//! from the ticks.

use super::TapeImportError;
use super::listing::{LISTED_BEFORE_MS, spot_window, tell};
use super::quotes::Quotes;
use super::recording::{MidMark, Missing, Reading, Recording, Settle, name_of, refuse_made};
use super::table::{Row, Table};
use rust_decimal::Decimal;
use std::collections::BTreeMap;
use std::path::Path;
use trader_core::event::{Event, EventKind, PriceTick, WindowTick};
use trader_core::sim::settlement::outcome;
use trader_core::twap::SecondPrices;
use trader_core::units::{Asset, EpochMs, OraclePrice, Outcome, ReferencePrice, TokenPrice};
use trader_core::window::{SettlementRule, Window, WindowId};

/// An average needs so many of its seconds observed, %: as many as the model component asks by default.
const COVERAGE_MIN_PCT: u64 = 75;

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

/// Reads the folder.
pub(super) fn read(folder: &Path, reading: &Reading) -> Result<Recording, TapeImportError> {
    refuse_made(folder, reading, &[Missing::Book])?;
    let ticks = read_ticks(&Table::read(folder, "ticks")?)?;
    let (mut windows, mut mids) = read_windows(&Table::read(folder, "windows")?)?;
    let empty = |problem: &str| TapeImportError::Bound {
        path: folder.display().to_string(),
        problem: problem.to_owned(),
    };
    let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else {
        return Err(empty("no tick in it"));
    };
    let (first, last) = (first.arrived, last.arrived);
    let asset = windows
        .first()
        .ok_or_else(|| empty("no window in it"))?
        .window
        .id
        .asset();
    if windows.iter().any(|tick| tick.window.id.asset() != asset) {
        return Err(empty("windows of several assets, but ticks of one"));
    }
    let settlement = match reading.settle {
        Settle::Recorded => {
            "settled as recorded, on the instantaneous price (before 2026-08-07)".to_owned()
        }
        Settle::Twap(secs) => {
            average_windows(&mut windows, &ticks, secs);
            // The market priced the rule of its time; against another rule its price means nothing.
            mids.clear();
            format!("settled again on the average of {secs} s, computed from the ticks")
        }
    };
    let mut events = Vec::new();
    for tick in &windows {
        // A window that opened before the first tick has no history to judge it by.
        if tick.window.id.open() >= first.plus_ms(-LISTED_BEFORE_MS) {
            tell(tick, first, &mut events);
        }
    }
    events.extend(ticks.iter().map(|tick| oracle_event(asset, tick)));
    let (mut made, mut lacks) = (Vec::new(), Vec::new());
    if reading.makes(Missing::Book) {
        made.push(format!("books {}", Quotes::HOW));
        events.extend(Quotes::over(asset, &ticks, &windows));
    } else {
        lacks.push("book");
    }
    events.retain(|event| event.t <= last);
    Ok(Recording {
        name: name_of(folder),
        assets: vec![asset],
        events,
        mids,
        made,
        lacks,
        settlement,
        books_recorded: false,
    }
    .sorted())
}

fn oracle_event(asset: Asset, tick: &Tick) -> Event {
    Event {
        t: tick.arrived,
        src: Some(tick.observed),
        kind: EventKind::Oracle(PriceTick {
            asset,
            price: tick.price,
            twap_secs: None,
        }),
    }
}

/// Reference and outcome of every window as averages over `secs`; what cannot be computed is left out.
fn average_windows(windows: &mut [WindowTick], ticks: &[Tick], secs: u32) {
    let mut wanted: BTreeMap<EpochMs, Option<OraclePrice>> = windows
        .iter()
        .flat_map(|tick| [tick.window.id.open(), tick.window.id.close()])
        .map(|at| (at, None))
        .collect();
    let mut by_observation: Vec<&Tick> = ticks.iter().collect();
    by_observation.sort_by_key(|tick| tick.observed);
    let mut seconds = SecondPrices::default();
    let mut next = 0;
    for (at, average) in &mut wanted {
        while let Some(tick) = by_observation.get(next).filter(|tick| tick.observed <= *at) {
            seconds.observe(tick.observed, tick.price);
            next += 1;
        }
        *average = seconds
            .known(*at, secs, *at)
            .filter(|known| known.observed * 100 >= u64::from(secs) * COVERAGE_MIN_PCT)
            .and_then(|known| known.average);
    }
    let average = |at: EpochMs| wanted.get(&at).copied().flatten().map(OraclePrice::get);
    for tick in windows {
        let window = &mut tick.window;
        window.rule = SettlementRule::Twap;
        window.twap_lookback_secs = secs;
        let known: (Option<Decimal>, Option<Decimal>) =
            (average(window.id.open()), average(window.id.close()));
        window.reference = known
            .0
            .and_then(|price| ReferencePrice::try_new(price).ok());
        tick.outcome = match (known.1, window.reference) {
            (Some(closing), Some(reference)) => Some(outcome(closing, reference)),
            _ => None,
        };
    }
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

fn read_windows(table: &Table) -> Result<(Vec<WindowTick>, Vec<MidMark>), TapeImportError> {
    let columns = WindowColumns {
        slug: table.column("slug")?,
        strike: table.column("strike")?,
        outcome: table.column("outcome_up")?,
        up: table.column("token_up")?,
        down: table.column("token_down")?,
        mid: table
            .column("mid_up_before_close")
            .and_then(|mid| Ok((mid, table.column("mid_secs_before_close")?)))
            .ok(),
    };
    let (mut windows, mut mids) = (Vec::new(), Vec::new());
    for row in table.rows() {
        let tick = columns.read(row)?;
        mids.extend(columns.mid(row, tick.window.id)?);
        windows.push(tick);
    }
    Ok((windows, mids))
}

struct WindowColumns {
    slug: usize,
    strike: usize,
    outcome: usize,
    up: usize,
    down: usize,
    mid: Option<(usize, usize)>,
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
        let up = row.value(self.up, "token_up")?;
        let down = row.value(self.down, "token_down")?;
        if up == down {
            return Err(row.wrong("token_down", "the same token as token_up"));
        }
        let window = Window {
            reference,
            ..spot_window(id, up, down)
        };
        Ok(WindowTick { window, outcome })
    }

    fn mid(&self, row: Row<'_>, window: WindowId) -> Result<Option<MidMark>, TapeImportError> {
        let Some((mid, secs)) = self.mid else {
            return Ok(None);
        };
        if row.text(mid, "mid_up_before_close")?.is_empty() {
            return Ok(None);
        }
        let mid: TokenPrice = row.value(mid, "mid_up_before_close")?;
        let secs: u32 = row.value(secs, "mid_secs_before_close")?;
        Ok(Some(MidMark {
            window,
            at: window.close().plus_ms(-i64::from(secs) * 1_000),
            mid,
        }))
    }
}
