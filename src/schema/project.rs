//! The project's files as the listings see them: HEAD in a repository with a commit, else the disk.

use crate::preflight::HeadFiles;
use crate::repo::{Repo, RepoError};
use crate::source::{Code, Diagnostic, DiskFiles, Files};
use std::path::Path;

/// HEAD, or a directory where there is none.
#[derive(Debug)]
pub(super) enum ProjectFiles {
    /// The blobs of HEAD.
    Head(Box<Repo>),
    /// The files of a directory that is in no repository, or has no commit yet.
    Disk(DiskFiles),
}

impl ProjectFiles {
    /// Opens what holds `cwd`.
    pub(super) fn open(cwd: &Path) -> Result<Self, Vec<Diagnostic>> {
        match Repo::discover(cwd) {
            Ok(repo) => Ok(Self::Head(Box::new(repo))),
            Err(RepoError::NotARepository(_) | RepoError::Unborn) => {
                Ok(Self::Disk(DiskFiles::new(cwd)))
            }
            Err(error) => {
                let place = cwd.display().to_string();
                Err(vec![Diagnostic::error(
                    Code::Unreadable,
                    &place,
                    error.to_string(),
                )])
            }
        }
    }

    /// One line that says what was looked at.
    pub(super) fn origin(&self) -> String {
        match self {
            Self::Head(repo) => {
                let commit = repo.commit();
                let short = commit.get(..10).unwrap_or(&commit);
                format!("from HEAD {short}; uncommitted edits are not seen")
            }
            Self::Disk(_) => "from the files on disk: there is no commit".to_owned(),
        }
    }
}

impl Files for ProjectFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, Diagnostic> {
        match self {
            Self::Head(repo) => HeadFiles(repo).read(path),
            Self::Disk(files) => files.read(path),
        }
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Diagnostic> {
        match self {
            Self::Head(repo) => HeadFiles(repo).list(dir),
            Self::Disk(files) => files.list(dir),
        }
    }
}
