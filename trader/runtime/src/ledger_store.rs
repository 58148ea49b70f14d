//! The ledger on disk: an append-only, chained list of records in SQLite, one writer, fenced.
//!
//! A record is durable when [`LedgerStore::append`] returns (WAL, `synchronous=FULL`), so an intent is
//! on disk before its order is sent. Each row carries the checksum of everything before it, and the
//! head row says how long the list is: an edited, removed or cut-off row is found at open. Every write
//! checks the fencing number first, so a writer that lost its place cannot write any more. Must not
//! interpret records: their meaning is `trader_core::ledger`.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::time::Duration;
use trader_core::digest::sha256;
use trader_core::ledger::Record;
use trader_core::units::EpochMs;

/// Version of the tables; a file with a newer one is refused.
pub const LEDGER_SCHEMA_VERSION: i64 = 1;

/// `PRAGMA application_id` of a ledger: "LNCH" in ASCII, so another program's file is recognised.
const APPLICATION_ID: i64 = 0x4C4E_4348;

/// How long a statement waits for another connection's write, ms.
pub const BUSY_TIMEOUT_MS: u64 = 2_000;

/// Longest record that is stored, bytes; real ones are a few hundred.
pub const RECORD_MAX_BYTES: usize = 64 * 1024;

/// Checksum before the first row.
const CHAIN_START: &str = "sha256:0";

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

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(BUSY_TIMEOUT_MS))?;
    // In memory the answer is "memory"; on disk anything but WAL would be a silent downgrade.
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if !matches!(mode.as_str(), "wal" | "memory") {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "journal_mode is {mode}, wanted wal (is the folder on a network file system?)"
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")
}

const TABLES: &str = "
CREATE TABLE records (
    seq      INTEGER PRIMARY KEY CHECK (seq > 0),
    at_ms    INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    body     TEXT NOT NULL,
    fence    INTEGER NOT NULL,
    checksum TEXT NOT NULL
) STRICT;
CREATE TRIGGER records_keep_update BEFORE UPDATE ON records
    BEGIN SELECT RAISE(ABORT, 'ledger records are never changed'); END;
CREATE TRIGGER records_keep_delete BEFORE DELETE ON records
    BEGIN SELECT RAISE(ABORT, 'ledger records are never removed'); END;
CREATE TABLE head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    seq      INTEGER NOT NULL,
    checksum TEXT NOT NULL
) STRICT;
INSERT INTO head (id, seq, checksum) VALUES (1, 0, 'sha256:0');
CREATE TABLE writer (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    fence       INTEGER NOT NULL,
    nonce       TEXT NOT NULL,
    taken_at_ms INTEGER NOT NULL
) STRICT;
INSERT INTO writer (id, fence, nonce, taken_at_ms) VALUES (1, 0, '', 0);
CREATE TABLE halt_notes (
    id       INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    body     TEXT NOT NULL,
    recorded INTEGER NOT NULL DEFAULT 0
) STRICT;
";

/// Creates the tables in an empty file; refuses a file that is not a ledger of this version.
fn create_or_check(
    path: &Path,
    connection: &mut Connection,
) -> rusqlite::Result<Result<(), StoreError>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let application: i64 = transaction.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 && application == 0 && version == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", LEDGER_SCHEMA_VERSION)?;
        transaction.commit()?;
        return Ok(Ok(()));
    }
    if application != APPLICATION_ID {
        return Ok(Err(StoreError::Foreign {
            path: path.to_owned(),
            seen: application,
        }));
    }
    if version > LEDGER_SCHEMA_VERSION {
        return Ok(Err(StoreError::Newer {
            path: path.to_owned(),
            seen: version,
        }));
    }
    let check: String = transaction.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if check != "ok" || version != LEDGER_SCHEMA_VERSION {
        let problem = if check == "ok" {
            format!("its version is {version}")
        } else {
            check
        };
        return Ok(Err(StoreError::Damaged {
            path: path.to_owned(),
            seq: 0,
            problem,
        }));
    }
    transaction.commit()?;
    Ok(Ok(()))
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
mod tests {
    use super::*;
    use trader_core::ledger::{RECORD_VERSION, RecordBody};

    fn record(seq: u64, holder: &str) -> Record {
        Record {
            version: RECORD_VERSION,
            seq,
            t_ms: EpochMs(5),
            body: RecordBody::Lease {
                holder: holder.to_owned(),
                held: true,
            },
        }
    }

    fn ledger(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("ledger.sqlite3")
    }

    /// A ledger with three records, closed.
    fn written(folder: &tempfile::TempDir) -> PathBuf {
        let path = ledger(folder);
        let mut store = LedgerStore::open(&path).unwrap();
        let fence = store.take_fence("n1", EpochMs(1)).unwrap();
        store
            .append(fence, &[record(1, "a"), record(2, "b")])
            .unwrap();
        store.append(fence, &[record(3, "c")]).unwrap();
        path
    }

