//! What is known of the venue's side of one target: orders, positions, the API key.
//!
//! Data on the board and its words; the venue path writes it, `assess` and `outcome` read it.

use crate::position::Position;
use crate::venue::OpenOrder;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Failures in a row after which the trader's own account of its orders may stand in for the
/// venue's, where the venue never answered.
const FAILURES_MAX: u32 = 3;
/// Orders that are described one by one in a sentence.
const DESCRIBED_MAX: usize = 5;

/// The venue.
#[derive(Debug, Clone, Default)]
pub(crate) struct VenueRecord {
    /// Whether the venue path runs for this target.
    pub(crate) is_asked: bool,
    /// Open orders by the newest read; `None` = never read.
    pub(crate) open: Option<u64>,
    /// When the newest read was asked for.
    pub(crate) read_at: Option<Instant>,
    /// When the newest cancellation was acknowledged.
    pub(crate) cancelled_at: Option<Instant>,
    /// When a signed request was last accepted.
    pub(crate) accepted_at: Option<Instant>,
    /// Two reads after the process's proved end show nothing.
    pub(crate) is_zero_proved: bool,
    /// Requests in a row without a usable answer.
    pub(crate) failures: u32,
    /// Refused for good: nothing more is expected.
    pub(crate) is_refused: bool,
    /// The newest failure.
    pub(crate) error: Option<String>,
    /// Every order that any read showed.
    pub(crate) seen: BTreeMap<String, OpenOrder>,
    /// Ids that were told as cancelled.
    pub(crate) cancelled: BTreeSet<String>,
    /// Ids that were told as not cancelled and may still be open, with the venue's reason.
    pub(crate) stuck: BTreeMap<String, String>,
    /// Positions by the public data; `None` = not known.
    pub(crate) positions: Option<Vec<Position>>,
    /// Why positions are not known.
    pub(crate) positions_note: Option<String>,
    /// The API key.
    pub(crate) key: KeyState,
}

/// What became of the API key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum KeyState {
    /// Left alone.
    #[default]
    Kept,
    /// Its deletion was asked for, and is not proved: why.
    Asked(String),
    /// Deleted, and refused since.
    Refused,
}

impl VenueRecord {
    /// Whether the venue has told nothing at all and is not expected to: then the trader's own
    /// account of its orders is all there is.
    pub(crate) const fn is_silent(&self) -> bool {
        self.open.is_none() && (self.is_refused || self.failures >= FAILURES_MAX)
    }

    /// What was found and done, in words.
    pub(crate) fn summary(&self) -> String {
        let mut parts = Vec::new();
        if !self.cancelled.is_empty() {
            parts.push(format!("{} order(s) cancelled", self.cancelled.len()));
        }
        match (self.open, self.is_zero_proved) {
            (Some(0), true) => parts.push("none open in two reads after the process's end".into()),
            (Some(0), false) => parts.push("none open by the newest read".into()),
            (Some(open), _) => parts.push(format!("{open} STILL OPEN{}", self.reasons())),
            (None, _) => {}
        }
        if let Some(error) = &self.error {
            parts.push(error.clone());
        }
        match &self.key {
            KeyState::Kept => {}
            KeyState::Asked(why) => parts.push(format!("its API key is NOT proved deleted: {why}")),
            KeyState::Refused => parts.push("its API key is deleted".into()),
        }
        parts.join("; ")
    }

    fn reasons(&self) -> String {
        let reasons: BTreeSet<&str> = self.stuck.values().map(String::as_str).collect();
        if reasons.is_empty() {
            return String::new();
        }
        let reasons: Vec<&str> = reasons.into_iter().take(DESCRIBED_MAX).collect();
        format!(" (not cancelled: {})", reasons.join(", "))
    }

    /// The orders that were cancelled, in words; `None` = none.
    pub(crate) fn cancelled_orders(&self) -> Option<String> {
        if self.cancelled.is_empty() {
            return None;
        }
        let described: Vec<String> = self
            .cancelled
            .iter()
            .take(DESCRIBED_MAX)
            .map(|id| {
                self.seen
                    .get(id)
                    .map_or_else(|| format!("order {id}"), OpenOrder::describe)
            })
            .collect();
        let more = self.cancelled.len().saturating_sub(described.len());
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        Some(format!(
            "{} order(s) of the venue's account cancelled: {}{rest}; whether each was the trader's \
             own cannot be told",
            self.cancelled.len(),
            described.join("; ")
        ))
    }
}
