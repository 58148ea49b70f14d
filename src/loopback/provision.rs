//! What has to exist before anything can be deployed: a service in an environment, made from a
//! repository on this machine.
//!
//! Not GraphQL and not Railway: there a person does this in the dashboard. Idempotent by
//! environment name and repository; asking again updates the settings and keeps ids, token and
//! variables.

use std::path::{Path, PathBuf};

use launch_kill::{EnvName, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::PlatformError;
use super::files;
use super::settings::DEFAULT_MAX_RETRIES;
use super::state::{DeployConfig, RestartPolicy, ServiceInstance, State};
use super::supervisor::{Platform, now_ms};

/// The service wanted. Everything but the first five fields defaults to what Railway does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Name of the environment.
    pub env: String,
    /// A repository on this machine: its work tree's folder, its `.git`, or a bare one. Only its
    /// object database is read.
    pub repo_dir: PathBuf,
    /// The branch that counts as connected.
    pub branch: String,
    /// The command's words; a first word `launch` stands for the platform's trader program.
    pub start_command: Vec<String>,
    /// Seconds between SIGTERM and SIGKILL.
    pub draining_secs: u32,
    /// Seconds that the old deployment stays after the new one is active.
    #[serde(default)]
    pub overlap_secs: u32,
    /// `ON_FAILURE` (Railway's default), `ALWAYS` or `NEVER`.
    #[serde(default)]
    pub restart_policy: Option<String>,
    /// Restarts under `ON_FAILURE`; Railway's default is 10.
    #[serde(default)]
    pub restart_max_retries: Option<u32>,
    /// The old process is gone before the new one starts, as Railway does for a service with a
    /// volume. Off: both run for a while, as Railway does for any other service.
    #[serde(default)]
    pub old_goes_first: bool,
    /// Whether a push would deploy. Stored and reported; this platform watches no branch.
    #[serde(default)]
    pub auto_deploy: bool,
}

/// What provisioning answers: everything a client needs to deploy.
#[derive(Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// One per repository.
    pub project_id: String,
    /// One per repository and environment.
    pub environment_id: String,
    /// One per repository.
    pub service_id: String,
    /// Behaves like a Railway project token, bound to the environment.
    pub token: Secret,
}

impl std::fmt::Debug for Provisioned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provisioned")
            .field("project_id", &self.project_id)
            .field("environment_id", &self.environment_id)
            .field("service_id", &self.service_id)
            .field("token", &"[redacted]")
            .finish()
    }
}

impl Provisioned {
    /// Reads the endpoint's answer; `None` where a field is missing.
    pub(crate) fn read(answer: &Value) -> Option<Self> {
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        Some(Self {
            project_id: text("project_id")?.to_owned(),
            environment_id: text("environment_id")?.to_owned(),
            service_id: text("service_id")?.to_owned(),
            token: Secret::new(text("token")?)?,
        })
    }
}

/// Makes or updates a service; the answer's JSON, or why the request makes no sense.
pub(crate) fn provision(platform: &Platform, spec: &ServiceSpec) -> Result<Value, String> {
    let repo_dir = check(spec)?;
    let config = config_of(spec)?;
    let outcome = platform.change(|world| {
        if find(&world.state, spec, &repo_dir).is_none() {
            let row = new_instance(&platform.dir, &world.state, spec, &repo_dir, &config)?;
            world.state.instances.push(row);
        }
        let at = find(&world.state, spec, &repo_dir).unwrap_or_default();
        Ok::<_, PlatformError>(world.state.instances.get_mut(at).map(|row| {
            row.branch.clone_from(&spec.branch);
            row.config = config;
            row.auto_deploy = spec.auto_deploy;
            row.updated_at_ms = now_ms();
            json!({
                "project_id": row.project_id,
                "environment_id": row.environment_id,
                "service_id": row.service_id,
                "token": row.token,
            })
        }))
    });
    let row = outcome
        .and_then(|inner| inner)
        .map_err(|error| error.to_string())?;
    row.ok_or_else(|| "the service was not kept".to_owned())
}

/// Refuses what could not be deployed; returns the repository's canonical path.
fn check(spec: &ServiceSpec) -> Result<PathBuf, String> {
    EnvName::parse(&spec.env).map_err(|error| format!("env: {error}"))?;
    if spec.branch.is_empty() {
        return Err("branch is empty; name the connected branch".to_owned());
    }
    if spec.start_command.first().is_none_or(String::is_empty) {
        return Err("start_command is empty; give the command's words".to_owned());
    }
    let path = spec
        .repo_dir
        .canonicalize()
        .map_err(|error| format!("repo_dir {}: {error}", spec.repo_dir.display()))?;
    git2::Repository::open(&path)
        .map_err(|error| format!("repo_dir {}: {}", path.display(), error.message()))?;
    Ok(path)
}

fn config_of(spec: &ServiceSpec) -> Result<DeployConfig, String> {
    let restart_policy = match spec.restart_policy.as_deref() {
        None => RestartPolicy::OnFailure,
        Some(name) => RestartPolicy::parse(name).ok_or_else(|| {
            format!("restart_policy is {name}; wanted ON_FAILURE, ALWAYS or NEVER")
        })?,
    };
    Ok(DeployConfig {
        start_command: spec.start_command.clone(),
        draining_secs: spec.draining_secs,
        overlap_secs: spec.overlap_secs,
        restart_policy,
        restart_max_retries: spec.restart_max_retries.unwrap_or(DEFAULT_MAX_RETRIES),
        old_goes_first: spec.old_goes_first,
    })
}

fn find(state: &State, spec: &ServiceSpec, repo_dir: &Path) -> Option<usize> {
    state
        .instances
        .iter()
        .position(|row| row.env == spec.env && row.repo_dir == repo_dir)
}

/// Project and service are one per repository, the environment and its token are new.
fn new_instance(
    dir: &Path,
    state: &State,
    spec: &ServiceSpec,
    repo_dir: &Path,
    config: &DeployConfig,
) -> Result<ServiceInstance, PlatformError> {
    let sibling = state.instances.iter().find(|row| row.repo_dir == repo_dir);
    let (project_id, service_id) = match sibling {
        Some(row) => (row.project_id.clone(), row.service_id.clone()),
        None => (files::random_id()?, files::random_id()?),
    };
    let id = files::random_id()?;
    let name = repo_dir.file_name().unwrap_or_default().to_string_lossy();
    Ok(ServiceInstance {
        volume_dir: dir.join("volumes").join(&id),
        id,
        project_id,
        service_id,
        environment_id: files::random_id()?,
        trigger_id: files::random_id()?,
        env: spec.env.clone(),
        name: name.trim_end_matches(".git").to_owned(),
        repo_dir: repo_dir.to_owned(),
        branch: spec.branch.clone(),
        token: files::random_hex::<32>()?,
        config: config.clone(),
        auto_deploy: spec.auto_deploy,
        variables: std::collections::BTreeMap::new(),
        created_at_ms: now_ms(),
        updated_at_ms: now_ms(),
    })
}
