//! `band`: enters only in the allowed part of a window and with an edge between its two bounds.
//!
//! The upper bound matters as much as the lower: an edge too good to be true means that the model or
//! the book is wrong.

use super::options::{OptionError, OptionSpec, Options};
use super::{Component, EntryRule, Signal, WarmUp, json, refuse};
use crate::manifest::Manifest;
use crate::refusal::{Figure, Refusal};
use crate::units::{PriceGap, to_float};
use crate::view::MarketView;
use serde_json::Value;
use std::num::NonZeroU32;

pub(super) const OPTIONS: &[OptionSpec] = &[];

#[derive(Debug)]
struct Band {
    min_elapsed_secs: u32,
    min_remaining_secs: NonZeroU32,
    edge_min: PriceGap,
    edge_max: PriceGap,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature that the table asks for"
)]
pub(super) fn build(manifest: &Manifest, _: &Options) -> Result<Box<dyn EntryRule>, OptionError> {
    Ok(Box::new(Band {
        min_elapsed_secs: manifest.window.min_elapsed_secs,
        min_remaining_secs: manifest.window.min_remaining_secs,
        edge_min: manifest.edge.min,
        edge_max: manifest.edge.max,
    }))
}

impl Component for Band {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("window.min_elapsed_secs", json(&self.min_elapsed_secs)),
            ("window.min_remaining_secs", json(&self.min_remaining_secs)),
            ("edge.min", json(&self.edge_min)),
            ("edge.max", json(&self.edge_max)),
        ]
    }
}

impl EntryRule for Band {
    fn judge(&self, view: &MarketView<'_>, signal: &Signal) -> Result<(), Refusal> {
        let elapsed_ms = view.window().elapsed_ms();
        let least_ms = i64::from(self.min_elapsed_secs) * 1_000;
        if elapsed_ms < least_ms {
            return Err(refuse(
                "too_early",
                Figure::Ms(elapsed_ms),
                Figure::Ms(least_ms),
            ));
        }
        let remaining_ms = view.window().remaining_ms();
        let least_ms = i64::from(self.min_remaining_secs.get()) * 1_000;
        if remaining_ms < least_ms {
            return Err(refuse(
                "too_late",
                Figure::Ms(remaining_ms),
                Figure::Ms(least_ms),
            ));
        }
        // A bound that is no float would be none; a PriceGap always is one.
        let min = to_float(self.edge_min.get()).unwrap_or(f64::INFINITY);
        let max = to_float(self.edge_max.get()).unwrap_or(f64::NEG_INFINITY);
        if signal.edge.is_nan() || signal.edge < min {
            return Err(refuse(
                "edge_below_min",
                Figure::Real(signal.edge),
                Figure::Real(min),
            ));
        }
        if signal.edge > max {
            return Err(refuse(
                "edge_above_max",
                Figure::Real(signal.edge),
                Figure::Real(max),
            ));
        }
        Ok(())
    }
}
