//! The tape: events as JSON lines, so that what one run saw another run can see again.
//!
//! Line 1 is the [`Header`]; every further line is one event with `t_ms` (arrival, never decreasing,
//! ties in file order), `src_ms`, `kind`, `asset` and the kind's own fields. Strict: an unknown kind,
//! field or asset, or a time that runs backwards, is an error with its line. Reads no files.

mod line;
mod quote;
mod write;

pub use write::{event_line, header_line};

use crate::event::{Event, EventKind};
use crate::units::{Asset, EpochMs, UnitError};
use serde::{Deserialize, Serialize};

/// The only tape version there is.
pub const TAPE_VERSION: u32 = 1;

/// Longest line that is read, bytes; a longer one is no event of ours.
pub const TAPE_LINE_MAX_BYTES: usize = 65_536;

/// The kinds of lines, as spelled in `kind`.
pub const KINDS: [&str; 10] = [
    "oracle", "spot", "book", "trade", "window", "order", "fill", "lease", "clock", "control",
];

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version: 1.
    pub tape: u32,
    /// Where the events came from (`generator:7`, `venue`, a data set's name).
    pub source: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// The assets whose events may follow.
    pub assets: Vec<Asset>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TapeError {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: TapeProblem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TapeProblem {
    /// There is no first line.
    #[error(
        "the tape is empty; the first line must be {{\"tape\":1,\"source\":…,\"created_at\":…,\"assets\":[…]}}"
    )]
    Empty,
    /// The first line is no header.
    #[error(
        "not a tape header ({0}); the first line must be {{\"tape\":1,\"source\":…,\"created_at\":…,\"assets\":[…]}}"
    )]
    Header(String),
    /// Another version.
    #[error("tape version {0}; this program reads version {TAPE_VERSION}")]
    Version(u32),
    /// Not text.
    #[error("not UTF-8: seen the byte 0x{seen:02x} at byte {at}")]
    NotUtf8 {
        /// The first byte that is none.
        seen: u8,
        /// Where it stands in the line, from 1.
        at: usize,
    },
    /// Longer than any event.
    #[error("{0} bytes long; an event is never longer than {TAPE_LINE_MAX_BYTES}")]
    TooLong(usize),
    /// Not a JSON object of known fields.
    #[error("{0}")]
    Json(String),
    /// A kind that does not exist.
    #[error("unknown kind {seen:?}; known: {}", KINDS.join(", "))]
    UnknownKind {
        /// As written.
        seen: String,
    },
    /// An asset that the header does not announce.
    #[error("asset {seen} is not in the header's list")]
    UnknownAsset {
        /// The asset.
        seen: Asset,
    },
    /// A required field is absent.
    #[error("{kind} needs {field:?}")]
    Missing {
        /// The line's kind.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A field of another kind.
    #[error("{kind} has no field {field:?}")]
    Foreign {
        /// The line's kind.
        kind: &'static str,
        /// The field.
        field: &'static str,
    },
    /// A value that is not what the field holds.
    #[error("{field}: {error}")]
    Value {
        /// The field.
        field: &'static str,
        /// What was seen and wanted.
        error: UnitError,
    },
    /// Time ran backwards.
    #[error("t_ms {t} comes after {last}; times never decrease")]
    Backwards {
        /// This line's time.
        t: EpochMs,
        /// The time before it.
        last: EpochMs,
    },
}

/// Reads a tape line by line; remembers only the line's number and the last time.
#[derive(Debug, Clone)]
pub struct TapeParser {
    header: Header,
    line: u64,
    last: EpochMs,
}

impl TapeParser {
    /// Reads the first line.
    ///
    /// # Errors
    /// A [`TapeError`] at line 1.
    pub fn new(first_line: &str) -> Result<Self, TapeError> {
        let fail = |problem| TapeError { line: 1, problem };
        // Some editors put a byte order mark before the first line.
        let first_line = first_line.strip_prefix('\u{feff}').unwrap_or(first_line);
        let text = trimmed(first_line).map_err(fail)?;
        if text.is_empty() {
            return Err(fail(TapeProblem::Empty));
        }
        object(text).map_err(|seen| fail(TapeProblem::Header(seen)))?;
        let header: Header = serde_json::from_str(text)
            .map_err(|error| fail(TapeProblem::Header(line::json_words(&error))))?;
        if header.tape != TAPE_VERSION {
            return Err(fail(TapeProblem::Version(header.tape)));
        }
        Ok(Self {
            header,
            line: 1,
            last: EpochMs(i64::MIN),
        })
    }

