//! `manifests/approved-limits.toml`: the limits that somebody has answered for, and each loosening since.
//!
//! An environment's first approval holds every limit; each later one is one key, from, to, who, why and
//! when, in order. What is approved now is the first value with the later ones laid over it. `from` must be
//! what was approved until then, so that an entry that was edited or left out by hand shows.

use super::RuleFault;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use trader_core::looser::{self, Looser, shown};
use trader_core::near_miss::near_miss;

/// Where the file stands in a project.
pub const APPROVED_LIMITS_PATH: &str = "manifests/approved-limits.toml";

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovedLimits {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema_version: u32,
    /// The first approval of each environment, by its name in launch.toml.
    #[schemars(
        length(min = 1, max = 32),
        extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,31}$" })
    )]
    pub env: BTreeMap<String, FirstApproval>,
    /// Every later approval, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10_000))]
    pub approval: Vec<Approval>,
}

/// The first approval of an environment: all of its limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstApproval {
    /// Who answers for them.
    #[schemars(length(min = 1, max = 400))]
    pub who: String,
    /// Why these.
    #[schemars(length(min = 1, max = 400))]
    pub why: String,
    /// When, RFC 3339 UTC.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$"), extend("x-wanted" = "a time like \"2026-11-30T12:00:00Z\""))]
    pub at: String,
    /// Every limit by its dotted key, like `safeguards.max_open_positions`.
    #[schemars(length(min = 1, max = 64))]
    pub limits: BTreeMap<String, LimitValue>,
}

/// One limit that was loosened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The environment.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,31}$"), extend("x-wanted" = "the name of an environment in launch.toml"))]
    pub env: String,
    /// The dotted key.
    #[schemars(length(min = 1, max = 64))]
    pub key: String,
    /// What was approved until then; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<LimitValue>,
    /// What is approved from then on.
    pub to: LimitValue,
    /// Who answers for it.
    #[schemars(length(min = 1, max = 400))]
    pub who: String,
    /// Why.
    #[schemars(length(min = 1, max = 400))]
    pub why: String,
    /// When, RFC 3339 UTC.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$"), extend("x-wanted" = "a time like \"2026-11-30T12:00:00Z\""))]
    pub at: String,
}

/// The value of one limit: an amount as text, a count, a mode, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitValue(pub Value);

impl schemars::JsonSchema for LimitValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LimitValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An amount as text, a count, a mode, or a list; never null.",
            "x-wanted": "a text like \"20\", a whole number, or a list of these",
            "type": ["string", "integer", "array"],
            "minimum": 0,
            "maximum": 4_294_967_295_u32,
            "minLength": 1,
            "maxLength": 28,
            "minItems": 1,
            "maxItems": 16,
            "items": {
                "type": ["string", "integer"],
                "minimum": 0,
                "maximum": 4_294_967_295_u32,
                "minLength": 1,
                "maxLength": 28,
            },
        })
    }
}

impl ApprovedLimits {
    /// What is approved for an environment now; `None` where nothing is.
    pub fn approved(&self, env: &str) -> Option<BTreeMap<&str, &Value>> {
        let mut limits = self.env.get(env)?.now();
        for later in self.approval.iter().filter(|later| later.env == env) {
            limits.insert(later.key.as_str(), &later.to.0);
        }
        Some(limits)
    }

    /// Rules between keys: only limits of the manifest, values that their keys can have, an unbroken
    /// line of approvals for each. Empty: all hold.
    pub fn faults(&self) -> Vec<RuleFault> {
        let mut faults = Vec::new();
        let mut now: BTreeMap<&str, BTreeMap<&str, &Value>> = BTreeMap::new();
        for (env, first) in &self.env {
            for (key, value) in &first.limits {
                let pointer = format!("/env/{env}/limits/{key}");
                faults.extend(no_such_limit(&pointer, key).or_else(|| wrong(&pointer, key, value)));
            }
            now.insert(env, first.now());
        }
        for (index, later) in self.approval.iter().enumerate() {
            let at = |key: &str| format!("/approval/{index}/{key}");
            let Some(approved) = now.get_mut(later.env.as_str()) else {
                faults.push(RuleFault {
                    pointer: at("env"),
                    seen: format!("{:?}", later.env),
                    wanted: "an environment with a first approval above".to_owned(),
                    help: format!("launch approve --env {} writes it", later.env),
                });
                continue;
            };
            let before = approved.get(later.key.as_str()).copied();
            if let Some(fault) = no_such_limit(&at("key"), &later.key)
                .or_else(|| wrong(&at("to"), &later.key, &later.to))
            {
                faults.push(fault);
            } else if before != later.from.as_ref().map(|from| &from.0) {
                faults.push(RuleFault {
                    pointer: at("from"),
                    seen: told(later.from.as_ref().map(|from| &from.0)),
                    wanted: format!("{}, as was approved until then", told(before)),
                    help: "git log -p shows what was changed by hand; launch approve writes it"
                        .to_owned(),
                });
            }
            approved.insert(&later.key, &later.to.0);
        }
        faults
    }
}

