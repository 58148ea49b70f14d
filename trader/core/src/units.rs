//! Every quantity of the trader as its own type, and the only arithmetic that has a meaning.
//!
//! | operation | result |
//! |---|---|
//! | `Shares * TokenPrice` | `Usd` (what the shares cost) |
//! | `Usd + Usd`, `Usd - Usd`, `-Usd`, `Usd * u32` | `Usd` |
//! | `Shares + Shares`, `Shares - Shares` (checked) | `Shares` |
//! | `EpochMs - EpochMs` | `i64` milliseconds |
//! | `TokenPrice::complement` | `TokenPrice` of the other outcome |
//!
//! There is no conversion between [`OraclePrice`] (dollars per coin) and [`TokenPrice`] (dollars per
//! share that pays one dollar): feeding one as the other cost real money and does not compile here.
//! Money, prices and shares are decimal and travel as decimal strings; floats exist only inside the
//! model ([`Probability`], [`Volatility`]).

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text or number that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{seen:?} is not {wanted}")]
pub struct UnitError {
    /// What was seen, as it was written.
    pub seen: String,
    /// What was wanted, as a noun phrase.
    pub wanted: &'static str,
}

impl UnitError {
    fn new(seen: impl fmt::Display, wanted: &'static str) -> Self {
        Self {
            seen: seen.to_string(),
            wanted,
        }
    }
}

/// Longest decimal text that is read; longer input is refused before it is parsed.
pub const DECIMAL_TEXT_MAX_CHARS: usize = 40;

/// Reads a plain decimal (`-12.50`, `0.07`); refuses exponents, `NaN`, blanks and anything longer
/// than [`DECIMAL_TEXT_MAX_CHARS`]. Never goes through a float.
pub fn parse_decimal(text: &str, wanted: &'static str) -> Result<Decimal, UnitError> {
    let plain = text.len() <= DECIMAL_TEXT_MAX_CHARS
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.' || b == b'-')
        && text.bytes().any(|b| b.is_ascii_digit());
    if !plain {
        return Err(UnitError::new(text, wanted));
    }
    Decimal::from_str_exact(text).map_err(|_| UnitError::new(text, wanted))
}

/// Which decimals a schema takes, as a pattern over their text (JSON Schema cannot compare texts).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalRange {
    /// Any.
    Any,
    /// 0 or more.
    NonNegative,
    /// Above 0.
    Positive,
    /// Above 0 and below 1.
    InsideUnit,
    /// From 0 to 1.
    Unit,
    /// Above 0, at most 1.
    PositiveUnit,
}

/// Longest decimal text that a schema takes: 28 characters always fit the decimal type, so what the
/// schema allows the type can hold.
const SCHEMA_DECIMAL_MAX_CHARS: usize = 28;

/// The schema of a decimal in a file: a string, or a number that is read by its source text.
/// `format: decimal` marks it for the reader.
pub fn decimal_schema(wanted: &str, range: DecimalRange) -> schemars::Schema {
    let pattern = match range {
        DecimalRange::Any => r"^-?[0-9]+(\.[0-9]+)?$",
        DecimalRange::NonNegative => r"^[0-9]+(\.[0-9]+)?$",
        DecimalRange::Positive => r"^([0-9]*[1-9][0-9]*(\.[0-9]+)?|0+\.[0-9]*[1-9][0-9]*)$",
        DecimalRange::InsideUnit => r"^0+\.[0-9]*[1-9][0-9]*$",
        DecimalRange::Unit => r"^(0+(\.[0-9]+)?|0*1(\.0+)?)$",
        DecimalRange::PositiveUnit => r"^(0+\.[0-9]*[1-9][0-9]*|0*1(\.0+)?)$",
    };
    schemars::json_schema!({
        "description": wanted,
        // A field's own doc replaces the description; this stays, for messages.
        "x-wanted": wanted,
        "type": ["string", "number"],
        "format": "decimal",
        "pattern": pattern,
        "maxLength": SCHEMA_DECIMAL_MAX_CHARS,
    })
}

/// A decimal newtype: private field, one checked constructor, decimal string on the wire.
/// Reads a string or a JSON/TOML integer, and a float only by its shortest decimal text.
macro_rules! decimal_unit {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $range:ident, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "DecimalText", into = "String")]
        pub struct $name(Decimal);

        impl $name {
            /// Checks the value; the error says what was seen and what was wanted.
            pub fn try_new(value: Decimal) -> Result<Self, UnitError> {
                let valid: fn(&Decimal) -> bool = $valid;
                if valid(&value) { Ok(Self(value)) } else { Err(UnitError::new(value, $wanted)) }
            }

            /// The bare decimal, for arithmetic that the table above does not know.
            pub const fn get(self) -> Decimal {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = UnitError;

            fn from_str(text: &str) -> Result<Self, UnitError> {
                Self::try_new(parse_decimal(text, $wanted)?)
            }
        }

        impl TryFrom<DecimalText> for $name {
            type Error = UnitError;

            fn try_from(text: DecimalText) -> Result<Self, UnitError> {
                text.0.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.to_string()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                decimal_schema($wanted, DecimalRange::$range)
            }
        }
    };
}

