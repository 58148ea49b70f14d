//! What one check says: pass, warn, fail or unknown, each with what was seen and what to do.
//!
//! Pure. A check never says "skipped": only the runner does, and it names what was in the way.

use serde_json::{Map, Value};

/// Most lines of `seen` that one finding carries; the rest is counted.
pub const SEEN_LINES_MAX: usize = 20;

/// The words of an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// One line: what holds, or what does not.
    pub message: String,
    /// What was seen, line by line (paths, values, carets); at most [`SEEN_LINES_MAX`] entries.
    pub seen: Vec<String>,
    /// Facts for programs, by name.
    pub evidence: Map<String, Value>,
    /// What to do, as something that can be pasted where possible.
    pub help: Option<String>,
}

impl Finding {
    /// A finding with its one line.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            seen: Vec::new(),
            evidence: Map::new(),
            help: None,
        }
    }

    /// Adds what was seen; entries past [`SEEN_LINES_MAX`] become one "and N more".
    pub fn seen<T: Into<String>>(mut self, lines: impl IntoIterator<Item = T>) -> Self {
        let mut more = 0_usize;
        for line in lines {
            if self.seen.len() < SEEN_LINES_MAX {
                self.seen.push(line.into());
            } else {
                more += 1;
            }
        }
        if more > 0 {
            self.seen.push(format!("and {more} more"));
        }
        self
    }

    /// Adds one fact for programs.
    pub fn evidence(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.evidence.insert(name.to_owned(), value.into());
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The claim holds.
    pub fn pass(self) -> Outcome {
        Outcome::Pass(self)
    }

    /// The claim holds, with something to look at.
    pub fn warn(self) -> Outcome {
        Outcome::Warn(self)
    }

    /// The claim does not hold.
    pub fn fail(self) -> Outcome {
        Outcome::Fail(self)
    }

    /// It cannot be seen whether the claim holds. Never a pass.
    pub fn unknown(self) -> Outcome {
        Outcome::Unknown(self)
    }
}

/// What one check says.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The claim holds.
    Pass(Finding),
    /// The claim holds, with something to look at.
    Warn(Finding),
    /// The claim does not hold.
    Fail(Finding),
    /// It cannot be seen whether the claim holds.
    Unknown(Finding),
}

impl Outcome {
    /// The words.
    pub const fn finding(&self) -> &Finding {
        match self {
            Self::Pass(finding)
            | Self::Warn(finding)
            | Self::Fail(finding)
            | Self::Unknown(finding) => finding,
        }
    }
}
