//! What reads say of a deployment where that is not the truth: lies that a faulty command left, and
//! changes that are reported late.
//!
//! Pure: no clock, no process. The truth is the deployment's phase, which this never touches; a
//! platform without faults has nothing here. Kept in `state.json`, so that a lie outlives the
//! platform that told it.

use serde::{Deserialize, Serialize};

use super::lifecycle;
use super::state::{Deployment, Phase};

/// Late reports kept per deployment; with more, reads catch up early.
const MOST_LATE: usize = 256;

/// What reads say instead of the truth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Report {
    /// The phase that reads show.
    says: Option<Phase>,
    /// The one that they will show from this time (Unix milliseconds) on.
    will_say: Option<(Phase, u64)>,
    /// Earlier phases that reads have not got beyond, each until its time; oldest first.
    late: Vec<(Phase, u64)>,
}

impl Report {
    /// Nothing but the truth, at once.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether time alone will change what reads say.
    pub(crate) fn is_pending(&self) -> bool {
        self.will_say.is_some() || !self.late.is_empty()
    }
}

/// The phase that the platform believes, lies included; commands are judged by it.
pub(crate) fn believed(row: &Deployment) -> Phase {
    row.report.says.unwrap_or(row.phase)
}

/// The phase that reads show.
pub(crate) fn shown(row: &Deployment) -> Phase {
    let late = row.report.late.first().map(|(phase, _)| *phase);
    late.unwrap_or_else(|| believed(row))
}

/// From now on reads tell the truth again (late, where reports are late).
pub(crate) fn lift(row: &mut Deployment) {
    row.report.says = None;
    row.report.will_say = None;
}

/// Reads show this phase from now on, whatever happens.
pub(crate) fn say(row: &mut Deployment, phase: Phase, now_ms: u64) {
    let before = believed(row);
    row.report.says = Some(phase);
    row.report.will_say = None;
    if lifecycle::status_of(before) != lifecycle::status_of(phase) {
        row.status_at_ms = now_ms;
    }
}

/// Reads will show this phase from `at_ms` on; said already, it stays as it was said.
pub(crate) fn say_later(row: &mut Deployment, phase: Phase, at_ms: u64) {
    if row.report.will_say.is_none_or(|(other, _)| other != phase) {
        row.report.will_say = Some((phase, at_ms));
    }
}

/// A change from `before` shows only from `until_ms` on.
pub(crate) fn delay(row: &mut Deployment, before: Phase, until_ms: u64) {
    if row.report.late.len() >= MOST_LATE {
        row.report.late.remove(0);
    }
    row.report.late.push((before, until_ms));
}

/// Moves what reads say along with time.
pub(crate) fn step(row: &mut Deployment, now_ms: u64) {
    row.report.late.retain(|(_, until_ms)| now_ms < *until_ms);
    if let Some((phase, at_ms)) = row.report.will_say
        && now_ms >= at_ms
    {
        say(row, phase, now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::tests::any_deployment;

    #[test]
    fn without_a_fault_reads_show_the_phase() {
        let mut row = any_deployment();
        for phase in [Phase::Building, Phase::Active, Phase::Removed] {
            row.phase = phase;
            assert_eq!((shown(&row), believed(&row)), (phase, phase));
        }
        assert!(row.report.is_plain());
    }

    #[test]
    fn a_lie_stands_until_lifted_and_changes_when_it_said() {
        let mut row = any_deployment();
        row.phase = Phase::Active;
        say(&mut row, Phase::Removing, 10);
        assert_eq!(row.status_at_ms, 10);
        say_later(&mut row, Phase::Removed, 20);
        say_later(&mut row, Phase::Removed, 99);
        step(&mut row, 19);
        assert_eq!(shown(&row), Phase::Removing);
        assert!(row.report.is_pending());
        step(&mut row, 20);
        assert_eq!(shown(&row), Phase::Removed, "repeats do not put it off");
        assert!(!row.report.is_pending());
        lift(&mut row);
        assert_eq!(shown(&row), Phase::Active);
    }

    #[test]
    fn late_reports_come_in_order_each_at_its_time() {
        let mut row = any_deployment();
        for (before, at_ms) in [(Phase::Active, 10), (Phase::Removing, 20)] {
            delay(&mut row, before, at_ms);
        }
        row.phase = Phase::Removed;
        assert_eq!(shown(&row), Phase::Active);
        assert_eq!(believed(&row), Phase::Removed, "only reads are late");
        step(&mut row, 10);
        assert_eq!(shown(&row), Phase::Removing);
        step(&mut row, 20);
        assert_eq!(shown(&row), Phase::Removed);
        for at_ms in 0..1_000 {
            delay(&mut row, Phase::Active, at_ms);
        }
        assert_eq!(row.report.late.len(), MOST_LATE);
    }
}
