//! The one error of every unit: what was written, and what it should have been.
//!
//! Knows no unit. The caller adds the place; nothing here reads or prints.

use std::fmt;

/// A text or number that is not the quantity it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{seen:?} is not {wanted}")]
pub struct UnitError {
    /// What was seen, as it was written.
    pub seen: String,
    /// What was wanted, as a noun phrase.
    pub wanted: &'static str,
}

impl UnitError {
    pub(super) fn new(seen: impl fmt::Display, wanted: &'static str) -> Self {
        Self {
            seen: seen.to_string(),
            wanted,
        }
    }
}
