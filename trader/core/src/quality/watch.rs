//! The pattern of one asset's feed, minute by minute: how often the oracle speaks, how wide the books are.
//!
//! A change is judged against the minutes before it. Must not judge before there are enough of them: after
//! a start everything is new. Bounded: [`BASELINE_PERIODS`] minutes are kept.

use crate::units::EpochMs;
use std::collections::VecDeque;

/// Length of a period, ms.
pub const PERIOD_MS: i64 = 60_000;
/// Periods that a change is compared with, at most.
pub const BASELINE_PERIODS: usize = 30;
/// Periods without which there is no pattern that could change.
pub const BASELINE_MIN: usize = 10;
/// Most periods that are judged together ([`QualityRules::pattern_minutes`](super::QualityRules)).
const JUDGED_MAX: usize = 10;
/// Least standard deviation of the spread, USD: half a tick. A book that never moved makes no alarm of
/// its first move.
const SPREAD_SD_MIN: f64 = 0.005;

/// What the closed periods showed, oldest first.
#[derive(Debug)]
pub(crate) struct Pattern {
    rates: VecDeque<f64>,
    spreads: VecDeque<f64>,
}

impl Default for Pattern {
    /// With all the room that it will ever need: a tick allocates nothing.
    fn default() -> Self {
        let room = || VecDeque::with_capacity(BASELINE_PERIODS + JUDGED_MAX);
        Self {
            rates: room(),
            spreads: room(),
        }
    }
}

impl Pattern {
    /// The factor by which updates a minute changed, if each of the newest periods changed by more.
    pub(crate) fn rate_change(&self, newest: usize, factor: f64) -> Option<f64> {
        let (mean, _) = baseline(&self.rates, newest)?;
        let change = |rate: &f64| (rate / mean).max(mean / rate);
        least(&self.rates, newest, change, factor)
    }

    /// The standard deviations by which the spread changed, if each of the newest periods changed by more.
    pub(crate) fn spread_change(&self, newest: usize, deviations: f64) -> Option<f64> {
        let (mean, sd) = baseline(&self.spreads, newest)?;
        let change = |spread: &f64| (spread - mean).abs() / sd.max(SPREAD_SD_MIN);
        least(&self.spreads, newest, change, deviations)
    }
}

/// The least of the newest changes, when all of them are beyond the limit. No number is beyond it too.
fn least(
    series: &VecDeque<f64>,
    newest: usize,
    change: impl Fn(&f64) -> f64,
    limit: f64,
) -> Option<f64> {
    let changes = series.iter().rev().take(newest).map(change);
    let least = changes.fold(f64::INFINITY, f64::min);
    (!(f64::NEG_INFINITY..=limit).contains(&least)).then_some(least)
}

/// Mean and standard deviation of the periods before the newest ones.
fn baseline(series: &VecDeque<f64>, newest: usize) -> Option<(f64, f64)> {
    let count = series.len().checked_sub(newest)?.min(BASELINE_PERIODS);
    if newest == 0 || count < BASELINE_MIN {
        return None;
    }
    let before = || series.iter().rev().skip(newest).take(count);
    let n = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let mean = before().sum::<f64>() / n;
    let variance = before().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    Some((mean, libm::sqrt(variance)))
}

fn keep(series: &mut VecDeque<f64>, value: f64) {
    if series.len() >= BASELINE_PERIODS + JUDGED_MAX {
        series.pop_front();
    }
    series.push_back(value);
}

/// Follows one asset's feed.
#[derive(Debug, Default)]
pub(crate) struct FeedWatch {
    heard_at: Option<EpochMs>,
    period: Option<EpochMs>,
    updates: u32,
    spreads: u32,
    spread_sum: f64,
    pattern: Pattern,
}

impl FeedWatch {
    /// How long the oracle has been silent at `now`; 0 before its first word.
    pub(crate) fn silent_ms(&self, now: EpochMs) -> i64 {
        self.heard_at.map_or(0, |heard| now - heard)
    }

    /// The oracle spoke.
    pub(crate) fn oracle(&mut self, now: EpochMs) {
        self.heard_at = Some(now);
        self.updates = self.updates.saturating_add(1);
        self.period.get_or_insert(now);
    }

