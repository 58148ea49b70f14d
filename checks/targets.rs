//! `manifests/launch.toml`: which environments exist, where they run and which manifest each one runs.
//!
//! Pure data with the accessors that spell out what an absent optional key means. Must not read
//! files or guess: an environment's class and platform are always written, never taken from its
//! name. The committed `schemas/targets.schema.json` is generated from these types.

use crate::files::RuleFault;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use trader_core::feed::Feed;

/// Where the targets file stands in a project.
pub const TARGETS_PATH: &str = "manifests/launch.toml";

/// A trip follows when a hold lasts longer than this, seconds, unless the target says otherwise.
pub const SILENCE_KILL_SECS_DEFAULT: u32 = 120;

/// How long a soak is watched, seconds, unless the target says otherwise: four 15-minute windows.
pub const SOAK_SECS_DEFAULT: u32 = 3_600;

/// How long a kill drill stays valid, days, unless the target says otherwise.
pub const DRILL_MAX_AGE_DAYS_DEFAULT: u32 = 30;

/// The targets file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Targets {
    /// The remote and branch that a deploy comes from.
    pub repo: Repo,
    /// The command that proves the tests; absent: nothing can prove them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
    /// The environments by name. Names become file and git ref names.
    #[schemars(
        length(min = 1, max = 32),
        extend("propertyNames" = { "pattern": "^[a-z][a-z0-9-]{0,31}$" })
    )]
    pub env: BTreeMap<String, Target>,
    /// Recordings that the evidence checks run on; absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// The remote and branch that a deploy comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repo {
    /// Name of the git remote that the platform deploys from, like "origin".
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,99}$"), extend("x-wanted" = "the name of a git remote"))]
    pub remote: String,
    /// The deploy branch on that remote, like "main".
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$"), extend("x-wanted" = "the name of a branch"))]
    pub branch: String,
}

/// The command that proves the tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// Program and arguments, run without a shell on an export of the commit.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1)))]
    pub command: Vec<String>,
    /// Longest that it may run, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_secs: u32,
}

/// What stands behind an environment; decides how strict each check is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A developer's machine.
    Local,
    /// A merge gate.
    Ci,
    /// A rehearsal of production without money.
    Staging,
    /// Money. Every check counts.
    Production,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Ci => "ci",
            Self::Staging => "staging",
            Self::Production => "production",
        })
    }
}

/// Where the trader's process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// The loopback platform on this machine.
    Local,
    /// Railway.
    Railway,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Local => "local",
            Self::Railway => "railway",
        })
    }
}

/// What "pushed" means for an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pushed {
    /// HEAD is the tip of the deploy branch on the live remote.
    Tip,
    /// HEAD is the live pull or merge-queue ref, or contains the base's tip.
    Merge,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What stands behind it; required, never guessed from the name.
    pub class: Class,
    /// Where the trader's process runs.
    pub platform: Platform,
    /// The launch manifest, a path inside the project like "manifests/staging.toml".
    #[schemars(
        regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$"), extend("x-wanted" = "a path inside the project, with / and no .. in it"),
        length(max = 200)
    )]
    pub manifest: String,
    /// What "pushed" means here; absent: `merge` for class ci, else `tip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Pushed>,
    /// Where the trader's events come from. Production takes only the venue.
    pub feed: Feed,
    /// Railway's project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{1,64}$"), extend("x-wanted" = "an id as Railway's dashboard shows it"))]
    pub project_id: Option<String>,
    /// Railway's environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{1,64}$"), extend("x-wanted" = "an id as Railway's dashboard shows it"))]
    pub environment_id: Option<String>,
    /// Railway's service that runs the trader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9-]{1,64}$"), extend("x-wanted" = "an id as Railway's dashboard shows it"))]
    pub service_id: Option<String>,
    /// Address of the trader's status and control server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(https://[^\s/@]+[^\s@]*|http://(localhost|127\.[0-9.]+|\[::1\])([:/][^\s@]*)?)$"), extend("x-wanted" = "an https address (http on loopback only) without user and password"))]
    pub trader_url: Option<String>,
    /// Address of the watchdog where it runs as a service of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(https://[^\s/@]+[^\s@]*|http://(localhost|127\.[0-9.]+|\[::1\])([:/][^\s@]*)?)$"), extend("x-wanted" = "an https address (http on loopback only) without user and password"))]
    pub watchdog_url: Option<String>,
    /// Name of the environment variable that holds the platform token. Never the token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Z][A-Z0-9_]{0,63}$"), extend("x-wanted" = "the NAME of an environment variable, upper case; never the token itself"))]
    pub token_env: Option<String>,
    /// How long a soak is watched, seconds; absent: [`SOAK_SECS_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800))]
    pub soak_secs: Option<u32>,
    /// How long a kill drill stays valid, days; absent: [`DRILL_MAX_AGE_DAYS_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 90))]
    pub drill_max_age_days: Option<u32>,
    /// A hold that lasts longer than this is a trip, seconds; absent: [`SILENCE_KILL_SECS_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 5, max = 3_600))]
    pub silence_kill_secs: Option<u32>,
    /// Check codes that only advise here. Class local and ci only; some codes never.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(regex(pattern = r"^LC-[0-9]{3}$")), extend("uniqueItems" = true))]
    pub advisory: Vec<String>,
}

impl Target {
    /// What "pushed" means here: the written word, else by class.
    pub fn pushed(&self) -> Pushed {
        self.pushed.unwrap_or(match self.class {
            Class::Ci => Pushed::Merge,
            Class::Local | Class::Staging | Class::Production => Pushed::Tip,
        })
    }

