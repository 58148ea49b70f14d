//! The writer lock: one instance writes the ledger and may send orders, every other is standby.
//!
//! Two halves. A file lock held by the operating system as long as the process lives keeps a second
//! instance on the same disk out, and goes with the process however it ends. The fencing number in the
//! ledger keeps a writer out that believes in a lock it no longer has (a copied volume, a network disk):
//! every write compares it. Must not be released before the process stops sending.

use crate::ledger_store::{Fence, LedgerStore, StoreError};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use trader_core::units::EpochMs;

/// How often a standby instance tries again, ms.
pub const STANDBY_RETRY_MS: u64 = 250;

/// The lock, held. Dropping it lets the next instance in.
#[derive(Debug)]
pub struct WriterLock {
    file: File,
    fence: Fence,
}

/// The outcome of one try.
#[derive(Debug)]
pub enum TryWriter {
    /// This instance is the writer; older writers are fenced off.
    Taken(WriterLock),
    /// Another process holds the lock.
    Busy,
}

impl WriterLock {
    /// Tries once to become the writer of `store`'s ledger.
    pub fn try_take(
        store: &mut LedgerStore,
        nonce: &str,
        now: EpochMs,
    ) -> Result<TryWriter, StoreError> {
        let path = lock_path(store.path());
        let io = |source| StoreError::Io {
            path: path.clone(),
            source,
        };
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                let fence = store.take_fence(nonce, now)?;
                Ok(TryWriter::Taken(Self { file, fence }))
            }
            Err(TryLockError::WouldBlock) => Ok(TryWriter::Busy),
            Err(TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// The number that every write shows.
    pub const fn fence(&self) -> Fence {
        self.fence
    }

    /// Lets the lock go at a clean end.
    pub fn release(self) {
        // Closing the file releases it as well; this only makes it visible at once.
        drop(self.file.unlock());
    }
}

/// `<ledger>.lock`, beside the ledger.
pub fn lock_path(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_instance_waits_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite3");
        let mut first = LedgerStore::open(&path).unwrap();
        let mut second = LedgerStore::open(&path).unwrap();
        let TryWriter::Taken(lock) = WriterLock::try_take(&mut first, "a", EpochMs(1)).unwrap()
        else {
            panic!("the lock was free");
        };
        assert!(matches!(
            WriterLock::try_take(&mut second, "b", EpochMs(2)).unwrap(),
            TryWriter::Busy
        ));
        first.check_fence(lock.fence()).unwrap();
        let old = lock.fence();
        lock.release();
        let TryWriter::Taken(next) = WriterLock::try_take(&mut second, "b", EpochMs(3)).unwrap()
        else {
            panic!("the lock was released");
        };
        assert!(matches!(
            first.check_fence(old),
            Err(StoreError::Fenced { .. })
        ));
        second.check_fence(next.fence()).unwrap();
    }

    #[test]
    fn a_busy_try_does_not_fence_the_holder_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite3");
        let mut first = LedgerStore::open(&path).unwrap();
        let TryWriter::Taken(lock) = WriterLock::try_take(&mut first, "a", EpochMs(1)).unwrap()
        else {
            panic!("the lock was free");
        };
        for _ in 0..3 {
            let mut other = LedgerStore::open(&path).unwrap();
            assert!(matches!(
                WriterLock::try_take(&mut other, "b", EpochMs(2)),
                Ok(TryWriter::Busy)
            ));
        }
        first.check_fence(lock.fence()).unwrap();
    }
}
