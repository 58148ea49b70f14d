//! What a deploy intends, as one document with one digest.
//!
//! Pure: facts in, plan out. Gathers nothing, prints nothing, reads no clock. Facts come from
//! [`super::gather`]. Secrets never enter: variable values arrive here already salted.
//!
//! | digest | covers |
//! |---|---|
//! | `intent_digest` | everything in [`Intent`]: what a person signs |
//! | `plan_digest` | `intent_digest`, the active deployment, the plan id; no times |

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use trader_core::digest;
use trader_core::manifest::Mode;

/// The only plan version there is.
pub const PLAN_SCHEMA_VERSION: u32 = 1;

/// How long a plan may be deployed after it was made, seconds.
pub const PLAN_LIFE_SECS: i64 = 30 * 60;

/// The trading lease that the watchdog grants, ms. Well below the trader's own bound, so that a revoked
/// trader stops entering soon.
pub const LEASE_TTL_MS: u64 = 5_000;

/// Holds within an hour that are still tolerated; one more is a trip.
pub const MAX_HOLDS_PER_HOUR: u32 = 3;

/// Clean observations in a row after which a held lease returns.
pub const CLEAN_OBSERVATIONS: u32 = 3;

/// Which program the platform must be running, and how that shows in `/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Program {
    /// The local platform runs the `launch` binary that started it: its sha256 must be this one;
    /// a build commit that differs from the deployed commit is a warning.
    Binary {
        /// `sha256:…` of the executable.
        sha256: String,
    },
    /// The platform builds the program from the commit: `build_commit` must equal it.
    Source,
    /// The commit pins a release: version and sha256 must equal the pin.
    Pinned {
        /// The release's version.
        version: String,
        /// `sha256:…` of the executable.
        sha256: String,
    },
}

/// The service's settings that keep one writer and let it finish: written before the deploy, read
/// back after it.
///
/// Source: Railway docs and field report, read 2026-11: overlap and draining default to 0, where
/// draining 0 means SIGTERM then SIGKILL at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// Seconds that old and new may both run after the switch.
    pub overlap_secs: u32,
    /// Seconds between SIGTERM and SIGKILL.
    pub draining_secs: u32,
    /// `NEVER`, `ON_FAILURE` or `ALWAYS`; the last one restarts a trader that stopped in good order.
    pub restart_policy: String,
    /// Restarts before the platform gives up.
    pub restart_retries: u32,
}

/// Seconds between SIGTERM and SIGKILL: time to cancel orders and flush the ledger.
pub const DRAINING_SECS: u32 = 30;

/// Restarts after a crash. The watchdog holds after each and trips at the fourth of an hour.
pub const RESTART_RETRIES: u32 = 3;

impl ServiceSettings {
    /// One writer, time to cancel orders, a bounded number of restarts.
    pub fn one_writer() -> Self {
        Self {
            overlap_secs: 0,
            draining_secs: DRAINING_SECS,
            restart_policy: "ON_FAILURE".to_owned(),
            restart_retries: RESTART_RETRIES,
        }
    }
}

/// How the watchdog watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchPolicy {
    /// Seconds that a hold may last before it is a trip.
    pub silence_kill_secs: u64,
    /// Life of one grant, ms.
    pub lease_ttl_ms: u64,
    /// Holds an hour that are tolerated.
    pub max_holds_per_hour: u32,
    /// Clean observations after which the lease returns.
    pub clean_observations: u32,
}

impl WatchPolicy {
    /// The policy with the target's own silence bound.
    pub fn with_silence(silence_kill_secs: u64) -> Self {
        Self {
            silence_kill_secs,
            lease_ttl_ms: LEASE_TTL_MS,
            max_holds_per_hour: MAX_HOLDS_PER_HOUR,
            clean_observations: CLEAN_OBSERVATIONS,
        }
    }
}

