//! What the operations mean: typed functions over [`Client`].
//!
//! Must not decide, loop over targets or print. An answer that cannot be read is an error, never
//! an empty list: "nothing runs" must have been said, not assumed.

use crate::call_error::CallError;
use crate::client::Client;
use crate::deadline::Deadline;
use crate::deployment::Deployment;
use crate::ops::{self, Op};
use crate::secret::Secret;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Deployments or services per page.
const PAGE_SIZE: u32 = 100;
/// Most pages of one list. What lies beyond makes the list incomplete, and that is said.
const PAGES_MAX: usize = 10;

/// The ids that name one service of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceIds {
    /// Project.
    pub project_id: Option<String>,
    /// Environment.
    pub environment_id: String,
    /// Service.
    pub service_id: String,
}

/// What a project token is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenScope {
    /// Project.
    pub project_id: String,
    /// Environment.
    pub environment_id: String,
}

/// A service of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The id.
    pub id: String,
    /// The name shown in the dashboard.
    pub name: String,
}

/// All that a project token reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenOverview {
    /// What the token is good for.
    pub scope: TokenScope,
    /// The services of its environment with the deployments that the platform calls active. Says
    /// nothing about builds in progress.
    pub services: Vec<(Service, Vec<Deployment>)>,
}

/// Which deployments a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// All but REMOVED, FAILED and SKIPPED: what may be live, in few pages.
    NotFinal,
    /// All that the platform still tells, newest first.
    All,
    /// The newest [`PAGE_SIZE`] of all.
    Newest,
}

/// A list of deployments, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployments {
    /// The deployments of the asked service.
    pub items: Vec<Deployment>,
    /// Whether every page was read, without an error beside it. An incomplete list proves nothing about
    /// what it leaves out; what it names is there.
    pub is_complete: bool,
}

/// Whether a push deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoDeploy {
    /// Whether it does now.
    pub enabled: bool,
    /// Whether it could be turned on.
    pub can_enable: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Asks which project and environment the client's project token belongs to.
pub async fn project_token(client: &Client, deadline: Deadline) -> Result<TokenScope, CallError> {
    let data = client
        .call(&ops::PROJECT_TOKEN, &json!({}), deadline)
        .await?;
    scope(member(&data, "projectToken")?)
}

/// Asks for everything that the client's project token reaches, in one request.
///
/// # Errors
/// [`CallError::Malformed`] also when the environment has more services than one page holds.
pub async fn token_overview(
    client: &Client,
    deadline: Deadline,
) -> Result<TokenOverview, CallError> {
    let data = client
        .call(&ops::TOKEN_OVERVIEW, &json!({"first": PAGE_SIZE}), deadline)
        .await?;
    let token = member(&data, "projectToken")?;
    let page = member(member(token, "environment")?, "serviceInstances")?;
    if next_page(page)?.is_some() {
        return Err(CallError::Malformed("more than a page of services".into()));
    }
    let mut services = Vec::new();
    for node in nodes(page)? {
        let active = member(node, "activeDeployments")?.as_array();
        let active: Result<Vec<Deployment>, String> =
            active.into_iter().flatten().map(Deployment::read).collect();
        services.push((service(node)?, active.map_err(CallError::Malformed)?));
    }
    Ok(TokenOverview {
        scope: scope(token)?,
        services,
    })
}

fn scope(token: &Value) -> Result<TokenScope, CallError> {
    Ok(TokenScope {
        project_id: text(token, "projectId")?,
        environment_id: text(token, "environmentId")?,
    })
}

fn service(node: &Value) -> Result<Service, CallError> {
    Ok(Service {
        id: text(node, "serviceId")?,
        name: text(node, "serviceName")?,
    })
}

/// Lists the services of an environment.
pub async fn services(
    client: &Client,
    environment_id: &str,
    project_id: Option<&str>,
    deadline: Deadline,
) -> Result<Vec<Service>, CallError> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let variables = json!({
            "environmentId": environment_id, "projectId": project_id, "first": PAGE_SIZE, "after": after,
        });
        let data = client
            .call(&ops::ENVIRONMENT_SERVICES, &variables, deadline)
            .await?;
        let page = member(member(&data, "environment")?, "serviceInstances")?;
        for node in nodes(page)? {
            found.push(service(node)?);
        }
        after = next_page(page)?;
        if after.is_none() {
            return Ok(found);
        }
    }
    Err(CallError::Malformed(format!(
        "more than {PAGES_MAX} pages of services"
    )))
}

