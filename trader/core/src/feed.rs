//! Where a trader's events come from, as it is written in targets, environment and flags.
//!
//! Only the word; opening a feed is the runtime's business. `launch` and the trader share this type, so
//! that what one accepts the other can play.

use crate::units::cut;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What goes wrong in a generated market, by name; nothing by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Troubles {
    /// `gaps`: seconds are missing from the oracle's stream, and it is silent now and then.
    pub gaps: bool,
    /// `outages`: all feeds, the prices or the books are lost for a while.
    pub outages: bool,
    /// `clock-steps`: our own clock is seconds off for some minutes.
    pub clock_steps: bool,
}

/// The names, in the one order in which they are written.
const TROUBLES: [&str; 3] = ["gaps", "outages", "clock-steps"];

impl Troubles {
    const fn flags(self) -> [bool; 3] {
        [self.gaps, self.outages, self.clock_steps]
    }
}

/// A generated market: `SEED` or `SEED+gaps+outages+clock-steps`, any of them, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GeneratedMarket {
    /// The seed.
    pub seed: u64,
    /// What goes wrong in it.
    pub troubles: Troubles,
}

impl FromStr for GeneratedMarket {
    type Err = FeedError;

    fn from_str(text: &str) -> Result<Self, FeedError> {
        let mut parts = text.split('+');
        let seed = parts.next().and_then(|seed| seed.parse().ok());
        let named: Vec<&str> = parts.collect();
        let has = |name: &str| named.contains(&name);
        let troubles = Troubles {
            gaps: has("gaps"),
            outages: has("outages"),
            clock_steps: has("clock-steps"),
        };
        // One market, one spelling: `+7`, `07`, unknown names and another order are other texts.
        seed.map(|seed| Self { seed, troubles })
            .filter(|market| market.to_string() == text)
            .ok_or_else(|| FeedError(cut(text.to_owned())))
    }
}

impl fmt::Display for GeneratedMarket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        for (name, _) in TROUBLES
            .iter()
            .zip(self.troubles.flags())
            .filter(|(_, on)| *on)
        {
            write!(f, "+{name}")?;
        }
        Ok(())
    }
}

/// Where the trader's events come from; written `venue`, `generator:SEED` (with troubles:
/// `generator:SEED+outages`) or `tape:PATH`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Feed {
    /// The venue's own streams.
    Venue,
    /// The seeded market generator.
    Generator(u64),
    /// The same with troubles, of which there is at least one.
    Troubled(GeneratedMarket),
    /// A recording; the path is relative to the project.
    Tape(String),
}

/// What a feed looks like. 18 digits are always a `u64`.
const FEED_PATTERN: &str =
    r"^(venue|generator:(0|[1-9][0-9]{0,17})(\+gaps)?(\+outages)?(\+clock-steps)?|tape:.+)$";

/// What a feed may be, for messages.
pub const FEED_WANTED: &str = "venue, generator:SEED with a whole number (troubles after it: +gaps, +outages, +clock-steps), or tape:PATH";

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
            Some(("generator", market)) => market.parse().ok().map(|market: GeneratedMarket| {
                if market.troubles == Troubles::default() {
                    Self::Generator(market.seed)
                } else {
                    Self::Troubled(market)
                }
            }),
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
            Self::Troubled(market) => write!(f, "generator:{market}"),
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
            "description": "\"venue\", \"generator:SEED\" (with troubles: \"generator:SEED+gaps+outages+clock-steps\", any of them) or \"tape:PATH\"",
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
        for text in [
            "venue",
            "generator:7",
            "generator:7+outages",
            "generator:0+gaps+outages+clock-steps",
            "tape:tapes/a:b.jsonl",
        ] {
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
            "generator:7+",
            "generator:7+outage",
            "generator:7+outages+gaps",
            "generator:7+gaps+gaps",
            "tape:",
            "tape",
        ] {
            assert!(text.parse::<Feed>().is_err(), "{text:?}");
        }
    }
}
