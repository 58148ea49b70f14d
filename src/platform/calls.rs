//! What the deploy's own operations mean: typed functions over the platform client.
//!
//! Must not decide, wait for states or print. An answer that cannot be read is an error.

use super::ops;
use crate::plan::intent::ServiceSettings;
use launch_kill::platform::ServiceIds;
use launch_kill::{CallError, Client, Deadline};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Deploys `commit`; answers the new deployment's id. Sent exactly once.
///
/// # Errors
/// After an error for which [`CallError::may_have_acted`] holds, a deployment may exist: list them.
pub async fn deploy(
    client: &Client,
    ids: &ServiceIds,
    commit: &str,
    deadline: Deadline,
) -> Result<String, CallError> {
    let variables = json!({
        "environmentId": ids.environment_id, "serviceId": ids.service_id, "commitSha": commit,
    });
    let data = client
        .call(&ops::SERVICE_INSTANCE_DEPLOY_V2, &variables, deadline)
        .await?;
    data.get("serviceInstanceDeployV2")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| CallError::Malformed("no deployment id in the answer".into()))
}

/// Reads the service's settings; `None` where the platform holds none and applies its default.
pub async fn settings(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<SettingsRead, CallError> {
    let variables = json!({"environmentId": ids.environment_id, "serviceId": ids.service_id});
    let data = client
        .call(&ops::SERVICE_INSTANCE_SETTINGS, &variables, deadline)
        .await?;
    let service = data
        .get("serviceInstance")
        .filter(|found| found.is_object())
        .ok_or_else(|| CallError::Malformed("no `serviceInstance` in the answer".into()))?;
    let number = |name: &str| {
        service
            .get(name)
            .and_then(Value::as_u64)
            .and_then(|seen| u32::try_from(seen).ok())
    };
    Ok(SettingsRead {
        overlap_secs: number("overlapSeconds"),
        draining_secs: number("drainingSeconds"),
        restart_policy: service
            .get("restartPolicyType")
            .and_then(Value::as_str)
            .map(str::to_owned),
        restart_retries: number("restartPolicyMaxRetries"),
    })
}

/// The service's settings as the platform tells them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsRead {
    /// `overlapSeconds`.
    pub overlap_secs: Option<u32>,
    /// `drainingSeconds`.
    pub draining_secs: Option<u32>,
    /// `restartPolicyType`.
    pub restart_policy: Option<String>,
    /// `restartPolicyMaxRetries`.
    pub restart_retries: Option<u32>,
}

impl SettingsRead {
    /// Names of the settings that are not as wanted.
    pub fn differing(&self, wanted: &ServiceSettings) -> Vec<&'static str> {
        let mut out = Vec::new();
        // Absent overlap is the platform's default 0; absent draining is 0 too, and that is not
        // enough time to cancel an order.
        if self.overlap_secs.unwrap_or(0) != wanted.overlap_secs {
            out.push("overlapSeconds");
        }
        if self.draining_secs.unwrap_or(0) != wanted.draining_secs {
            out.push("drainingSeconds");
        }
        if self.restart_policy.as_deref() != Some(wanted.restart_policy.as_str()) {
            out.push("restartPolicyType");
        }
        if self.restart_retries != Some(wanted.restart_retries) {
            out.push("restartPolicyMaxRetries");
        }
        out
    }
}

/// Writes the settings; takes effect with the next deployment.
pub async fn set_settings(
    client: &Client,
    ids: &ServiceIds,
    wanted: &ServiceSettings,
    deadline: Deadline,
) -> Result<(), CallError> {
    let variables = json!({
        "environmentId": ids.environment_id,
        "serviceId": ids.service_id,
        "input": {
            "overlapSeconds": wanted.overlap_secs,
            "drainingSeconds": wanted.draining_secs,
            "restartPolicyType": wanted.restart_policy,
            "restartPolicyMaxRetries": wanted.restart_retries,
        },
    });
    let data = client
        .call(&ops::SERVICE_INSTANCE_UPDATE, &variables, deadline)
        .await?;
    said_true(&data, "serviceInstanceUpdate")
}

/// Writes variables without triggering a deployment and without touching others.
pub async fn set_variables(
    client: &Client,
    ids: &ServiceIds,
    values: &BTreeMap<String, String>,
    deadline: Deadline,
) -> Result<(), CallError> {
    let project_id = ids
        .project_id
        .as_deref()
        .ok_or_else(|| CallError::Setup("the project id is not known".into()))?;
    let variables = json!({"input": {
        "projectId": project_id,
        "environmentId": ids.environment_id,
        "serviceId": ids.service_id,
        "variables": values,
        "replace": false,
        "skipDeploys": true,
    }});
    let data = client
        .call(&ops::VARIABLE_COLLECTION_UPSERT, &variables, deadline)
        .await?;
    said_true(&data, "variableCollectionUpsert")
}

fn said_true(data: &Value, field: &str) -> Result<(), CallError> {
    match data.get(field).and_then(Value::as_bool) {
        Some(true) => Ok(()),
        Some(false) => Err(CallError::Denied(format!("{field} answered false"))),
        None => Err(CallError::Malformed(format!("no `{field}` in the answer"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_are_absent_or_other_are_named() {
        let wanted = ServiceSettings::one_writer();
        let right = SettingsRead {
            overlap_secs: None,
            draining_secs: Some(wanted.draining_secs),
            restart_policy: Some(wanted.restart_policy.clone()),
            restart_retries: Some(wanted.restart_retries),
        };
        assert!(right.differing(&wanted).is_empty());
        let bare = SettingsRead {
            overlap_secs: Some(20),
            draining_secs: None,
            restart_policy: Some("ALWAYS".into()),
            restart_retries: None,
        };
        assert_eq!(bare.differing(&wanted).len(), 4);
    }

    #[test]
    fn only_true_is_true() {
        assert!(said_true(&json!({"x": true}), "x").is_ok());
        assert!(matches!(
            said_true(&json!({"x": false}), "x"),
            Err(CallError::Denied(_))
        ));
        for other in [json!({}), json!({"x": null}), json!({"x": 1})] {
            assert!(matches!(
                said_true(&other, "x"),
                Err(CallError::Malformed(_))
            ));
        }
    }
}
