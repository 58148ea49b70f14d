//! What a deployment's status means for a deploy that waits for it.
//!
//! Pure. Source: Railway's status table and field report (read 2026-11): SUCCESS alone is not "running",
//! `deploymentStopped` says something only under SUCCESS, some statuses wait for a person.

use launch_kill::Deployment;
use launch_kill::deployment::Status;

/// The platform's own phases, in order. Each has its own bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Accepted, not building yet.
    Queued,
    /// Building.
    Building,
    /// The new process is being placed or is up beside the old one.
    Deploying,
}

impl Phase {
    /// Longest that a deploy waits in this phase, ms. A build of a Rust program takes minutes; a
    /// deploy waits for the platform's health check (300 s by default).
    pub const fn bound_ms(self) -> u64 {
        match self {
            Self::Queued => 120_000,
            Self::Building => 900_000,
            Self::Deploying => 360_000,
        }
    }

    /// As progress shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Deploying => "deploying",
        }
    }
}

/// What to do about a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// Go on waiting.
    Waiting(Phase),
    /// Active, with a running instance.
    Running,
    /// It will not become active.
    Failed(String),
}

/// Reads the stage.
pub fn of(deployment: &Deployment) -> Stage {
    match &deployment.status {
        Status::Queued | Status::Initializing => Stage::Waiting(Phase::Queued),
        Status::Building => Stage::Waiting(Phase::Building),
        Status::Deploying => Stage::Waiting(Phase::Deploying),
        Status::Success => success(deployment),
        Status::NeedsApproval => Stage::Failed(
            "the platform waits for a person's approval of this deployment (NEEDS_APPROVAL)".into(),
        ),
        Status::Waiting => Stage::Failed(
            "the platform waits for CI before it deploys (WAITING): turn \"Wait for CI\" off, this \
             commit was judged by preflight"
                .into(),
        ),
        other @ (Status::Crashed
        | Status::Failed
        | Status::Removed
        | Status::Removing
        | Status::Skipped
        | Status::Sleeping
        | Status::Other(_)) => Stage::Failed(format!("the platform says {}", other.as_str())),
    }
}

fn success(deployment: &Deployment) -> Stage {
    if !deployment.is_live() {
        return Stage::Failed("it was active and has stopped again".into());
    }
    let running = deployment
        .instances
        .as_ref()
        .is_some_and(|all| all.iter().any(|instance| instance.status == "RUNNING"));
    if running && !deployment.deployment_stopped {
        Stage::Running
    } else {
        Stage::Waiting(Phase::Deploying)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stage(status: &str, stopped: bool, instances: &[&str]) -> Stage {
        let instances: Vec<_> = instances
            .iter()
            .map(|s| json!({"id": "i", "status": s}))
            .collect();
        of(&Deployment::read(&json!({
            "id": "d", "status": status, "deploymentStopped": stopped, "instances": instances,
        }))
        .unwrap())
    }

    #[test]
    fn the_measured_course_of_a_deploy() {
        // The rows of the field report, in order.
        for (status, stopped, instances, wanted) in [
            ("INITIALIZING", true, &[][..], Stage::Waiting(Phase::Queued)),
            ("BUILDING", true, &[][..], Stage::Waiting(Phase::Building)),
            (
                "DEPLOYING",
                true,
                &["INITIALIZING"][..],
                Stage::Waiting(Phase::Deploying),
            ),
            (
                "DEPLOYING",
                true,
                &["RUNNING"][..],
                Stage::Waiting(Phase::Deploying),
            ),
            ("SUCCESS", false, &["RUNNING"][..], Stage::Running),
        ] {
            assert_eq!(
                stage(status, stopped, instances),
                wanted,
                "{status} {instances:?}"
            );
        }
    }

    #[test]
    fn success_alone_is_not_running() {
        let waiting = Stage::Waiting(Phase::Deploying);
        assert_eq!(stage("SUCCESS", false, &[]), waiting);
        assert_eq!(stage("SUCCESS", false, &["CREATED"]), waiting);
        assert_eq!(stage("SUCCESS", true, &["RUNNING"]), waiting);
        assert!(matches!(
            stage("SUCCESS", true, &["EXITED"]),
            Stage::Failed(_)
        ));
    }

    #[test]
    fn what_will_not_become_active_or_waits_for_a_person_fails_at_once() {
        for status in [
            "FAILED",
            "CRASHED",
            "SKIPPED",
            "REMOVED",
            "REMOVING",
            "SLEEPING",
            "NEEDS_APPROVAL",
            "WAITING",
            "SOMETHING_NEW",
        ] {
            let seen = stage(status, false, &["RUNNING"]);
            assert!(matches!(seen, Stage::Failed(_)), "{status}: {seen:?}");
        }
    }
}
