//! A JSON Schema made ready: the document, its compiled validator, and what is known of strategies.

use serde_json::Value;

/// A strategy file that exists, by its stem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct KnownStrategy {
    /// The file's stem: the id, if it has the form of one.
    pub id: String,
    /// The `name` inside the file, a label for people; `None` when it cannot be read.
    pub label: Option<String>,
    /// The file.
    pub path: String,
}

/// A schema that does not compile: a bug of ours.
#[derive(Debug, thiserror::Error)]
#[error("the schema does not compile: {0}")]
pub struct SchemaFault(String);

impl SchemaFault {
    /// A fault with its reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// A schema ready to judge documents.
#[derive(Debug)]
pub struct Schema {
    json: Value,
    validator: jsonschema::Validator,
    known: Option<Vec<KnownStrategy>>,
}

impl Schema {
    /// Compiles a schema document.
    pub fn new(json: Value) -> Result<Self, SchemaFault> {
        let validator =
            jsonschema::validator_for(&json).map_err(|error| SchemaFault(error.to_string()))?;
        Ok(Self {
            json,
            validator,
            known: None,
        })
    }

    /// With the strategy files that its `strategies` enum was made from, for better messages.
    pub fn with_known(mut self, known: Vec<KnownStrategy>) -> Self {
        self.known = Some(known);
        self
    }

    /// The schema document.
    pub const fn json(&self) -> &Value {
        &self.json
    }

    /// The strategy files behind the `strategies` enum; `None` for a schema without one.
    pub fn known(&self) -> Option<&[KnownStrategy]> {
        self.known.as_deref()
    }

    pub(super) const fn validator(&self) -> &jsonschema::Validator {
        &self.validator
    }

    /// The schema node at a pointer, its `$ref`s followed.
    pub(super) fn node(&self, pointer: &str) -> Option<&Value> {
        resolve(&self.json, self.json.pointer(pointer)?)
    }

    /// `node` itself, or what its `$ref` stands for.
    pub(super) fn resolved<'a>(&'a self, node: &'a Value) -> &'a Value {
        resolve(&self.json, node).unwrap_or(node)
    }
}

/// Longest chain of `$ref`s that is followed.
const REF_CHAIN_MAX: usize = 16;

/// Follows `$ref`s inside `root`; `None` when one leads nowhere.
pub(super) fn resolve<'a>(root: &'a Value, node: &'a Value) -> Option<&'a Value> {
    let mut node = node;
    for _ in 0..REF_CHAIN_MAX {
        match node.get("$ref").and_then(Value::as_str) {
            Some(reference) => node = root.pointer(reference.strip_prefix('#')?)?,
            None => return Some(node),
        }
    }
    None
}
