//! Looking from outside: the platform's list and the trader's own `/health`, twice.
//!
//! Asks only; [`super::judgement`] judges. The pause between the two reads is what makes an answer of
//! another process show.

use super::judgement::{LiveDeployment, Observed};
use launch_kill::platform::{self, Listing, ServiceIds};
use launch_kill::{CallError, Client, Deadline, JsonClient};
use std::time::Duration;
use trader_core::wire::Health;

/// Pause between the two reads, ms.
pub const READ_GAP_MS: u64 = 1_000;

/// Longest wait for one `/health`, ms.
pub const HEALTH_TIMEOUT_MS: u64 = 3_000;

/// Longest wait for a lifted halt to show, ms.
pub const READ_BACK_MS: u64 = 3_000;

/// Time between two looks for it, ms.
const READ_BACK_POLL_MS: u64 = 100;

/// Longest wait for the platform's list, ms.
pub const LIST_TIMEOUT_MS: u64 = 15_000;

/// Longest wait for a platform whose address refuses connections, ms: nobody is there to answer later. It
/// bridges a restart of the platform's process.
pub const REFUSED_MS: u64 = 2_000;

/// One whole look.
pub async fn look(client: &Client, ids: &ServiceIds, trader: &JsonClient) -> Observed {
    let first = health(trader).await;
    let live = live(client, ids).await;
    tokio::time::sleep(Duration::from_millis(READ_GAP_MS)).await;
    Observed {
        live,
        second: health(trader).await,
        first,
    }
}

/// One read of `/health`, in full: an answer of another shape is no answer.
///
/// # Errors
/// Why there is none, as text for people.
pub async fn health(trader: &JsonClient) -> Result<Health, String> {
    let deadline = Deadline::after(Duration::from_millis(HEALTH_TIMEOUT_MS));
    let answer = trader
        .get("/health", deadline)
        .await
        .map_err(|error| format!("{}: {error}", trader.base().as_str()))?;
    serde_json::from_value(answer)
        .map_err(|error| format!("{}: not a trader's answer: {error}", trader.base().as_str()))
}

/// Reads back that a trader is no longer halted. Its answer may trail its ledger by a moment, so it is
/// asked until [`READ_BACK_MS`] is over.
///
/// # Errors
/// Still halted, or not to be read, as text for people.
pub async fn not_halted(trader: &JsonClient) -> Result<Health, String> {
    let deadline = Deadline::after(Duration::from_millis(READ_BACK_MS));
    loop {
        let why = match health(trader).await {
            Ok(health) => match &health.halted {
                None => return Ok(health),
                Some(halt) => format!("still halted by {}: {}", halt.by, halt.reason),
            },
            Err(why) => why,
        };
        if deadline.is_over() {
            return Err(why);
        }
        deadline
            .sleep(Duration::from_millis(READ_BACK_POLL_MS))
            .await;
    }
}

/// Every live deployment of the service.
///
/// # Errors
/// Why the list is not complete, as text for people.
pub async fn live(client: &Client, ids: &ServiceIds) -> Result<Vec<LiveDeployment>, String> {
    let within = |ms| Deadline::after(Duration::from_millis(ms));
    let list = |ms| platform::deployments(client, ids, Listing::NotFinal, within(ms));
    let listed = match list(REFUSED_MS).await {
        Err(CallError::Refused) => Err(CallError::Refused),
        Err(error) if error.is_transient() => list(LIST_TIMEOUT_MS).await,
        answer => answer,
    };
    let listed = listed.map_err(|error| error.to_string())?;
    if !listed.is_complete {
        return Err("the list of deployments has no end".to_owned());
    }
    Ok(listed
        .items
        .iter()
        .filter(|deployment| deployment.is_live())
        .map(|deployment| LiveDeployment {
            id: deployment.id.clone(),
            status: deployment.status_text(),
            commit: deployment.commit().map(str::to_owned),
        })
        .collect())
}
