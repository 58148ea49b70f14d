//! Volatility of one asset's own oracle returns: half the variance of 10 s returns (2 min half-life),
//! half that of 30 s returns (10 min half-life).
//!
//! One-second returns are autocorrelated; scaling them understates a window's volatility 1.4 to 1.55
//! times. Gaps are real (9 % of seconds are missing, up to 387 s at a stretch): a return is used only
//! when both its ends exist, and weights fade with time, not with ticks. There is no fallback value:
//! without enough returns there is no volatility, and without volatility no signal.

use crate::model::{YEAR_SECS, ms_to_secs};
use crate::units::{EpochMs, OraclePrice, Volatility, to_float};

/// Ticks remembered; at one a second enough for the longest return and its tolerance.
const RING: usize = 64;
/// The same as a number of samples.
const RING_SAMPLES: u64 = 64;
/// A return's other end may lie this far from its nominal distance, ms.
const LAG_TOLERANCE_MS: i64 = 1_500;
/// Returns needed of each length before there is an estimate.
const MIN_RETURNS: u32 = 30;
/// An estimate whose newest return is older than this is none, ms.
const MAX_AGE_MS: i64 = 60_000;
/// A pause longer than this is not counted as history, ms.
const HISTORY_GAP_MS: i64 = 10_000;

/// Faded sums over returns of one length.
#[derive(Debug, Clone, Copy)]
struct Horizon {
    lag_ms: i64,
    half_life_ms: i64,
    squares: f64,
    secs: f64,
    count: u32,
    newest: Option<EpochMs>,
    /// The last step and how much it faded: a feed keeps its step.
    faded: (i64, f64),
    /// How many samples are too old to be this horizon's other end.
    passed: u64,
}

impl Horizon {
    const fn new(lag_ms: i64, half_life_ms: i64) -> Self {
        Self {
            lag_ms,
            half_life_ms,
            squares: 0.0,
            secs: 0.0,
            count: 0,
            newest: None,
            faded: (0, 1.0),
            passed: 0,
        }
    }

    fn add(&mut self, at: EpochMs, log_return: f64, lag_ms: i64) {
        if let Some(newest) = self.newest {
            let step = at - newest;
            if step != self.faded.0 {
                let fade = libm::exp2(-ms_to_secs(step) / ms_to_secs(self.half_life_ms));
                self.faded = (step, fade);
            }
            let (_, fade) = self.faded;
            self.squares *= fade;
            self.secs *= fade;
        }
        self.squares += log_return * log_return;
        self.secs += ms_to_secs(lag_ms);
        self.count = self.count.saturating_add(1);
        self.newest = Some(at);
    }

    fn is_fresh(&self, now: EpochMs) -> bool {
        self.newest.is_some_and(|newest| now - newest <= MAX_AGE_MS)
    }

    /// Variance per second.
    fn variance(&self) -> Option<f64> {
        (self.count >= MIN_RETURNS && self.secs > 0.0).then(|| self.squares / self.secs)
    }
}

/// The newest samples (time, log-price), in the order of time.
#[derive(Debug, Clone)]
struct Samples {
    ring: [(i64, f64); RING],
    /// How many there ever were; the next one's number.
    seen: u64,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            ring: [(0, 0.0); RING],
            seen: 0,
        }
    }
}

impl Samples {
    fn slot(number: u64) -> usize {
        usize::try_from(number % RING_SAMPLES).unwrap_or(0)
    }

    fn get(&self, number: u64) -> Option<(i64, f64)> {
        let is_kept = number < self.seen && self.seen - number <= RING_SAMPLES;
        is_kept.then(|| self.ring.get(Self::slot(number)).copied())?
    }

    fn push(&mut self, at: EpochMs, log_price: f64) {
        if let Some(slot) = self.ring.get_mut(Self::slot(self.seen)) {
            *slot = (at.0, log_price);
        }
        self.seen = self.seen.saturating_add(1);
    }

    /// (distance, log-price) of the sample nearest to the horizon's lag before `at`, within the
    /// tolerance. Of two that are equally near the one that stands first in the ring.
    fn at_distance(&self, at: EpochMs, horizon: &mut Horizon) -> Option<(i64, f64)> {
        let lag_ms = horizon.lag_ms;
        horizon.passed = horizon.passed.max(self.seen.saturating_sub(RING_SAMPLES));
        let mut best: Option<(u64, i64, f64)> = None;
        for number in horizon.passed..self.seen {
            let (t, log_price) = self.get(number)?;
            let distance = at.0.saturating_sub(t);
            if distance > lag_ms + LAG_TOLERANCE_MS {
                // Time only goes on: it will never be near again.
                horizon.passed = number + 1;
                continue;
            }
            if distance < lag_ms - LAG_TOLERANCE_MS {
                break;
            }
            let off = (distance - lag_ms).abs();
            let is_better = best.is_none_or(|(known, nearest, _)| {
                let nearest = (nearest - lag_ms).abs();
                off < nearest || (off == nearest && Self::slot(number) < Self::slot(known))
            });
            if is_better {
                best = Some((number, distance, log_price));
            }
        }
        best.map(|(_, distance, log_price)| (distance, log_price))
    }
}

