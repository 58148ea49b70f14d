//! The ledger on disk: an append-only, chained list of records in SQLite, one writer, fenced.
//!
//! A record is durable when [`LedgerStore::append`] returns (WAL, `synchronous=FULL`), so an intent is
//! on disk before its order is sent. Each row carries the checksum of everything before it, and the
//! head row says how long the list is: an edited, removed or cut-off row is found at open. Every write
//! checks the fencing number first, so a writer that lost its place cannot write any more. Must not
//! interpret records: their meaning is `trader_core::ledger`.

mod error;
mod schema;

pub use error::StoreError;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};
use schema::{configure, create_or_check, recognise};
use std::path::{Path, PathBuf};
use trader_core::digest::sha256;
use trader_core::ledger::Record;
use trader_core::units::EpochMs;

/// Version of the tables; a file with a newer one is refused.
pub const LEDGER_SCHEMA_VERSION: i64 = 1;

/// How long a statement waits for another connection's write, ms.
pub const BUSY_TIMEOUT_MS: u64 = 2_000;

/// Longest record that is stored, bytes; real ones are a few hundred.
pub const RECORD_MAX_BYTES: usize = 64 * 1024;

/// Checksum before the first row.
const CHAIN_START: &str = "sha256:0";

/// One record as a row: its number and time stand beside the JSON for people who look with `sqlite3`.
#[derive(Debug)]
struct Row {
    seq: i64,
    at: EpochMs,
    kind: String,
    body: String,
}

/// A halt that was asked of an instance that does not hold the writer lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaltNote {
    /// When.
    pub at: EpochMs,
    /// The halt request as JSON.
    pub body: String,
}

/// The ledger.
#[derive(Debug)]
pub struct LedgerStore {
    path: PathBuf,
    connection: Connection,
    /// Sequence and checksum of the newest row that this connection knows.
    head: (i64, String),
}

