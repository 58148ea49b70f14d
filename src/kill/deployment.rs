//! A deployment as the platform tells it, and whether it counts as live.
//!
//! Pure. What counts as dead is a short closed list; everything else is live, statuses that do not
//! exist yet included. Facts: Railway's schema, and a field report of 2026-10-05 that measured
//! what a stop looks like (`SUCCESS` stays; `deploymentStopped` alone means nothing: it is also
//! true while a deployment starts, with its process already running).

use serde_json::Value;

/// Status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the platform's own words")]
pub enum Status {
    Building,
    Crashed,
    Deploying,
    Failed,
    Initializing,
    NeedsApproval,
    Queued,
    Removed,
    Removing,
    Skipped,
    Sleeping,
    Success,
    Waiting,
    /// A word that this version does not know.
    Other(String),
}

/// Stands for the status of a deployment that has none: live, as every unknown word is. One odd
/// record must not hide the others of its list.
const NO_STATUS: &str = "(no status)";

const WORDS: &[(&str, Status)] = &[
    ("BUILDING", Status::Building),
    ("CRASHED", Status::Crashed),
    ("DEPLOYING", Status::Deploying),
    ("FAILED", Status::Failed),
    ("INITIALIZING", Status::Initializing),
    ("NEEDS_APPROVAL", Status::NeedsApproval),
    ("QUEUED", Status::Queued),
    ("REMOVED", Status::Removed),
    ("REMOVING", Status::Removing),
    ("SKIPPED", Status::Skipped),
    ("SLEEPING", Status::Sleeping),
    ("SUCCESS", Status::Success),
    ("WAITING", Status::Waiting),
];

impl Status {
    /// Reads the platform's word; an unknown one is kept.
    pub fn read(word: &str) -> Self {
        WORDS.iter().find(|(known, _)| *known == word).map_or_else(
            || Self::Other(crate::call_error::shorten(word)),
            |(_, status)| status.clone(),
        )
    }

    /// The platform's word.
    pub fn as_str(&self) -> &str {
        if let Self::Other(word) = self {
            return word;
        }
        WORDS
            .iter()
            .find(|(_, status)| status == self)
            .map_or("UNKNOWN", |(word, _)| word)
    }

    /// Whether the deployment has not got as far as running: `deploymentCancel` fits first.
    pub fn is_in_progress(&self) -> bool {
        matches!(
            self,
            Self::Building
                | Self::Deploying
                | Self::Initializing
                | Self::NeedsApproval
                | Self::Queued
                | Self::Waiting
        )
    }

    /// Whether nothing can run under this status, whatever else is said.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Removed | Self::Failed | Self::Skipped)
    }
}

/// One running copy of a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// The platform's id.
    pub id: String,
    /// CRASHED, CREATED, EXITED, INITIALIZING, REMOVED, REMOVING, RESTARTING, RUNNING, SKIPPED,
    /// STOPPED, or a word to come.
    pub status: String,
}

impl Instance {
    /// Whether this copy has ended for good. CRASHED and RESTARTING may come back.
    pub fn is_terminal(&self) -> bool {
        matches!(
            self.status.as_str(),
            "EXITED" | "REMOVED" | "SKIPPED" | "STOPPED"
        )
    }
}

/// One deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// The platform's id.
    pub id: String,
    /// Its status.
    pub status: Status,
    /// "Instances have all stopped"; says something only under SUCCESS. Absent reads as `false`.
    pub deployment_stopped: bool,
    /// Its copies; `None` when the platform does not say.
    pub instances: Option<Vec<Instance>>,
    /// RFC 3339, as told.
    pub created_at: Option<String>,
    /// RFC 3339, as told. Does not move when a deployment is stopped.
    pub status_updated_at: Option<String>,
    /// Project.
    pub project_id: Option<String>,
    /// Environment.
    pub environment_id: Option<String>,
    /// Service.
    pub service_id: Option<String>,
    /// Public address of the service, often without a scheme.
    pub url: Option<String>,
    /// Public address of this deployment, often without a scheme.
    pub static_url: Option<String>,
    /// The platform's free-form facts (`commitHash`, `serviceManifest`, …); `Null` when absent.
    pub meta: Value,
}

impl Deployment {
    /// Reads one `Deployment` object.
    ///
    /// # Errors
    /// Without an id nothing can be asked about it. Without a status it counts as live.
    pub fn read(node: &Value) -> Result<Self, String> {
        let text = |name: &str| node.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            id: text("id")
                .filter(|id| !id.is_empty())
                .ok_or("a deployment without `id`")?,
            status: Status::read(text("status").as_deref().unwrap_or(NO_STATUS)),
            deployment_stopped: node
                .get("deploymentStopped")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            instances: node
                .get("instances")
                .and_then(Value::as_array)
                .map(|list| read_instances(list)),
            created_at: text("createdAt"),
            status_updated_at: text("statusUpdatedAt"),
            project_id: text("projectId"),
            environment_id: text("environmentId"),
            service_id: text("serviceId"),
            url: text("url"),
            static_url: text("staticUrl"),
            meta: node.get("meta").cloned().unwrap_or(Value::Null),
        })
    }

    /// Whether it counts as live, see [`is_live`].
    pub fn is_live(&self) -> bool {
        is_live(self)
    }

    /// Whether a process of it may be there, or have been: true unless the platform itself says that it
    /// has not come so far. A container is up for seconds before DEPLOYING ends (measured).
    pub fn may_have_run(&self) -> bool {
        let placed = |told_nothing: bool| {
            self.instances.as_ref().map_or(told_nothing, |all| {
                all.iter()
                    .any(|copy| !matches!(copy.status.as_str(), "INITIALIZING" | "CREATED"))
            })
        };
        match self.status {
            Status::Deploying => placed(true),
            Status::Building
            | Status::Initializing
            | Status::NeedsApproval
            | Status::Queued
            | Status::Waiting => placed(false),
            Status::Crashed
            | Status::Failed
            | Status::Removed
            | Status::Removing
            | Status::Skipped
            | Status::Sleeping
            | Status::Success
            | Status::Other(_) => true,
        }
    }

    /// The status as reports show it: `SUCCESS (stopped)` tells apart what one word does not.
    pub fn status_text(&self) -> String {
        if self.status == Status::Success && !self.is_live() {
            return "SUCCESS (stopped)".to_owned();
        }
        self.status.as_str().to_owned()
    }

    /// `meta.commitHash`: the commit of a deployment from a repository.
    pub fn commit(&self) -> Option<&str> {
        self.meta.get("commitHash").and_then(Value::as_str)
    }
}

