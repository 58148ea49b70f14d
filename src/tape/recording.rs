//! What a folder of recorded market data becomes: events in order of arrival, with a list of what was
//! read into them that nobody recorded.
//!
//! Must not invent anything that was not asked for by name, and must not hide anything that was.

use super::table::Table;
use super::{TapeImportError, book_1s, candles, header, ladder, oracle_1s, outcomes, tob_1s};
use std::path::Path;
use trader_core::event::Event;
use trader_core::tape::Header;
use trader_core::units::{Asset, EpochMs, TokenPrice};
use trader_core::window::WindowId;

/// Forms of recordings that can be read, each known by its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// `ticks` and `windows`: one oracle tick a second, official windows, no books.
    #[value(name = "oracle-1s")]
    OracleOneSecond,
    /// `book_1s` and `windows`: the book of one outcome token a second.
    #[value(name = "book-1s")]
    BookOneSecond,
    /// `tob_1s` and `windows`: best bid and ask of both tokens a second, local times.
    #[value(name = "tob-1s")]
    TopOfBook,
    /// `samples`: a few looks at book and UI price before each close.
    #[value(name = "ladder")]
    Ladder,
    /// `windows` with `btc_open` and `btc_close`: UI price at both ends, and the outcome.
    #[value(name = "outcomes")]
    Outcomes,
    /// One table of one-minute candles.
    #[value(name = "candles")]
    Candles,
}

/// What may be made where it was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Missing {
    /// Books: the model's price on the oracle price of some seconds ago.
    Book,
    /// Oracle prices: another recorded price stands in for them.
    Oracle,
    /// Outcomes: from the last price that was seen.
    Outcome,
}

/// What a recording's windows are settled on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Settle {
    /// The rule of their time, with the recorded outcomes.
    #[default]
    Recorded,
    /// The rule of today: reference and outcome computed again as averages over so many seconds.
    Twap(u32),
}

/// How a recording is read.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// What is made where it is missing.
    pub make: Vec<Missing>,
    /// What windows settle on.
    pub settle: Settle,
}

impl Reading {
    /// Whether something missing is made.
    pub(super) fn makes(&self, missing: Missing) -> bool {
        self.make.contains(&missing)
    }
}

/// A market price of an Up token at one instant, recorded without its book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MidMark {
    /// The window.
    pub window: WindowId,
    /// When.
    pub at: EpochMs,
    /// Mid of the Up token.
    pub mid: TokenPrice,
}

/// A recording as events.
#[derive(Debug)]
pub struct Recording {
    /// The folder's name.
    pub name: String,
    /// Assets in it.
    pub assets: Vec<Asset>,
    /// In order of arrival.
    pub events: Vec<Event>,
    /// Market prices beside the events.
    pub mids: Vec<MidMark>,
    /// What was made or assumed, one sentence each.
    pub made: Vec<String>,
    /// What it lacks and was not asked to be made.
    pub lacks: Vec<&'static str>,
    /// What its windows settle on, in words.
    pub settlement: String,
    /// Whether books are what a market showed.
    pub books_recorded: bool,
}

impl Recording {
    /// A header for a tape of it; says which part was not recorded.
    pub fn header(&self) -> Header {
        header(self.source(), self.assets.clone())
    }

    /// Where the events came from.
    pub fn source(&self) -> String {
        let mut source = format!("recording:{}; {}", self.name, self.settlement);
        for made in &self.made {
            source.push_str("; ");
            source.push_str(made);
        }
        source
    }

    /// Sorted by arrival; ties keep the order in which they were added.
    pub(super) fn sorted(mut self) -> Self {
        self.events.sort_by_key(|event| event.t);
        self
    }
}

/// The form of a folder, by the files in it.
pub fn form_of(folder: &Path) -> Option<Form> {
    let has = |stem: &str| Table::path(folder, stem).is_some();
    if has("ticks") && has("windows") {
        Some(Form::OracleOneSecond)
    } else if has("book_1s") {
        Some(Form::BookOneSecond)
    } else if has("tob_1s") {
        Some(Form::TopOfBook)
    } else if has("samples") {
        Some(Form::Ladder)
    } else if has("windows") {
        Some(Form::Outcomes)
    } else if candles::table_in(folder).is_some() {
        Some(Form::Candles)
    } else {
        None
    }
}

/// Reads a folder; its form is found by its files.
pub(crate) fn read(folder: &Path, reading: &Reading) -> Result<Recording, TapeImportError> {
    let form = form_of(folder).ok_or_else(|| TapeImportError::Bound {
        path: folder.display().to_string(),
        problem: "no recording: wanted ticks + windows, book_1s, tob_1s, samples, windows or a \
                  *_1m_* table, each .csv or .csv.gz"
            .to_owned(),
    })?;
    read_as(form, folder, reading)
}

/// Reads a folder of a named form.
pub(crate) fn read_as(
    form: Form,
    folder: &Path,
    reading: &Reading,
) -> Result<Recording, TapeImportError> {
    match form {
        Form::OracleOneSecond => oracle_1s::read(folder, reading),
        Form::BookOneSecond => book_1s::read(folder, reading),
        Form::TopOfBook => tob_1s::read(folder, reading),
        Form::Ladder => ladder::read(folder, reading),
        Form::Outcomes => outcomes::read(folder, reading),
        Form::Candles => candles::read(folder, reading),
    }
}

/// The folder's own name.
pub(super) fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(
        || "recording".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// Refuses a settlement that needs oracle prices where there are none.
pub(super) fn only_recorded(folder: &Path, reading: &Reading) -> Result<(), TapeImportError> {
    match reading.settle {
        Settle::Recorded => Ok(()),
        Settle::Twap(_) => Err(TapeImportError::Bound {
            path: folder.display().to_string(),
            problem: "cannot be settled on an average: it has no oracle prices".to_owned(),
        }),
    }
}

/// Refuses to make what cannot be made from this recording.
pub(super) fn refuse_made(
    folder: &Path,
    reading: &Reading,
    possible: &[Missing],
) -> Result<(), TapeImportError> {
    match reading.make.iter().find(|made| !possible.contains(made)) {
        None => Ok(()),
        Some(made) => Err(TapeImportError::Bound {
            path: folder.display().to_string(),
            problem: format!(
                "cannot synthesise {}: it is recorded, or nothing in this recording could stand in",
                format!("{made:?}").to_lowercase()
            ),
        }),
    }
}
