//! `lag-tracker`: by how much the user interface's price leads the oracle's.
//!
//! Both series are sampled every half second as they reached us. Once a second the returns of the UI,
//! 0.5, 1, 2, 5, 10 and 30 s earlier, are correlated with the oracle's; τ* is the delay with the highest
//! correlation. Its p-value (Fisher's z, pairs in which both moved, Bonferroni for six tried delays) must
//! be below the significance; stability is the part of the last 30 measurements that found the same τ*.

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Analysis, Component, Lag, Observation, Readings, WarmUp, refuse};
use crate::manifest::Manifest;
use crate::refusal::{Figure, Refusal};
use crate::units::{EpochMs, to_float};
use crate::view::MarketView;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::VecDeque;

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "window_secs",
        doc: "seconds of returns that are correlated",
        kind: OptionKind::Integer {
            min: 30,
            max: 600,
            default: Some(60),
        },
    },
    OptionSpec {
        name: "significance",
        doc: "largest p-value at which a lag is believed",
        kind: OptionKind::Number {
            min: 0.0001,
            max: 0.05,
            default: Some(0.05),
        },
    },
];

/// Sampling step, ms.
const STEP_MS: i64 = 500;
/// The delays that are tried, in steps: 0.5, 1, 2, 5, 10, 30 s.
const LAGS: [usize; 6] = [1, 2, 4, 10, 20, 60];
const LONGEST: usize = 60;
/// Tried delays, for Bonferroni.
const TRIED: f64 = 6.0;
/// Pairs in which both series moved, without which there is no correlation.
const MIN_PAIRS: u32 = 20;
/// Measurements that stability looks back on: half a minute.
const MEASUREMENTS: usize = 30;
/// A correlation is held below this, so that Fisher's z stays finite.
const MOST: f64 = 0.999_999;
/// A regression slope above this is noise.
const BETA_MAX: f64 = 1.5;

#[derive(Debug)]
struct LagTracker {
    significance: f64,
    cells: usize,
    /// Log-prices per step, as a ring: (UI, oracle).
    ring: Box<[(f64, f64)]>,
    filled: usize,
    returns: Returns,
    /// The newest sample, whence the next return.
    sampled: Option<(f64, f64)>,
    /// The newest step.
    step: Option<i64>,
    ui: Option<f64>,
    oracle: Option<f64>,
    measured_sec: i64,
    best: Option<Best>,
    history: [u8; MEASUREMENTS],
    history_next: usize,
    history_filled: usize,
}

/// The returns of both series, step by step, as the correlations need them: every step of the UI's, the
/// steps at which the oracle moved, and how many pairs moved at each delay.
#[derive(Debug)]
struct Returns {
    cells: usize,
    /// The UI's returns and their squares, written twice, `span` apart, so that the newest `span` of them
    /// always stand in one piece.
    ui: Box<[f64]>,
    squares: Box<[f64]>,
    span: usize,
    /// Where the newest one is written first.
    at: usize,
    /// The oracle's moves of the last `cells` steps: (step number, return), oldest first.
    moves: VecDeque<(u64, f64)>,
    oracle: OracleSteps,
    pairs: [u32; LAGS.len()],
}

/// Whether the oracle moved at each of the last steps.
#[derive(Debug)]
struct OracleSteps {
    pushed: u64,
    /// As a ring of so many steps as are correlated.
    moved: Box<[bool]>,
}

impl OracleSteps {
    /// Notes a step; whether the one that drops out was a move.
    fn push(&mut self, moved: bool) -> bool {
        let len = u64::try_from(self.moved.len()).unwrap_or(u64::MAX).max(1);
        let slot = usize::try_from(self.pushed % len).ok();
        self.pushed = self.pushed.saturating_add(1);
        match slot.and_then(|slot| self.moved.get_mut(slot)) {
            Some(slot) => std::mem::replace(slot, moved),
            None => false,
        }
    }
}

/// Sums over pairs of returns: UI with itself, oracle with itself, UI with oracle; pairs in which both
/// moved.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    uu: f64,
    oo: f64,
    uo: f64,
    pairs: u32,
}

impl Sums {
    /// The correlation of the oracle's returns with the UI's of `lag` steps before.
    fn correlation(&self, index: u8, lag: usize) -> Option<Best> {
        let Self { uu, oo, uo, pairs } = *self;
        let norm = libm::sqrt(uu * oo);
        if pairs < MIN_PAIRS || !norm.is_finite() || norm <= 0.0 {
            return None;
        }
        Some(Best {
            index,
            steps: lag,
            correlation: (uo / norm).clamp(-MOST, MOST),
            p_value: 1.0,
            beta: (uo / uu).clamp(0.0, BETA_MAX),
        })
    }

