//! `take-profit`: leaves a position whose bid has risen above its entry price by `exit.take_profit`.

use super::options::{OptionError, OptionSpec, Options};
use super::{Component, ExitRule, WarmUp, json};
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::units::{PriceGap, order};
use crate::view::ExitView;
use serde_json::Value;
use std::cmp::Ordering;

pub(super) const OPTIONS: &[OptionSpec] = &[];

#[derive(Debug)]
struct TakeProfit {
    rise: PriceGap,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature that the table asks for"
)]
pub(super) fn build(manifest: &Manifest, _: &Options) -> Result<Box<dyn ExitRule>, OptionError> {
    Ok(Box::new(TakeProfit {
        rise: manifest.exit.take_profit,
    }))
}

impl Component for TakeProfit {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("exit.take_profit", json(&self.rise))]
    }
}

impl ExitRule for TakeProfit {
    fn exit(&self, view: &ExitView<'_>) -> Option<&'static str> {
        let entry = view.position().entry_price()?;
        let at_gain = order(view.bid().get(), entry + self.rise.get()) != Ordering::Less;
        at_gain.then_some("take_profit")
    }
}
