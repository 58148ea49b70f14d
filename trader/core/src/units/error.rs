//! The one error of every unit: what was written, and what it should have been.
//!
//! Knows no unit. The caller adds the place; nothing here reads or prints.

use std::fmt;

/// Most characters of a wrong text that are repeated: a pasted file is no message.
const SEEN_MAX_CHARS: usize = 100;

/// A text or number that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{seen:?} is not {wanted}")]
pub struct UnitError {
    /// What was seen, as it was written; a long text is cut, with `…` at its end.
    pub seen: String,
    /// What was wanted, as a noun phrase.
    pub wanted: &'static str,
}

impl UnitError {
    pub(crate) fn new(seen: impl fmt::Display, wanted: &'static str) -> Self {
        Self {
            seen: cut(seen.to_string()),
            wanted,
        }
    }
}

/// The beginning of a text that is too long to repeat.
pub(crate) fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(SEEN_MAX_CHARS) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_file_is_no_message() {
        let error = UnitError::new("é".repeat(100_000), "a price");
        assert!(error.to_string().chars().count() < 200, "{error}");
        assert_eq!(cut("é".repeat(SEEN_MAX_CHARS)), "é".repeat(SEEN_MAX_CHARS));
    }
}