    /// Chance of such a correlation of so many pairs without any lag, all tried delays counted.
    fn p_value(pairs: u32, correlation: f64) -> f64 {
        let z = libm::atanh(correlation) * libm::sqrt(f64::from(pairs) - 3.0);
        let p_value = libm::erfc(libm::fabs(z) / core::f64::consts::SQRT_2) * TRIED;
        p_value.min(1.0)
    }
}

impl Returns {
    fn new(cells: usize) -> Self {
        // One more step than is correlated: the pair that drops out is looked at last.
        let span = cells + LONGEST + 1;
        Self {
            cells,
            ui: vec![0.0; 2 * span].into_boxed_slice(),
            squares: vec![0.0; 2 * span].into_boxed_slice(),
            span,
            at: 0,
            moves: VecDeque::with_capacity(cells + 1),
            oracle: OracleSteps {
                pushed: 0,
                moved: vec![false; cells].into_boxed_slice(),
            },
            pairs: [0; LAGS.len()],
        }
    }

    /// As before the first step.
    fn forget(&mut self) {
        self.ui.fill(0.0);
        self.squares.fill(0.0);
        self.moves.clear();
        self.oracle.moved.fill(false);
        self.pairs = [0; LAGS.len()];
    }

    /// Takes the returns of one more step. Allocates nothing: the moves have room for every step.
    fn push(&mut self, ui: f64, oracle: f64) {
        self.at = (self.at + 1) % self.span.max(1);
        for place in [self.at, self.at + self.span] {
            if let (Some(value), Some(square)) =
                (self.ui.get_mut(place), self.squares.get_mut(place))
            {
                (*value, *square) = (ui, ui * ui);
            }
        }
        let number = self.oracle.pushed;
        let has_moved = oracle.abs() > 0.0;
        let drops = self.oracle.push(has_moved);
        if has_moved {
            self.moves.push_back((number, oracle));
        }
        let oldest = self
            .oracle
            .pushed
            .saturating_sub(u64::try_from(self.cells).unwrap_or(0));
        while self
            .moves
            .front()
            .is_some_and(|(number, _)| *number < oldest)
        {
            self.moves.pop_front();
        }
        // Integers: what is added and taken away again leaves nothing behind.
        let newest = self.at + self.span;
        let moved = |ui: &[f64], back: usize| {
            let ui = newest.checked_sub(back).and_then(|place| ui.get(place));
            u32::from(ui.is_some_and(|ui| ui.abs() > 0.0))
        };
        if has_moved || drops {
            for (pairs, lag) in self.pairs.iter_mut().zip(LAGS) {
                *pairs += u32::from(has_moved) * moved(&self.ui, lag);
                let gone = u32::from(drops) * moved(&self.ui, lag + self.cells);
                *pairs = pairs.saturating_sub(gone);
            }
        }
    }

    /// Sums over the oracle's returns and the UI's of each delay before, each from the newest to the
    /// oldest. Steps at which the oracle stood still add nothing to its sums.
    fn sums(&self) -> [Sums; LAGS.len()] {
        let newest = self.at + self.span;
        let mut oo = 0.0;
        let mut uo = [0.0; LAGS.len()];
        // All delays in one pass: their additions do not wait for each other.
        for (number, oracle) in self.moves.iter().rev() {
            oo += oracle * oracle;
            let back = usize::try_from(self.oracle.pushed - 1 - number).unwrap_or(usize::MAX);
            let Some(earlier) = before(&self.ui, newest, back) else {
                continue;
            };
            for (uo, ui) in uo.iter_mut().zip(lagged(earlier)) {
                *uo += ui * oracle;
            }
        }
        let mut uu = [0.0; LAGS.len()];
        for back in 0..self.cells {
            let Some(earlier) = before(&self.squares, newest, back) else {
                continue;
            };
            for (uu, square) in uu.iter_mut().zip(lagged(earlier)) {
                *uu += square;
            }
        }
        let mut all = [Sums::default(); LAGS.len()];
        let parts = uu.into_iter().zip(uo).zip(self.pairs);
        for (sums, ((uu, uo), pairs)) in all.iter_mut().zip(parts) {
            *sums = Sums { uu, oo, uo, pairs };
        }
        all
    }
}

/// The [`LONGEST`] values before the one that stands `back` steps before `newest`, oldest first.
fn before(values: &[f64], newest: usize, back: usize) -> Option<&[f64; LONGEST]> {
    let end = newest.checked_sub(back)?;
    values.get(end.checked_sub(LONGEST)?..end)?.try_into().ok()
}

