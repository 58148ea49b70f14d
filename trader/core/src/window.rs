//! A window: one Up/Down market over a half-open interval `[open, close)`.
//!
//! The venue lists future windows as active long before they open; entering one of them lost most of
//! an account. So whether a window is open is asked of one clock at one place, and the answer is a
//! value of another type: [`OpenWindow`] cannot be made for a window that is not open.

use crate::units::{Asset, EpochMs, Outcome, ReferencePrice, TokenId, UnitError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A window's length. The venue has 5 and 15 minutes for these markets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WindowLength {
    /// Five minutes.
    Min5,
    /// Fifteen minutes.
    Min15,
}

impl WindowLength {
    /// Minutes.
    pub const fn mins(self) -> u32 {
        match self {
            Self::Min5 => 5,
            Self::Min15 => 15,
        }
    }

    /// Milliseconds.
    pub const fn ms(self) -> i64 {
        match self {
            Self::Min5 => 300_000,
            Self::Min15 => 900_000,
        }
    }

    /// The length of so many minutes, if the venue has it.
    pub fn from_mins(mins: u32) -> Result<Self, UnitError> {
        match mins {
            5 => Ok(Self::Min5),
            15 => Ok(Self::Min15),
            other => Err(UnitError::new(other, "a window length (5 or 15 minutes)")),
        }
    }
}

/// `btc-15m-1769949000`: asset, length, open in Unix seconds. One spelling, parsed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct WindowId {
    asset: Asset,
    length: WindowLength,
    open_secs: i64,
}

impl Serialize for WindowId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl WindowId {
    /// Checks that the open is positive and a multiple of the length, as the venue's are.
    pub fn try_new(asset: Asset, length: WindowLength, open_secs: i64) -> Result<Self, UnitError> {
        let period = length.ms() / 1_000;
        // A later open is a typing error.
        let latest = EpochMs::LATEST.0 / 1_000;
        if open_secs > 0 && open_secs < latest && open_secs % period == 0 {
            Ok(Self {
                asset,
                length,
                open_secs,
            })
        } else {
            Err(UnitError::new(
                open_secs,
                "a window open in Unix seconds that is a multiple of its length",
            ))
        }
    }

    /// The asset.
    pub const fn asset(self) -> Asset {
        self.asset
    }

    /// The length.
    pub const fn length(self) -> WindowLength {
        self.length
    }

    /// When the window opens (inclusive).
    pub const fn open(self) -> EpochMs {
        EpochMs(self.open_secs.saturating_mul(1_000))
    }

    /// When the window closes (exclusive).
    pub const fn close(self) -> EpochMs {
        self.open().plus_ms(self.length.ms())
    }

    /// The venue's slug, `btc-updown-15m-1769949000`.
    pub fn slug(self) -> String {
        format!(
            "{}-updown-{}m-{}",
            self.asset,
            self.length.mins(),
            self.open_secs
        )
    }
}

impl fmt::Display for WindowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}-{}m-{}",
            self.asset,
            self.length.mins(),
            self.open_secs
        )
    }
}

impl FromStr for WindowId {
    type Err = UnitError;

    /// Accepts the id and the venue's slug.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::new(text, "a window id like btc-15m-1769949000");
        let mut parts: Vec<&str> = text.split('-').collect();
        if parts.len() == 4 && parts.get(1) == Some(&"updown") {
            parts.remove(1);
        }
        let [asset, mins, open] = parts.as_slice() else {
            return Err(wrong());
        };
        // `Asset` accepts feed spellings too; an id has exactly one.
        let asset: Asset = asset
            .parse()
            .ok()
            .filter(|a: &Asset| a.as_str() == *asset)
            .ok_or_else(wrong)?;
        let mins: u32 = mins
            .strip_suffix('m')
            .and_then(|m| m.parse().ok())
            .ok_or_else(wrong)?;
        let open: i64 = open.parse().map_err(|_| wrong())?;
        let id = Self::try_new(asset, WindowLength::from_mins(mins)?, open)?;
        // One window, one spelling: `+15m`, `015m` and their like are other texts.
        let is_spelled = id.to_string() == text || id.slug() == text;
        is_spelled.then_some(id).ok_or_else(wrong)
    }
}

