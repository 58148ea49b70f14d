//! The store on disk: order, fencing, damage, foreign files.

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
fn a_ledger_is_looked_at_while_another_writes_it_and_never_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = ledger(&folder);
    assert!(LedgerStore::read(&missing).is_err());
    assert!(!missing.exists(), "looking makes no ledger");
    let path = written(&folder);
    let mut writer = LedgerStore::open(&path).unwrap();
    let fence = writer.take_fence("n2", EpochMs(2)).unwrap();
    writer.append(fence, &[record(4, "d")]).unwrap();
    assert_eq!(LedgerStore::read(&path).unwrap().len(), 4);
    writer.append(fence, &[record(5, "e")]).unwrap();
    let other = folder.path().join("other.sqlite3");
    Connection::open(&other)
        .unwrap()
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    let refused = LedgerStore::read(&other);
    assert!(
        matches!(refused, Err(StoreError::Foreign { .. })),
        "{refused:?}"
    );
    tamper(
        &path,
        "UPDATE records SET body = replace(body, 'a', 'z') WHERE seq = 1",
    );
    let refused = LedgerStore::read(&path);
    assert!(
        matches!(refused, Err(StoreError::Damaged { .. })),
        "{refused:?}"
    );
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
