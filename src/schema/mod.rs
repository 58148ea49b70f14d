//! The schemas of every file that a person writes, generated from the Rust types.
//!
//! [`committed`] are the plain ones, kept in `schemas/` for editors and drift-tested; the *effective*
//! ones also know which strategies exist and which components are registered, so that a name that
//! nothing carries is refused by the schema itself, with its place.

pub mod components;
pub mod strategies;

mod checks;
mod columns;
mod command;
mod effective;
mod generate;
mod project;

pub use checks::{CHECKS_FILE, checks_document};
pub use command::{SchemaArgs, SchemaName, run};
pub use effective::{effective_manifest_schema, effective_strategy_schema, plain_schema};
pub use generate::{NAMES, committed, file_name};
