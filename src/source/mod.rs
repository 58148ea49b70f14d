//! Manifests, strategies and targets as text: TOML or JSON bytes in, typed values or carets out.
//!
//! The path of a file: bytes → text (size, encoding) → [`Document`] (value tree and the place of every
//! key) → schema ([`Schema`]: one validator, its numbers read from the source text) → Rust type. The
//! schema speaks first, with places; a type that refuses what its own schema allowed is a bug of ours.
//!
//! Must not read anything by itself, except through [`Files`]: callers hand over blobs of HEAD or files
//! of a disk. Must not decide what a wrong file means: it returns [`Diagnostic`]s.

mod declared;
mod diagnostic;
mod document;
mod json_text;
mod judge;
mod load;
mod numbers;
mod render;
mod schema;
mod shown;
mod text;
mod toml_text;
mod words;

pub use declared::{Declared, DiskFiles, Files, STRATEGIES_DIR, find_strategies};
pub use diagnostic::{Code, Diagnostic, Place, Severity, exit_of};
pub use document::{Document, Places};
pub use load::{
    Loaded, load_approved_limits, load_manifest, load_strategy, load_targets, load_waivers,
};
pub use render::{render, render_all};
pub use schema::{KnownStrategy, Schema, SchemaFault};
pub use text::FILE_MAX_BYTES;

/// Most problems reported for one file; the rest is counted.
pub const DIAGNOSTICS_MAX: usize = 20;
