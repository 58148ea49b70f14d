//! What can go wrong with the loopback platform itself, said once.

use std::path::{Path, PathBuf};

use super::fault_rules::BadFaults;

/// Why the loopback platform could not be used. Each message says what was seen and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// A file or folder of the platform could not be read or written.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// What was being done: "read", "write", "create".
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A state file does not hold what this version writes.
    #[error("{} is not a loopback platform file of this version: {detail}; move it away to start afresh (its processes, if any, are listed in it)", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Parser's words.
        detail: String,
    },
    /// `--time-scale` is out of its bounds.
    #[error("time scale {0} is outside 0.001 to 100; 1 is Railway's own pace")]
    TimeScale(f64),
    /// The listening socket could not be had.
    #[error(
        "cannot listen on 127.0.0.1:{port}: {source}; choose another --port, or 0 for a free one"
    )]
    Listen {
        /// The wanted port.
        port: u16,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Another platform process already serves this state directory.
    #[error(
        "a loopback platform already serves this state directory (pid {pid}, {endpoint}); stop it with `launch platform stop`"
    )]
    AlreadyServed {
        /// Its process id.
        pid: u32,
        /// Where it answers.
        endpoint: String,
    },
    /// The lock that lets one caller start the platform was not free in time.
    #[error("waited {waited_ms} ms for another process that is starting the loopback platform ({}); try again", path.display())]
    StartLock {
        /// The lock file.
        path: PathBuf,
        /// How long.
        waited_ms: u64,
    },
    /// The started process did not answer in time, or ended.
    #[error("the loopback platform did not come up: {detail}; its log is {}", log.display())]
    NotUp {
        /// What was seen.
        detail: String,
        /// The log file.
        log: PathBuf,
    },
    /// Something answers that is not our platform, or nothing does.
    #[error("the loopback platform at {endpoint} does not answer as expected: {detail}")]
    Answer {
        /// Where.
        endpoint: String,
        /// What was seen.
        detail: String,
    },
    /// Faults that make no sense.
    #[error("faults: {0}")]
    Faults(#[from] BadFaults),
    /// Processes live that the records do not know.
    #[error("{} does not know processes that an earlier platform left behind (pids {}); put the file back, or end them and try again", path.display(), list(pids))]
    Forgotten {
        /// The records.
        path: PathBuf,
        /// The processes.
        pids: Vec<u32>,
    },
    /// A deployment, service or commit that this platform does not have.
    #[error("the loopback platform has no {what}")]
    Unknown {
        /// What was named, with its name.
        what: String,
    },
    /// The platform has ended; what reaches it late changes nothing any more.
    #[error("the loopback platform has ended")]
    Ended,
    /// The committed SDL does not compile: a bug in this program.
    #[error("the built-in Railway schema does not compile: {0}")]
    Schema(String),
}

fn list(pids: &[u32]) -> String {
    let words: Vec<String> = pids.iter().map(ToString::to_string).collect();
    words.join(", ")
}

impl PlatformError {
    /// For `map_err` on file operations.
    pub(crate) fn file(
        doing: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}
