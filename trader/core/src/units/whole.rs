//! Decimals as whole numbers of their last digit: comparing and rounding them in a few instructions.
//!
//! Exact, and no other decimals: what does not fit 64 bits goes the decimal type's own way, and both ways
//! give the same value with the same digits (properties below). Knows no unit; holds no float.

use rust_decimal::{Decimal, RoundingStrategy};
use std::cmp::Ordering;

/// Powers of ten that fit 64 bits.
const POWERS: [u64; 20] = {
    let mut powers = [1; 20];
    let mut n = 1;
    while n < 20 {
        #[expect(
            clippy::indexing_slicing,
            reason = "evaluated when the program is built, where an index out of bounds is an error"
        )]
        {
            powers[n] = powers[n - 1] * 10;
        }
        n += 1;
    }
    powers
};

fn power(digits: u32) -> Option<u64> {
    POWERS.get(usize::try_from(digits).ok()?).copied()
}

/// (units of the last digit, digits after the point).
#[inline]
fn whole(value: Decimal) -> Option<(i64, u32)> {
    let parts = value.unpack();
    let magnitude = (u64::from(parts.mid) << 32) | u64::from(parts.lo);
    let magnitude = i64::try_from(magnitude).ok().filter(|_| parts.hi == 0)?;
    let signed = if parts.negative {
        -magnitude
    } else {
        magnitude
    };
    Some((signed, parts.scale))
}

/// The order of two decimals.
#[inline]
pub(crate) fn order(a: Decimal, b: Decimal) -> Ordering {
    let (one, other) = (a.unpack(), b.unpack());
    let is_plain = one.hi | other.hi == 0 && !one.negative && !other.negative;
    if is_plain && one.scale == other.scale {
        // Small enough to stand where it is used.
        return (one.mid, one.lo).cmp(&(other.mid, other.lo));
    }
    order_apart(a, b)
}

/// The order of two decimals of different digits or signs.
fn order_apart(a: Decimal, b: Decimal) -> Ordering {
    let (Some((a_units, a_digits)), Some((b_units, b_digits))) = (whole(a), whole(b)) else {
        return a.cmp(&b);
    };
    if a_digits == b_digits {
        return a_units.cmp(&b_units);
    }
    let Some(power) = power(a_digits.abs_diff(b_digits)) else {
        return a.cmp(&b);
    };
    // 2^63 times 10^19 is below 2^127.
    let (a_units, b_units, power) = (i128::from(a_units), i128::from(b_units), i128::from(power));
    if a_digits < b_digits {
        (a_units * power).cmp(&b_units)
    } else {
        a_units.cmp(&(b_units * power))
    }
}

/// Units of a digit that is `digits` after the point, of something that has fewer; `None` when that is too
/// far apart.
#[inline]
fn in_digits((units, has): (i64, u32), digits: u32) -> Option<i128> {
    Some(i128::from(units) * i128::from(power(digits.checked_sub(has)?)?))
}

/// Whether the sum of these is above `max`.
#[inline]
pub(crate) fn sum_exceeds<const N: usize>(parts: [Decimal; N], max: Decimal) -> bool {
    let exact = || {
        let max = whole(max)?;
        let mut digits = max.1;
        let mut wholes = [(0, 0); N];
        for (slot, part) in wholes.iter_mut().zip(parts) {
            *slot = whole(part)?;
            digits = digits.max(slot.1);
        }
        let mut sum = 0_i128;
        for part in wholes {
            sum = sum.checked_add(in_digits(part, digits)?)?;
        }
        Some(sum > in_digits(max, digits)?)
    };
    exact().unwrap_or_else(|| {
        let sum = parts
            .into_iter()
            .fold(Decimal::ZERO, Decimal::saturating_add);
        order(sum, max) == Ordering::Greater
    })
}

