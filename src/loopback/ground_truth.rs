//! Which processes really live, read from the kernel and not from the platform's records.
//!
//! For tests, rehearsals and tidying up: a platform may be told to lie, this may not. Everything
//! that was started by this platform carries its variables, grandchildren included; what has
//! dropped them is found by its process group. An ended process that nobody has reaped does not
//! live. Linux only: elsewhere there is no answer, which is an error and never an empty list.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use launch_kill::process;

use super::comeback::STATE_FILE;
use super::state::State;

/// Position of the process group (field 5 of `/proc/PID/stat`, proc(5)) after the command name.
const GROUP: usize = 2;
/// Position of the start time (field 22).
const START: usize = 19;

/// Living pids by deployment id, of the platform whose folder this is. Errors: the process table
/// cannot be read.
pub(crate) fn living(dir: &Path) -> std::io::Result<BTreeMap<String, Vec<u32>>> {
    let volumes = dir.join("volumes");
    let groups = groups_of(dir);
    let mut living: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // Processes of others cannot be read, and a zombie has no environment left.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let id = deployment_of(&environment, &volumes).or_else(|| by_group(pid, &groups));
        if let Some(id) = id {
            living.entry(id).or_default().push(pid);
        }
    }
    Ok(living)
}

/// A process group that a deployment's process led or leads.
struct Group {
    leader: u32,
    /// Start time of the leader (clock ticks since boot).
    start: u64,
    deployment_id: String,
}

/// The groups of this boot that the records know; none where they cannot be read.
fn groups_of(dir: &Path) -> Vec<Group> {
    let Ok(state) = State::load(&dir.join(STATE_FILE)) else {
        return Vec::new();
    };
    let boot_id = process::boot_id();
    let rows = state.deployments.into_iter();
    rows.flat_map(|row| {
        let known = [row.process, row.ended].into_iter().flatten();
        let ours = known.filter(|one| boot_id.as_ref() == Some(&one.boot_id));
        let groups = ours.map(|one| Group {
            leader: one.pid,
            start: one.pid_start,
            deployment_id: row.id.clone(),
        });
        groups.collect::<Vec<_>>()
    })
    .collect()
}

/// The deployment whose process leads this one's group. A group's number is not given out again
/// while anyone is in it.
fn by_group(pid: u32, groups: &[Group]) -> Option<String> {
    if groups.is_empty() {
        return None;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let (group, began) = (number(GROUP)?, number(START)?);
    let found = groups.iter().find(|known| {
        u64::from(known.leader) == group
            && began >= known.start
            && (pid != known.leader || began == known.start)
            && !is_taken(known)
    })?;
    Some(found.deployment_id.clone())
}

/// Whether a stranger has the leader's number by now.
fn is_taken(group: &Group) -> bool {
    process::identify(group.leader).is_some_and(|now| now.start != group.start)
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