    fn tamper(path: &Path, sql: &str) {
        let raw = Connection::open(path).unwrap();
        raw.execute_batch("DROP TRIGGER records_keep_update; DROP TRIGGER records_keep_delete;")
            .unwrap();
        raw.execute_batch(sql).unwrap();
    }

    #[test]
    fn records_survive_a_reopen_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(&folder);
        let records = LedgerStore::open(&path).unwrap().replay().unwrap();
        assert_eq!(records, [record(1, "a"), record(2, "b"), record(3, "c")]);
    }

    #[test]
    fn a_fenced_off_writer_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(&folder);
        let mut old = LedgerStore::open(&path).unwrap();
        let old_fence = old.take_fence("old", EpochMs(1)).unwrap();
        let mut new = LedgerStore::open(&path).unwrap();
        let new_fence = new.take_fence("new", EpochMs(2)).unwrap();
        let refused = old.append(old_fence, &[record(4, "old")]);
        assert!(
            matches!(
                refused,
                Err(StoreError::Fenced {
                    held: 2,
                    current: 3
                })
            ),
            "{refused:?}"
        );
        new.append(new_fence, &[record(4, "new")]).unwrap();
        assert_eq!(new.replay().unwrap().len(), 4);
    }

    #[test]
    fn edited_removed_and_cut_off_records_are_found() {
        for (sql, part) in [
            (
                "UPDATE records SET body = replace(body, 'lease', 'leese') WHERE seq = 2",
                "at record 2",
            ),
            ("DELETE FROM records WHERE seq = 2", "at record 2"),
            (
                "DELETE FROM records WHERE seq = 3",
                "3 records were written",
            ),
            ("DELETE FROM head", "head row is missing"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = written(&folder);
            tamper(&path, sql);
            let error = LedgerStore::open(&path).unwrap_err().to_string();
            assert!(error.contains(part), "{sql}: {error}");
        }
    }

    #[test]
    fn records_cannot_be_changed_through_sql() {
        let folder = tempfile::tempdir().unwrap();
        let raw = Connection::open(written(&folder)).unwrap();
        assert!(raw.execute("DELETE FROM records", []).is_err());
        assert!(raw.execute("UPDATE records SET at_ms = 0", []).is_err());
    }

    #[test]
    fn a_file_that_is_no_ledger_of_this_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = ledger(&folder);
        std::fs::write(&path, vec![b'x'; 4096]).unwrap();
        assert!(
            LedgerStore::open(&path)
                .unwrap_err()
                .to_string()
                .contains("not a database")
        );

        let foreign = folder.path().join("foreign.sqlite3");
        Connection::open(&foreign)
            .unwrap()
            .execute_batch("CREATE TABLE t (a)")
            .unwrap();
        assert!(matches!(
            LedgerStore::open(&foreign),
            Err(StoreError::Foreign { .. })
        ));

        let inner = tempfile::tempdir().unwrap();
        let newer = written(&inner);
        Connection::open(&newer)
            .unwrap()
            .pragma_update(None, "user_version", 2)
            .unwrap();
        assert!(matches!(
            LedgerStore::open(&newer),
            Err(StoreError::Newer { seen: 2, .. })
        ));

        let missing = folder.path().join("no-such-folder").join("ledger.sqlite3");
        assert!(matches!(
            LedgerStore::open(&missing),
            Err(StoreError::Sqlite { .. })
        ));
    }

    #[test]
    fn a_half_written_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = ledger(&folder);
        {
            let mut store = LedgerStore::open(&path).unwrap();
            let fence = store.take_fence("n", EpochMs(1)).unwrap();
            let records: Vec<Record> = (1..=200).map(|n| record(n, &"p".repeat(200))).collect();
            store.append(fence, &records).unwrap();
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(LedgerStore::open(&path).is_err());
    }

    #[test]
    fn a_record_that_does_not_fit_changes_nothing() {
        let mut store = LedgerStore::in_memory().unwrap();
        let fence = store.take_fence("n", EpochMs(1)).unwrap();
        let long = record(2, &"x".repeat(RECORD_MAX_BYTES + 1));
        assert!(store.append(fence, &[record(1, "a"), long]).is_err());
        assert!(store.append(fence, &[record(2, "gap")]).is_err());
        assert_eq!(store.replay().unwrap(), []);
    }

    #[test]
    fn a_halt_note_waits_for_a_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(&folder);
        let note = HaltNote {
            at: EpochMs(9),
            body: "{}".to_owned(),
        };
        LedgerStore::open(&path).unwrap().note_halt(&note).unwrap();
        let mut writer = LedgerStore::open(&path).unwrap();
        let notes = writer.open_halt_notes().unwrap();
        assert_eq!(notes.iter().map(|(_, n)| n).collect::<Vec<_>>(), [&note]);
        writer.close_halt_note(notes[0].0).unwrap();
        assert_eq!(writer.open_halt_notes().unwrap(), []);
    }
}
