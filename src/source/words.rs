//! Names and noun phrases for messages: what a key is called, what a schema node takes.
//!
//! Pure text; which words are used where is [`super::judge`]'s.

use super::shown::one_line;
use jsonschema::error::TypeKind;
use serde_json::Value;

/// `/safeguards/max_open_positions` → `safeguards.max_open_positions`, `/strategies/0` → `strategies[0]`.
pub(super) fn dotted(pointer: &str) -> String {
    if pointer.is_empty() {
        return "the document".to_owned();
    }
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push('[');
            out.push_str(&part);
            out.push(']');
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part);
        }
    }
    one_line(&out)
}

pub(super) fn tick(name: &str) -> String {
    format!("`{}`", one_line(name))
}

/// Most names in one list of a message.
const LISTED_MAX: usize = 16;

pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let mut words = names
        .iter()
        .take(LISTED_MAX)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > LISTED_MAX {
        words.push_str(", …");
    }
    words
}

pub(super) fn first_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    paragraph
        .lines()
        .collect::<Vec<_>>()
        .join(" ")
        .trim_end_matches('.')
        .to_owned()
}

/// What a schema node means, as a noun phrase: its own words for messages, else its description.
pub(super) fn meaning_of(node: &Value) -> Option<String> {
    ["x-wanted", "description"]
        .into_iter()
        .find_map(|key| node.get(key).and_then(Value::as_str))
        .map(first_line)
}

/// What a schema node takes, as a noun phrase.
pub(super) fn shape_words(node: &Value) -> String {
    if let Some(wanted) = node.get("x-wanted").and_then(Value::as_str) {
        return wanted.to_owned();
    }
    if let Some(choices) = node.get("enum").and_then(Value::as_array) {
        let words: Vec<String> = choices.iter().map(Value::to_string).collect();
        return format!("one of {}", listed(words.iter().map(String::as_str)));
    }
    match node.get("type") {
        Some(Value::String(one)) if one == "integer" || one == "number" => range_words(node),
        Some(Value::String(one)) => type_word(one).to_owned(),
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .filter(|one| *one != "null")
            .map(type_word)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "a value".to_owned(),
    }
}

pub(super) fn type_words(kind: &TypeKind, node: &Value) -> String {
    match kind {
        TypeKind::Single(one) => {
            let name = one.to_string();
            match (
                name.as_str(),
                node.pointer("/items/type").and_then(Value::as_str),
            ) {
                ("integer" | "number", _) => range_words(node),
                ("array", Some("string")) => "a list of texts in quotes".to_owned(),
                (name, _) => type_word(name).to_owned(),
            }
        }
        TypeKind::Multiple(_) => shape_words(node),
    }
}

pub(super) fn type_word(name: &str) -> &str {
    match name {
        "string" => "a text in quotes",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        "null" => "null",
        other => other,
    }
}

/// Any `u32` count ends here; naming that bound in passing would only puzzle.
const UNTOLD_MAXIMUM: u64 = 4_294_967_295;

/// "a whole number, 1 or more and 60 or less", without a bound that only the machine has.
pub(super) fn range_words(node: &Value) -> String {
    let untold = |high: &Value| high.as_u64().is_some_and(|high| high >= UNTOLD_MAXIMUM);
    if node.get("maximum").is_some_and(untold) {
        let mut told = node.clone();
        if let Some(map) = told.as_object_mut() {
            map.remove("maximum");
        }
        return full_range_words(&told);
    }
    full_range_words(node)
}

pub(super) fn full_range_words(node: &Value) -> String {
    let noun = match node.get("type").and_then(Value::as_str) {
        Some("integer") => "a whole number",
        _ => "a number",
    };
    let bound = |key: &str| node.get(key).filter(|bound| bound.is_number());
    if let (Some(low), Some(high)) = (bound("minimum"), bound("maximum"))
        && low == high
    {
        return low.to_string();
    }
    let low = bound("minimum")
        .map(|low| format!("{low} or more"))
        .or_else(|| bound("exclusiveMinimum").map(|low| format!("above {low}")));
    let high = bound("maximum")
        .map(|high| format!("{high} or less"))
        .or_else(|| bound("exclusiveMaximum").map(|high| format!("below {high}")));
    match (low, high) {
        (Some(low), Some(high)) => format!("{noun}, {low} and {high}"),
        (Some(one), None) | (None, Some(one)) => format!("{noun}, {one}"),
        (None, None) => noun.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_read_like_keys() {
        assert_eq!(dotted("/safeguards/max_open"), "safeguards.max_open");
        assert_eq!(dotted("/strategies/0"), "strategies[0]");
        assert_eq!(dotted("/a~1b/c~0d"), "a/b.c~d");
        assert_eq!(dotted(""), "the document");
    }
}
