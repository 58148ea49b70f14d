//! JSON text → value tree and places. Strict RFC 8259: comments, trailing commas and bare words are
//! refused, and a key that stands twice too.

use super::diagnostic::{Code, Diagnostic, Place};
use super::document::{Tree, child};
use jsonc_parser::ast::{Object, Value as Node};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions};
use serde_json::{Map, Value};
use std::ops::Range;

/// RFC 8259 and nothing more.
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Parses a whole JSON file. The parser bounds nesting at 512.
pub(super) fn parse(file: &str, text: &str, tree: &mut Tree) -> Result<Value, Diagnostic> {
    let parsed = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &STRICT)
        .map_err(|error| problem(file, text, &error))?;
    let Some(node) = parsed.value else {
        return Err(super::text::empty(file));
    };
    tree.place("", None, span_of(&node));
    value(file, text, &node, "", tree)
}

fn problem(file: &str, text: &str, error: &ParseError) -> Diagnostic {
    let kind = error.kind();
    let range = error.range();
    let unfinished = matches!(
        kind,
        ParseErrorKind::UnterminatedObject
            | ParseErrorKind::UnterminatedArray
            | ParseErrorKind::UnterminatedCommentBlock
            | ParseErrorKind::ExpectedObjectValue
    );
    let end = text.trim_end().len();
    if unfinished && text.get(range.start..).is_some() {
        let line = Place::of(text, range.start..range.start).line;
        return Diagnostic::error(
            Code::Syntax,
            file,
            "not valid JSON: the file ends too early",
        )
        .at(text, end..end)
        .seen(format!(
            "the end of the file; what opened on line {line} is not closed"
        ))
        .wanted("a closing bracket, or the rest of the file")
        .help("was it written to the end?");
    }
    let mut words = kind.to_string();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let length = text
        .get(range.start..range.end)
        .map_or(0, |marked| marked.find('\n').unwrap_or(marked.len()));
    Diagnostic::error(Code::Syntax, file, format!("not valid JSON: {words}"))
        .at(text, range.start..range.start + length)
        .help(super::text::syntax_help(
            text,
            range.end,
            "the file stops being JSON at the mark; JSON has no comments and no trailing commas",
        ))
}

fn span_of(node: &Node<'_>) -> Range<usize> {
    let range = node.range();
    range.start..range.end
}

fn value(
    file: &str,
    text: &str,
    node: &Node<'_>,
    pointer: &str,
    tree: &mut Tree,
) -> Result<Value, Diagnostic> {
    Ok(match node {
        Node::StringLit(string) => {
            no_control_character(file, text, &span_of(node))?;
            Value::from(string.value.as_ref())
        }
        Node::NumberLit(number) => tree.number(pointer, number.value),
        Node::BooleanLit(boolean) => Value::Bool(boolean.value),
        Node::NullKeyword(_) => Value::Null,
        Node::Object(object) => object_value(file, text, object, pointer, tree)?,
        Node::Array(array) => {
            let mut items = Vec::with_capacity(array.elements.len());
            for (index, item) in array.elements.iter().enumerate() {
                let at = child(pointer, &index.to_string());
                tree.place(&at, None, span_of(item));
                items.push(value(file, text, item, &at, tree)?);
            }
            Value::Array(items)
        }
    })
}

/// RFC 8259, 7: control characters in a text are escaped. The parser takes some, the trader's does not.
fn no_control_character(file: &str, text: &str, span: &Range<usize>) -> Result<(), Diagnostic> {
    let written = text.get(span.clone()).unwrap_or_default();
    let Some((offset, c)) = written.char_indices().find(|(_, c)| *c < ' ') else {
        return Ok(());
    };
    let at = span.start + offset;
    let escaped = format!("\\u{:04x}", u32::from(c));
    Err(Diagnostic::error(
        Code::Syntax,
        file,
        "not valid JSON: a control character stands in a text",
    )
    .at(text, at..at + c.len_utf8())
    .seen(format!("U+{:04X}", u32::from(c)))
    .wanted(format!("it escaped, as {escaped}"))
    .help("remove it, or write its escape"))
}

fn object_value(
    file: &str,
    text: &str,
    object: &Object<'_>,
    pointer: &str,
    tree: &mut Tree,
) -> Result<Value, Diagnostic> {
    let mut map = Map::new();
    for property in &object.properties {
        let name = property.name.as_str();
        let range = property.name.range();
        let key = range.start..range.end;
        no_control_character(file, text, &key)?;
        let at = child(pointer, name);
        if tree.key_of(&at).is_some() {
            return Err(
                Diagnostic::error(Code::DuplicateKey, file, "a key stands twice")
                    .pointer(&at)
                    .at(text, key)
                    .seen(format!("`{name}` a second time"))
                    .wanted("each key once")
                    .help("remove one of the two"),
            );
        }
        tree.place(&at, Some(key), span_of(&property.value));
        let inner = value(file, text, &property.value, &at, tree)?;
        map.insert(name.to_owned(), inner);
    }
    Ok(Value::Object(map))
}
