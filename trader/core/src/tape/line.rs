//! One line of a tape into one event: a single pass over the JSON, then a type per field.
//!
//! Every field is taken exactly once; what is left over belongs to another kind and is refused, so a
//! misspelt or misplaced field can never be silently ignored.

use super::TapeProblem;
use crate::event::{
    BookTick, ClockTick, Control, ControlAction, Event, EventKind, FillReport, Finality,
    LeaseGrant, OrderReport, OrderStatus, PriceTick, TradeTick, WindowTick,
};
use crate::order::Side;
use crate::units::{Asset, EpochMs, Outcome, Shares, UnitError, cut};
use crate::window::{SettlementRule, Window, WindowId};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Text or number by its text, borrowed from the line where it can be.
#[derive(Debug)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if let Some(text) = raw.strip_prefix('"') {
            let text = text.strip_suffix('"').unwrap_or(text);
            if !text.contains('\\') {
                return Ok(Self(Cow::Borrowed(text)));
            }
            return serde_json::from_str(raw)
                .map(|text: String| Self(Cow::Owned(text)))
                .map_err(|_| D::Error::custom("a text with a broken escape"));
        }
        // A number stays the text that was written: a float would change what it cannot hold.
        if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Ok(Self(Cow::Borrowed(raw)));
        }
        let seen = match raw.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'n') => "null",
            _ => "a boolean",
        };
        Err(D::Error::custom(format_args!(
            "{seen} is neither a string nor a number"
        )))
    }
}

/// All fields of all kinds. `None` = absent or null.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields<'a> {
    t_ms: i64,
    src_ms: Option<i64>,
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    asset: Option<Text<'a>>,
    #[serde(borrow)]
    price: Option<Text<'a>>,
    twap_secs: Option<u32>,
    #[serde(borrow)]
    token: Option<Text<'a>>,
    #[serde(borrow)]
    bid: Option<Text<'a>>,
    #[serde(borrow)]
    ask: Option<Text<'a>>,
    #[serde(borrow)]
    bid_size: Option<Text<'a>>,
    #[serde(borrow)]
    ask_size: Option<Text<'a>>,
    #[serde(borrow)]
    size: Option<Text<'a>>,
    side: Option<Side>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    open_ms: Option<i64>,
    close_ms: Option<i64>,
    #[serde(borrow)]
    up: Option<Text<'a>>,
    #[serde(borrow)]
    down: Option<Text<'a>>,
    rule: Option<SettlementRule>,
    twap_lookback_secs: Option<u32>,
    #[serde(borrow)]
    reference: Option<Text<'a>>,
    outcome: Option<Outcome>,
    status: Option<OrderStatus>,
    #[serde(borrow)]
    detail: Option<Text<'a>>,
    #[serde(borrow)]
    fill_id: Option<Text<'a>>,
    #[serde(borrow)]
    fee: Option<Text<'a>>,
    finality: Option<Finality>,
    #[serde(borrow)]
    holder: Option<Text<'a>>,
    expires_ms: Option<i64>,
    offset_ms: Option<i64>,
    #[serde(borrow)]
    action: Option<Text<'a>>,
    #[serde(borrow)]
    by: Option<Text<'a>>,
    #[serde(borrow)]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    freeze_id: Option<Text<'a>>,
}

/// serde's words without its "at line 1", which would contradict the tape's own line number.
pub(super) fn json_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(words, _)| words);
    // serde repeats unknown names as they are written: cut, and without control characters, which a
    // terminal would obey.
    let words = cut(words
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect());
    format!("{words} (column {})", error.column())
}

pub(super) fn parse(text: &str) -> Result<Event, TapeProblem> {
    super::quote::parse(text).map_or_else(|| parse_long(text), Ok)
}

/// Every kind of line, field by field.
pub(super) fn parse_long(text: &str) -> Result<Event, TapeProblem> {
    let mut fields: Fields<'_> =
        serde_json::from_str(text).map_err(|error| TapeProblem::Json(json_words(&error)))?;
    let (kind, name) = event_kind(&mut fields)?;
    fields.refuse_leftovers(name)?;
    Ok(Event {
        t: instant("t_ms", fields.t_ms)?,
        src: fields.src_ms.map(|ms| instant("src_ms", ms)).transpose()?,
        kind,
    })
}

