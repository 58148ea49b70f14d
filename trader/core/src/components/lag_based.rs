//! `lag-based`: the oracle will show what the user interface shows already.
//!
//! Where the lag is significant and stable, the UI's move of the last τ* that the oracle has not made yet
//! moves the model's estimate; the side is the move's, never the model's own liking.

use super::edge::of_outcome;
use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Component, Signal, SignalSource, WarmUp, refuse};
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::refusal::{Figure, Refusal};
use crate::units::Outcome;
use crate::view::MarketView;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "min_move_bps",
        doc: "least move that the oracle has still to make, basis points",
        kind: OptionKind::Number {
            min: 0.1,
            max: 50.0,
            default: Some(1.0),
        },
    },
    OptionSpec {
        name: "min_stability",
        doc: "least part of the last 30 measurements that must agree on the lag",
        kind: OptionKind::Number {
            min: 0.1,
            max: 1.0,
            default: Some(0.6),
        },
    },
];

/// Basis points of a log-return.
const BPS: f64 = 10_000.0;

#[derive(Debug)]
struct LagBased {
    min_move_bps: f64,
    min_stability: f64,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn SignalSource>, OptionError> {
    Ok(Box::new(LagBased {
        min_move_bps: options.number("min_move_bps")?,
        min_stability: options.number("min_stability")?,
    }))
}

impl Component for LagBased {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl SignalSource for LagBased {
    fn signal(&self, view: &MarketView<'_>, estimate: &Estimate) -> Result<Signal, Refusal> {
        let lag = view.readings().lag()?;
        if lag.stability < self.min_stability {
            return Err(refuse(
                "lag_unstable",
                Figure::Real(lag.stability),
                Figure::Real(self.min_stability),
            ));
        }
        let move_bps = lag.pending_return * BPS;
        if libm::fabs(move_bps) < self.min_move_bps {
            return Err(refuse(
                "lag_move_small",
                Figure::Real(move_bps),
                Figure::Real(self.min_move_bps),
            ));
        }
        let moved = estimate
            .moved(lag.pending_return)
            .map_err(|_| refuse("lag_move_not_finite", Figure::None, Figure::None))?;
        let outcome = if move_bps > 0.0 {
            Outcome::Up
        } else {
            Outcome::Down
        };
        of_outcome(view, moved.up, outcome)
    }
}
