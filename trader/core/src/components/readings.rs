//! What analyses read from their series, with units: what a signal may ask for besides the view.
//!
//! A reading is a value or the refusal that says why there is none; an analysis that the strategy does
//! not have reads nothing, and asking for it is a refusal too.

use super::refuse;
use crate::refusal::{Figure, Refusal};
use crate::units::{EpochMs, OraclePrice, UiPrice};

/// A price of one of the two series that analyses follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// The oracle's, by its source's time.
    Oracle {
        /// Dollars per coin.
        price: OraclePrice,
        /// The source's time.
        at: EpochMs,
        /// When it reached us.
        seen_at: EpochMs,
    },
    /// The user interface's.
    Ui {
        /// Dollars per coin.
        price: UiPrice,
        /// The source's time.
        at: EpochMs,
        /// When it reached us.
        seen_at: EpochMs,
    },
}

/// How long the oracle has shown the same price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness {
    /// Since the price last changed, ms. A feed that is silent is another matter (`stale_oracle`).
    pub age_ms: i64,
    /// From here on it counts as stale, ms.
    pub stale_ms: i64,
}

/// How far the user interface's price is from the oracle's and from the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divergence {
    /// (UI − oracle) / oracle, basis points.
    pub from_oracle_bps: f64,
    /// (UI − reference) / reference, basis points.
    pub from_reference_bps: f64,
}

/// By how much the user interface's price leads the oracle's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// τ*: the delay with the highest cross-correlation, ms.
    pub tau_ms: i64,
    /// The correlation at τ*, −1 to 1.
    pub correlation: f64,
    /// Chance of such a correlation without any lag, all tried delays counted, 0 to 1.
    pub p_value: f64,
    /// Part of the recent measurements that found the same τ*, 0 to 1.
    pub stability: f64,
    /// What the UI has moved within τ* and the oracle is expected to follow: a log-return.
    pub pending_return: f64,
}

/// Whether the oracle will change its price before the window closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateForecast {
    /// P(update before the close), 0 to 1.
    pub probability: f64,
    /// 1 less the width of its 90 % interval: 0 when nothing like it was ever seen.
    pub confidence: f64,
}

type Reading<T> = Option<Result<T, Refusal>>;

/// Everything that a strategy's analyses read for one view.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Readings {
    pub(super) staleness: Reading<Staleness>,
    pub(super) divergence: Reading<Divergence>,
    pub(super) lag: Reading<Lag>,
    pub(super) updates: Reading<UpdateForecast>,
}

impl Readings {
    /// Nothing was read.
    pub(crate) const NONE: Self = Self {
        staleness: None,
        divergence: None,
        lag: None,
        updates: None,
    };

    /// The oracle's staleness.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn staleness(&self) -> Result<Staleness, Refusal> {
        self.staleness.unwrap_or(Err(MISSING))
    }

    /// The UI's divergence.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn divergence(&self) -> Result<Divergence, Refusal> {
        self.divergence.unwrap_or(Err(MISSING))
    }

    /// The lag.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn lag(&self) -> Result<Lag, Refusal> {
        self.lag.unwrap_or(Err(MISSING))
    }

    /// The update forecast.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn updates(&self) -> Result<UpdateForecast, Refusal> {
        self.updates.unwrap_or(Err(MISSING))
    }
}

/// No analysis of the strategy reads it; composition refuses such a strategy already.
const MISSING: Refusal = refuse("missing_reading", Figure::None, Figure::None);
