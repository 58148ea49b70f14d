//! Pure preflight checks: facts in, outcome out.

pub mod targets;
