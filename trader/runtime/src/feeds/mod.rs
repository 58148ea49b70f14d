//! Where events come from.
//!
//! Must not invent anything that the generator or the tape did not say, except time: sources are moved
//! to the wall clock so that windows open when real windows open.

use std::path::PathBuf;
use std::str::FromStr;

/// A feed as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedSpec {
    /// Seeded synthetic markets.
    Generator {
        /// The seed.
        seed: u64,
    },
    /// A recorded tape, played in an endless loop.
    Tape {
        /// The file.
        path: PathBuf,
    },
    /// The venue itself. Only the live trader has it.
    Venue,
}

impl FeedSpec {
    /// What a feed may be.
    pub const WANTED: &'static str = "generator:SEED, tape:PATH or venue";
}

impl std::fmt::Display for FeedSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Generator { seed } => write!(f, "generator:{seed}"),
            Self::Tape { path } => write!(f, "tape:{}", path.display()),
            Self::Venue => f.write_str("venue"),
        }
    }
}

impl FromStr for FeedSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("generator", seed)) => seed
                .parse()
                .map(|seed| Self::Generator { seed })
                .map_err(|_| format!("is {text:?}, whose seed is no whole number from 0")),
            Some(("tape", path)) if !path.is_empty() => Ok(Self::Tape {
                path: PathBuf::from(path),
            }),
            None if text == "venue" => Ok(Self::Venue),
            _ => Err(format!("is {text:?}, which is no feed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feeds_round_trip() {
        for text in ["generator:7", "tape:tapes/a:b.jsonl", "venue"] {
            assert_eq!(text.parse::<FeedSpec>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "generator:",
            "generator:-1",
            "tape:",
            "venue:x",
            "Venue",
        ] {
            assert!(bad.parse::<FeedSpec>().is_err(), "{bad}");
        }
    }
}
