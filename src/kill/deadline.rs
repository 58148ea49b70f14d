//! A point in time that no wait may pass.

use std::time::{Duration, Instant};

/// The end of the time that a piece of work may take. Monotonic: a wrong wall clock cannot move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// `span` from now.
    pub fn after(span: Duration) -> Self {
        Self::from_start(Instant::now(), span)
    }

    /// `span` after `start`; a span beyond the clock's range ends a day after `start`.
    pub fn from_start(start: Instant, span: Duration) -> Self {
        const FALLBACK: Duration = Duration::from_hours(24);
        Self(start.checked_add(span.min(FALLBACK)).unwrap_or(start))
    }

    /// Time left, zero when passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// The earlier of this and `span` from now.
    #[must_use]
    pub fn at_most(self, span: Duration) -> Self {
        self.min(Self::after(span))
    }

    /// Sleeps for `span`, but not past the deadline.
    pub async fn sleep(self, span: Duration) {
        tokio::time::sleep(span.min(self.remaining())).await;
    }
}
