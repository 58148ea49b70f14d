//! The copies of a report that `--report FORMAT=FILE` asks for: each written whole or not at all.
//!
//! A copy that cannot be written is said and makes a pass "not proved" (3): whoever reads that file must
//! not find an older one. It never hides the verdict, which was printed before.

use crate::context::Context;
use crate::exit::Exit;
use crate::render::{self, ReportTo};
use launch_checks::Report;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Why a copy is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReportError {
    /// Two copies would overwrite each other.
    #[error("--report names {0} twice; each report needs a file of its own")]
    Twice(PathBuf),
    /// The file is a directory, a pipe or a device.
    #[error("--report {0}: is not a regular file; name a file in a directory that exists")]
    NotAFile(PathBuf),
    /// The system refuses.
    #[error(
        "--report {path}: cannot be written: {source}; name a file in a directory that exists and has room"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The report has no such form.
    #[error("--report {path}: {source} (a bug in launch)")]
    Form {
        /// The file.
        path: PathBuf,
        /// What was in the way.
        source: serde_json::Error,
    },
}

/// Whether the files differ.
///
/// # Errors
/// [`ReportError::Twice`].
pub(super) fn each_its_own(reports: &[ReportTo]) -> Result<(), ReportError> {
    for (index, report) in reports.iter().enumerate() {
        let before = reports.get(..index).unwrap_or_default();
        if before.iter().any(|other| other.file == report.file) {
            return Err(ReportError::Twice(report.file.clone()));
        }
    }
    Ok(())
}

/// Writes every copy and says which could not be written. The exit code that follows from `exit`.
pub(super) fn write(reports: &[ReportTo], report: &Report, exit: Exit, ctx: &Context) -> Exit {
    let mut ends = exit;
    for to in reports {
        if let Err(error) = write_one(to, report, &ctx.cwd) {
            ctx.error(&format!("error: {error}"));
            if ends == Exit::Ok {
                ends = Exit::Unknown;
            }
        }
    }
    ends
}

fn write_one(to: &ReportTo, report: &Report, cwd: &Path) -> Result<(), ReportError> {
    let text = render::preflight(to.format, report, false).map_err(|source| ReportError::Form {
        path: to.file.clone(),
        source,
    })?;
    let io = |source| ReportError::Io {
        path: to.file.clone(),
        source,
    };
    let mut target = cwd.join(&to.file);
    // Through a link, so that the link stays; never over a pipe or device, which may have no end.
    if let Ok(found) = target.symlink_metadata() {
        if found.is_symlink() {
            target = target.canonicalize().map_err(io)?;
        }
        if !target.is_file() {
            return Err(ReportError::NotAFile(to.file.clone()));
        }
    }
    let folder = target.parent().unwrap_or(cwd);
    let mut temporary = tempfile::Builder::new()
        .prefix(".launch-report-")
        .permissions(readable())
        .tempfile_in(folder)
        .map_err(io)?;
    let text = crate::redact::clean(&text);
    temporary.write_all(text.as_bytes()).map_err(io)?;
    temporary.as_file().sync_all().map_err(io)?;
    temporary
        .persist(&target)
        .map_err(|error| io(error.error))?;
    Ok(())
}

/// As any file that a command writes for others to read; the umask narrows it.
fn readable() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::Permissions::from_mode(0o644)
}
