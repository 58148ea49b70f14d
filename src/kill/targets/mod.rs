//! Which targets a kill has: flags, kill files and environment variables become a list.
//!
//! Asks nobody. Never a silent local and never a silent choice: whatever disagrees, is ignored or
//! is missing is named. Ids that disagree are both stopped; the doubt makes the verdict unverified.

mod build;
mod choose;
#[cfg(test)]
mod tests;

pub(crate) use build::{is_open_to_others, own_token_variable};
pub use choose::resolve;
pub(crate) use choose::unknown_name;

use crate::client::Auth;
use crate::endpoint::Endpoint;
use crate::process::ProcessId;
use crate::secret::Secret;
use crate::state_dir::{EnvName, StateDir, TokenFile};
use crate::venue::VenueAccess;
use std::collections::{BTreeMap, BTreeSet};

/// How a target is called that has no environment name, only ids from environment variables.
pub(crate) const AMBIENT: &str = "environment-variables";
/// What a kill can know before it asks anybody.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The process's environment variables.
    pub variables: BTreeMap<String, String>,
    /// The state directory, where one can be found.
    pub state_dir: Option<StateDir>,
}

impl Surroundings {
    /// Reads the process's environment; `state_dir` is the `--state-dir` flag.
    pub fn of_this_process(state_dir: Option<&std::path::Path>) -> Self {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let state_dir = StateDir::resolve(state_dir, |name| variables.get(name).cloned());
        Self {
            variables,
            state_dir,
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn token(&self, kind: TokenFile, env: Option<&EnvName>) -> Option<Secret> {
        self.state_dir.as_ref()?.read_token(kind, env?).ok()?
    }
}

/// One thing to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Name of the environment, or where its ids came from.
    pub env: String,
    /// The environment's name where it has one: the key of its files.
    pub name: Option<EnvName>,
    /// Whether it runs on this machine's loopback platform.
    pub is_local: bool,
    /// The platform's GraphQL address.
    pub endpoint: Option<Endpoint>,
    /// Platform tokens, tried in order.
    pub auths: Vec<Auth>,
    /// Platform id.
    pub project_id: Option<String>,
    /// Platform id.
    pub environment_id: Option<String>,
    /// Platform id.
    pub service_id: Option<String>,
    /// The deployment that is stopped before anything is read.
    pub deployment_id: Option<String>,
    /// The instance that deploy verified.
    pub instance_nonce: Option<String>,
    /// Whether real money may be behind it (mode live or unknown).
    pub may_be_live: bool,
    /// The venue, as far as there is access; `None` for a target without real orders.
    pub venue: Option<VenueAccess>,
    /// The trader's address.
    pub trader_url: Option<Endpoint>,
    /// The watchdog's address.
    pub watchdog_url: Option<Endpoint>,
    /// Where a person can stop it by hand.
    pub dashboard_url: Option<String>,
    /// Halt tokens, tried in order.
    pub halt_tokens: Vec<Secret>,
    /// The loopback platform's process.
    pub platform_process: Option<ProcessId>,
    /// The trader's process.
    pub trader_process: Option<ProcessId>,
    /// Deployments of the other known targets.
    pub foreign_deployments: BTreeSet<String>,
    /// What disagrees about it; any makes the verdict unverified.
    pub doubts: Vec<String>,
}

impl Target {
    /// Whether any path can be tried at all.
    pub fn can_be_asked(&self) -> bool {
        let has_platform = self.endpoint.is_some() && !self.auths.is_empty();
        let has_trader = self.trader_url.is_some() && !self.halt_tokens.is_empty();
        has_platform || has_trader || self.trader_process.is_some()
    }

    /// One line: what it is and how it is reached. Holds no secret.
    pub fn describe(&self) -> String {
        let platform = if self.is_local { "local" } else { "railway" };
        let id = |label: &str, value: Option<&String>| {
            value
                .map(|value| format!(" {label} {value}"))
                .unwrap_or_default()
        };
        format!(
            "{} ({platform}){}{}{}{}",
            self.env,
            id("service", self.service_id.as_ref()),
            id("environment", self.environment_id.as_ref()),
            id("deployment", self.deployment_id.as_ref()),
            self.endpoint
                .as_ref()
                .map(|endpoint| format!(" via {endpoint}"))
                .unwrap_or_default(),
        )
    }
}

/// The targets, and what the operator should read about how they were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// What is stopped.
    pub targets: Vec<Target>,
    /// What was ignored or replaced.
    pub notes: Vec<String>,
    /// Environments whose kill file cannot be read: they cannot be stopped from here.
    pub unreadable: Vec<(String, String)>,
}

/// Nothing could be asked: exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);
