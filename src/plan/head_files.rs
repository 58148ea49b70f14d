//! HEAD's files as the source reader wants them: what a plan reads is the commit, never the disk.

use crate::repo::Repo;
use crate::source::{Code, Diagnostic, Files};

/// HEAD of a repository.
#[derive(Debug)]
pub struct HeadFiles<'a>(pub &'a Repo);

impl Files for HeadFiles<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>, Diagnostic> {
        match self.0.blob(path) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(Diagnostic::error(
                Code::Missing,
                path,
                "is no regular file of HEAD (uncommitted files are not seen)",
            )),
            Err(error) => Err(Diagnostic::error(
                Code::Unreadable,
                path,
                format!("cannot be read from HEAD: {error}"),
            )),
        }
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
                    .is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
            })
            .map(str::to_owned)
            .collect())
    }
}
