//! Every GraphQL operation that `launch` sends is valid against Railway's schema, one per document.
//!
//! Facts: `schemas/railway.graphql`, pruned from the introspection result of Railway's own CLI.

#![expect(
    clippy::unwrap_used,
    reason = "a schema that does not compile is a failed test"
)]

use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};

const SDL: &str = include_str!("../schemas/railway.graphql");

fn schema() -> Valid<Schema> {
    Schema::parse_and_validate(SDL, "schemas/railway.graphql").unwrap()
}

/// What is wrong with a document that should hold one operation of this name.
fn fault(schema: &Valid<Schema>, name: &str, query: &str) -> Option<String> {
    let document = match ExecutableDocument::parse_and_validate(schema, query, name) {
        Ok(document) => document,
        Err(error) => return Some(error.to_string()),
    };
    if document.operations.len() != 1 {
        return Some(format!(
            "{} operations in one document",
            document.operations.len()
        ));
    }
    let found = document
        .operations
        .iter()
        .find_map(|operation| operation.name.clone());
    let fits = found.as_ref().is_some_and(|found| found.as_str() == name);
    (!fits).then(|| format!("the operation is named {found:?}"))
}

#[test]
fn every_operation_is_valid_and_alone_in_its_document() {
    let schema = schema();
    let all = launch_kill::ops::ALL
        .iter()
        .chain(launch::platform::ops::ALL);
    let faults: Vec<String> = all
        .clone()
        .filter_map(|op| {
            Some(format!(
                "{}: {}",
                op.name,
                fault(&schema, op.name, op.query)?
            ))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(all.count() >= 15, "both tables were read");
}

#[test]
fn names_are_unique_over_both_tables() {
    let all = launch_kill::ops::ALL
        .iter()
        .chain(launch::platform::ops::ALL);
    let mut names: Vec<&str> = all.map(|op| op.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn planted_faults_are_found() {
    let schema = schema();
    let good = "query Q($id: String!) { deployment(id: $id) { id status } }";
    assert_eq!(fault(&schema, "Q", good), None);
    let planted = [
        (
            "a field that does not exist",
            good.replace("status", "state"),
        ),
        (
            "an argument that does not exist",
            good.replace("(id: $id)", "(name: $id)"),
        ),
        (
            "a variable of the wrong type",
            good.replace("String!", "Int!"),
        ),
        (
            "a nullable variable for a required argument",
            good.replace("String!", "String"),
        ),
        ("two operations", format!("{good} query R {{ __typename }}")),
        ("another name", good.replace("query Q", "query Other")),
        (
            "no selection on an object",
            "query Q($id: String!) { deployment(id: $id) }".to_owned(),
        ),
    ];
    for (what, query) in planted {
        assert!(fault(&schema, "Q", &query).is_some(), "{what}");
    }
}

#[test]
fn examples_of_the_documentation_that_the_schema_rejects_stay_rejected() {
    let schema = schema();
    let by_status = "query Q { deployments(input: { status: { successfulOnly: true } }) {
        edges { node { id } } } }";
    let rollback = "mutation Q { deploymentRollback(id: \"x\") { id status } }";
    assert!(fault(&schema, "Q", by_status).is_some());
    assert!(fault(&schema, "Q", rollback).is_some());
}
