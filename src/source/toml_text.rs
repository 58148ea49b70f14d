//! TOML text → value tree and places.

use super::diagnostic::{Code, Diagnostic};
use super::document::{Tree, child};
use serde_json::{Map, Value};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Parses a whole TOML file. The parser bounds nesting at 80.
pub(super) fn parse(file: &str, text: &str, tree: &mut Tree) -> Result<Value, Diagnostic> {
    let table = DeTable::parse(text).map_err(|error| problem(file, text, &error))?;
    tree.place("", None, 0..text.len());
    Ok(table_value(table.get_ref(), "", tree))
}

fn problem(file: &str, text: &str, error: &toml::de::Error) -> Diagnostic {
    let span = error.span().unwrap_or(text.len()..text.len());
    if error.message().starts_with("duplicate key") {
        let key = text.get(span.clone()).unwrap_or_default();
        return Diagnostic::error(Code::DuplicateKey, file, "a key stands twice")
            .at(text, span.clone())
            .seen(format!("`{key}` a second time"))
            .wanted("each key once")
            .help("remove one of the two");
    }
    Diagnostic::error(
        Code::Syntax,
        file,
        format!("not valid TOML: {}", error.message()),
    )
    .at(text, visible(text, span))
    .help("the file stops being TOML at the mark; texts need quotes, lists need brackets")
}

/// A span that ends on its first line: the parser sometimes marks everything to the end.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let marked = text.get(span.clone()).unwrap_or_default();
    let length = marked.find('\n').unwrap_or(marked.len());
    span.start..span.start + length
}

fn table_value(table: &DeTable<'_>, pointer: &str, tree: &mut Tree) -> Value {
    let mut map = Map::new();
    for (key, inner) in table {
        let at = child(pointer, key.get_ref());
        tree.place(&at, Some(key.span()), inner.span());
        map.insert(key.get_ref().to_string(), value(inner, &at, tree));
    }
    Value::Object(map)
}

fn value(spanned: &Spanned<DeValue<'_>>, pointer: &str, tree: &mut Tree) -> Value {
    match spanned.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(integer) if integer.radix() == 10 => {
            tree.number(pointer, integer.as_str())
        }
        DeValue::Integer(integer) => {
            // Hexadecimal, octal, binary: the value counts, not its spelling.
            match u64::from_str_radix(integer.as_str(), integer.radix()) {
                Ok(number) => tree.number(pointer, &number.to_string()),
                Err(_) => Value::from(integer.to_string()),
            }
        }
        DeValue::Float(float) => tree.number(pointer, float.as_str()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(datetime) => Value::from(datetime.to_string()),
        DeValue::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    let at = child(pointer, &index.to_string());
                    tree.place(&at, None, item.span());
                    value(item, &at, tree)
                })
                .collect(),
        ),
        DeValue::Table(table) => table_value(table, pointer, tree),
    }
}
