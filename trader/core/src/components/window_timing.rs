//! `window-timing`: the probability model of `model` on the market's own settlement rule.
//!
//! Refuses instead of guessing: no volatility, one that has just changed, a move that the volatility
//! could not have made, or a running settlement average of which too little was seen.

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Component, ProbabilityModel, WarmUp, json, refuse};
use crate::manifest::Manifest;
use crate::model::{
    Estimate, ModelInput, ModelRefusal, PLAUSIBLE_SIGMAS, Settlement, p_up, plausibility,
};
use crate::refusal::{Figure, Refusal};
use crate::units::OraclePrice;
use crate::view::MarketView;
use crate::window::SettlementRule;
use serde_json::Value;
use std::num::NonZeroU32;

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "plausible_sigmas",
        doc: "moves since the open of more standard deviations than this are taken for wrong input",
        kind: OptionKind::Number {
            min: 3.0,
            max: 12.0,
            default: Some(PLAUSIBLE_SIGMAS),
        },
    },
    OptionSpec {
        name: "max_surprise",
        doc: "short-term over long-term volatility, or its inverse, above which neither is believed",
        kind: OptionKind::Number {
            min: 1.2,
            max: 10.0,
            default: Some(3.0),
        },
    },
    OptionSpec {
        name: "min_average_coverage_pct",
        doc: "inside the settlement average, the least part of its elapsed seconds that must have been seen, %",
        kind: OptionKind::Integer {
            min: 50,
            max: 100,
            default: Some(75),
        },
    },
];

#[derive(Debug)]
struct WindowTiming {
    warm_up_secs: NonZeroU32,
    plausible_sigmas: f64,
    max_surprise: f64,
    min_average_coverage_pct: u32,
}

pub(super) fn build(
    manifest: &Manifest,
    options: &Options,
) -> Result<Box<dyn ProbabilityModel>, OptionError> {
    Ok(Box::new(WindowTiming {
        warm_up_secs: manifest.window.warm_up_secs,
        plausible_sigmas: options.number("plausible_sigmas")?,
        max_surprise: options.number("max_surprise")?,
        min_average_coverage_pct: options.integer("min_average_coverage_pct")?,
    }))
}

impl Component for WindowTiming {
    fn warm_up(&self, facts: &WarmUp) -> Result<(), Refusal> {
        let wanted_ms = i64::from(self.warm_up_secs.get()) * 1_000;
        if facts.history_ms < wanted_ms {
            return Err(refuse(
                "warming_up",
                Figure::Ms(facts.history_ms),
                Figure::Ms(wanted_ms),
            ));
        }
        facts.volatility.map(|_| ()).ok_or(NO_VOLATILITY)
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("window.warm_up_secs", json(&self.warm_up_secs))]
    }
}

const NO_VOLATILITY: Refusal = refuse("missing_volatility", Figure::None, Figure::None);

impl ProbabilityModel for WindowTiming {
    fn estimate(&self, view: &MarketView<'_>) -> Result<Estimate, Refusal> {
        let open = view.window();
        let window = open.window();
        let volatility = view.volatility().ok_or(NO_VOLATILITY)?;
        if let Some(surprise) = view.surprise()
            && surprise.max(surprise.recip()) > self.max_surprise
        {
            return Err(refuse(
                "volatility_surprise",
                Figure::Real(surprise),
                Figure::Real(self.max_surprise),
            ));
        }
        let oracle = view.oracle().price;
        let reference = view.reference();
        let (moved, bound) = plausibility(
            oracle,
            reference,
            volatility,
            open.elapsed_ms(),
            window.twap_lookback_secs,
            self.plausible_sigmas,
        );
        if moved > bound {
            return Err(refuse(
                "implausible_move",
                Figure::Real(moved),
                Figure::Real(bound),
            ));
        }
        let remaining_ms = match window.rule {
            SettlementRule::Spot => open.remaining_ms(),
            SettlementRule::Twap => view.averaging_end() - open.now(),
        };
        let settlement = match window.rule {
            SettlementRule::Spot => Settlement::Spot,
            SettlementRule::Twap => Settlement::Twap {
                lookback_secs: window.twap_lookback_secs,
                average_so_far: self.average_so_far(view, remaining_ms)?,
            },
        };
        p_up(&ModelInput {
            oracle,
            reference,
            volatility,
            remaining_ms,
            settlement,
        })
        .map_err(|refusal| match refusal {
            ModelRefusal::AverageUnknown => refuse(
                "twap_averaging",
                Figure::Ms(remaining_ms),
                Figure::Ms(i64::from(window.twap_lookback_secs) * 1_000),
            ),
            ModelRefusal::NoTimeLeft => {
                refuse("no_time_left", Figure::Ms(remaining_ms), Figure::None)
            }
            ModelRefusal::OutOfRange => refuse("price_out_of_range", Figure::None, Figure::None),
        })
    }
}

impl WindowTiming {
    /// A, once the averaging has begun.
    ///
    /// # Errors
    /// `twap_averaging` when its beginning was not seen, `twap_coverage` with seconds seen and wanted
    /// when too many are missing.
    fn average_so_far(
        &self,
        view: &MarketView<'_>,
        remaining_ms: i64,
    ) -> Result<Option<OraclePrice>, Refusal> {
        let lookback_secs = view.window().window().twap_lookback_secs;
        if remaining_ms >= i64::from(lookback_secs) * 1_000 {
            return Ok(None);
        }
        let Some(known) = view.known_average() else {
            return Ok(None);
        };
        let wanted = known
            .elapsed
            .saturating_mul(self.min_average_coverage_pct.into())
            .div_ceil(100);
        if known.observed < wanted {
            return Err(refuse(
                "twap_coverage",
                Figure::Count(known.observed),
                Figure::Count(wanted),
            ));
        }
        // Before its first whole second has passed, the price stands for the average.
        Ok(Some(known.average.unwrap_or(view.oracle().price)))
    }
}
