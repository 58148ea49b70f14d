//! New and old deployments of one service: who has to go, and when.
//!
//! As on Railway the new one is up before the old one goes, except where the service says that the
//! old one goes first. Must not end a process itself; it only asks (see `lifecycle`).

use super::lifecycle;
use super::report;
use super::state::{Deployment, Phase, State};
use super::supervisor::{Platform, World};

impl Platform {
    /// A newly active deployment supersedes the older ones: their teardown begins after its overlap
    /// time.
    pub(crate) fn became_active(&self, world: &mut World, id: &str, now_ms: u64) {
        let Some(new) = world.state.deployment(id).cloned() else {
            return;
        };
        let overlap_ms = self
            .timing
            .scaled(u64::from(new.config.overlap_secs) * 1_000);
        for old in older_live(&mut world.state, &new) {
            lifecycle::ask_remove(old, now_ms.saturating_add(overlap_ms));
        }
        if std::mem::take(&mut world.faults.second_deployment) {
            self.append_log(id, "fault: the platform starts a second deployment");
            self.deploy_again(world, &new);
        }
    }
}

/// The live deployments of the same service that are older than `new`.
fn older_live<'a>(
    state: &'a mut State,
    new: &Deployment,
) -> impl Iterator<Item = &'a mut Deployment> {
    let (id, environment_id, service_id) = (
        new.id.clone(),
        new.environment_id.clone(),
        new.service_id.clone(),
    );
    let older = state
        .deployments
        .iter()
        .position(|row| row.id == id)
        .unwrap_or_default();
    state
        .deployments
        .iter_mut()
        .take(older)
        .filter(move |row| row.belongs_to(&environment_id, &service_id))
        .filter(|row| !matches!(row.phase, Phase::Removed | Phase::Failed))
        // The platform knows nothing of its zombies.
        .filter(|row| report::believed(row) != Phase::Removed)
}

/// Asks older deployments that still have a process to go; true while one has.
pub(crate) fn evict_older(world: &mut World, id: &str, now_ms: u64) -> bool {
    let Some(new) = world.state.deployment(id).cloned() else {
        return false;
    };
    let mut waiting = false;
    for old in older_live(&mut world.state, &new).filter(|row| row.process.is_some()) {
        lifecycle::ask_remove(old, now_ms);
        waiting = true;
    }
    waiting
}
