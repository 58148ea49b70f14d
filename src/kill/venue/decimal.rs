//! Exact decimals as text: as much as a kill needs of them (this package has no decimal type).
//!
//! No floats: a number of the venue stays what it was written as. Bounded: what has too many digits
//! is not a number here.

use std::cmp::Ordering;

/// Most digits behind the point that are kept apart.
const SCALE_MAX: u32 = 18;

/// `mantissa` / 10^`scale`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal {
    mantissa: i128,
    scale: u32,
}

impl Decimal {
    /// Reads `12`, `-0.5`, `1e-7`, `2.5E+3`. Anything else, or too many digits, is `None`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, digits) = match number.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let (mantissa, scale) = match u32::try_from(scale) {
            Ok(scale) => (mantissa, scale),
            Err(_) => (shifted(mantissa, scale.unsigned_abs())?, 0),
        };
        let own = Self {
            mantissa: mantissa.checked_mul(sign)?,
            scale,
        }
        .shortest();
        (own.scale <= SCALE_MAX).then_some(own)
    }

    /// The product, if it fits.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        let product = Self {
            mantissa: self.mantissa.checked_mul(other.mantissa)?,
            scale: self.scale.checked_add(other.scale)?,
        };
        Some(product.shortest())
    }

    /// Whether it is nothing.
    pub(super) const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Compares exactly; `None` = the digits do not fit.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        let scale = self.scale.max(other.scale);
        let at = |one: Self| shifted(one.mantissa, scale.checked_sub(one.scale)?);
        Some(at(self)?.cmp(&at(other)?))
    }

    fn shortest(mut self) -> Self {
        while self.scale > 0 && self.mantissa % 10 == 0 {
            self.mantissa /= 10;
            self.scale = self.scale.saturating_sub(1);
        }
        self
    }
}

fn shifted(mantissa: i128, digits: u32) -> Option<i128> {
    mantissa.checked_mul(10_i128.checked_pow(digits)?)
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs().to_string();
        let Ok(scale) = usize::try_from(self.scale) else {
            return Err(std::fmt::Error);
        };
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale.saturating_add(1));
        let (whole, fraction) = padded.split_at(padded.len().saturating_sub(scale));
        write!(f, "{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Decimal::parse(text).map(|decimal| decimal.to_string())
    }

    #[test]
    fn numbers_stay_what_they_were_written_as() {
        for (text, wanted) in [
            ("12", "12"),
            ("0.10", "0.1"),
            ("-0.05", "-0.05"),
            ("1e-7", "0.0000001"),
            ("2.5E+3", "2500"),
            ("0", "0"),
            ("1234567.123456", "1234567.123456"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(wanted), "{text}");
        }
        for bad in [
            "", ".", ".5", "-", "1,5", "0x1", "NaN", "1e", "1e999", "1e-999", " 1",
        ] {
            assert_eq!(shown(bad), None, "{bad}");
        }
        assert_eq!(shown(&"9".repeat(60)), None);
    }

    #[test]
    fn products_are_exact() {
        let times = |a, b| Some(Decimal::parse(a)?.times(Decimal::parse(b)?)?.to_string());
        // In doubles 0.1 × 3 is 0.30000000000000004.
        assert_eq!(times("0.1", "3").as_deref(), Some("0.3"));
        assert_eq!(times("12.345", "0.48").as_deref(), Some("5.9256"));
        assert_eq!(times(&"9".repeat(30), &"9".repeat(30)), None);
    }

    #[test]
    fn order_is_that_of_numbers_not_of_text() {
        let compare = |a, b| Decimal::parse(a)?.compare(Decimal::parse(b)?);
        assert_eq!(compare("0.9", "0.10"), Some(Ordering::Greater));
        assert_eq!(compare("0.50", "0.5"), Some(Ordering::Equal));
        assert_eq!(compare("2", "10"), Some(Ordering::Less));
    }
}
