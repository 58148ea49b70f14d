//! An open position as a kill tells it, whoever told the kill: the trader, or the venue's public
//! data once the trader is gone.
//!
//! Pure data and its lenient reading. Amounts stay text (decimal strings); what is not known is
//! absent, never zero. Must not compute money: floats are not for that, and decimals are not here.

use crate::call_error::shorten;
use serde::Serialize;
use serde_json::Value;

/// Positions that are read one by one; more than this is not a trader's list.
const POSITIONS_MAX: usize = 1_000;

/// Where a market can be looked at by eye. Source: the venue's event pages, `/event/<slug>`.
const MARKET_PAGE: &str = "https://polymarket.com/event/";

/// One open position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The outcome token held.
    pub token: String,
    /// The coin, e.g. `btc`.
    pub asset: Option<String>,
    /// The window, e.g. `btc-5m-1769949000`.
    pub window: Option<String>,
    /// `up` or `down`.
    pub outcome: Option<String>,
    /// Shares held, decimal.
    pub shares: String,
    /// Average price paid per share, decimal USD.
    pub avg_cost: Option<String>,
    /// What the market last paid per share, decimal USD; absent = no bid, or not known.
    pub last_bid: Option<String>,
    /// The most that can still be lost, decimal USD.
    pub worst_loss_usd: Option<String>,
    /// Until the market settles; negative while the outcome is awaited.
    pub seconds_to_settlement: Option<i64>,
    /// The market's page.
    pub link: Option<String>,
    /// What selling it came to, when it was asked for.
    pub flatten: Option<FlattenResult>,
    /// Who told.
    pub source: PositionSource,
}

/// Who told of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionSource {
    /// The trader's own ledger.
    Trader,
    /// The venue's public data.
    Venue,
}

/// What selling one position came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlattenResult {
    /// In one word.
    pub result: FlattenOutcome,
    /// Shares sold, decimal.
    pub sold: Option<String>,
    /// Shares left, decimal.
    pub left: Option<String>,
    /// What the sale brought after fees, decimal USD.
    pub proceeds_usd: Option<String>,
    /// Why, where the word does not say it.
    pub detail: Option<String>,
}

/// How selling a position ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FlattenOutcome {
    /// All of it.
    Sold,
    /// Some of it.
    Partly,
    /// Nobody bid.
    NoBid,
    /// Somebody bid, but further off than the price collar allows.
    BelowCollar,
    /// Its window had closed: it settles by itself.
    WindowClosed,
    /// The trader has no market for it: its asset or window length is no longer declared.
    NotDeclared,
    /// Fewer shares than the venue's smallest order.
    BelowMinimum,
    /// Nobody can say.
    Unknown,
}

impl FlattenOutcome {
    /// The word in JSON, and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sold => "sold",
            Self::Partly => "partly",
            Self::NoBid => "no_bid",
            Self::BelowCollar => "below_collar",
            Self::WindowClosed => "window_closed",
            Self::NotDeclared => "not_declared",
            Self::BelowMinimum => "below_minimum",
            Self::Unknown => "unknown",
        }
    }

    fn from_word(word: Option<&str>) -> Self {
        match word {
            Some("sold") => Self::Sold,
            Some("partly") => Self::Partly,
            Some("no_bid") => Self::NoBid,
            Some("below_collar") => Self::BelowCollar,
            Some("window_closed") => Self::WindowClosed,
            Some("not_declared") => Self::NotDeclared,
            Some("below_minimum") => Self::BelowMinimum,
            _ => Self::Unknown,
        }
    }
}

impl Position {
    /// The positions that a trader's `/health` lists; `None` when it lists none in a readable way,
    /// which is not the same as none.
    pub fn of_trader(list: &Value) -> Option<Vec<Self>> {
        let list = list.as_array()?;
        if list.len() > POSITIONS_MAX {
            return None;
        }
        list.iter().map(Self::told).collect()
    }

