//! `window-close`: leaves a position so many seconds before its window closes, or (0) holds it to
//! settlement, where the market pays 1 or 0 without a fee.

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Component, ExitRule, WarmUp};
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::view::ExitView;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[OptionSpec {
    name: "sell_secs_before_close",
    doc: "seconds before the close at which a position is sold; 0 holds it to settlement",
    kind: OptionKind::Integer {
        min: 0,
        max: 600,
        default: Some(0),
    },
}];

#[derive(Debug)]
struct WindowClose {
    sell_secs_before_close: u32,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn ExitRule>, OptionError> {
    Ok(Box::new(WindowClose {
        sell_secs_before_close: options.integer("sell_secs_before_close")?,
    }))
}

impl Component for WindowClose {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl ExitRule for WindowClose {
    fn exit(&self, view: &ExitView<'_>) -> Option<&'static str> {
        let sell_ms = i64::from(self.sell_secs_before_close) * 1_000;
        (view.window().remaining_ms() <= sell_ms).then_some("window_close")
    }
}
