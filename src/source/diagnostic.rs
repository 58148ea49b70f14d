//! One problem in one file: where, what was seen, what was wanted, what to do.
//!
//! Pure data. The caret drawing is [`super::render`]'s; what a problem means is the caller's.

use super::shown;
use crate::exit::Exit;
use serde::Serialize;
use std::ops::Range;
use std::sync::Arc;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used; a person should look.
    Warning,
    /// `launch` contradicts itself: not the file's fault.
    Bug,
}

/// What kind of problem it is; stable, for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The file does not exist where it was named.
    Missing,
    /// A directory, a special file, or the system refuses to read it.
    Unreadable,
    /// Larger than the bound.
    TooLarge,
    /// Not UTF-8.
    NotUtf8,
    /// Nothing in it.
    Empty,
    /// Neither valid TOML nor valid JSON, or a name that says neither.
    Syntax,
    /// A key stands twice in one table.
    DuplicateKey,
    /// A key that nothing consumes.
    UnknownKey,
    /// A required key is absent.
    MissingKey,
    /// A value of another type.
    WrongType,
    /// A value that is none of the allowed ones.
    NotAllowed,
    /// A number or length outside its bounds.
    OutOfRange,
    /// A text of another form.
    WrongForm,
    /// An item stands twice in a list.
    DuplicateItem,
    /// A rule between several keys or files.
    Rule,
    /// The list of problems was cut.
    More,
    /// A bug of `launch`.
    Bug,
}

impl Code {
    /// The stable spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too-large",
            Self::NotUtf8 => "not-utf8",
            Self::Empty => "empty",
            Self::Syntax => "syntax",
            Self::DuplicateKey => "duplicate-key",
            Self::UnknownKey => "unknown-key",
            Self::MissingKey => "missing-key",
            Self::WrongType => "wrong-type",
            Self::NotAllowed => "not-allowed",
            Self::OutOfRange => "out-of-range",
            Self::WrongForm => "wrong-form",
            Self::DuplicateItem => "duplicate-item",
            Self::Rule => "rule",
            Self::More => "more",
            Self::Bug => "bug",
        }
    }
}

/// A stretch of a file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// First line.
    pub line: usize,
    /// First column.
    pub column: usize,
    /// Line of the end.
    pub end_line: usize,
    /// Column just after the end.
    pub end_column: usize,
    /// Byte range.
    pub span: Range<usize>,
    /// The file's text with secrets masked, for the caret; same byte positions as the file.
    #[serde(skip)]
    pub(super) excerpt: Option<Arc<str>>,
}

impl Place {
    /// The place of a byte range in `text`; a range outside the text is cut to it.
    pub fn of(text: &str, span: Range<usize>) -> Self {
        let start = floor_char(text, span.start);
        let end = floor_char(text, span.end).max(start);
        let (line, column) = line_and_column(text, start);
        let (end_line, end_column) = line_and_column(text, end);
        Self {
            line,
            column,
            end_line,
            end_column,
            span: start..end,
            excerpt: None,
        }
    }
}

/// The nearest character boundary at or before `at`.
fn floor_char(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// One problem in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub code: Code,
    /// The file as the caller named it.
    pub file: Box<str>,
    /// Where in the file, if the problem has a place.
    #[serde(flatten)]
    pub place: Option<Box<Place>>,
    /// JSON pointer of the key or item.
    pub pointer: Option<Box<str>>,
    /// One line that says what is wrong.
    pub message: Box<str>,
    /// The value seen, as it is written in the file; secrets masked.
    pub seen: Option<Box<str>>,
    /// What was wanted.
    pub wanted: Option<Box<str>>,
    /// What to do.
    pub help: Option<Box<str>>,
}

