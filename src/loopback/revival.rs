//! The fault that brings a service back after a client has read it dead.
//!
//! For a kill that believes the first dead read: on Railway a build that was under way, a push, a
//! migration or a person in the dashboard does this. Must not act on a deployment that no client
//! has seen dead, so that a test knows when to expect it.

use super::access::Caller;
use super::command_faults;
use super::export::CommitFacts;
use super::faults::{OnCommand, REVIVE_AFTER_MS, Reviver};
use super::report;
use super::state::{Deployment, Phase, Wish};
use super::supervisor::{Platform, World, now_ms};

/// Query fields that show how a deployment is.
const SHOWS_DEPLOYMENTS: &[&str] = &[
    "deployment",
    "deployments",
    "environment",
    "project",
    "service",
    "serviceInstance",
];

/// Whether a query with this root field shows deployments.
pub(crate) fn shows_deployments(field: &str) -> bool {
    SHOWS_DEPLOYMENTS.contains(&field)
}

impl Platform {
    /// Notes what this caller has just read dead.
    pub(crate) fn note_dead_reads(&self, caller: &Caller) {
        self.touch(|world| {
            if world.faults.revive.is_none() {
                return;
            }
            let now_ms = now_ms();
            let World {
                state, read_dead, ..
            } = world;
            let rows = state.deployments.iter();
            for row in rows.filter(|row| caller.may(&row.environment_id) && reads_dead(row)) {
                read_dead.entry(row.id.clone()).or_insert(now_ms);
            }
        });
    }

    /// Brings back what is due.
    pub(crate) fn revive(&self, world: &mut World, now_ms: u64) {
        if world.faults.revive.is_none() {
            world.read_dead.clear();
            return;
        }
        let patience = self.timing.scaled(REVIVE_AFTER_MS);
        let instances = world.state.instances.iter();
        let due: Vec<(Deployment, bool)> = instances
            .filter_map(|instance| {
                let state = &world.state;
                let latest = state.latest(&instance.environment_id, &instance.service_id)?;
                let since = world.read_dead.get(&latest.id)?;
                let is_due = reads_dead(latest) && now_ms >= since.saturating_add(patience);
                is_due.then(|| (latest.clone(), instance.auto_deploy))
            })
            .collect();
        for (row, auto_deploys) in due {
            self.revive_one(world, &row, auto_deploys, now_ms);
        }
    }

    fn revive_one(&self, world: &mut World, row: &Deployment, auto_deploys: bool, now_ms: u64) {
        let Some(fault) = world.faults.revive.filter(|fault| fault.times != Some(0)) else {
            return;
        };
        let came_back = match fault.by {
            Reviver::AutoDeploy if !auto_deploys => false,
            Reviver::AutoDeploy | Reviver::Platform => self.deploy_again(world, row),
            Reviver::Restart => world.state.deployment_mut(&row.id).is_some_and(|row| {
                let how = OnCommand::Real;
                command_faults::carry_out(row, Wish::Restart, how, now_ms, self.timing).is_ok()
            }),
        };
        if came_back {
            self.append_log(&row.id, "fault: the service is brought back");
            world.read_dead.remove(&row.id);
            if let Some(fault) = &mut world.faults.revive {
                fault.times = fault.times.map(|times| times.saturating_sub(1));
            }
        }
    }

    /// Adds a deployment of the same commit; false where that is impossible.
    pub(crate) fn deploy_again(&self, world: &mut World, row: &Deployment) -> bool {
        let commit = CommitFacts {
            id: row.commit.clone(),
            message: row.commit_message.clone(),
            author: row.commit_author.clone(),
        };
        let (environment, service) = (&row.environment_id, &row.service_id);
        let created = self.create(world, environment, service, &commit, "deploy");
        if let Err(error) = &created {
            self.note(&format!("{error}"));
        }
        created.is_ok()
    }
}

/// Dead as a careful client reads it.
fn reads_dead(row: &Deployment) -> bool {
    matches!(report::shown(row), Phase::Stopped | Phase::Removed)
}
