//! What a rehearsal reads from, and plants in, the deployment that runs: the kill file's addresses, the
//! state directory's tokens, `/health`, and a deployment by somebody else.
//!
//! Reads what an outsider can read; the verdicts of the rehearsed commands never come from here.

use super::scratch::{RehearseError, Scratch};
use crate::platform::calls;
use crate::platform::ops;
use launch_kill::kill_file::KillFile;
use launch_kill::platform::{self, ServiceIds};
use launch_kill::state_dir::{EnvName, StateDir, TokenFile};
use launch_kill::trader::Trader;
use launch_kill::{Auth, Client, Deadline, Endpoint, Secret};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How often a state is looked at while it is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The deployment of one environment as its kill file tells it.
#[derive(Debug)]
pub(super) struct Running {
    file: KillFile,
    halt_token: Option<Secret>,
    platform_token: Option<Secret>,
}

fn wrong(what: &str, error: &dyn std::fmt::Display) -> RehearseError {
    RehearseError::Wrong(format!("{what}: {error}"))
}

/// Runs one asynchronous question to its end.
fn block_on<T>(question: impl Future<Output = T>) -> Result<T, RehearseError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| wrong("cannot start a runtime", &error))?;
    Ok(runtime.block_on(question))
}

impl Running {
    /// Reads the state directory.
    pub(super) fn of(scratch: &Scratch, env: &str) -> Result<Self, RehearseError> {
        let dir = StateDir::at(scratch.state());
        let name = EnvName::parse(env).map_err(|error| wrong("environment", &error))?;
        let path = dir.kill_file_path(&name);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| wrong(&path.display().to_string(), &error))?;
        let file = serde_json::from_str(&text)
            .map_err(|error| wrong(&path.display().to_string(), &error))?;
        let token = |kind| {
            dir.read_token(kind, &name)
                .map_err(|error| wrong("token", &error))
        };
        Ok(Self {
            file,
            halt_token: token(TokenFile::Halt)?,
            platform_token: token(TokenFile::Platform)?,
        })
    }

    /// The deployment's id, for people.
    pub(super) fn deployment(&self) -> &str {
        self.file.deployment_id.as_deref().unwrap_or("unknown")
    }

    /// The trader's own words.
    pub(super) fn health(&self) -> Result<Value, RehearseError> {
        let url = self.file.trader_url.as_deref().unwrap_or_default();
        let endpoint = Endpoint::parse(url).map_err(|error| wrong("trader_url", &error))?;
        let trader = Trader::new(endpoint, self.halt_token.clone())
            .map_err(|error| wrong("trader", &error))?;
        let health = block_on(trader.health(Deadline::after(ANSWER_MAX)))?;
        Ok(health.map_err(|error| wrong("GET /health", &error))?.raw)
    }

    /// Deploys `commit` as somebody who holds the token would, past `launch`: the planted breach.
    pub(super) fn deploy_beside(&self, commit: &str) -> Result<String, RehearseError> {
        let (client, ids) = self.platform()?;
        let sent = block_on(calls::deploy(
            &client,
            &ids,
            commit,
            Deadline::after(ANSWER_MAX),
        ))?;
        sent.map_err(|error| wrong("serviceInstanceDeployV2", &error))
    }

    /// Writes a service variable as a person in the dashboard could.
    pub(super) fn set_variable(&self, name: &str, value: &str) -> Result<(), RehearseError> {
        let (client, ids) = self.platform()?;
        let deadline = Deadline::after(ANSWER_MAX);
        block_on(platform::set_variable(&client, &ids, name, value, deadline))?
            .map_err(|error| wrong("variableUpsert", &error))
    }

    /// Sets the number of replicas to 0, as the old kill did; what the platform says.
    pub(super) fn set_replicas(&self) -> Result<String, RehearseError> {
        let (client, ids) = self.platform()?;
        let variables = json!({
            "environmentId": ids.environment_id, "serviceId": ids.service_id,
            "input": {"numReplicas": 0},
        });
        let deadline = Deadline::after(ANSWER_MAX);
        let answer = block_on(client.call(&ops::SERVICE_INSTANCE_UPDATE, &variables, deadline))?;
        Ok(answer.map_or_else(|error| error.to_string(), |_| "accepted".to_owned()))
    }

    fn platform(&self) -> Result<(Client, ServiceIds), RehearseError> {
        let endpoint = Endpoint::parse(self.file.endpoint.as_deref().unwrap_or_default())
            .map_err(|error| wrong("endpoint", &error))?;
        let token = self
            .platform_token
            .clone()
            .ok_or_else(|| RehearseError::Wrong("no platform token".to_owned()))?;
        let client =
            Client::new(endpoint, Auth::Project(token)).map_err(|error| wrong("client", &error))?;
        let ids = ServiceIds {
            project_id: self.file.project_id.clone(),
            environment_id: self.file.environment_id.clone().unwrap_or_default(),
            service_id: self.file.service_id.clone().unwrap_or_default(),
        };
        Ok((client, ids))
    }
}

/// Looks until `seen` answers, at most `bound`.
pub(super) fn wait_until<T>(
    scratch: &Scratch,
    what: &str,
    bound: Duration,
    mut seen: impl FnMut() -> Result<Option<T>, RehearseError>,
) -> Result<T, RehearseError> {
    let until = Instant::now() + bound;
    loop {
        scratch.go_on()?;
        if let Some(found) = seen()? {
            return Ok(found);
        }
        if Instant::now() >= until {
            return Err(RehearseError::Wrong(format!(
                "{what}: not within {} s",
                bound.as_secs()
            )));
        }
        scratch.sleep(LOOK_EVERY);
    }
}