/// The estimator. One per asset; memory is fixed.
#[derive(Debug, Clone)]
pub struct VolatilityEstimator {
    ring: Samples,
    last: Option<EpochMs>,
    history_ms: i64,
    short: Horizon,
    long: Horizon,
    /// What both say since the last return: made once, asked by every strategy on every event.
    made: Option<Made>,
}

#[derive(Debug, Clone, Copy)]
struct Made {
    volatility: Option<Volatility>,
    surprise: Option<f64>,
}

impl Made {
    fn of(short: &Horizon, long: &Horizon) -> Option<Self> {
        let (short, long) = (short.variance()?, long.variance()?);
        let yearly = libm::sqrt(f64::midpoint(short, long) * YEAR_SECS);
        let ratio = libm::sqrt(short / long);
        Some(Self {
            volatility: Volatility::try_new(yearly).ok(),
            surprise: (ratio.is_finite() && ratio > 0.0).then_some(ratio),
        })
    }
}

impl Default for VolatilityEstimator {
    fn default() -> Self {
        Self {
            ring: Samples::default(),
            last: None,
            history_ms: 0,
            short: Horizon::new(10_000, 120_000),
            long: Horizon::new(30_000, 600_000),
            made: None,
        }
    }
}

impl VolatilityEstimator {
    /// Takes a price with its source time. One sample a second: what comes later within the same
    /// second, or is not later than the last, is ignored.
    pub fn observe(&mut self, at: EpochMs, price: OraclePrice) {
        let second = |t: EpochMs| t.0.div_euclid(1_000);
        if self.last.is_some_and(|last| second(at) <= second(last)) {
            return;
        }
        let Some(log_price) = to_float(price.get())
            .map(libm::log)
            .filter(|x| x.is_finite())
        else {
            return;
        };
        if let Some(last) = self.last {
            let step = at - last;
            self.history_ms = self.history_ms.saturating_add(step.min(HISTORY_GAP_MS));
        }
        for horizon in [&mut self.short, &mut self.long] {
            if let Some((lag_ms, earlier)) = self.ring.at_distance(at, horizon) {
                horizon.add(at, log_price - earlier, lag_ms);
            }
        }
        self.made = Made::of(&self.short, &self.long);
        self.ring.push(at, log_price);
        self.last = Some(at);
    }

    /// The estimate at `now`, or `None` while there is not enough fresh, moving history.
    pub fn estimate(&self, now: EpochMs) -> Option<Volatility> {
        self.fresh(now)?.volatility
    }

    /// Short-term over long-term volatility (2 min against 10 min half-life): far from 1 the market has
    /// just changed, and neither estimate describes it. `None` whenever there is no estimate.
    pub fn surprise(&self, now: EpochMs) -> Option<f64> {
        self.fresh(now)?.surprise
    }

    fn fresh(&self, now: EpochMs) -> Option<&Made> {
        let is_fresh = self.short.is_fresh(now) && self.long.is_fresh(now);
        self.made.as_ref().filter(|_| is_fresh)
    }

