//! The settlement average so far: what is already known of a TWAP window's closing price.
//!
//! One price per whole second (the last at or before it), as running sums over a fixed ring, so that the
//! average of any stretch is one subtraction and a tick allocates nothing. Seconds without a price carry
//! the last one and are counted as not observed: how many observations are enough is the asker's word.
//! How long before the close the venue's samples end is measured on its own average stream
//! ([`SecondPrices::measure`]), never assumed: other people measured 3 s, undocumented.

use crate::units::{EpochMs, OraclePrice, exact_float, to_float, units_of};
use rust_decimal::Decimal;
use std::cmp::Ordering;

/// Seconds remembered: a whole 15-minute window, the sampling delay and some late seconds.
const RING: usize = 1_024;
/// The same as a number of seconds.
const RING_SECS: i64 = 1_024;
/// Decimals kept of a price in the sums (the oracle's own is cut to 8 by its recorders).
const DIGITS: u32 = 8;
/// Longest delay between the last sample of an average and the time it is stamped with, seconds.
pub const DELAY_SECS_MAX: i64 = 5;
/// The candidates: 0 to [`DELAY_SECS_MAX`].
const CANDIDATES: usize = 6;
/// Comparisons with the stream before a delay is believed.
const COMPARISONS_MIN: u32 = 20;
/// Weight of a new comparison in the mean error.
const FADE: f64 = 0.05;
/// The best candidate's error must be below this part of the second best's; a flat market tells nothing.
const CLEARLY: f64 = 0.5;

/// Sums up to and including one second.
#[derive(Debug, Clone, Copy, Default)]
struct Upto {
    sec: i64,
    /// Of prices, in units of 10^-8 USD.
    sum: i128,
    /// Seconds with a price of their own.
    observed: u64,
}

/// What is known of an average that is still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownAverage {
    /// Average over the elapsed seconds; `None` before the first has passed.
    pub average: Option<OraclePrice>,
    /// Elapsed seconds with a price of their own.
    pub observed: u64,
    /// Elapsed seconds up to the newest price: later ones are a matter of freshness.
    pub elapsed: u64,
}

/// Whole-second prices of one asset; memory is fixed.
#[derive(Debug, Clone)]
pub struct SecondPrices {
    ring: Box<[Upto]>,
    /// First second of the ring's present, gapless stretch.
    first: i64,
    last: Option<Last>,
    delay: DelayMeasure,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    at: EpochMs,
    sec: i64,
    price: i128,
}

impl Default for SecondPrices {
    fn default() -> Self {
        Self {
            ring: vec![Upto::default(); RING].into_boxed_slice(),
            first: 0,
            last: None,
            delay: DelayMeasure::default(),
        }
    }
}

impl SecondPrices {
    /// Takes a price with its source time. A later one for the same second corrects it; one that is
    /// older than the last is ignored, and its second stays unobserved.
    pub fn observe(&mut self, at: EpochMs, price: OraclePrice) {
        let Some(price) = fixed(price) else { return };
        // The first whole second for which this price can be the last one known.
        let sec = at.0.saturating_add(999).div_euclid(1_000);
        match self.last {
            Some(last) if at < last.at => return,
            Some(last) if sec == last.sec => {
                let change = price.saturating_sub(last.price);
                if let Some(slot) = self.slot_mut(sec) {
                    slot.sum = slot.sum.saturating_add(change);
                }
            }
            Some(last) if sec.saturating_sub(last.sec) < RING_SECS => {
                for missing in last.sec.saturating_add(1)..sec {
                    self.push(missing, last.price, 0);
                }
                self.push(sec, price, 1);
            }
            _ => {
                // Nothing before, or so long ago that no stretch could reach back.
                self.first = sec;
                if let Some(slot) = self.slot_mut(sec) {
                    *slot = Upto {
                        sec,
                        sum: price,
                        observed: 1,
                    };
                }
            }
        }
        self.last = Some(Last { at, sec, price });
    }

    fn push(&mut self, sec: i64, price: i128, observed: u64) {
        let before = self.upto(sec.saturating_sub(1)).unwrap_or_default();
        if let Some(slot) = self.slot_mut(sec) {
            *slot = Upto {
                sec,
                sum: before.sum.saturating_add(price),
                observed: before.observed.saturating_add(observed),
            };
        }
        self.first = self.first.max(sec.saturating_sub(RING_SECS - 1));
    }

    fn index(sec: i64) -> Option<usize> {
        usize::try_from(sec.rem_euclid(RING_SECS)).ok()
    }

