//! The committed schemas are what the Rust types say. `UPDATE_SCHEMAS=1 cargo test --test
//! schema_drift` rewrites them.

use launch::schema::{CHECKS_FILE, NAMES, checks_document, committed, file_name};

#[test]
fn the_committed_schemas_are_the_types() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let update = std::env::var_os("UPDATE_SCHEMAS").is_some();
    let mut drifted = Vec::new();
    for name in NAMES {
        let schema = committed(name).expect("every listed name has a schema");
        let wanted = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
        let path = dir.join(file_name(name));
        if update {
            std::fs::write(&path, &wanted).expect("the schemas folder can be written");
        } else if std::fs::read_to_string(&path).ok().as_deref() != Some(wanted.as_str()) {
            drifted.push(file_name(name));
        }
    }
    assert!(
        drifted.is_empty(),
        "these differ from the types: {drifted:?}; run UPDATE_SCHEMAS=1 cargo test --test schema_drift"
    );
}

#[test]
fn the_committed_table_of_checks_is_the_table() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("schemas")
        .join(CHECKS_FILE);
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, checks_document()).expect("the schemas folder can be written");
    }
    assert_eq!(
        std::fs::read_to_string(&path).ok(),
        Some(checks_document()),
        "run UPDATE_SCHEMAS=1 cargo test --test schema_drift"
    );
}

#[test]
fn no_schema_reaches_outside_itself() {
    for name in NAMES {
        let schema = committed(name)
            .expect("every listed name has a schema")
            .to_string();
        assert_eq!(
            schema.matches("\"$ref\":").count(),
            schema.matches("\"$ref\":\"#/").count()
        );
    }
}
