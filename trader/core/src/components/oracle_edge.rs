//! `oracle-edge`: fades a crowd that follows the user interface while the oracle stands still.
//!
//! All of it must hold: little time left; the oracle has not moved for long; the UI is clearly on one side
//! of the reference, yet too near the oracle to make it publish; the crowd's token is dear; and the
//! oracle's own pattern says that no update comes before the close. Then the other token is bought
//! (`fade_up` buys Down, `fade_down` buys Up), at the model's probability on the oracle's price.

use super::edge::of_outcome;
use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Component, Signal, SignalSource, WarmUp, refuse};
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::refusal::{Figure, Refusal};
use crate::units::Outcome;
use crate::view::MarketView;
use rust_decimal::Decimal;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "max_remaining_secs",
        doc: "fades only with less than this left in the window, seconds",
        kind: OptionKind::Integer {
            min: 5,
            max: 120,
            default: Some(30),
        },
    },
    OptionSpec {
        name: "min_reference_gap_bps",
        doc: "least distance of the UI's price from the reference price, basis points",
        kind: OptionKind::Number {
            min: 0.1,
            max: 100.0,
            default: Some(1.0),
        },
    },
    OptionSpec {
        name: "deviation_bps",
        doc: "distance of the UI's price from the oracle's at which the oracle publishes, basis points",
        kind: OptionKind::Number {
            min: 0.5,
            max: 200.0,
            default: Some(10.0),
        },
    },
    OptionSpec {
        name: "dear_cents",
        doc: "the crowd's token must cost more than so many cents, the faded one less than 100 minus it",
        kind: OptionKind::Integer {
            min: 51,
            max: 98,
            default: Some(65),
        },
    },
    OptionSpec {
        name: "max_update_probability",
        doc: "largest probability of an oracle update before the close",
        kind: OptionKind::Number {
            min: 0.01,
            max: 0.9,
            default: Some(0.4),
        },
    },
    OptionSpec {
        name: "min_update_confidence",
        doc: "least confidence in that probability, 0 to 1",
        kind: OptionKind::Number {
            min: 0.01,
            max: 0.99,
            default: Some(0.4),
        },
    },
];

#[derive(Debug)]
struct OracleEdge {
    max_remaining_ms: i64,
    min_reference_gap_bps: f64,
    deviation_bps: f64,
    dear: Decimal,
    max_update_probability: f64,
    min_update_confidence: f64,
}

pub(super) fn build(
    manifest: &Manifest,
    options: &Options,
) -> Result<Box<dyn SignalSource>, OptionError> {
    let max_remaining_secs = options.integer("max_remaining_secs")?;
    let min_remaining_secs = manifest.window.min_remaining_secs.get();
    if max_remaining_secs <= min_remaining_secs {
        return Err(OptionError::NeverActs {
            name: "max_remaining_secs",
            seen: max_remaining_secs,
            key: "window.min_remaining_secs",
            value: min_remaining_secs,
        });
    }
    Ok(Box::new(OracleEdge {
        max_remaining_ms: i64::from(max_remaining_secs) * 1_000,
        min_reference_gap_bps: options.number("min_reference_gap_bps")?,
        deviation_bps: options.number("deviation_bps")?,
        dear: Decimal::new(options.integer("dear_cents")?.into(), 2),
        max_update_probability: options.number("max_update_probability")?,
        min_update_confidence: options.number("min_update_confidence")?,
    }))
}

impl Component for OracleEdge {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl SignalSource for OracleEdge {
    fn signal(&self, view: &MarketView<'_>, estimate: &Estimate) -> Result<Signal, Refusal> {
        let remaining_ms = view.window().remaining_ms();
        if remaining_ms >= self.max_remaining_ms {
            return Err(refuse(
                "fade_too_early",
                Figure::Ms(remaining_ms),
                Figure::Ms(self.max_remaining_ms),
            ));
        }
        let crowd = self.crowd(view)?;
        self.no_update_expected(view)?;
        let faded = match crowd {
            Outcome::Up => Outcome::Down,
            Outcome::Down => Outcome::Up,
        };
        let signal = of_outcome(view, estimate.up, faded)?;
        let cheap = Decimal::ONE - self.dear;
        if signal.price.get() >= cheap {
            return Err(refuse(
                "token_not_dear",
                Figure::Decimal(signal.price.get()),
                Figure::Decimal(cheap),
            ));
        }
        Ok(signal)
    }

    fn looks(&self, view: &MarketView<'_>) -> bool {
        view.window().remaining_ms() < self.max_remaining_ms
    }
}

impl OracleEdge {
    /// The side that the UI shows, while the oracle stands still.
    fn crowd(&self, view: &MarketView<'_>) -> Result<Outcome, Refusal> {
        let staleness = view.readings().staleness()?;
        if staleness.age_ms < staleness.stale_ms {
            return Err(refuse(
                "oracle_not_stale",
                Figure::Ms(staleness.age_ms),
                Figure::Ms(staleness.stale_ms),
            ));
        }
        let ui = view.readings().divergence()?;
        if libm::fabs(ui.from_reference_bps) <= self.min_reference_gap_bps {
            return Err(refuse(
                "ui_near_reference",
                Figure::Real(ui.from_reference_bps),
                Figure::Real(self.min_reference_gap_bps),
            ));
        }
        if libm::fabs(ui.from_oracle_bps) >= self.deviation_bps {
            return Err(refuse(
                "ui_far_from_oracle",
                Figure::Real(ui.from_oracle_bps),
                Figure::Real(self.deviation_bps),
            ));
        }
        Ok(if ui.from_reference_bps > 0.0 {
            Outcome::Up
        } else {
            Outcome::Down
        })
    }

    fn no_update_expected(&self, view: &MarketView<'_>) -> Result<(), Refusal> {
        let forecast = view.readings().updates()?;
        if forecast.confidence < self.min_update_confidence {
            return Err(refuse(
                "update_unpredictable",
                Figure::Real(forecast.confidence),
                Figure::Real(self.min_update_confidence),
            ));
        }
        if forecast.probability > self.max_update_probability {
            return Err(refuse(
                "update_expected",
                Figure::Real(forecast.probability),
                Figure::Real(self.max_update_probability),
            ));
        }
        Ok(())
    }
}