fn event_kind(f: &mut Fields<'_>) -> Result<(EventKind, &'static str), TapeProblem> {
    let name = super::KINDS
        .into_iter()
        .find(|kind| *kind == f.kind.0)
        .ok_or_else(|| TapeProblem::UnknownKind {
            seen: cut(f.kind.0.to_string()),
        })?;
    let kind = match name {
        "oracle" => EventKind::Oracle(f.price_tick(name)?),
        "spot" => EventKind::Spot(f.price_tick(name)?),
        "book" => EventKind::Book(BookTick {
            asset: f.asset(name)?,
            token: want(&mut f.token, name, "token")?,
            bid: maybe(&mut f.bid, "bid")?,
            ask: maybe(&mut f.ask, "ask")?,
            bid_size: maybe(&mut f.bid_size, "bid_size")?.unwrap_or(Shares::ZERO),
            ask_size: maybe(&mut f.ask_size, "ask_size")?.unwrap_or(Shares::ZERO),
        }),
        "trade" => EventKind::Trade(TradeTick {
            asset: f.asset(name)?,
            token: want(&mut f.token, name, "token")?,
            price: want(&mut f.price, name, "price")?,
            size: want(&mut f.size, name, "size")?,
            side: take(&mut f.side, name, "side")?,
        }),
        "window" => EventKind::Window(f.window(name)?),
        "order" => EventKind::Order(OrderReport {
            id: f.own_order(name)?,
            status: take(&mut f.status, name, "status")?,
            detail: f.detail.take().map(|text| text.0.into_owned()),
        }),
        "fill" => EventKind::Fill(FillReport {
            id: f.own_order(name)?,
            fill_id: text(&mut f.fill_id, name, "fill_id")?,
            price: want(&mut f.price, name, "price")?,
            size: want(&mut f.size, name, "size")?,
            fee: want(&mut f.fee, name, "fee")?,
            // Tapes of before it was known have only final fills.
            finality: f.finality.take().unwrap_or_default(),
        }),
        "lease" => EventKind::Lease(LeaseGrant {
            holder: text(&mut f.holder, name, "holder")?,
            expires_at: instant("expires_ms", take(&mut f.expires_ms, name, "expires_ms")?)?,
        }),
        "clock" => EventKind::Clock(ClockTick {
            offset_ms: f.offset_ms.take(),
        }),
        _ => EventKind::Control(f.control(name)?),
    };
    Ok((kind, name))
}

