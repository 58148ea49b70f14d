//! `oracle-staleness`: how long the oracle has shown the same price.
//!
//! A repeated price is no news; a silent feed is refused by the view before anybody asks this.

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Analysis, Component, Observation, Readings, Staleness, WarmUp, refuse};
use crate::manifest::Manifest;
use crate::refusal::{Figure, Refusal};
use crate::units::{EpochMs, OraclePrice};
use crate::view::MarketView;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[OptionSpec {
    name: "stale_secs",
    doc: "seconds without a change of price from which the oracle counts as stale",
    kind: OptionKind::Integer {
        min: 2,
        max: 300,
        default: Some(15),
    },
}];

#[derive(Debug)]
struct OracleStaleness {
    stale_secs: u32,
    changed: Option<(EpochMs, OraclePrice)>,
    newest: Option<EpochMs>,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn Analysis>, OptionError> {
    Ok(Box::new(OracleStaleness {
        stale_secs: options.integer("stale_secs")?,
        changed: None,
        newest: None,
    }))
}

const NO_ORACLE: Refusal = refuse("missing_oracle", Figure::None, Figure::None);

impl Component for OracleStaleness {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        self.changed.map(|_| ()).ok_or(NO_ORACLE)
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl Analysis for OracleStaleness {
    fn observe(&mut self, seen: &Observation) {
        let Observation::Oracle { price, at, .. } = *seen else {
            return;
        };
        if self.newest.is_some_and(|newest| at < newest) {
            return;
        }
        self.newest = Some(at);
        if self.changed.is_none_or(|(_, known)| known != price) {
            self.changed = Some((at, price));
        }
    }

    fn read(&self, view: &MarketView<'_>, readings: &mut Readings) {
        readings.staleness = Some(self.changed.ok_or(NO_ORACLE).map(|(at, _)| Staleness {
            age_ms: (view.window().now() - at).max(0),
            stale_ms: i64::from(self.stale_secs) * 1_000,
        }));
    }
}