impl TryFrom<String> for WindowId {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<WindowId> for String {
    fn from(id: WindowId) -> Self {
        id.to_string()
    }
}

/// What the market settles on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SettlementRule {
    /// The instantaneous oracle price (before 2026-08-07).
    Spot,
    /// The oracle's time-weighted average over the market's own look-back.
    Twap,
}

/// One listed window with everything that identifies it at the venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Asset, length and open.
    pub id: WindowId,
    /// Token that pays on [`Outcome::Up`].
    pub up: TokenId,
    /// Token that pays on [`Outcome::Down`].
    pub down: TokenId,
    /// What it settles on.
    pub rule: SettlementRule,
    /// The market's own look-back in seconds; 0 with [`SettlementRule::Spot`].
    pub twap_lookback_secs: u32,
    /// The price to beat, once known. Never known before the open.
    pub reference: Option<ReferencePrice>,
}

impl Window {
    /// The token of an outcome: chosen by label, never by position in a list.
    pub const fn token(&self, outcome: Outcome) -> &TokenId {
        match outcome {
            Outcome::Up => &self.up,
            Outcome::Down => &self.down,
        }
    }

    /// The outcome that a token stands for, or `None` for a foreign token.
    pub fn outcome_of(&self, token: &TokenId) -> Option<Outcome> {
        if *token == self.up {
            Some(Outcome::Up)
        } else if *token == self.down {
            Some(Outcome::Down)
        } else {
            None
        }
    }

    /// Whether the window is open at `now`; only an open one can be entered.
    pub fn at(&self, now: EpochMs) -> WindowPhase<'_> {
        let (open, close) = (self.id.open(), self.id.close());
        if now < open {
            WindowPhase::Future
        } else if now >= close {
            WindowPhase::Closed
        } else {
            WindowPhase::Open(OpenWindow { window: self, now })
        }
    }
}

/// Where a window stands at one instant.
#[derive(Debug, Clone, Copy)]
pub enum WindowPhase<'a> {
    /// Listed, not open yet. Cannot be entered.
    Future,
    /// Open: `open ≤ now < close`.
    Open(OpenWindow<'a>),
    /// Over.
    Closed,
}

/// A window that is open at a given instant. Only [`Window::at`] makes one.
#[derive(Debug, Clone, Copy)]
pub struct OpenWindow<'a> {
    window: &'a Window,
    now: EpochMs,
}

impl<'a> OpenWindow<'a> {
    /// The window.
    pub const fn window(self) -> &'a Window {
        self.window
    }

    /// The instant at which it was found open.
    pub const fn now(self) -> EpochMs {
        self.now
    }

    /// Milliseconds since the open, 0 or more.
    pub fn elapsed_ms(self) -> i64 {
        self.now - self.window.id.open()
    }

    /// Milliseconds until the close, above 0.
    pub fn remaining_ms(self) -> i64 {
        self.window.id.close() - self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window() -> Window {
        Window {
            id: "btc-15m-1769949000".parse().unwrap(),
            up: "11".parse().unwrap(),
            down: "22".parse().unwrap(),
            rule: SettlementRule::Twap,
            twap_lookback_secs: 60,
            reference: None,
        }
    }

    #[test]
    fn a_future_window_is_not_open() {
        let w = window();
        let open = w.id.open();
        assert!(matches!(w.at(open.plus_ms(-1)), WindowPhase::Future));
        assert!(matches!(w.at(open), WindowPhase::Open(_)));
        assert!(matches!(
            w.at(w.id.close().plus_ms(-1)),
            WindowPhase::Open(_)
        ));
        assert!(matches!(w.at(w.id.close()), WindowPhase::Closed));
    }

    #[test]
    fn ids_and_slugs_parse_to_the_same_window() {
        let id = window().id;
        assert_eq!(id.slug().parse::<WindowId>().unwrap(), id);
        assert_eq!(id.to_string().parse::<WindowId>().unwrap(), id);
        for bad in [
            "btc-15m-1769949001",
            "BTC-15m-1769949000",
            "btc-7m-1769949000",
            "btc-15m-2026-01-31-10:00",
            "",
        ] {
            assert!(bad.parse::<WindowId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tokens_are_chosen_by_label() {
        let w = window();
        assert_eq!(w.outcome_of(w.token(Outcome::Down)), Some(Outcome::Down));
        assert_eq!(w.outcome_of(&"33".parse().unwrap()), None);
    }
}