/// Proves that the service exists in the environment; returns its name.
///
/// # Errors
/// [`CallError::NotFound`], [`CallError::Unauthorized`] (also said of what does not exist), or
/// [`CallError::Malformed`] when the answer is about another service.
pub async fn service_exists(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<String, CallError> {
    let variables = json!({"environmentId": ids.environment_id, "serviceId": ids.service_id});
    let data = client
        .call(&ops::SERVICE_INSTANCE, &variables, deadline)
        .await?;
    let service = member(&data, "serviceInstance")?;
    let same = same_id(&text(service, "serviceId")?, &ids.service_id)
        && same_id(&text(service, "environmentId")?, &ids.environment_id);
    if !same {
        return Err(CallError::Malformed(
            "the answer is about another service".into(),
        ));
    }
    text(service, "serviceName")
}

/// Lists deployments of a service, newest first. Deployments of another service or environment,
/// should the platform ignore the filter, are left out.
///
/// # Errors
/// A page that is missing, or has errors beside its data: nothing of the list is told then.
pub async fn deployments(
    client: &Client,
    ids: &ServiceIds,
    listing: Listing,
    deadline: Deadline,
) -> Result<Deployments, CallError> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..listing.pages_max() {
        let asked = listing.variables(ids, after.as_deref());
        let data = client.call(&ops::DEPLOYMENTS, &asked, deadline).await?;
        let page = take_page(&data, ids, &mut items)?;
        if let Some(gap) = page.gap {
            return Err(gap);
        }
        after = page.next;
        if after.is_none() {
            return Ok(Deployments {
                items,
                is_complete: true,
            });
        }
    }
    Ok(Deployments {
        items,
        is_complete: false,
    })
}

/// As [`deployments`], for whoever stops what it names: what can be read of a list that is not whole,
/// and why it is not. `None` = it is whole.
///
/// # Errors
/// Nothing of it can be read.
pub(crate) async fn deployments_partly(
    client: &Client,
    ids: &ServiceIds,
    listing: Listing,
    deadline: Deadline,
) -> Result<(Vec<Deployment>, Option<CallError>), CallError> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..listing.pages_max() {
        let asked = listing.variables(ids, after.as_deref());
        let answer = client
            .call_partly(&ops::DEPLOYMENTS, &asked, deadline)
            .await
            .and_then(|answer| Ok((take_page(&answer.data, ids, &mut items)?, answer.error)));
        let (page, error) = match answer {
            Ok(answer) => answer,
            // What earlier pages named is there all the same.
            Err(error) if !items.is_empty() => return Ok((items, Some(error))),
            Err(error) => return Err(error),
        };
        let gap = error.or(page.gap);
        after = page.next;
        if gap.is_some() || after.is_none() {
            return Ok((items, gap));
        }
    }
    let gap = CallError::Malformed("the list of deployments has no end".into());
    Ok((items, Some(gap)))
}

impl Listing {
    fn pages_max(self) -> usize {
        if self == Self::Newest { 1 } else { PAGES_MAX }
    }

    fn variables(self, ids: &ServiceIds, after: Option<&str>) -> Value {
        let status =
            (self == Self::NotFinal).then(|| json!({"notIn": ["REMOVED", "FAILED", "SKIPPED"]}));
        json!({
            "input": {
                "projectId": ids.project_id, "environmentId": ids.environment_id,
                "serviceId": ids.service_id, "status": status,
            },
            "first": PAGE_SIZE,
            "after": after,
        })
    }
}

/// What a page of deployments says beside them.
struct Page {
    next: Option<String>,
    /// A record that cannot be read, if there is one: it hides no other.
    gap: Option<CallError>,
}

/// Adds a page's deployments of the asked service to `items`.
fn take_page(
    data: &Value,
    ids: &ServiceIds,
    items: &mut Vec<Deployment>,
) -> Result<Page, CallError> {
    let page = member(data, "deployments")?;
    let edges = member(page, "edges")?
        .as_array()
        .ok_or_else(|| CallError::Malformed("`edges` is no list".into()))?;
    let mut gap = None;
    for edge in edges {
        match Deployment::read(edge.get("node").unwrap_or(&Value::Null)) {
            Ok(item) if is_of(&item, ids) => items.push(item),
            Ok(_) => {}
            Err(why) => gap = Some(CallError::Malformed(why)),
        }
    }
    match next_page(page) {
        Ok(next) => Ok(Page { next, gap }),
        Err(error) if !items.is_empty() => Ok(Page {
            next: None,
            gap: Some(error),
        }),
        Err(error) => Err(error),
    }
}

/// Whether a record is of the asked service; one that does not say counts. Ids are UUIDs, which the
/// platform may write in other letters than the operator.
fn is_of(item: &Deployment, ids: &ServiceIds) -> bool {
    let same =
        |told: &Option<String>, asked: &str| told.as_ref().is_none_or(|id| same_id(id, asked));
    same(&item.service_id, &ids.service_id) && same(&item.environment_id, &ids.environment_id)
}

