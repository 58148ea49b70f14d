//! `trailing`: once a position has gained enough, leaves it when part of the best gain is gone again.
//!
//! Bought at 0.50, activated 2 cents above, 30 % given back: a peak of 0.60 is left at 0.57 or below.
//! The peak is the highest bid seen since the position was last bought; a restart forgets it and begins
//! at the present bid, which leaves later, never too early.

use super::options::{OptionError, OptionKind, OptionSpec, Options};
use super::{Component, ExitRule, WarmUp};
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::view::ExitView;
use rust_decimal::Decimal;
use serde_json::Value;

pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "activate_cents",
        doc: "gain over the entry price at which it begins to trail, cents per share",
        kind: OptionKind::Integer {
            min: 1,
            max: 90,
            default: Some(5),
        },
    },
    OptionSpec {
        name: "give_back_pct",
        doc: "part of the best gain that may be given back, %",
        kind: OptionKind::Integer {
            min: 5,
            max: 95,
            default: Some(30),
        },
    },
];

#[derive(Debug)]
struct Trailing {
    activate: Decimal,
    give_back: Decimal,
}

pub(super) fn build(_: &Manifest, options: &Options) -> Result<Box<dyn ExitRule>, OptionError> {
    Ok(Box::new(Trailing {
        activate: Decimal::new(options.integer("activate_cents")?.into(), 2),
        give_back: Decimal::new(options.integer("give_back_pct")?.into(), 2),
    }))
}

impl Component for Trailing {
    fn warm_up(&self, _: &WarmUp) -> Result<(), Refusal> {
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

impl ExitRule for Trailing {
    fn exit(&self, view: &ExitView<'_>) -> Option<&'static str> {
        let entry = view.position().entry_price()?;
        let best = view.peak_bid().get() - entry;
        let gain = view.bid().get() - entry;
        let leaves = best >= self.activate && gain <= best * (Decimal::ONE - self.give_back);
        leaves.then_some("trailing")
    }
}