impl LedgerStore {
    /// Opens the ledger, creating it where there is none, and checks all of it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path).map_err(|e| sqlite(path, e))?;
        Self::prepare(path, connection)
    }

    /// Reads and checks every record of a ledger, and leaves the file as it is: for looking at a ledger
    /// that somebody else writes, or a copy of one.
    ///
    /// # Errors
    /// There is no such file, it is no ledger, or it is damaged.
    pub fn read(path: &Path) -> Result<Vec<Record>, StoreError> {
        let io = |source| StoreError::Io {
            path: path.to_owned(),
            source,
        };
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(io(std::io::Error::other("it is no regular file")));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|e| sqlite(path, e))?;
        connection
            .busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))
            .map_err(|e| sqlite(path, e))?;
        recognise(path, &connection).map_err(|e| sqlite(path, e))??;
        let mut store = Self {
            path: path.to_owned(),
            connection,
            head: (0, CHAIN_START.to_owned()),
        };
        store.replay()
    }

    /// A ledger that lives as long as this value: for dry runs, which must leave nothing behind.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|e| sqlite(path, e))?;
        Self::prepare(path, connection)
    }

    fn prepare(path: &Path, mut connection: Connection) -> Result<Self, StoreError> {
        let result = configure(&connection).and_then(|()| create_or_check(path, &mut connection));
        match result {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => return Err(refused),
            Err(error) => return Err(sqlite(path, error)),
        }
        let mut store = Self {
            path: path.to_owned(),
            connection,
            head: (0, CHAIN_START.to_owned()),
        };
        store.replay()?;
        Ok(store)
    }

    /// Reads and checks every record, oldest first.
    pub fn replay(&mut self) -> Result<Vec<Record>, StoreError> {
        let path = self.path.clone();
        let damaged = |seq, problem: String| StoreError::Damaged {
            path: path.clone(),
            seq,
            problem,
        };
        // One read transaction: rows and head belong together even while another instance writes.
        let transaction = self
            .connection
            .transaction()
            .map_err(|e| sqlite(&path, e))?;
        let head: Option<(i64, String)> = transaction
            .query_row("SELECT seq, checksum FROM head WHERE id = 1", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()
            .map_err(|e| sqlite(&path, e))?;
        let mut records = Vec::new();
        let mut chain = (0_i64, CHAIN_START.to_owned());
        {
            let mut statement = transaction
                .prepare("SELECT seq, at_ms, kind, body, fence, checksum FROM records ORDER BY seq")
                .map_err(|e| sqlite(&path, e))?;
            let mut rows = statement.query([]).map_err(|e| sqlite(&path, e))?;
            while let Some(row) = rows.next().map_err(|e| sqlite(&path, e))? {
                let (stored, fence, checksum) = read_row(row).map_err(|e| sqlite(&path, e))?;
                if stored.seq != chain.0 + 1 {
                    return Err(damaged(
                        chain.0 + 1,
                        format!("the next row is {}", stored.seq),
                    ));
                }
                let wanted = row_checksum(&chain.1, &stored, fence);
                if checksum != wanted {
                    return Err(damaged(
                        stored.seq,
                        "its checksum does not fit its content".to_owned(),
                    ));
                }
                let record: Record = serde_json::from_str(&stored.body)
                    .map_err(|e| damaged(stored.seq, format!("it cannot be read: {e}")))?;
                if i64::try_from(record.seq) != Ok(stored.seq) {
                    return Err(damaged(
                        stored.seq,
                        format!("it calls itself {}", record.seq),
                    ));
                }
                chain = (stored.seq, checksum);
                records.push(record);
            }
        }
        drop(transaction);
        let Some(head) = head else {
            return Err(damaged(chain.0, "the head row is missing".to_owned()));
        };
        if head != chain {
            let problem = format!("the list ends there, but {} records were written", head.0);
            return Err(damaged(chain.0 + 1, problem));
        }
        self.head = head;
        Ok(records)
    }

    /// Appends records in one transaction. They are on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when `fence` is not the ledger's own number; nothing is written then.
    pub fn append(&mut self, fence: Fence, records: &[Record]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut rows = Vec::with_capacity(records.len());
        for (record, seq) in records.iter().zip(self.head.0 + 1..) {
            rows.push(to_row(record, seq)?);
        }
        let path = self.path.clone();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| sqlite(&path, e))?;
        check_fence(&transaction, fence).map_err(|e| sqlite(&path, e))??;
        let mut head = self.head.clone();
        for row in &rows {
            head = (row.seq, row_checksum(&head.1, row, fence));
            insert(&transaction, row, fence, &head.1).map_err(|e| sqlite(&path, e))?;
        }
        let moved = transaction
            .execute(
                "UPDATE head SET seq = ?1, checksum = ?2 WHERE id = 1 AND seq = ?3 AND checksum = ?4",
                params![head.0, head.1, self.head.0, self.head.1],
            )
            .map_err(|e| sqlite(&path, e))?;
        if moved != 1 {
            let problem = "the head moved although the fencing number did not".to_owned();
            return Err(StoreError::Damaged {
                path,
                seq: self.head.0,
                problem,
            });
        }
        transaction.commit().map_err(|e| sqlite(&path, e))?;
        self.head = head;
        Ok(())
    }

    /// Raises the fencing number: from here on only the returned one writes.
    pub fn take_fence(&mut self, nonce: &str, at: EpochMs) -> Result<Fence, StoreError> {
        let path = self.path.clone();
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| sqlite(&path, e))?;
        let fence: i64 = transaction
            .query_row(
                "UPDATE writer SET fence = fence + 1, nonce = ?1, taken_at_ms = ?2 WHERE id = 1 RETURNING fence",
                params![nonce, at.0],
                |row| row.get(0),
            )
            .map_err(|e| sqlite(&path, e))?;
        transaction.commit().map_err(|e| sqlite(&path, e))?;
        Ok(Fence(fence))
    }

    /// Whether `fence` is still the ledger's own number.
    pub fn check_fence(&self, fence: Fence) -> Result<(), StoreError> {
        check_fence(&self.connection, fence).map_err(|e| sqlite(&self.path, e))?
    }

    /// Notes a halt without holding the writer lock. Halting only restricts, so any instance may; the
    /// writer turns the note into a record of its own.
    pub fn note_halt(&mut self, note: &HaltNote) -> Result<(), StoreError> {
        self.connection
            .execute(
                "INSERT INTO halt_notes (at_ms, body) VALUES (?1, ?2)",
                params![note.at.0, note.body],
            )
            .map(drop)
            .map_err(|e| sqlite(&self.path, e))
    }

    /// Halt notes that no writer has recorded yet, each with its id.
    pub fn open_halt_notes(&self) -> Result<Vec<(i64, HaltNote)>, StoreError> {
        let read = || -> rusqlite::Result<Vec<(i64, HaltNote)>> {
            self.connection
                .prepare_cached(
                    "SELECT id, at_ms, body FROM halt_notes WHERE recorded = 0 ORDER BY id",
                )?
                .query_map([], |row| {
                    Ok((
                        row.get(0)?,
                        HaltNote {
                            at: EpochMs(row.get(1)?),
                            body: row.get(2)?,
                        },
                    ))
                })?
                .collect()
        };
        read().map_err(|e| sqlite(&self.path, e))
    }

    /// Marks a halt note as recorded; called after its record is durable.
    pub fn close_halt_note(&mut self, id: i64) -> Result<(), StoreError> {
        self.connection
            .execute("UPDATE halt_notes SET recorded = 1 WHERE id = ?1", [id])
            .map(drop)
            .map_err(|e| sqlite(&self.path, e))
    }

    /// The ledger's file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The fencing number of a writer. Only [`LedgerStore::take_fence`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence(i64);

