//! What rehearsals and tests ask of a running platform beside GraphQL: to misbehave, and the truth.

use super::ensure::ask_admin;
use super::error::PlatformError;
use super::faults::Faults;
use super::{files, ground_truth};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Longest wait for the platform's answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells the platform of this state directory how to misbehave from now on.
///
/// # Errors
/// No platform runs there, or it refuses the request.
pub fn set_faults(state_dir: &Path, faults: &Faults) -> Result<(), PlatformError> {
    ask_admin(state_dir, "POST", "/loopback/faults", faults, PATIENCE).map(drop)
}

/// Pids of the traders that live, by deployment: read from the kernel, whatever the platform says.
///
/// # Errors
/// The process table cannot be read (it is read on Linux only).
pub fn living_processes(state_dir: &Path) -> Result<BTreeMap<String, Vec<u32>>, PlatformError> {
    let path = Path::new("/proc");
    // The traders were told absolute paths.
    let state_dir =
        &std::path::absolute(state_dir).map_err(PlatformError::file("find", state_dir))?;
    ground_truth::living(&files::platform_dir(state_dir)).map_err(PlatformError::file("read", path))
}
