//! Decimal text: how it is read, how a schema describes it, and the macro that makes a unit of it.
//!
//! Must not pass through a float: a number in a file is read by its source text.

use super::error::UnitError;
use rust_decimal::Decimal;
use serde::Deserialize;
use std::fmt;

/// Longest decimal text that is read; longer input is refused before it is parsed.
pub const DECIMAL_TEXT_MAX_CHARS: usize = 40;

/// Reads a plain decimal (`-12.50`, `0.07`); refuses exponents, `NaN`, blanks and anything longer
/// than [`DECIMAL_TEXT_MAX_CHARS`]. Never goes through a float.
pub fn parse_decimal(text: &str, wanted: &'static str) -> Result<Decimal, UnitError> {
    if let Some(value) = parse_short(text) {
        return Ok(value);
    }
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

/// Digits that always fit 64 bits.
const SHORT_DIGITS: u32 = 18;

/// `12`, `0.07`: digits with at most one point between them, few enough for one number; `None` for
/// whatever else. In one pass, for a tape has several of these on every line.
fn parse_short(text: &str) -> Option<Decimal> {
    let (mut mantissa, mut digits, mut point) = (0_u64, 0_u32, None);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' if digits < SHORT_DIGITS => {
                mantissa = mantissa * 10 + u64::from(byte - b'0');
                digits += 1;
            }
            b'.' if point.is_none() && digits > 0 => point = Some(digits),
            _ => return None,
        }
    }
    let scale = digits - point.unwrap_or(digits);
    if digits == 0 || (point.is_some() && scale == 0) {
        return None;
    }
    Some(Decimal::new(i64::try_from(mantissa).ok()?, scale))
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
pub(super) const SCHEMA_DECIMAL_MAX_CHARS: usize = 28;

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
        #[derive(Clone, Copy, Deserialize)]
        #[serde(try_from = "DecimalText")]
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

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                order(self.0, other.0) == Ordering::Equal
            }
        }

        impl Eq for $name {}

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                order(self.0, other.0)
            }
        }

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.hash(state);
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

pub(super) use decimal_unit;

/// Decimal text on its way into a unit: a string, or a number by its source text.
#[derive(Debug)]
pub struct DecimalText(pub(super) String);

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn odd_texts_go_the_long_way() {
        for text in [
            "",
            ".",
            "5.",
            ".5",
            "1.2.3",
            "-1",
            "1e3",
            "1234567890123456789",
        ] {
            assert!(parse_short(text).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_short_way_reads_what_the_long_one_reads(text in "[0-9]{1,12}(\\.[0-9]{1,9})?") {
            if let Some(value) = parse_short(&text) {
                let long = Decimal::from_str_exact(&text).unwrap();
                prop_assert_eq!(value.serialize(), long.serialize());
            }
        }
    }
}
