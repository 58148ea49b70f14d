//! The query fields: each looks up what its token may see.
//!
//! Must not change anything. Errors in Railway's words: an unknown deployment is `Deployment not
//! found`, every other id that is unknown or of another environment is `Not Authorized`.

use std::sync::Arc;

use apollo_compiler::resolvers::FieldError;
use apollo_compiler::response::{JsonMap, JsonValue};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::{Caller, NOT_AUTHORIZED};
use super::lifecycle;
use super::logs::{self, Wanted};
use super::object::link;
use super::report;
use super::state::{Deployment, ServiceInstance, State};
use super::supervisor::Platform;
use super::surroundings::provided_variables;
use super::view;

/// Railway's answer for a deployment that does not exist.
pub(crate) const DEPLOYMENT_NOT_FOUND: &str = "Deployment not found";

/// An error with one of Railway's messages.
pub(crate) fn refused(message: impl Into<String>) -> FieldError {
    FieldError {
        message: message.into(),
    }
}

/// A string argument or input field, absent or null = `None`.
pub(crate) fn text<'a>(arguments: &'a JsonMap, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(JsonValue::as_str)
}

/// A string that the schema requires.
pub(crate) fn required<'a>(arguments: &'a JsonMap, name: &str) -> Result<&'a str, FieldError> {
    text(arguments, name).ok_or_else(|| refused(format!("Error in {name} - Invalid input")))
}

/// Resolves one field of `Query`.
pub(crate) fn field(
    platform: &Arc<Platform>,
    caller: &Caller,
    name: &str,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    match name {
        "projectToken" => own(platform, caller, view::project_token),
        "environment" => environment(platform, caller, arguments),
        "environments" => environments(caller, arguments),
        "project" => project(platform, caller, arguments),
        "service" => service(platform, caller, arguments),
        "serviceInstance" => instance(platform, caller, arguments, view::service_instance),
        "serviceInstanceAutoDeployStatus" => instance(
            platform,
            caller,
            arguments,
            |_, row| json!({ "enabled": row.auto_deploy, "canEnable": true, "reason": null }),
        ),
        "deploymentTriggers" => instance(platform, caller, arguments, |_, row| {
            Value::Array(view::triggers(row))
        }),
        "deployment" => {
            let id = required(arguments, "id")?;
            platform.read(|world| find(&world.state, caller, id).map(view::deployment))
        }
        "deployments" => deployments(platform, caller, arguments),
        "variables" => variables(platform, caller, arguments),
        "deploymentLogs" => read_log(platform, caller, arguments, |id| platform.log_path(id)),
        "buildLogs" => read_log(platform, caller, arguments, |id| {
            platform.build_log_path(id)
        }),
        // A project token is no account, and staged changes do not exist here.
        "me" | "apiToken" => Err(refused(NOT_AUTHORIZED)),
        other => Err(refused(format!(
            "the loopback platform does not model Query.{other}"
        ))),
    }
}

/// A deployment that the caller may touch.
pub(crate) fn find<'a>(
    state: &'a State,
    caller: &Caller,
    id: &str,
) -> Result<&'a Deployment, FieldError> {
    let row = state
        .deployment(id)
        .ok_or_else(|| refused(DEPLOYMENT_NOT_FOUND))?;
    if caller.may(&row.environment_id) {
        Ok(row)
    } else {
        Err(refused(NOT_AUTHORIZED))
    }
}

/// The service instance named by `environmentId` and `serviceId`, if the caller may touch it.
pub(crate) fn named<'a>(
    state: &'a State,
    caller: &Caller,
    arguments: &JsonMap,
) -> Result<&'a ServiceInstance, FieldError> {
    let environment_id = required(arguments, "environmentId")?;
    let row = state.instance(environment_id, required(arguments, "serviceId")?);
    let project = text(arguments, "projectId");
    row.filter(|row| caller.may(&row.environment_id))
        .filter(|row| project.is_none_or(|id| id == row.project_id))
        .ok_or_else(|| refused(NOT_AUTHORIZED))
}

fn own(
    platform: &Platform,
    caller: &Caller,
    show: impl FnOnce(&State, &ServiceInstance) -> Value,
) -> Result<Value, FieldError> {
    platform.read(|world| {
        let mut rows = world.state.instances.iter();
        let row = rows.find(|row| caller.may(&row.environment_id));
        row.map(|row| show(&world.state, row))
            .ok_or_else(|| refused(NOT_AUTHORIZED))
    })
}

fn instance(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
    show: impl FnOnce(&State, &ServiceInstance) -> Value,
) -> Result<Value, FieldError> {
    platform.read(|world| {
        let row = named(&world.state, caller, arguments)?;
        Ok(show(&world.state, row))
    })
}

