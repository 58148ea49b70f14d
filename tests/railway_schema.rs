//! Railway's real schema, where a copy of its introspection answer is at hand.
//!
//! `LAUNCH_RAILWAY_SCHEMA` names that file (`{"data": {"__schema": …}}`). Without it the tests pass and say
//! that they were skipped: the committed `schemas/railway.graphql`, pruned from it, stands for it then.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a schema that does not compile is a failed test, and a skipped test says so"
)]

use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::Value;
use std::fmt::Write;

const COMMITTED: &str = include_str!("../schemas/railway.graphql");
const BUILT_IN: [&str; 5] = ["Boolean", "Float", "ID", "Int", "String"];

/// The real schema, or a line that says why not.
fn real() -> Option<Valid<Schema>> {
    let Some(path) = std::env::var_os("LAUNCH_RAILWAY_SCHEMA") else {
        println!("skipped: LAUNCH_RAILWAY_SCHEMA names no introspection answer of Railway's");
        return None;
    };
    let text = std::fs::read_to_string(&path).unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    let sdl = sdl(answer.pointer("/data/__schema").unwrap());
    Some(Schema::parse_and_validate(sdl, "railway.graphql").unwrap())
}

/// The schema language of an introspection answer; directives and descriptions are left out.
fn sdl(schema: &Value) -> String {
    let mut text = String::from("schema {");
    for (role, member) in [
        ("query", "queryType"),
        ("mutation", "mutationType"),
        ("subscription", "subscriptionType"),
    ] {
        if let Some(name) = schema[member]["name"].as_str() {
            write!(text, " {role}: {name}").unwrap();
        }
    }
    text.push_str(" }\n");
    for definition in list(&schema["types"]) {
        let name = definition["name"].as_str().unwrap();
        if !name.starts_with("__") && !BUILT_IN.contains(&name) {
            text.push_str(&definition_of(definition, name));
        }
    }
    text
}

fn definition_of(definition: &Value, name: &str) -> String {
    match definition["kind"].as_str().unwrap() {
        "SCALAR" => format!("scalar {name}\n"),
        "ENUM" => format!(
            "enum {name} {{ {} }}\n",
            names(&definition["enumValues"]).join(" ")
        ),
        "UNION" => format!(
            "union {name} = {}\n",
            names(&definition["possibleTypes"]).join(" | ")
        ),
        "INPUT_OBJECT" => format!(
            "input {name} {{\n{}}}\n",
            inputs(&definition["inputFields"])
        ),
        kind @ ("OBJECT" | "INTERFACE") => {
            let word = if kind == "OBJECT" {
                "type"
            } else {
                "interface"
            };
            let above = names(&definition["interfaces"]).join(" & ");
            let above = if above.is_empty() {
                above
            } else {
                format!(" implements {above}")
            };
            let mut text = format!("{word} {name}{above} {{\n");
            for field in list(&definition["fields"]) {
                let arguments = inputs(&field["args"]);
                let arguments = if arguments.is_empty() {
                    arguments
                } else {
                    format!("(\n{arguments})")
                };
                let (field, type_) = (field["name"].as_str().unwrap(), type_of(&field["type"]));
                writeln!(text, "{field}{arguments}: {type_}").unwrap();
            }
            text + "}\n"
        }
        kind => panic!("{name} is of kind {kind}, which nobody knows"),
    }
}

/// Arguments or input fields, one a line.
fn inputs(given: &Value) -> String {
    let mut text = String::new();
    for input in list(given) {
        let (name, type_) = (input["name"].as_str().unwrap(), type_of(&input["type"]));
        write!(text, "{name}: {type_}").unwrap();
        if let Some(value) = input["defaultValue"].as_str() {
            write!(text, " = {value}").unwrap();
        }
        text.push('\n');
    }
    text
}

fn type_of(given: &Value) -> String {
    match given["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", type_of(&given["ofType"])),
        "LIST" => format!("[{}]", type_of(&given["ofType"])),
        _ => given["name"].as_str().unwrap().to_owned(),
    }
}

