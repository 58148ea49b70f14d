//! Journal and tape of a run as files: what the trader saw and why it decided.
//!
//! Bounded: a file is closed at [`FILE_MAX_BYTES`] and only the newest [`FILES_MAX`] of a kind are
//! kept. Losing a line loses no money (the ledger is elsewhere), so a write error is told once and
//! recording ends; it never stops an exit. The digest covers every journal line, kept or not.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use trader_core::event::Event;
use trader_core::journal::JournalDigest;
use trader_core::tape::{Header, event_line, header_line};

/// A recording is closed and the next one begun at this size, bytes.
pub const FILE_MAX_BYTES: u64 = 64 * 1024 * 1024;

/// So many recordings of a kind are kept; the oldest goes first.
pub const FILES_MAX: usize = 8;

/// A recording that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the recording {path}: {source}")]
pub struct RecordError {
    path: PathBuf,
    source: std::io::Error,
}

/// Journal and tape of one run.
#[derive(Debug)]
pub struct Recorder {
    journal: Sink,
    tape: Sink,
    digest: JournalDigest,
    failed: bool,
}

impl Recorder {
    /// Keeps nothing but the digest.
    pub fn digest_only() -> Self {
        Self {
            journal: Sink::Nowhere,
            tape: Sink::Nowhere,
            digest: JournalDigest::default(),
            failed: false,
        }
    }

    /// Writes the tape to one file of any size (a dry run, whose length is bounded by its windows).
    pub fn tape_to(path: &Path, header: &Header) -> Result<Self, RecordError> {
        let mut tape = Rolling::create(path.to_owned(), None, header_text(header))?;
        tape.limit = u64::MAX;
        Ok(Self {
            tape: Sink::Rolling(Box::new(tape)),
            ..Self::digest_only()
        })
    }

    /// Writes `journal/` and `tape/` in `folder`, in files named after `run`.
    pub fn beside(folder: &Path, run: &str, header: &Header) -> Result<Self, RecordError> {
        let journal = Rolling::in_folder(folder.join("journal"), run, String::new())?;
        let tape = Rolling::in_folder(folder.join("tape"), run, header_text(header))?;
        Ok(Self {
            journal: Sink::Rolling(Box::new(journal)),
            tape: Sink::Rolling(Box::new(tape)),
            ..Self::digest_only()
        })
    }

    /// Records an event that the engine is about to see.
    ///
    /// # Errors
    /// The first write error; from then on nothing is written.
    pub fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        if self.failed || matches!(self.tape, Sink::Nowhere) {
            return Ok(());
        }
        let line = event_line(event).unwrap_or_default();
        let result = self.tape.line(&line);
        self.failed |= result.is_err();
        result
    }

    /// Records a line of the journal.
    ///
    /// # Errors
    /// The first write error; the digest goes on.
    pub fn journal(&mut self, line: &str) -> Result<(), RecordError> {
        self.digest.line(line);
        if self.failed {
            return Ok(());
        }
        let result = self.journal.line(line);
        self.failed |= result.is_err();
        result
    }

    /// Brings everything written so far to the system.
    ///
    /// # Errors
    /// A write error.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        self.journal.flush()?;
        self.tape.flush()
    }

    /// Brings everything to the system and says whether every line got there.
    ///
    /// # Errors
    /// A write error, now or earlier.
    pub fn close(&mut self) -> Result<(), RecordError> {
        if self.failed {
            let source = std::io::Error::other("an earlier line could not be written");
            return Err(RecordError {
                path: PathBuf::from("recording"),
                source,
            });
        }
        self.flush()
    }

    /// `sha256:…` of the journal's lines so far, each with its line end.
    pub fn journal_digest(&self) -> String {
        self.digest.text()
    }
}

fn header_text(header: &Header) -> String {
    header_line(header).unwrap_or_default()
}

#[derive(Debug)]
enum Sink {
    Nowhere,
    Rolling(Box<Rolling>),
}

impl Sink {
    fn line(&mut self, line: &str) -> Result<(), RecordError> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Rolling(files) => files.line(line),
        }
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        match self {
            Self::Nowhere => Ok(()),
            Self::Rolling(files) => files.flush(),
        }
    }
}

/// One file after the other, each starting with the same first line.
#[derive(Debug)]
struct Rolling {
    /// Folder and run name of the next file; `None` = this one file only.
    next: Option<(PathBuf, String)>,
    part: u32,
    path: PathBuf,
    file: BufWriter<File>,
    written: u64,
    limit: u64,
    first_line: String,
}

