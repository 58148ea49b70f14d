//! The recording `ladder`: a few looks at both books and the UI price before each close.
//!
//! Columns of `samples`: slug, winner (UP, DOWN; official), `binance_open` (UI price at the open),
//! `recorder_secs_to_close` (the recorder's own clock), `binance_spot`, `up_bid`, `up_ask`, `down_bid`, `down_ask`
//! (empty = nobody). Depths are sums over the whole book side, so no size at the touch is known. The
//! recorder's clock seems to run 15 to 20 s slow: late looks know more than they should.

use super::TapeImportError;
use super::book_1s::book_event;
use super::listing::{spot_window, stand_in_token, tell};
use super::recording::{Missing, Reading, Recording, name_of, only_recorded, refuse_made};
use super::table::{Row, Table};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use std::collections::BTreeMap;
use std::path::Path;
use trader_core::event::{Event, EventKind, PriceTick, WindowTick};
use trader_core::units::{EpochMs, OraclePrice, Outcome, Shares, TokenPrice};
use trader_core::window::{Window, WindowId};

/// Reads the folder.
pub(super) fn read(folder: &Path, reading: &Reading) -> Result<Recording, TapeImportError> {
    only_recorded(folder, reading)?;
    refuse_made(folder, reading, &[Missing::Oracle])?;
    let table = Table::read(folder, "samples")?;
    let columns = Columns::of(&table)?;
    let as_oracle = reading.makes(Missing::Oracle);
    let mut windows: BTreeMap<WindowId, WindowTick> = BTreeMap::new();
    let mut looks = Vec::new();
    for row in table.rows() {
        let tick = columns.window(row)?;
        let id = tick.window.id;
        let known = windows.entry(id).or_insert(tick);
        columns.look(row, known, as_oracle, &mut looks)?;
    }
    let mut events = Vec::new();
    for tick in windows.values() {
        tell(tick, EpochMs(i64::MIN), &mut events);
    }
    events.append(&mut looks);
    let mut made = vec![
        "token ids are stand-ins, they are not recorded".to_owned(),
        "sizes at the touch are 0, only whole sides are recorded: nothing can fill".to_owned(),
        "times are the recorder's, whose clock seems 15 to 20 s slow".to_owned(),
    ];
    let mut lacks = vec!["reference"];
    if as_oracle {
        made.push("the UI price stands in for the oracle, which it is not".to_owned());
    } else {
        lacks.push("oracle");
    }
    Ok(Recording {
        name: name_of(folder),
        assets: windows
            .keys()
            .next()
            .map(|id| id.asset())
            .into_iter()
            .collect(),
        events,
        mids: Vec::new(),
        made,
        lacks,
        settlement: "settled as recorded, on the instantaneous price (before 2026-08-07)"
            .to_owned(),
        books_recorded: true,
    }
    .sorted())
}

struct Columns {
    slug: usize,
    winner: usize,
    left: usize,
    spot: usize,
    up: [usize; 2],
    down: [usize; 2],
}

impl Columns {
    fn of(table: &Table) -> Result<Self, TapeImportError> {
        Ok(Self {
            slug: table.column("slug")?,
            winner: table.column("winner")?,
            left: table.column("recorder_secs_to_close")?,
            spot: table.column("binance_spot")?,
            up: [table.column("up_bid")?, table.column("up_ask")?],
            down: [table.column("down_bid")?, table.column("down_ask")?],
        })
    }

    fn window(&self, row: Row<'_>) -> Result<WindowTick, TapeImportError> {
        let id: WindowId = row.value(self.slug, "slug")?;
        let outcome = match row.text(self.winner, "winner")? {
            "UP" => Some(Outcome::Up),
            "DOWN" => Some(Outcome::Down),
            "" => None,
            other => return Err(row.wrong("winner", &format!("{other:?} is not UP or DOWN"))),
        };
        let tokens = (
            stand_in_token(id, Outcome::Up),
            stand_in_token(id, Outcome::Down),
        );
        let (Some(up), Some(down)) = tokens else {
            return Err(row.wrong("slug", "no token can be made of it"));
        };
        let window: Window = spot_window(id, up, down);
        Ok(WindowTick { window, outcome })
    }

    fn look(
        &self,
        row: Row<'_>,
        tick: &WindowTick,
        as_oracle: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), TapeImportError> {
        let id = tick.window.id;
        let left: Decimal = row.value(self.left, "recorder_secs_to_close")?;
        let left_ms = left
            .checked_mul(Decimal::ONE_THOUSAND)
            .and_then(|ms| ms.round().to_i64())
            .ok_or_else(|| row.wrong("recorder_secs_to_close", "not a time"))?;
        let t = id.close().plus_ms(-left_ms);
        if !row.text(self.spot, "binance_spot")?.is_empty() {
            let price: OraclePrice = row.value(self.spot, "binance_spot")?;
            let price = PriceTick {
                asset: id.asset(),
                price,
                twap_secs: None,
            };
            let mut push = |kind| {
                out.push(Event {
                    t,
                    src: Some(t),
                    kind,
                });
            };
            push(EventKind::Spot(price));
            if as_oracle {
                push(EventKind::Oracle(price));
            }
        }
        for (token, sides) in [(&tick.window.up, self.up), (&tick.window.down, self.down)] {
            let [bid, ask] = sides.map(|column| quote(row, column));
            out.push(book_event(id, token, (t, t), bid?, ask?));
        }
        Ok(())
    }
}

fn quote(row: Row<'_>, column: usize) -> Result<Option<(TokenPrice, Shares)>, TapeImportError> {
    const NAME: &str = "quote";
    if row.text(column, NAME)?.is_empty() {
        return Ok(None);
    }
    Ok(Some((row.value(column, NAME)?, Shares::ZERO)))
}
