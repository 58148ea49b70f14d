//! Which way each manifest key is looser: the one table, and the comparison that goes by it.
//!
//! Pure. A key without a row is a failing test. Null, nothing and a 0 that would mean "no limit" compare
//! with nothing: they are refused, never equal.

use crate::manifest::{Manifest, Mode};
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeMap;

/// The direction in which a key lets more happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looser {
    /// A larger number.
    Higher,
    /// A smaller number.
    Lower,
    /// A further item in the list.
    MoreItems,
    /// `dry-run`, then `paper`, then `live`.
    CloserToMoney,
    /// Neither: the key is no limit, and other checks judge it.
    NoLimit,
}

impl Looser {
    /// The direction in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Higher => "higher is looser",
            Self::Lower => "lower is looser",
            Self::MoreItems => "a further item is looser",
            Self::CloserToMoney => "closer to money is looser",
            Self::NoLimit => "no limit",
        }
    }
}

/// What 0 means for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zero {
    /// It would switch the limit off or make it meaningless.
    Refused,
    /// It is a value like any other.
    AValue,
}

/// One key of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitRow {
    /// The key as [`Manifest::flattened`] spells it.
    pub key: &'static str,
    /// Which way it is looser.
    pub looser: Looser,
    /// What 0 means.
    pub zero: Zero,
}

const fn row(key: &'static str, looser: Looser, zero: Zero) -> LimitRow {
    LimitRow { key, looser, zero }
}

/// Every key of the manifest.
#[rustfmt::skip] // One row, one line: the table is read as a table.
pub const TABLE: &[LimitRow] = &[
    row("schema_version", Looser::NoLimit, Zero::Refused),
    row("mode", Looser::CloserToMoney, Zero::Refused),
    // Which strategies run is judged by name (LC-202 to LC-204); the limits hold over all of them.
    row("strategies", Looser::NoLimit, Zero::Refused),
    row("assets", Looser::MoreItems, Zero::Refused),
    row("position_size_usd", Looser::Higher, Zero::Refused),
    row("max_exposure_usd", Looser::Higher, Zero::Refused),
    row("max_capital_usd", Looser::Higher, Zero::Refused),
    row("safeguards.max_open_positions", Looser::Higher, Zero::Refused),
    row("safeguards.min_entry_interval_ms", Looser::Lower, Zero::Refused),
    row("safeguards.max_entries_per_tick", Looser::Higher, Zero::Refused),
    row("safeguards.max_entries_per_window", Looser::Higher, Zero::Refused),
    row("safeguards.max_orders_per_minute", Looser::Higher, Zero::Refused),
    row("safeguards.max_order_shares", Looser::Higher, Zero::Refused),
    row("safeguards.max_daily_loss_usd", Looser::Higher, Zero::Refused),
    row("safeguards.max_consecutive_losses", Looser::Higher, Zero::Refused),
    row("safeguards.price_collar", Looser::Higher, Zero::Refused),
    row("safeguards.max_oracle_age_ms", Looser::Higher, Zero::Refused),
    row("safeguards.max_book_age_ms", Looser::Higher, Zero::Refused),
    row("safeguards.max_clock_offset_ms", Looser::Higher, Zero::Refused),
    row("edge.min", Looser::Lower, Zero::AValue),
    row("edge.max", Looser::Higher, Zero::AValue),
    row("window.durations_mins", Looser::MoreItems, Zero::Refused),
    row("window.min_elapsed_secs", Looser::Lower, Zero::AValue),
    row("window.min_remaining_secs", Looser::Lower, Zero::Refused),
    row("window.warm_up_secs", Looser::Lower, Zero::Refused),
    // A loss may grow this far before a position is left.
    row("exit.stop_loss", Looser::Higher, Zero::AValue),
    // A position is held until it has gained this much: longer at risk.
    row("exit.take_profit", Looser::Higher, Zero::AValue),
    // The stop waits this long for the sale.
    row("exit.flatten_secs", Looser::Higher, Zero::Refused),
];

