//! `update-pattern`: from the pauses between the oracle's changes, whether the next comes before the
//! window closes.
//!
//! P(update before the close | nothing for `a` ms) is the part of the remembered pauses longer than `a`
//! that ended within `a` + remaining: (k + 1) / (n + 2). Its confidence is 1 less the width of the
//! Wilson interval, 0 when no pause was ever that long: what was never seen is not predicted.

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Analysis, Component, Observation, Readings, UpdateForecast, WarmUp, refuse};
use crate::manifest::Manifest;
use crate::refusal::{Figure, Refusal};
use crate::units::{EpochMs, OraclePrice};
use crate::view::MarketView;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[OptionSpec {
    name: "history_updates",
    doc: "pauses between changes of the oracle's price that are remembered",
    kind: OptionKind::Integer {
        min: MIN_PAUSES,
        max: 512,
        default: Some(128),
    },
}];

/// Pauses without which there is no pattern.
const MIN_PAUSES: u32 = 16;
/// Normal quantile of a 90 % interval.
const Z90: f64 = 1.645;

#[derive(Debug)]
struct UpdatePattern {
    pauses: Vec<i64>,
    capacity: usize,
    next: usize,
    changed: Option<(EpochMs, OraclePrice)>,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn Analysis>, OptionError> {
    let capacity = usize::try_from(options.integer("history_updates")?).unwrap_or_default();
    Ok(Box::new(UpdatePattern {
        pauses: Vec::with_capacity(capacity),
        capacity,
        next: 0,
        changed: None,
    }))
}

impl Component for UpdatePattern {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        let seen = u64::try_from(self.pauses.len()).unwrap_or(u64::MAX);
        if seen < u64::from(MIN_PAUSES) {
            let limit = Figure::Count(MIN_PAUSES.into());
            return Err(refuse("few_updates", Figure::Count(seen), limit));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl Analysis for UpdatePattern {
    fn observe(&mut self, seen: &Observation) {
        let Observation::Oracle { price, at, .. } = *seen else {
            return;
        };
        let Some((changed_at, known)) = self.changed else {
            self.changed = Some((at, price));
            return;
        };
        if at <= changed_at || known == price {
            return;
        }
        self.changed = Some((at, price));
        let pause = at - changed_at;
        if self.pauses.len() < self.capacity {
            self.pauses.push(pause);
        } else if let Some(oldest) = self.pauses.get_mut(self.next) {
            *oldest = pause;
            self.next = (self.next + 1) % self.capacity.max(1);
        }
    }

    fn read(&self, view: &MarketView<'_>, readings: &mut Readings) {
        readings.updates = Some(self.warm_up(&WarmUp::NOTHING).and_then(|()| {
            let (at, _) =
                self.changed
                    .ok_or(refuse("missing_oracle", Figure::None, Figure::None))?;
            let window = view.window();
            Ok(forecast(
                &self.pauses,
                window.now() - at,
                window.remaining_ms(),
            ))
        }));
    }
}

fn forecast(pauses: &[i64], age_ms: i64, remaining_ms: i64) -> UpdateForecast {
    let until = age_ms.saturating_add(remaining_ms);
    let (mut n, mut k) = (0_u32, 0_u32);
    // At most 512 of them; without a branch, for this runs on every event.
    for pause in pauses {
        let lasted = u32::from(*pause > age_ms);
        n += lasted;
        k += lasted & u32::from(*pause <= until);
    }
    let (n, k) = (f64::from(n), f64::from(k));
    let confidence = if n > 0.0 {
        let p = k / n;
        let z2 = Z90 * Z90;
        let half = Z90 * libm::sqrt(p * (1.0 - p) / n + z2 / (4.0 * n * n)) / (1.0 + z2 / n);
        (1.0 - 2.0 * half).clamp(0.0, 1.0)
    } else {
        0.0
    };
    UpdateForecast {
        probability: (k + 1.0) / (n + 2.0),
        confidence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_never_seen_is_not_predicted() {
        let pauses = [1_000; 64];
        let seen = forecast(&pauses, 15_000, 20_000);
        assert_eq!(
            (seen.probability.to_bits(), seen.confidence.to_bits()),
            (0.5_f64.to_bits(), 0)
        );
    }

    #[test]
    fn long_pauses_that_lasted_say_no_update() {
        // 40 pauses of a second, 20 of 100 s: after 15 s of silence only the long ones count.
        let pauses: Vec<i64> = [1_000; 40].into_iter().chain([100_000; 20]).collect();
        let seen = forecast(&pauses, 15_000, 20_000);
        assert!(seen.probability < 0.05 && seen.confidence > 0.8, "{seen:?}");
        let seen = forecast(&pauses, 15_000, 90_000);
        assert!(seen.probability > 0.95 && seen.confidence > 0.8, "{seen:?}");
        // Fewer examples, less confidence.
        let few = forecast(&pauses[..44], 15_000, 20_000);
        assert!(few.confidence < 0.7, "{few:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn always_between_0_and_1(pauses in proptest::collection::vec(any::<i64>(), 0..200), age in any::<i64>(), left in any::<i64>()) {
            let seen = forecast(&pauses, age, left);
            prop_assert!((0.0..=1.0).contains(&seen.probability) && (0.0..=1.0).contains(&seen.confidence));
        }

        #[test]
        fn more_time_makes_an_update_likelier(pauses in proptest::collection::vec(1i64..100_000, 1..200), age in 0i64..50_000,
                                              left in 0i64..50_000, more in 0i64..50_000) {
            prop_assert!(forecast(&pauses, age, left).probability <= forecast(&pauses, age, left + more).probability);
        }
    }
}
