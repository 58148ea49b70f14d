//! Where events come from.
//!
//! Must not invent anything that the generator or the tape did not say, except time: sources are moved
//! to the wall clock so that windows open when real windows open.

mod pace;
mod synthetic;
mod tape;

pub use pace::{FEED_QUEUE_MAX, pace};
pub use tape::TAPE_MAX_BYTES;

use std::path::PathBuf;
use std::str::FromStr;
use trader_core::event::Event;
use trader_core::manifest::Manifest;
use trader_core::tape::TapeError;
use trader_core::units::{Asset, EpochMs, UnitError};
use trader_core::window::WindowLength;

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

/// A feed that cannot be opened or read on.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The venue's feed was asked of a program that has none.
    #[error(
        "the feed is venue, which only the live program `trader` has; this one plays generator:SEED or tape:PATH"
    )]
    Venue,
    /// The manifest names a window length that does not exist.
    #[error("window.durations_mins: {0}")]
    Length(#[from] UnitError),
    /// The tape cannot be read.
    #[error("cannot read the tape {path}: {source}")]
    Read {
        /// The tape.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The tape is larger than [`TAPE_MAX_BYTES`].
    #[error("the tape {path} is larger than {TAPE_MAX_BYTES} bytes; cut it")]
    TooLarge {
        /// The tape.
        path: PathBuf,
    },
    /// The tape is compressed.
    #[error("the tape {path} is compressed with zstd; unpack it first (zstd -d)")]
    Compressed {
        /// The tape.
        path: PathBuf,
    },
    /// A line of the tape is wrong.
    #[error("{path}: {source}")]
    Tape {
        /// The tape.
        path: PathBuf,
        /// Line and problem.
        source: TapeError,
    },
    /// Nothing on the tape lies within its whole windows.
    #[error("the tape {path} has no whole window with events in it: nothing of it could be played")]
    NothingPlays {
        /// The tape.
        path: PathBuf,
    },
    /// There is nothing to trade on the tape.
    #[error("the tape {path} has no window: nothing could be traded on it")]
    NoWindows {
        /// The tape.
        path: PathBuf,
    },
}

/// Events of a feed, on the wall clock; those before the opening instant are history.
pub type Events = Box<dyn Iterator<Item = Result<Event, FeedError>> + Send>;

/// A feed that was checked and can be started, more than once.
#[derive(Debug, Clone)]
pub struct Source {
    warm_up_secs: u32,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Generator {
        seed: u64,
        assets: Vec<Asset>,
        lengths: Vec<WindowLength>,
    },
    Tape {
        path: PathBuf,
        span: tape::Span,
    },
}

impl Source {
    /// Checks a feed; a tape is read to its end.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub fn check(spec: &FeedSpec, manifest: &Manifest) -> Result<Self, FeedError> {
        let kind = match spec {
            FeedSpec::Generator { seed } => Kind::Generator {
                seed: *seed,
                assets: manifest.assets.clone(),
                lengths: lengths(manifest)?,
            },
            FeedSpec::Tape { path } => Kind::Tape {
                path: path.clone(),
                span: tape::measure(path)?,
            },
            FeedSpec::Venue => return Err(FeedError::Venue),
        };
        let warm_up_secs = manifest.window.warm_up_secs.get();
        Ok(Self { warm_up_secs, kind })
    }

    /// Starts it so that `now` lies within it.
    ///
    /// # Errors
    /// When a tape cannot be opened any more.
    pub fn start(&self, now: EpochMs) -> Result<Events, FeedError> {
        let warm_up_secs = self.warm_up_secs;
        match &self.kind {
            Kind::Generator {
                seed,
                assets,
                lengths,
            } => {
                let events = synthetic::events(*seed, now, warm_up_secs, assets, lengths);
                Ok(Box::new(events.map(Ok)))
            }
            Kind::Tape { path, span } => Ok(Box::new(tape::TapeLoop::start(
                path,
                *span,
                now,
                warm_up_secs,
            )?)),
        }
    }
}

/// The window lengths that a manifest trades.
fn lengths(manifest: &Manifest) -> Result<Vec<WindowLength>, UnitError> {
    manifest
        .window
        .durations_mins
        .iter()
        .map(|mins| WindowLength::from_mins(*mins))
        .collect()
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