    fn slot_mut(&mut self, sec: i64) -> Option<&mut Upto> {
        self.ring.get_mut(Self::index(sec)?)
    }

    fn upto(&self, sec: i64) -> Option<Upto> {
        let slot = *self.ring.get(Self::index(sec)?)?;
        (slot.sec == sec && sec >= self.first && self.last.is_some()).then_some(slot)
    }

    /// The average over the whole seconds in `(end − lookback, now]`, carrying the newest price to
    /// `now`. `None` when the stretch begins before anything was seen.
    ///
    /// L = 60 s, 30 s passed, 28 of them seen: `observed` 28, `elapsed` 30.
    pub fn known(&self, end: EpochMs, lookback_secs: u32, now: EpochMs) -> Option<KnownAverage> {
        let last = self.last?;
        let start = end.0.div_euclid(1_000) - i64::from(lookback_secs);
        let now = now.0.div_euclid(1_000);
        let newest = last.sec.min(now);
        let passed = now.saturating_sub(start);
        if passed <= 0 {
            return Some(KnownAverage {
                average: None,
                observed: 0,
                elapsed: 0,
            });
        }
        if newest <= start {
            // Not one second of the stretch has its own price yet: the newest one stands in.
            return Some(KnownAverage {
                average: Some(price_of(last.price, 1)?),
                observed: 0,
                elapsed: 0,
            });
        }
        let (from, upto) = (self.upto(start)?, self.upto(newest)?);
        let carried = last
            .price
            .saturating_mul(i128::from(now.saturating_sub(newest)));
        let sum = upto.sum.saturating_sub(from.sum).saturating_add(carried);
        Some(KnownAverage {
            average: Some(price_of(sum, passed)?),
            observed: upto.observed.saturating_sub(from.observed),
            elapsed: u64::try_from(newest - start).unwrap_or(0),
        })
    }

    /// Compares a value of the venue's average stream with our own averages, one per possible delay.
    pub fn measure(&mut self, at: EpochMs, secs: u32, value: OraclePrice) {
        let (Some(last), Some(value)) = (self.last, to_float(value.get())) else {
            return;
        };
        let stamped = at.0.div_euclid(1_000);
        let mut errors = [None; CANDIDATES];
        for (delay, error) in (0_i64..).zip(errors.iter_mut()) {
            let end = stamped - delay;
            if end <= last.sec {
                *error = self
                    .mean(end, secs)
                    .map(|mean| libm::fabs(mean - value) / value)
                    .filter(|error| error.is_finite());
            }
        }
        self.delay.compare(&errors);
    }

    fn mean(&self, end: i64, secs: u32) -> Option<f64> {
        let (from, upto) = (self.upto(end - i64::from(secs))?, self.upto(end)?);
        float_of(upto.sum.saturating_sub(from.sum), i64::from(secs))
    }

    /// How long before its stamp the venue's average ends, ms; 0 while its stream has told nothing.
    pub fn delay_ms(&self) -> i64 {
        self.delay.found.unwrap_or(0).saturating_mul(1_000)
    }
}

/// Which delay explains the venue's average best.
#[derive(Debug, Clone, Copy, Default)]
struct DelayMeasure {
    errors: [f64; CANDIDATES],
    comparisons: [u32; CANDIDATES],
    found: Option<i64>,
}

impl DelayMeasure {
    fn compare(&mut self, errors: &[Option<f64>; CANDIDATES]) {
        let known = self.errors.iter_mut().zip(self.comparisons.iter_mut());
        for ((mean, count), error) in known.zip(errors) {
            if let Some(error) = error {
                *mean += (error - *mean) * if *count == 0 { 1.0 } else { FADE };
                *count = count.saturating_add(1);
            }
        }
        let mut best: Option<(i64, f64)> = None;
        let mut second = f64::INFINITY;
        let judged = (0_i64..).zip(self.errors.iter().zip(&self.comparisons));
        for (delay, (error, count)) in judged {
            if *count < COMPARISONS_MIN {
                continue;
            }
            match best {
                Some((_, least)) if *error >= least => second = second.min(*error),
                _ => {
                    second = best.map_or(second, |(_, least)| least);
                    best = Some((delay, *error));
                }
            }
        }
        // Otherwise what was found before stands.
        if let Some((delay, error)) = best
            && second.is_finite()
            && error < CLEARLY * second
        {
            self.found = Some(delay);
        }
    }
}