/// Decimal text on its way into a unit: a string, or a number by its source text.
#[derive(Debug)]
pub struct DecimalText(String);

impl<'de> Deserialize<'de> for DecimalText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = DecimalText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number or a string that holds one")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<DecimalText, E> {
                Ok(DecimalText(text.to_owned()))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<DecimalText, E> {
                Ok(DecimalText(value.to_string()))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<DecimalText, E> {
                Ok(DecimalText(value.to_string()))
            }

            // Files are read by source text before serde sees them; this arm serves plain JSON
            // documents, whose shortest float text is the text that was written.
            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<DecimalText, E> {
                Ok(DecimalText(value.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

decimal_unit!(
    /// Dollars; may be negative (profit and loss).
    Usd,
    "an amount in USD, like \"12.50\"",
    Any,
    |_| true
);
decimal_unit!(
    /// A limit in dollars: strictly positive, so that 0 never means "unlimited" or "off".
    UsdLimit,
    "a limit in USD above 0, like \"20\"",
    Positive,
    |v| *v > Decimal::ZERO
);
decimal_unit!(
    /// Dollars per coin as the oracle (Chainlink) publishes it: what the model's S is made of.
    OraclePrice,
    "an oracle price in USD above 0",
    Positive,
    |v| *v > Decimal::ZERO
);
decimal_unit!(
    /// The oracle price that a window settles against ("price to beat"): the model's K.
    ReferencePrice,
    "a reference price in USD above 0",
    Positive,
    |v| *v > Decimal::ZERO
);
decimal_unit!(
    /// Dollars per share of an outcome token that pays 1 or 0: strictly between 0 and 1.
    TokenPrice,
    "a token price strictly between 0 and 1, like \"0.72\"",
    InsideUnit,
    |v| *v > Decimal::ZERO && *v < Decimal::ONE
);
decimal_unit!(
    /// Outcome tokens, never negative. The venue trades hundredths of a share.
    Shares,
    "a number of shares, 0 or more",
    NonNegative,
    |v| *v >= Decimal::ZERO
);
decimal_unit!(
    /// A difference of prices in dollars per share, between 0 and 1 (edge bounds, collars, stops).
    PriceGap,
    "a price difference from 0 to 1, like \"0.10\"",
    Unit,
    |v| *v >= Decimal::ZERO && *v <= Decimal::ONE
);

impl Usd {
    /// No dollars.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Wraps any decimal: every decimal is an amount.
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }

    /// `self + other`, held at the decimal type's own bounds instead of overflowing.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Add for Usd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.plus(other)
    }
}

impl std::ops::AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = self.plus(other);
    }
}

impl std::ops::Sub for Usd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::Neg for Usd {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl std::ops::Mul<u32> for Usd {
    type Output = Self;
    fn mul(self, times: u32) -> Self {
        Self(self.0.saturating_mul(Decimal::from(times)))
    }
}

impl std::iter::Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Self::plus)
    }
}

impl From<UsdLimit> for Usd {
    fn from(limit: UsdLimit) -> Self {
        Self(limit.0)
    }
}

impl Shares {
    /// No shares.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// `self + other`, saturating.
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `self - other`, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        (self.0 >= other.0).then(|| Self(self.0 - other.0))
    }
}

impl std::ops::Mul<TokenPrice> for Shares {
    type Output = Usd;
    fn mul(self, price: TokenPrice) -> Usd {
        Usd(self.0.saturating_mul(price.0))
    }
}

impl TokenPrice {
    /// The price of the other outcome's token in a book without spread: `1 - p`.
    pub fn complement(self) -> Self {
        Self(Decimal::ONE - self.0)
    }
}

/// A probability from the model, 0 to 1 inclusive, never NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

impl Probability {
    /// Checks the range; NaN is refused.
    pub fn try_new(value: f64) -> Result<Self, UnitError> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(UnitError::new(value, "a probability from 0 to 1"))
        }
    }

    /// The bare float.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// `1 - p`.
    pub fn complement(self) -> Self {
        Self(1.0 - self.0)
    }
}

impl TryFrom<f64> for Probability {
    type Error = UnitError;
    fn try_from(value: f64) -> Result<Self, UnitError> {
        Self::try_new(value)
    }
}

impl From<Probability> for f64 {
    fn from(value: Probability) -> Self {
        value.0
    }
}

