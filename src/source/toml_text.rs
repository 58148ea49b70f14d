//! TOML text → value tree and places.

use super::diagnostic::{Code, Diagnostic};
use super::document::{Tree, child};
use serde_json::{Map, Value};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Deepest nesting of tables and lists; ours need 3. The parser bounds brackets, not dotted keys.
const NESTING_MAX: usize = 64;

/// Parses a whole TOML file.
pub(super) fn parse(file: &str, text: &str, tree: &mut Tree) -> Result<Value, Diagnostic> {
    let (table, errors) = DeTable::parse_recoverable(text);
    tree.place("", None, 0..text.len());
    let parsed = match errors.first() {
        Some(error) => Err(problem(file, text, error)),
        None => table_value(table.get_ref(), "", 0, tree).map_err(|TooDeep(span)| {
            Diagnostic::error(Code::TooLarge, file, "is nested too deeply")
                .at(text, visible(text, span))
                .wanted(format!("at most {NESTING_MAX} levels"))
        }),
    };
    dismantle(table.into_inner());
    parsed
}

/// Where nesting passes [`NESTING_MAX`].
struct TooDeep(Range<usize>);

/// Drops a tree level by level: a key of a hundred thousand dots is a tree that deep, and dropping
/// it by recursion would overflow the stack.
fn dismantle(table: DeTable<'_>) {
    let mut left = vec![DeValue::Table(table)];
    while let Some(value) = left.pop() {
        match value {
            DeValue::Table(table) => {
                left.extend(table.into_iter().map(|(_, inner)| inner.into_inner()));
            }
            DeValue::Array(items) => {
                left.extend(items.into_iter().map(Spanned::into_inner));
            }
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
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
    .at(text, visible(text, span.clone()))
    .help(super::text::syntax_help(
        text,
        span.end,
        "the file stops being TOML at the mark; texts need quotes, lists need brackets",
    ))
}

/// A span that ends on its first line: the parser sometimes marks everything to the end.
fn visible(text: &str, span: Range<usize>) -> Range<usize> {
    let marked = text.get(span.clone()).unwrap_or_default();
    let length = marked.find('\n').unwrap_or(marked.len());
    span.start..span.start + length
}

fn table_value(
    table: &DeTable<'_>,
    pointer: &str,
    depth: usize,
    tree: &mut Tree,
) -> Result<Value, TooDeep> {
    let mut map = Map::new();
    for (key, inner) in table {
        let at = child(pointer, key.get_ref());
        tree.place(&at, Some(key.span()), inner.span());
        map.insert(
            key.get_ref().to_string(),
            value(inner, &at, depth + 1, tree)?,
        );
    }
    Ok(Value::Object(map))
}

fn value(
    spanned: &Spanned<DeValue<'_>>,
    pointer: &str,
    depth: usize,
    tree: &mut Tree,
) -> Result<Value, TooDeep> {
    if depth > NESTING_MAX {
        return Err(TooDeep(spanned.span()));
    }
    Ok(match spanned.get_ref() {
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
        DeValue::Array(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let at = child(pointer, &index.to_string());
                tree.place(&at, None, item.span());
                list.push(value(item, &at, depth + 1, tree)?);
            }
            Value::Array(list)
        }
        DeValue::Table(table) => table_value(table, pointer, depth, tree)?,
    })
}
