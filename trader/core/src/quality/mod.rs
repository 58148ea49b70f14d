//! The quality gate: a strategy that does not do what it promised is shut out by itself, and let in again
//! only by a person's recorded act.
//!
//! Results are judged from the ledger, so a restart forgets nothing; the feed's pattern is judged from the
//! events. What cannot be reckoned counts as bad. Closing is per strategy: the others go on. Exits are
//! never stopped here.

mod watch;

pub use watch::{BASELINE_MIN, BASELINE_PERIODS, PERIOD_MS};
pub(crate) use watch::{FeedWatch, Pattern};

use crate::ledger::{Results, Track};
use crate::refusal::{Figure, Refusal, Refuser};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::{Deserialize, Serialize};

/// Most ended positions that can be looked back on.
pub const ROLLING_MAX: u32 = 200;

/// When a strategy is shut out. Each figure has a default that the schema shows; none can be switched
/// off. Defaults for accuracy, look-back, feed loss, rate and spread are those of the system that this
/// trader replaces; those for the net result were chosen here.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct QualityRules {
    /// Ended positions that accuracy and net result look back on.
    #[schemars(range(min = 1, max = 200))]
    pub rolling_entries: u32,
    /// Fewer ended positions than this prove nothing.
    #[schemars(range(min = 1, max = 200))]
    pub min_entries: u32,
    /// Least part of them that must have ended with a gain, 0 to 1.
    #[schemars(range(min = 0.01, max = 0.99))]
    pub min_accuracy: f64,
    /// Most that they may have lost together, USD per share bought.
    #[schemars(range(min = 0.01, max = 0.99))]
    pub max_loss_per_share: f64,
    /// Positions that a price bucket (ten of 10 cents each) needs before it is judged.
    #[schemars(range(min = 1, max = 10_000))]
    pub bucket_min_entries: u32,
    /// Most that the positions bought in one price bucket may have lost together, USD per share: for
    /// positions held to the end that is the error of the calibration.
    #[schemars(range(min = 0.01, max = 0.99))]
    pub bucket_max_loss_per_share: f64,
    /// Longest silence of an asset's oracle, seconds.
    #[schemars(range(min = 1, max = 600))]
    pub feed_loss_secs: u32,
    /// Most by which the oracle's updates a minute may change, up or down, as a factor.
    #[schemars(range(min = 1.1, max = 100.0))]
    pub update_rate_factor: f64,
    /// Most by which the books' spread may change, in standard deviations of its minutes.
    #[schemars(range(min = 0.5, max = 100.0))]
    pub spread_deviations: f64,
    /// Minutes in a row that must show such a change: one odd minute in twenty is chance.
    #[schemars(range(min = 1, max = 10))]
    pub pattern_minutes: u32,
}

impl Default for QualityRules {
    fn default() -> Self {
        Self {
            rolling_entries: 20,
            min_entries: 10,
            min_accuracy: 0.40,
            max_loss_per_share: 0.25,
            bucket_min_entries: 100,
            bucket_max_loss_per_share: 0.15,
            feed_loss_secs: 10,
            update_rate_factor: 2.0,
            spread_deviations: 2.0,
            pattern_minutes: 3,
        }
    }
}

