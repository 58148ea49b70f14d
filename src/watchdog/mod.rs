//! `launch watchdog`: observes from outside, grants the trading lease while all is as planned,
//! withdraws it in doubt, stops the target on evidence.
//!
//! Never lives in the process it guards; never grants under a freeze, a revocation, a hold or without
//! an expected identity. Order of reading: rules, patrol state, lease, shared, patrol, server, trip.

pub mod expectation;
pub mod lease;
pub mod patrol;
pub mod patrol_state;
pub mod reading;
pub mod record;
pub mod rules;
pub mod server;
pub mod shared;
pub mod spawn;
