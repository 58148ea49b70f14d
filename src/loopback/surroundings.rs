//! What a process finds around it: its export, a port, its volume, its variables.
//!
//! Must not start anything. The platform's variables win over the service's own, and nothing of the
//! operator's environment is among them.

use std::collections::{BTreeMap, HashSet};
use std::net::TcpListener;

use super::child::Launch;
use super::files;
use super::state::{Deployment, ServiceInstance};
use super::supervisor::{Platform, World};

impl Platform {
    /// Gathers what a process is started with: port, volume, variables.
    pub(crate) fn prepare(&self, world: &mut World, id: &str) -> Result<Launch, String> {
        let taken: HashSet<u16> = world
            .state
            .deployments
            .iter()
            .filter_map(|row| row.port)
            .collect();
        let row = world
            .state
            .deployment_mut(id)
            .ok_or("the deployment is gone")?;
        let port = match row.port {
            Some(port) => port,
            None => free_port(&taken)?,
        };
        row.port = Some(port);
        let row = row.clone();
        let instance = world
            .state
            .instance(&row.environment_id, &row.service_id)
            .ok_or("the service is gone")?;
        files::create_private_dir(&instance.volume_dir).map_err(|error| error.to_string())?;
        Ok(Launch {
            words: row.config.start_command.clone(),
            trader_bin: self.trader_bin.clone(),
            variables: variables_of(instance, &row, port),
            cwd: self.source_dir(id),
            log: self.log_path(id),
        })
    }
}

/// A port that nothing listens on now. Somebody else may take it before the process does; then the
/// process fails to start.
fn free_port(taken: &HashSet<u16>) -> Result<u16, String> {
    // Every try may land on a port promised to another deployment, so try more often than there are
    // deployments.
    for _ in 0..=taken.len() {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("no free port: {error}"))?
            .port();
        if !taken.contains(&port) {
            return Ok(port);
        }
    }
    Err("no free port that is not promised to another deployment".to_owned())
}

/// The process's variables: the service's own, then what the platform provides, which wins.
fn variables_of(
    instance: &ServiceInstance,
    row: &Deployment,
    port: u16,
) -> BTreeMap<String, String> {
    let volume = instance.volume_dir.display().to_string();
    let mut variables = instance.variables.clone();
    variables.extend(provided_variables(instance));
    let of_deployment = [
        ("RAILWAY_DEPLOYMENT_ID", row.id.clone()),
        ("RAILWAY_REPLICA_ID", row.instance_id.clone()),
        ("RAILWAY_GIT_COMMIT_SHA", row.commit.clone()),
        ("RAILWAY_GIT_COMMIT_MESSAGE", row.commit_message.clone()),
        ("RAILWAY_GIT_AUTHOR", row.commit_author.clone()),
        ("RAILWAY_GIT_BRANCH", row.branch.clone()),
        ("RAILWAY_GIT_REPO_NAME", instance.name.clone()),
        ("RAILWAY_VOLUME_NAME", format!("{}-volume", instance.name)),
        ("RAILWAY_VOLUME_MOUNT_PATH", volume.clone()),
        ("PORT", port.to_string()),
        ("LAUNCH_LISTEN", format!("127.0.0.1:{port}")),
        // Nothing of the operator's home is the trader's business.
        ("HOME", volume),
    ];
    variables.extend(of_deployment.map(|(name, value)| (name.to_owned(), value)));
    // A NUL cannot be passed on; the other variables still can.
    variables.retain(|name, value| !name.contains(['\0', '=']) && !value.contains('\0'));
    variables
}

/// What Railway adds to the variables of every service.
pub(crate) fn provided_variables(instance: &ServiceInstance) -> [(String, String); 6] {
    [
        ("RAILWAY_PROJECT_ID", &instance.project_id),
        ("RAILWAY_PROJECT_NAME", &instance.name),
        ("RAILWAY_ENVIRONMENT_ID", &instance.environment_id),
        ("RAILWAY_ENVIRONMENT_NAME", &instance.env),
        ("RAILWAY_SERVICE_ID", &instance.service_id),
        ("RAILWAY_SERVICE_NAME", &instance.name),
    ]
    .map(|(name, value)| (name.to_owned(), value.clone()))
}