/// The value of each delay.
const fn lagged(earlier: &[f64; LONGEST]) -> [f64; LAGS.len()] {
    let [
        thirty,
        ..,
        ten,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        five,
        _,
        _,
        _,
        _,
        _,
        two,
        _,
        one,
        half,
    ] = *earlier;
    [half, one, two, five, ten, thirty]
}

/// The best delay of one measurement.
#[derive(Debug, Clone, Copy)]
struct Best {
    index: u8,
    steps: usize,
    correlation: f64,
    p_value: f64,
    beta: f64,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn Analysis>, OptionError> {
    Ok(Box::new(LagTracker::new(options)?))
}

impl Component for LagTracker {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        let wanted = self.cells + LONGEST + 1;
        if self.filled < wanted {
            return Err(refuse(
                "lag_warming_up",
                Figure::Ms(ms(self.filled)),
                Figure::Ms(ms(wanted)),
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl Analysis for LagTracker {
    fn observe(&mut self, seen: &Observation) {
        let (price, seen_at) = match *seen {
            Observation::Oracle { price, seen_at, .. } => (price.get(), seen_at),
            Observation::Ui { price, seen_at, .. } => (price.get(), seen_at),
        };
        let Some(price) = log_of(price) else { return };
        self.advance(seen_at);
        match seen {
            Observation::Oracle { .. } => self.oracle = Some(price),
            Observation::Ui { .. } => self.ui = Some(price),
        }
    }

    fn read(&self, _: &MarketView<'_>, readings: &mut Readings) {
        readings.lag = Some(self.lag());
    }
}

impl LagTracker {
    fn new(options: &Options) -> Result<Self, OptionError> {
        let steps = options.integer("window_secs")?.saturating_mul(2);
        let cells = usize::try_from(steps).unwrap_or_default();
        Ok(Self {
            significance: options.number("significance")?,
            cells,
            ring: vec![(0.0, 0.0); cells + LONGEST + 2].into_boxed_slice(),
            filled: 0,
            returns: Returns::new(cells),
            sampled: None,
            step: None,
            ui: None,
            oracle: None,
            measured_sec: 0,
            best: None,
            history: [u8::MAX; MEASUREMENTS],
            history_next: 0,
            history_filled: 0,
        })
    }

    /// Samples both series at every step that ended before `now`, and measures once a second.
    fn advance(&mut self, now: EpochMs) {
        let step = now.0.div_euclid(STEP_MS);
        let Some(newest) = self.step else {
            self.step = Some(step);
            return;
        };
        if step <= newest {
            return;
        }
        self.step = Some(step);
        let (Some(ui), Some(oracle)) = (self.ui, self.oracle) else {
            return;
        };
        let missing = usize::try_from(step - newest).unwrap_or(usize::MAX);
        if missing >= self.ring.len() {
            // A pause longer than all that is remembered: begin again.
            self.filled = 0;
            self.returns.forget();
            self.sampled = None;
            self.best = None;
            self.history = [u8::MAX; MEASUREMENTS];
            self.history_filled = 0;
            return;
        }
        for ended in newest + 1..=step {
            if let Some(slot) = self.index(ended).and_then(|at| self.ring.get_mut(at)) {
                *slot = (ui, oracle);
            }
            if let Some(earlier) = self.sampled.replace((ui, oracle)) {
                self.returns.push(ui - earlier.0, oracle - earlier.1);
            }
            self.filled = (self.filled + 1).min(self.ring.len());
        }
        let sec = now.0.div_euclid(1_000);
        if sec != self.measured_sec {
            self.measured_sec = sec;
            self.measure();
        }
    }

    fn index(&self, step: i64) -> Option<usize> {
        let len = i64::try_from(self.ring.len()).ok()?;
        usize::try_from(step.rem_euclid(len)).ok()
    }

    /// The sample so many steps before `step`.
    fn back(&self, step: i64, steps: usize) -> Option<(f64, f64)> {
        let step = step.checked_sub(i64::try_from(steps).ok()?)?;
        self.ring.get(self.index(step)?).copied()
    }

    fn measure(&mut self) {
        if self.filled < self.cells + LONGEST + 1 {
            return;
        }
        let mut best: Option<Best> = None;
        let mut pairs = 0;
        for (index, (lag, sums)) in (0_u8..).zip(LAGS.into_iter().zip(self.returns.sums())) {
            if let Some(seen) = sums.correlation(index, lag)
                && best.is_none_or(|best| seen.correlation > best.correlation)
            {
                (best, pairs) = (Some(seen), sums.pairs);
            }
        }
        if let Some(best) = &mut best {
            best.p_value = Sums::p_value(pairs, best.correlation);
        }
        self.best = best;
        if let Some(slot) = self.history.get_mut(self.history_next) {
            *slot = best.map_or(u8::MAX, |best| best.index);
        }
        self.history_next = (self.history_next + 1) % MEASUREMENTS;
        self.history_filled = (self.history_filled + 1).min(MEASUREMENTS);
    }

    fn lag(&self) -> Result<Lag, Refusal> {
        self.warm_up(&WarmUp::NOTHING)?;
        let few = refuse(
            "lag_few_moves",
            Figure::None,
            Figure::Count(MIN_PAIRS.into()),
        );
        let (Some(best), Some(step), Some(ui)) = (self.best, self.step, self.ui) else {
            return Err(few);
        };
        if best.correlation <= 0.0 || best.p_value >= self.significance {
            return Err(refuse(
                "lag_not_significant",
                Figure::Real(best.p_value),
                Figure::Real(self.significance),
            ));
        }
        let same = self
            .history
            .iter()
            .map(|index| usize::from(*index == best.index))
            .sum();
        let (earlier, _) = self.back(step, best.steps).ok_or(few)?;
        Ok(Lag {
            tau_ms: ms(best.steps),
            correlation: best.correlation,
            p_value: best.p_value,
            stability: part(same, self.history_filled),
            pending_return: best.beta * (ui - earlier),
        })
    }
}

fn log_of(price: Decimal) -> Option<f64> {
    to_float(price).map(libm::log).filter(|x| x.is_finite())
}

fn ms(steps: usize) -> i64 {
    i64::try_from(steps)
        .unwrap_or(i64::MAX)
        .saturating_mul(STEP_MS)
}

/// `n` of `of`, 0 when there is nothing.
fn part(n: usize, of: usize) -> f64 {
    let float = |n: usize| u32::try_from(n).map_or(f64::INFINITY, f64::from);
    if of == 0 { 0.0 } else { float(n) / float(of) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Rng;
    use crate::units::{OraclePrice, UiPrice};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn tracker() -> LagTracker {
        LagTracker::new(&Options::read(OPTIONS, &BTreeMap::new()).unwrap()).unwrap()
    }

    fn price(x: f64) -> Decimal {
        Decimal::try_from(x).unwrap().round_dp(6)
    }

    /// A UI that moves each half second; the oracle shows the same `lag` half seconds later, with noise.
    fn followed(lag: usize, noise: f64, seed: u64) -> LagTracker {
        let mut rng = Rng::new(seed);
        let mut tracker = tracker();
        let mut path = vec![95_000.0_f64];
        for step in 0..500_usize {
            let moved = path[step] * (1.0 + 1e-5 * rng.normal());
            path.push(moved);
            let at = EpochMs(i64::try_from(step).unwrap() * STEP_MS + 10);
            let ui = UiPrice::try_new(price(path[step])).unwrap();
            tracker.observe(&Observation::Ui {
                price: ui,
                at,
                seen_at: at,
            });
            let shown = path[step.saturating_sub(lag)] * (1.0 + noise * rng.normal());
            let oracle = OraclePrice::try_new(price(shown)).unwrap();
            tracker.observe(&Observation::Oracle {
                price: oracle,
                at,
                seen_at: at,
            });
        }
        tracker
    }

    #[test]
    fn each_planted_lag_is_found() {
        for lag in LAGS {
            let seen = followed(lag, 2e-6, 5).lag().unwrap();
            assert_eq!(seen.tau_ms, ms(lag));
            assert!(seen.p_value < 0.001 && seen.correlation > 0.5, "{seen:?}");
            assert!(seen.stability > 0.9, "{seen:?}");
        }
    }

    #[test]
    fn the_pending_move_is_what_the_oracle_has_not_shown() {
        let tracker = followed(10, 0.0, 6);
        let seen = tracker.lag().unwrap();
        let gap = tracker.ui.unwrap() - tracker.oracle.unwrap();
        assert!(
            (seen.pending_return - gap).abs() < 0.1 * gap.abs() + 2e-5,
            "{seen:?} {gap}"
        );
    }

    #[test]
    fn noise_has_no_lag() {
        // The oracle's own noise drowns the UI's moves: five runs in a hundred may err, here none of 20.
        let believed = (0..20)
            .filter(|seed| followed(4, 1e-3, *seed).lag().is_ok())
            .count();
        assert!(believed <= 3, "{believed}");
    }

    /// Every step of both series, moved or not.
    fn dense_sums(tracker: &LagTracker) -> [Sums; LAGS.len()] {
        let step = tracker.step.unwrap();
        let back = |steps: usize| tracker.back(step, steps).unwrap();
        let returns = |steps: usize| {
            let (later, earlier) = (back(steps), back(steps + 1));
            (later.0 - earlier.0, later.1 - earlier.1)
        };
        LAGS.map(|lag| {
            let mut sums = Sums::default();
            for steps in 0..tracker.cells {
                let ((ui, _), (_, oracle)) = (returns(steps + lag), returns(steps));
                sums.uu += ui * ui;
                sums.oo += oracle * oracle;
                sums.uo += ui * oracle;
                sums.pairs += u32::from(ui.abs() > 0.0 && oracle.abs() > 0.0);
            }
            sums
        })
    }

    #[test]
    fn each_delay_is_its_place_before() {
        let mut values = [0.0; LONGEST];
        for (value, n) in values.iter_mut().rev().zip(1_u32..) {
            *value = f64::from(n);
        }
        let steps = lagged(&values).map(f64::to_bits);
        let wanted = LAGS.map(|lag| f64::from(u32::try_from(lag).unwrap()).to_bits());
        assert_eq!(steps, wanted);
    }

    #[test]
    fn sums_over_the_moves_are_those_over_all_steps() {
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            let mut tracker = tracker();
            let (mut path, mut offset) = (95_000.0_f64, 0_i64);
            for step in 0..700_i64 {
                let at = EpochMs((step + offset) * STEP_MS + 10);
                path *= 1.0 + 1e-5 * rng.normal();
                if step == 60 {
                    // Longer than all that is remembered: everything begins again.
                    offset += 1_000;
                }
                if rng.below(4) > 0 {
                    let price = OraclePrice::try_new(price(path)).unwrap();
                    tracker.observe(&Observation::Oracle {
                        price,
                        at,
                        seen_at: at,
                    });
                }
                if rng.below(3) > 0 {
                    let price = UiPrice::try_new(price(path + rng.normal())).unwrap();
                    tracker.observe(&Observation::Ui {
                        price,
                        at,
                        seen_at: at,
                    });
                }
            }
            let bits = |sums: Sums| {
                let floats = [sums.uu, sums.oo, sums.uo].map(f64::to_bits);
                (floats, sums.pairs)
            };
            let (seen, wanted) = (tracker.returns.sums(), dense_sums(&tracker));
            assert_eq!(seen.map(bits), wanted.map(bits), "seed {seed}");
            assert!(seen.iter().all(|sums| sums.pairs > MIN_PAIRS));
        }
    }

    #[test]
    fn too_little_and_too_old_are_refused() {
        assert_eq!(tracker().lag().unwrap_err().code, "lag_warming_up");
        let mut tracker = followed(4, 2e-6, 5);
        let late = EpochMs(10_000_000);
        let ui = UiPrice::try_new(price(95_000.0)).unwrap();
        tracker.observe(&Observation::Ui {
            price: ui,
            at: late,
            seen_at: late,
        });
        assert_eq!(tracker.lag().unwrap_err().code, "lag_warming_up");
    }

    #[test]
    fn a_market_that_stands_still_has_no_lag() {
        let mut tracker = tracker();
        for step in 0..400 {
            let at = EpochMs(step * STEP_MS);
            let ui = UiPrice::try_new(price(95_000.0)).unwrap();
            let oracle = OraclePrice::try_new(price(95_000.0)).unwrap();
            tracker.observe(&Observation::Ui {
                price: ui,
                at,
                seen_at: at,
            });
            tracker.observe(&Observation::Oracle {
                price: oracle,
                at,
                seen_at: at,
            });
        }
        assert_eq!(tracker.lag().unwrap_err().code, "lag_few_moves");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn finite_or_refused(ticks in proptest::collection::vec((0i64..3_000, 1i64..1_000_000_000, any::<bool>()), 300..600)) {
            let mut tracker = tracker();
            let mut now = EpochMs(0);
            for (step, value, is_ui) in ticks {
                now = now.plus_ms(step);
                let value = Decimal::new(value, 4);
                tracker.observe(&if is_ui {
                    Observation::Ui { price: UiPrice::try_new(value).unwrap(), at: now, seen_at: now }
                } else {
                    Observation::Oracle { price: OraclePrice::try_new(value).unwrap(), at: now, seen_at: now }
                });
                if let Ok(lag) = tracker.lag() {
                    prop_assert!(lag.pending_return.is_finite() && (-1.0..=1.0).contains(&lag.correlation));
                    prop_assert!((0.0..=1.0).contains(&lag.p_value) && (0.0..=1.0).contains(&lag.stability));
                }
            }
        }
    }
}
