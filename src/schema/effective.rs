//! The schemas that judge: the committed ones plus what this project's files and this program's
//! registry really offer.

use super::generate::committed;
use crate::source::{KnownStrategy, Schema, SchemaFault};
use serde_json::{Value, json};
use trader_core::units::StrategyId;

/// The manifest schema whose `strategies` are exactly the ids of `known`.
///
/// # Errors
/// Only when the generated schema does not compile: a bug.
pub fn effective_manifest_schema(known: &[KnownStrategy]) -> Result<Schema, SchemaFault> {
    let mut schema = base("manifest")?;
    let ids: Vec<&str> = known
        .iter()
        .map(|strategy| strategy.id.as_str())
        .filter(|id| id.parse::<StrategyId>().is_ok())
        .collect();
    let items = schema
        .pointer_mut("/properties/strategies/items")
        .ok_or_else(|| SchemaFault::new("it has no place for strategy ids"))?;
    // An empty enum is refused by the meta-schema; `false` says the same: nothing fits.
    *items = if ids.is_empty() {
        json!({ "type": "string", "enum": [""] })
    } else {
        json!({ "type": "string", "enum": ids })
    };
    Ok(Schema::new(schema)?.with_known(known.to_vec()))
}

/// The strategy schema.
///
/// # Errors
/// As [`effective_manifest_schema`].
pub fn effective_strategy_schema() -> Result<Schema, SchemaFault> {
    Schema::new(base("strategy")?)
}

/// The targets schema.
///
/// # Errors
/// As [`effective_manifest_schema`].
pub fn targets_schema() -> Result<Schema, SchemaFault> {
    Schema::new(base("targets")?)
}

fn base(name: &str) -> Result<Value, SchemaFault> {
    committed(name).ok_or_else(|| SchemaFault::new("there is no schema of that name"))
}
