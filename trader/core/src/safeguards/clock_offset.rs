//! `clock_offset`: no entry while our clock differs from the venue's by more than declared. With real
//! orders an unmeasured clock is a wrong clock, and so is one that was measured long ago; a tape or a
//! generator has no venue to compare with.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::{Manifest, Mode};
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;
use std::num::NonZeroU32;

/// With real orders the clock must have been compared this recently, ms.
const MEASURED_MAX_AGE_MS: i64 = 60_000;

#[derive(Debug)]
struct ClockOffset {
    max_ms: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(ClockOffset {
        max_ms: manifest.safeguards.max_clock_offset_ms,
    })
}

impl Safeguard for ClockOffset {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let max = i64::from(self.max_ms.get());
        match (facts.clock_offset_ms, facts.mode) {
            (Some(offset), _) if offset.saturating_abs() > max => {
                Err(refuse("clock_offset", Figure::Ms(offset), Figure::Ms(max)))
            }
            (None, Mode::Live) => Err(refuse("clock_offset", Figure::None, Figure::Ms(max))),
            (Some(_), Mode::Live) => match facts.clock_age_ms {
                Some(age) if age <= MEASURED_MAX_AGE_MS => Ok(()),
                age => Err(refuse(
                    "clock_offset",
                    age.map_or(Figure::None, Figure::Ms),
                    Figure::Ms(MEASURED_MAX_AGE_MS),
                )),
            },
            _ => Ok(()),
        }
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_clock_offset_ms", json(&self.max_ms))]
    }
}
