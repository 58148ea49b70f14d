//! The mutation fields: each notes what is wanted and answers at once; the supervisor does it.
//!
//! Nothing here waits for a process: Railway answers true long before anything has happened, and so
//! does this. Input that the platform would have to ignore is refused instead.

use std::sync::Arc;

use apollo_compiler::resolvers::FieldError;
use apollo_compiler::response::{JsonMap, JsonValue};
use serde_json::{Value, json};

use super::access::{Caller, NOT_AUTHORIZED};
use super::command_faults::{self, PROBLEM};
use super::export::{self, CommitFacts};
use super::lifecycle::Refusal;
use super::query::{find, named, refused, required, text};
use super::settings;
use super::state::{Deployment, ServiceInstance, Wish};
use super::supervisor::{Platform, World, now_ms};
use super::view;

/// Railway's answer to an unknown commit; nothing is created then.
const COMMIT_NOT_FOUND: &str = "Commit not found";

/// Resolves one field of `Mutation`.
pub(crate) fn field(
    platform: &Arc<Platform>,
    caller: &Caller,
    name: &str,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    let command = |wish| command(platform, caller, arguments, wish);
    match name {
        "deploymentStop" => command(Wish::Stop),
        "deploymentRemove" => command(Wish::Remove),
        "deploymentCancel" => command(Wish::Cancel),
        "deploymentRestart" => command(Wish::Restart),
        "deploymentApprove" => {
            let id = required(arguments, "id")?;
            platform.read(|world| find(&world.state, caller, id).map(drop))?;
            // Nothing ever waits for approval here; the message is ASSUMED.
            Err(refused("Deployment is not approvable"))
        }
        "deploymentRedeploy" => {
            let id = again(platform, caller, arguments, "redeploy")?;
            platform.read(|world| find(&world.state, caller, &id).map(view::deployment))
        }
        "deploymentRollback" => again(platform, caller, arguments, "rollback").map(|_| json!(true)),
        "serviceInstanceDeployV2" => deploy(platform, caller, arguments).map(Value::String),
        "serviceInstanceDeploy" => deploy(platform, caller, arguments).map(|_| json!(true)),
        "serviceInstanceRedeploy" => {
            let row = platform.read(|world| named(&world.state, caller, arguments).cloned())?;
            redeploy_latest(platform, &row).map(|_| json!(true))
        }
        "environmentTriggersDeploy" => {
            let row =
                platform.read(|world| named(&world.state, caller, input(arguments)).cloned())?;
            let commit = tip_of(&row)?;
            create(platform, &row, &commit, "deploy").map(|_| json!(true))
        }
        "serviceInstanceUpdate" => update_settings(platform, caller, arguments),
        "serviceInstanceAutoDeployUpdate" => auto_deploy(platform, caller, arguments),
        "deploymentTriggerDelete" => delete_trigger(platform, caller, arguments),
        "variableUpsert" | "variableCollectionUpsert" | "variableDelete" => {
            variables(platform, caller, name, input(arguments))
        }
        other => Err(refused(format!(
            "the loopback platform does not model Mutation.{other}"
        ))),
    }
}

/// Changes the world; a change that could not be written down is Railway's generic failure.
fn change<T>(platform: &Platform, change: impl FnOnce(&mut World) -> T) -> Result<T, FieldError> {
    platform.change(change).map_err(|error| {
        platform.note(&format!("{error}"));
        refused(PROBLEM)
    })
}

fn command(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
    wish: Wish,
) -> Result<Value, FieldError> {
    let id = required(arguments, "id")?;
    change(platform, |world| {
        find(&world.state, caller, id)?;
        let how = command_faults::of(&world.faults, wish);
        let row = world
            .state
            .deployment_mut(id)
            .ok_or_else(|| refused(PROBLEM))?;
        command_faults::carry_out(row, wish, how, now_ms(), platform.timing)
            .map_err(|Refusal(message)| refused(message))?;
        Ok(json!(true))
    })?
}

/// Deploys `commitSha`; without it the commit that the service is associated with (that of its
/// latest deployment), which is
/// *not* the branch's head, except for the first deployment or with `latestCommit`.
fn deploy(platform: &Platform, caller: &Caller, arguments: &JsonMap) -> Result<String, FieldError> {
    let (row, latest) = platform.read(|world| {
        let row = named(&world.state, caller, arguments)?;
        let latest = world.state.latest(&row.environment_id, &row.service_id);
        Ok::<_, FieldError>((row.clone(), latest.map(commit_of)))
    })?;
    let wants_tip = arguments
        .get("latestCommit")
        .and_then(JsonValue::as_bool)
        .unwrap_or(false);
    let commit = match (text(arguments, "commitSha"), latest) {
        (Some(sha), _) => {
            export::find(&row.repo_dir, sha).ok_or_else(|| refused(COMMIT_NOT_FOUND))?
        }
        (None, Some(latest)) if !wants_tip => latest,
        (None, _) => tip_of(&row)?,
    };
    create(platform, &row, &commit, "deploy")
}

fn tip_of(row: &ServiceInstance) -> Result<CommitFacts, FieldError> {
    export::tip(&row.repo_dir, &row.branch).ok_or_else(|| refused(COMMIT_NOT_FOUND))
}

fn commit_of(row: &Deployment) -> CommitFacts {
    CommitFacts {
        id: row.commit.clone(),
        message: row.commit_message.clone(),
        author: row.commit_author.clone(),
    }
}

