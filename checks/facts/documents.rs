//! Manifest and strategy files as HEAD has them, already read and validated by `launch`.
//!
//! Pure data. Diagnostics arrive rendered (place, caret, value seen, value wanted), so that checks
//! need neither files nor schemas.

use crate::outcome::{Mistake, Place};
use std::collections::BTreeMap;
use trader_core::manifest::Manifest;
use trader_core::strategy_file::StrategyFile;

/// A document of HEAD after reading and validating.
#[derive(Debug, Clone, PartialEq)]
pub enum Loaded<T> {
    /// HEAD has no such file.
    NotInCommit {
        /// Whether the disk has it.
        on_disk: bool,
    },
    /// It cannot be read or is not valid; at least one rendered diagnostic.
    Refused {
        /// One per mistake, each with file, line and column.
        diagnostics: Vec<Mistake>,
    },
    /// It is valid.
    Valid(T),
}

/// The environment's manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestDocument {
    /// Its path in HEAD.
    pub path: String,
    /// The strategies that it lists, as written, wherever the list can be read at all: a manifest
    /// that is wrong elsewhere must not hide a misspelled strategy.
    pub listed: Option<Vec<String>>,
    /// Where its values stand, by JSON pointer, as far as they were looked up.
    pub places: BTreeMap<String, Place>,
    /// The manifest, validated against the effective schema.
    pub loaded: Loaded<Manifest>,
}

impl ManifestDocument {
    /// Where the value at a pointer stands, with one line about it; the file where that is not known.
    pub fn place(&self, pointer: &str, message: &str) -> Place {
        match self.places.get(pointer) {
            Some(place) => Place {
                message: message.to_owned(),
                ..place.clone()
            },
            None => Place::file(&self.path, message),
        }
    }
}

/// One strategy file.
#[derive(Debug, Clone, PartialEq)]
pub struct StrategyDocument {
    /// Its path in HEAD.
    pub path: String,
    /// Its file stem: the strategy's id.
    pub id: String,
    /// Its label, where it can be read: what people confuse with the id.
    pub name: Option<String>,
    /// The file.
    pub loaded: Loaded<StrategyFile>,
}
