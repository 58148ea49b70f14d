//! Options of a component: what exists (for the schema), and reading what a strategy file says.
//!
//! Every option of a file must exist and every option of a component must be given or have a default
//! that the schema shows; nothing is silently ignored.

use crate::near_miss::near_miss;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its key.
    pub name: &'static str,
    /// What it does, with its unit.
    pub doc: &'static str,
    /// What it may be.
    pub kind: OptionKind,
}

/// What an option may be. Both ends of a range are included.
#[derive(Debug, Clone, Copy)]
pub enum OptionKind {
    /// A whole number.
    Integer {
        /// Least.
        min: u32,
        /// Most.
        max: u32,
        /// Taken when the file says nothing; `None` = the file must say it.
        default: Option<u32>,
    },
    /// A number of the model (never money).
    Number {
        /// Least.
        min: f64,
        /// Most.
        max: f64,
        /// Taken when the file says nothing; `None` = the file must say it.
        default: Option<f64>,
    },
}

/// An option that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// There is no such option.
    #[error("no option `{seen}`{} (known: {known})", hint(*near))]
    Unknown {
        /// As written.
        seen: String,
        /// The nearest one.
        near: Option<&'static str>,
        /// All of them.
        known: String,
    },
    /// Required and absent.
    #[error("option `{name}` is required")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// With the manifest's value the component could never act.
    #[error("option `{name}` is {seen}, and the manifest's `{key}` is {value}: it could never act")]
    NeverActs {
        /// Which.
        name: &'static str,
        /// Its value.
        seen: u32,
        /// The manifest's key.
        key: &'static str,
        /// Its value.
        value: u32,
    },
    /// Another type, or out of range.
    #[error("option `{name}` is {seen}, wanted {wanted}")]
    Value {
        /// Which.
        name: &'static str,
        /// As written.
        seen: String,
        /// What it may be.
        wanted: String,
    },
}

/// ", did you mean `x`?" or nothing.
pub(crate) fn hint(near: Option<&str>) -> String {
    near.map(|name| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}

/// A component's options, checked against its specification.
#[derive(Debug, Clone, PartialEq)]
pub struct Options(BTreeMap<&'static str, f64>);

impl Options {
    /// Reads what a file gives.
    ///
    /// # Errors
    /// The first option that cannot be used.
    pub fn read(
        specs: &'static [OptionSpec],
        given: &BTreeMap<String, Value>,
    ) -> Result<Self, OptionError> {
        if let Some(seen) = given
            .keys()
            .find(|key| specs.iter().all(|spec| spec.name != **key))
        {
            return Err(OptionError::Unknown {
                seen: seen.clone(),
                near: near_miss(seen, specs.iter().map(|spec| spec.name)),
                known: names(specs),
            });
        }
        let mut values = BTreeMap::new();
        for spec in specs {
            values.insert(spec.name, spec.value(given.get(spec.name))?);
        }
        Ok(Self(values))
    }

    /// A number by name.
    ///
    /// # Errors
    /// When the component asks for an option that its specification does not have.
    pub fn number(&self, name: &'static str) -> Result<f64, OptionError> {
        self.0
            .get(name)
            .copied()
            .ok_or(OptionError::Missing { name })
    }

    /// A whole number by name.
    ///
    /// # Errors
    /// As [`Options::number`].
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "read from a u32 within its range"
    )]
    pub fn integer(&self, name: &'static str) -> Result<u32, OptionError> {
        Ok(self.number(name)? as u32)
    }
}

