//! What the platform remembers: service instances and deployments, kept in `state.json` so that a
//! platform that comes back finds the processes it left behind.
//!
//! Written by temp file and rename at every change, readable by the owner only: it holds tokens and
//! variable values, which no `Debug` here prints. Must not decide anything; `lifecycle` does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::PlatformError;
use super::files;
use super::report::Report;

/// Format of `state.json`. A platform refuses another number instead of guessing.
const SCHEMA_VERSION: u32 = 1;
/// Ended deployments kept per service instance; older ones leave the list and the disk.
pub(crate) const KEPT_DEPLOYMENTS: usize = 100;

/// Everything that survives a restart of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    schema_version: u32,
    /// One row per (repository, environment).
    pub(crate) instances: Vec<ServiceInstance>,
    /// Oldest first.
    pub(crate) deployments: Vec<Deployment>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            instances: Vec::new(),
            deployments: Vec::new(),
        }
    }
}

impl State {
    /// Reads `state.json`, or starts afresh where there is none. Errors: unreadable, or not this
    /// version's format.
    pub(crate) fn load(path: &Path) -> Result<Self, PlatformError> {
        let Some(bytes) = files::read_if_present(path)? else {
            return Ok(Self::default());
        };
        let malformed = |detail: String| PlatformError::Malformed {
            path: path.to_owned(),
            detail,
        };
        let state: Self =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if state.schema_version != SCHEMA_VERSION {
            return Err(malformed(format!(
                "schema_version is {}, this version writes {SCHEMA_VERSION}",
                state.schema_version
            )));
        }
        Ok(state)
    }

    /// Writes `state.json` whole.
    pub(crate) fn save(&self, path: &Path) -> Result<(), PlatformError> {
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| PlatformError::Malformed {
            path: path.to_owned(),
            detail: error.to_string(),
        })?;
        files::write_atomically(path, &bytes)
    }

    /// The service instance of a service in an environment.
    pub(crate) fn instance(
        &self,
        environment_id: &str,
        service_id: &str,
    ) -> Option<&ServiceInstance> {
        self.instances
            .iter()
            .find(|row| row.environment_id == environment_id && row.service_id == service_id)
    }

    /// The same, to change it.
    pub(crate) fn instance_mut(
        &mut self,
        environment_id: &str,
        service_id: &str,
    ) -> Option<&mut ServiceInstance> {
        self.instances
            .iter_mut()
            .find(|row| row.environment_id == environment_id && row.service_id == service_id)
    }

    /// A deployment by id.
    pub(crate) fn deployment(&self, id: &str) -> Option<&Deployment> {
        self.deployments.iter().find(|row| row.id == id)
    }

    /// The same, to change it.
    pub(crate) fn deployment_mut(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|row| row.id == id)
    }

    /// The newest deployment of a service instance, whatever became of it.
    pub(crate) fn latest(&self, environment_id: &str, service_id: &str) -> Option<&Deployment> {
        self.deployments
            .iter()
            .rev()
            .find(|row| row.belongs_to(environment_id, service_id))
    }

    /// Forgets the oldest ended deployments beyond [`KEPT_DEPLOYMENTS`] of one service instance;
    /// returns their ids.
    pub(crate) fn prune(&mut self, environment_id: &str, service_id: &str) -> Vec<String> {
        let mut ended: Vec<String> = self
            .deployments
            .iter()
            .filter(|row| row.belongs_to(environment_id, service_id) && row.is_ended())
            .map(|row| row.id.clone())
            .collect();
        ended.truncate(ended.len().saturating_sub(KEPT_DEPLOYMENTS));
        self.deployments.retain(|row| !ended.contains(&row.id));
        ended
    }
}

/// When a process that ended by itself is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RestartPolicy {
    /// Also after exit status 0.
    Always,
    /// Never.
    Never,
    /// After any other exit; Railway's default.
    OnFailure,
}

impl RestartPolicy {
    /// The enum value in GraphQL.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "ALWAYS",
            Self::Never => "NEVER",
            Self::OnFailure => "ON_FAILURE",
        }
    }

    /// The enum value back from GraphQL.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Always, Self::Never, Self::OnFailure]
            .into_iter()
            .find(|one| one.as_str() == text)
    }
}

/// The settings a deployment goes out with; a later change of the service does not reach a running
/// deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeployConfig {
    /// The command, split into words.
    pub(crate) start_command: Vec<String>,
    /// Seconds between SIGTERM and SIGKILL. Railway's default is 0.
    pub(crate) draining_secs: u32,
    /// Seconds that the old one stays after the new one is active. Railway's default is 0.
    pub(crate) overlap_secs: u32,
    /// Railway's default is `ON_FAILURE`.
    pub(crate) restart_policy: RestartPolicy,
    /// Railway's default is 10.
    pub(crate) restart_max_retries: u32,
    /// As Railway does for a service with a volume: the old one is gone before the new process
    /// starts.
    pub(crate) old_goes_first: bool,
}

