//! `window-timing`: the probability model of `model` on the market's own settlement rule.
//!
//! Refuses instead of guessing: no volatility, a move that the volatility could not have made, or the
//! settlement average already running (its elapsed part is not tracked yet).

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Component, ProbabilityModel, WarmUp, json, refuse};
use crate::manifest::Manifest;
use crate::model::{
    Estimate, ModelInput, ModelRefusal, PLAUSIBLE_SIGMAS, Settlement, p_up, plausibility,
};
use crate::refusal::{Figure, Refusal};
use crate::view::MarketView;
use crate::window::SettlementRule;
use serde_json::Value;
use std::num::NonZeroU32;

pub(super) const OPTIONS: &[OptionSpec] = &[OptionSpec {
    name: "plausible_sigmas",
    doc: "moves since the open of more standard deviations than this are taken for wrong input",
    kind: OptionKind::Number {
        min: 3.0,
        max: 12.0,
        default: Some(PLAUSIBLE_SIGMAS),
    },
}];

#[derive(Debug)]
struct WindowTiming {
    warm_up_secs: NonZeroU32,
    plausible_sigmas: f64,
}

pub(super) fn build(
    manifest: &Manifest,
    options: &Options,
) -> Result<Box<dyn ProbabilityModel>, OptionError> {
    Ok(Box::new(WindowTiming {
        warm_up_secs: manifest.window.warm_up_secs,
        plausible_sigmas: options.number("plausible_sigmas")?,
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
        let settlement = match window.rule {
            SettlementRule::Spot => Settlement::Spot,
            SettlementRule::Twap => Settlement::Twap {
                lookback_secs: window.twap_lookback_secs,
                average_so_far: None,
            },
        };
        let remaining_ms = open.remaining_ms();
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
