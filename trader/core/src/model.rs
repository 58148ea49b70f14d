//! The probability that a window settles Up, from oracle price, reference price, volatility and time.
//!
//! Inputs carry the type of their series; the token's price is never one of them. Floats live here
//! and only here. Formulas, with year = 365 × 86,400 s, v = σ²/year:
//!
//! | rule | `p_up` |
//! |---|---|
//! | spot | Φ((ln(S/K) − s²/2)/s), s = σ√(τ/year) |
//! | TWAP over L, τ ≥ L | Φ((S − K)/√(S² v ((τ − L) + L/3))) |
//! | TWAP over L, τ < L | w = τ/L: Φ(((1−w)A + wS − K)/√(S² v w² τ/3)), A = average so far |
//!
//! Worked: S 95,000, K 94,899, σ 0.45, τ 300 s on the spot rule gives d = 0.7657 and p = 0.7781.

use crate::units::{OraclePrice, Probability, ReferencePrice, Volatility, to_float};

/// Seconds of the model's year: 365 days.
pub const YEAR_SECS: f64 = 365.0 * 86_400.0;

/// How many standard deviations a move since the open may have before the inputs are taken for
/// wrong (a token price as oracle price, another asset's price, a wrong window).
pub const PLAUSIBLE_SIGMAS: f64 = 6.0;

/// Seconds added to the elapsed time in the plausibility test, so that the first ticks of a window
/// are not refused.
pub const PLAUSIBLE_OFFSET_SECS: f64 = 5.0;

/// What the window settles on, as the model needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Settlement {
    /// The instant's price.
    Spot,
    /// The average over the last so many seconds.
    Twap {
        /// L, seconds.
        lookback_secs: u32,
        /// A: average of the part of the look-back that has passed already. Needed once τ < L.
        average_so_far: Option<OraclePrice>,
    },
}

/// The model's inputs, all of one asset and one window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelInput {
    /// S.
    pub oracle: OraclePrice,
    /// K.
    pub reference: ReferencePrice,
    /// σ of the oracle's own returns, annualised.
    pub volatility: Volatility,
    /// τ: milliseconds to the close.
    pub remaining_ms: i64,
    /// L and A.
    pub settlement: Settlement,
}

/// The model's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Standard deviations between the expected settlement and the reference.
    pub d: f64,
    /// Probability of Up.
    pub up: Probability,
    /// How far d moves per unit of log-return of the oracle price (∂d/∂ln S), never negative.
    pub slope: f64,
}

impl Estimate {
    /// The same market with the oracle price moved by a log-return: to first order exact for the spot
    /// rule, and for TWAP as long as the move is small against the price.
    ///
    /// # Errors
    /// [`ModelRefusal::OutOfRange`] when the move is not finite.
    pub fn moved(&self, log_return: f64) -> Result<Self, ModelRefusal> {
        if !log_return.is_finite() {
            return Err(ModelRefusal::OutOfRange);
        }
        let d = self.d + log_return * self.slope;
        let up = Probability::try_new(phi(d)).map_err(|_| ModelRefusal::OutOfRange)?;
        Ok(Self { d, up, ..*self })
    }
}

/// Why the model has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ModelRefusal {
    /// τ ≤ 0: there is nothing left to estimate.
    #[error("no time is left in the window")]
    NoTimeLeft,
    /// A price is too large or too small for a float.
    #[error("a price is outside the model's range")]
    OutOfRange,
    /// Inside the averaging, and the average so far is not known.
    #[error("the settlement average has begun and its part so far is not known")]
    AverageUnknown,
}

/// `p_up`.
///
/// # Errors
/// [`ModelRefusal`]; never NaN.
#[expect(clippy::many_single_char_names, reason = "the formula's own letters")]
pub fn p_up(input: &ModelInput) -> Result<Estimate, ModelRefusal> {
    if input.remaining_ms <= 0 {
        return Err(ModelRefusal::NoTimeLeft);
    }
    let s = in_range(to_float(input.oracle.get()))?;
    let k = in_range(to_float(input.reference.get()))?;
    let tau = ms_to_secs(input.remaining_ms);
    let sigma = input.volatility.get();
    let v = sigma * sigma / YEAR_SECS;
    let (d, slope) = match input.settlement {
        Settlement::Spot => {
            let spread = sigma * libm::sqrt(tau / YEAR_SECS);
            let d = (libm::log(s / k) - spread * spread / 2.0) / spread;
            (d, 1.0 / spread)
        }
        Settlement::Twap {
            lookback_secs,
            average_so_far,
        } => {
            let l = f64::from(lookback_secs);
            if tau >= l {
                let spread = s * libm::sqrt(v * ((tau - l) + l / 3.0));
                ((s - k) / spread, k / spread)
            } else {
                let known = average_so_far.ok_or(ModelRefusal::AverageUnknown)?;
                let a = in_range(to_float(known.get()))?;
                let w = tau / l;
                let spread = s * w * libm::sqrt(v * tau / 3.0);
                // What the rest of the average must still bring.
                let missing = k - (1.0 - w) * a;
                ((w * s - missing) / spread, (missing / spread).max(0.0))
            }
        }
    };
    let up = Probability::try_new(phi(d)).map_err(|_| ModelRefusal::OutOfRange)?;
    Ok(Estimate { d, up, slope })
}

