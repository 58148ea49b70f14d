//! An order as the gateway sees it: identified by (window, strategy, sequence), priced, sized, and
//! never alive past its window's close.
//!
//! Pure data. Whether it may be sent is the safeguards' word: only they make an
//! [`Approved`](crate::safeguards::Approved) of it.

use crate::units::{EpochMs, Outcome, Shares, StrategyId, TokenId, TokenPrice, UnitError, Usd};
use crate::window::WindowId;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `btc-5m-1769949000/probability-model/1`: the same attempt has the same id however often it is
/// repeated, so that a retry can never become a second order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct OrderId {
    /// The window it trades.
    pub window: WindowId,
    /// The strategy that wanted it.
    pub strategy: StrategyId,
    /// Counts the strategy's orders in this window, from 1.
    pub sequence: u32,
}

impl Serialize for OrderId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.window, self.strategy, self.sequence)
    }
}

impl FromStr for OrderId {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || {
            UnitError::new(
                text,
                "an order id like btc-5m-1769949000/probability-model/1",
            )
        };
        let mut parts = text.split('/');
        let (Some(window), Some(strategy), Some(sequence), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let id = Self {
            window: window.parse().map_err(|_| wrong())?,
            strategy: strategy.parse().map_err(|_| wrong())?,
            sequence: sequence.parse().map_err(|_| wrong())?,
        };
        // One order, one spelling: `+1`, `01` and the venue's slug are other texts.
        (id.to_string() == text).then_some(id).ok_or_else(wrong)
    }
}

impl TryFrom<String> for OrderId {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<OrderId> for String {
    fn from(id: OrderId) -> Self {
        id.to_string()
    }
}

/// Which way shares move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Dollars become shares.
    Buy,
    /// Shares become dollars.
    Sell,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        })
    }
}

/// Why an order exists. Limits on entries never block an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Takes on risk.
    Entry,
    /// Lets go of risk.
    Exit,
}

/// A limit order, good until `expires_at` (GTD).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Idempotent id; names the window and the strategy.
    pub id: OrderId,
    /// The outcome token.
    pub token: TokenId,
    /// The outcome that the token stands for.
    pub outcome: Outcome,
    /// Buy or sell.
    pub side: Side,
    /// Entry or exit.
    pub purpose: Purpose,
    /// Worst price per share that is acceptable.
    pub price: TokenPrice,
    /// Shares, in hundredths.
    pub shares: Shares,
    /// When the venue must let go of it; never after the window's close.
    pub expires_at: EpochMs,
    /// An entry's most expensive end in USD (all shares at `price`, plus the taker fee); 0 for an
    /// exit, which risks nothing that is not held already.
    pub worst_cost: Usd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_id_has_one_spelling() {
        let id: OrderId = "btc-5m-1769949000/probability-model/12".parse().unwrap();
        assert_eq!(id.to_string().parse::<OrderId>().unwrap(), id);
        for bad in [
            "",
            "btc-5m-1769949000/probability-model",
            "btc-5m-1769949000/probability-model/x",
            "btc-5m-1769949000/Probability Model/1",
            "btc-5m-1769949000/a/1/2",
        ] {
            assert!(bad.parse::<OrderId>().is_err(), "{bad}");
        }
    }
}
