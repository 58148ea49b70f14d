//! What was seen of the place that a deploy goes to. Names and whether they are set, never a value.

use std::collections::{BTreeMap, BTreeSet};

/// The target's platform, asked with the operator's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFacts {
    /// Where it answers, without credentials.
    pub endpoint: String,
    /// The service that `launch.toml` names.
    pub wanted: ServicePlace,
    /// Names of the service's variables, and whether each holds anything; or why they cannot be read.
    pub variables: Result<BTreeMap<String, bool>, AskFailed>,
    /// Names that a deploy from here writes into the service before it starts.
    pub brought: BTreeSet<String>,
    /// What the operator's token belongs to.
    pub token: Result<TokenBelongs, AskFailed>,
    /// The service's name, if the platform knows it in that environment.
    pub service: Result<String, AskFailed>,
    /// What a kill would stumble over: its own look at tokens, ids and service. Empty: nothing, or no kill
    /// file yet.
    pub kill_stumbles: Vec<String>,
}

/// Ids of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlace {
    /// The project.
    pub project_id: Option<String>,
    /// The environment.
    pub environment_id: String,
    /// The service.
    pub service_id: String,
}

/// What a token may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenBelongs {
    /// A person's or workspace's token: everything of theirs.
    Account,
    /// One environment of one project.
    Project {
        /// The project.
        project_id: String,
        /// The environment.
        environment_id: String,
    },
}

/// Why the platform did not say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskFailed {
    /// It answered that this is not allowed or does not exist.
    Denied(String),
    /// It gave no usable answer.
    Unreachable(String),
}

impl AskFailed {
    /// In words.
    pub fn words(&self) -> &str {
        match self {
            Self::Denied(words) | Self::Unreachable(words) => words,
        }
    }
}
