//! What clients read of the platform's records, in Railway's shapes.
//!
//! Must not change anything. Which status goes with which phase is `lifecycle`'s table; here are
//! the names around it.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::lifecycle;
use super::object::link;
use super::report;
use super::state::{Deployment, Phase, ServiceInstance, State};
use super::supervisor::World;

/// Railway's builder for sources without a Dockerfile; nothing is built here.
const BUILDER: &str = "RAILPACK";

/// The object behind a link.
pub(crate) fn linked(world: &World, type_name: &str, id: &str) -> Option<Value> {
    let state = &world.state;
    match type_name {
        "Deployment" => state.deployment(id).map(deployment),
        "Environment" => environment(state, id),
        "Service" => service(state, id),
        "ServiceInstance" => state
            .instances
            .iter()
            .find(|row| row.id == id)
            .map(|row| service_instance(state, row)),
        _ => None,
    }
}

/// `Deployment`.
pub(crate) fn deployment(row: &Deployment) -> Value {
    let phase = report::shown(row);
    let url = row.port.map(|port| format!("http://127.0.0.1:{port}"));
    let instances: Vec<Value> = lifecycle::instance_status(phase, row.placed)
        .map(|status| json!({ "id": row.instance_id, "status": status }))
        .into_iter()
        .collect();
    let ended = matches!(
        phase,
        Phase::Active | Phase::Stopped | Phase::Crashed | Phase::Failed | Phase::Removed
    );
    json!({
        "id": row.id,
        "projectId": row.project_id,
        "environmentId": row.environment_id,
        "serviceId": row.service_id,
        "environment": link("Environment", &row.environment_id),
        "service": link("Service", &row.service_id),
        "status": lifecycle::status_of(phase),
        "deploymentStopped": lifecycle::stopped_flag(phase),
        "instances": instances,
        "createdAt": rfc3339(row.created_at_ms),
        "updatedAt": rfc3339(row.updated_at_ms),
        "statusUpdatedAt": rfc3339(row.status_at_ms),
        "url": url,
        "staticUrl": url,
        "canRedeploy": ended,
        "canRollback": phase == Phase::Removed,
        "creator": null,
        "diagnosis": null,
        "snapshotId": null,
        "suggestAddServiceDomain": false,
        "meta": meta(row),
    })
}

/// `Deployment.meta`: what it really went out with. `loopback` is ours: which process it is on this
/// machine, or was: whoever proves its end needs its number.
fn meta(row: &Deployment) -> Value {
    let process = row.process.as_ref().or(row.ended.as_ref()).map(|process| {
        json!({ "pid": process.pid, "pid_start": process.pid_start, "boot_id": process.boot_id })
    });
    json!({
        "commitHash": row.commit,
        "commitMessage": row.commit_message,
        "commitAuthor": row.commit_author,
        "branch": row.branch,
        "repo": row.repo,
        "reason": row.reason,
        "serviceManifest": {
            "build": { "builder": BUILDER },
            "deploy": {
                "startCommand": command_line(&row.config.start_command),
                "drainingSeconds": row.config.draining_secs,
                "overlapSeconds": row.config.overlap_secs,
                "restartPolicyType": row.config.restart_policy.as_str(),
                "restartPolicyMaxRetries": row.config.restart_max_retries,
                "numReplicas": 1,
                "sleepApplication": false,
                "cronSchedule": null,
            },
        },
        "loopback": process,
    })
}

/// `ServiceInstance`.
pub(crate) fn service_instance(state: &State, row: &ServiceInstance) -> Value {
    let active: Vec<Value> = state
        .deployments
        .iter()
        .rev()
        .filter(|one| one.belongs_to(&row.environment_id, &row.service_id))
        .filter(|one| matches!(report::shown(one), Phase::Active | Phase::Restarting))
        .map(deployment)
        .collect();
    json!({
        "id": row.id,
        "serviceId": row.service_id,
        "serviceName": row.name,
        "environmentId": row.environment_id,
        "service": link("Service", &row.service_id),
        "activeDeployments": active,
        "latestDeployment": state.latest(&row.environment_id, &row.service_id).map(deployment),
        "startCommand": command_line(&row.config.start_command),
        "drainingSeconds": row.config.draining_secs,
        "overlapSeconds": row.config.overlap_secs,
        "restartPolicyType": row.config.restart_policy.as_str(),
        "restartPolicyMaxRetries": row.config.restart_max_retries,
        // Railway leaves it null where nobody set it.
        "numReplicas": null,
        "sleepApplication": false,
        "cronSchedule": null,
        "nextCronRunAt": null,
        "healthcheckPath": null,
        "healthcheckTimeout": null,
        "source": { "repo": row.name, "image": null },
        "builder": BUILDER,
        "buildCommand": null,
        "preDeployCommand": null,
        "dockerfilePath": null,
        "railwayConfigFile": null,
        "rootDirectory": null,
        "region": null,
        "watchPatterns": [],
        "domains": { "serviceDomains": [] },
        "createdAt": rfc3339(row.created_at_ms),
        "updatedAt": rfc3339(row.updated_at_ms),
        "deletedAt": null,
    })
}

