//! `ui-divergence`: how far the user interface's price is from the oracle's and from the reference.
//!
//! The UI's price settles nothing; it is what other people look at.

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Analysis, Component, Divergence, Observation, Readings, WarmUp, refuse};
use crate::manifest::Manifest;
use crate::refusal::{Figure, Refusal};
use crate::units::{EpochMs, UiPrice, to_float};
use crate::view::MarketView;
use rust_decimal::Decimal;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[OptionSpec {
    name: "max_ui_age_ms",
    doc: "oldest UI price that is believed, ms",
    kind: OptionKind::Integer {
        min: 100,
        max: 60_000,
        default: Some(5_000),
    },
}];

/// Further from the oracle than this the UI's price is another coin's or in another unit, basis points.
const IMPLAUSIBLE_BPS: f64 = 500.0;

#[derive(Debug)]
struct UiDivergence {
    max_age_ms: u32,
    ui: Option<(EpochMs, UiPrice)>,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn Analysis>, OptionError> {
    Ok(Box::new(UiDivergence {
        max_age_ms: options.integer("max_ui_age_ms")?,
        ui: None,
    }))
}

const NO_UI: Refusal = refuse("missing_ui", Figure::None, Figure::None);

impl Component for UiDivergence {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        self.ui.map(|_| ()).ok_or(NO_UI)
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl Analysis for UiDivergence {
    fn observe(&mut self, seen: &Observation) {
        let Observation::Ui { price, at, .. } = *seen else {
            return;
        };
        if self.ui.is_none_or(|(newest, _)| at >= newest) {
            self.ui = Some((at, price));
        }
    }

    fn read(&self, view: &MarketView<'_>, readings: &mut Readings) {
        readings.divergence = Some(self.divergence(view));
    }
}

impl UiDivergence {
    fn divergence(&self, view: &MarketView<'_>) -> Result<Divergence, Refusal> {
        let (at, ui) = self.ui.ok_or(NO_UI)?;
        let (age_ms, max_ms) = (view.window().now() - at, i64::from(self.max_age_ms));
        if age_ms > max_ms {
            return Err(refuse("stale_ui", Figure::Ms(age_ms), Figure::Ms(max_ms)));
        }
        let from_oracle_bps = gap_bps(ui.get(), view.oracle().price.get());
        let from_reference_bps = gap_bps(ui.get(), view.reference().get());
        if !from_reference_bps.is_finite() || libm::fabs(from_oracle_bps) > IMPLAUSIBLE_BPS {
            return Err(refuse(
                "implausible_ui",
                Figure::Real(from_oracle_bps),
                Figure::Real(IMPLAUSIBLE_BPS),
            ));
        }
        Ok(Divergence {
            from_oracle_bps,
            from_reference_bps,
        })
    }
}

/// (a − b) / b in basis points; infinite when it cannot be computed. `b` is above 0.
fn gap_bps(a: Decimal, b: Decimal) -> f64 {
    a.checked_sub(b)
        .and_then(|gap| gap.checked_div(b))
        .and_then(to_float)
        .map_or(f64::INFINITY, |part| part * 10_000.0)
}
