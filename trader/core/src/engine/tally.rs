//! What a trader did, in figures: what a dry run prints and a check counts.

use serde::Serialize;
use std::collections::BTreeMap;

/// Counters since the engine was built. They decide nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Events taken.
    pub events: u64,
    /// Market data among them.
    pub ticks: u64,
    /// Windows that were looked at while open.
    pub windows: u64,
    /// Times that a strategy began to want an entry.
    pub signals: u64,
    /// Orders approved and reserved.
    pub intents: u64,
    /// Orders handed out for sending.
    pub sent: u64,
    /// Fills.
    pub fills: u64,
    /// Changes into a refusal, by reason code.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Reports that nothing of ours explains.
    pub unexplained: u64,
}

impl Tally {
    pub(super) const fn tick(&mut self) {
        self.ticks = self.ticks.saturating_add(1);
    }

    pub(super) fn refused(&mut self, code: &'static str) {
        let count = self.refusals.entry(code).or_default();
        *count = count.saturating_add(1);
    }
}
