//! The wall clock, read at one place.

use trader_core::units::EpochMs;

/// Milliseconds since the Unix epoch, now.
pub fn wall() -> EpochMs {
    EpochMs(jiff::Timestamp::now().as_millisecond())
}
