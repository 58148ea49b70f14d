//! Where events come from.
//!
//! Must not invent anything that the generator or the tape did not say, except time: sources are moved
//! to the wall clock so that windows open when real windows open.

mod pace;
mod synthetic;
mod tape;

pub use pace::{FEED_QUEUE_MAX, pace};

use std::path::{Path, PathBuf};
use trader_core::event::Event;
use trader_core::feed::{Feed, GeneratedMarket, Troubles};
use trader_core::manifest::Manifest;
use trader_core::tape::TapeError;
use trader_core::units::{Asset, EpochMs, UnitError};
use trader_core::window::WindowLength;

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
        market: GeneratedMarket,
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
    pub fn check(spec: &Feed, manifest: &Manifest) -> Result<Self, FeedError> {
        let kind = match spec {
            Feed::Generator(seed) => Kind::Generator {
                market: GeneratedMarket {
                    seed: *seed,
                    troubles: Troubles::default(),
                },
                assets: manifest.assets.clone(),
                lengths: lengths(manifest)?,
            },
            Feed::Troubled(market) => Kind::Generator {
                market: *market,
                assets: manifest.assets.clone(),
                lengths: lengths(manifest)?,
            },
            Feed::Tape(path) => Kind::Tape {
                path: PathBuf::from(path),
                span: tape::measure(Path::new(path))?,
            },
            Feed::Venue => return Err(FeedError::Venue),
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
                market,
                assets,
                lengths,
            } => {
                let events = synthetic::events(*market, now, warm_up_secs, assets, lengths);
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
