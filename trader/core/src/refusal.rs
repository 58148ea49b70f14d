//! Why something was not done: a stable reason code with the number seen and the number wanted.
//!
//! Small and `Copy`, so that refusing costs no allocation on the path of a tick.

use crate::units::Usd;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use std::fmt;

/// Who refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuser {
    /// The window or the market view: the data does not allow a decision.
    View,
    /// A component of the strategy.
    Component,
    /// A safeguard: the decision may not be carried out.
    Safeguard,
    /// The last step before the wire.
    Wire,
}

impl Refuser {
    /// As it stands in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Component => "component",
            Self::Safeguard => "safeguard",
            Self::Wire => "wire",
        }
    }
}

impl fmt::Display for Refuser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A number in a refusal, with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Figure {
    /// There is no number, or it is not known.
    #[default]
    None,
    /// A count.
    Count(u64),
    /// Milliseconds.
    Ms(i64),
    /// USD.
    Usd(Usd),
    /// Price, shares: a decimal.
    Decimal(Decimal),
    /// A number from the model.
    Real(f64),
}

/// Money as decimal text, counts and statistics as numbers.
impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Count(n) => serializer.serialize_u64(*n),
            Self::Ms(ms) => serializer.serialize_i64(*ms),
            Self::Usd(usd) => serializer.collect_str(usd),
            Self::Decimal(d) => serializer.collect_str(d),
            Self::Real(x) => serializer.serialize_f64(*x),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Count(n) => write!(f, "{n}"),
            Self::Ms(ms) => write!(f, "{ms} ms"),
            Self::Usd(usd) => write!(f, "{usd} USD"),
            Self::Decimal(d) => write!(f, "{d}"),
            Self::Real(x) => write!(f, "{x:.6}"),
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refusal {
    /// Stable reason code (`window_once`, `stale_oracle`, …).
    pub code: &'static str,
    /// Who refused.
    pub by: Refuser,
    /// The number seen.
    pub seen: Figure,
    /// The number that would have been allowed.
    pub limit: Figure,
}

impl Refusal {
    /// A refusal with its numbers.
    pub const fn new(code: &'static str, by: Refuser, seen: Figure, limit: Figure) -> Self {
        Self {
            code,
            by,
            seen,
            limit,
        }
    }
}

/// Whether two reason codes are one: mostly they are the same text at the same place.
pub(crate) fn is_code(a: &'static str, b: &'static str) -> bool {
    std::ptr::eq(a, b) || a == b
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        match (self.seen, self.limit) {
            (Figure::None, Figure::None) => Ok(()),
            (seen, Figure::None) => write!(f, " (seen {seen})"),
            (seen, limit) => write!(f, " (seen {seen}, limit {limit})"),
        }
    }
}
