//! `launch components`: the registry as a person or a script sees it.

use super::columns::columns;
use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use serde_json::{Value, json};
use trader_core::components::Quantity;
use trader_core::components::options::{OptionKind, OptionSpec};
use trader_core::components::registry::{Row, TABLE};

/// `launch components`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch components
  launch components --format json
A strategy file (manifests/strategies/<id>.json) composes them; its schema is
`launch schema strategy --effective`.")]
pub struct ComponentsArgs {}

/// Runs `launch components`.
pub fn run(_: &ComponentsArgs, ctx: &Context<NoState>) -> Exit {
    let text = if ctx.format == Format::Human {
        human()
    } else {
        format!("{:#}\n", document())
    };
    ctx.document(&text);
    Exit::Ok
}

/// Quantities with their units, comma-separated.
fn with_units(quantities: &[Quantity]) -> String {
    let words: Vec<String> = quantities.iter().map(Quantity::to_string).collect();
    words.join(", ")
}

fn human() -> String {
    let mut out = String::new();
    let mut rows = vec![["ID", "ROLE", "GIVES"].map(str::to_owned)];
    rows.extend(TABLE.iter().map(|row| {
        let gives = with_units(row.gives);
        [row.id.to_owned(), row.role().to_string(), gives]
    }));
    out.push_str(&columns(&rows));
    for row in TABLE {
        out.push('\n');
        out.push_str(row.id);
        out.push_str(": ");
        out.push_str(row.doc);
        out.push_str("\n  needs: ");
        out.push_str(&with_units(row.needs));
        out.push('\n');
        out.push_str("  warm-up: ");
        out.push_str(
            row.warm_up()
                .unwrap_or("none, ready as soon as it is built"),
        );
        out.push('\n');
        if !row.holds.is_empty() {
            out.push_str("  holds from the manifest: ");
            out.push_str(&row.holds.join(", "));
            out.push('\n');
        }
        for option in row.options {
            for part in [
                "  option ",
                option.name,
                ": ",
                option.doc,
                " (",
                &kind(option),
                ")\n",
            ] {
                out.push_str(part);
            }
        }
    }
    out
}

/// What an option may be, in words.
fn kind(option: &OptionSpec) -> String {
    let words = |noun: &str, min: String, max: String, default: Option<String>| {
        let default =
            default.map_or_else(|| "required".to_owned(), |value| format!("default {value}"));
        format!("{noun} from {min} to {max}, {default}")
    };
    match option.kind {
        OptionKind::Integer { min, max, default } => words(
            "whole number",
            min.to_string(),
            max.to_string(),
            default.map(|value| value.to_string()),
        ),
        OptionKind::Number { min, max, default } => words(
            "number",
            min.to_string(),
            max.to_string(),
            default.map(|value| value.to_string()),
        ),
    }
}

fn document() -> Value {
    let components: Vec<Value> = TABLE.iter().map(component).collect();
    json!({ "schema_version": 1, "components": components })
}

fn component(row: &Row) -> Value {
    let quantities = |list: &[Quantity]| {
        let each = |one: &Quantity| json!({ "name": one.name(), "unit": one.unit() });
        list.iter().map(each).collect::<Vec<_>>()
    };
    json!({
        "id": row.id,
        "role": row.role().as_str(),
        "doc": row.doc,
        "needs": quantities(row.needs),
        "gives": quantities(row.gives),
        "warm_up": row.warm_up(),
        "holds": row.holds,
        "options": row.options_schema(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_and_option_is_listed() {
        let text = human();
        let listed = document();
        assert_eq!(listed["components"].as_array().unwrap().len(), TABLE.len());
        assert_eq!(text.matches("\n  warm-up: ").count(), TABLE.len());
        for row in TABLE {
            assert!(
                text.contains(&format!("\n{}: {}\n", row.id, row.doc)),
                "{}",
                row.id
            );
            for option in row.options {
                assert!(
                    text.contains(&format!("  option {}: ", option.name)),
                    "{}",
                    option.name
                );
            }
        }
    }
}
