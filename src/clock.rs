//! The wall clock of the commands, and its one spelling in documents. Pure code never calls it.

use jiff::{Timestamp, Unit};

/// Now.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// RFC 3339 UTC with milliseconds.
pub fn text(at: Timestamp) -> String {
    at.round(Unit::Millisecond).unwrap_or(at).to_string()
}

/// [`text`] of now.
pub fn now_text() -> String {
    text(now())
}
