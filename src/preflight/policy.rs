//! The policy that HEAD is judged by: the approved limits, read from blobs.

use super::documents::mistakes;
use super::head_files::HeadFiles;
use super::project::Project;
use crate::source::{self, Code, Diagnostic, Files as _};
use launch_checks::files::approved_limits::APPROVED_LIMITS_PATH;
use launch_checks::{Loaded, Policy};

pub(super) fn read(project: &Project) -> Policy {
    Policy {
        read_from: "HEAD".to_owned(),
        approved: loaded(project, APPROVED_LIMITS_PATH, |bytes| {
            source::load_approved_limits(APPROVED_LIMITS_PATH, bytes).map(|loaded| loaded.value)
        }),
    }
}

/// A file that a project may do without.
fn loaded<T>(
    project: &Project,
    path: &str,
    read: impl Fn(&[u8]) -> Result<T, Vec<Diagnostic>>,
) -> Loaded<T> {
    let bytes = match HeadFiles(&project.repo).read(path) {
        Ok(bytes) => bytes,
        Err(problem) if problem.code == Code::Missing => {
            return Loaded::NotInCommit {
                on_disk: project.repo.top().join(path).symlink_metadata().is_ok(),
            };
        }
        Err(problem) => {
            return Loaded::Refused {
                diagnostics: mistakes(&[problem]),
            };
        }
    };
    match read(&bytes) {
        Ok(value) => Loaded::Valid(value),
        Err(problems) => Loaded::Refused {
            diagnostics: mistakes(&problems),
        },
    }
}
