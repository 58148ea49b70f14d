//! `ceiling`: limits compiled into the program, beneath the declared ones.
//!
//! A manifest that declares more than a ceiling is refused when the trader is built (declared would
//! not be effective); at the gate the ceilings stand once more, independent of every manifest value.
//! Chosen for a small account: each is several times what a careful operator would declare.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use crate::units::{Usd, order as order_of};
use rust_decimal::Decimal;
use serde_json::Value;
use std::cmp::Ordering;

/// A compiled-in bound on one manifest key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    /// The key.
    pub key: &'static str,
    /// Most that may be declared.
    pub max: Decimal,
}

const fn cents(key: &'static str, cents: u32) -> Ceiling {
    Ceiling {
        key,
        max: Decimal::from_parts(cents, 0, 0, false, 2),
    }
}

const ORDER_USD: Decimal = Decimal::from_parts(250, 0, 0, false, 0);
const EXPOSURE_USD: Decimal = Decimal::from_parts(2_500, 0, 0, false, 0);
const ORDER_SHARES: Decimal = Decimal::from_parts(5_000, 0, 0, false, 0);
const ORDERS_PER_MINUTE: u32 = 120;

/// Every ceiling.
pub const CEILINGS: [Ceiling; 12] = [
    Ceiling {
        key: "position_size_usd",
        max: ORDER_USD,
    },
    Ceiling {
        key: "max_exposure_usd",
        max: EXPOSURE_USD,
    },
    cents("max_capital_usd", 1_000_000),
    cents("safeguards.max_open_positions", 5_000),
    cents("safeguards.max_entries_per_tick", 1_000),
    cents("safeguards.max_entries_per_window", 1_000),
    cents("safeguards.max_orders_per_minute", ORDERS_PER_MINUTE * 100),
    Ceiling {
        key: "safeguards.max_order_shares",
        max: ORDER_SHARES,
    },
    cents("safeguards.max_daily_loss_usd", 100_000),
    cents("safeguards.price_collar", 25),
    cents("safeguards.max_oracle_age_ms", 6_000_000),
    cents("safeguards.max_book_age_ms", 6_000_000),
];

/// A declared value above its ceiling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} is {declared}, the program's own ceiling is {max}: declare less")]
pub struct CeilingError {
    /// The key.
    pub key: &'static str,
    /// As declared.
    pub declared: String,
    /// The ceiling.
    pub max: Decimal,
}

/// Compares a manifest with the ceilings.
///
/// # Errors
/// The first value above its ceiling; a value that is absent or no number counts as above.
pub fn check_ceilings(manifest: &Manifest) -> Result<(), CeilingError> {
    let declared = manifest.flattened();
    for Ceiling { key, max } in CEILINGS {
        let text = match declared.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let within = text.parse::<Decimal>().is_ok_and(|value| value <= max);
        if !within {
            return Err(CeilingError {
                key,
                declared: text,
                max,
            });
        }
    }
    Ok(())
}

#[derive(Debug)]
struct Ceilings;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(Ceilings)
}

impl Safeguard for Ceilings {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let usd = |seen: Usd, max: Decimal| {
            if order_of(seen.get(), max) == Ordering::Greater {
                return Err(refuse(
                    "ceiling",
                    Figure::Usd(seen),
                    Figure::Usd(Usd::new(max)),
                ));
            }
            Ok(())
        };
        usd(order.worst_cost, ORDER_USD)?;
        let at_stake = [facts.ledger.exposure(), order.worst_cost];
        if Usd::sum_exceeds(at_stake, Usd::new(EXPOSURE_USD)) {
            usd(facts.ledger.exposure() + order.worst_cost, EXPOSURE_USD)?;
        }
        if order_of(order.shares.get(), ORDER_SHARES) == Ordering::Greater {
            let seen = Figure::Decimal(order.shares.get());
            return Err(refuse("ceiling", seen, Figure::Decimal(ORDER_SHARES)));
        }
        let recent = facts.ledger.orders_last_minute(facts.now);
        if recent >= ORDERS_PER_MINUTE {
            let limit = Figure::Count(ORDERS_PER_MINUTE.into());
            return Err(refuse("ceiling", Figure::Count(recent.into()), limit));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
