//! What a person is told about a repository before anything is judged: nothing here is evidence.

use super::{Repo, without_credentials};

/// Milliseconds in a second.
const MS_PER_SEC: i64 = 1_000;

impl Repo {
    /// The address of a remote as this clone has it, without credentials. The remote is not asked.
    pub fn remote_url(&self, name: &str) -> Option<String> {
        let remote = self.git.find_remote(name).ok()?;
        remote.url().ok().map(without_credentials)
    }

    /// When HEAD was committed, by its committer's clock, ms since the Unix epoch.
    pub fn committed_at_ms(&self) -> Option<i64> {
        let commit = self.git.find_commit(self.commit).ok()?;
        commit.time().seconds().checked_mul(MS_PER_SEC)
    }
}
