//! What one check says: pass, warn, fail or unknown, each with what was seen and what to do.
//!
//! Pure. A check never says "skipped": only the runner does, and it names what was in the way.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most lines of `seen` that one finding carries; the rest is counted.
pub const SEEN_LINES_MAX: usize = 20;

/// Most places that one finding carries.
pub const PLACES_MAX: usize = SEEN_LINES_MAX;

/// Where in a file something is wrong. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, from the top of the repository.
    pub file: String,
    /// First line; `None` when the whole file is meant.
    pub line: Option<usize>,
    /// First column.
    pub column: Option<usize>,
    /// Line of the end.
    pub end_line: Option<usize>,
    /// Column just after the end.
    pub end_column: Option<usize>,
    /// One line about this place.
    pub message: String,
}

impl Place {
    /// A whole file.
    pub fn file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            end_line: None,
            end_column: None,
            message: message.into(),
        }
    }
}

/// One mistake in a document: the text for people, and its place where it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Rendered: place, caret, value seen, value wanted.
    pub text: String,
    /// The same for programs.
    pub place: Option<Place>,
}

impl From<&str> for Mistake {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            place: None,
        }
    }
}

/// The words of an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// One line: what holds, or what does not.
    pub message: String,
    /// What was seen, line by line (paths, values, carets); at most [`SEEN_LINES_MAX`] entries.
    pub seen: Vec<String>,
    /// Where, for editors and annotations; at most [`PLACES_MAX`].
    pub places: Vec<Place>,
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
            places: Vec::new(),
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

    /// Adds mistakes of a document, each as what was seen and with its place.
    pub fn mistakes(self, mistakes: &[Mistake]) -> Self {
        let places = mistakes.iter().filter_map(|mistake| mistake.place.clone());
        self.at(places)
            .seen(mistakes.iter().map(|mistake| mistake.text.as_str()))
    }

    /// Says where; places past [`PLACES_MAX`] are left to what was seen.
    pub fn at(mut self, places: impl IntoIterator<Item = Place>) -> Self {
        let room = PLACES_MAX.saturating_sub(self.places.len());
        self.places.extend(places.into_iter().take(room));
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