/// Whether `shares` at `price` with the fee `rate · price · (1 − price)` a share, the fee rounded up to
/// `digits`, cost at most `max`; `None` when the figures do not fit 64 bits.
pub(crate) fn costs_at_most(
    (shares, price): (Decimal, Decimal),
    rate: Decimal,
    digits: u32,
    max: Decimal,
) -> Option<bool> {
    let unsigned = |value: Decimal| {
        let (units, digits) = whole(value)?;
        Some((u64::try_from(units).ok()?, digits))
    };
    let (shares, shares_digits) = unsigned(shares)?;
    let (price, price_digits) = unsigned(price)?;
    let (rate, rate_digits) = unsigned(rate)?;
    let gross = shares.checked_mul(price)?;
    let rest = power(price_digits)?.checked_sub(price)?;
    let fee = gross.checked_mul(rate)?.checked_mul(rest)?;
    let gross_digits = shares_digits + price_digits;
    let fee_digits = gross_digits + rate_digits + price_digits;
    let (fee, fee_digits) = match fee_digits.checked_sub(digits) {
        None => (fee, fee_digits),
        Some(more) => (fee.div_ceil(power(more)?), digits),
    };
    let (max, max_digits) = unsigned(max)?;
    let digits = gross_digits.max(fee_digits).max(max_digits);
    let units = |value: u64, has: u32| in_digits((i64::try_from(value).ok()?, has), digits);
    let cost = units(gross, gross_digits)? + units(fee, fee_digits)?;
    Some(cost <= units(max, max_digits)?)
}

/// Whether it is above 0.
#[inline]
pub(crate) const fn is_positive(value: Decimal) -> bool {
    !value.is_sign_negative() && !value.is_zero()
}

/// At most so many digits after the point, away from zero or (`down`) toward it.
fn rounded(value: Decimal, digits: u32, down: bool) -> Option<Decimal> {
    let (units, has) = whole(value).filter(|(units, _)| *units > 0)?;
    if has <= digits {
        return Some(value);
    }
    let (units, power) = (u64::try_from(units).ok()?, power(has - digits)?);
    let units = if down {
        units / power
    } else {
        units.div_ceil(power)
    };
    Some(Decimal::new(i64::try_from(units).ok()?, digits))
}

/// [`RoundingStrategy::ToZero`].
fn rounded_down(value: Decimal, digits: u32) -> Decimal {
    let slow = || value.round_dp_with_strategy(digits, RoundingStrategy::ToZero);
    rounded(value, digits, true).unwrap_or_else(slow)
}

/// [`RoundingStrategy::AwayFromZero`].
pub(crate) fn rounded_up(value: Decimal, digits: u32) -> Decimal {
    let slow = || value.round_dp_with_strategy(digits, RoundingStrategy::AwayFromZero);
    rounded(value, digits, false).unwrap_or_else(slow)
}

/// Quotients and divisors up to this are divided here, in units: far enough from the decimal type's 28
/// digits that its rounding changes nothing.
const DIVIDED_MAX: u64 = 1_000_000_000_000;

/// `a / b`, toward zero, with so many digits after the point. `None` unless both are positive and the
/// digits do not end there: how many zeros an even quotient shows is the decimal type's own matter.
fn divided(a: Decimal, b: Decimal, digits: u32) -> Option<Decimal> {
    let (a_units, a_digits) = whole(a).filter(|(units, _)| *units > 0)?;
    let (b_units, b_digits) = whole(b).filter(|(units, _)| *units > 0)?;
    let power = power((b_digits + digits).checked_sub(a_digits)?)?;
    let a_units = u64::try_from(a_units).ok()?.checked_mul(power)?;
    let b_units = u64::try_from(b_units).ok()?;
    let quotient = a_units.checked_div(b_units)?;
    let fits = b_units <= DIVIDED_MAX && quotient <= DIVIDED_MAX;
    let is_even = quotient * b_units == a_units;
    if !fits || is_even {
        return None;
    }
    Some(Decimal::new(i64::try_from(quotient).ok()?, digits))
}

