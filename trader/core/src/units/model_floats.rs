//! The model's own quantities, the only floats of the trader.
//!
//! Must not become money: nothing here converts to a decimal.

use super::error::UnitError;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

/// Below this a whole number is a float exactly, and the decimal type's own way gives the same quotient.
const EXACT_BELOW: u64 = 1 << 50;
/// Powers of ten that are floats exactly, as far as prices need them.
const POWERS: [f64; 13] = [
    1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
];

/// The float nearest to a decimal, on its way into the model. One division for every price there is;
/// the decimal type's own way round, several times slower, for the rest.
pub(crate) fn to_float(value: Decimal) -> Option<f64> {
    let parts = value.unpack();
    let whole = (u64::from(parts.mid) << 32) | u64::from(parts.lo);
    let power = usize::try_from(parts.scale)
        .ok()
        .and_then(|scale| POWERS.get(scale));
    match power {
        Some(power) if parts.hi == 0 && whole < EXACT_BELOW && !parts.negative => {
            Some(exact_float(whole) / power)
        }
        _ => value.to_f64(),
    }
}

/// A whole number below 2^53 as the float that it is.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "u64 to f64 has no `From`; both callers hold it below 2^50"
)]
pub(crate) const fn exact_float(whole: u64) -> f64 {
    // Signed: one instruction where unsigned takes several.
    whole.cast_signed() as f64
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_float_is_the_one_that_the_decimal_type_makes(mantissa in any::<i64>(), shift in 0_u32..63, scale in 0_u32..20) {
            let value = Decimal::new(mantissa >> shift, scale);
            prop_assert_eq!(to_float(value).map(f64::to_bits), value.to_f64().map(f64::to_bits));
        }
    }
}
