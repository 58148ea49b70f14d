//! Reaching what an earlier deploy left: the kill file says where, the token files say how.
//!
//! Starts nothing. Needs neither the manifest nor git, so that status, verify, watchdog and reenable
//! work from any directory.

use super::tokens::{self, Role, TokenError};
use launch_kill::platform::ServiceIds;
use launch_kill::{
    BadEndpoint, CallError, Client, Endpoint, EnvName, KillFile, StateDir, StateError,
};

/// A deployed environment that can be asked.
#[derive(Debug, Clone)]
pub struct Reach {
    /// What the last deploy wrote down.
    pub kill_file: KillFile,
    /// The platform.
    pub client: Client,
    /// The service.
    pub ids: ServiceIds,
}

/// Why it cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// Nothing was ever deployed from this state directory.
    #[error(
        "nothing is known of {env}: there is no {file}; deploy first, or name the state directory it was deployed from (--state-dir)"
    )]
    NoKillFile {
        /// Environment.
        env: String,
        /// The file that is missing.
        file: String,
    },
    /// The kill file lacks what is needed.
    #[error("{file} names no {what}: deploy again to have it written")]
    Incomplete {
        /// The file.
        file: String,
        /// The member.
        what: &'static str,
    },
    /// The kill file of a Railway target names another host.
    #[error(
        "{env} is a railway target, but its kill file names the endpoint {endpoint}; give --endpoint to use it all the same"
    )]
    ForeignEndpoint {
        /// Environment.
        env: String,
        /// As written.
        endpoint: String,
    },
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// No token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The address is unusable.
    #[error(transparent)]
    Endpoint(#[from] BadEndpoint),
    /// The client cannot be made.
    #[error(transparent)]
    Client(#[from] CallError),
}

/// Reads the kill file of `env` and makes a client with the token of `role`. `endpoint` is the
/// operator's own `--endpoint`.
///
/// # Errors
/// See [`ReachError`].
pub fn reach(
    state: &StateDir,
    env: &EnvName,
    role: Role,
    endpoint: Option<&str>,
) -> Result<Reach, ReachError> {
    let file = || state.kill_file_path(env).display().to_string();
    let kill_file = KillFile::read(state, env)?.ok_or_else(|| ReachError::NoKillFile {
        env: env.to_string(),
        file: file(),
    })?;
    let need = |value: &Option<String>, what| {
        value
            .clone()
            .ok_or_else(|| ReachError::Incomplete { file: file(), what })
    };
    let ids = ServiceIds {
        project_id: Some(need(&kill_file.project_id, "project_id")?),
        environment_id: need(&kill_file.environment_id, "environment_id")?,
        service_id: need(&kill_file.service_id, "service_id")?,
    };
    let at = match (endpoint, &kill_file.endpoint) {
        (Some(given), _) => Endpoint::parse(given)?,
        (None, Some(written)) => {
            let at = Endpoint::parse(written)?;
            if !kill_file.is_local() && !at.is_railway() {
                return Err(ReachError::ForeignEndpoint {
                    env: env.to_string(),
                    endpoint: written.clone(),
                });
            }
            at
        }
        (None, None) => Endpoint::railway()?,
    };
    let auth = tokens::platform(
        state,
        env,
        kill_file.is_local(),
        kill_file.token_env.as_deref(),
        role,
        &tokens::process_variable,
    )?;
    Ok(Reach {
        client: Client::new(at, auth)?,
        ids,
        kill_file,
    })
}