fn fixed(price: OraclePrice) -> Option<i128> {
    if let Some(units) = units_of(price.get(), DIGITS) {
        return Some(units.into());
    }
    let mut price = price.get().round_dp(DIGITS);
    price.rescale(DIGITS);
    (price.scale() == DIGITS).then(|| price.mantissa())
}

/// `sum / count`, to two digits more than the sums have, halves to even.
fn price_of(sum: i128, count: i64) -> Option<OraclePrice> {
    if let Some(Ok(units)) = mean_units(sum, count).map(i64::try_from) {
        return OraclePrice::try_new(Decimal::new(units, DIGITS + 2)).ok();
    }
    let sum = Decimal::try_from_i128_with_scale(sum, DIGITS).ok()?;
    let mean = sum.checked_div(Decimal::from(count))?;
    OraclePrice::try_new(mean.round_dp(DIGITS + 2)).ok()
}

/// The same mean in units of its last digit. Sums of a window's prices fit 64 bits as long as a coin
/// costs less than a million.
fn mean_units(sum: i128, count: i64) -> Option<u64> {
    let sum = i64::try_from(sum).ok()?.checked_mul(100)?;
    let sum = u64::try_from(sum).ok()?;
    let count = u64::try_from(count).ok().filter(|count| *count > 0)?;
    let whole = sum / count;
    let up = match ((sum - whole * count) * 2).cmp(&count) {
        Ordering::Less => 0,
        Ordering::Equal => whole & 1,
        Ordering::Greater => 1,
    };
    Some(whole + up)
}

/// Below this a whole number of units is a float exactly, so that one division gives the nearest float.
const EXACT_UNITS: u64 = 1 << 50;
/// Units per USD of a mean, 10^([`DIGITS`] + 2).
const MEAN_UNITS: f64 = 1e10;

