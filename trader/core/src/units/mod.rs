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

mod asset;
mod decimal;
mod error;
mod ids;
mod model_floats;
mod money;
mod time;
mod whole;

#[cfg(test)]
mod tests;

pub use asset::{Asset, Outcome};
pub use decimal::{
    DECIMAL_TEXT_MAX_CHARS, DecimalRange, DecimalText, decimal_schema, parse_decimal,
};
pub use error::UnitError;
pub(crate) use error::cut;
pub use ids::{STRATEGY_ID_MAX_CHARS, StrategyId, TokenId};
pub use model_floats::{Probability, Volatility};
pub(crate) use model_floats::{exact_float, to_float};
pub use money::{
    OraclePrice, PriceGap, ReferencePrice, Shares, TokenPrice, UiPrice, Usd, UsdLimit,
};
pub use time::EpochMs;
pub(crate) use whole::{costs_at_most, divided_down, order, rounded_up, units_of};
