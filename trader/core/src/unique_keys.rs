//! JSON in which no object has a key twice.
//!
//! A map keeps the last of two equal keys without a word, so that a person who reads the first one and
//! a program that takes the last one disagree about a limit. Checks text; holds and changes nothing.

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// Checks a whole JSON text.
///
/// # Errors
/// Not JSON, or a key stands twice in one object; with line and column.
pub fn check(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<Checked>(text).map(|Checked| ())
}

struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = Checked;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Checked, A::Error> {
                let mut seen = BTreeSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    if seen.contains(&key) {
                        return Err(A::Error::custom(format_args!("key {key:?} stands twice")));
                    }
                    seen.insert(key);
                    map.next_value::<Checked>()?;
                }
                Ok(Checked)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Checked, A::Error> {
                while items.next_element::<Checked>()?.is_some() {}
                Ok(Checked)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_str<E>(self, _: &str) -> Result<Checked, E> {
                Ok(Checked)
            }
            fn visit_unit<E>(self) -> Result<Checked, E> {
                Ok(Checked)
            }
        }
        deserializer.deserialize_any(Walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_found_at_any_depth() {
        for good in [
            r#"{"a":1,"b":[{"a":2},{"a":null}]}"#,
            "[1,-2,0.5,true,\"x\"]",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        for (bad, place) in [
            (r#"{"a":1,"a":1}"#, "column 10"),
            ("{\"b\":[{\"a\":1,\n\"\\u0061\":2}]}", "line 2"),
        ] {
            let error = check(bad).unwrap_err().to_string();
            assert!(error.contains("\"a\" stands twice"), "{error}");
            assert!(error.contains(place), "{error}");
        }
        assert!(check(&"[".repeat(100_000)).is_err(), "and no overflow");
    }
}
