//! A platform inside this process: for proofs that run many of them at once.
//!
//! The same server, supervisor and children as `launch platform serve`, without a process of its
//! own. Needs a tokio runtime with timers and I/O; the multi-threaded one, because a client that
//! blocks must not stop the platform. Must not outlive its value: dropping it ends every process
//! that it started.

use std::collections::BTreeMap;
use std::path::Path;

use super::endpoint::Endpoint;
use super::error::PlatformError;
use super::export::{self, CommitFacts};
use super::fault_rules;
use super::faults::Faults;
use super::provision::{self, Provisioned, ServiceSpec};
use super::request_log::LoggedRequest;
use super::server::{self, Served};
use super::state::Phase;
use super::supervisor::PlatformOptions;
use super::{ground_truth, lifecycle};

/// A running platform and the handle to it.
#[derive(Debug)]
pub struct InProcess {
    /// `None` only while it is being ended.
    served: Option<Served>,
    options: PlatformOptions,
    endpoint: Endpoint,
}

/// A deployment as it really is, whatever reads say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueDeployment {
    /// Its id.
    pub id: String,
    /// The service that it is of.
    pub service_id: String,
    /// Railway's word for its real phase.
    pub status: &'static str,
    /// Whether it has not become active yet and still may.
    pub is_in_progress: bool,
    /// The process that the platform supervises.
    pub pid: Option<u32>,
}

impl InProcess {
    /// Starts a platform on a free port (the last one of this state directory if it is free), and
    /// takes up what an earlier one left there. The state directory must be absolute.
    ///
    /// # Errors
    /// Another platform serves the state directory, its files are unusable, scale out of bounds.
    pub async fn start(options: &PlatformOptions) -> Result<Self, PlatformError> {
        let served = server::start(options, 0).await?;
        Ok(Self {
            endpoint: served.endpoint.clone(),
            served: Some(served),
            options: options.clone(),
        })
    }

    /// Where it answers.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Its state directory.
    pub fn state_dir(&self) -> &Path {
        &self.options.state_dir
    }

    fn served(&self) -> Result<&Served, PlatformError> {
        self.served.as_ref().ok_or(PlatformError::Ended)
    }

    /// Makes or updates a service.
    ///
    /// # Errors
    /// The specification makes no sense; the reason is quoted.
    pub fn provision(&self, spec: &ServiceSpec) -> Result<Provisioned, PlatformError> {
        let refused = |detail: String| PlatformError::Answer {
            endpoint: self.endpoint.endpoint.clone(),
            detail,
        };
        let answer = provision::provision(&self.served()?.platform, spec).map_err(refused)?;
        Provisioned::read(&answer).ok_or_else(|| refused("ids or token are missing".to_owned()))
    }

    /// Adds to a service's variables; what is there under the same name is replaced. Nothing is deployed
    /// by it.
    ///
    /// # Errors
    /// The platform has ended.
    pub fn set_variables(
        &self,
        service: &Provisioned,
        variables: BTreeMap<String, String>,
    ) -> Result<(), PlatformError> {
        let (environment, id) = (&service.environment_id, &service.service_id);
        self.served()?.platform.change(|world| {
            if let Some(row) = world.state.instance_mut(environment, id) {
                row.variables.extend(variables);
            }
        })
    }

    /// Deploys a commit of a service's repository, as `serviceInstanceDeployV2` does; the
    /// deployment's id. Network faults do not touch it.
    ///
    /// # Errors
    /// Unknown service or commit.
    pub fn deploy(&self, service: &Provisioned, commit: &str) -> Result<String, PlatformError> {
        let platform = &self.served()?.platform;
        let (environment, id) = (&service.environment_id, &service.service_id);
        let unknown = |what: String| PlatformError::Unknown { what };
        let repo_dir = platform
            .read(|world| {
                let row = world.state.instance(environment, id);
                row.map(|row| row.repo_dir.clone())
            })
            .ok_or_else(|| unknown(format!("service {id}")))?;
        let facts: CommitFacts =
            export::find(&repo_dir, commit).ok_or_else(|| unknown(format!("commit {commit}")))?;
        platform.change(|world| platform.create(world, environment, id, &facts, "deploy"))?
    }

    /// Tells it how to misbehave from now on.
    ///
    /// # Errors
    /// A fault makes no sense.
    pub fn set_faults(&self, faults: &Faults) -> Result<(), PlatformError> {
        fault_rules::check(faults)?;
        let faults = faults.clone();
        self.served()?
            .platform
            .change(|world| world.faults = faults)
    }

    /// The faults in force: `times` holds how often each still happens.
    pub fn faults(&self) -> Faults {
        self.look(|world| world.faults.clone())
    }

    /// The requests so far, oldest first (at most [`super::KEPT_REQUESTS`]).
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.look(|world| world.requests.iter().cloned().collect())
    }

    /// Every deployment as it really is, oldest first.
    pub fn deployments(&self) -> Vec<TrueDeployment> {
        self.look(|world| {
            let rows = world.state.deployments.iter();
            rows.map(|row| TrueDeployment {
                id: row.id.clone(),
                service_id: row.service_id.clone(),
                status: lifecycle::status_of(row.phase),
                is_in_progress: Phase::is_in_progress(row.phase),
                pid: row.process.as_ref().map(|process| process.pid),
            })
            .collect()
        })
    }

    /// Pids of the processes that live, by deployment: read from the kernel, whatever the platform
    /// says.
    ///
    /// # Errors
    /// The process table cannot be read (it is read on Linux only).
    pub fn living(&self) -> Result<BTreeMap<String, Vec<u32>>, PlatformError> {
        ground_truth::living(&self.served()?.platform.dir)
            .map_err(PlatformError::file("read", Path::new("/proc")))
    }

    /// Ends the platform as SIGKILL would end its process: open requests get no answer, nothing is
    /// written down, its children live on. [`Self::start`] with the same options takes them up.
    pub async fn crash(mut self) -> PlatformOptions {
        if let Some(served) = self.served.take() {
            served.end_at_once();
            served.ended().await;
        }
        self.options.clone()
    }

    /// Kills every process at once and ends the platform.
    ///
    /// # Errors
    /// The process table cannot be read; the processes that the platform knew are dead.
    pub async fn shut_down(mut self) -> Result<(), PlatformError> {
        let Some(served) = self.served.take() else {
            return Ok(());
        };
        let killed = served.platform.kill_all();
        served.end_at_once();
        served.ended().await;
        killed.map_err(PlatformError::file("read", Path::new("/proc")))
    }

    fn look<T: Default>(&self, look: impl FnOnce(&super::supervisor::World) -> T) -> T {
        let served = self.served.as_ref();
        served
            .map(|served| served.platform.read(look))
            .unwrap_or_default()
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Some(served) = &self.served {
            // Nobody is left to tell; what could not be read could not be found either.
            drop(served.platform.kill_all());
            served.end_at_once();
        }
    }
}
