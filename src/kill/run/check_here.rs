//! What `--check` can tell without asking anybody: kill file, token files, state directory.
//! Changes nothing, not even to find out whether it could.

use super::check::FindingStatus;
use crate::kill_file::{KillFile, SCHEMA_VERSION};
use crate::state_dir::{EnvName, StateDir, TokenFile};
use crate::targets::{Surroundings, Target, is_open_to_others};
use rustix::fs::Access;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What one look found: what, whether it is met, in words.
pub(super) type Look = (&'static str, FindingStatus, String);

/// Everything about one target that is known here.
pub(super) fn look(target: &Target, around: &Surroundings) -> Vec<Look> {
    let mut found = Vec::new();
    if let (Some(dir), Some(env)) = (&around.state_dir, &target.name) {
        found.push(kill_file(dir, env));
        found.extend(token_files(dir, env));
        found.push(state_dir(dir.root()));
    } else {
        found.push((
            "kill_file",
            FindingStatus::Missing,
            "none: ids come from flags and environment variables".into(),
        ));
        found.push((
            "state_dir",
            FindingStatus::Missing,
            "a kill leaves no freeze and no record on this machine".into(),
        ));
    }
    found
}

fn kill_file(dir: &StateDir, env: &EnvName) -> Look {
    let path = dir.kill_file_path(env);
    let file = match KillFile::read(dir, env) {
        Ok(Some(file)) => file,
        Ok(None) => {
            let told = format!("{} is not there", path.display());
            return ("kill_file", FindingStatus::Missing, told);
        }
        Err(error) => return ("kill_file", FindingStatus::Failed, error.to_string()),
    };
    let age = std::fs::metadata(&path)
        .and_then(|about| about.modified())
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok())
        .map_or_else(|| "in the future".to_owned(), ago);
    let told = format!("version {}, written {age}", file.schema_version);
    if file.schema_version == SCHEMA_VERSION {
        return ("kill_file", FindingStatus::Ok, told);
    }
    let told = format!("{told}; this launch-kill writes {SCHEMA_VERSION} and reads what it knows");
    ("kill_file", FindingStatus::Warning, told)
}

/// A time span for people.
fn ago(span: Duration) -> String {
    let secs = span.as_secs();
    match secs {
        0..60 => format!("{secs} s ago"),
        60..3600 => format!("{} min ago", secs / 60),
        3600..86_400 => format!("{} h ago", secs / 3600),
        _ => format!("{} days ago", secs / 86_400),
    }
}

fn token_files(dir: &StateDir, env: &EnvName) -> Vec<Look> {
    let odd = |kind| {
        let path = dir.token_path(kind, env);
        match dir.read_token(kind, env) {
            Err(error) => Some(("token_file", FindingStatus::Failed, error.to_string())),
            Ok(Some(_)) if is_open_to_others(&path) => {
                let told = format!("others can read {}: chmod 600 it", path.display());
                Some(("token_file", FindingStatus::Warning, told))
            }
            Ok(_) => None,
        }
    };
    [TokenFile::Platform, TokenFile::Halt]
        .into_iter()
        .filter_map(odd)
        .collect()
}

/// Whether a freeze and a record could be written. Asked of the permissions, never tried.
fn state_dir(root: &Path) -> Look {
    let there = root.ancestors().find(|path| path.exists()).unwrap_or(root);
    match rustix::fs::access(there, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => ("state_dir", FindingStatus::Ok, root.display().to_string()),
        Err(error) => (
            "state_dir",
            FindingStatus::Warning,
            format!(
                "{}: {error}: a kill leaves no freeze and no record here",
                there.display()
            ),
        ),
    }
}
