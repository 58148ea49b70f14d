//! From a target to a platform that answers: Railway, or this machine's own platform, started on demand
//! and provisioned.
//!
//! The one place outside `loopback` and `rehearse` that knows of the machine's own platform: everything
//! behind [`Connected`] sees a client, ids and an address. Decides nothing about deployments.

use super::tokens::{self, Role, TokenError};
use crate::loopback;
use crate::plan::intent::ServiceSettings;
use launch_checks::targets::{Platform, Target};
use launch_kill::platform::ServiceIds;
use launch_kill::process::ProcessId;
use launch_kill::{
    Auth, BadEndpoint, CallError, Client, Deadline, Deployment, Endpoint, EnvName, JsonClient,
    KillFile, LocalProcesses, Secret, StateDir, StateError, TokenFile,
};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What this machine's platform starts for a service: the trader that every `launch` carries.
const START_COMMAND: [&str; 4] = ["launch", "trade", "--mode", "paper"];

/// Pace of this machine's platform when it is started here: Railway's own.
const TIME_SCALE: f64 = 1.0;

/// Time between two looks at a deployment on this machine, ms: nobody counts calls here.
const LOCAL_POLL_MS: u64 = 100;

/// Time between two looks at a deployment on Railway, ms: half an hour of them is 900 calls.
const RAILWAY_POLL_MS: u64 = 2_000;

/// Longest wait for the machine's own platform to say what it runs, ms.
const READY_TIMEOUT_MS: u64 = 5_000;

/// A platform that can be asked.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The client, with the operator's token.
    pub client: Client,
    /// The token, for the stop that a failed deploy needs.
    pub auth: Auth,
    /// The service.
    pub ids: ServiceIds,
    /// Where it answers.
    pub endpoint: Endpoint,
    /// The page where a person can look and stop by hand.
    pub dashboard_url: Option<String>,
    /// What runs on this machine, when it is this machine's own platform.
    pub local: Option<Local>,
    /// Time between two looks at a deployment.
    pub poll: Duration,
}

/// This machine's own platform.
#[derive(Debug, Clone)]
pub struct Local {
    /// Its process.
    pub process: ProcessId,
    /// The program that it starts.
    pub program: PathBuf,
}

/// Why the platform cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A Railway target without a token: four lines.
    #[error("{0}")]
    NoToken(String),
    /// The target lacks an id.
    #[error(
        "manifests/launch.toml: env.{env} is on railway and names no {what}; write it there \
         (Railway dashboard, or `launch init --project-id … --environment-id … --service-id …`)"
    )]
    MissingId {
        /// Environment.
        env: String,
        /// The key.
        what: &'static str,
    },
    /// `--endpoint` for a target that has its own.
    #[error("--endpoint is for railway targets; env.{0} runs on this machine's own platform")]
    EndpointForLocal(String),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A token cannot be read.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The address is unusable.
    #[error(transparent)]
    Endpoint(#[from] BadEndpoint),
    /// The client cannot be made.
    #[error(transparent)]
    Client(#[from] CallError),
    /// The machine's own platform cannot be used.
    #[error(transparent)]
    Local(#[from] loopback::PlatformError),
    /// The machine's own platform does not say what it runs.
    #[error("this machine's platform does not say which program it starts: {0}")]
    LocalProgram(String),
}

impl ConnectError {
    /// Whether the operator must change something first (exit 2), or nothing was proved (exit 3).
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoToken(_)
                | Self::MissingId { .. }
                | Self::EndpointForLocal(_)
                | Self::Token(_)
                | Self::Endpoint(_)
        )
    }
}

/// Connects to the platform of a target. For `platform = "local"` that starts the machine's platform
/// where none runs, and makes the service; it deploys nothing.
///
/// `repo_dir` is the repository that the machine's platform deploys from, `branch` its connected one.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(
    env: &EnvName,
    target: &Target,
    state: &StateDir,
    repo_dir: &Path,
    branch: &str,
    endpoint: Option<&str>,
) -> Result<Connected, ConnectError> {
    match target.platform {
        Platform::Local if endpoint.is_some() => {
            Err(ConnectError::EndpointForLocal(env.to_string()))
        }
        Platform::Local => local(env, state, repo_dir, branch).await,
        Platform::Railway => railway(env, target, state, endpoint),
    }
}

