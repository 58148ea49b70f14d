//! `edge`: the outcome whose token costs less than it is worth, after the taker fee.
//!
//! edge = p − ask − fee(ask): p 0.62 against an ask of 0.55 is 0.62 − 0.55 − 0.0173 = 0.0527 a share.

use super::options::{OptionError, OptionSpec, Options};
use super::{Component, Signal, SignalSource, WarmUp, refuse};
use crate::fees::TAKER_FEE_RATE_F64;
use crate::manifest::Manifest;
use crate::model::Estimate;
use crate::refusal::{Figure, Refusal};
use crate::units::{Outcome, Probability, to_float};
use crate::view::MarketView;
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
        better_side(view, estimate.up)
    }

    fn looks(&self, _: &MarketView<'_>) -> bool {
        false
    }
}

/// What the token of `outcome` would bring at its ask.
///
/// # Errors
/// `missing_ask` when nobody sells it.
pub(crate) fn of_outcome(
    view: &MarketView<'_>,
    up: Probability,
    outcome: Outcome,
) -> Result<Signal, Refusal> {
    let probability = match outcome {
        Outcome::Up => up,
        Outcome::Down => up.complement(),
    };
    let priced = view
        .book(outcome)
        .and_then(|book| book.ask)
        .and_then(|price| Some((price, to_float(price.get())?)));
    let (price, ask) = priced.ok_or(refuse("missing_ask", Figure::None, Figure::None))?;
    let fee = TAKER_FEE_RATE_F64 * ask * (1.0 - ask);
    Ok(Signal {
        outcome,
        probability,
        price,
        edge: probability.get() - ask - fee,
    })
}

/// The outcome with the higher edge, of those that somebody sells; Up when they are equal.
///
/// # Errors
/// `missing_ask` when nobody sells either.
pub(crate) fn better_side(view: &MarketView<'_>, up: Probability) -> Result<Signal, Refusal> {
    let both = (
        of_outcome(view, up, Outcome::Up),
        of_outcome(view, up, Outcome::Down),
    );
    match both {
        (Ok(up), Ok(down)) => Ok(if down.edge > up.edge { down } else { up }),
        (Ok(only), Err(_)) | (Err(_), Ok(only)) => Ok(only),
        (Err(refusal), Err(_)) => Err(refusal),
    }
}