/// `a / b` as the decimal type divides, then toward zero to at most so many digits; 0 when there is no
/// quotient.
pub(crate) fn divided_down(a: Decimal, b: Decimal, digits: u32) -> Decimal {
    divided(a, b, digits).unwrap_or_else(|| {
        let quotient = a.checked_div(b).unwrap_or(Decimal::ZERO);
        rounded_down(quotient, digits)
    })
}

/// In units of 10^-`digits`, halves to even; `None` when that does not fit 64 bits.
pub(crate) fn units_of(value: Decimal, digits: u32) -> Option<i64> {
    let (units, has) = whole(value)?;
    if has <= digits {
        return units.checked_mul(i64::try_from(power(digits - has)?).ok()?);
    }
    whole(value.round_dp(digits)).map(|(units, _)| units)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Decimals of all widths, many of them equal but for trailing zeros.
    fn decimal() -> impl Strategy<Value = Decimal> {
        let any = (any::<i128>(), 32_u32..127, 0_u32..29);
        let any = any.prop_map(|(mantissa, shift, digits)| {
            Decimal::from_i128_with_scale(mantissa >> shift, digits)
        });
        let near = (-300_i64..300, 0_u32..4, 0_u32..10);
        let near = near.prop_map(|(mantissa, digits, zeros)| {
            let mut value = Decimal::new(mantissa, digits);
            value.rescale(digits + zeros);
            value
        });
        prop_oneof![any, near]
    }

    /// Amounts whose sums the decimal type holds exactly, small and large.
    fn amount() -> impl Strategy<Value = Decimal> {
        let amount = (any::<i64>(), 8_u32..60, 0_u32..13);
        amount.prop_map(|(mantissa, shift, digits)| Decimal::new(mantissa >> shift, digits))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_order_is_the_decimal_types_own(a in decimal(), b in decimal()) {
            prop_assert_eq!(order(a, b), a.cmp(&b));
            prop_assert_eq!(order(a, a), Ordering::Equal);
            prop_assert_eq!(is_positive(a), a > Decimal::ZERO);
        }

        #[test]
        fn a_sum_is_the_decimal_types_own(a in amount(), b in amount(), c in amount(), max in amount()) {
            prop_assert_eq!(sum_exceeds([a, b, c], max), a + b + c > max);
            prop_assert!(!sum_exceeds([a, b], a + b));
        }

        #[test]
        fn rounding_is_the_decimal_types_own(value in decimal(), digits in 0_u32..12) {
            let down = value.round_dp_with_strategy(digits, RoundingStrategy::ToZero);
            prop_assert_eq!(rounded_down(value, digits).serialize(), down.serialize());
            let up = value.round_dp_with_strategy(digits, RoundingStrategy::AwayFromZero);
            prop_assert_eq!(rounded_up(value, digits).serialize(), up.serialize());
        }

        #[test]
        fn dividing_is_the_decimal_types_own(a in decimal(), b in decimal(), cents in 1_i64..100_000, mills in 1_i64..2_000, digits in 0_u32..5) {
            let own = |a: Decimal, b: Decimal| {
                let quotient = a.checked_div(b).unwrap_or(Decimal::ZERO);
                quotient.round_dp_with_strategy(digits, RoundingStrategy::ToZero).serialize()
            };
            prop_assert_eq!(divided_down(a, b, digits).serialize(), own(a, b));
            let (a, b) = (Decimal::new(cents, 2), Decimal::new(mills, 3));
            prop_assert_eq!(divided_down(a, b, digits).serialize(), own(a, b));
        }

        #[test]
        fn units_are_the_rounded_value(value in decimal(), digits in 0_u32..10) {
            if let Some(units) = units_of(value, digits) {
                prop_assert_eq!(Decimal::new(units, digits), value.round_dp(digits));
            }
        }
    }

    #[test]
    fn a_negative_zero_is_zero() {
        let mut zero = Decimal::ZERO;
        zero.set_sign_negative(true);
        assert_eq!(order(zero, Decimal::ZERO), Ordering::Equal);
        assert!(!is_positive(zero));
    }
}
