//! A parsed file: the value tree as JSON, and where every key and value stands.
//!
//! Numbers keep the text they were written in ([`Document::number_text`]): the tree holds them as JSON
//! numbers only until the schema says which of them are decimals.

use super::diagnostic::{Code, Diagnostic};
use super::text::Notation;
use super::{json_text, shown, text, toml_text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Where one value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Byte range of its key; `None` for the document and for list items.
    pub key: Option<Range<usize>>,
    /// Byte range of the value.
    pub value: Range<usize>,
}

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    text: String,
    shown: Arc<str>,
    value: Value,
    places: BTreeMap<String, Places>,
    numbers: BTreeMap<String, String>,
}

impl Document {
    /// Parses TOML or JSON; the name's extension says which.
    ///
    /// # Errors
    /// One problem with its place: size, encoding, emptiness, syntax, or a key that stands twice.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Diagnostic> {
        let notation = text::notation_of(file)?;
        let text = text::read(file, bytes)?;
        let mut tree = Tree::default();
        let value = match notation {
            Notation::Toml => toml_text::parse(file, &text, &mut tree)?,
            Notation::Json => json_text::parse(file, &text, &mut tree)?,
        };
        if matches!(&value, Value::Object(map) if map.is_empty()) {
            return Err(text::empty(file));
        }
        Ok(Self {
            file: file.to_owned(),
            shown: Arc::from(shown::masked(&text)),
            text,
            value,
            places: tree.places,
            numbers: tree.numbers,
        })
    }

    /// The file as the caller named it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text; a byte order mark is blanked.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value tree.
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// Where the value at a JSON pointer stands.
    pub fn places(&self, pointer: &str) -> Option<&Places> {
        self.places.get(pointer)
    }

    /// Every value by its pointer, as something that could be said about it.
    pub fn values_with_places(&self) -> impl Iterator<Item = (&str, Diagnostic)> {
        let pointers = self.places.keys().map(String::as_str);
        pointers.map(|pointer| (pointer, self.problem(Code::Rule, pointer, "")))
    }

    /// A stretch of the text with secrets masked, on one line.
    pub(super) fn shown(&self, span: Range<usize>) -> Option<String> {
        self.shown.get(span).map(shown::one_line)
    }

    /// Where a problem at `pointer` starts, to order problems by.
    pub(super) fn start_of(&self, pointer: &str, at_key: bool) -> usize {
        self.span_of(pointer, at_key).start
    }

    /// A number as it was written (without `_` and a leading `+`).
    pub fn number_text(&self, pointer: &str) -> Option<&str> {
        self.numbers.get(pointer).map(String::as_str)
    }

    /// The value tree, to be normalised by the schema.
    pub(super) const fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// All numbers by pointer.
    pub(super) const fn numbers(&self) -> &BTreeMap<String, String> {
        &self.numbers
    }

    /// A problem at the value of `pointer`; where that value has no place, at its nearest parent's key.
    pub fn problem(&self, code: Code, pointer: &str, message: impl Into<String>) -> Diagnostic {
        self.problem_at(code, pointer, false, message.into())
    }

    /// A problem at the key of `pointer`.
    pub fn problem_at_key(
        &self,
        code: Code,
        pointer: &str,
        message: impl Into<String>,
    ) -> Diagnostic {
        self.problem_at(code, pointer, true, message.into())
    }

    fn problem_at(&self, code: Code, pointer: &str, at_key: bool, message: String) -> Diagnostic {
        Diagnostic::error(code, &self.file, message)
            .pointer(pointer)
            .at_shown(
                &self.text,
                self.span_of(pointer, at_key),
                Arc::clone(&self.shown),
            )
    }

    fn span_of(&self, pointer: &str, at_key: bool) -> Range<usize> {
        let mut at = pointer;
        loop {
            if at.is_empty() {
                // The whole file: its first line stands for it.
                return 0..self.text.find(['\r', '\n']).unwrap_or(self.text.len());
            }
            if let Some(places) = self.places.get(at) {
                // A table may be spread over the file; its key is one place.
                let by_key = at_key || at != pointer || self.is_container(at);
                return match &places.key {
                    Some(key) if by_key => key.clone(),
                    _ => places.value.clone(),
                };
            }
            at = at.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    fn is_container(&self, pointer: &str) -> bool {
        matches!(
            self.value.pointer(pointer),
            Some(Value::Object(_) | Value::Array(_))
        )
    }
}

/// What a parser fills beside the value: places and number texts by pointer.
#[derive(Debug, Default)]
pub(super) struct Tree {
    places: BTreeMap<String, Places>,
    numbers: BTreeMap<String, String>,
}

impl Tree {
    /// Notes where the value of `pointer` stands.
    pub(super) fn place(&mut self, pointer: &str, key: Option<Range<usize>>, value: Range<usize>) {
        self.places
            .insert(pointer.to_owned(), Places { key, value });
    }

    /// Where the key of `pointer` stands, if it was seen already.
    pub(super) fn key_of(&self, pointer: &str) -> Option<Range<usize>> {
        self.places
            .get(pointer)
            .and_then(|places| places.key.clone())
    }

    /// A number by its text: a JSON integer where it is one that fits, else a finite float, else the
    /// text itself, which no schema for numbers takes. The text is kept in any case.
    pub(super) fn number(&mut self, pointer: &str, text: &str) -> Value {
        let text = text.strip_prefix('+').unwrap_or(text);
        self.numbers.insert(pointer.to_owned(), text.to_owned());
        if let Ok(integer) = text.parse::<i64>() {
            return integer.into();
        }
        if let Ok(integer) = text.parse::<u64>() {
            return integer.into();
        }
        text.parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map_or_else(|| Value::from(text), Value::Number)
    }
}

/// The pointer of a key or item under `parent` (RFC 6901 escapes).
pub(super) fn child(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}