/// Everything that a deploy intends. Times, the platform's own `RAILWAY_*` variables and the freeze
/// are left out: they change without anyone's intent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// Name in `launch.toml`.
    pub env: String,
    /// `local`, `ci`, `staging`, `production`.
    pub class: String,
    /// `local` or `railway`.
    pub platform: String,
    /// `LAUNCH_FEED`.
    pub feed: String,
    /// All 40 hex digits.
    pub commit: String,
    /// The commit's tree.
    pub tree: String,
    /// Path in the repository; also `LAUNCH_MANIFEST`.
    pub manifest_path: String,
    /// Digest of the manifest and its strategy files.
    pub manifest_digest: String,
    /// What is done with approved orders.
    pub mode: Mode,
    /// Every declared value by dotted key.
    pub effective: BTreeMap<String, serde_json::Value>,
    /// Strategy ids in order.
    pub strategies: Vec<String>,
    /// Ids of the component instances that the manifest and its strategies build.
    pub components: Vec<String>,
    /// Which program.
    pub program: Program,
    /// The platform's project.
    pub project_id: String,
    /// The platform's environment.
    pub environment_id: String,
    /// The platform's service.
    pub service_id: String,
    /// Settings of the service.
    pub settings: ServiceSettings,
    /// Name → salted hash of the service's variables as the deploy leaves them.
    pub variables: BTreeMap<String, String>,
    /// How it is watched.
    pub watch: WatchPolicy,
}

/// A plan: an intent against one state of the platform. Single use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Random; names this plan in locks and receipts.
    pub plan_id: String,
    /// What is intended.
    pub intent: Intent,
    /// Digest of `intent`.
    pub intent_digest: String,
    /// Deployments that were live when the plan was made (0 or 1 in good order).
    pub active_deployments: Vec<String>,
    /// Digest of intent, active deployments and plan id.
    pub plan_digest: String,
    /// RFC 3339 UTC.
    pub created_at: String,
    /// RFC 3339 UTC; after it the plan is stale.
    pub expires_at: String,
    /// What the operator should know: order of old and new, warnings.
    pub notes: Vec<String>,
}

/// A plan document that contradicts itself.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The value does not serialise.
    #[error("cannot digest the plan: {0}")]
    Digest(#[from] serde_json::Error),
    /// The document was edited after it was made.
    #[error(
        "{field} is {seen}, but its contents give {wanted}: the plan was edited; make a new one"
    )]
    Edited {
        /// Which digest.
        field: &'static str,
        /// As written.
        seen: String,
        /// As computed.
        wanted: String,
    },
    /// Another version of the format.
    #[error("plan has schema_version {seen}, this launch reads {PLAN_SCHEMA_VERSION}")]
    Version {
        /// As written.
        seen: u32,
    },
}

/// Computes `plan_digest`.
fn digest_of(
    intent_digest: &str,
    active: &[String],
    plan_id: &str,
) -> Result<String, serde_json::Error> {
    digest::of_document(&serde_json::json!({
        "intent_digest": intent_digest,
        "active_deployments": active,
        "plan_id": plan_id,
    }))
}

impl Plan {
    /// Makes the plan of an intent.
    ///
    /// # Errors
    /// When the intent does not serialise.
    pub fn new(
        intent: Intent,
        mut active_deployments: Vec<String>,
        plan_id: String,
        created_at: String,
        expires_at: String,
        notes: Vec<String>,
    ) -> Result<Self, PlanError> {
        active_deployments.sort();
        let intent_digest = digest::of_document(&intent)?;
        let plan_digest = digest_of(&intent_digest, &active_deployments, &plan_id)?;
        Ok(Self {
            schema_version: PLAN_SCHEMA_VERSION,
            plan_id,
            intent,
            intent_digest,
            active_deployments,
            plan_digest,
            created_at,
            expires_at,
            notes,
        })
    }