impl Fence {
    /// The number, for messages.
    pub const fn number(self) -> i64 {
        self.0
    }
}

fn sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::Sqlite {
        path: path.to_owned(),
        source,
    }
}

fn check_fence(connection: &Connection, fence: Fence) -> rusqlite::Result<Result<(), StoreError>> {
    let current: i64 =
        connection.query_row("SELECT fence FROM writer WHERE id = 1", [], |row| {
            row.get(0)
        })?;
    Ok(if current == fence.0 {
        Ok(())
    } else {
        Err(StoreError::Fenced {
            held: fence.0,
            current,
        })
    })
}

/// A record as a row at place `seq`, which must be the number it carries.
fn to_row(record: &Record, seq: i64) -> Result<Row, StoreError> {
    let refuse = |problem: String| StoreError::Record {
        seq: record.seq,
        problem,
    };
    if i64::try_from(record.seq) != Ok(seq) {
        return Err(refuse(format!("the ledger's next number is {seq}")));
    }
    let value = serde_json::to_value(record).map_err(|e| refuse(e.to_string()))?;
    let kind = value
        .pointer("/body/type")
        .and_then(serde_json::Value::as_str);
    let kind = kind
        .ok_or_else(|| refuse("it has no type".to_owned()))?
        .to_owned();
    let body = value.to_string();
    if body.len() > RECORD_MAX_BYTES {
        return Err(refuse(format!(
            "it has {} bytes, at most {RECORD_MAX_BYTES} are stored",
            body.len()
        )));
    }
    Ok(Row {
        seq,
        at: record.t_ms,
        kind,
        body,
    })
}

fn insert(
    connection: &Connection,
    row: &Row,
    fence: Fence,
    checksum: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO records (seq, at_ms, kind, body, fence, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![row.seq, row.at.0, row.kind, row.body, fence.0, checksum])
        .map(drop)
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<(Row, Fence, String)> {
    let record = Row {
        seq: row.get(0)?,
        at: EpochMs(row.get(1)?),
        kind: row.get(2)?,
        body: row.get(3)?,
    };
    Ok((record, Fence(row.get(4)?), row.get(5)?))
}

/// The checksum of a row covers the row before it, so none can be edited, removed or moved alone.
fn row_checksum(before: &str, record: &Row, fence: Fence) -> String {
    let text = format!(
        "{before}\n{}\n{}\n{}\n{}\n{}",
        record.seq, record.at, record.kind, fence.0, record.body
    );
    sha256(text.as_bytes())
}

#[cfg(test)]
mod tests;
