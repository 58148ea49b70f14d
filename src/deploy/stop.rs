//! The stop that a deploy may do: one deployment by its id, proved, no freeze, nothing else touched.

use super::{operator, wait};
use crate::plan::gather::Gathered;
use launch_kill::pace::Pace;
use launch_kill::process::ProcessId;
use launch_kill::report::TargetReport;
use launch_kill::{Endpoint, Stop, stop_deployment};
use std::time::Duration;
use trader_core::manifest::Mode;

/// How long a stopped deployment is watched for coming back, ms: it is one that was never verified, and
/// auto-deploy is not what started it.
const SETTLE_MS: u64 = 3_000;

/// Who may witness that a deployment is gone.
#[derive(Debug, Clone)]
pub struct Witness {
    /// Where it answered.
    pub trader_url: Option<String>,
    /// The instance that answered.
    pub instance_nonce: Option<String>,
    /// Its process on this machine.
    pub process: Option<ProcessId>,
}

/// Stops one deployment and proves it.
pub async fn by_id(
    gathered: &Gathered,
    deployment_id: &str,
    witness: Option<Witness>,
    reason: &str,
) -> TargetReport {
    let connected = &gathered.connected;
    let witness = witness.unwrap_or(Witness {
        trader_url: None,
        instance_nonce: None,
        process: None,
    });
    // A halt is written into the ledger and outlives the deployment. On this machine a refused
    // connection proves enough without one; behind an edge proxy only the halt does.
    let halt_token = (connected.local.is_none() && witness.trader_url.is_some())
        .then(|| gathered.tokens.halt.clone());
    stop_deployment(Stop {
        env: gathered.env.to_string(),
        is_local: connected.local.is_some(),
        endpoint: connected.endpoint.clone(),
        auth: connected.auth.clone(),
        ids: connected.ids.clone(),
        deployment_id: deployment_id.to_owned(),
        trader_url: witness
            .trader_url
            .and_then(|url| Endpoint::parse(&url).ok()),
        instance_nonce: witness.instance_nonce,
        halt_token,
        trader_process: witness.process,
        may_be_live: gathered.plan.intent.mode == Mode::Live,
        reason: reason.to_owned(),
        by: operator(),
        deadline: Duration::from_millis(wait::STOP_MS),
        pace: Pace {
            settle: Duration::from_millis(SETTLE_MS),
            ..Pace::default()
        },
    })
    .await
}
