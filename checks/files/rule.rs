//! A rule between keys that a schema cannot say, and the place that breaks it.

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// JSON pointer of the key that breaks the rule.
    pub pointer: String,
    /// What that key says.
    pub seen: String,
    /// What it may say.
    pub wanted: String,
    /// What to do.
    pub help: String,
}
