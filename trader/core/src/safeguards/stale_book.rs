//! `stale_book`: no entry when the book is older than declared, or absent.

use super::{GateFacts, Safeguard, json, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;
use std::num::NonZeroU32;

#[derive(Debug)]
struct Fresh {
    max_ms: NonZeroU32,
}

pub(super) fn build(manifest: &Manifest) -> Box<dyn Safeguard> {
    Box::new(Fresh {
        max_ms: manifest.safeguards.max_book_age_ms,
    })
}

impl Safeguard for Fresh {
    fn judge(&self, _: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let max = i64::from(self.max_ms.get());
        match facts.book_age_ms {
            Some(age) if age <= max => Ok(()),
            Some(age) => Err(refuse("stale_book", Figure::Ms(age), Figure::Ms(max))),
            None => Err(refuse("stale_book", Figure::None, Figure::Ms(max))),
        }
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        vec![("safeguards.max_book_age_ms", json(&self.max_ms))]
    }
}