    /// The first line.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the line that was read last.
    pub const fn line_number(&self) -> u64 {
        self.line
    }

    /// Reads the next line; `None` for a blank one.
    ///
    /// # Errors
    /// A [`TapeError`] with the line's number.
    pub fn line(&mut self, text: &str) -> Result<Option<Event>, TapeError> {
        self.line = self.line.saturating_add(1);
        self.read(text).map_err(|problem| TapeError {
            line: self.line,
            problem,
        })
    }

    fn read(&mut self, text: &str) -> Result<Option<Event>, TapeProblem> {
        let text = trimmed(text)?;
        if text.is_empty() {
            return Ok(None);
        }
        object(text).map_err(TapeProblem::Json)?;
        let event = line::parse(text)?;
        if event.t < self.last {
            return Err(TapeProblem::Backwards {
                t: event.t,
                last: self.last,
            });
        }
        match asset_of(&event.kind) {
            Some(asset) if !self.header.assets.contains(&asset) => {
                Err(TapeProblem::UnknownAsset { seen: asset })
            }
            _ => {
                self.last = event.t;
                Ok(Some(event))
            }
        }
    }
}

/// The text of a line's bytes; `line` is its number.
///
/// # Errors
/// Not UTF-8, with the line's number and the byte.
pub fn line_text(bytes: &[u8], line: u64) -> Result<&str, TapeError> {
    std::str::from_utf8(bytes).map_err(|error| TapeError {
        line,
        problem: TapeProblem::NotUtf8 {
            seen: bytes.get(error.valid_up_to()).copied().unwrap_or_default(),
            at: error.valid_up_to() + 1,
        },
    })
}

/// A list would be read as the fields in their order.
fn object(text: &str) -> Result<(), String> {
    if text.starts_with('[') {
        return Err("a list, where an object belongs".to_owned());
    }
    Ok(())
}

fn trimmed(text: &str) -> Result<&str, TapeProblem> {
    if text.len() > TAPE_LINE_MAX_BYTES {
        return Err(TapeProblem::TooLong(text.len()));
    }
    Ok(text.trim_matches(['\r', '\n', ' ', '\t']))
}

fn asset_of(kind: &EventKind) -> Option<Asset> {
    match kind {
        EventKind::Oracle(tick) | EventKind::Spot(tick) => Some(tick.asset),
        EventKind::Book(tick) => Some(tick.asset),
        EventKind::Trade(tick) => Some(tick.asset),
        EventKind::Window(tick) => Some(tick.window.id.asset()),
        EventKind::Order(report) => Some(report.id.window.asset()),
        EventKind::Fill(report) => Some(report.id.window.asset()),
        EventKind::Lease(_) | EventKind::Clock(_) | EventKind::Control(_) => None,
    }
}

/// Events of a tape held as lines. Stops after the first error.
#[derive(Debug)]
pub struct TapeReader<I> {
    parser: TapeParser,
    lines: I,
    failed: bool,
}

impl<S: AsRef<str>, I: Iterator<Item = S>> TapeReader<I> {
    /// Reads the first line.
    ///
    /// # Errors
    /// A [`TapeError`] at line 1.
    pub fn new(lines: impl IntoIterator<Item = S, IntoIter = I>) -> Result<Self, TapeError> {
        let mut lines = lines.into_iter();
        let first = lines.next().ok_or(TapeError {
            line: 1,
            problem: TapeProblem::Empty,
        })?;
        Ok(Self {
            parser: TapeParser::new(first.as_ref())?,
            lines,
            failed: false,
        })
    }

    /// The first line.
    pub const fn header(&self) -> &Header {
        self.parser.header()
    }
}

impl<S: AsRef<str>, I: Iterator<Item = S>> Iterator for TapeReader<I> {
    type Item = Result<Event, TapeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let line = self.lines.next()?;
            match self.parser.line(line.as_ref()) {
                Ok(None) => {}
                Ok(Some(event)) => return Some(Ok(event)),
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