async fn local(
    env: &EnvName,
    state: &StateDir,
    repo_dir: &Path,
    branch: &str,
) -> Result<Connected, ConnectError> {
    let settings = ServiceSettings::one_writer();
    let spec = loopback::ServiceSpec {
        env: env.to_string(),
        repo_dir: repo_dir.to_owned(),
        branch: branch.to_owned(),
        start_command: START_COMMAND.map(str::to_owned).to_vec(),
        draining_secs: settings.draining_secs,
        overlap_secs: settings.overlap_secs,
        restart_policy: Some(settings.restart_policy),
        restart_max_retries: Some(settings.restart_retries),
        // The ledger lies on a volume, and a service with a volume has its old process removed first.
        old_goes_first: true,
        auto_deploy: false,
    };
    let root = state.root().to_owned();
    // Starting it waits for a process; that must not hold up the runtime.
    let started = tokio::task::spawn_blocking(move || {
        let at = loopback::ensure(&root, TIME_SCALE, None)?;
        let made = loopback::provision(&root, &spec)?;
        Ok::<_, loopback::PlatformError>((at, made))
    })
    .await;
    let (at, made) = started
        .map_err(|error| ConnectError::LocalProgram(format!("the start broke: {error}")))??;
    let endpoint = Endpoint::parse(&at.endpoint)?;
    follow_platform(state, env, &at)?;
    let auth = Auth::Project(made.token);
    Ok(Connected {
        client: Client::new(endpoint.clone(), auth.clone())?,
        auth,
        ids: ServiceIds {
            project_id: Some(made.project_id),
            environment_id: made.environment_id,
            service_id: made.service_id,
        },
        local: Some(Local {
            process: at.process(),
            program: program_of(&at.endpoint).await?,
        }),
        endpoint,
        dashboard_url: None,
        poll: Duration::from_millis(LOCAL_POLL_MS),
    })
}

/// Starts this machine's platform again where it has ended. Its state, and with it every service and
/// variable, is on disk.
///
/// # Errors
/// It cannot be started.
pub async fn wake(state: &StateDir, env: &EnvName) -> Result<(), ConnectError> {
    let root = state.root().to_owned();
    let started =
        tokio::task::spawn_blocking(move || loopback::ensure(&root, TIME_SCALE, None)).await;
    let at = started
        .map_err(|error| ConnectError::LocalProgram(format!("the start broke: {error}")))??;
    follow_platform(state, env, &at)
}

/// A platform that was started again is another process, perhaps at another port: the kill file must
/// lead to the one that answers.
fn follow_platform(
    state: &StateDir,
    env: &EnvName,
    at: &loopback::Endpoint,
) -> Result<(), ConnectError> {
    let Some(mut kill_file) = KillFile::read(state, env)? else {
        return Ok(());
    };
    let process = at.process();
    let known = kill_file.local.as_ref().and_then(LocalProcesses::platform);
    let is_same = known.as_ref() == Some(&process)
        && kill_file.endpoint.as_deref() == Some(at.endpoint.as_str());
    if !kill_file.is_local() || is_same {
        return Ok(());
    }
    kill_file.endpoint = Some(at.endpoint.clone());
    let mut local = kill_file.local.take().unwrap_or_default();
    local.boot_id = Some(process.boot_id);
    local.platform_pid = Some(process.pid);
    local.platform_start = Some(process.start);
    kill_file.local = Some(local);
    kill_file.write(state, env)?;
    Ok(())
}

/// The program that the machine's platform starts: its own, or one that a rehearsal gave it.
async fn program_of(endpoint: &str) -> Result<PathBuf, ConnectError> {
    let base = endpoint.trim_end_matches("/graphql/v2");
    let deadline = Deadline::after(Duration::from_millis(READY_TIMEOUT_MS));
    let told = JsonClient::new(Endpoint::parse(base)?, None)?
        .get("/loopback/ready", deadline)
        .await?;
    told.get("trader_bin")
        .and_then(Value::as_str)
        .map(PathBuf::from)
        .ok_or_else(|| ConnectError::LocalProgram(told.to_string()))
}

/// Keeps the token of this machine's platform where kill, status and watchdog look for it. Not before a
/// deploy is cleared: the file may still belong to a service of another repository that runs.
///
/// # Errors
/// The state directory cannot be written.
pub fn keep_local_token(
    connected: &Connected,
    state: &StateDir,
    env: &EnvName,
) -> Result<(), StateError> {
    if connected.local.is_none() {
        return Ok(());
    }
    let token = connected.auth.secret();
    for kind in [TokenFile::Platform, TokenFile::Watchdog] {
        if state.read_token(kind, env)?.as_ref() != Some(token) {
            state.write_token(kind, env, token)?;
        }
    }
    Ok(())
}

