//! The git command, for the two things that only it can do: ask a remote with the user's keys, and read
//! an index format that libgit2 does not know.
//!
//! Its environment is scrubbed of every `GIT_*`, it can never prompt, its words are never parsed, and
//! it is ended after [`GIT_TIMEOUT_SECS`].

use crate::child::{self, Bounds, ChildError, Finished};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest that one git command may take, seconds.
pub(super) const GIT_TIMEOUT_SECS: u64 = 10;
/// Most bytes that one git command may print.
const GIT_OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Exit status of `ls-remote --exit-code` when the remote answered and has none of the refs.
const NO_MATCHING_REFS: i32 = 2;
/// The user's ssh command gets these, so that it neither prompts nor hangs.
const SSH_OPTIONS: &str = "-oBatchMode=yes -oConnectTimeout=5";

/// When a question that starts now must be answered, however many commands it takes.
pub(super) fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(GIT_TIMEOUT_SECS)
}

/// Runs git in `dir` with nothing inherited that could steer or prompt.
pub(super) fn git(
    dir: &Path,
    ssh_command: Option<&str>,
    args: &[&str],
    until: Instant,
) -> Result<Finished, ChildError> {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(dir)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("SSH_ASKPASS", "true")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .env("GCM_INTERACTIVE", "never")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_SSH_COMMAND", ssh(ssh_command))
        .env("LC_ALL", "C")
        .args([
            "-c",
            "core.fsmonitor=false",
            "-c",
            "credential.interactive=false",
        ])
        .args(args);
    let bounds = Bounds {
        timeout: until.saturating_duration_since(Instant::now()),
        output_bytes: GIT_OUTPUT_BYTES_MAX,
    };
    child::run(command, bounds).map_err(|error| match error {
        // Told as the whole bound: what was left of it is of no use to anybody.
        ChildError::TimedOut { program, .. } => ChildError::TimedOut {
            program,
            after: Duration::from_secs(GIT_TIMEOUT_SECS),
        },
        other @ (ChildError::NotFound { .. }
        | ChildError::Io { .. }
        | ChildError::TooMuch { .. }) => other,
    })
}

/// OpenSSH learns not to prompt; another program keeps its own options.
fn ssh(configured: Option<&str>) -> String {
    let base = configured.map_or("ssh", str::trim);
    let program = base.split_whitespace().next().unwrap_or("ssh");
    let is_openssh = Path::new(program)
        .file_name()
        .is_some_and(|name| name == "ssh");
    if is_openssh {
        format!("{base} {SSH_OPTIONS}")
    } else {
        base.to_owned()
    }
}

/// Why a remote gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    /// git itself did not end well.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// git could not ask, or understood nothing.
    #[error("the remote cannot be asked: {0}")]
    Refused(String),
}

/// Full names and ids of the refs that match `patterns`, straight from the remote. Matching is git's
/// (by tail), so the caller must look names up in full.
pub(super) fn refs(
    dir: &Path,
    ssh_command: Option<&str>,
    remote: &str,
    patterns: &[&str],
    until: Instant,
) -> Result<BTreeMap<String, String>, Silence> {
    let mut args = vec!["ls-remote", "--exit-code", "--", remote];
    args.extend(patterns);
    let output = git(dir, ssh_command, &args, until)?;
    match output.status.code() {
        // With --exit-code there is at least one line.
        Some(0) if output.stdout.is_empty() => {
            return Err(Silence::Refused("git answered nothing".to_owned()));
        }
        Some(0) => {}
        Some(NO_MATCHING_REFS) => return Ok(BTreeMap::new()),
        status => {
            let words = super::without_credentials(&cause(&output.stderr_tail(STDERR_LINES)));
            return Err(Silence::Refused(if words.is_empty() {
                format!("git ended with {status:?}")
            } else {
                words
            }));
        }
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| {
            line.split_once('\t')
                .filter(|(id, _)| id.len() >= 40 && id.bytes().all(|b| b.is_ascii_hexdigit()))
                .map(|(id, name)| (name.to_owned(), id.to_owned()))
                .ok_or_else(|| Silence::Refused(format!("git printed {line:?}")))
        })
        .collect()
}

/// Lines of git's stderr among which the cause is looked for.
const STDERR_LINES: usize = 12;

/// git names the cause first and ends with general advice.
fn cause(stderr: &[String]) -> String {
    let names_it = |line: &&String| {
        ["fatal:", "error:", "ssh:", "ERROR:"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let found = stderr.iter().find(names_it).or_else(|| stderr.last());
    found.cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{cause, ssh};

    #[test]
    fn the_cause_is_told_and_not_the_advice_under_it() {
        let said = [
            "warning: something else",
            "fatal: '../gone.git' does not appear to be a git repository",
            "fatal: Could not read from remote repository.",
            "Please make sure you have the correct access rights",
            "and the repository exists.",
        ];
        assert_eq!(cause(&said.map(str::to_owned)), said[1]);
        assert_eq!(cause(&["odd".to_owned()]), "odd");
        assert_eq!(cause(&[]), "");
    }

    #[test]
    fn only_openssh_gets_openssh_options() {
        assert_eq!(ssh(None), "ssh -oBatchMode=yes -oConnectTimeout=5");
        assert!(ssh(Some("/usr/bin/ssh -i key")).starts_with("/usr/bin/ssh -i key -oBatchMode"));
        assert_eq!(ssh(Some("plink -batch")), "plink -batch");
    }
}
