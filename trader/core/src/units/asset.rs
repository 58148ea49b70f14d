//! What is traded: a coin, and the outcome of its window. Text becomes one of them once.
//!
//! Must not fall back: an unknown coin is an error that names the known ones.

use super::error::UnitError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A coin whose Up/Down windows are traded. Parses any case and the feeds' spellings; prints one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Asset {
    /// Bitcoin.
    Btc,
    /// Ether.
    Eth,
    /// Solana.
    Sol,
    /// XRP.
    Xrp,
}

impl Asset {
    /// All assets, in display order.
    pub const ALL: [Self; 4] = [Self::Btc, Self::Eth, Self::Sol, Self::Xrp];

    /// The one spelling used in our files, ids and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Btc => "btc",
            Self::Eth => "eth",
            Self::Sol => "sol",
            Self::Xrp => "xrp",
        }
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Asset {
    type Err = UnitError;

    /// Accepts `btc`, `BTC`, `btc/usd`, `btcusdt`, `BTCUSD`: the venue's and the feeds' spellings.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        // Our own spelling, as nearly every line has it.
        if let Some(asset) = Self::ALL.into_iter().find(|asset| asset.as_str() == text) {
            return Ok(asset);
        }
        let lower = text.trim().to_ascii_lowercase();
        let coin = ["/usd", "usdt", "usd"]
            .iter()
            .find_map(|suffix| lower.strip_suffix(suffix))
            .unwrap_or(&lower);
        Self::ALL
            .into_iter()
            .find(|asset| asset.as_str() == coin)
            .ok_or_else(|| UnitError::new(text, "an asset (btc, eth, sol, xrp)"))
    }
}

impl TryFrom<String> for Asset {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl schemars::JsonSchema for Asset {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Asset".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "an asset; any case and the feeds' spellings are read as one of these",
            "type": "string",
            "format": "asset",
            "enum": Self::ALL.map(Self::as_str),
        })
    }
}

impl From<Asset> for String {
    fn from(asset: Asset) -> Self {
        asset.as_str().to_owned()
    }
}

/// One of a window's two outcomes.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Settles at 1 when the closing price is at or above the reference price.
    Up,
    /// Settles at 1 when the closing price is below the reference price.
    Down,
}

impl Outcome {
    /// The other outcome.
    pub const fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Up => "up",
            Self::Down => "down",
        })
    }
}
