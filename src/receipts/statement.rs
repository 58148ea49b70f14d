//! One receipt as an in-toto Statement.
//!
//! Pure. Source of the shape: in-toto attestation framework, Statement v1
//! (`_type`, `subject[].digest`, `predicateType`, `predicate`), read 2026-11.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// `_type` of every receipt.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a receipt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A deploy that was sent, whatever came of it.
    Deploy,
    /// A verification from outside.
    Verify,
    /// A freeze that was lifted.
    Reenable,
    /// A kill.
    Kill,
    /// A kill that was a drill.
    Drill,
}

impl Kind {
    /// `predicateType`.
    pub const fn predicate_type(self) -> &'static str {
        match self {
            Self::Deploy => "urn:launch:receipt:deploy:v1",
            Self::Verify => "urn:launch:receipt:verify:v1",
            Self::Reenable => "urn:launch:receipt:reenable:v1",
            Self::Kill => "urn:launch:receipt:kill:v1",
            Self::Drill => "urn:launch:receipt:drill:v1",
        }
    }
}

/// What the receipt speaks of: the commit or its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// `commit` or `tree`.
    pub name: String,
    /// `gitCommit` or `gitTree` → hex.
    pub digest: BTreeMap<String, String>,
}

/// An in-toto Statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// Commit and tree; empty where no commit is known (a freeze lifted on a bare machine).
    pub subject: Vec<Subject>,
    /// Which kind.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The kind's own document.
    pub predicate: Value,
}

impl Statement {
    /// A statement about a commit and its tree.
    pub fn new(kind: Kind, commit: Option<&str>, tree: Option<&str>, predicate: Value) -> Self {
        let subject = |name: &str, key: &str, hex: Option<&str>| {
            hex.map(|hex| Subject {
                name: name.to_owned(),
                digest: BTreeMap::from([(key.to_owned(), hex.to_owned())]),
            })
        };
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: [
                subject("commit", "gitCommit", commit),
                subject("tree", "gitTree", tree),
            ]
            .into_iter()
            .flatten()
            .collect(),
            predicate_type: kind.predicate_type().to_owned(),
            predicate,
        }
    }

    /// Whether it is of this kind and about this environment.
    pub fn is(&self, kind: Kind, env: &str) -> bool {
        self.predicate_type == kind.predicate_type()
            && self.predicate.get("env").and_then(Value::as_str) == Some(env)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn it_reads_as_an_in_toto_statement() {
        let made = Statement::new(
            Kind::Deploy,
            Some("c1"),
            Some("t1"),
            json!({"env": "staging"}),
        );
        assert_eq!(
            serde_json::to_value(&made).unwrap(),
            json!({
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [
                    {"name": "commit", "digest": {"gitCommit": "c1"}},
                    {"name": "tree", "digest": {"gitTree": "t1"}},
                ],
                "predicateType": "urn:launch:receipt:deploy:v1",
                "predicate": {"env": "staging"},
            })
        );
        assert!(made.is(Kind::Deploy, "staging"));
        assert!(!made.is(Kind::Deploy, "production") && !made.is(Kind::Verify, "staging"));
    }
}