    /// Recomputes both digests of a plan that was read from somewhere.
    ///
    /// # Errors
    /// When the document is of another version or a digest does not fit its contents.
    pub fn check_digests(&self) -> Result<(), PlanError> {
        if self.schema_version != PLAN_SCHEMA_VERSION {
            return Err(PlanError::Version {
                seen: self.schema_version,
            });
        }
        let intent = digest::of_document(&self.intent)?;
        let plan = digest_of(&intent, &self.active_deployments, &self.plan_id)?;
        for (field, seen, wanted) in [
            ("intent_digest", &self.intent_digest, intent),
            ("plan_digest", &self.plan_digest, plan),
        ] {
            if *seen != wanted {
                return Err(PlanError::Edited {
                    field,
                    seen: seen.clone(),
                    wanted,
                });
            }
        }
        Ok(())
    }

    /// Field by field, what differs between this plan and the state of things `now`: empty when the
    /// plan still holds. Plan id, times and notes do not count.
    pub fn changes(&self, now: &Self) -> Vec<Change> {
        let mut out = Vec::new();
        let then = serde_json::to_value(&self.intent).unwrap_or_default();
        let today = serde_json::to_value(&now.intent).unwrap_or_default();
        collect_changes("", &then, &today, &mut out);
        if self.active_deployments != now.active_deployments {
            out.push(Change {
                field: "active_deployments".to_owned(),
                planned: self.active_deployments.join(", "),
                now: now.active_deployments.join(", "),
            });
        }
        // Two values that do not serialise would look alike; the digest still tells them apart.
        if out.is_empty() && self.intent_digest != now.intent_digest {
            out.push(Change {
                field: "intent_digest".to_owned(),
                planned: self.intent_digest.clone(),
                now: now.intent_digest.clone(),
            });
        }
        out
    }
}

/// One field that is no longer as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Dotted path in the plan.
    pub field: String,
    /// As planned.
    pub planned: String,
    /// As it is now.
    pub now: String,
}

fn collect_changes(
    path: &str,
    then: &serde_json::Value,
    now: &serde_json::Value,
    out: &mut Vec<Change>,
) {
    if then == now {
        return;
    }
    let (Some(a), Some(b)) = (then.as_object(), now.as_object()) else {
        out.push(Change {
            field: path.to_owned(),
            planned: as_text(then),
            now: as_text(now),
        });
        return;
    };
    let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for key in keys {
        let inner = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let null = serde_json::Value::Null;
        collect_changes(
            &inner,
            a.get(key).unwrap_or(&null),
            b.get(key).unwrap_or(&null),
            out,
        );
    }
}

