//! Rust type → JSON Schema (draft 2020-12).

use launch_checks::files::approved_limits::ApprovedLimits;
use launch_checks::files::waivers::Waivers;
use launch_checks::targets::Targets;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform as _};
use serde_json::Value;
use trader_core::manifest::Manifest;
use trader_core::strategy_file::StrategyFile;

/// The schemas by the name that `launch schema NAME` takes.
pub const NAMES: [&str; 5] = [
    "manifest",
    "strategy",
    "targets",
    "approved-limits",
    "waivers",
];

/// The plain schema of a name; `None` for a name that is none of [`NAMES`].
pub fn committed(name: &str) -> Option<Value> {
    match name {
        "manifest" => Some(of::<Manifest>("Launch manifest")),
        "strategy" => Some(of::<StrategyFile>("Strategy")),
        "targets" => Some(of::<Targets>("Launch targets (launch.toml)")),
        "approved-limits" => Some(of::<ApprovedLimits>("Approved limits")),
        "waivers" => Some(of::<Waivers>("Waivers")),
        _ => None,
    }
}

/// The file under `schemas/` that holds a committed schema.
pub fn file_name(name: &str) -> String {
    format!("{name}.schema.json")
}

fn of<T: schemars::JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(bound_integers))
        .with_transform(RecursiveTransform(choices))
        .with_transform(RecursiveTransform(without_null))
        .into_generator()
        .into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    RecursiveTransform(one_line_descriptions).transform(&mut schema);
    schema.to_value()
}

/// A `u32` ends at 4294967295: without the bound the schema would allow what the type refuses.
fn bound_integers(schema: &mut schemars::Schema) {
    let format = schema.get("format").and_then(Value::as_str);
    let ends_at = match format {
        Some("uint32") => u64::from(u32::MAX),
        Some("uint64") => u64::MAX,
        _ => return,
    };
    if schema.get("maximum").is_none() {
        schema.insert("maximum".to_owned(), ends_at.into());
    }
}

/// Doc comments break lines where the source does; readers of the schema should not see that.
fn one_line_descriptions(schema: &mut schemars::Schema) {
    if let Some(text) = schema.get("description").and_then(Value::as_str) {
        let flat = text.lines().collect::<Vec<_>>().join(" ");
        schema.insert("description".to_owned(), flat.into());
    }
}

/// An optional key may be absent; null is not a value. Leaves of an `anyOf` with null move up, so
/// that their refusals are told one by one.
fn without_null(schema: &mut schemars::Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(variants)) = schema.get("anyOf") else {
        return;
    };
    let is_null = |variant: &Value| variant.get("type").is_some_and(|one| one == "null");
    let others: Vec<&Value> = variants.iter().filter(|one| !is_null(one)).collect();
    if let [one] = others.as_slice()
        && let Some(map) = one.as_object().cloned()
    {
        schema.remove("anyOf");
        for (key, value) in map {
            if schema.get(&key).is_none() {
                schema.insert(key, value);
            }
        }
    }
}

/// An enum whose variants have docs comes as `oneOf` of constants, which a validator can only refuse
/// as a whole. One `enum` says the same and its refusal names the choices; the docs move up.
fn choices(schema: &mut schemars::Schema) {
    let Some(variants) = schema.get("oneOf").and_then(Value::as_array) else {
        return;
    };
    let words: Option<Vec<(&str, &str)>> = variants
        .iter()
        .map(|variant| {
            let text = |key: &str| variant.get(key).and_then(Value::as_str);
            Some((text("const")?, text("description").unwrap_or_default()))
        })
        .collect();
    let Some(words) = words else { return };
    let choices: Vec<Value> = words.iter().map(|(word, _)| Value::from(*word)).collect();
    let mut text = schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    for (word, meaning) in &words {
        for part in [" ", word, ": ", meaning] {
            text.push_str(part);
        }
    }
    schema.remove("oneOf");
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), choices.into());
    schema.insert("description".to_owned(), text.trim_start().into());
}