    /// Milliseconds of history seen, long pauses not counted.
    pub const fn history_ms(&self) -> i64 {
        self.history_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Rng;

    /// A random walk with volatility `sigma`, one price a second, without the seconds that `missing` names.
    fn walk(
        seed: u64,
        sigma: f64,
        secs: i64,
        missing: impl Fn(i64) -> bool,
    ) -> VolatilityEstimator {
        let mut rng = Rng::new(seed);
        let mut estimator = VolatilityEstimator::default();
        let mut log_price = libm::log(95_000.0);
        for sec in 0..secs {
            log_price += sigma * libm::sqrt(1.0 / YEAR_SECS) * rng.normal();
            if !missing(sec) {
                let price = rust_decimal::Decimal::try_from(libm::exp(log_price))
                    .unwrap()
                    .round_dp(8);
                estimator.observe(EpochMs(sec * 1_000), OraclePrice::try_new(price).unwrap());
            }
        }
        estimator
    }

    fn mean_estimate(missing: impl Fn(i64) -> bool + Copy) -> f64 {
        let runs = 40;
        let sum: f64 = (0..runs)
            .map(|seed| {
                let estimator = walk(seed, 0.5, 1_800, missing);
                estimator.estimate(EpochMs(1_800_000)).unwrap().get()
            })
            .sum();
        sum / f64::from(u32::try_from(runs).unwrap())
    }

    #[test]
    fn a_known_volatility_is_found() {
        let seen = mean_estimate(|_| false);
        assert!((seen - 0.5).abs() < 0.05, "{seen}");
    }

    #[test]
    fn gaps_do_not_bias_it() {
        // Every 11th second and two long holes are missing; the price moves on during them.
        let seen = mean_estimate(|s| {
            s % 11 == 0 || (600..987).contains(&s) || (1_200..1_300).contains(&s)
        });
        assert!((seen - 0.5).abs() < 0.06, "{seen}");
    }

    #[test]
    fn a_market_that_wakes_up_is_a_surprise() {
        let mut estimator = walk(3, 0.3, 1_800, |_| false);
        let calm = estimator.surprise(EpochMs(1_800_000)).unwrap();
        assert!((0.5..2.0).contains(&calm), "{calm}");
        let mut rng = Rng::new(4);
        let mut log_price = libm::log(95_000.0);
        for sec in 1_800..1_890 {
            log_price += 3.0 * libm::sqrt(1.0 / YEAR_SECS) * rng.normal();
            let price = rust_decimal::Decimal::try_from(libm::exp(log_price)).unwrap();
            estimator.observe(
                EpochMs(sec * 1_000),
                OraclePrice::try_new(price.round_dp(8)).unwrap(),
            );
        }
        let awake = estimator.surprise(EpochMs(1_890_000)).unwrap();
        assert!(awake > 1.5, "{awake}");
        assert!(estimator.surprise(EpochMs(9_000_000)).is_none());
    }

    #[test]
    fn too_little_history_is_no_estimate() {
        let estimator = walk(1, 0.5, 55, |_| false);
        assert!(estimator.estimate(EpochMs(55_000)).is_none());
        let estimator = walk(1, 0.5, 80, |_| false);
        assert!(estimator.estimate(EpochMs(80_000)).is_some());
        assert_eq!(estimator.history_ms(), 79_000);
    }

    #[test]
    fn an_old_estimate_is_none() {
        let estimator = walk(1, 0.5, 600, |_| false);
        assert!(estimator.estimate(EpochMs(599_000 + 60_000)).is_some());
        assert!(estimator.estimate(EpochMs(599_000 + 60_001)).is_none());
    }

    #[test]
    fn a_price_that_never_moves_has_no_volatility() {
        let estimator = walk(1, 0.0, 600, |_| false);
        assert!(estimator.estimate(EpochMs(600_000)).is_none());
    }

    #[test]
    fn a_faster_feed_gives_the_same_kind_of_estimate() {
        let mut rng = Rng::new(5);
        let mut estimator = VolatilityEstimator::default();
        let mut log_price = libm::log(95_000.0);
        for quarter in 0..7_200 {
            log_price += 0.5 * libm::sqrt(0.25 / YEAR_SECS) * rng.normal();
            let price = rust_decimal::Decimal::try_from(libm::exp(log_price))
                .unwrap()
                .round_dp(8);
            estimator.observe(EpochMs(quarter * 250), OraclePrice::try_new(price).unwrap());
        }
        let seen = estimator.estimate(EpochMs(1_800_000)).unwrap().get();
        assert!((0.3..0.75).contains(&seen), "{seen}");
    }

    /// The same by looking at every sample that is remembered.
    fn nearest(samples: &Samples, at: EpochMs, lag_ms: i64) -> Option<(i64, f64)> {
        let filled = usize::try_from(samples.seen.min(RING_SAMPLES)).unwrap();
        let near = samples.ring[..filled]
            .iter()
            .map(|(t, log_price)| (at.0 - t, *log_price))
            .filter(|(distance, _)| (distance - lag_ms).abs() <= LAG_TOLERANCE_MS);
        near.min_by_key(|(distance, _)| (distance - lag_ms).abs())
    }

    #[test]
    fn the_nearest_sample_is_found() {
        let mut rng = Rng::new(9);
        let mut samples = Samples::default();
        let (mut short, mut long) = (Horizon::new(10_000, 1), Horizon::new(30_000, 1));
        let (mut at, mut found) = (0_i64, 0);
        for n in 0..20_000_u32 {
            // Mostly a second or so, at times a hole; half seconds make ties.
            at += match rng.below(50) {
                0 => 60_000,
                1..=9 => 2_500,
                _ => 500 * (1 + i64::from(rng.below(3))),
            };
            let now = EpochMs(at);
            for horizon in [&mut short, &mut long] {
                let wanted = nearest(&samples, now, horizon.lag_ms);
                let seen = samples.at_distance(now, horizon);
                found += usize::from(wanted.is_some());
                let bits = |(lag_ms, price): (i64, f64)| (lag_ms, price.to_bits());
                assert_eq!(seen.map(bits), wanted.map(bits), "sample {n}");
            }
            samples.push(now, f64::from(n));
        }
        assert!(found > 20_000, "{found}");
    }

    #[test]
    fn repeated_and_late_ticks_change_nothing() {
        let mut estimator = walk(1, 0.5, 600, |_| false);
        let before = estimator.estimate(EpochMs(600_000)).map(Volatility::get);
        estimator.observe(EpochMs(300_000), "1".parse().unwrap());
        estimator.observe(EpochMs(599_000), "1".parse().unwrap());
        assert_eq!(
            estimator
                .estimate(EpochMs(600_000))
                .map(Volatility::get)
                .map(f64::to_bits),
            before.map(f64::to_bits)
        );
    }
}
