//! Looking into the JSON documents of rehearsed commands without trusting their shape.

use serde_json::Value;

/// What stands at `pointer`; null where nothing does.
pub(super) fn at<'a>(document: &'a Value, pointer: &str) -> &'a Value {
    document.pointer(pointer).unwrap_or(&Value::Null)
}

/// The text at `pointer`, or `?` where there is none.
pub(super) fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    at(document, pointer).as_str().unwrap_or("?")
}

/// The list at `pointer`; empty where there is none.
pub(super) fn list<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    at(document, pointer).as_array().map_or(&[], Vec::as_slice)
}

/// `12 ms`, or `?` where there is no number.
pub(super) fn millis_text(document: &Value, pointer: &str) -> String {
    at(document, pointer)
        .as_u64()
        .map_or_else(|| "?".to_owned(), |ms| format!("{ms} ms"))
}