impl FirstApproval {
    fn now(&self) -> BTreeMap<&str, &Value> {
        self.limits
            .iter()
            .map(|(key, value)| (key.as_str(), &value.0))
            .collect()
    }
}

fn told(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), shown)
}

fn no_such_limit(pointer: &str, key: &str) -> Option<RuleFault> {
    let known = looser::row_of(key).is_some_and(|row| row.looser != Looser::NoLimit);
    if known {
        return None;
    }
    let near = near_miss(key, looser::limits().map(|row| row.key));
    Some(RuleFault {
        pointer: pointer.to_owned(),
        seen: format!("{key:?}"),
        wanted: "a limit of the manifest by its dotted key".to_owned(),
        help: near.map_or_else(
            || "remove it: nothing reads it".to_owned(),
            |near| format!("did you mean {near:?}?"),
        ),
    })
}

fn wrong(pointer: &str, key: &str, value: &LimitValue) -> Option<RuleFault> {
    let why = looser::row_of(key)?.takes(&value.0).err()?;
    Some(RuleFault {
        pointer: pointer.to_owned(),
        seen: shown(&value.0),
        wanted: format!("a value that {key} can have ({why})"),
        help: "write it as the manifest does".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn file(approvals: &Value) -> ApprovedLimits {
        serde_json::from_value(json!({
            "schema_version": 1,
            "env": { "x": {
                "who": "a", "why": "b", "at": "2026-11-30T12:00:00Z",
                "limits": { "max_exposure_usd": "20", "safeguards.max_open_positions": 4 },
            } },
            "approval": approvals,
        }))
        .unwrap()
    }

    fn later(key: &str, from: &str, to: &str) -> Value {
        json!({
            "env": "x", "key": key, "from": from, "to": to,
            "who": "a", "why": "b", "at": "2026-11-30T12:00:00Z",
        })
    }

    fn pointers(file: &ApprovedLimits) -> Vec<String> {
        file.faults()
            .into_iter()
            .map(|fault| fault.pointer)
            .collect()
    }

    #[test]
    fn later_approvals_lie_over_the_first() {
        let both = file(&json!([
            later("max_exposure_usd", "20", "25"),
            later("max_exposure_usd", "25", "30"),
        ]));
        assert_eq!(pointers(&both), Vec::<String>::new());
        let approved = both.approved("x").unwrap();
        assert_eq!(approved["max_exposure_usd"], &json!("30"));
        assert_eq!(approved["safeguards.max_open_positions"], &json!(4));
        assert_eq!(both.approved("y"), None);
    }

    #[test]
    fn a_line_that_was_left_out_or_edited_shows() {
        let gap = file(&json!([later("max_exposure_usd", "25", "30")]));
        assert_eq!(pointers(&gap), ["/approval/0/from"]);
        let stranger = file(&json!([later("max_exposure", "20", "30")]));
        assert_eq!(pointers(&stranger), ["/approval/0/key"]);
        let unknown = file(&json!([later("edge.max", "0.2", "0.3")]));
        assert_eq!(pointers(&unknown), ["/approval/0/from"]);
        let mut new = later("edge.max", "", "0.3");
        new.as_object_mut().unwrap().remove("from");
        assert_eq!(pointers(&file(&json!([new]))), Vec::<String>::new());
        let zero = file(&json!([later("max_exposure_usd", "20", "0")]));
        assert_eq!(pointers(&zero), ["/approval/0/to"]);
        let mut elsewhere = later("max_exposure_usd", "20", "30");
        elsewhere["env"] = json!("y");
        assert_eq!(pointers(&file(&json!([elsewhere]))), ["/approval/0/env"]);
    }
}
