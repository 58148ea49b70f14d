//! Which processes really live, read from the kernel and not from the platform's records.
//!
//! For tests, rehearsals and tidying up: a platform may be told to lie, this may not. Everything that was
//! started by this platform carries its variables, grandchildren included. Linux only: elsewhere
//! there is no answer, which is an error and never an empty list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use launch_kill::process;

/// Living pids by deployment id, of the platform whose folder this is. Errors: the process table
/// cannot be read.
pub(crate) fn living(dir: &Path) -> std::io::Result<BTreeMap<String, Vec<u32>>> {
    let volumes = dir.join("volumes");
    let mut living: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Processes of others cannot be read, and a zombie has no environment left.
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            continue;
        };
        if let Some(id) = deployment_of(&environment, &volumes) {
            living.entry(id).or_default().push(pid);
        }
    }
    Ok(living)
}

/// Ends what an adopted process has left behind, each process proved to be the deployment's own. What
/// cannot be read or ended shows in [`living`].
pub(crate) fn kill_leftovers(dir: &Path, deployment_id: &str) {
    let pids = living(dir).unwrap_or_default().remove(deployment_id);
    for left in pids.into_iter().flatten().filter_map(process::identify) {
        drop(left.kill());
    }
}

fn deployment_of(environment: &[u8], volumes: &Path) -> Option<String> {
    let text = String::from_utf8_lossy(environment);
    let value = |name: &str| {
        text.split('\0')
            .find_map(|one| one.strip_prefix(name)?.strip_prefix('='))
    };
    let ours = Path::new(value("RAILWAY_VOLUME_MOUNT_PATH")?).starts_with(volumes);
    ours.then(|| value("RAILWAY_DEPLOYMENT_ID").map(str::to_owned))
        .flatten()
}
