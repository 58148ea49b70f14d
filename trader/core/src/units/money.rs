//! Money, prices and shares: decimal newtypes and their arithmetic (the table in `units`).
//!
//! Must not hold a float, and no operation may overflow: all of them saturate or are checked.

use super::decimal::{DecimalRange, DecimalText, decimal_schema, decimal_unit, parse_decimal};
use super::error::UnitError;
use super::whole::{is_positive, order, sum_exceeds};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

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
    |v| is_positive(*v)
);
decimal_unit!(
    /// Dollars per coin as the oracle (Chainlink) publishes it: what the model's S is made of.
    OraclePrice,
    "an oracle price in USD above 0",
    Positive,
    |v| is_positive(*v)
);
decimal_unit!(
    /// Dollars per coin as the venue's user interface shows it: another source, which settles nothing.
    UiPrice,
    "a UI price in USD above 0",
    Positive,
    |v| is_positive(*v)
);
decimal_unit!(
    /// The oracle price that a window settles against ("price to beat"): the model's K.
    ReferencePrice,
    "a reference price in USD above 0",
    Positive,
    |v| is_positive(*v)
);
decimal_unit!(
    /// Dollars per share of an outcome token that pays 1 or 0: strictly between 0 and 1.
    TokenPrice,
    "a token price strictly between 0 and 1, like \"0.72\"",
    InsideUnit,
    |v| is_positive(*v) && order(*v, Decimal::ONE) == Ordering::Less
);
decimal_unit!(
    /// Outcome tokens, never negative. The venue trades hundredths of a share.
    Shares,
    "a number of shares, 0 or more",
    NonNegative,
    |v| is_positive(*v) || v.is_zero()
);
decimal_unit!(
    /// A difference of prices in dollars per share, between 0 and 1 (edge bounds, collars, stops).
    PriceGap,
    "a price difference from 0 to 1, like \"0.10\"",
    Unit,
    |v| (is_positive(*v) || v.is_zero()) && order(*v, Decimal::ONE) != Ordering::Greater
);

impl Usd {
    /// No dollars.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Wraps any decimal: every decimal is an amount.
    pub const fn new(value: Decimal) -> Self {
        Self(value)
    }

    /// Whether the sum of these amounts is above `max`.
    pub(crate) fn sum_exceeds<const N: usize>(amounts: [Self; N], max: Self) -> bool {
        sum_exceeds(amounts.map(Self::get), max.0)
    }

    /// The amount, or none where it is below 0.
    pub(crate) const fn or_zero(self) -> Self {
        if is_positive(self.0) {
            self
        } else {
            Self::ZERO
        }
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
        (self >= other).then(|| Self(self.0 - other.0))
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