impl OptionSpec {
    fn value(&self, given: Option<&Value>) -> Result<f64, OptionError> {
        let wrong = |seen: &Value| OptionError::Value {
            name: self.name,
            seen: seen.to_string(),
            wanted: self.wanted(),
        };
        match (self.kind, given) {
            (OptionKind::Integer { default, .. }, None) => default
                .map(f64::from)
                .ok_or(OptionError::Missing { name: self.name }),
            (OptionKind::Number { default, .. }, None) => {
                default.ok_or(OptionError::Missing { name: self.name })
            }
            (OptionKind::Integer { min, max, .. }, Some(value)) => value
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| (min..=max).contains(n))
                .map(f64::from)
                .ok_or_else(|| wrong(value)),
            (OptionKind::Number { min, max, .. }, Some(value)) => value
                .as_f64()
                .filter(|x| (min..=max).contains(x))
                .ok_or_else(|| wrong(value)),
        }
    }

    fn wanted(&self) -> String {
        match self.kind {
            OptionKind::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            OptionKind::Number { min, max, .. } => format!("a number from {min} to {max}"),
        }
    }

    fn schema(&self) -> Value {
        let mut schema = match self.kind {
            OptionKind::Integer { min, max, default } => {
                json!({ "type": "integer", "minimum": min, "maximum": max, "default": default })
            }
            OptionKind::Number { min, max, default } => {
                json!({ "type": "number", "minimum": min, "maximum": max, "default": default })
            }
        };
        if let Some(map) = schema.as_object_mut() {
            map.retain(|_, value| !value.is_null());
            map.insert("description".to_owned(), self.doc.into());
        }
        schema
    }

    const fn is_required(&self) -> bool {
        match self.kind {
            OptionKind::Integer { default, .. } => default.is_none(),
            OptionKind::Number { default, .. } => default.is_none(),
        }
    }
}

fn names(specs: &[OptionSpec]) -> String {
    if specs.is_empty() {
        return "none".to_owned();
    }
    specs
        .iter()
        .map(|spec| spec.name)
        .collect::<Vec<_>>()
        .join(", ")
}

/// JSON Schema of a component's `options`.
pub fn schema(specs: &[OptionSpec]) -> Value {
    let properties: Map<String, Value> = specs
        .iter()
        .map(|spec| (spec.name.to_owned(), spec.schema()))
        .collect();
    let required: Vec<&str> = specs
        .iter()
        .filter(|spec| spec.is_required())
        .map(|spec| spec.name)
        .collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[OptionSpec] = &[
        OptionSpec {
            name: "secs",
            doc: "s",
            kind: OptionKind::Integer {
                min: 0,
                max: 120,
                default: None,
            },
        },
        OptionSpec {
            name: "sigmas",
            doc: "σ",
            kind: OptionKind::Number {
                min: 3.0,
                max: 20.0,
                default: Some(6.0),
            },
        },
    ];

    fn read(value: &Value) -> Result<Options, String> {
        let given = value.as_object().unwrap().clone().into_iter().collect();
        Options::read(SPECS, &given).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_or_refused_with_words() {
        let options = read(&json!({ "secs": 5 })).unwrap();
        assert_eq!(options.integer("secs").unwrap(), 5);
        assert!((options.number("sigmas").unwrap() - 6.0).abs() < 1e-12);
        for (given, wanted) in [
            (json!({}), "option `secs` is required"),
            (
                json!({ "secs": 121 }),
                "option `secs` is 121, wanted a whole number from 0 to 120",
            ),
            (json!({ "secs": -1 }), "wanted a whole number"),
            (json!({ "secs": 1.5 }), "wanted a whole number"),
            (json!({ "secs": "5" }), "wanted a whole number"),
            (json!({ "secs": null }), "wanted a whole number"),
            (
                json!({ "secs": 5, "sigmas": 1e30 }),
                "wanted a number from 3 to 20",
            ),
            (
                json!({ "secs": 5, "sigma": 6 }),
                "no option `sigma`, did you mean `sigmas`? (known: secs, sigmas)",
            ),
        ] {
            let seen = read(&given).unwrap_err();
            assert!(seen.contains(wanted), "{seen}");
        }
    }

    #[test]
    fn the_schema_says_the_same() {
        let schema = schema(SPECS);
        assert_eq!(schema["required"], json!(["secs"]));
        assert_eq!(schema["properties"]["secs"]["maximum"], json!(120));
        assert_eq!(schema["properties"]["sigmas"]["default"], json!(6.0));
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
