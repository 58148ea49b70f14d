//! Where a trader's events come from, as it is written in targets, environment and flags.
//!
//! Only the word; opening a feed is the runtime's business. `launch` and the trader share this type, so
//! that what one accepts the other can play.

use crate::units::cut;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where the trader's events come from; written `venue`, `generator:SEED` or `tape:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Feed {
    /// The venue's own streams.
    Venue,
    /// The seeded market generator.
    Generator(u64),
    /// A recording; the path is relative to the project.
    Tape(String),
}

/// What a feed looks like. 18 digits are always a `u64`.
const FEED_PATTERN: &str = r"^(venue|generator:(0|[1-9][0-9]{0,17})|tape:.+)$";

/// What a feed may be, for messages.
pub const FEED_WANTED: &str = "venue, generator:SEED with a whole number, or tape:PATH";

/// A text that names no feed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a feed")]
pub struct FeedError(pub String);

impl FromStr for Feed {
    type Err = FeedError;

    fn from_str(text: &str) -> Result<Self, FeedError> {
        if text == "venue" {
            return Ok(Self::Venue);
        }
        match text.split_once(':') {
            // One seed, one spelling: `+7` and `07` are other texts.
            Some(("generator", seed)) => seed
                .parse()
                .ok()
                .filter(|number: &u64| number.to_string() == seed)
                .map(Self::Generator),
            Some(("tape", path)) if !path.is_empty() => Some(Self::Tape(path.to_owned())),
            _ => None,
        }
        .ok_or_else(|| FeedError(cut(text.to_owned())))
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Venue => f.pad("venue"),
            Self::Generator(seed) => write!(f, "generator:{seed}"),
            Self::Tape(path) => write!(f, "tape:{path}"),
        }
    }
}

impl TryFrom<String> for Feed {
    type Error = FeedError;
    fn try_from(text: String) -> Result<Self, FeedError> {
        text.parse()
    }
}

impl From<Feed> for String {
    fn from(feed: Feed) -> Self {
        feed.to_string()
    }
}

impl schemars::JsonSchema for Feed {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Feed".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "\"venue\", \"generator:SEED\" or \"tape:PATH\"",
            "type": "string",
            "pattern": FEED_PATTERN,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_prints_as_it_is_written() {
        for text in ["venue", "generator:7", "tape:tapes/a:b.jsonl"] {
            assert_eq!(text.parse::<Feed>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "Venue",
            "generator",
            "generator:",
            "generator:-1",
            "generator:+1",
            "generator:01",
            "tape:",
            "tape",
        ] {
            assert!(text.parse::<Feed>().is_err(), "{text:?}");
        }
    }
}