/// One service in one environment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceInstance {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: String,
    pub(crate) trigger_id: String,
    /// The environment's name.
    pub(crate) env: String,
    /// The repository's folder name, used as project and service name.
    pub(crate) name: String,
    pub(crate) repo_dir: PathBuf,
    pub(crate) branch: String,
    /// The service's volume in this environment: it outlives every deployment.
    pub(crate) volume_dir: PathBuf,
    /// Behaves like a Railway project token: bound to this environment.
    pub(crate) token: String,
    pub(crate) config: DeployConfig,
    pub(crate) auto_deploy: bool,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) created_at_ms: u64,
    pub(crate) updated_at_ms: u64,
}

impl fmt::Debug for ServiceInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceInstance")
            .field("env", &self.env)
            .field("service_id", &self.service_id)
            .field("config", &self.config)
            .field("token", &"[redacted]")
            .field("variables", &self.variables.keys())
            .finish_non_exhaustive()
    }
}

/// Where a deployment is in its life. What a client reads follows from it alone: see `view`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Accepted, nothing done.
    Initializing,
    /// The commit's files are being exported.
    Building,
    /// A place is being found.
    Placing,
    /// The instance exists, its process not yet.
    Created,
    /// The process runs, the platform does not call it active yet.
    Starting,
    /// Active.
    Active,
    /// The process ended and will be started again.
    Restarting,
    /// Stopped, or ended by itself with status 0: SUCCESS all the same.
    Stopped,
    /// The process failed once too often.
    Crashed,
    /// Never became active.
    Failed,
    /// On its way out.
    Removing,
    /// Gone.
    Removed,
}

impl Phase {
    /// Whether it has not become active yet and still may.
    pub(crate) const fn is_in_progress(self) -> bool {
        matches!(
            self,
            Self::Initializing | Self::Building | Self::Placing | Self::Created | Self::Starting
        )
    }

    /// Whether it is active, or was and could be again.
    pub(crate) const fn was_active(self) -> bool {
        matches!(
            self,
            Self::Active | Self::Restarting | Self::Stopped | Self::Crashed
        )
    }
}

/// What a client has asked for and the platform has not reported yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    /// `deploymentStop`.
    Stop,
    /// `deploymentRemove`, or superseded by a newer active deployment.
    Remove,
    /// `deploymentCancel`.
    Cancel,
    /// `deploymentRestart`.
    Restart,
}

/// A [`Wish`] and when it takes effect (Unix milliseconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) wish: Wish,
    pub(crate) at_ms: u64,
}

/// A supervised process, known by more than its number: numbers are reused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    /// The kernel's start time of that pid (clock ticks since boot).
    pub(crate) pid_start: u64,
    /// The boot in which pid and start time mean something.
    pub(crate) boot_id: String,
    /// When SIGTERM was sent.
    pub(crate) terminated_at_ms: Option<u64>,
    /// Whether SIGKILL was sent.
    pub(crate) killed: bool,
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) instance_id: String,
    pub(crate) project_id: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: String,
    pub(crate) commit: String,
    pub(crate) commit_message: String,
    pub(crate) commit_author: String,
    pub(crate) branch: String,
    pub(crate) repo: String,
    /// Railway's `meta.reason`: deploy, redeploy, rollback.
    pub(crate) reason: String,
    pub(crate) config: DeployConfig,
    pub(crate) created_at_ms: u64,
    pub(crate) updated_at_ms: u64,
    pub(crate) phase: Phase,
    /// When the phase began.
    pub(crate) phase_at_ms: u64,
    /// When the status that a client reads last changed.
    pub(crate) status_at_ms: u64,
    /// Whether the files of the commit stand in the deployment's folder.
    pub(crate) exported: bool,
    /// Whether there ever was an instance.
    pub(crate) placed: bool,
    pub(crate) ask: Option<Ask>,
    /// The port of every process of this deployment; it stays over restarts, so that the URL does.
    pub(crate) port: Option<u16>,
    pub(crate) process: Option<Running>,
    /// The last process that ended.
    #[serde(default)]
    pub(crate) ended: Option<Running>,
    /// Restarts after a failure so far.
    pub(crate) restarts: u32,
    /// Where reads do not say the truth.
    #[serde(default, skip_serializing_if = "Report::is_plain")]
    pub(crate) report: Report,
}

impl Deployment {
    /// Whether it is one of this service instance.
    pub(crate) fn belongs_to(&self, environment_id: &str, service_id: &str) -> bool {
        self.environment_id == environment_id && self.service_id == service_id
    }

    /// Whether a process runs or may still be started without a new mutation.
    pub(crate) fn is_live(&self) -> bool {
        self.process.is_some() || self.ask.is_some() || !self.is_final_phase()
    }

    /// Whether a process may still appear without a new mutation.
    pub(crate) fn may_start(&self) -> bool {
        let is_ending = self.ask.is_some_and(|ask| ask.wish != Wish::Restart);
        let is_coming = self.phase.is_in_progress() || self.phase == Phase::Restarting;
        !is_ending && (is_coming || self.ask.is_some())
    }

    /// Whether nothing will ever happen to it again (a stopped or crashed one may be restarted).
    fn is_ended(&self) -> bool {
        !self.is_live() && matches!(self.phase, Phase::Failed | Phase::Removed)
    }

    fn is_final_phase(&self) -> bool {
        matches!(
            self.phase,
            Phase::Stopped | Phase::Crashed | Phase::Failed | Phase::Removed
        )
    }
}
