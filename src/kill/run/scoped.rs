//! The stop that a deploy needs: one deployment and no other, no freeze, proved the same way.

use super::board::Asked;
use super::pursuit::{Job, pursue};
use super::trader_path::Voice;
use crate::client::Auth;
use crate::endpoint::Endpoint;
use crate::pace::Pace;
use crate::platform::ServiceIds;
use crate::process::ProcessId;
use crate::report::TargetReport;
use crate::secret::Secret;
use crate::targets::Target;
use crate::verdict::Goal;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// One deployment to stop, and who may witness it.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Name of the environment, for the report.
    pub env: String,
    /// Whether it runs on this machine's loopback platform (a refused connection is evidence there).
    pub is_local: bool,
    /// The platform's GraphQL address.
    pub endpoint: Endpoint,
    /// The platform token.
    pub auth: Auth,
    /// The service that it belongs to.
    pub ids: ServiceIds,
    /// The deployment. No other is touched.
    pub deployment_id: String,
    /// The trader's address, if known; on this machine the platform's own word is used too.
    pub trader_url: Option<Endpoint>,
    /// The instance that is known to have answered there.
    pub instance_nonce: Option<String>,
    /// The halt token.
    pub halt_token: Option<Secret>,
    /// The trader's process on this machine, if known.
    pub trader_process: Option<ProcessId>,
    /// Whether real money may be behind it: then zero open orders are part of the proof.
    pub may_be_live: bool,
    /// Why, as the trader records it.
    pub reason: String,
    /// Who, as the trader records it.
    pub by: String,
    /// The whole time allowed.
    pub deadline: Duration,
    /// Intervals; `settle` is how long it may not come back.
    pub pace: Pace,
}

/// Stops one deployment and proves it. Sets no freeze, leaves auto-deploy and every other
/// deployment alone. [`crate::verdict::Verdict::exit_code`] 0 = proved.
pub async fn stop_deployment(stop: Stop) -> TargetReport {
    let target = Target {
        env: stop.env,
        name: None,
        is_local: stop.is_local,
        endpoint: Some(stop.endpoint),
        auths: vec![stop.auth],
        project_id: stop.ids.project_id,
        environment_id: Some(stop.ids.environment_id),
        service_id: Some(stop.ids.service_id),
        deployment_id: Some(stop.deployment_id.clone()),
        instance_nonce: stop.instance_nonce,
        may_be_live: stop.may_be_live,
        venue: None,
        trader_url: stop.trader_url,
        watchdog_url: None,
        dashboard_url: None,
        halt_tokens: stop.halt_token.into_iter().collect(),
        platform_process: None,
        trader_process: stop.trader_process,
        foreign_deployments: BTreeSet::new(),
        doubts: Vec::new(),
    };
    let asked: Asked = Arc::new(AtomicBool::new(false));
    let job = Job {
        target,
        goal: Goal::Stop,
        flatten: None,
        only: Some(stop.deployment_id),
        voice: Voice {
            by: stop.by,
            reason: stop.reason,
        },
        freeze: None,
        may_revoke_venue_key: false,
        is_drill: false,
        pace: stop.pace,
        start: Instant::now(),
        span: stop.deadline,
        asked,
    };
    pursue(job).await
}