/// Annualised volatility of one asset's oracle returns (0.45 = 45 % a year): finite, above 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Volatility(f64);

impl Volatility {
    /// Checks that it is finite and above 0.
    pub fn try_new(value: f64) -> Result<Self, UnitError> {
        if value.is_finite() && value > 0.0 {
            Ok(Self(value))
        } else {
            Err(UnitError::new(value, "an annualised volatility above 0"))
        }
    }

    /// The bare float, per square root of a 365-day year.
    pub const fn get(self) -> f64 {
        self.0
    }
}

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

/// Milliseconds since the Unix epoch, UTC.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct EpochMs(pub i64);

impl EpochMs {
    /// This instant moved by `ms` (may be negative), saturating.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl std::ops::Sub for EpochMs {
    type Output = i64;
    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for EpochMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The venue's id of one outcome token (ERC-1155 position id, a long decimal number).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenId(String);

/// Digits of the largest 256-bit number; venue token ids are no longer.
const TOKEN_ID_MAX_CHARS: usize = 78;

impl FromStr for TokenId {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let valid = !text.is_empty()
            && text.len() <= TOKEN_ID_MAX_CHARS
            && text.bytes().all(|b| b.is_ascii_digit());
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnitError::new(text, "a token id (1 to 78 digits)"))
        }
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for TokenId {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

/// A strategy's id: the stem of its file under `manifests/strategies/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StrategyId(String);

/// Longest strategy id.
pub const STRATEGY_ID_MAX_CHARS: usize = 64;

impl StrategyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StrategyId {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let valid = !text.is_empty()
            && text.len() <= STRATEGY_ID_MAX_CHARS
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(UnitError::new(
                text,
                "a strategy id (lower case, digits and inner dashes)",
            ))
        }
    }
}

impl fmt::Display for StrategyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for StrategyId {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl schemars::JsonSchema for StrategyId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StrategyId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "a strategy id (lower case, digits and inner dashes), the stem of its file",
            "type": "string",
            "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
            "maxLength": STRATEGY_ID_MAX_CHARS,
        })
    }
}

impl From<StrategyId> for String {
    fn from(id: StrategyId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_price_is_no_token_price() {
        assert!("78950".parse::<TokenPrice>().is_err());
        assert!("0.72".parse::<TokenPrice>().is_ok());
        for edge in ["0", "1", "-0.1", "NaN", "1e-1", "", ".", "0.5 "] {
            assert!(edge.parse::<TokenPrice>().is_err(), "{edge}");
        }
    }

    #[test]
    fn every_spelling_of_an_asset_is_one_asset() {
        for asset in Asset::ALL {
            let name = asset.as_str();
            for text in [
                name.to_owned(),
                name.to_uppercase(),
                format!("{name}/usd"),
                format!("{name}usdt"),
            ] {
                assert_eq!(text.parse::<Asset>().unwrap(), asset);
            }
            assert_eq!(asset.to_string().parse::<Asset>().unwrap(), asset);
        }
        assert!("doge".parse::<Asset>().is_err());
        assert!("usd".parse::<Asset>().is_err());
    }

    #[test]
    fn zero_is_no_limit() {
        assert!("0".parse::<UsdLimit>().is_err());
        assert!(serde_json::from_str::<UsdLimit>("null").is_err());
        assert_eq!(
            serde_json::from_str::<UsdLimit>("2.5").unwrap().to_string(),
            "2.5"
        );
        assert_eq!(
            serde_json::to_string(&"2.50".parse::<UsdLimit>().unwrap()).unwrap(),
            "\"2.50\""
        );
    }

    #[test]
    fn a_schema_takes_no_decimal_that_its_type_refuses() {
        // (text, positive, unit, inside the unit)
        for (text, positive, unit, inside) in [
            ("0", false, true, false),
            ("0.000", false, true, false),
            ("00.10", true, true, true),
            ("1", true, true, false),
            ("1.00", true, true, false),
            ("1.01", true, false, false),
            ("9999999999999999999999999999", true, false, false),
            ("0.00000000000000000000000001", true, true, true),
        ] {
            assert!(text.len() <= SCHEMA_DECIMAL_MAX_CHARS);
            assert_eq!(text.parse::<UsdLimit>().is_ok(), positive, "{text}");
            assert_eq!(text.parse::<PriceGap>().is_ok(), unit, "{text}");
            assert_eq!(text.parse::<TokenPrice>().is_ok(), inside, "{text}");
        }
    }

    #[test]
    fn cost_is_shares_times_token_price() {
        let cost = "4".parse::<Shares>().unwrap() * "0.55".parse::<TokenPrice>().unwrap();
        assert_eq!(cost.to_string(), "2.20");
    }
}