/// The row of a key.
pub fn row_of(key: &str) -> Option<&'static LimitRow> {
    TABLE.iter().find(|row| row.key == key)
}

/// The rows that are limits.
pub fn limits() -> impl Iterator<Item = &'static LimitRow> {
    TABLE.iter().filter(|row| row.looser != Looser::NoLimit)
}

/// The manifest's limits by key.
pub fn limits_of(manifest: &Manifest) -> BTreeMap<String, Value> {
    let mut all = manifest.flattened();
    all.retain(|key, _| limits().any(|row| row.key == key));
    all
}

/// A declared value against the approved one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// The same.
    Same,
    /// It lets less happen.
    Tighter,
    /// It lets more happen.
    Looser,
    /// The two do not compare, with the reason.
    Refused(String),
}

impl LimitRow {
    /// Compares `declared` with `approved`.
    pub fn compare(&self, approved: Option<&Value>, declared: Option<&Value>) -> Compared {
        let Some(approved) = approved.filter(|value| !value.is_null()) else {
            return Compared::Refused("nothing is approved".to_owned());
        };
        let Some(declared) = declared.filter(|value| !value.is_null()) else {
            return Compared::Refused("nothing is declared".to_owned());
        };
        let compared = match self.looser {
            Looser::Higher => self.numbers(approved, declared, false),
            Looser::Lower => self.numbers(approved, declared, true),
            Looser::MoreItems => items(approved, declared),
            Looser::CloserToMoney => modes(approved, declared),
            Looser::NoLimit => Ok(Compared::Same),
        };
        compared.unwrap_or_else(Compared::Refused)
    }

    /// Whether the value is one that this key can have.
    pub fn takes(&self, value: &Value) -> Result<(), String> {
        match self.compare(Some(value), Some(value)) {
            Compared::Refused(why) => Err(why),
            Compared::Same | Compared::Tighter | Compared::Looser => Ok(()),
        }
    }

    fn numbers(
        &self,
        approved: &Value,
        declared: &Value,
        lower_is_looser: bool,
    ) -> Result<Compared, String> {
        let (approved, declared) = (self.number(approved)?, self.number(declared)?);
        let looser = if lower_is_looser {
            declared < approved
        } else {
            declared > approved
        };
        Ok(if declared == approved {
            Compared::Same
        } else if looser {
            Compared::Looser
        } else {
            Compared::Tighter
        })
    }

    fn number(&self, value: &Value) -> Result<Decimal, String> {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if !number.is_f64() => number.to_string(),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => {
                return Err(format!("{} is no number", shown(value)));
            }
        };
        let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let number: Decimal = Some(&text)
            .filter(|_| plain)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| format!("{} is no number", shown(value)))?;
        if number.is_zero() && self.zero == Zero::Refused {
            return Err("0 is no limit".to_owned());
        }
        Ok(number)
    }
}

fn items(approved: &Value, declared: &Value) -> Result<Compared, String> {
    let list = |value: &Value| -> Result<Vec<String>, String> {
        let items = value
            .as_array()
            .filter(|items| !items.is_empty())
            .ok_or_else(|| format!("{} is no list of anything", shown(value)))?;
        Ok(items.iter().map(Value::to_string).collect())
    };
    let (approved, declared) = (list(approved)?, list(declared)?);
    let within = |all: &[String], one: &[String]| one.iter().all(|item| all.contains(item));
    Ok(
        match (within(&approved, &declared), within(&declared, &approved)) {
            (true, true) => Compared::Same,
            (true, false) => Compared::Tighter,
            (false, _) => Compared::Looser,
        },
    )
}