/// Whether a deployment may have a process now or later.
///
/// Dead is only: REMOVED, FAILED, SKIPPED, or SUCCESS with `deploymentStopped` and every instance
/// terminal. Everything else is live: unknown statuses, CRASHED (a restart policy may bring it
/// back), REMOVING, SLEEPING, and a SUCCESS that does not tell its instances.
pub fn is_live(deployment: &Deployment) -> bool {
    let stopped = deployment.status == Status::Success
        && deployment.deployment_stopped
        && deployment
            .instances
            .as_ref()
            .is_some_and(|all| all.iter().all(Instance::is_terminal));
    !(deployment.status.is_final() || stopped)
}

fn read_instances(list: &[Value]) -> Vec<Instance> {
    let text = |node: &Value, name: &str| {
        node.get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    list.iter()
        .map(|node| Instance {
            id: text(node, "id"),
            status: text(node, "status"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live(status: &str, stopped: bool, instances: &[&str]) -> bool {
        let instances: Vec<Value> = instances
            .iter()
            .map(|status| json!({"id": "i", "status": status}))
            .collect();
        let node = json!({"id": "d", "status": status, "deploymentStopped": stopped, "instances": instances});
        Deployment::read(&node).unwrap().is_live()
    }

    #[test]
    fn dead_is_a_short_closed_list() {
        for status in ["REMOVED", "FAILED", "SKIPPED"] {
            assert!(!live(status, false, &["RUNNING"]), "{status}");
        }
        assert!(!live("SUCCESS", true, &["EXITED", "STOPPED"]));
        assert!(!live("SUCCESS", true, &[]));
    }

    #[test]
    fn only_what_was_never_placed_has_never_run() {
        let read = |status: &str, instances: Value| {
            let node = json!({"id": "d", "status": status, "instances": instances});
            Deployment::read(&node).unwrap().may_have_run()
        };
        for status in [
            "QUEUED",
            "BUILDING",
            "INITIALIZING",
            "WAITING",
            "NEEDS_APPROVAL",
        ] {
            assert!(!read(status, json!([])), "{status}");
            assert!(!read(status, Value::Null), "{status}");
            assert!(
                read(status, json!([{"id": "i", "status": "RUNNING"}])),
                "{status}"
            );
        }
        let copy = |word: &str| json!([{"id": "i", "status": word}]);
        assert!(!read("DEPLOYING", copy("INITIALIZING")));
        assert!(!read("DEPLOYING", copy("CREATED")));
        assert!(read("DEPLOYING", copy("RUNNING")), "up before SUCCESS");
        assert!(read("DEPLOYING", copy("A WORD TO COME")));
        assert!(
            read("DEPLOYING", Value::Null),
            "nothing told is nothing known"
        );
        for status in ["SUCCESS", "CRASHED", "REMOVING", "TELEPORTING"] {
            assert!(read(status, json!([])), "{status}");
        }
    }

    #[test]
    fn everything_else_is_live() {
        for (word, status) in WORDS {
            if !status.is_final() && *status != Status::Success {
                assert!(live(word, true, &["EXITED"]), "{word}");
            }
        }
        assert!(live("TELEPORTING", true, &["EXITED"]));
        assert!(live("success", true, &["EXITED"]));
        assert!(live("SUCCESS", false, &["EXITED"]), "the flag is not set");
        assert!(live("SUCCESS", true, &["RUNNING"]), "an instance runs");
        assert!(
            live("SUCCESS", true, &["CRASHED"]),
            "a crashed instance may restart"
        );
        assert!(
            live("SUCCESS", true, &["EXITED", "LEVITATING"]),
            "an unknown instance state"
        );
    }

    #[test]
    fn silence_about_instances_is_not_death() {
        let node = json!({"id": "d", "status": "SUCCESS", "deploymentStopped": true});
        assert!(Deployment::read(&node).unwrap().is_live());
    }

    #[test]
    fn without_a_status_it_is_live_and_without_an_id_it_is_refused() {
        for status in [json!(null), json!(1), json!("")] {
            let node =
                json!({"id": "d", "status": status, "deploymentStopped": true, "instances": []});
            assert!(Deployment::read(&node).unwrap().is_live(), "{node}");
        }
        assert!(Deployment::read(&json!({"status": "SUCCESS"})).is_err());
        assert!(Deployment::read(&json!(null)).is_err());
    }

    #[test]
    fn words_round_trip() {
        for (word, _) in WORDS {
            assert_eq!(Status::read(word).as_str(), *word);
        }
        assert_eq!(Status::read("NEW").as_str(), "NEW");
    }
}
