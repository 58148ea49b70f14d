//! The real trader in a combination: `launch trade --mode paper`, and what its ledger on disk says.
//!
//! Its halt is read from the ledger, never from its own mouth. Must not open a ledger that is not there:
//! opening makes one.

use super::ground_truth::{self, Living};
use super::stand_in::{HALT_TOKEN, files};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use trader_core::ledger::LedgerState;
use trader_runtime::ledger_store::LedgerStore;

/// Leases and re-enables: no secret, it guards nothing.
pub(super) const CONTROL_TOKEN: &str = "control-token-of-the-kill-matrix";
/// The ledger on the volume (`trader-runtime`, its configuration).
const LEDGER: &str = "ledger.sqlite3";
/// How often new processes are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// Longest wait for a new process's first answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// Largest answer that is read: an instance's name is below one kilobyte.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// What it trades by: this program's own staging manifest.
const MANIFEST: &str = include_str!("../../../manifests/staging.toml");
const STRATEGY: &str = include_str!("../../../manifests/strategies/probability-model.json");

/// Writes the manifest and its strategy below `folder`; the manifest's path. Errors: the disk.
pub(super) fn write_manifest(folder: &Path) -> std::io::Result<PathBuf> {
    let strategies = folder.join("strategies");
    std::fs::create_dir_all(&strategies)?;
    std::fs::write(strategies.join("probability-model.json"), STRATEGY)?;
    let manifest = folder.join("staging.toml");
    std::fs::write(&manifest, MANIFEST)?;
    Ok(manifest)
}

/// The variables of its service.
pub(super) fn variables(manifest: &Path) -> BTreeMap<String, String> {
    [
        ("LAUNCH_MANIFEST", manifest.display().to_string()),
        ("LAUNCH_FEED", "generator:7".to_owned()),
        ("LAUNCH_HALT_TOKEN", HALT_TOKEN.to_owned()),
        ("LAUNCH_CONTROL_TOKEN", CONTROL_TOKEN.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Whether the ledger of a volume holds a full halt: it binds every process of the volume, this one and
/// the next. What cannot be read is no halt.
pub(super) fn is_halted(volume: &Path) -> bool {
    let ledger = volume.join(LEDGER);
    if !ledger.exists() {
        return false;
    }
    let halt = || -> Option<bool> {
        let records = LedgerStore::open(&ledger).ok()?.replay().ok()?;
        let state = LedgerState::replay(&records).ok()?;
        Some(!state.halt()?.reduce_only)
    };
    halt().unwrap_or(false)
}

/// Writes down of every new process where it answers and which instance it is, as a stand-in does of
/// itself. Ends when dropped.
#[derive(Debug)]
pub(super) struct Herald(Arc<AtomicBool>);

impl Herald {
    /// For the processes below `root`. Errors: no thread.
    pub(super) fn start(root: &Path) -> std::io::Result<Self> {
        let ending = Arc::new(AtomicBool::new(false));
        let (ended, root) = (Arc::clone(&ending), root.to_owned());
        std::thread::Builder::new().spawn(move || {
            while !ended.load(Ordering::Acquire) {
                for process in ground_truth::living(&root).unwrap_or_default() {
                    let path = ground_truth::own_file(&process, files::INSTANCE);
                    if path.exists() {
                        continue;
                    }
                    // One that does not answer yet is asked again.
                    if let Some(told) = introduced(&process) {
                        drop(std::fs::write(path, told.to_string()));
                    }
                }
                std::thread::sleep(LOOK_EVERY);
            }
        })?;
        Ok(Self(ending))
    }
}

impl Drop for Herald {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What a process says of itself at the address that it was told to listen on.
fn introduced(process: &Living) -> Option<Value> {
    let environment = std::fs::read(format!("/proc/{}/environ", process.pid)).ok()?;
    let address = environment
        .split(|byte| *byte == 0)
        .find_map(|one| one.strip_prefix(b"LAUNCH_LISTEN="))?;
    let address = std::str::from_utf8(address).ok()?;
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
    let request =
        format!("GET /health/live HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    let mut bounded = stream.take(ANSWER_BYTES_MAX);
    bounded.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let told: Value = serde_json::from_str(body.trim()).ok()?;
    Some(json!({
        "nonce": told.get("nonce")?.as_str()?,
        "url": format!("http://{address}"),
        "deployment_id": told.get("deployment_id")?.as_str()?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use trader_core::ledger::{Record, RecordBody};
    use trader_core::units::EpochMs;

    fn halt(reduce_only: bool, seq: u64) -> Record {
        Record {
            version: 1,
            seq,
            t_ms: EpochMs(1),
            body: RecordBody::Halt {
                by: "kill".into(),
                reason: "a test".into(),
                reduce_only,
            },
        }
    }

    #[test]
    fn only_a_full_halt_of_the_ledger_counts() {
        let volume = tempfile::tempdir().unwrap();
        assert!(!is_halted(volume.path()), "no ledger");
        assert!(!volume.path().join(LEDGER).exists(), "none was made");
        let mut store = LedgerStore::open(&volume.path().join(LEDGER)).unwrap();
        assert!(!is_halted(volume.path()), "an empty one");
        let fence = store.take_fence("a test", EpochMs(0)).unwrap();
        let first = store
            .replay()
            .unwrap()
            .last()
            .map_or(1, |record| record.seq + 1);
        store.append(fence, &[halt(true, first)]).unwrap();
        assert!(!is_halted(volume.path()), "exits go on");
        store.append(fence, &[halt(false, first + 1)]).unwrap();
        assert!(is_halted(volume.path()));
    }
}
