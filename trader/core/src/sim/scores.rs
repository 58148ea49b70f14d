//! Scores over samples with their uncertainty: Brier, log-loss, reliability, and intervals from a seeded
//! bootstrap over whole windows.
//!
//! Pure arithmetic; the same samples give the same figures in every build. Samples of one window are
//! drawn together, because they rise and fall together.

use crate::fees::TAKER_FEE_RATE_F64;
use crate::sim::evidence::{CLIP, Sample};
use crate::sim::rng::Rng;
use serde::Serialize;
use std::collections::BTreeMap;

/// Draws of a bootstrap.
const DRAWS: usize = 2_000;
/// Its seed: the same samples always have the same interval.
const SEED: u64 = 20_260_807;
/// Part of the draws that an interval covers.
pub const LEVEL: f64 = 0.90;
/// Buckets of the reliability diagram.
pub const BUCKETS: usize = 10;

/// Mean scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    /// Mean squared error of the probability; `None` without samples.
    pub brier: Option<f64>,
    /// Mean negative logarithm of the probability of what came.
    pub log_loss: Option<f64>,
    /// Samples.
    pub n: u64,
}

/// A mean with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The mean over all samples.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Part of the draws between the ends.
    pub level: f64,
    /// Samples.
    pub n: u64,
    /// Windows they come from.
    pub windows: u64,
}

/// One bucket of the reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bucket {
    /// Lower end of the predicted probabilities, inclusive.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// Samples.
    pub n: u64,
    /// Mean predicted probability; `None` for an empty bucket.
    pub predicted: Option<f64>,
    /// Part of them that came Up.
    pub observed: Option<f64>,
    /// 90 % Wilson interval of `observed`.
    pub low: Option<f64>,
    /// Its upper end.
    pub high: Option<f64>,
}

/// A count as a float.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "counts of samples are far below 2^53"
)]
const fn real(count: u64) -> f64 {
    count as f64
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}

/// (p − y)².
pub fn brier(p: f64, up: bool) -> f64 {
    let miss = p - if up { 1.0 } else { 0.0 };
    miss * miss
}

/// −ln of the probability given to what came, p clipped.
pub fn log_loss(p: f64, up: bool) -> f64 {
    let p = p.clamp(CLIP, 1.0 - CLIP);
    -libm::log(if up { p } else { 1.0 - p })
}

/// Scores of predictions.
pub fn score(predictions: impl IntoIterator<Item = (f64, bool)>) -> Score {
    let (mut squares, mut logs, mut n) = (0.0, 0.0, 0_u64);
    for (p, up) in predictions {
        squares += brier(p, up);
        logs += log_loss(p, up);
        n += 1;
    }
    let mean = |sum: f64| (n > 0).then(|| sum / real(n));
    Score {
        brier: mean(squares),
        log_loss: mean(logs),
        n,
    }
}

/// The model's score over samples.
pub fn model_score<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Score {
    score(
        samples
            .into_iter()
            .filter_map(|sample| Some((sample.model?, sample.up))),
    )
}

/// The market's own mid's score over samples.
pub fn market_score<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Score {
    score(
        samples
            .into_iter()
            .filter_map(|sample| Some((sample.market?.mid(), sample.up))),
    )
}

/// Brier of the model minus Brier of the market's mid, where both spoke: below 0 the model is better.
pub fn brier_difference(samples: &[Sample]) -> Option<Interval> {
    bootstrap(samples.iter().filter_map(|sample| {
        let (model, market) = (sample.model?, sample.market?.mid());
        let difference = brier(model, sample.up) - brier(market, sample.up);
        Some((sample.cluster, difference))
    }))
}

/// Log-loss of the model minus log-loss of the market's mid, where both spoke: below 0 the model is better.
pub fn log_loss_difference(samples: &[Sample]) -> Option<Interval> {
    bootstrap(samples.iter().filter_map(|sample| {
        let (model, market) = (sample.model?, sample.market?.mid());
        let difference = log_loss(model, sample.up) - log_loss(market, sample.up);
        Some((sample.cluster, difference))
    }))
}

/// USD per share of buying, at each look, what the model prefers: at the ask where a book was seen, at
/// the mid (which nobody gets) where not, the taker fee paid, held to the outcome. Looks at which the
/// model sees no gain after the fee buy nothing.
pub fn after_fees(samples: &[Sample]) -> Option<Interval> {
    bootstrap(
        samples
            .iter()
            .filter_map(|sample| Some((sample.cluster, taken(sample)?))),
    )
}

fn taken(sample: &Sample) -> Option<f64> {
    let (model, market) = (sample.model?, sample.market?);
    let fee = |price: f64| TAKER_FEE_RATE_F64 * price * (1.0 - price);
    // An ask of 1 or a bid of 0 is nobody.
    let buys = [
        (model, market.ask, sample.up),
        (1.0 - model, 1.0 - market.bid, !sample.up),
    ];
    buys.into_iter()
        .filter(|(_, price, _)| *price > 0.0 && *price < 1.0)
        .map(|(p, price, came)| (p - price - fee(price), price, came))
        .filter(|(gain, _, _)| *gain > 0.0)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, price, came)| (if came { 1.0 } else { 0.0 }) - price - fee(price))
}

