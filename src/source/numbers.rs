//! Numbers and asset names take the form that the schema says they mean, before it judges them.
//!
//! | schema says | value becomes |
//! |---|---|
//! | `format: decimal` | the number's source text: money never goes through a float |
//! | `type: integer` | stays; `2.0` becomes its text, because a count is written without a point |
//! | `type: number` | stays a float (statistics) |
//! | `format: asset` | the one spelling: `BTC` and `btc/usd` are `btc` |
//!
//! Must not judge: what fits nowhere stays as it is and is refused by the schema.

use super::document::{Document, child};
use super::schema::{Schema, resolve};
use serde_json::Value;
use std::collections::BTreeMap;
use trader_core::units::Asset;

/// Puts every number and asset name of `document` into the form that `schema` means.
pub(super) fn normalise(document: &mut Document, schema: &Schema) {
    let mut value = std::mem::take(document.value_mut());
    let walk = Walk {
        root: schema.json(),
        numbers: document.numbers(),
    };
    walk.visit(&mut value, "", &[schema.json()]);
    *document.value_mut() = value;
}

struct Walk<'a> {
    root: &'a Value,
    numbers: &'a BTreeMap<String, String>,
}

impl<'a> Walk<'a> {
    fn visit(&self, value: &mut Value, pointer: &str, nodes: &[&'a Value]) {
        let nodes = self.applicable(value, nodes);
        if nodes.is_empty() {
            return;
        }
        match value {
            Value::Object(map) => {
                for (key, inner) in map.iter_mut() {
                    let below: Vec<&Value> = nodes
                        .iter()
                        .filter_map(|node| property(node, key))
                        .collect();
                    self.visit(inner, &child(pointer, key), &below);
                }
            }
            Value::Array(items) => {
                let below: Vec<&Value> =
                    nodes.iter().filter_map(|node| node.get("items")).collect();
                for (index, item) in items.iter_mut().enumerate() {
                    self.visit(item, &child(pointer, &index.to_string()), &below);
                }
            }
            Value::Number(number) => {
                let says = |key: &str, word: &str| nodes.iter().any(|node| has(node, key, word));
                let decimal = says("format", "decimal");
                let spoiled_count = number.is_f64() && says("type", "integer");
                if let (true, Some(text)) = (decimal || spoiled_count, self.numbers.get(pointer)) {
                    *value = Value::from(text.as_str());
                }
            }
            Value::String(text) => {
                if nodes.iter().any(|node| has(node, "format", "asset"))
                    && let Ok(asset) = text.parse::<Asset>()
                {
                    asset.as_str().clone_into(text);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// The given nodes with their references followed, and the parts of `allOf` that apply.
    fn applicable(&self, value: &Value, nodes: &[&'a Value]) -> Vec<&'a Value> {
        let mut found = Vec::new();
        for node in nodes.iter().filter_map(|node| resolve(self.root, node)) {
            found.push(node);
            let parts = node.get("allOf").and_then(Value::as_array);
            for part in parts.into_iter().flatten() {
                let part = match part.get("if") {
                    Some(condition) if holds(condition, value) => part.get("then"),
                    Some(_) => None,
                    None => Some(part),
                };
                found.extend(part.and_then(|part| resolve(self.root, part)));
            }
        }
        found
    }
}

/// Whether `properties.KEY.const` of a condition equals the value's own `KEY`: the only form of
/// condition that our schemas use.
fn holds(condition: &Value, value: &Value) -> bool {
    condition
        .get("properties")
        .and_then(Value::as_object)
        .is_some_and(|wanted| {
            wanted
                .iter()
                .all(|(key, rule)| rule.get("const") == value.get(key))
        })
}

fn property<'a>(node: &'a Value, key: &str) -> Option<&'a Value> {
    node.get("properties")
        .and_then(|properties| properties.get(key))
        .or_else(|| {
            node.get("additionalProperties")
                .filter(|rest| rest.is_object())
        })
}

/// Whether a keyword is this word or lists it.
fn has(node: &Value, keyword: &str, word: &str) -> bool {
    match node.get(keyword) {
        Some(Value::String(one)) => one == word,
        Some(Value::Array(many)) => many.iter().any(|one| one == word),
        _ => false,
    }
}
