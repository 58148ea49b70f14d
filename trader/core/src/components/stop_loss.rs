//! `stop-loss`: leaves a position whose bid has fallen below its entry price by `exit.stop_loss`.

use super::options::{OptionError, OptionSpec, Options};
use super::{Component, ExitRule, WarmUp, json};
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::units::PriceGap;
use crate::view::ExitView;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[];

#[derive(Debug)]
struct StopLoss {
    fall: PriceGap,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature that the table asks for"
)]
pub(super) fn build(manifest: &Manifest, _: &Options) -> Result<Box<dyn ExitRule>, OptionError> {
    Ok(Box::new(StopLoss {
        fall: manifest.exit.stop_loss,
    }))
}

impl Component for StopLoss {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("exit.stop_loss", json(&self.fall))]
    }
}

impl ExitRule for StopLoss {
    fn exit(&self, view: &ExitView<'_>) -> Option<&'static str> {
        let entry = view.position().entry_price()?;
        (view.bid().get() <= entry - self.fall.get()).then_some("stop_loss")
    }
}
