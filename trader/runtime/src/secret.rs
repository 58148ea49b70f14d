//! A secret that prints as `[redacted]`, and its comparison in constant time.
//!
//! Must never offer the text to a formatter, a serialiser or an error. Secrets come from the
//! environment of the process and are compared with what an HTTP caller sends.

use sha2::{Digest as _, Sha256};

/// Shortest token that is accepted: below it, guessing over HTTP becomes thinkable.
pub const TOKEN_MIN_CHARS: usize = 16;

/// Longest token that is accepted; an HTTP header must hold it.
pub const TOKEN_MAX_CHARS: usize = 512;

/// A bearer token.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Checks that the text can stand in an `Authorization` header and is long enough to be a secret.
    ///
    /// # Errors
    /// A sentence about the text's form; never the text.
    pub fn try_new(text: String) -> Result<Self, &'static str> {
        if text.len() < TOKEN_MIN_CHARS {
            Err("is shorter than 16 characters")
        } else if text.len() > TOKEN_MAX_CHARS {
            Err("is longer than 512 characters")
        } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
            Err("has blanks or characters that cannot stand in an HTTP header")
        } else {
            Ok(Self(text))
        }
    }

    /// Whether `offered` is this secret. Both sides are hashed first, so the time taken tells neither
    /// the length nor the first differing character.
    pub fn matches(&self, offered: &str) -> bool {
        let (ours, theirs) = (
            Sha256::digest(self.0.as_bytes()),
            Sha256::digest(offered.as_bytes()),
        );
        ours.iter()
            .zip(theirs.iter())
            .fold(0_u8, |differing, (a, b)| differing | (a ^ b))
            == 0
    }

    /// Whether two secrets are the same one.
    pub fn equals(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_and_compares_whole() {
        let secret = Secret::try_new("0123456789abcdef".to_owned()).unwrap();
        assert_eq!(format!("{secret:?} {secret}"), "[redacted] [redacted]");
        assert!(secret.matches("0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcde",
            "0123456789abcdeF",
            "0123456789abcdef0",
        ] {
            assert!(!secret.matches(wrong), "{wrong}");
        }
    }

    #[test]
    fn short_or_unprintable_tokens_are_refused() {
        assert!(Secret::try_new("short".to_owned()).is_err());
        assert!(Secret::try_new("0123456789 abcdef".to_owned()).is_err());
        assert!(Secret::try_new("0123456789abcdef\n".to_owned()).is_err());
    }
}
