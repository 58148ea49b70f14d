//! The model's own quantities, the only floats of the trader.
//!
//! Must not become money: nothing here converts to a decimal.

use super::error::UnitError;
use serde::{Deserialize, Serialize};

/// A probability from the model, 0 to 1 inclusive, never NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Probability(f64);

impl Probability {
    /// 1.
    pub const CERTAIN: Self = Self(1.0);

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