impl Diagnostic {
    /// An error about a whole file.
    pub fn error(code: Code, file: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            file: file.into(),
            place: None,
            pointer: None,
            message: message.into().into_boxed_str(),
            seen: None,
            wanted: None,
            help: None,
        }
    }

    /// A contradiction inside `launch`, found while it looked at `file`.
    pub fn bug(file: &str, message: impl Into<String>) -> Self {
        let mut bug = Self::error(Code::Bug, file, message);
        bug.severity = Severity::Bug;
        bug.help = Some("this is a bug in launch, not in the file; please report it".into());
        bug
    }

    /// The same as a warning.
    pub fn as_warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// With a place in `text`.
    pub fn at(self, text: &str, span: Range<usize>) -> Self {
        self.at_shown(text, span, Arc::from(shown::masked(text)))
    }

    /// With a place in `text`, whose masked copy exists already.
    pub(super) fn at_shown(mut self, text: &str, span: Range<usize>, shown: Arc<str>) -> Self {
        let mut place = Place::of(text, span);
        place.excerpt = Some(shown);
        self.place = Some(Box::new(place));
        self
    }

    /// With the value that was seen.
    pub fn seen(mut self, seen: impl AsRef<str>) -> Self {
        self.seen = Some(shown::one_line(seen.as_ref()).into_boxed_str());
        self
    }

    /// With what was wanted.
    pub fn wanted(mut self, wanted: impl Into<String>) -> Self {
        self.wanted = Some(wanted.into().into_boxed_str());
        self
    }

    /// With what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into_boxed_str());
        self
    }

    /// With the JSON pointer of the key or item.
    pub fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into().into_boxed_str());
        self
    }

    /// `file:line:column`, or the file alone.
    pub fn location(&self) -> String {
        match &self.place {
            Some(place) => format!("{}:{}:{}", self.file, place.line, place.column),
            None => self.file.to_string(),
        }
    }

    /// Where it is, with its one line, for annotations.
    pub fn place(&self) -> launch_checks::Place {
        let place = self.place.as_deref();
        let mut message = self.message.to_string();
        for (name, fact) in [("seen", &self.seen), ("wanted", &self.wanted)] {
            if let Some(fact) = fact {
                for part in ["; ", name, " ", fact] {
                    message.push_str(part);
                }
            }
        }
        launch_checks::Place {
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            end_line: place.map(|place| place.end_line),
            end_column: place.map(|place| place.end_column),
            ..launch_checks::Place::file(&*self.file, message)
        }
    }

    /// Everything in one line: `file:line:column: message: seen …, wanted …; help`.
    pub fn one_line(&self) -> String {
        let mut line = format!("{}: {}", self.location(), self.message);
        let facts: Vec<String> = [("seen", &self.seen), ("wanted", &self.wanted)]
            .into_iter()
            .filter_map(|(name, fact)| fact.as_ref().map(|fact| format!("{name} {fact}")))
            .collect();
        if !facts.is_empty() {
            line.push_str(": ");
            line.push_str(&facts.join(", "));
        }
        if let Some(help) = &self.help {
            line.push_str("; ");
            line.push_str(help);
        }
        line
    }
}

/// The exit that a list of problems in a manifest or strategy means: a bug of ours before the
/// file's fault (1). A caller whose contract says otherwise (`launch.toml` is 2) maps the 1.
pub fn exit_of(diagnostics: &[Diagnostic]) -> Exit {
    let worst = |severity| diagnostics.iter().any(|d| d.severity == severity);
    if worst(Severity::Bug) {
        Exit::Bug
    } else if worst(Severity::Error) {
        Exit::CheckFailed
    } else {
        Exit::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_survive_crlf() {
        let text = "a = 1\r\nname = \"äb\"\r\nx";
        let place = Place::of(text, text.find('b').unwrap()..text.len());
        assert_eq!((place.line, place.column), (2, 10));
        assert_eq!((place.end_line, place.end_column), (3, 2));
        let outside = Place::of(text, 900..901);
        assert_eq!(outside.span, text.len()..text.len());
    }

    #[test]
    fn a_bug_outranks_a_wrong_file() {
        let wrong = Diagnostic::error(Code::Empty, "m.toml", "is empty");
        let warned = wrong.clone().as_warning();
        assert_eq!(exit_of(std::slice::from_ref(&warned)), Exit::Ok);
        assert_eq!(exit_of(&[warned, wrong.clone()]), Exit::CheckFailed);
        assert_eq!(exit_of(&[wrong, Diagnostic::bug("m.toml", "x")]), Exit::Bug);
    }
}