fn railway(
    env: &EnvName,
    target: &Target,
    state: &StateDir,
    endpoint: Option<&str>,
) -> Result<Connected, ConnectError> {
    let auth = tokens::platform(
        state,
        env,
        false,
        target.token_env.as_deref(),
        Role::Operator,
        &tokens::process_variable,
    )
    .map_err(|error| match error {
        TokenError::Missing { file, .. } => ConnectError::NoToken(no_token(env, target, &file)),
        TokenError::State(_) | TokenError::Random(_) => ConnectError::Token(error),
    })?;
    let need = |value: &Option<String>, what| {
        value.clone().ok_or(ConnectError::MissingId {
            env: env.to_string(),
            what,
        })
    };
    let ids = ServiceIds {
        project_id: Some(need(&target.project_id, "project_id")?),
        environment_id: need(&target.environment_id, "environment_id")?,
        service_id: need(&target.service_id, "service_id")?,
    };
    let endpoint = match endpoint {
        Some(given) => Endpoint::parse(given)?,
        None => Endpoint::railway()?,
    };
    Ok(Connected {
        client: Client::new(endpoint.clone(), auth.clone())?,
        auth,
        dashboard_url: dashboard_url(&ids),
        ids,
        endpoint,
        local: None,
        poll: Duration::from_millis(RAILWAY_POLL_MS),
    })
}

/// The refusal for a Railway target on a machine without an account: four lines, no more.
fn no_token(env: &EnvName, target: &Target, file: &str) -> String {
    let own = target
        .token_env
        .as_deref()
        .map_or_else(String::new, |name| format!("{name}, "));
    format!(
        "{env} is declared platform = \"railway\" in manifests/launch.toml, and there is no platform token\n\
         seen: none of {own}RAILWAY_TOKEN_{}, RAILWAY_TOKEN, RAILWAY_API_TOKEN, {file}\n\
         wanted: a project token of that environment (Railway: project, Settings, Tokens)\n\
         do: export RAILWAY_TOKEN=…, or declare {env} platform = \"local\" to run it on this machine",
        env.as_str().to_uppercase().replace('-', "_"),
    )
}

/// Railway's page of a service. Source: the address bar of the dashboard, read 2026-11.
fn dashboard_url(ids: &ServiceIds) -> Option<String> {
    let project_id = ids.project_id.as_deref()?;
    Some(format!(
        "https://railway.com/project/{project_id}/service/{}?environmentId={}",
        ids.service_id, ids.environment_id
    ))
}

/// The process behind a deployment, where the platform runs it on this machine.
pub fn process_of(deployment: &Deployment) -> Option<ProcessId> {
    let process = deployment.meta.get("loopback")?;
    Some(ProcessId {
        boot_id: process.get("boot_id")?.as_str()?.to_owned(),
        pid: u32::try_from(process.get("pid")?.as_u64()?).ok()?,
        start: process.get("pid_start")?.as_u64()?,
    })
}

/// The secret inside a token, for the variables that a deploy writes.
pub fn as_variable(token: &Secret) -> String {
    token.expose().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(extra: &str) -> Target {
        toml::from_str(&format!(
            "class = \"staging\"\nplatform = \"railway\"\nmanifest = \"manifests/staging.toml\"\n\
             feed = \"venue\"\n{extra}"
        ))
        .unwrap()
    }

    fn place() -> (tempfile::TempDir, StateDir, EnvName) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        (dir, state, EnvName::parse("staging").unwrap())
    }

    #[test]
    fn without_a_token_railway_is_one_refusal_of_four_lines() {
        let (_dir, _state, env) = place();
        let said = no_token(&env, &target("token_env = \"MY_TOKEN\""), "token-staging");
        assert_eq!(said.lines().count(), 4, "{said}");
        for named in [
            "MY_TOKEN",
            "RAILWAY_TOKEN_STAGING",
            "token-staging",
            "local",
        ] {
            assert!(said.contains(named), "{said}");
        }
        assert!(ConnectError::NoToken(said).is_usage());
    }

    #[test]
    fn a_railway_target_names_all_three_ids() {
        let (_dir, state, env) = place();
        state
            .write_token(TokenFile::Platform, &env, &Secret::new("t").unwrap())
            .unwrap();
        let given = "project_id = \"p\"\nenvironment_id = \"e\"\n";
        let refused = railway(&env, &target(given), &state, None).unwrap_err();
        assert!(refused.to_string().contains("service_id"), "{refused}");
        let whole = format!("{given}service_id = \"s\"\n");
        let made = railway(&env, &target(&whole), &state, None).unwrap();
        assert!(made.endpoint.is_railway());
        assert_eq!(
            made.dashboard_url.as_deref(),
            Some("https://railway.com/project/p/service/s?environmentId=e")
        );
    }

    #[test]
    fn a_process_is_read_only_when_it_is_whole() {
        let read = |meta: Value| {
            let node = serde_json::json!({"id": "d", "status": "SUCCESS", "meta": meta});
            process_of(&Deployment::read(&node).unwrap())
        };
        let whole = serde_json::json!({"loopback": {"pid": 7, "pid_start": 9, "boot_id": "b"}});
        assert_eq!(read(whole).unwrap().pid, 7);
        for part in [
            serde_json::json!({}),
            serde_json::json!({"loopback": null}),
            serde_json::json!({"loopback": {"pid": 7, "pid_start": 9}}),
        ] {
            assert_eq!(read(part), None);
        }
    }
}