/// Whether the move from reference to oracle price is one that this volatility could have made since
/// the open; the figures are |ln(S/K)| and its bound.
pub fn plausibility(
    oracle: OraclePrice,
    reference: ReferencePrice,
    volatility: Volatility,
    elapsed_ms: i64,
    lookback_secs: u32,
    sigmas: f64,
) -> (f64, f64) {
    let ratio = match (to_float(oracle.get()), to_float(reference.get())) {
        (Some(s), Some(k)) if s > 0.0 && k > 0.0 => libm::fabs(libm::log(s / k)),
        _ => f64::INFINITY,
    };
    let secs =
        ms_to_secs(elapsed_ms.max(0)) + f64::from(lookback_secs) / 3.0 + PLAUSIBLE_OFFSET_SECS;
    (
        ratio,
        sigmas * volatility.get() * libm::sqrt(secs / YEAR_SECS),
    )
}

/// Φ, the standard normal distribution function, through `erfc`: exact in both tails.
pub fn phi(x: f64) -> f64 {
    0.5 * libm::erfc(-x / core::f64::consts::SQRT_2)
}

/// Milliseconds as seconds; exact for every time within a window.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "i64 to f64 has no `From`; windows are far below 2^53 ms"
)]
pub(crate) fn ms_to_secs(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

fn in_range(value: Option<f64>) -> Result<f64, ModelRefusal> {
    value
        .filter(|x| x.is_finite() && *x > 0.0)
        .ok_or(ModelRefusal::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{self, GOLDEN};
    use proptest::prelude::*;

    #[test]
    fn the_golden_table_holds() {
        for row in &GOLDEN {
            let seen = golden::check(row);
            assert!(seen.is_ok(), "{seen:?}");
        }
    }

    #[test]
    fn the_incidents_call_is_refused() {
        // A token price as S and the coin flip as K: the arithmetic says "certain", the guard says no.
        let (s, k) = ("0.55".parse().unwrap(), "0.50".parse().unwrap());
        let sigma = Volatility::try_new(0.5).unwrap();
        let saturated = p_up(&ModelInput {
            oracle: s,
            reference: k,
            volatility: sigma,
            remaining_ms: 900_000,
            settlement: Settlement::Spot,
        })
        .unwrap();
        assert!((saturated.d - 35.7).abs() < 0.05, "{}", saturated.d);
        assert!(saturated.up.get() > 1.0 - 1e-15);
        for elapsed_ms in [0, 300_000, 899_000] {
            let (seen, bound) = plausibility(s, k, sigma, elapsed_ms, 0, PLAUSIBLE_SIGMAS);
            assert!(seen > 4.0 * bound, "{seen} against {bound}");
        }
    }

    #[test]
    fn honest_moves_are_plausible() {
        let sigma = Volatility::try_new(0.45).unwrap();
        for (s, k, elapsed_ms, lookback) in [
            ("95000", "95000", 0, 0),
            ("95100", "95000", 60_000, 60),
            ("94500", "95000", 600_000, 60),
        ] {
            let (seen, bound) = plausibility(
                s.parse().unwrap(),
                k.parse().unwrap(),
                sigma,
                elapsed_ms,
                lookback,
                PLAUSIBLE_SIGMAS,
            );
            assert!(seen <= bound, "{s} {k}: {seen} against {bound}");
        }
    }

    #[test]
    fn no_time_and_no_average_are_refusals() {
        let mut input = spot(95_000.0, 95_000.0, 0.5, 0);
        assert_eq!(p_up(&input), Err(ModelRefusal::NoTimeLeft));
        input.remaining_ms = 59_999;
        input.settlement = Settlement::Twap {
            lookback_secs: 60,
            average_so_far: None,
        };
        assert_eq!(p_up(&input), Err(ModelRefusal::AverageUnknown));
    }

    fn price(x: f64) -> rust_decimal::Decimal {
        rust_decimal::Decimal::try_from(x).unwrap()
    }

    fn spot(s: f64, k: f64, sigma: f64, remaining_ms: i64) -> ModelInput {
        ModelInput {
            oracle: OraclePrice::try_new(price(s)).unwrap(),
            reference: ReferencePrice::try_new(price(k)).unwrap(),
            volatility: Volatility::try_new(sigma).unwrap(),
            remaining_ms,
            settlement: Settlement::Spot,
        }
    }

    fn up(input: &ModelInput) -> f64 {
        p_up(input).unwrap().up.get()
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn never_nan(s in 0.0001f64..1e9, k in 0.0001f64..1e9, sigma in 1e-6f64..1e3, ms in 1i64..900_001,
                     l in 1u32..900, a in 0.0001f64..1e9) {
            let mut input = spot(s, k, sigma, ms);
            prop_assert!((0.0..=1.0).contains(&up(&input)));
            input.settlement = Settlement::Twap {
                lookback_secs: l,
                average_so_far: Some(OraclePrice::try_new(price(a)).unwrap()),
            };
            prop_assert!((0.0..=1.0).contains(&up(&input)));
        }

        #[test]
        fn rises_in_s_and_falls_in_k(s in 90_000.0f64..100_000.0, k in 90_000.0f64..100_000.0, step in 0.01f64..500.0,
                                     sigma in 0.05f64..2.0, ms in 1_000i64..900_000, twap in any::<bool>()) {
            let with = |s: f64, k: f64| {
                let mut input = spot(s, k, sigma, ms.max(60_000));
                if twap {
                    input.settlement = Settlement::Twap { lookback_secs: 60, average_so_far: None };
                }
                up(&input)
            };
            prop_assert!(with(s + step, k) >= with(s, k));
            prop_assert!(with(s, k + step) <= with(s, k));
        }

        #[test]
        fn rises_in_s_inside_the_average(s in 90_000.0f64..100_000.0, k in 90_000.0f64..100_000.0, a in 90_000.0f64..100_000.0,
                                         step in 0.01f64..500.0, sigma in 0.05f64..2.0, ms in 1_000i64..60_000) {
            let with = |s: f64| {
                let mut input = spot(s, k, sigma, ms);
                let average_so_far = Some(OraclePrice::try_new(price(a)).unwrap());
                input.settlement = Settlement::Twap { lookback_secs: 60, average_so_far };
                up(&input)
            };
            let known = (1.0 - ms_to_secs(ms) / 60.0) * a;
            if k > known {
                prop_assert!(with(s + step) >= with(s));
            } else {
                // The elapsed part alone is above the reference: only a price near 0 could lose it.
                prop_assert!(with(s) > 1.0 - 1e-9 && with(s + step) > 1.0 - 1e-9);
            }
        }

        #[test]
        fn a_small_move_is_what_the_model_says_after_it(s in 94_000.0f64..96_000.0, a in 94_000.0f64..96_000.0, sigma in 0.2f64..1.0,
                                                        ms in 10_000i64..900_000, bps in -5.0f64..5.0, twap in any::<bool>()) {
            let mut input = spot(s, 95_000.0, sigma, ms);
            if twap {
                let average_so_far = Some(OraclePrice::try_new(price(a)).unwrap());
                input.settlement = Settlement::Twap { lookback_secs: 60, average_so_far };
            }
            let before = p_up(&input).unwrap();
            let log_return = bps / 10_000.0;
            input.oracle = OraclePrice::try_new(price(s * libm::exp(log_return))).unwrap();
            prop_assert!((before.moved(log_return).unwrap().up.get() - up(&input)).abs() < 2e-3);
        }

        #[test]
        fn no_move_makes_a_nan(log_return in proptest::num::f64::ANY, s in 1.0f64..1e6, k in 1.0f64..1e6, ms in 1i64..900_000) {
            let moved = p_up(&spot(s, k, 0.5, ms)).unwrap().moved(log_return);
            prop_assert!(moved.is_err() || (0.0..=1.0).contains(&moved.unwrap().up.get()));
        }

        #[test]
        fn near_one_half_at_the_reference(s in 1.0f64..100_000.0, sigma in 0.05f64..2.0, ms in 1_000i64..900_000) {
            prop_assert!((up(&spot(s, s, sigma, ms)) - 0.5).abs() < 0.003);
        }

        #[test]
        fn a_step_at_the_end_and_a_coin_flip_far_away(gap in 0.001f64..0.01, sigma in 0.2f64..1.0) {
            let s = 95_000.0 * (1.0 + gap);
            prop_assert!(up(&spot(s, 95_000.0, sigma, 10)) > 0.999_999);
            let near = up(&spot(s, 95_000.0, sigma, 60_000));
            let far = up(&spot(s, 95_000.0, sigma, 900_000));
            prop_assert!(far <= near && far > 0.49);
        }

        #[test]
        fn twap_is_continuous_where_averaging_begins(s in 94_000.0f64..96_000.0, sigma in 0.1f64..2.0) {
            let at = |ms: i64| {
                let mut input = spot(s, 95_000.0, sigma, ms);
                input.settlement = Settlement::Twap {
                    lookback_secs: 60,
                    average_so_far: Some(OraclePrice::try_new(price(s)).unwrap()),
                };
                up(&input)
            };
            prop_assert!((at(60_000) - at(59_999)).abs() < 1e-3);
        }

        #[test]
        fn twap_becomes_spot_as_the_average_shrinks(s in 94_000.0f64..96_000.0, sigma in 0.1f64..0.46, ms in 120_000i64..900_000) {
            let mut input = spot(s, 95_000.0, sigma, ms);
            let plain = up(&input);
            input.settlement = Settlement::Twap { lookback_secs: 0, average_so_far: None };
            prop_assert!((up(&input) - plain).abs() < 5e-4);
        }

        #[test]
        fn phi_is_symmetric(x in -8.0f64..8.0) {
            prop_assert!((phi(x) + phi(-x) - 1.0).abs() < 1e-15);
        }
    }
}