/// Deploys the commit of an earlier deployment once more.
fn again(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
    reason: &str,
) -> Result<String, FieldError> {
    let id = required(arguments, "id")?;
    let (row, commit) = platform.read(|world| {
        let old = find(&world.state, caller, id)?;
        let row = world.state.instance(&old.environment_id, &old.service_id);
        Ok::<_, FieldError>((
            row.cloned().ok_or_else(|| refused(PROBLEM))?,
            commit_of(old),
        ))
    })?;
    create(platform, &row, &commit, reason)
}

/// Deploys the latest deployment's commit once more; `None` where there never was one.
fn redeploy_latest(
    platform: &Platform,
    row: &ServiceInstance,
) -> Result<Option<String>, FieldError> {
    let latest = platform.read(|world| {
        world
            .state
            .latest(&row.environment_id, &row.service_id)
            .map(commit_of)
    });
    latest
        .map(|commit| create(platform, row, &commit, "redeploy"))
        .transpose()
}

fn create(
    platform: &Platform,
    row: &ServiceInstance,
    commit: &CommitFacts,
    reason: &str,
) -> Result<String, FieldError> {
    let created = change(platform, |world| {
        platform.create(world, &row.environment_id, &row.service_id, commit, reason)
    })?;
    created.map_err(|error| {
        platform.note(&format!("{error}"));
        refused(PROBLEM)
    })
}

/// Without `environmentId` the change reaches the service in *all* environments, as on Railway.
fn update_settings(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    let service_id = required(arguments, "serviceId")?;
    let environment_id = text(arguments, "environmentId");
    let input = input(arguments);
    change(platform, |world| {
        let known = world
            .state
            .instance(&caller.environment_id, service_id)
            .is_some();
        if !known || !environment_id.is_none_or(|id| caller.may(id)) {
            return Err(refused(NOT_AUTHORIZED));
        }
        let rows = world.state.instances.iter_mut();
        for row in rows
            .filter(|row| row.service_id == service_id)
            .filter(|row| environment_id.is_none_or(|id| id == row.environment_id))
        {
            row.config = settings::updated(&row.config, input)?;
            row.updated_at_ms = now_ms();
        }
        Ok(json!(true))
    })?
}

fn auto_deploy(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    let input = input(arguments);
    let enabled = input
        .get("enabled")
        .and_then(JsonValue::as_bool)
        .unwrap_or_default();
    change_instance(platform, caller, input, |row| row.auto_deploy = enabled)?;
    Ok(json!({ "enabled": enabled }))
}

fn delete_trigger(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    let id = required(arguments, "id")?;
    change(platform, |world| {
        let mut rows = world.state.instances.iter_mut();
        let row = rows
            .find(|row| row.trigger_id == id && caller.may(&row.environment_id))
            .ok_or_else(|| refused(NOT_AUTHORIZED))?;
        row.auto_deploy = false;
        Ok(json!(true))
    })?
}

/// A variable write redeploys unless `skipDeploys`; a delete always does. That brings a stopped
/// service back.
fn variables(
    platform: &Platform,
    caller: &Caller,
    mutation: &str,
    input: &JsonMap,
) -> Result<Value, FieldError> {
    let written = collection(input)?;
    let row = change_instance(platform, caller, input, |row| match mutation {
        "variableUpsert" => {
            let (name, value) = (text(input, "name"), text(input, "value"));
            row.variables
                .extend(name.zip(value).map(|(n, v)| (n.to_owned(), v.to_owned())));
        }
        "variableDelete" => {
            row.variables
                .remove(text(input, "name").unwrap_or_default());
        }
        _ => {
            if flag(input, "replace") {
                row.variables.clear();
            }
            row.variables.extend(written);
        }
    })?;
    if !flag(input, "skipDeploys") {
        redeploy_latest(platform, &row)?;
    }
    Ok(json!(true))
}

/// The `variables` of a collection; a value that is not a string would have to be guessed at.
fn collection(input: &JsonMap) -> Result<Vec<(String, String)>, FieldError> {
    let written = input.get("variables").and_then(JsonValue::as_object);
    let pairs = written.into_iter().flatten().map(|(name, value)| {
        let value = value
            .as_str()
            .ok_or_else(|| refused("Error in variables - Invalid input"))?;
        Ok((name.as_str().to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// Changes the named service instance and returns it as it is afterwards.
fn change_instance(
    platform: &Platform,
    caller: &Caller,
    input: &JsonMap,
    edit: impl FnOnce(&mut ServiceInstance),
) -> Result<ServiceInstance, FieldError> {
    if text(input, "serviceId").is_none() {
        return Err(refused(
            "the loopback platform does not model shared variables",
        ));
    }
    change(platform, |world| {
        let found = named(&world.state, caller, input)?;
        let (environment_id, service_id) = (found.environment_id.clone(), found.service_id.clone());
        let row = world
            .state
            .instance_mut(&environment_id, &service_id)
            .ok_or_else(|| refused(PROBLEM))?;
        edit(row);
        row.updated_at_ms = now_ms();
        Ok(row.clone())
    })?
}

fn flag(input: &JsonMap, name: &str) -> bool {
    input
        .get(name)
        .and_then(JsonValue::as_bool)
        .unwrap_or(false)
}

/// The `input` argument; the schema requires it, so an absent one only ever reads as empty.
fn input(arguments: &JsonMap) -> &JsonMap {
    static EMPTY: std::sync::LazyLock<JsonMap> = std::sync::LazyLock::new(JsonMap::new);
    arguments
        .get("input")
        .and_then(JsonValue::as_object)
        .unwrap_or(&EMPTY)
}
