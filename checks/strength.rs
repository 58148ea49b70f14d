//! How strong the table of checks is, as a document to commit and to compare with: `schemas/checks.json`.
//!
//! A pull request that takes a check away, or lets it count for less, is seen by comparing the table that
//! its program has with the one that the base branch committed. Pure; reads no file.

use crate::code::Code;
use crate::facts::EnvFacts;
use crate::severity::{Severity, severity};
use crate::table::{TABLE, catalogue};
use crate::targets::{Class, NEVER_ADVISORY, Platform, Pushed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of the document.
const SCHEMA_VERSION: u32 = 1;

/// The committed table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strength {
    /// Version of the form of this document.
    pub schema_version: u32,
    /// Every check of the catalogue, in order of the codes.
    pub checks: Vec<CheckStrength>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckStrength {
    /// Its code.
    pub code: String,
    /// What holds when it passes.
    pub title: String,
    /// Whether there is a check, or only its place in the catalogue.
    pub built: bool,
    /// Kind of environment → what a failure does there.
    pub counts: BTreeMap<String, Counts>,
    /// Whether no environment can make it advisory.
    pub never_advisory: bool,
}

/// What a failing check does to the verdict; the later, the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// The check says nothing there.
    NotApplicable,
    /// It is reported.
    Warn,
    /// It fails the run.
    Fail,
}

/// The kinds of environments that the severities tell apart.
const KINDS: [(&str, Class, Platform); 6] = [
    ("local", Class::Local, Platform::Local),
    ("ci", Class::Ci, Platform::Local),
    ("staging on local", Class::Staging, Platform::Local),
    ("staging on railway", Class::Staging, Platform::Railway),
    ("production on local", Class::Production, Platform::Local),
    (
        "production on railway",
        Class::Production,
        Platform::Railway,
    ),
];

impl Strength {
    /// The table of this program.
    pub fn own() -> Self {
        let checks = catalogue().map(|(code, title)| CheckStrength {
            code: code.to_string(),
            title: title.to_owned(),
            built: TABLE.iter().any(|row| row.code == code),
            counts: KINDS
                .iter()
                .map(|(kind, class, platform)| {
                    ((*kind).to_owned(), counts(code, *class, *platform))
                })
                .collect(),
            never_advisory: NEVER_ADVISORY.contains(&code.to_string().as_str()),
        });
        Self {
            schema_version: SCHEMA_VERSION,
            checks: checks.collect(),
        }
    }

    /// Everything in which `self` is weaker than `base`; stronger is no fault.
    pub fn weaker_than(&self, base: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        if base.checks.is_empty() {
            faults.push("the base names no check at all".to_owned());
        }
        for before in &base.checks {
            let code = &before.code;
            let Some(after) = self.checks.iter().find(|check| check.code == *code) else {
                faults.push(format!("{code} ({}) is gone", before.title));
                continue;
            };
            if before.built && !after.built {
                faults.push(format!("{code} ({}) is not built any more", before.title));
            }
            if before.never_advisory && !after.never_advisory {
                faults.push(format!("{code} ({}) may become advisory", before.title));
            }
            for (kind, was) in &before.counts {
                let is = after.counts.get(kind).copied();
                if is.is_none_or(|is| is < *was) {
                    let is = is.map_or("nothing", Counts::word);
                    faults.push(format!(
                        "{code} ({}) in {kind}: {}, was {}",
                        before.title,
                        is,
                        was.word()
                    ));
                }
            }
        }
        faults
    }
}

impl Counts {
    const fn word(self) -> &'static str {
        match self {
            Self::NotApplicable => "not applicable",
            Self::Warn => "warns",
            Self::Fail => "fails",
        }
    }
}

fn counts(code: Code, class: Class, platform: Platform) -> Counts {
    let env = EnvFacts {
        name: class.to_string(),
        class,
        platform,
        pushed: Pushed::Tip,
        advisory: Vec::new(),
    };
    match severity(code, &env) {
        Severity::Fail => Counts::Fail,
        Severity::Warn => Counts::Warn,
        Severity::NotApplicable => Counts::NotApplicable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_as_strong_as_itself_and_reads_as_it_is_written() {
        let own = Strength::own();
        assert_eq!(own.weaker_than(&own), Vec::<String>::new());
        let text = serde_json::to_string(&own).unwrap();
        assert_eq!(serde_json::from_str::<Strength>(&text).unwrap(), own);
        assert_eq!(own.checks.len(), catalogue().count());
    }

    #[test]
    fn whatever_is_taken_away_is_named() {
        let base = Strength::own();
        let weaker = |change: &dyn Fn(&mut Strength)| {
            let mut head = base.clone();
            change(&mut head);
            head.weaker_than(&base).join("; ")
        };
        let told = weaker(&|head| head.checks.retain(|check| check.code != "LC-101"));
        assert_eq!(told, "LC-101 (source committed) is gone");
        let told = weaker(&|head| head.checks[0].built = false);
        assert!(told.contains("not built any more"), "{told}");
        let told = weaker(&|head| head.checks[0].never_advisory = false);
        assert!(told.contains("may become advisory"), "{told}");
        let told = weaker(&|head| {
            head.checks[0].counts.insert("ci".to_owned(), Counts::Warn);
        });
        assert_eq!(told, "LC-101 (source committed) in ci: warns, was fails");
        let told = weaker(&|head| {
            head.checks[0].counts.remove("local");
        });
        assert!(told.contains("in local: nothing"), "{told}");
        let empty = Strength {
            schema_version: SCHEMA_VERSION,
            checks: Vec::new(),
        };
        assert!(!base.weaker_than(&empty).is_empty());
    }

    #[test]
    fn stronger_is_no_fault() {
        let mut base = Strength::own();
        base.checks[1].built = false;
        base.checks[1].counts.insert("ci".to_owned(), Counts::Warn);
        base.checks.pop();
        assert_eq!(Strength::own().weaker_than(&base), Vec::<String>::new());
    }
}
