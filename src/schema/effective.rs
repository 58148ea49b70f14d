//! The schemas that judge: the committed ones plus what this project's files and this program's
//! registry really offer.

use super::generate::committed;
use crate::source::{KnownStrategy, Schema, SchemaFault};
use serde_json::{Value, json};
use trader_core::components::{Role, registry};
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

/// Where each role stands in a strategy file.
const PLACES: [(Role, &str); 6] = [
    (Role::Analysis, "/properties/analyses/items"),
    (Role::Probability, "/properties/probability"),
    (Role::Signal, "/properties/signals/items"),
    (Role::Entry, "/properties/entry"),
    (Role::Sizing, "/properties/sizing"),
    (Role::Exit, "/properties/exits/items"),
];

/// The strategy schema that takes exactly the components of the registry, each in its own role and
/// with its own options.
///
/// # Errors
/// As [`effective_manifest_schema`].
pub fn effective_strategy_schema() -> Result<Schema, SchemaFault> {
    let mut schema = base("strategy")?;
    for (role, place) in PLACES {
        // A signal may have a weight, which is the committed schema's own word.
        let weight = match role {
            Role::Signal => schema
                .pointer("/$defs/SignalUse/properties/weight")
                .cloned(),
            Role::Analysis | Role::Probability | Role::Entry | Role::Sizing | Role::Exit => None,
        };
        let node = schema
            .pointer_mut(place)
            .ok_or_else(|| SchemaFault::new(format!("it has no place for {role}")))?;
        *node = component_schema(role, weight);
    }
    Schema::new(schema)
}

/// What may stand in the place of a role.
fn component_schema(role: Role, weight: Option<Value>) -> Value {
    let rows = || registry::TABLE.iter().filter(move |row| row.role() == role);
    let ids: Vec<&str> = rows().map(|row| row.id).collect();
    let rules: Vec<Value> = rows()
        .map(|row| {
            let options = row.options_schema();
            let needs_options = options
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|required| !required.is_empty());
            json!({
                "if": {
                    "properties": { "component": { "const": row.id } },
                    "required": ["component"],
                },
                "then": {
                    "properties": { "options": options },
                    "required": if needs_options { vec!["options"] } else { Vec::new() },
                },
            })
        })
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": format!("A component for {role}."),
        "properties": {
            "component": {
                "type": "string",
                "enum": ids,
                "description": "The component's registered id; `launch components` lists them.",
            },
            "options": { "type": "object" },
        },
        "required": ["component"],
        "additionalProperties": false,
        "allOf": rules,
    });
    let properties = schema
        .pointer_mut("/properties")
        .and_then(Value::as_object_mut);
    if let (Some(properties), Some(weight)) = (properties, weight) {
        properties.insert("weight".to_owned(), weight);
    }
    schema
}

/// The committed schema of a name, ready to judge: for files that need nothing of the project.
///
/// # Errors
/// As [`effective_manifest_schema`].
pub fn plain_schema(name: &str) -> Result<Schema, SchemaFault> {
    Schema::new(base(name)?)
}

fn base(name: &str) -> Result<Value, SchemaFault> {
    committed(name).ok_or_else(|| SchemaFault::new("there is no schema of that name"))
}