    /// One position as told; one without a token or shares makes the whole list unknown.
    fn told(value: &Value) -> Option<Self> {
        let window = text(value, "window");
        let closes_in_s = value
            .get("closes_in_ms")
            .and_then(Value::as_i64)
            .map(|ms| ms.div_euclid(1_000));
        Some(Self {
            token: text(value, "token")?,
            asset: text(value, "asset")
                .or_else(|| Some(window.as_ref()?.split_once('-')?.0.into())),
            outcome: text(value, "outcome"),
            shares: text(value, "shares")?,
            avg_cost: text(value, "avg_cost"),
            last_bid: text(value, "last_bid"),
            worst_loss_usd: text(value, "worst_loss_usd").or_else(|| text(value, "cost_usd")),
            seconds_to_settlement: value
                .get("seconds_to_settlement")
                .and_then(Value::as_i64)
                .or(closes_in_s),
            link: window.as_deref().and_then(market_page),
            window,
            flatten: None,
            source: PositionSource::Trader,
        })
    }

    /// The positions of a trader's `/health` member `flatten`, each with what selling it came to.
    pub fn of_flatten(flatten: &Value) -> Option<Vec<Self>> {
        let list = flatten.get("positions")?.as_array()?;
        if list.len() > POSITIONS_MAX {
            return None;
        }
        let one = |value: &Value| {
            let mut position = Self::told(value)?;
            // Told as they stood when the selling began; held is what is left.
            if let Some(left) = text(value, "left") {
                position.shares = left;
            }
            position.flatten = Some(FlattenResult {
                result: FlattenOutcome::from_word(value.get("result").and_then(Value::as_str)),
                sold: text(value, "sold"),
                left: text(value, "left"),
                proceeds_usd: text(value, "proceeds_usd"),
                detail: text(value, "detail"),
            });
            Some(position)
        };
        list.iter().map(one).collect()
    }
}

/// The page of a window's market: `btc-5m-1769949000` → `…/event/btc-updown-5m-1769949000`.
/// Source: the slugs of the venue's recurring markets.
pub fn market_page(window: &str) -> Option<String> {
    let mut parts = window.split('-');
    let (asset, length, epoch) = (parts.next()?, parts.next()?, parts.next()?);
    let is_plain = parts.next().is_none()
        && [asset, length, epoch]
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric()));
    is_plain.then(|| format!("{MARKET_PAGE}{asset}-updown-{length}-{epoch}"))
}

/// A text, or a number as it is written.
fn text(value: &Value, name: &str) -> Option<String> {
    match value.get(name)? {
        Value::String(text) if !text.is_empty() => Some(shorten(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_older_traders_list_is_read_too() {
        let list = json!([{
            "window": "btc-5m-1769949000", "token": "123", "outcome": "up", "shares": "10",
            "cost_usd": "5.2", "closes_in_ms": 61_500
        }]);
        let positions = Position::of_trader(&list).unwrap();
        let only = positions.first().unwrap();
        assert_eq!(only.asset.as_deref(), Some("btc"));
        assert_eq!(only.worst_loss_usd.as_deref(), Some("5.2"));
        assert_eq!(only.seconds_to_settlement, Some(61));
        assert_eq!(only.last_bid, None);
        assert_eq!(
            only.link.as_deref(),
            Some("https://polymarket.com/event/btc-updown-5m-1769949000")
        );
    }

    #[test]
    fn what_cannot_be_read_is_unknown_not_none() {
        assert_eq!(Position::of_trader(&json!([])), Some(vec![]));
        for bad in [
            json!(null),
            json!({}),
            json!(0),
            json!([{"token": "1"}]),
            json!([7]),
        ] {
            assert_eq!(Position::of_trader(&bad), None, "{bad}");
        }
        assert_eq!(Position::of_flatten(&json!({})), None);
    }

    #[test]
    fn a_word_nobody_knows_is_unknown() {
        let told = json!({"positions": [
            {"token": "1", "shares": "5", "sold": "5", "left": "0", "result": "sold"},
            {"token": "2", "shares": "5", "result": "vaporised"},
        ]});
        let results: Vec<FlattenOutcome> = Position::of_flatten(&told)
            .unwrap()
            .into_iter()
            .map(|position| position.flatten.unwrap().result)
            .collect();
        assert_eq!(results, [FlattenOutcome::Sold, FlattenOutcome::Unknown]);
    }

    #[test]
    fn only_a_window_has_a_page() {
        for bad in ["", "btc", "btc-5m", "btc-5m-1-2", "../-5m-1", "btc-5m-1?x"] {
            assert_eq!(market_page(bad), None, "{bad}");
        }
    }
}