    /// A book showed this spread, USD.
    pub(crate) fn spread(&mut self, spread: f64) {
        self.spreads = self.spreads.saturating_add(1);
        self.spread_sum += spread;
    }

    /// Closes the period that has ended; whether there is a new one to judge.
    pub(crate) fn turn(&mut self, now: EpochMs) -> bool {
        let Some(began) = self.period.filter(|began| now - *began >= PERIOD_MS) else {
            return false;
        };
        // A pause longer than a period is a loss of the feed, not a pattern.
        let is_whole = now - began < 2 * PERIOD_MS;
        if is_whole {
            keep(&mut self.pattern.rates, f64::from(self.updates));
            if self.spreads > 0 {
                let mean = self.spread_sum / f64::from(self.spreads);
                keep(&mut self.pattern.spreads, mean);
            }
        }
        self.period = Some(now);
        (self.updates, self.spreads, self.spread_sum) = (0, 0, 0.0);
        is_whole
    }

    /// What the closed periods showed.
    pub(crate) const fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// A person has looked: what is now is the new normal.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(rates: &[f64], spreads: &[f64]) -> Pattern {
        Pattern {
            rates: rates.iter().copied().collect(),
            spreads: spreads.iter().copied().collect(),
        }
    }

    fn then(usual: f64, count: usize, newest: &[f64]) -> Vec<f64> {
        let before = std::iter::repeat_n(usual, count);
        before.chain(newest.iter().copied()).collect()
    }

    #[test]
    fn a_rate_that_changes_for_three_minutes_is_a_change() {
        let change = |rates: &[f64]| pattern(rates, &[]).rate_change(3, 2.0);
        assert_eq!(change(&then(60.0, 10, &[20.0, 10.0, 25.0])), Some(2.4));
        assert_eq!(change(&then(60.0, 10, &[150.0, 180.0, 240.0])), Some(2.5));
        assert_eq!(
            change(&then(60.0, 10, &[20.0, 10.0, 30.0])),
            None,
            "not twice"
        );
        assert_eq!(change(&then(60.0, 9, &[20.0, 10.0, 25.0])), None, "too new");
        assert_eq!(
            change(&then(60.0, 10, &[0.0, 0.0, 0.0])),
            Some(f64::INFINITY)
        );
    }

    #[test]
    fn a_spread_that_changes_is_measured_by_its_own_unrest() {
        let calm = |newest: &[f64]| pattern(&[], &then(0.02, 10, newest)).spread_change(2, 2.0);
        assert!(calm(&[0.04, 0.05]).is_some());
        assert_eq!(calm(&[0.04, 0.02]), None, "one minute is chance");
        assert_eq!(calm(&[0.029, 0.029]), None, "within half a tick's unrest");
        let mut restless = then(0.02, 5, &then(0.06, 5, &[]));
        restless.extend([0.07, 0.07]);
        assert_eq!(pattern(&[], &restless).spread_change(2, 2.0), None);
    }

    #[test]
    fn minutes_are_counted_and_pauses_are_none() {
        let mut watch = FeedWatch::default();
        let at = |ms: i64| EpochMs(1_000_000 + ms);
        assert_eq!(watch.silent_ms(at(0)), 0, "nothing was heard yet");
        for second in 0..60 {
            watch.oracle(at(second * 1_000));
            watch.spread(0.02);
        }
        assert!(!watch.turn(at(59_999)));
        assert!(watch.turn(at(60_000)));
        assert_eq!(watch.pattern.rates, [60.0]);
        assert!((watch.pattern.spreads[0] - 0.02).abs() < 1e-9);
        assert_eq!(watch.silent_ms(at(70_000)), 11_000);
        watch.oracle(at(300_000));
        assert!(!watch.turn(at(300_000)), "four minutes are no minute");
        assert_eq!(watch.pattern.rates.len(), 1);
        for minute in 0..100 {
            watch.oracle(at(300_000 + (minute + 1) * PERIOD_MS));
            watch.turn(at(300_000 + (minute + 1) * PERIOD_MS));
        }
        assert_eq!(watch.pattern.rates.len(), BASELINE_PERIODS + JUDGED_MAX);
    }
}
