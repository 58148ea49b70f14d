//! The files of HEAD for the code that reads manifests: blobs, never the disk.

use crate::repo::Repo;
use crate::source::{Code, Diagnostic, Files};
use launch_checks::Found;

/// HEAD as [`Files`].
#[derive(Debug, Clone, Copy)]
pub struct HeadFiles<'a>(pub &'a Repo);

impl Files for HeadFiles<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Diagnostic> {
        let broken = |why: String| {
            Diagnostic::error(Code::Unreadable, path, format!("cannot be read: {why}"))
        };
        let read = self
            .0
            .blob(path)
            .map_err(|error| broken(error.to_string()))?;
        if let Some(bytes) = read {
            return Ok(bytes);
        }
        Err(
            match self
                .0
                .found(path)
                .map_err(|error| broken(error.to_string()))?
            {
                Found::NotAFile(what) => Diagnostic::error(Code::Unreadable, path, "is not a file")
                    .seen(format!("{what} in HEAD"))
                    .wanted("a regular file"),
                Found::Missing { on_disk: true, .. } => {
                    Diagnostic::error(Code::Missing, path, "is not in HEAD, only on disk")
                        .help(format!("git add {path} && git commit"))
                }
                Found::Missing { on_disk: false, .. } | Found::Outside | Found::Blob { .. } => {
                    Diagnostic::error(Code::Missing, path, "is not in HEAD")
                }
            },
        )
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Diagnostic> {
        let prefix = format!("{dir}/");
        Ok(self
            .0
            .entries()
            .iter()
            .filter(|entry| entry.is_file())
            .filter_map(|entry| std::str::from_utf8(&entry.path).ok())
            .filter(|path| {
                path.strip_prefix(&prefix)
                    .is_some_and(|name| !name.contains('/'))
            })
            .map(str::to_owned)
            .collect())
    }
}
