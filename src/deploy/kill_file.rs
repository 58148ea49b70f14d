//! The kill file of a deploy: written as soon as the deployment has an id, so that a kill during the
//! deploy finds it, and again with every fact that becomes known.

use super::sent::Sent;
use crate::plan::gather::Gathered;
use launch_kill::{KillFile, LocalProcesses, StateError};

/// The kill file of what is known.
///
/// Until the new instance has answered, the old one's address and nonce stand: it may still hold
/// positions, and a kill must halt it.
pub fn of(gathered: &Gathered, sent: &Sent) -> KillFile {
    let previous = sent.previous.clone().unwrap_or_default();
    let is_known = sent.instance_nonce.is_some();
    let newer = |new: &Option<String>, old: Option<String>| {
        if is_known {
            new.clone()
        } else {
            new.clone().or(old)
        }
    };
    KillFile {
        schema_version: launch_kill::kill_file::SCHEMA_VERSION,
        env: gathered.env.to_string(),
        platform: Some(gathered.target.platform.to_string()),
        project_id: gathered.connected.ids.project_id.clone(),
        environment_id: Some(gathered.connected.ids.environment_id.clone()),
        service_id: Some(gathered.connected.ids.service_id.clone()),
        deployment_id: sent.deployment_id.clone(),
        instance_nonce: newer(&sent.instance_nonce, previous.instance_nonce),
        mode: Some(gathered.plan.intent.mode.to_string()),
        endpoint: Some(gathered.connected.endpoint.as_str().to_owned()),
        trader_url: newer(&sent.trader_url, previous.trader_url),
        watchdog_url: sent.watchdog_url.clone().or(previous.watchdog_url),
        dashboard_url: gathered.connected.dashboard_url.clone(),
        token_env: gathered.target.token_env.clone(),
        local: local(gathered, sent, previous.local.as_ref()),
    }
}

fn local(
    gathered: &Gathered,
    sent: &Sent,
    previous: Option<&LocalProcesses>,
) -> Option<LocalProcesses> {
    let platform = &gathered.connected.local.as_ref()?.process;
    let trader = sent
        .process
        .clone()
        .or_else(|| previous.and_then(LocalProcesses::trader));
    Some(LocalProcesses {
        boot_id: Some(platform.boot_id.clone()),
        platform_pid: Some(platform.pid),
        platform_start: Some(platform.start),
        trader_pid: trader.as_ref().map(|process| process.pid),
        trader_start: trader.as_ref().map(|process| process.start),
    })
}

/// Writes it.
///
/// # Errors
/// The file system refused.
pub fn write(gathered: &Gathered, sent: &Sent) -> Result<(), StateError> {
    of(gathered, sent).write(&gathered.state, &gathered.env)
}