fn names(given: &Value) -> Vec<&str> {
    list(given)
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect()
}

fn list(given: &Value) -> &[Value] {
    given.as_array().map_or(&[], Vec::as_slice)
}

/// What the committed schema says that the real one does not.
fn invented(committed: &Schema, real: &Schema) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, ours) in &committed.types {
        if ours.is_built_in() {
            continue;
        }
        let Some(theirs) = real.types.get(name) else {
            wrong.push(format!("{name} is unknown"));
            continue;
        };
        for (member, type_) in members(ours) {
            match members(theirs)
                .into_iter()
                .find(|(known, _)| *known == member)
            {
                None => wrong.push(format!("{name}.{member} is unknown")),
                Some((_, known)) if known != type_ => {
                    wrong.push(format!("{name}.{member} is {known}, not {type_}"));
                }
                Some(_) => {}
            }
        }
    }
    wrong
}

/// The members of a type with their types, arguments as members of their own.
fn members(given: &ExtendedType) -> Vec<(String, String)> {
    match given {
        ExtendedType::Object(object) => object
            .fields
            .iter()
            .flat_map(|(name, field)| {
                let own = (name.to_string(), field.ty.to_string());
                let arguments = field.arguments.iter().map(|argument| {
                    (
                        format!("{name}({})", argument.name),
                        argument.ty.to_string(),
                    )
                });
                std::iter::once(own).chain(arguments).collect::<Vec<_>>()
            })
            .collect(),
        ExtendedType::InputObject(input) => input
            .fields
            .iter()
            .map(|(name, field)| (name.to_string(), field.ty.to_string()))
            .collect(),
        ExtendedType::Enum(values) => values
            .values
            .keys()
            .map(|name| (name.to_string(), String::new()))
            .collect(),
        ExtendedType::Scalar(_) | ExtendedType::Interface(_) | ExtendedType::Union(_) => Vec::new(),
    }
}

#[test]
fn every_operation_is_valid_against_the_real_schema() {
    let Some(schema) = real() else { return };
    let all = launch_kill::ops::ALL
        .iter()
        .chain(launch::platform::ops::ALL);
    let wrong: Vec<String> = all
        .filter_map(|op| {
            let error = ExecutableDocument::parse_and_validate(&schema, op.query, op.name).err()?;
            Some(format!("{}: {error}", op.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let planted = "query Planted($id: String!) { deployment(id: $id) { aliveReally } }";
    assert!(
        ExecutableDocument::parse_and_validate(&schema, planted, "planted").is_err(),
        "a field that does not exist is refused"
    );
}

#[test]
fn the_committed_schema_is_a_part_of_the_real_one() {
    let Some(real) = real() else { return };
    let committed = Schema::parse_and_validate(COMMITTED, "schemas/railway.graphql").unwrap();
    let wrong = invented(&committed, &real);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_was_invented_is_found() {
    let told = serde_json::json!({
        "queryType": {"name": "Query"},
        "types": [
            {"kind": "OBJECT", "name": "Query", "interfaces": [], "fields": [{
                "name": "deployment",
                "args": [{"name": "id", "defaultValue": null, "type":
                    {"kind": "NON_NULL", "ofType": {"kind": "SCALAR", "name": "String"}}}],
                "type": {"kind": "ENUM", "name": "Status"},
            }]},
            {"kind": "ENUM", "name": "Status", "enumValues": [{"name": "SUCCESS"}]},
        ],
    });
    let parse = |text: &str| Schema::parse_and_validate(text, "a.graphql").unwrap();
    let real = parse(&sdl(&told));
    let ours = parse(
        "type Query { deployment(id: String): Status, gone: Extra } enum Status { SUCCESS REMOVED }
         type Extra { id: String }",
    );
    assert_eq!(
        invented(&ours, &real),
        [
            "Query.deployment(id) is String!, not String",
            "Query.gone is unknown",
            "Status.REMOVED is unknown",
            "Extra is unknown",
        ]
    );
}