impl QualityRules {
    /// Whether these are the defaults, which a strategy file may leave out.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The first figure outside its range, with the range.
    pub fn out_of_range(&self) -> Option<(&'static str, &'static str)> {
        let count = |value: u32, most: u32| (1..=most).contains(&value);
        let part = |value: f64| (0.01..=0.99).contains(&value);
        let rows = [
            (
                count(self.rolling_entries, ROLLING_MAX),
                "rolling_entries",
                "1 to 200",
            ),
            (
                count(self.min_entries, self.rolling_entries),
                "min_entries",
                "1 to rolling_entries",
            ),
            (part(self.min_accuracy), "min_accuracy", "0.01 to 0.99"),
            (
                part(self.max_loss_per_share),
                "max_loss_per_share",
                "0.01 to 0.99",
            ),
            (
                count(self.bucket_min_entries, 10_000),
                "bucket_min_entries",
                "1 to 10000",
            ),
            (
                part(self.bucket_max_loss_per_share),
                "bucket_max_loss_per_share",
                "0.01 to 0.99",
            ),
            (
                count(self.feed_loss_secs, 600),
                "feed_loss_secs",
                "1 to 600",
            ),
            (
                (1.1..=100.0).contains(&self.update_rate_factor),
                "update_rate_factor",
                "1.1 to 100",
            ),
            (
                (0.5..=100.0).contains(&self.spread_deviations),
                "spread_deviations",
                "0.5 to 100",
            ),
            (
                count(self.pattern_minutes, 10),
                "pattern_minutes",
                "1 to 10",
            ),
        ];
        rows.into_iter()
            .find(|(fits, ..)| !fits)
            .map(|(_, name, wanted)| (name, wanted))
    }

    /// Why the results so far shut the strategy out.
    ///
    /// 7 gains in 20 are 0.35, below 0.40: `quality_accuracy`.
    pub fn judge_results(&self, track: &Track) -> Option<Refusal> {
        let rolling = track.newest(self.rolling_entries);
        if rolling.entries >= self.min_entries {
            let accuracy = f64::from(rolling.gains) / f64::from(rolling.entries);
            // What is no number lies in no range: as bad as a bad number.
            if !(self.min_accuracy..=1.0).contains(&accuracy) {
                return Some(closes("quality_accuracy", accuracy, self.min_accuracy));
            }
            let loss = rolling.loss_per_share();
            if !at_most(self.max_loss_per_share, loss) {
                return Some(closes("quality_net", loss, self.max_loss_per_share));
            }
        }
        track
            .buckets()
            .iter()
            .filter(|bucket| bucket.entries >= self.bucket_min_entries)
            .map(Results::loss_per_share)
            .find(|loss| !at_most(self.bucket_max_loss_per_share, *loss))
            .map(|loss| closes("quality_bucket", loss, self.bucket_max_loss_per_share))
    }

    /// Why a silence of the oracle shuts the strategy out.
    pub(crate) fn judge_silence(&self, silent_ms: i64) -> Option<Refusal> {
        let most = i64::from(self.feed_loss_secs).saturating_mul(1_000);
        (silent_ms > most).then(|| {
            let (seen, limit) = (Figure::Ms(silent_ms), Figure::Ms(most));
            Refusal::new("quality_feed_loss", Refuser::Safeguard, seen, limit)
        })
    }

    /// Why a changed pattern of the feed shuts the strategy out.
    pub(crate) fn judge_pattern(&self, pattern: &Pattern) -> Option<Refusal> {
        let minutes = usize::try_from(self.pattern_minutes).unwrap_or(usize::MAX);
        if let Some(change) = pattern.rate_change(minutes, self.update_rate_factor) {
            return Some(closes(
                "quality_update_rate",
                change,
                self.update_rate_factor,
            ));
        }
        pattern
            .spread_change(minutes, self.spread_deviations)
            .map(|change| closes("quality_spread", change, self.spread_deviations))
    }
}

/// Whether a loss is within its limit; what is no number is not.
fn at_most(limit: f64, loss: f64) -> bool {
    (f64::NEG_INFINITY..=limit).contains(&loss)
}

const fn closes(code: &'static str, seen: f64, limit: f64) -> Refusal {
    let (seen, limit) = (Figure::Real(seen), Figure::Real(limit));
    Refusal::new(code, Refuser::Safeguard, seen, limit)
}

/// Loss per share of a sum of results, divided as decimals so that a limit is met exactly; NaN when
/// there is nothing to divide by.
pub(crate) fn loss_per_share(net: Decimal, shares: Decimal) -> f64 {
    let loss = (-net).checked_div(shares);
    loss.and_then(|loss| loss.to_f64()).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests;
