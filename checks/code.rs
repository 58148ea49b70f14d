//! A check's code: stable, never reused, the name that people and scripts type.
//!
//! Pure. Which codes exist is the catalogue's word (`table.rs`); this file only reads and prints them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `LC-101`. The first digit is the chapter: 1 source, 2 manifest, 3 components, 4 safeguards,
/// 5 staging, 6 target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(u16);

/// A text that is not a check code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a check code (wanted LC- and three digits, like LC-101)")]
pub struct CodeError(pub String);

impl Code {
    /// The code with this number; the table's test refuses numbers outside the catalogue.
    pub(crate) const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The three digits.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The anchor in the check pages: `lc-101`.
    pub fn anchor(self) -> String {
        format!("lc-{:03}", self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("LC-{:03}", self.0))
    }
}

/// Most characters of a wrong text that are repeated.
const SEEN_MAX_CHARS: usize = 40;

impl FromStr for Code {
    type Err = CodeError;

    /// Accepts any case: `lc-101` is typed more often than `LC-101`.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let digits = text
            .get(..3)
            .filter(|prefix| prefix.eq_ignore_ascii_case("LC-"))
            .and_then(|_| text.get(3..))
            .filter(|rest| rest.len() == 3 && rest.bytes().all(|b| b.is_ascii_digit()));
        digits
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| CodeError(text.chars().take(SEEN_MAX_CHARS).collect()))
    }
}

impl TryFrom<String> for Code {
    type Error = CodeError;
    fn try_from(text: String) -> Result<Self, CodeError> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_print_as_they_are_read() {
        assert_eq!("LC-101".parse::<Code>().unwrap(), Code::new(101));
        assert_eq!("lc-305".parse::<Code>().unwrap().to_string(), "LC-305");
        for bad in [
            "", "LC", "LC-", "LC-1", "LC-1011", "LD-101", "LC-10a", "101", "LC-+01", "LÇ-101",
        ] {
            assert!(bad.parse::<Code>().is_err(), "{bad:?}");
        }
    }
}
