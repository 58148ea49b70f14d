//! A text that must reach no output: tokens.
//!
//! Prints `[redacted]` in every format; compares in constant time per byte; [`Secret::scrub`]
//! takes it out of texts that others wrote (a server may echo what it was sent).

use std::fmt;

/// Texts shorter than this are never scrubbed from messages: they would match by accident.
const SCRUB_MIN_LEN: usize = 6;

/// A secret text. `Debug` and `Display` print `[redacted]`; there is no `Serialize`.
#[derive(Clone, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text, without the whitespace around it (files end with a newline) and without the byte
    /// order mark that some editors put before it. Empty is `None`.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\u{feff}').trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The text itself, for the one place that sends it. Never pass it to a formatter.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it can be sent at all: one that no header may carry is a mangled copy.
    pub fn fits_header(&self) -> bool {
        self.0.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
    }

    /// `text` with every occurrence of this secret replaced by `[redacted]`.
    pub fn scrub(&self, text: &str) -> String {
        if self.0.len() < SCRUB_MIN_LEN {
            return text.to_owned();
        }
        text.replace(&self.0, "[redacted]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_format_shows_it() {
        let secret = Secret::new(" hunter2-token\n").unwrap();
        assert_eq!(secret.expose(), "hunter2-token");
        assert_eq!(format!("{secret} {secret:?}"), "[redacted] [redacted]");
        assert_eq!(
            secret.scrub("bad token hunter2-token!"),
            "bad token [redacted]!"
        );
    }

    #[test]
    fn blank_is_no_secret() {
        assert_eq!(Secret::new("  \n"), None);
        assert_eq!(Secret::new("\u{feff}\r\n"), None);
    }

    #[test]
    fn an_editors_marks_are_not_part_of_it() {
        let secret = Secret::new("\u{feff}tok-1\r\n").unwrap();
        assert_eq!(secret.expose(), "tok-1");
    }
}
