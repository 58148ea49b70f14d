//! `edge`: the outcome whose token costs less than it is worth, after the taker fee.
//!
//! edge = p − ask − fee(ask): p 0.62 against an ask of 0.55 is 0.62 − 0.55 − 0.0173 = 0.0527 a share.

use super::options::{OptionError, OptionSpec, Options};
use super::{Component, Signal, SignalSource, WarmUp, refuse};
use crate::fees::TAKER_FEE_RATE_F64;
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::refusal::{Figure, Refusal};
use crate::units::Outcome;
use crate::view::MarketView;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[];

#[derive(Debug)]
struct Edge;

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature that the table asks for"
)]
pub(super) fn build(_: &Manifest, _: &Options) -> Result<Box<dyn SignalSource>, OptionError> {
    Ok(Box::new(Edge))
}

impl Component for Edge {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl SignalSource for Edge {
    fn signal(&self, view: &MarketView<'_>, estimate: &Estimate) -> Result<Signal, Refusal> {
        let of = |outcome: Outcome| {
            let price = view.book(outcome)?.ask?;
            let probability = match outcome {
                Outcome::Up => estimate.up,
                Outcome::Down => estimate.up.complement(),
            };
            let ask = price.get().to_f64()?;
            let fee = TAKER_FEE_RATE_F64 * ask * (1.0 - ask);
            Some(Signal {
                outcome,
                probability,
                price,
                edge: probability.get() - ask - fee,
            })
        };
        match (of(Outcome::Up), of(Outcome::Down)) {
            (Some(up), Some(down)) => Ok(if down.edge > up.edge { down } else { up }),
            (Some(only), None) | (None, Some(only)) => Ok(only),
            (None, None) => Err(refuse("missing_ask", Figure::None, Figure::None)),
        }
    }
}