/// The mean of values with an interval from drawing whole clusters with replacement; `None` without any.
pub fn bootstrap(values: impl IntoIterator<Item = (i64, f64)>) -> Option<Interval> {
    let mut clusters: BTreeMap<i64, (f64, u64)> = BTreeMap::new();
    for (cluster, value) in values {
        let slot = clusters.entry(cluster).or_default();
        slot.0 += value;
        slot.1 += 1;
    }
    let clusters: Vec<(f64, u64)> = clusters.into_values().collect();
    let windows = count(clusters.len());
    let mean_of = |sums: (f64, u64)| sums.0 / real(sums.1);
    let add = |a: (f64, u64), b: &(f64, u64)| (a.0 + b.0, a.1 + b.1);
    let total = clusters.iter().fold((0.0, 0), add);
    if total.1 == 0 {
        return None;
    }
    let drawable = u32::try_from(clusters.len()).unwrap_or(u32::MAX);
    let mut rng = Rng::new(SEED);
    let mut means: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = (0..clusters.len()).fold((0.0, 0), |sums, _| {
                let index = usize::try_from(rng.below(drawable)).unwrap_or(0);
                clusters
                    .get(index)
                    .map_or(sums, |cluster| add(sums, cluster))
            });
            mean_of(drawn)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    let tail = DRAWS / 20;
    let at = |index: usize| means.get(index).copied().unwrap_or(f64::NAN);
    Some(Interval {
        mean: mean_of(total),
        low: at(tail),
        high: at(DRAWS - 1 - tail),
        level: LEVEL,
        n: total.1,
        windows,
    })
}

/// Reliability in ten buckets: what was predicted against what came.
pub fn reliability(predictions: impl IntoIterator<Item = (f64, bool)>) -> Vec<Bucket> {
    let mut sums = [(0.0, 0_u64, 0_u64); BUCKETS];
    for (p, up) in predictions {
        if let Some(slot) = sums.get_mut(bucket_of(p)) {
            slot.0 += p;
            slot.1 += u64::from(up);
            slot.2 += 1;
        }
    }
    (0_u32..)
        .zip(sums)
        .map(|(index, (predicted, ups, n))| {
            let some = n > 0;
            let (low, high) = wilson(ups, n);
            Bucket {
                from: f64::from(index) / 10.0,
                to: f64::from(index + 1) / 10.0,
                n,
                predicted: some.then(|| predicted / real(n)),
                observed: some.then(|| real(ups) / real(n)),
                low: some.then_some(low),
                high: some.then_some(high),
            }
        })
        .collect()
}

fn bucket_of(p: f64) -> usize {
    (1..BUCKETS)
        .zip(1_u32..)
        .find(|(_, upper)| p < f64::from(*upper) / 10.0)
        .map_or(BUCKETS - 1, |(index, _)| index - 1)
}

/// 90 % Wilson interval of a share; (0, 1) without observations.
fn wilson(hits: u64, n: u64) -> (f64, f64) {
    /// The 95th percentile of the standard normal distribution.
    const Z: f64 = 1.644_853_626_951_472_2;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (real(n), real(hits) / real(n));
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * libm::sqrt(p * (1.0 - p) / n + Z * Z / (4.0 * n * n));
    let whole = 1.0 + Z * Z / n;
    (
        ((centre - spread) / whole).max(0.0),
        ((centre + spread) / whole).min(1.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::evidence::MarketQuote;

    fn sample(cluster: i64, model: f64, mid: f64, up: bool) -> Sample {
        Sample {
            cluster,
            secs_before_close: 60,
            model: Some(model),
            market: Some(MarketQuote {
                bid: mid - 0.01,
                ask: mid + 0.01,
                is_book: true,
            }),
            up,
            marked: false,
        }
    }

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} against {b}");
    }

    #[test]
    fn scores_are_their_definitions() {
        let seen = score([(0.8, true), (0.8, false)]);
        near(seen.brier.unwrap(), f64::midpoint(0.04, 0.64));
        near(
            seen.log_loss.unwrap(),
            -f64::midpoint(libm::log(0.8), libm::log(0.2)),
        );
        assert_eq!(seen.n, 2);
        assert_eq!(score([]).brier, None);
        near(log_loss(0.0, true), -libm::log(CLIP));
    }

    #[test]
    fn a_better_model_is_below_zero_and_a_worse_one_above() {
        let samples = |model: fn(bool) -> f64| -> Vec<Sample> {
            (0..200_i64)
                .map(|n| sample(n, model(n % 3 == 0), 0.5, n % 3 == 0))
                .collect()
        };
        let better = brier_difference(&samples(|up| if up { 0.9 } else { 0.1 })).unwrap();
        let worse = brier_difference(&samples(|up| if up { 0.1 } else { 0.9 })).unwrap();
        assert!(better.high < 0.0, "{better:?}");
        assert!(worse.low > 0.0, "{worse:?}");
        assert_eq!((better.n, better.windows), (200, 200));
    }

    #[test]
    fn an_interval_covers_the_mean_and_is_the_same_again() {
        let values = || (0..50_i64).map(|n| (n / 2, f64::from(i32::try_from(n % 7).unwrap())));
        let (first, second) = (bootstrap(values()).unwrap(), bootstrap(values()).unwrap());
        assert_eq!(first, second);
        assert!(first.low < first.mean && first.mean < first.high);
        assert_eq!(first.windows, 25);
        assert_eq!(bootstrap([]), None);
    }

    #[test]
    fn the_fee_is_paid_and_no_gain_buys_nothing() {
        // Ask 0.51, model 0.60: gains 0.09 − fee 0.017493; it came.
        let bought = after_fees(&[sample(1, 0.60, 0.50, true)]).unwrap();
        near(bought.mean, 0.49 - 0.07 * 0.51 * 0.49);
        assert_eq!(after_fees(&[sample(1, 0.52, 0.50, true)]), None);
    }

    #[test]
    fn every_prediction_falls_into_one_bucket() {
        let seen = reliability([0.0, 0.05, 0.1, 0.95, 1.0].map(|p| (p, true)));
        let counts: Vec<u64> = seen.iter().map(|bucket| bucket.n).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        assert_eq!(seen[2].observed, None);
    }
}
