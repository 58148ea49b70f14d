//! The truth about one combination: which processes live, which of them have durably acknowledged a full
//! halt, and which orders are open.
//!
//! From the kernel's process table and from files on disk, never from the platform, the trader, the
//! watchdog or the kill. Linux only: elsewhere there is no answer, which proves nothing.

use super::real_trader;
use super::stand_in::{self, files};
use crate::loopback::venue::Venue;
use std::fs;
use std::path::{Path, PathBuf};

/// What is true at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Truth {
    /// Processes that live and have not acknowledged a full halt durably.
    pub(super) unhalted: Vec<u32>,
    /// Processes that live and have.
    pub(super) halted: Vec<u32>,
    /// Orders open at the venue, or on their way into its book.
    pub(super) open_orders: u64,
}

/// A living process of a combination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Living {
    pub(super) pid: u32,
    pub(super) volume: PathBuf,
}

/// The truth about everything whose volume lies below `root`, and about its exchange. Errors: the process
/// table cannot be read.
pub(super) fn look(root: &Path, venue: Option<&Venue>) -> std::io::Result<Truth> {
    let mut truth = Truth::default();
    for process in living(root)? {
        if own_file(&process, files::HALT).exists() || real_trader::is_halted(&process.volume) {
            truth.halted.push(process.pid);
        } else {
            truth.unhalted.push(process.pid);
        }
    }
    truth.open_orders = volumes(root)?
        .iter()
        .map(|volume| stand_in::open_orders(volume))
        .sum();
    if let Some(venue) = venue {
        // In flight first: one that arrives in between is counted twice, and never missed.
        let all = venue
            .orders_in_flight()
            .saturating_add(venue.open_orders().len());
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        truth.open_orders = truth.open_orders.saturating_add(all);
    }
    Ok(truth)
}

/// Every process that was given a volume below `root` and has not ended: a stopped one (SIGSTOP) lives.
pub(super) fn living(root: &Path) -> std::io::Result<Vec<Living>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // One that has ended, reaped or not, has no environment any more.
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            continue;
        };
        let mount = environment
            .split(|byte| *byte == 0)
            .find_map(|one| one.strip_prefix(b"RAILWAY_VOLUME_MOUNT_PATH="))
            .map(|path| PathBuf::from(String::from_utf8_lossy(path).into_owned()));
        if let Some(volume) = mount.filter(|volume| volume.starts_with(root)) {
            all.push(Living { pid, volume });
        }
    }
    all.sort_by_key(|process| process.pid);
    Ok(all)
}

/// A file of this very process in its volume.
pub(super) fn own_file(process: &Living, kind: &str) -> PathBuf {
    process.volume.join(format!("{}.{kind}", process.pid))
}

/// The volumes of a loopback platform whose state directory is `root`.
fn volumes(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = root.join("local/platform/volumes");
    if !folder.exists() {
        return Ok(Vec::new());
    }
    fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect()
}