fn as_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "absent".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Array(_)
        | serde_json::Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// An intent for tables elsewhere.
    pub(crate) fn intent() -> Intent {
        Intent {
            env: "staging".into(),
            class: "staging".into(),
            platform: "local".into(),
            feed: "generator:7".into(),
            commit: "a".repeat(40),
            tree: "b".repeat(40),
            manifest_path: "manifests/staging.toml".into(),
            manifest_digest: "sha256:m".into(),
            mode: Mode::Paper,
            effective: BTreeMap::from([
                ("position_size_usd".to_owned(), json!("5")),
                ("max_exposure_usd".to_owned(), json!("20")),
                ("safeguards.max_clock_offset_ms".to_owned(), json!(1_000)),
                ("safeguards.max_daily_loss_usd".to_owned(), json!("20")),
                ("safeguards.max_open_positions".to_owned(), json!(4)),
                ("safeguards.max_orders_per_minute".to_owned(), json!(8)),
            ]),
            strategies: vec!["window-timing".into()],
            components: vec!["window-timing/probability/window-timing/btc".into()],
            program: Program::Binary {
                sha256: "sha256:x".into(),
            },
            project_id: "p".into(),
            environment_id: "e".into(),
            service_id: "s".into(),
            settings: ServiceSettings::one_writer(),
            variables: BTreeMap::from([("LAUNCH_FEED".to_owned(), "hmac-sha256:1".to_owned())]),
            watch: WatchPolicy::with_silence(120),
        }
    }

    pub(crate) fn plan(intent: Intent, active: &[&str], id: &str, at: &str) -> Plan {
        Plan::new(
            intent,
            active.iter().map(|&a| a.to_owned()).collect(),
            id.to_owned(),
            at.to_owned(),
            at.to_owned(),
            vec![],
        )
        .unwrap()
    }

    #[test]
    fn times_and_notes_stand_outside_both_digests() {
        let a = plan(intent(), &["d1"], "p1", "2026-11-23T00:00:00Z");
        let mut b = plan(intent(), &["d1"], "p1", "2027-01-01T00:00:00Z");
        b.notes.push("hello".into());
        assert_eq!(a.intent_digest, b.intent_digest);
        assert_eq!(a.plan_digest, b.plan_digest);
        b.check_digests().unwrap();
    }

    #[test]
    fn active_deployment_and_plan_id_change_the_plan_but_not_the_intent() {
        let a = plan(intent(), &["d1"], "p1", "");
        for b in [
            plan(intent(), &[], "p1", ""),
            plan(intent(), &["d1"], "p2", ""),
        ] {
            assert_eq!(a.intent_digest, b.intent_digest);
            assert_ne!(a.plan_digest, b.plan_digest);
        }
        assert_eq!(
            plan(intent(), &["d2", "d1"], "p1", "").plan_digest,
            plan(intent(), &["d1", "d2"], "p1", "").plan_digest,
            "the order in which the platform lists is not a change"
        );
    }

    #[test]
    fn every_field_of_the_intent_changes_its_digest_and_is_named() {
        let base = plan(intent(), &[], "p", "");
        let fields = serde_json::to_value(intent()).unwrap();
        for (field, value) in fields.as_object().unwrap() {
            let mut doc = fields.clone();
            doc[field] = match (field.as_str(), value) {
                ("mode", _) => json!("dry-run"),
                ("program", _) => json!({"rule": "source"}),
                ("settings", _) => json!({"overlap_secs": 5, "draining_secs": 30,
                    "restart_policy": "NEVER", "restart_retries": 0}),
                ("watch", _) => json!({"silence_kill_secs": 1, "lease_ttl_ms": 1,
                    "max_holds_per_hour": 1, "clean_observations": 1}),
                (_, serde_json::Value::Array(_)) => json!(["other"]),
                (_, serde_json::Value::Object(_)) => json!({"other": "x"}),
                _ => json!("other"),
            };
            let changed: Intent = serde_json::from_value(doc).unwrap();
            let other = plan(changed, &[], "p", "");
            assert_ne!(base.intent_digest, other.intent_digest, "{field}");
            let named = base.changes(&other);
            assert!(
                named.iter().all(|c| c.field.starts_with(field.as_str())) && !named.is_empty(),
                "{field}: {named:?}"
            );
        }
        assert!(
            base.changes(&plan(intent(), &[], "another id", "later"))
                .is_empty()
        );
    }

    #[test]
    fn an_edited_plan_is_refused() {
        let mut edited = plan(intent(), &[], "p", "");
        edited
            .intent
            .effective
            .insert("position_size_usd".into(), json!("500"));
        assert!(matches!(
            edited.check_digests(),
            Err(PlanError::Edited {
                field: "intent_digest",
                ..
            })
        ));
        let mut edited = plan(intent(), &["d1"], "p", "");
        edited.active_deployments.clear();
        assert!(matches!(
            edited.check_digests(),
            Err(PlanError::Edited {
                field: "plan_digest",
                ..
            })
        ));
        let mut edited = plan(intent(), &[], "p", "");
        edited.schema_version = 2;
        assert!(matches!(
            edited.check_digests(),
            Err(PlanError::Version { seen: 2 })
        ));
    }
}