fn modes(approved: &Value, declared: &Value) -> Result<Compared, String> {
    let mode = |value: &Value| -> Result<Mode, String> {
        serde_json::from_value(value.clone()).map_err(|_| format!("{} is no mode", shown(value)))
    };
    let (approved, declared) = (mode(approved)?, mode(declared)?);
    Ok(match declared.cmp(&approved) {
        std::cmp::Ordering::Equal => Compared::Same,
        std::cmp::Ordering::Less => Compared::Tighter,
        std::cmp::Ordering::Greater => Compared::Looser,
    })
}

/// Most characters of a value that are repeated.
const SHOWN_MAX_CHARS: usize = 60;

/// A value for people: as JSON, cut.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN_MAX_CHARS {
        return text;
    }
    let mut cut: String = text.chars().take(SHOWN_MAX_CHARS).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use serde_json::json;

    fn compare(key: &str, approved: &Value, declared: &Value) -> Compared {
        row_of(key).unwrap().compare(Some(approved), Some(declared))
    }

    #[test]
    fn every_key_of_the_manifest_has_one_row_and_every_row_a_key() {
        let keys: Vec<String> = fixtures::manifest().flattened().into_keys().collect();
        let mut rows: Vec<&str> = TABLE.iter().map(|row| row.key).collect();
        rows.sort_unstable();
        assert_eq!(rows, keys);
    }

    #[test]
    fn every_limit_of_a_valid_manifest_compares_with_itself() {
        let limits = limits_of(&fixtures::manifest());
        assert_eq!(limits.len(), super::limits().count());
        for (key, value) in limits {
            assert_eq!(
                row_of(&key).unwrap().compare(Some(&value), Some(&value)),
                Compared::Same,
                "{key}"
            );
        }
    }

    #[test]
    fn each_direction_is_told_apart() {
        use Compared::{Looser, Same, Tighter};
        for (key, approved, declared, wanted) in [
            ("max_exposure_usd", json!("20"), json!("20.01"), Looser),
            ("max_exposure_usd", json!("20"), json!("20.00"), Same),
            ("max_exposure_usd", json!("20"), json!("9"), Tighter),
            (
                "safeguards.min_entry_interval_ms",
                json!(30_000),
                json!(29_999),
                Looser,
            ),
            (
                "safeguards.min_entry_interval_ms",
                json!(30_000),
                json!(30_001),
                Tighter,
            ),
            ("edge.min", json!("0.03"), json!("0"), Looser),
            ("window.min_elapsed_secs", json!(15), json!(0), Looser),
            ("assets", json!(["btc"]), json!(["btc", "eth"]), Looser),
            ("assets", json!(["btc", "eth"]), json!(["eth", "btc"]), Same),
            ("assets", json!(["btc", "eth"]), json!(["eth"]), Tighter),
            ("assets", json!(["btc", "eth"]), json!(["sol"]), Looser),
            ("mode", json!("paper"), json!("live"), Looser),
            ("mode", json!("paper"), json!("dry-run"), Tighter),
        ] {
            assert_eq!(compare(key, &approved, &declared), wanted, "{key}");
        }
    }

    #[test]
    fn null_zero_and_nothing_never_compare() {
        let row = row_of("safeguards.min_entry_interval_ms").unwrap();
        let one = json!(1);
        for none in [None, Some(&Value::Null)] {
            assert!(matches!(
                row.compare(none, Some(&one)),
                Compared::Refused(_)
            ));
            assert!(matches!(
                row.compare(Some(&one), none),
                Compared::Refused(_)
            ));
        }
        for odd in [
            json!(0),
            json!("0.00"),
            json!("-1"),
            json!("+1"),
            json!("1e9"),
            json!("inf"),
            json!(1.5),
            json!([1]),
            json!(true),
            json!(""),
            json!("."),
        ] {
            assert!(
                matches!(row.compare(Some(&odd), Some(&one)), Compared::Refused(_)),
                "{odd}"
            );
        }
        assert!(matches!(
            compare("assets", &json!([]), &json!([])),
            Compared::Refused(_)
        ));
        assert!(matches!(
            compare("mode", &json!("LIVE"), &json!("live")),
            Compared::Refused(_)
        ));
    }
}