impl Fields<'_> {
    fn asset(&mut self, kind: &'static str) -> Result<Asset, TapeProblem> {
        want(&mut self.asset, kind, "asset")
    }

    fn price_tick(&mut self, kind: &'static str) -> Result<PriceTick, TapeProblem> {
        Ok(PriceTick {
            asset: self.asset(kind)?,
            price: want(&mut self.price, kind, "price")?,
            twap_secs: self.twap_secs.take(),
        })
    }

    fn own_order(&mut self, kind: &'static str) -> Result<crate::order::OrderId, TapeProblem> {
        let id: crate::order::OrderId = want(&mut self.id, kind, "id")?;
        self.same_asset(id.window)?;
        Ok(id)
    }

    /// `asset` may be left out where an id names it, but may not contradict it.
    fn same_asset(&mut self, window: WindowId) -> Result<(), TapeProblem> {
        match maybe::<Asset>(&mut self.asset, "asset")? {
            Some(asset) if asset != window.asset() => {
                Err(mismatch("asset", asset, "the asset that the id names"))
            }
            _ => Ok(()),
        }
    }

    fn window(&mut self, kind: &'static str) -> Result<WindowTick, TapeProblem> {
        let id: WindowId = want(&mut self.id, kind, "id")?;
        self.same_asset(id)?;
        let open = take(&mut self.open_ms, kind, "open_ms")?;
        if EpochMs(open) != id.open() {
            return Err(mismatch("open_ms", open, "the open that the id names"));
        }
        let close = take(&mut self.close_ms, kind, "close_ms")?;
        if EpochMs(close) != id.close() {
            return Err(mismatch("close_ms", close, "the close that the id names"));
        }
        let window = Window {
            id,
            up: want(&mut self.up, kind, "up")?,
            down: want(&mut self.down, kind, "down")?,
            rule: take(&mut self.rule, kind, "rule")?,
            twap_lookback_secs: take(&mut self.twap_lookback_secs, kind, "twap_lookback_secs")?,
            reference: maybe(&mut self.reference, "reference")?,
        };
        if window.up == window.down {
            return Err(mismatch("down", &window.down, "a token other than up's"));
        }
        let lookback = i64::from(window.twap_lookback_secs);
        let fits = match window.rule {
            SettlementRule::Spot => lookback == 0,
            SettlementRule::Twap => lookback > 0 && lookback * 1_000 <= id.length().ms(),
        };
        if !fits {
            let wanted = "0 with rule spot, 1 to the window's length with rule twap";
            return Err(mismatch("twap_lookback_secs", lookback, wanted));
        }
        Ok(WindowTick {
            window,
            outcome: self.outcome.take(),
        })
    }

    fn control(&mut self, kind: &'static str) -> Result<Control, TapeProblem> {
        let name = text(&mut self.action, kind, "action")?;
        let action = match name.as_str() {
            "halt" => ControlAction::Halt,
            "reduce_only" => ControlAction::ReduceOnly,
            "flatten" => ControlAction::Flatten,
            "reenable" => ControlAction::Reenable {
                freeze_id: text(&mut self.freeze_id, kind, "freeze_id")?,
            },
            _ => {
                return Err(mismatch(
                    "action",
                    name,
                    "halt, reduce_only, flatten or reenable",
                ));
            }
        };
        Ok(Control {
            action,
            by: text(&mut self.by, kind, "by")?,
            reason: text(&mut self.reason, kind, "reason")?,
        })
    }

    fn refuse_leftovers(&self, kind: &'static str) -> Result<(), TapeProblem> {
        let left = [
            ("asset", self.asset.is_some()),
            ("price", self.price.is_some()),
            ("twap_secs", self.twap_secs.is_some()),
            ("token", self.token.is_some()),
            ("bid", self.bid.is_some()),
            ("ask", self.ask.is_some()),
            ("bid_size", self.bid_size.is_some()),
            ("ask_size", self.ask_size.is_some()),
            ("size", self.size.is_some()),
            ("side", self.side.is_some()),
            ("id", self.id.is_some()),
            ("open_ms", self.open_ms.is_some()),
            ("close_ms", self.close_ms.is_some()),
            ("up", self.up.is_some()),
            ("down", self.down.is_some()),
            ("rule", self.rule.is_some()),
            ("twap_lookback_secs", self.twap_lookback_secs.is_some()),
            ("reference", self.reference.is_some()),
            ("outcome", self.outcome.is_some()),
            ("status", self.status.is_some()),
            ("detail", self.detail.is_some()),
            ("fill_id", self.fill_id.is_some()),
            ("fee", self.fee.is_some()),
            ("finality", self.finality.is_some()),
            ("holder", self.holder.is_some()),
            ("expires_ms", self.expires_ms.is_some()),
            ("offset_ms", self.offset_ms.is_some()),
            ("action", self.action.is_some()),
            ("by", self.by.is_some()),
            ("reason", self.reason.is_some()),
            ("freeze_id", self.freeze_id.is_some()),
        ];
        match left.into_iter().find(|(_, present)| *present) {
            Some((field, _)) => Err(TapeProblem::Foreign { kind, field }),
            None => Ok(()),
        }
    }
}

/// A time that a recording can have.
pub(super) fn instant(field: &'static str, ms: i64) -> Result<EpochMs, TapeProblem> {
    let at = EpochMs(ms);
    if ms >= 0 && at < EpochMs::LATEST {
        return Ok(at);
    }
    Err(mismatch(
        field,
        ms,
        "a time in ms since 1970, before the year 2100",
    ))
}

fn mismatch(field: &'static str, seen: impl fmt::Display, wanted: &'static str) -> TapeProblem {
    TapeProblem::Value {
        field,
        error: UnitError::new(seen, wanted),
    }
}

fn take<T>(
    slot: &mut Option<T>,
    kind: &'static str,
    field: &'static str,
) -> Result<T, TapeProblem> {
    slot.take().ok_or(TapeProblem::Missing { kind, field })
}

fn text(
    slot: &mut Option<Text<'_>>,
    kind: &'static str,
    field: &'static str,
) -> Result<String, TapeProblem> {
    take(slot, kind, field).map(|text| text.0.into_owned())
}

fn maybe<T: FromStr<Err = UnitError>>(
    slot: &mut Option<Text<'_>>,
    field: &'static str,
) -> Result<Option<T>, TapeProblem> {
    slot.take()
        .map(|text| {
            text.0
                .parse()
                .map_err(|error| TapeProblem::Value { field, error })
        })
        .transpose()
}

fn want<T: FromStr<Err = UnitError>>(
    slot: &mut Option<Text<'_>>,
    kind: &'static str,
    field: &'static str,
) -> Result<T, TapeProblem> {
    maybe(slot, field)?.ok_or(TapeProblem::Missing { kind, field })
}