/// The float of the same mean.
fn float_of(sum: i128, count: i64) -> Option<f64> {
    match mean_units(sum, count) {
        Some(units) if units > 0 && units < EXACT_UNITS => Some(exact_float(units) / MEAN_UNITS),
        _ => to_float(price_of(sum, count)?.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Rng;
    use proptest::prelude::*;

    fn price(value: i64) -> OraclePrice {
        OraclePrice::try_new(Decimal::from(value)).unwrap()
    }

    fn at(sec: i64) -> EpochMs {
        EpochMs(sec * 1_000)
    }

    fn fed(seconds: impl IntoIterator<Item = (i64, i64)>) -> SecondPrices {
        let mut prices = SecondPrices::default();
        for (sec, value) in seconds {
            prices.observe(at(sec), price(value));
        }
        prices
    }

    #[test]
    fn the_known_part_is_the_mean_of_its_seconds() {
        let prices = fed((1_000..=1_060).map(|sec| (sec, 100 + sec - 1_000)));
        // Seconds 1031 to 1060 carry 131 to 160.
        let known = prices.known(at(1_090), 60, at(1_060)).unwrap();
        assert_eq!(known.average, Some("145.5".parse().unwrap()));
        assert_eq!((known.observed, known.elapsed), (30, 30));
        // Two seconds later nothing new came: the last price is carried, coverage stays as it was.
        let known = prices.known(at(1_090), 60, EpochMs(1_062_900)).unwrap();
        assert_eq!(
            known.average.unwrap().get().round_dp(6).to_string(),
            "146.406250"
        );
        assert_eq!((known.observed, known.elapsed), (30, 30));
    }

    #[test]
    fn nothing_elapsed_is_no_average() {
        let prices = fed((1_000..=1_030).map(|sec| (sec, 100)));
        let none = prices.known(at(1_090), 60, EpochMs(1_030_999)).unwrap();
        assert_eq!(
            none,
            KnownAverage {
                average: None,
                observed: 0,
                elapsed: 0
            }
        );
        let carried = prices.known(at(1_090), 60, at(1_031)).unwrap();
        assert_eq!(carried.average, Some(price(100)));
    }

    #[test]
    fn holes_are_carried_and_counted() {
        let prices = fed([(1_000, 100), (1_004, 200), (1_005, 300)]);
        let known = prices.known(at(1_005), 5, at(1_005)).unwrap();
        // 100, 100, 100, 200, 300.
        assert_eq!(known.average, Some(price(160)));
        assert_eq!((known.observed, known.elapsed), (2, 5));
        assert!(
            prices.known(at(1_005), 6, at(1_005)).is_none(),
            "before the first price"
        );
    }

    #[test]
    fn corrections_count_and_late_prices_do_not() {
        let mut prices = fed([(1_000, 100), (1_001, 100), (1_002, 100)]);
        prices.observe(at(1_002), price(400));
        prices.observe(at(1_001), price(9_999));
        let known = prices.known(at(1_002), 2, at(1_002)).unwrap();
        assert_eq!(known.average, Some(price(250)));
        // A price between two whole seconds is the one known at the second.
        prices.observe(EpochMs(1_002_250), price(500));
        prices.observe(EpochMs(1_002_750), price(700));
        let known = prices.known(at(1_003), 2, at(1_003)).unwrap();
        assert_eq!(known.average, Some(price(550)));
    }

    #[test]
    fn a_gap_longer_than_the_ring_starts_anew() {
        let mut prices = fed([(1_000, 100), (1_001, 100)]);
        prices.observe(at(5_000), price(200));
        assert!(prices.known(at(5_001), 2, at(5_000)).is_none());
        prices.observe(at(5_001), price(300));
        let known = prices.known(at(5_001), 1, at(5_001)).unwrap();
        assert_eq!(known.average, Some(price(300)));
    }

    /// A walk of an hour with the venue's average of it, stamped `delay` seconds late.
    fn measured(delay: i64, step: f64) -> i64 {
        let mut rng = Rng::new(7);
        let mut walk = 9_500_000.0;
        let mut prices = SecondPrices::default();
        let mut seen: Vec<Decimal> = Vec::new();
        for sec in 0..600_i64 {
            walk += step * rng.normal();
            let value = Decimal::try_from(walk / 100.0).unwrap().round_dp(2);
            seen.push(value);
            prices.observe(at(sec), OraclePrice::try_new(value).unwrap());
            let ends = usize::try_from(sec - delay + 1).unwrap_or(0);
            if ends >= 60 {
                let sum: Decimal = seen[ends - 60..ends].iter().sum();
                let mean = OraclePrice::try_new(sum / Decimal::from(60)).unwrap();
                prices.measure(at(sec), 60, mean);
            }
        }
        prices.delay_ms()
    }

    #[test]
    fn the_delay_is_measured_on_the_stream() {
        for delay in 0..=DELAY_SECS_MAX {
            assert_eq!(measured(delay, 500.0), delay * 1_000);
        }
        // A market that does not move tells nothing, and nothing is assumed.
        assert_eq!(measured(3, 0.0), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_mean_is_the_decimal_types_own(sum in 1_i64..90_000_000_000_000_000, count in 1_i64..1_000) {
            let exact = Decimal::new(sum, DIGITS) / Decimal::from(count);
            let seen = price_of(sum.into(), count).map(OraclePrice::get);
            let wanted = Some(exact.round_dp(DIGITS + 2)).filter(|mean| *mean > Decimal::ZERO);
            prop_assert_eq!(seen, wanted);
            let float = float_of(sum.into(), count).map(f64::to_bits);
            prop_assert_eq!(float, seen.and_then(to_float).map(f64::to_bits));
            // Trailing zeros may cost a float its last bit, and no more.
            let (seen, wanted) = (seen.and_then(to_float), wanted.and_then(to_float));
            let gap = seen.zip(wanted).map_or(0.0, |(seen, wanted)| (seen / wanted - 1.0).abs());
            prop_assert!(seen.is_some() == wanted.is_some() && gap <= 2.0 * f64::EPSILON, "{seen:?} {wanted:?}");
        }

        #[test]
        fn never_outside_what_was_seen(steps in proptest::collection::vec((0i64..2_000_000, 1i64..1_000_000_000_000), 1..200),
                                       lookback in 0u32..2_000, back_ms in -5_000i64..5_000) {
            let mut prices = SecondPrices::default();
            let mut now = EpochMs(0);
            let (mut low, mut high) = (Decimal::MAX, Decimal::ZERO);
            for (step, value) in steps {
                now = now.plus_ms(step / 1_000 * 10);
                let value = OraclePrice::try_new(Decimal::new(value, 6)).unwrap();
                (low, high) = (low.min(value.get()), high.max(value.get()));
                prices.observe(now, value);
            }
            let known = prices.known(now.plus_ms(back_ms), lookback, now.plus_ms(back_ms.abs()));
            if let Some(known) = known {
                prop_assert!(known.observed <= known.elapsed);
                if let Some(average) = known.average {
                    let slack = Decimal::new(1, 8);
                    prop_assert!(average.get() >= low - slack && average.get() <= high + slack);
                }
            }
        }
    }
}
