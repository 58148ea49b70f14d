//! The set of checks as one document, committed as `checks/catalogue.json`: which are built, how much each
//! counts where, which can be waived or only advise.
//!
//! A pull request to this repository is judged by a program that it may have changed; compared with the base
//! branch's document, a check that is gone or counts for less shows.

use super::waivers::NEVER_WAIVABLE;
use crate::facts::EnvFacts;
use crate::severity::{Severity, severity};
use crate::table::{TABLE, catalogue};
use crate::targets::{Class, NEVER_ADVISORY, Platform, Pushed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where this repository commits it.
pub const CHECK_SET_PATH: &str = "checks/catalogue.json";

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSet {
    /// Version of this format: 1.
    pub schema_version: u32,
    /// Every check of the catalogue by its code.
    pub checks: BTreeMap<String, CheckRow>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRow {
    /// What holds when it passes.
    pub title: String,
    /// Whether there is a check behind it.
    pub built: bool,
    /// Whether a waiver may cover it.
    pub waivable: bool,
    /// Whether an environment may let it only advise.
    pub advisable: bool,
    /// How much a failure counts, by kind of environment: fail, warn or n/a.
    pub counts: BTreeMap<String, String>,
}

/// The kinds of environment that severity tells apart.
const KINDS: [(&str, Class, Platform); 5] = [
    ("local", Class::Local, Platform::Local),
    ("ci", Class::Ci, Platform::Local),
    ("staging on this machine", Class::Staging, Platform::Local),
    ("staging on railway", Class::Staging, Platform::Railway),
    ("production", Class::Production, Platform::Railway),
];

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Fail => "fail",
        Severity::Warn => "warn",
        Severity::NotApplicable => "n/a",
    }
}

/// How much a word counts; what nobody knows counts least.
fn weight(word: &str) -> u8 {
    match word {
        "fail" => 2,
        "warn" => 1,
        _ => 0,
    }
}

impl CheckSet {
    /// This program's.
    pub fn of_this_program() -> Self {
        let checks = catalogue().map(|(code, title)| {
            let name = code.to_string();
            let counts = KINDS.iter().map(|(kind, class, platform)| {
                let env = EnvFacts {
                    name: (*kind).to_owned(),
                    class: *class,
                    platform: *platform,
                    pushed: Pushed::Tip,
                    advisory: Vec::new(),
                };
                ((*kind).to_owned(), word(severity(code, &env)).to_owned())
            });
            let row = CheckRow {
                title: title.to_owned(),
                built: TABLE.iter().any(|row| row.code == code),
                waivable: !NEVER_WAIVABLE.contains(&name.as_str()),
                advisable: !NEVER_ADVISORY.contains(&name.as_str()),
                counts: counts.collect(),
            };
            (name, row)
        });
        Self {
            schema_version: 1,
            checks: checks.collect(),
        }
    }

    /// The document's text.
    ///
    /// # Errors
    /// Never for a set of ours; kept so that no panic is reachable.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// In what `now` is weaker than this set, a line each.
    pub fn weaker(&self, now: &Self) -> Vec<String> {
        let mut weaker = Vec::new();
        for (code, was) in &self.checks {
            let Some(is) = now.checks.get(code) else {
                weaker.push(format!("{code} {} is gone", was.title));
                continue;
            };
            let mut say = |worse: bool, what: &str| {
                if worse {
                    weaker.push(format!("{code} {} {what}", was.title));
                }
            };
            say(was.built && !is.built, "has no check any more");
            say(!was.waivable && is.waivable, "can now be waived");
            say(!was.advisable && is.advisable, "may now only advise");
            for (kind, word) in &was.counts {
                let now = is.counts.get(kind).map_or("n/a", String::as_str);
                say(
                    weight(now) < weight(word),
                    &format!("counts {now} in {kind}, was {word}"),
                );
            }
        }
        weaker
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_SCHEMAS=1 cargo test -p launch-checks check_set` rewrites it.
    #[test]
    fn the_committed_check_set_is_this_program_s() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue.json");
        let wanted = CheckSet::of_this_program().text().unwrap();
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            wanted,
            "UPDATE_SCHEMAS=1 cargo test -p launch-checks check_set"
        );
    }

    #[test]
    fn a_check_that_is_gone_or_counts_for_less_shows() {
        let base = CheckSet::of_this_program();
        assert_eq!(base.weaker(&base), Vec::<String>::new());
        let mut now = base.clone();
        now.checks.remove("LC-305");
        let first = now.checks.get_mut("LC-101").unwrap();
        first.built = false;
        first.waivable = true;
        first.advisable = true;
        first.counts.insert("ci".to_owned(), "warn".to_owned());
        first.counts.remove("production");
        let weaker = base.weaker(&now);
        assert_eq!(weaker.len(), 6, "{weaker:#?}");
        assert!(
            weaker
                .iter()
                .any(|line| line.contains("LC-305 model golden is gone"))
        );
        // More checks, or stricter ones, are no weakness.
        assert_eq!(now.weaker(&base), Vec::<String>::new());
    }
}