/// Whether two ids are the same.
pub(crate) fn same_id(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Reads one deployment.
pub async fn deployment(
    client: &Client,
    id: &str,
    deadline: Deadline,
) -> Result<Deployment, CallError> {
    let data = client
        .call(&ops::DEPLOYMENT, &json!({"id": id}), deadline)
        .await?;
    Deployment::read(member(&data, "deployment")?).map_err(CallError::Malformed)
}

/// Stops a running deployment. `Ok` = the platform accepted; whether it stopped must be read back.
pub async fn stop(client: &Client, id: &str, deadline: Deadline) -> Result<(), CallError> {
    accepted(
        client,
        &ops::DEPLOYMENT_STOP,
        "deploymentStop",
        &json!({"id": id}),
        deadline,
    )
    .await
}

/// Removes a deployment. `Ok` = accepted, to be read back.
pub async fn remove(client: &Client, id: &str, deadline: Deadline) -> Result<(), CallError> {
    accepted(
        client,
        &ops::DEPLOYMENT_REMOVE,
        "deploymentRemove",
        &json!({"id": id}),
        deadline,
    )
    .await
}

/// Cancels a deployment in progress. `Ok` = accepted, to be read back.
pub async fn cancel(client: &Client, id: &str, deadline: Deadline) -> Result<(), CallError> {
    accepted(
        client,
        &ops::DEPLOYMENT_CANCEL,
        "deploymentCancel",
        &json!({"id": id}),
        deadline,
    )
    .await
}

/// Reads whether a push deploys.
pub async fn auto_deploy(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<AutoDeploy, CallError> {
    let variables = json!({
        "projectId": project(ids)?, "environmentId": ids.environment_id, "serviceId": ids.service_id,
    });
    let data = client
        .call(&ops::AUTO_DEPLOY_STATUS, &variables, deadline)
        .await?;
    let status = member(&data, "serviceInstanceAutoDeployStatus")?;
    Ok(AutoDeploy {
        enabled: flag(status, "enabled")?,
        can_enable: status
            .get("canEnable")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        reason: status
            .get("reason")
            .and_then(Value::as_str)
            .map(str::to_owned),
    })
}

/// Turns deployment on push on or off; returns what the platform says it is now.
pub async fn set_auto_deploy(
    client: &Client,
    ids: &ServiceIds,
    enabled: bool,
    deadline: Deadline,
) -> Result<bool, CallError> {
    let variables = json!({"input": {
        "enabled": enabled, "projectId": project(ids)?,
        "environmentId": ids.environment_id, "serviceId": ids.service_id,
    }});
    let data = client
        .call(&ops::AUTO_DEPLOY_UPDATE, &variables, deadline)
        .await?;
    flag(member(&data, "serviceInstanceAutoDeployUpdate")?, "enabled")
}

/// Reads the service's variables. Every value is a secret; an empty one reads as `None`.
pub async fn variables(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<BTreeMap<String, Option<Secret>>, CallError> {
    let asked = json!({
        "projectId": project(ids)?, "environmentId": ids.environment_id, "serviceId": ids.service_id,
    });
    let data = client.call(&ops::VARIABLES, &asked, deadline).await?;
    let Value::Object(all) = member(&data, "variables")? else {
        return Err(CallError::Malformed("`variables` is no object".into()));
    };
    Ok(all
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().and_then(Secret::new)))
        .collect())
}

/// Writes one service variable with `skipDeploys: true`, so that the write itself starts nothing.
pub async fn set_variable(
    client: &Client,
    ids: &ServiceIds,
    name: &str,
    value: &str,
    deadline: Deadline,
) -> Result<(), CallError> {
    let variables = json!({"input": {
        "projectId": project(ids)?, "environmentId": ids.environment_id,
        "serviceId": ids.service_id, "name": name, "value": value, "skipDeploys": true,
    }});
    accepted(
        client,
        &ops::VARIABLE_UPSERT,
        "variableUpsert",
        &variables,
        deadline,
    )
    .await
}

/// A mutation that answers `true` or has not happened.
async fn accepted(
    client: &Client,
    op: &Op,
    field: &str,
    variables: &Value,
    deadline: Deadline,
) -> Result<(), CallError> {
    let data = client.call(op, variables, deadline).await?;
    if flag(&data, field)? {
        return Ok(());
    }
    Err(CallError::Denied(format!("{field} answered false")))
}

fn project(ids: &ServiceIds) -> Result<&str, CallError> {
    ids.project_id
        .as_deref()
        .ok_or_else(|| CallError::Setup("the project id is not known".into()))
}

fn member<'a>(value: &'a Value, name: &str) -> Result<&'a Value, CallError> {
    value
        .get(name)
        .filter(|found| !found.is_null())
        .ok_or_else(|| CallError::Malformed(format!("no `{name}` in the answer")))
}

fn text(value: &Value, name: &str) -> Result<String, CallError> {
    member(value, name)?
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| CallError::Malformed(format!("`{name}` is no text")))
}

fn flag(value: &Value, name: &str) -> Result<bool, CallError> {
    member(value, name)?
        .as_bool()
        .ok_or_else(|| CallError::Malformed(format!("`{name}` is neither true nor false")))
}

/// The `node` of every edge of a page.
fn nodes(page: &Value) -> Result<Vec<&Value>, CallError> {
    let edges = member(page, "edges")?
        .as_array()
        .ok_or_else(|| CallError::Malformed("`edges` is no list".into()))?;
    edges.iter().map(|edge| member(edge, "node")).collect()
}

/// The cursor of the next page, if there is one.
fn next_page(page: &Value) -> Result<Option<String>, CallError> {
    let info = member(page, "pageInfo")?;
    if !flag(info, "hasNextPage")? {
        return Ok(None);
    }
    text(info, "endCursor").map(Some)
}
