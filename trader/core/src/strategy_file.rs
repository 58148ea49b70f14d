//! A strategy as data: which registered components, with which options, joined how.
//!
//! The id is the file's stem, never a field: a name inside the file is only a label, so two lists of
//! names cannot drift apart.

use crate::quality::QualityRules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The only strategy file version there is.
pub const STRATEGY_SCHEMA_VERSION: u32 = 1;

/// How the signals of several components become one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Exactly one signal component; its word counts.
    Single,
    /// All signals must name the same outcome; the least edge counts.
    Unanimous,
    /// The mean of their probabilities by weight; more than half of all weight must speak.
    Weighted,
}

/// One component and its options. Which options exist is the registry's word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComponentUse {
    /// The component's registered id.
    pub component: String,
    /// Options, checked against the component's own schema.
    #[serde(default)]
    pub options: BTreeMap<String, serde_json::Value>,
}

/// A signal component, with its weight where the aggregation weighs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalUse {
    /// The component's registered id.
    pub component: String,
    /// Options, checked against the component's own schema.
    #[serde(default)]
    pub options: BTreeMap<String, serde_json::Value>,
    /// Share of the word that it has under `weighted`; nowhere else.
    #[schemars(range(min = 1, max = 100))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
}

impl SignalUse {
    /// The component and its options alone.
    pub fn component_use(&self) -> ComponentUse {
        ComponentUse {
            component: self.component.clone(),
            options: self.options.clone(),
        }
    }
}

/// A strategy file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategyFile {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema_version: u32,
    /// A label for people. Nothing refers to it.
    #[schemars(length(min = 1, max = 80))]
    pub name: String,
    /// Says what the strategy believes, for people.
    #[serde(default)]
    pub description: String,
    /// Read what signals need besides the market view.
    #[schemars(length(max = 8))]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub analyses: Vec<ComponentUse>,
    /// Turns the market view into a probability.
    pub probability: ComponentUse,
    /// Turn view and probability into signals.
    #[schemars(length(min = 1, max = 8))]
    pub signals: Vec<SignalUse>,
    /// How several signals become one.
    pub aggregation: Aggregation,
    /// Decides whether the moment allows an entry.
    pub entry: ComponentUse,
    /// Turns a signal into shares.
    pub sizing: ComponentUse,
    /// When the quality gate shuts this strategy out until a person re-enables. The gate is always on;
    /// what is left out has the default that stands here.
    #[serde(default, skip_serializing_if = "QualityRules::is_default")]
    pub quality: QualityRules,
    /// Decide when a position is left; the first that says so wins.
    #[schemars(length(min = 1, max = 8))]
    pub exits: Vec<ComponentUse>,
}