/// `Service`, one per repository.
pub(crate) fn service(state: &State, id: &str) -> Option<Value> {
    let row = state.instances.iter().find(|row| row.service_id == id)?;
    Some(json!({
        "id": row.service_id,
        "name": row.name,
        "projectId": row.project_id,
        "createdAt": rfc3339(row.created_at_ms),
        "updatedAt": rfc3339(row.updated_at_ms),
        "deletedAt": null,
        "icon": null,
    }))
}

/// `Environment`.
pub(crate) fn environment(state: &State, id: &str) -> Option<Value> {
    let rows: Vec<&ServiceInstance> = state
        .instances
        .iter()
        .filter(|row| row.environment_id == id)
        .collect();
    let first = rows.first()?;
    let instances: Vec<Value> = rows
        .iter()
        .map(|row| link("ServiceInstance", &row.id))
        .collect();
    let volumes: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "id": format!("{}-volume", row.id),
                "volumeId": format!("{}-volume", row.id),
                "environmentId": row.environment_id,
                "serviceId": row.service_id,
                "mountPath": row.volume_dir,
                "state": "READY",
                "createdAt": rfc3339(row.created_at_ms),
            })
        })
        .collect();
    Some(json!({
        "id": first.environment_id,
        "name": first.env,
        "projectId": first.project_id,
        "canAccess": true,
        "isEphemeral": false,
        "sourceEnvironment": null,
        "unmergedChangesCount": null,
        "createdAt": rfc3339(first.created_at_ms),
        "updatedAt": rfc3339(first.updated_at_ms),
        "deletedAt": null,
        "serviceInstances": instances,
        "volumeInstances": volumes,
    }))
}

/// `Project`, one per repository; a project token sees its own environment of it only.
pub(crate) fn project(state: &State, id: &str, environment_id: &str) -> Option<Value> {
    let first = state.instances.iter().find(|row| row.project_id == id)?;
    Some(json!({
        "id": first.project_id,
        "name": first.name,
        "description": null,
        "createdAt": rfc3339(first.created_at_ms),
        "updatedAt": rfc3339(first.updated_at_ms),
        "deletedAt": null,
        "services": [link("Service", &first.service_id)],
        "environments": [link("Environment", environment_id)],
    }))
}

/// `ProjectToken`.
pub(crate) fn project_token(state: &State, row: &ServiceInstance) -> Value {
    json!({
        "id": row.id,
        "name": format!("{} on {}", row.name, row.env),
        "displayToken": "[redacted]",
        "projectId": row.project_id,
        "environmentId": row.environment_id,
        "project": project(state, &row.project_id, &row.environment_id),
        "environment": link("Environment", &row.environment_id),
        "createdAt": rfc3339(row.created_at_ms),
    })
}

/// `DeploymentTrigger`. ASSUMED: a service with auto-deploy off has none.
pub(crate) fn triggers(row: &ServiceInstance) -> Vec<Value> {
    if !row.auto_deploy {
        return Vec::new();
    }
    vec![json!({
        "id": row.trigger_id,
        "projectId": row.project_id,
        "environmentId": row.environment_id,
        "serviceId": row.service_id,
        "branch": row.branch,
        "repository": row.name,
        "provider": "github",
        "checkSuites": false,
        "validCheckSuites": 0,
        "baseEnvironmentOverrideId": null,
    })]
}

/// A command as one line; words with anything but plain characters are quoted.
fn command_line(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    let quoted = words.iter().map(|word| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

/// RFC 3339 UTC with milliseconds.
pub(crate) fn rfc3339(ms: u64) -> String {
    let at = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map(|at| format!("{at:.3}")).unwrap_or_default()
}
