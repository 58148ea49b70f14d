//! What a test reads from, and plants in, a deployed environment: by the kill file's addresses and the
//! state directory's tokens, as an outsider would.

use super::Project;
use launch::platform::calls;
use launch_kill::freeze::{self, FreezeState};
use launch_kill::platform::{self, Listing, ServiceIds};
use launch_kill::{
    Auth, Client, Deadline, Endpoint, EnvName, JsonClient, KillFile, StateDir, TokenFile,
};
use serde_json::Value;
use std::time::Duration;

/// Longest wait for one answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// A deployed environment.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) kill_file: KillFile,
    client: Client,
    ids: ServiceIds,
    state: StateDir,
    env: EnvName,
}

fn block_on<T>(question: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(question)
}

impl Target {
    /// Reads the kill file of staging.
    pub(crate) fn staging(project: &Project) -> Self {
        let state = StateDir::at(project.state());
        let env = EnvName::parse("staging").unwrap();
        let kill_file = KillFile::read(&state, &env).unwrap().expect("a kill file");
        let token = state
            .read_token(TokenFile::Platform, &env)
            .unwrap()
            .unwrap();
        let endpoint = Endpoint::parse(kill_file.endpoint.as_deref().unwrap()).unwrap();
        Self {
            client: Client::new(endpoint, Auth::Project(token)).unwrap(),
            ids: ServiceIds {
                project_id: kill_file.project_id.clone(),
                environment_id: kill_file.environment_id.clone().unwrap(),
                service_id: kill_file.service_id.clone().unwrap(),
            },
            kill_file,
            state,
            env,
        }
    }

    /// Writes a service variable, as a person in the dashboard could.
    pub(crate) fn set_variable(&self, name: &str, value: &str) {
        let deadline = Deadline::after(ANSWER_MAX);
        block_on(platform::set_variable(
            &self.client,
            &self.ids,
            name,
            value,
            deadline,
        ))
        .unwrap();
    }

    /// What the service's freeze variable says.
    pub(crate) fn freeze(&self) -> FreezeState {
        let deadline = Deadline::after(ANSWER_MAX);
        block_on(freeze::read_variable(&self.client, &self.ids, deadline)).unwrap()
    }

    /// Asks the watchdog to do something, with the control token.
    pub(crate) fn tell_watchdog(&self, path: &str, body: &Value) -> Option<Value> {
        let token = self
            .state
            .read_token(TokenFile::Control, &self.env)
            .unwrap();
        let url = self.kill_file.watchdog_url.as_deref()?;
        let client = JsonClient::new(Endpoint::parse(url).unwrap(), token).unwrap();
        block_on(client.post(path, body, Deadline::after(ANSWER_MAX))).ok()
    }

    /// Deploys past `launch`, as somebody with the token could.
    pub(crate) fn deploy_beside(&self, commit: &str) -> String {
        let deadline = Deadline::after(ANSWER_MAX);
        block_on(calls::deploy(&self.client, &self.ids, commit, deadline)).unwrap()
    }

    /// Ids of live deployments by the platform's word.
    pub(crate) fn live(&self) -> Vec<String> {
        let deadline = Deadline::after(ANSWER_MAX);
        let listed = block_on(platform::deployments(
            &self.client,
            &self.ids,
            Listing::All,
            deadline,
        ))
        .unwrap();
        assert!(listed.is_complete);
        listed
            .items
            .into_iter()
            .filter(launch_kill::is_live)
            .map(|d| d.id)
            .collect()
    }

    /// The trader's own words; `None` when it does not answer.
    pub(crate) fn health(&self) -> Option<Value> {
        self.ask(self.kill_file.trader_url.as_deref()?)
    }

    /// Whether the trader holds its lease.
    pub(crate) fn is_leased(&self) -> bool {
        self.health()
            .is_some_and(|health| health.get("lease").is_some_and(|lease| !lease.is_null()))
    }

    /// The watchdog's own words; `None` when it does not answer.
    pub(crate) fn watchdog(&self) -> Option<Value> {
        self.ask(self.kill_file.watchdog_url.as_deref()?)
    }

    fn ask(&self, base: &str) -> Option<Value> {
        let token = self
            .state
            .read_token(TokenFile::Control, &self.env)
            .unwrap();
        let client = JsonClient::new(Endpoint::parse(base).unwrap(), token).unwrap();
        block_on(client.get("/health", Deadline::after(ANSWER_MAX))).ok()
    }
}
