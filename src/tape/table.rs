//! A comma-separated table with a header line, plain or gzipped, each cell with its place.
//!
//! No quoting: the recordings have none, and a quote is refused rather than guessed at.

use super::TapeImportError;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Largest table that is read, bytes after decompression.
const TABLE_MAX_BYTES: u64 = 512 * 1024 * 1024;

/// Longest row that is read, bytes: rows are cells of prices and ids.
const ROW_MAX_BYTES: usize = 65_536;

/// A table in memory.
#[derive(Debug)]
pub(super) struct Table {
    path: String,
    text: String,
}

/// One row with its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    line: usize,
    text: &'a str,
}

impl Table {
    /// Reads `<folder>/<stem>.csv`, or `<stem>.csv.gz` where that is what there is.
    pub(super) fn read(folder: &Path, stem: &str) -> Result<Self, TapeImportError> {
        let path = Self::path(folder, stem).unwrap_or_else(|| folder.join(format!("{stem}.csv")));
        Self::read_file(&path)
    }

    /// Where `<stem>.csv` or `<stem>.csv.gz` is, if either is there.
    pub(super) fn path(folder: &Path, stem: &str) -> Option<PathBuf> {
        ["csv", "csv.gz"]
            .into_iter()
            .map(|ending| folder.join(format!("{stem}.{ending}")))
            .find(|path| path.is_file())
    }

    /// Reads one file, gzipped if its name says so.
    pub(super) fn read_file(path: &Path) -> Result<Self, TapeImportError> {
        let shown = path.display().to_string();
        let failed = |source| TapeImportError::File {
            doing: "read",
            path: shown.clone(),
            source,
        };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut text = String::new();
        let bytes = if path.extension().is_some_and(|ext| ext == "gz") {
            flate2::read::MultiGzDecoder::new(file)
                .take(TABLE_MAX_BYTES)
                .read_to_string(&mut text)
        } else {
            file.take(TABLE_MAX_BYTES).read_to_string(&mut text)
        }
        .map_err(failed)?;
        if u64::try_from(bytes).unwrap_or(u64::MAX) >= TABLE_MAX_BYTES {
            let problem = format!("longer than {TABLE_MAX_BYTES} bytes");
            return Err(TapeImportError::Bound {
                path: shown,
                problem,
            });
        }
        if let Some(line) = text.lines().position(|line| line.len() > ROW_MAX_BYTES) {
            return Err(TapeImportError::Bound {
                path: format!("{shown}:{}", line + 1),
                problem: format!("longer than {ROW_MAX_BYTES} bytes, which no row is"),
            });
        }
        Ok(Self { path: shown, text })
    }

    /// Where a column stands.
    pub(super) fn column(&self, name: &'static str) -> Result<usize, TapeImportError> {
        // A byte order mark is no part of the first column's name.
        let header = self.text.lines().next().unwrap_or_default();
        let header = header.trim_start_matches('\u{feff}');
        header
            .split(',')
            .position(|column| column == name)
            .ok_or_else(|| TapeImportError::Column {
                path: self.path.clone(),
                column: name,
                header: header.chars().take(200).collect(),
            })
    }

    /// The rows below the header; blank lines are none.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let lines = self.text.lines().enumerate().skip(1);
        lines
            .filter(|(_, text)| !text.is_empty())
            .map(|(at, text)| Row {
                table: self,
                line: at + 1,
                text,
            })
    }
}

impl<'a> Row<'a> {
    /// A cell's text.
    pub(super) fn text(
        self,
        column: usize,
        name: &'static str,
    ) -> Result<&'a str, TapeImportError> {
        if self.text.contains('"') {
            return Err(self.wrong(name, "quoted cells are not part of this recording"));
        }
        self.text
            .split(',')
            .nth(column)
            .ok_or_else(|| self.wrong(name, "the row is too short"))
    }

    /// A cell's value.
    pub(super) fn value<T>(self, column: usize, name: &'static str) -> Result<T, TapeImportError>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let text = self.text(column, name)?;
        text.parse()
            .map_err(|error| self.wrong(name, &format!("{text:?}: {error}")))
    }

    /// What is wrong with a cell of this row.
    pub(super) fn wrong(self, column: &'static str, problem: &str) -> TapeImportError {
        TapeImportError::Cell {
            path: self.table.path.clone(),
            line: self.line,
            column,
            problem: problem.to_owned(),
        }
    }
}
