//! The files of policy and people that a project commits beside its manifests: their types and the rules
//! between their keys.
//!
//! Pure data. Reading, places and carets are `launch`'s; the committed `schemas/` are generated from these
//! types. Must not know the clock: whether something has expired is a check's question.

pub mod approved_limits;
pub mod check_set;
pub mod waivers;

mod rule;

pub use rule::RuleFault;

/// Longest name of a person or reason, characters.
pub const TEXT_MAX_CHARS: usize = 400;
