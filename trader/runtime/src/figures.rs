//! Figures of a run, counted from its journal: what was signalled, refused, left unexplained.
//!
//! Counts only what the engine wrote down; must not have an opinion of its own.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Counts over the journal lines seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Signals that strategies gave.
    pub signals: u64,
    /// Events that the engine could not explain.
    pub unexplained: u64,
    /// Refused entries by reason.
    pub refusals: BTreeMap<String, u64>,
}

/// The part of a journal line that is counted.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    kind: &'a str,
    #[serde(borrow)]
    code: Option<&'a str>,
}

impl Figures {
    /// Counts one line of the journal.
    pub fn count(&mut self, line: &str) {
        let Ok(line) = serde_json::from_str::<Line<'_>>(line) else {
            self.unexplained = self.unexplained.saturating_add(1);
            return;
        };
        match (line.kind, line.code) {
            ("signal", _) => self.signals = self.signals.saturating_add(1),
            ("unexplained", _) => self.unexplained = self.unexplained.saturating_add(1),
            ("refused", Some(code)) => {
                let count = self.refusals.entry(code.to_owned()).or_default();
                *count = count.saturating_add(1);
            }
            _ => {}
        }
    }
}
