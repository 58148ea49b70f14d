//! Digests: `sha256:` + hex over RFC 8785 canonical JSON (keys sorted by UTF-16 code units, no
//! blanks, shortest numbers), so that two programs that mean the same document agree on one line.
//!
//! Money never appears as a JSON number in our documents, so number formatting is only integers
//! and finite floats of statistics.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// `sha256:` + 64 hex digits of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A finished sha256 as text.
pub(crate) fn hex(digest: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in digest {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// The digest of a document's canonical form.
///
/// # Errors
/// When the value does not serialise to JSON (a map with non-string keys).
pub fn of_document<T: Serialize>(document: &T) -> Result<String, serde_json::Error> {
    Ok(sha256(
        canonical_json(&serde_json::to_value(document)?).as_bytes(),
    ))
}

/// RFC 8785 text of a JSON value.
pub fn canonical_json(value: &serde_json::Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &serde_json::Value, out: &mut String) {
    match value {
        serde_json::Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                out.push(':');
                if let Some(inner) = map.get(key) {
                    write_canonical(inner, out);
                }
            }
            out.push('}');
        }
        serde_json::Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        serde_json::Value::Number(number) => out.push_str(&canonical_number(number)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

/// ECMAScript prints a whole float without its `.0`; everything else prints alike.
fn canonical_number(number: &serde_json::Number) -> String {
    let text = number.to_string();
    match text.strip_suffix(".0") {
        Some("-0") => "0".to_owned(),
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn order_of_keys_does_not_matter() {
        let a = json!({"b": [1, "x"], "a": {"d": null, "c": 2.0}});
        assert_eq!(canonical_json(&a), r#"{"a":{"c":2,"d":null},"b":[1,"x"]}"#);
        assert_eq!(
            of_document(&a).unwrap(),
            of_document(&json!({"a": {"c": 2, "d": null}, "b": [1, "x"]})).unwrap()
        );
        assert_ne!(
            of_document(&a).unwrap(),
            of_document(&json!({"a": {}})).unwrap()
        );
    }

    #[test]
    fn the_empty_string_has_the_known_digest() {
        assert_eq!(
            sha256(b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