fn environment(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    let id = required(arguments, "id")?;
    let project_fits = text(arguments, "projectId").is_none_or(|id| id == caller.project_id);
    if !caller.may(id) || !project_fits {
        return Err(refused(NOT_AUTHORIZED));
    }
    platform
        .read(|world| view::environment(&world.state, id))
        .ok_or_else(|| refused(NOT_AUTHORIZED))
}

/// A project token is bound to one environment, so that is the one it sees.
fn environments(caller: &Caller, arguments: &JsonMap) -> Result<Value, FieldError> {
    if required(arguments, "projectId")? != caller.project_id {
        return Err(refused(NOT_AUTHORIZED));
    }
    Ok(json!([link("Environment", &caller.environment_id)]))
}

fn project(platform: &Platform, caller: &Caller, arguments: &JsonMap) -> Result<Value, FieldError> {
    let id = required(arguments, "id")?;
    if id != caller.project_id {
        return Err(refused(NOT_AUTHORIZED));
    }
    platform
        .read(|world| view::project(&world.state, id, &caller.environment_id))
        .ok_or_else(|| refused(NOT_AUTHORIZED))
}

fn service(platform: &Platform, caller: &Caller, arguments: &JsonMap) -> Result<Value, FieldError> {
    let id = required(arguments, "id")?;
    platform.read(|world| {
        let known = world.state.instance(&caller.environment_id, id).is_some();
        let service = if known {
            view::service(&world.state, id)
        } else {
            None
        };
        service.ok_or_else(|| refused(NOT_AUTHORIZED))
    })
}

fn deployments(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    let empty = JsonMap::new();
    let input = arguments
        .get("input")
        .and_then(JsonValue::as_object)
        .unwrap_or(&empty);
    let environment_fits = text(input, "environmentId").is_none_or(|id| caller.may(id));
    let project_fits = text(input, "projectId").is_none_or(|id| id == caller.project_id);
    let service_id = text(input, "serviceId");
    let status = input
        .get("status")
        .and_then(JsonValue::as_object)
        .unwrap_or(&empty);
    let listed = |name: &str| -> Option<Vec<&str>> {
        let values = status.get(name)?.as_array()?;
        Some(values.iter().filter_map(JsonValue::as_str).collect())
    };
    let (wanted, unwanted) = (listed("in"), listed("notIn"));
    platform.read(|world| {
        let service_known =
            service_id.is_none_or(|id| world.state.instance(&caller.environment_id, id).is_some());
        if !environment_fits || !project_fits || !service_known {
            return Err(refused(NOT_AUTHORIZED));
        }
        let newest_first = world.state.deployments.iter().rev();
        Ok(newest_first
            .filter(|row| caller.may(&row.environment_id))
            .filter(|row| service_id.is_none_or(|id| id == row.service_id))
            .filter(|row| {
                let status = lifecycle::status_of(report::shown(row));
                wanted.as_ref().is_none_or(|list| list.contains(&status))
                    && unwanted.as_ref().is_none_or(|list| !list.contains(&status))
            })
            .map(view::deployment)
            .collect())
    })
}

/// The service's variables and what Railway adds; there are no shared variables here, so without a
/// service the map is empty.
fn variables(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
) -> Result<Value, FieldError> {
    if text(arguments, "serviceId").is_none() {
        let environment_fits = caller.may(required(arguments, "environmentId")?);
        return if environment_fits {
            Ok(json!({}))
        } else {
            Err(refused(NOT_AUTHORIZED))
        };
    }
    instance(platform, caller, arguments, |_, row| {
        let mut variables = row.variables.clone();
        variables.extend(provided_variables(row));
        json!(variables)
    })
}

fn read_log(
    platform: &Platform,
    caller: &Caller,
    arguments: &JsonMap,
    path_of: impl FnOnce(&str) -> std::path::PathBuf,
) -> Result<Value, FieldError> {
    let id = required(arguments, "deploymentId")?;
    let row = platform.read(|world| find(&world.state, caller, id).cloned())?;
    let limit = match arguments.get("limit").and_then(JsonValue::as_i64) {
        None => logs::DEFAULT_LIMIT,
        Some(limit) => usize::try_from(limit)
            .ok()
            .filter(|limit| *limit <= logs::LARGEST_LIMIT)
            .ok_or_else(|| refused("Error in limit - Invalid input"))?,
    };
    let wanted = Wanted {
        filter: text(arguments, "filter").map(str::to_owned),
        limit,
        from_ms: time(arguments, "startDate")?,
        to_ms: time(arguments, "endDate")?,
    };
    Ok(Value::Array(logs::read(&path_of(id), &row, &wanted)))
}

fn time(arguments: &JsonMap, name: &str) -> Result<Option<u64>, FieldError> {
    let Some(written) = text(arguments, name) else {
        return Ok(None);
    };
    let at: Timestamp = written
        .parse()
        .map_err(|_| refused(format!("Error in {name} - Invalid input")))?;
    Ok(Some(u64::try_from(at.as_millisecond()).unwrap_or_default()))
}
