//! Where a platform keeps the things of its deployments, and its remarks in their logs.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::files;
use super::supervisor::Platform;

impl Platform {
    /// Where a deployment keeps its things.
    pub(crate) fn deployment_dir(&self, id: &str) -> PathBuf {
        self.dir.join("deployments").join(id)
    }

    /// The export of its commit.
    pub(crate) fn source_dir(&self, id: &str) -> PathBuf {
        self.deployment_dir(id).join("src")
    }

    /// Deletes the export of a deployment that is gone; its logs stay. Not waited for: nothing
    /// depends on it, and it may be large.
    pub(crate) fn discard_source(&self, id: &str) {
        let source = self.source_dir(id);
        drop(tokio::task::spawn_blocking(move || {
            std::fs::remove_dir_all(source)
        }));
    }

    /// What its process wrote, and the platform's remarks between.
    pub(crate) fn log_path(&self, id: &str) -> PathBuf {
        self.deployment_dir(id).join("output.log")
    }

    /// What the export said.
    pub(crate) fn build_log_path(&self, id: &str) -> PathBuf {
        self.deployment_dir(id).join("build.log")
    }

    pub(crate) fn append_log(&self, id: &str, line: &str) {
        append(&self.log_path(id), line);
    }

    pub(crate) fn append_build_log(&self, id: &str, line: &str) {
        append(&self.build_log_path(id), line);
    }

    /// A remark in the platform's own log.
    pub(crate) fn note(&self, line: &str) {
        append(&self.dir.join("platform.log"), line);
    }
}

/// Logs are for people; failing to write one must not change what happens.
fn append(path: &Path, line: &str) {
    if let Ok(mut file) = files::open_log(path) {
        drop(writeln!(file, "{line}"));
    }
}
