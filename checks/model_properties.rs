//! LC-306 model properties: what a probability of this kind must do whatever its inputs, on seeded random
//! ones.
//!
//! Rises with the price, falls with the reference, says one half where they meet, becomes a step as time
//! runs out and a coin flip as it does not, is continuous where the averaging begins, and is never certain
//! with time left. Reads no fact: the model is compiled in. Incident 8: a model that was a step at 0.50
//! passed every test it had, because its own number was the only one asked for.

use crate::facts::Facts;
use crate::outcome::{Finding, Outcome};
use rust_decimal::Decimal;
use trader_core::model::{Estimate, ModelInput, ModelRefusal, Settlement, YEAR_SECS, p_up, phi};
use trader_core::sim::rng::Rng;
use trader_core::units::{OraclePrice, ReferencePrice, Volatility};

/// Seed of the inputs.
const SEED: u64 = 306;
/// Inputs that each property is asked on.
const SAMPLES: u32 = 300;
/// The venue's look-back in autumn 2026, seconds, and the length of its longest window, ms.
const LOOKBACK_SECS: u32 = 60;
const LOOKBACK_MS: u32 = 60_000;
const WINDOW_MS: u32 = 900_000;

/// The model that is judged.
type Model<'a> = &'a dyn Fn(&ModelInput) -> Result<Estimate, ModelRefusal>;
/// Draws inputs and says what does not hold.
type Property = fn(Model<'_>, &mut Rng) -> Result<(), String>;

/// Every property, with thresholds from the model's own description.
const PROPERTIES: &[(&str, Property)] = &[
    ("a probability for any finite input", never_nan),
    ("is Φ of its own d", is_phi_of_d),
    ("rises with S and falls with K", rises_and_falls),
    ("rises with S inside the average", rises_inside_the_average),
    (
        "near one half where S = K, and fair to both sides",
        half_at_the_reference,
    ),
    (
        "a step at the end, a coin flip far away",
        step_and_coin_flip,
    ),
    (
        "continuous where averaging begins",
        continuous_at_the_lookback,
    ),
    (
        "the average's rule becomes the spot rule",
        twap_becomes_spot,
    ),
    ("never certain with time left", not_saturated),
    ("listens to volatility and price", listens),
];

pub(crate) fn run(_: &Facts) -> Outcome {
    judge(&p_up, PROPERTIES)
}

fn judge(model: Model<'_>, properties: &[(&str, Property)]) -> Outcome {
    if properties.is_empty() {
        return Finding::new("there is no property to ask for").unknown();
    }
    let mut broken = Vec::new();
    for (name, property) in properties {
        let mut rng = Rng::new(SEED);
        let first = (0..SAMPLES).find_map(|_| property(model, &mut rng).err());
        broken.extend(first.map(|why| format!("{name}: {why}")));
    }
    let asked = format!("{} properties on {SAMPLES} inputs each", properties.len());
    if broken.is_empty() {
        return Finding::new(format!("{asked} hold"))
            .evidence("properties", properties.len())
            .evidence("samples", SAMPLES)
            .evidence("seed", SEED)
            .pass();
    }
    Finding::new(format!("{} of {asked} do not hold", broken.len()))
        .evidence("seed", SEED)
        .seen(broken)
        .help("the model was changed: do not trade with it; compare trader/core/src/model.rs with its history")
        .fail()
}

// ---- inputs ---------------------------------------------------------------------------------------

fn between(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.uniform()
}

/// Even over the orders of magnitude: 1e-4 is as likely as 1e9.
fn of_any_size(rng: &mut Rng, low: f64, high: f64) -> f64 {
    between(rng, low.ln(), high.ln()).exp()
}

fn ms(rng: &mut Rng, least: u32, below: u32) -> i64 {
    i64::from(least + rng.below(below.saturating_sub(least)))
}

fn price(x: f64) -> Result<Decimal, String> {
    Decimal::try_from(x).map_err(|error| format!("{x} is no price: {error}"))
}

fn oracle(x: f64) -> Result<OraclePrice, String> {
    OraclePrice::try_new(price(x)?).map_err(|error| error.to_string())
}

fn spot(s: f64, k: f64, sigma: f64, remaining_ms: i64) -> Result<ModelInput, String> {
    Ok(ModelInput {
        oracle: oracle(s)?,
        reference: ReferencePrice::try_new(price(k)?).map_err(|error| error.to_string())?,
        volatility: Volatility::try_new(sigma).map_err(|error| error.to_string())?,
        remaining_ms,
        settlement: Settlement::Spot,
    })
}

fn averaged(
    input: ModelInput,
    lookback_secs: u32,
    so_far: Option<f64>,
) -> Result<ModelInput, String> {
    let average_so_far = so_far.map(oracle).transpose()?;
    Ok(ModelInput {
        settlement: Settlement::Twap {
            lookback_secs,
            average_so_far,
        },
        ..input
    })
}

fn estimate(model: Model<'_>, input: &ModelInput) -> Result<Estimate, String> {
    let estimate = model(input).map_err(|error| format!("{} refused: {error}", shown(input)))?;
    if (0.0..=1.0).contains(&estimate.up.get()) && !estimate.d.is_nan() {
        Ok(estimate)
    } else {
        Err(format!("{} gives {estimate:?}", shown(input)))
    }
}

fn up(model: Model<'_>, input: &ModelInput) -> Result<f64, String> {
    estimate(model, input).map(|estimate| estimate.up.get())
}

fn shown(input: &ModelInput) -> String {
    let rule = match input.settlement {
        Settlement::Spot => "spot".to_owned(),
        Settlement::Twap {
            lookback_secs,
            average_so_far,
        } => {
            let so_far = average_so_far.map(|average| format!(", A {average}"));
            format!("TWAP {lookback_secs} s{}", so_far.unwrap_or_default())
        }
    };
    format!(
        "S {} K {} σ {:.4} τ {} ms {rule}",
        input.oracle,
        input.reference,
        input.volatility.get(),
        input.remaining_ms
    )
}

fn wanted(holds: bool, input: &ModelInput, said: &str) -> Result<(), String> {
    if holds {
        Ok(())
    } else {
        Err(format!("{}: {said}", shown(input)))
    }
}

// ---- properties -----------------------------------------------------------------------------------

fn never_nan(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let (s, k, a) = (
        of_any_size(rng, 1e-4, 1e9),
        of_any_size(rng, 1e-4, 1e9),
        of_any_size(rng, 1e-4, 1e9),
    );
    let sigma = of_any_size(rng, 1e-6, 1e3);
    let input = spot(s, k, sigma, ms(rng, 1, WINDOW_MS + 1))?;
    estimate(model, &input)?;
    estimate(model, &averaged(input, 1 + rng.below(899), Some(a))?).map(|_| ())
}

fn is_phi_of_d(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let (s, k) = (between(rng, 94e3, 96e3), between(rng, 94e3, 96e3));
    let input = spot(s, k, between(rng, 0.05, 2.0), ms(rng, 1_000, WINDOW_MS))?;
    let seen = estimate(model, &input)?;
    let off = (seen.up.get() - phi(seen.d)).abs();
    let down = seen.up.complement().get();
    let both = (seen.up.get() + down - 1.0).abs();
    wanted(
        off < 1e-12 && both < 1e-12,
        &input,
        "p is not Φ(d), or up and down are not 1",
    )
}

fn rises_and_falls(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let (s, k) = (between(rng, 90e3, 100e3), between(rng, 90e3, 100e3));
    let (sigma, step) = (between(rng, 0.05, 2.0), between(rng, 0.01, 500.0));
    let left = ms(rng, LOOKBACK_MS, WINDOW_MS);
    for twap in [false, true] {
        let at = |s: f64, k: f64| {
            let input = spot(s, k, sigma, left)?;
            let input = if twap {
                averaged(input, LOOKBACK_SECS, None)?
            } else {
                input
            };
            Ok::<_, String>((up(model, &input)?, input))
        };
        let (here, input) = at(s, k)?;
        wanted(at(s + step, k)?.0 >= here, &input, "falls as S rises")?;
        wanted(at(s, k + step)?.0 <= here, &input, "rises as K rises")?;
    }
    Ok(())
}

fn rises_inside_the_average(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let draw = |rng: &mut Rng| between(rng, 90e3, 100e3);
    let (s, k, a) = (draw(rng), draw(rng), draw(rng));
    let (sigma, step) = (between(rng, 0.05, 2.0), between(rng, 0.01, 500.0));
    // Half of them in the last seconds, where what has elapsed alone can decide.
    let below = if rng.below(2) == 0 {
        LOOKBACK_MS
    } else {
        3_000
    };
    let left = ms(rng, 1_000, below);
    let at = |s: f64| {
        let input = averaged(spot(s, k, sigma, left)?, LOOKBACK_SECS, Some(a))?;
        Ok::<_, String>((up(model, &input)?, input))
    };
    let ((low, input), (high, _)) = (at(s)?, at(s + step)?);
    let elapsed = 1.0 - secs(left) / f64::from(LOOKBACK_SECS);
    if k > elapsed * a {
        wanted(high >= low, &input, "falls as S rises")
    } else {
        // The elapsed part alone is above the reference: only a price near 0 could lose it.
        let least = 1.0 - 1e-9;
        wanted(
            low > least && high > least,
            &input,
            "is won already, and p is not 1",
        )
    }
}

fn half_at_the_reference(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let s = of_any_size(rng, 1.0, 100e3);
    let (sigma, left) = (between(rng, 0.05, 2.0), ms(rng, 1_000, WINDOW_MS));
    let input = spot(s, s, sigma, left)?;
    let p = up(model, &input)?;
    wanted(
        (p - 0.5).abs() < 0.003,
        &input,
        &format!("{p} is not near 0.5"),
    )?;
    // A move of up to two standard deviations, seen from either side.
    let k = s * (1.0 + between(rng, -2.0, 2.0) * sigma * (secs(left) / YEAR_SECS).sqrt());
    let (input, mirrored) = (spot(s, k, sigma, left)?, spot(k, s, sigma, left)?);
    let both = up(model, &input)? + up(model, &mirrored)?;
    wanted(
        (both - 1.0).abs() < 0.005,
        &input,
        &format!("p(S,K) + p(K,S) = {both}"),
    )
}

fn step_and_coin_flip(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let (gap, sigma) = (between(rng, 0.001, 0.01), between(rng, 0.2, 1.0));
    let at = |left: i64| {
        let input = spot(95e3 * (1.0 + gap), 95e3, sigma, left)?;
        Ok::<_, String>((up(model, &input)?, input))
    };
    let (end, input) = at(10)?;
    wanted(end > 0.999_999, &input, &format!("{end} is no step"))?;
    let ((near, _), (far, input)) = (at(60_000)?, at(i64::from(WINDOW_MS))?);
    wanted(
        far <= near && far > 0.49,
        &input,
        &format!("{far} is not nearer to 0.5 than {near}"),
    )?;
    // Ten days of such a coin: nobody knows.
    let (later, input) = at(864_000_000)?;
    wanted(
        (later - 0.5).abs() < 0.2,
        &input,
        &format!("{later} is not near 0.5"),
    )
}

fn continuous_at_the_lookback(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let (s, sigma) = (between(rng, 94e3, 96e3), between(rng, 0.1, 2.0));
    let at = |left: i64| averaged(spot(s, 95e3, sigma, left)?, LOOKBACK_SECS, Some(s));
    let (before, after) = (at(60_000)?, at(59_999)?);
    let jump = (up(model, &before)? - up(model, &after)?).abs();
    wanted(
        jump < 1e-3,
        &before,
        &format!("jumps by {jump} as averaging begins"),
    )
}

fn twap_becomes_spot(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let (s, sigma) = (between(rng, 94e3, 96e3), between(rng, 0.1, 0.46));
    let input = spot(s, 95e3, sigma, ms(rng, 120_000, WINDOW_MS))?;
    let off = (up(model, &averaged(input, 0, None)?)? - up(model, &input)?).abs();
    wanted(
        off < 5e-4,
        &input,
        &format!("the rules differ by {off} without an average"),
    )
}

fn not_saturated(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let sigma = between(rng, 0.1, 2.0);
    let left = ms(rng, LOOKBACK_MS, WINDOW_MS);
    // No further than the time that is left can carry it once.
    let moved = between(rng, -1.0, 1.0) * sigma * (secs(left) / YEAR_SECS).sqrt();
    let input = spot(95e3 * (1.0 + moved), 95e3, sigma, left)?;
    for input in [input, averaged(input, LOOKBACK_SECS, None)?] {
        let p = up(model, &input)?;
        let open = (0.001..=0.999).contains(&p);
        wanted(
            open,
            &input,
            &format!("{p} is certain, with a move that can be undone"),
        )?;
    }
    Ok(())
}

fn listens(model: Model<'_>, rng: &mut Rng) -> Result<(), String> {
    let sigma = between(rng, 0.2, 1.0);
    let left = ms(rng, 120_000, WINDOW_MS);
    let moved = between(rng, 0.5, 1.5) * sigma * (secs(left) / YEAR_SECS).sqrt();
    let s = 95e3 * (1.0 + moved);
    let input = spot(s, 95e3, sigma, left)?;
    let here = up(model, &input)?;
    let restless = up(model, &spot(s, 95e3, sigma * 2.0, left)?)?;
    wanted(
        here - restless > 0.01,
        &input,
        "twice the volatility changes nothing",
    )?;
    let nearer = up(model, &spot(95e3 * (1.0 + moved / 2.0), 95e3, sigma, left)?)?;
    wanted(
        here - nearer > 0.01,
        &input,
        "half the move changes nothing",
    )
}

/// Milliseconds as seconds. Exact: a window has fewer than 2^32 ms.
fn secs(ms: i64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{check, facts};
    use crate::report::Status;
    use trader_core::units::Probability;

    fn said(p: f64) -> Estimate {
        Estimate {
            d: 0.0,
            up: Probability::try_new(p).unwrap(),
            slope: 0.0,
        }
    }

    /// What a planted model is found to break.
    fn broken(model: Model<'_>) -> Vec<String> {
        let Outcome::Fail(finding) = judge(model, PROPERTIES) else {
            panic!("a faulty model passed")
        };
        finding.seen
    }

    fn breaks(model: Model<'_>, property: &str) {
        let seen = broken(model);
        assert!(
            seen.iter().any(|line| line.starts_with(property)),
            "{property}: {seen:#?}"
        );
    }

    #[test]
    fn passing() {
        let said = "10 properties on 300 inputs each hold";
        check("LC-306", &facts(), Status::Pass, said);
    }

    #[test]
    fn failing() {
        // The incident's model: a step at the reference, whatever the time.
        let step =
            |input: &ModelInput| Ok(said(f64::from(input.oracle.get() >= input.reference.get())));
        breaks(&step, "never certain with time left");
        breaks(&step, "near one half where S = K");
        // A coin flip that listens to nothing.
        let deaf = |_: &ModelInput| Ok(said(0.5));
        breaks(&deaf, "listens");
        breaks(&deaf, "a step at the end");
        // Price and reference mixed up.
        let swapped = |input: &ModelInput| {
            p_up(&ModelInput {
                oracle: OraclePrice::try_new(input.reference.get()).unwrap(),
                reference: ReferencePrice::try_new(input.oracle.get()).unwrap(),
                ..*input
            })
        };
        breaks(&swapped, "rises with S and falls with K");
        // Time left in seconds where milliseconds are meant.
        let hurried = |input: &ModelInput| {
            p_up(&ModelInput {
                remaining_ms: (input.remaining_ms / 1_000).max(1),
                settlement: Settlement::Spot,
                ..*input
            })
        };
        breaks(&hurried, "never certain with time left");
        // A fallback volatility.
        let fallback = |input: &ModelInput| {
            p_up(&ModelInput {
                volatility: Volatility::try_new(0.5).unwrap(),
                ..*input
            })
        };
        breaks(&fallback, "listens");
        // It gives up on half of its inputs.
        let shy = |input: &ModelInput| {
            if input.volatility.get() > 1.0 {
                return Err(ModelRefusal::OutOfRange);
            }
            p_up(input)
        };
        breaks(&shy, "a probability for any finite input");
        // The average's rule ignores that part of the average is known.
        let forgetful = |input: &ModelInput| match input.settlement {
            Settlement::Twap { .. } => p_up(&ModelInput {
                remaining_ms: input.remaining_ms + 60_000,
                settlement: Settlement::Spot,
                ..*input
            }),
            Settlement::Spot => p_up(input),
        };
        breaks(&forgetful, "rises with S inside the average");
    }

    #[test]
    fn just_inside() {
        let off = |by: f64| {
            move |input: &ModelInput| {
                let right = p_up(input)?;
                let up = Probability::try_new((right.up.get() + by).min(1.0)).unwrap();
                Ok(Estimate { up, ..right })
            }
        };
        assert!(matches!(judge(&off(1e-14), PROPERTIES), Outcome::Pass(_)));
        assert!(matches!(judge(&off(1e-9), PROPERTIES), Outcome::Fail(_)));
    }

    #[test]
    fn fact_missing() {
        assert!(matches!(judge(&p_up, &[]), Outcome::Unknown(_)));
    }
}
