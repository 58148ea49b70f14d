//! `threshold`: the outcome whose token already costs more than so many cents.
//!
//! The rule that a trader once fell back to when a strategy's name was not found. Here it is only what a
//! strategy file names, and its edge is still the model's word: dear is not the same as right.

use super::edge::of_outcome;
use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Component, Signal, SignalSource, WarmUp, refuse};
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::refusal::{Figure, Refusal};
use crate::units::{Outcome, order};
use crate::view::MarketView;
use rust_decimal::Decimal;
use serde_json::Value;
use std::cmp::Ordering;

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "above_cents",
        doc: "the token's ask must be above so many cents",
        kind: OptionKind::Integer {
            min: 51,
            max: 98,
            default: Some(70),
        },
    },
    OptionSpec {
        name: "min_remaining_secs",
        doc: "least time left in the window, seconds",
        kind: OptionKind::Integer {
            min: 1,
            max: 600,
            default: Some(60),
        },
    },
];

#[derive(Debug)]
struct Threshold {
    above: Decimal,
    min_remaining_ms: i64,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn SignalSource>, OptionError> {
    Ok(Box::new(Threshold {
        above: Decimal::new(options.integer("above_cents")?.into(), 2),
        min_remaining_ms: i64::from(options.integer("min_remaining_secs")?) * 1_000,
    }))
}

impl Component for Threshold {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl SignalSource for Threshold {
    fn signal(&self, view: &MarketView<'_>, estimate: &Estimate) -> Result<Signal, Refusal> {
        let remaining_ms = view.window().remaining_ms();
        if remaining_ms < self.min_remaining_ms {
            return Err(refuse(
                "threshold_too_late",
                Figure::Ms(remaining_ms),
                Figure::Ms(self.min_remaining_ms),
            ));
        }
        let both =
            [Outcome::Up, Outcome::Down].map(|outcome| of_outcome(view, estimate.up, outcome));
        let dearest = match both {
            [Ok(up), Ok(down)] => Ok(if down.price > up.price { down } else { up }),
            [Ok(only), Err(_)] | [Err(_), Ok(only)] => Ok(only),
            [Err(refusal), Err(_)] => Err(refusal),
        }?;
        if order(dearest.price.get(), self.above) != Ordering::Greater {
            return Err(refuse(
                "below_threshold",
                Figure::Decimal(dearest.price.get()),
                Figure::Decimal(self.above),
            ));
        }
        Ok(dearest)
    }

    fn looks(&self, _: &MarketView<'_>) -> bool {
        false
    }
}
