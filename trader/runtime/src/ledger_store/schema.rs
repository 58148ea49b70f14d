//! The tables of a ledger: created in an empty file, recognised in a full one, refused otherwise.
//!
//! Must not repair or migrate anything silently: a file of another program, a newer version or a
//! damaged one is an error.

use super::{BUSY_TIMEOUT_MS, LEDGER_SCHEMA_VERSION, StoreError};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// `PRAGMA application_id` of a ledger: "LNCH" in ASCII, so another program's file is recognised.
const APPLICATION_ID: i64 = 0x4C4E_4348;

/// Sets what durability rests on, and reads back what SQLite may refuse silently.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
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
pub(super) fn create_or_check(
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
    if let Err(refused) = recognise(path, &transaction)? {
        return Ok(Err(refused));
    }
    transaction.commit()?;
    Ok(Ok(()))
}

/// Refuses a file that is not a whole ledger of this version; changes nothing.
pub(super) fn recognise(
    path: &Path,
    connection: &Connection,
) -> rusqlite::Result<Result<(), StoreError>> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
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
    let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
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
    Ok(Ok(()))
}