    /// How long a soak is watched, seconds.
    pub fn soak_secs(&self) -> u32 {
        self.soak_secs.unwrap_or(SOAK_SECS_DEFAULT)
    }

    /// How long a kill drill stays valid, days.
    pub fn drill_max_age_days(&self) -> u32 {
        self.drill_max_age_days
            .unwrap_or(DRILL_MAX_AGE_DAYS_DEFAULT)
    }

    /// A hold that lasts longer than this is a trip, seconds.
    pub fn silence_kill_secs(&self) -> u32 {
        self.silence_kill_secs.unwrap_or(SILENCE_KILL_SECS_DEFAULT)
    }
}

/// Recordings that the evidence checks run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The recordings; they may lie outside the repository.
    #[schemars(length(min = 1, max = 256))]
    pub recordings: Vec<Recording>,
    /// Who takes it on that the model is worse than the market's own price; lapses after 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<EvidenceApproval>,
}

/// A person's word that a model without an edge may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceApproval {
    /// Who.
    #[schemars(length(min = 1, max = 100))]
    pub by: String,
    /// Why.
    #[schemars(length(min = 1, max = 500))]
    pub reason: String,
    /// The day, as text, UTC.
    #[schemars(regex(pattern = r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$"), extend("x-wanted" = "a day like \"2026-11-30\""))]
    pub at: String,
}

impl EvidenceApproval {
    /// The first instant of its day, ms since the Unix epoch; `None` for a day that no calendar has.
    pub fn at_ms(&self) -> Option<i64> {
        let mut parts = self.at.split('-').map(str::parse::<i64>);
        let (Some(Ok(year)), Some(Ok(month)), Some(Ok(day)), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            _ => return None,
        };
        if !(1970..=2199).contains(&year) || !(1..=days_in_month).contains(&day) {
            return None;
        }
        // Days since 1970-01-01, years counted from March (Hinnant, "chrono-compatible date algorithms").
        let (y, m) = if month > 2 {
            (year, month - 3)
        } else {
            (year - 1, month + 9)
        };
        let era = y.div_euclid(400);
        let of_era = y - era * 400;
        let of_year = (153 * m + 2) / 5 + day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        Some(days * 86_400_000)
    }
}

/// One recording, pinned by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// Where it lies.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,
    /// Its sha256, 64 lower-case hex digits; of a folder, what `sha256sum * | sha256sum` says in it.
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"), extend("x-wanted" = "64 lower-case hex digits"))]
    pub sha256: String,
}

/// Codes that may never be advisory, in any class.
pub const NEVER_ADVISORY: [&str; 5] = ["LC-101", "LC-103", "LC-202", "LC-204", "LC-206"];

impl Targets {
    /// Rules between keys: production takes only the venue, staging and production only the tip of
    /// the deploy branch, advisory codes only local and ci. Empty: all hold.
    pub fn faults(&self) -> Vec<RuleFault> {
        self.env
            .iter()
            .flat_map(|(name, target)| target_faults(name, target))
            .collect()
    }
}

fn target_faults(name: &str, target: &Target) -> Vec<RuleFault> {
    let fault = |key: &str, seen: String, wanted: String, help: &str| RuleFault {
        pointer: format!("/env/{name}/{key}"),
        seen,
        wanted,
        help: help.to_owned(),
    };
    let mut faults = Vec::new();
    let class = target.class;
    if class == Class::Production && target.feed != Feed::Venue {
        faults.push(fault(
            "feed",
            format!("{:?}", target.feed.to_string()),
            "\"venue\" (class production takes nothing else)".to_owned(),
            "write feed = \"venue\", or give this environment another class",
        ));
    }
    if class >= Class::Staging && target.pushed == Some(Pushed::Merge) {
        faults.push(fault(
            "pushed",
            "\"merge\"".to_owned(),
            format!("\"tip\" (class {class} deploys only the tip of the deploy branch)"),
            "write pushed = \"tip\"",
        ));
    }
    for (index, code) in target.advisory.iter().enumerate() {
        let key = format!("advisory/{index}");
        if class >= Class::Staging {
            faults.push(fault(
                &key,
                format!("{code:?}"),
                format!("no advisory codes (class {class} takes none)"),
                "remove it; a waiver with reason, owner and expiry is the other way",
            ));
        } else if NEVER_ADVISORY.contains(&code.as_str()) {
            faults.push(fault(
                &key,
                format!("{code:?}"),
                format!("a code other than {}", NEVER_ADVISORY.join(", ")),
                "remove it: this check always counts",
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(class: &str, rest: &str) -> Targets {
        let text = format!(
            r#"{{"repo":{{"remote":"origin","branch":"main"}},
                "env":{{"x":{{"class":"{class}","platform":"local","manifest":"m.toml"{rest}}}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn production_takes_only_the_venue_and_the_tip() {
        let good = target("production", r#","feed":"venue""#);
        assert_eq!(good.faults(), []);
        assert_eq!(good.env["x"].pushed(), Pushed::Tip);
        let bad = target(
            "production",
            r#","feed":"generator:1","pushed":"merge","advisory":["LC-105"]"#,
        );
        let pointers: Vec<String> = bad.faults().into_iter().map(|f| f.pointer).collect();
        assert_eq!(
            pointers,
            ["/env/x/feed", "/env/x/pushed", "/env/x/advisory/0"]
        );
    }

    #[test]
    fn some_codes_are_never_advisory() {
        let bad = target("ci", r#","feed":"venue","advisory":["LC-105","LC-101"]"#);
        assert_eq!(bad.faults().len(), 1);
        assert_eq!(bad.faults()[0].pointer, "/env/x/advisory/1");
        assert_eq!(bad.env["x"].pushed(), Pushed::Merge);
    }
}