impl Rolling {
    fn in_folder(folder: PathBuf, run: &str, first_line: String) -> Result<Self, RecordError> {
        std::fs::create_dir_all(&folder).map_err(|source| RecordError {
            path: folder.clone(),
            source,
        })?;
        make_room(&folder);
        let path = part_path(&folder, run, 1);
        Self::create(path, Some((folder, run.to_owned())), first_line)
    }

    fn create(
        path: PathBuf,
        next: Option<(PathBuf, String)>,
        first_line: String,
    ) -> Result<Self, RecordError> {
        let file = File::create(&path).map_err(|source| RecordError {
            path: path.clone(),
            source,
        })?;
        let mut files = Self {
            next,
            part: 1,
            path,
            file: BufWriter::new(file),
            written: 0,
            limit: FILE_MAX_BYTES,
            first_line,
        };
        files.begin()?;
        Ok(files)
    }

    fn begin(&mut self) -> Result<(), RecordError> {
        let first = std::mem::take(&mut self.first_line);
        let result = if first.is_empty() {
            Ok(())
        } else {
            self.put(&first)
        };
        self.first_line = first;
        result
    }

    fn line(&mut self, line: &str) -> Result<(), RecordError> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.written.saturating_add(length) > self.limit {
            self.roll()?;
        }
        self.put(line)
    }

    fn roll(&mut self) -> Result<(), RecordError> {
        let Some((folder, run)) = self.next.clone() else {
            return Ok(());
        };
        self.flush()?;
        make_room(&folder);
        self.part = self.part.saturating_add(1);
        self.path = part_path(&folder, &run, self.part);
        let file = File::create(&self.path).map_err(|source| self.error(source))?;
        self.file = BufWriter::new(file);
        self.written = 0;
        self.begin()
    }

    fn put(&mut self, line: &str) -> Result<(), RecordError> {
        let result = self
            .file
            .write_all(line.as_bytes())
            .and_then(|()| self.file.write_all(b"\n"));
        result.map_err(|source| self.error(source))?;
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(length).saturating_add(1);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), RecordError> {
        self.file.flush().map_err(|source| self.error(source))
    }

    fn error(&self, source: std::io::Error) -> RecordError {
        RecordError {
            path: self.path.clone(),
            source,
        }
    }
}

/// Names sort by age: the run's name starts with its time, the part has a fixed width.
fn part_path(folder: &Path, run: &str, part: u32) -> PathBuf {
    folder.join(format!("{run}-{part:06}.jsonl"))
}

/// Removes the oldest recordings until one more fits. What cannot be removed stays.
fn make_room(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    let surplus = (files.len() + 1).saturating_sub(FILES_MAX);
    for old in files.into_iter().take(surplus) {
        drop(std::fs::remove_file(old));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trader_core::event::{ClockTick, EventKind};
    use trader_core::tape::TapeReader;
    use trader_core::units::{Asset, EpochMs};

    fn header() -> Header {
        Header {
            tape: 1,
            source: "generator:7".to_owned(),
            created_at: "2026-11-22T00:00:00Z".to_owned(),
            assets: vec![Asset::Btc],
        }
    }

    fn clock(t: i64) -> Event {
        Event {
            t: EpochMs(t),
            src: None,
            kind: EventKind::Clock(ClockTick { offset_ms: None }),
        }
    }

    #[test]
    fn a_recorded_tape_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tape.jsonl");
        let mut recorder = Recorder::tape_to(&path, &header()).unwrap();
        recorder.event(&clock(1)).unwrap();
        recorder.event(&clock(2)).unwrap();
        recorder.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let events: Vec<Event> = TapeReader::new(text.lines())
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(events, [clock(1), clock(2)]);
    }

    #[test]
    fn files_roll_and_only_the_newest_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut files =
            Rolling::in_folder(folder.path().join("tape"), "run", "first".to_owned()).unwrap();
        files.limit = 40;
        for n in 0..100 {
            files.line(&format!("line number {n:03}")).unwrap();
        }
        files.flush().unwrap();
        let kept: Vec<_> = std::fs::read_dir(folder.path().join("tape"))
            .unwrap()
            .collect();
        assert_eq!(kept.len(), FILES_MAX);
        let newest = std::fs::read_to_string(&files.path).unwrap();
        assert!(
            newest.starts_with("first\n") && newest.contains("line number 099"),
            "{newest}"
        );
    }

    #[test]
    fn the_digest_is_that_of_the_lines() {
        let mut recorder = Recorder::digest_only();
        recorder.journal("{\"a\":1}").unwrap();
        recorder.journal("{\"b\":2}").unwrap();
        assert_eq!(
            recorder.journal_digest(),
            trader_core::digest::sha256(b"{\"a\":1}\n{\"b\":2}\n")
        );
    }
}
