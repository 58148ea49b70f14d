//! Why a ledger cannot be used: one sentence each, with the file and what to do.

use super::LEDGER_SCHEMA_VERSION;
use std::path::PathBuf;

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or its folder cannot be opened, or SQLite reports an error.
    #[error("cannot use the ledger {path}: {source}")]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// SQLite's word.
        source: rusqlite::Error,
    },
    /// A file operation beside the database failed.
    #[error("cannot use the ledger {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The file is a database of another program.
    #[error(
        "{path} is a database of another program (application id {seen:#x}); give the ledger its own file"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        seen: i64,
    },
    /// The tables are newer than this program.
    #[error(
        "the ledger {path} has version {seen}, this program reads up to {LEDGER_SCHEMA_VERSION}; run the newer program"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        seen: i64,
    },
    /// The content contradicts itself.
    #[error(
        "the ledger {path} is damaged at record {seq}: {problem}; restore the file, or move it aside only when every position is settled"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first record that is wrong.
        seq: i64,
        /// What is wrong.
        problem: String,
    },
    /// Another writer took over.
    #[error("this writer is fenced off: it holds number {held}, the ledger is at {current}")]
    Fenced {
        /// Our number.
        held: i64,
        /// The ledger's number.
        current: i64,
    },
    /// A record that cannot be stored.
    #[error("record {seq} cannot be stored: {problem}")]
    Record {
        /// Its number.
        seq: u64,
        /// Why not.
        problem: String,
    },
}
