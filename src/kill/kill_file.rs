//! `kill-<env>.json`: what a kill needs to know about a deployment, written by every deploy.
//!
//! Holds no secret. Read leniently (absent and unknown members are fine): a kill must work with
//! the file of an older or newer version. Written whole or not at all.

use crate::call_error::shorten;
use crate::endpoint::Endpoint;
use crate::process::{Life, ProcessId};
use crate::state_dir::{EnvName, StateDir, StateError, read_text, write_private};
use serde::{Deserialize, Serialize};

/// The version that is written.
pub const SCHEMA_VERSION: u32 = 1;

/// The kill file. Every member may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KillFile {
    /// Format of the file.
    pub schema_version: u32,
    /// Name of the environment.
    pub env: String,
    /// `local` or `railway`.
    pub platform: Option<String>,
    /// Platform id.
    pub project_id: Option<String>,
    /// Platform id.
    pub environment_id: Option<String>,
    /// Platform id.
    pub service_id: Option<String>,
    /// The deployment that was verified.
    pub deployment_id: Option<String>,
    /// The instance that was verified.
    pub instance_nonce: Option<String>,
    /// `live`, `paper` or `dry-run`. Absent or another word is unknown, and judged as live.
    pub mode: Option<String>,
    /// The platform's GraphQL address.
    pub endpoint: Option<String>,
    /// The trader's address.
    pub trader_url: Option<String>,
    /// The watchdog's address.
    pub watchdog_url: Option<String>,
    /// The page where a person can look and stop by hand.
    pub dashboard_url: Option<String>,
    /// Name of the environment variable that holds the platform token.
    pub token_env: Option<String>,
    /// For platform `local`: the processes behind the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalProcesses>,
}

/// The processes of a loopback deployment. Times are [`ProcessId::start`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LocalProcesses {
    /// [`ProcessId::boot_id`] when both ran.
    pub boot_id: Option<String>,
    /// The loopback platform.
    pub platform_pid: Option<u32>,
    /// Its start time.
    pub platform_start: Option<u64>,
    /// The trader.
    pub trader_pid: Option<u32>,
    /// Its start time.
    pub trader_start: Option<u64>,
}

impl LocalProcesses {
    /// The loopback platform's process, when all of it is known.
    pub fn platform(&self) -> Option<ProcessId> {
        process(
            self.boot_id.as_ref(),
            self.platform_pid,
            self.platform_start,
        )
    }

    /// The trader's process, when all of it is known.
    pub fn trader(&self) -> Option<ProcessId> {
        process(self.boot_id.as_ref(), self.trader_pid, self.trader_start)
    }
}

fn process(boot_id: Option<&String>, pid: Option<u32>, start: Option<u64>) -> Option<ProcessId> {
    Some(ProcessId {
        boot_id: boot_id?.clone(),
        // No process has another number: what is none would be proved to have ended.
        pid: pid.filter(|pid| *pid > 0 && i32::try_from(*pid).is_ok())?,
        // 0 = it could not be told: no identity, and no proof.
        start: start.filter(|start| *start > 0)?,
    })
}

/// The platform of this machine by its own note (`local/platform/platform.json`), while it lives. It
/// may have been started again since the kill file was written, as another process.
pub fn living_platform(dir: &StateDir) -> Option<(Endpoint, ProcessId)> {
    let text = read_text(&dir.root().join("local/platform/platform.json")).ok()??;
    let note: serde_json::Value = serde_json::from_str(&text).ok()?;
    let process = ProcessId {
        boot_id: note.get("boot_id")?.as_str()?.to_owned(),
        pid: u32::try_from(note.get("pid")?.as_u64()?).ok()?,
        start: note.get("pid_start")?.as_u64()?,
    };
    let endpoint = Endpoint::parse(note.get("endpoint")?.as_str()?).ok()?;
    (endpoint.is_loopback() && process.life() == Life::Alive).then_some((endpoint, process))
}

impl KillFile {
    /// Reads the kill file of an environment; `None` where there is none.
    ///
    /// # Errors
    /// Unreadable, or no JSON object of this shape (with line and column).
    pub fn read(dir: &StateDir, env: &EnvName) -> Result<Option<Self>, StateError> {
        let path = dir.kill_file_path(env);
        let Some(text) = read_text(&path)? else {
            return Ok(None);
        };
        let malformed = |why: &str| StateError::Malformed {
            path: path.clone(),
            why: format!(
                "{} (wanted the JSON object that `launch deploy` writes)",
                shorten(why)
            ),
        };
        // A list would be read as the members in their order, and an empty one as a file that says
        // nothing.
        if text.trim_start().starts_with('[') {
            return Err(malformed("it is a list"));
        }
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| malformed(&error.to_string()))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// The file system refused; the old file is then still there.
    pub fn write(&self, dir: &StateDir, env: &EnvName) -> Result<(), StateError> {
        let path = dir.kill_file_path(env);
        let mut text =
            serde_json::to_string_pretty(self).map_err(|error| StateError::Malformed {
                path: path.clone(),
                why: error.to_string(),
            })?;
        text.push('\n');
        write_private(&path, text.as_bytes())
    }

    /// Whether the operating system proves that nothing can run: the platform of this machine has
    /// ended, none was started again since, and the trader has ended. A trader whose process was never
    /// written down is not proved to have ended.
    pub fn is_proved_gone(&self, dir: &StateDir) -> bool {
        let Some(local) = &self.local else {
            return false;
        };
        let has_ended = |process: ProcessId| process.life() == Life::Gone;
        self.is_local()
            && local.platform().is_some_and(has_ended)
            && local.trader().is_some_and(has_ended)
            && living_platform(dir).is_none()
    }

    /// Whether the deployment runs on this machine's loopback platform.
    pub fn is_local(&self) -> bool {
        self.platform.as_deref() == Some("local")
    }

    /// Whether real money may be behind it: mode live or unknown.
    pub fn may_be_live(&self) -> bool {
        !matches!(self.mode.as_deref(), Some("paper" | "dry-run"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn staging() -> EnvName {
        EnvName::parse("staging").unwrap()
    }

    #[test]
    fn a_trader_that_was_never_written_down_is_not_proved_gone() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path());
        let mut ended = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let gone = crate::process::identify(ended.id()).unwrap();
        ended.kill().unwrap();
        ended.wait().unwrap();
        let mut file = KillFile {
            platform: Some("local".into()),
            local: Some(LocalProcesses {
                boot_id: Some(gone.boot_id.clone()),
                platform_pid: Some(gone.pid),
                platform_start: Some(gone.start),
                ..LocalProcesses::default()
            }),
            ..KillFile::default()
        };
        assert!(!file.is_proved_gone(&dir));
        if let Some(local) = &mut file.local {
            (local.trader_pid, local.trader_start) = (Some(gone.pid), Some(gone.start));
        }
        assert!(file.is_proved_gone(&dir));
    }

    #[test]
    fn a_number_that_no_process_has_proves_nothing() {
        for pid in [0, u32::MAX, 1 << 31] {
            let local = LocalProcesses {
                boot_id: Some("b".into()),
                platform_pid: Some(pid),
                platform_start: Some(9),
                trader_pid: Some(pid),
                trader_start: Some(9),
            };
            assert_eq!((local.platform(), local.trader()), (None, None), "{pid}");
        }
    }

    #[test]
    fn a_mark_before_the_text_is_no_part_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path());
        let text = "\u{feff}{\r\n\"service_id\": \"s\"}\r\n";
        fs::write(dir.kill_file_path(&staging()), text).unwrap();
        let file = KillFile::read(&dir, &staging()).unwrap().unwrap();
        assert_eq!(file.service_id.as_deref(), Some("s"));
    }

    #[test]
    fn comes_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path());
        let file = KillFile {
            schema_version: SCHEMA_VERSION,
            env: "staging".into(),
            platform: Some("local".into()),
            mode: Some("paper".into()),
            local: Some(LocalProcesses {
                boot_id: Some("b".into()),
                trader_pid: Some(7),
                trader_start: Some(99),
                ..LocalProcesses::default()
            }),
            ..KillFile::default()
        };
        assert_eq!(KillFile::read(&dir, &staging()).unwrap(), None);
        file.write(&dir, &staging()).unwrap();
        let read = KillFile::read(&dir, &staging()).unwrap().unwrap();
        assert_eq!(read, file);
        assert_eq!(read.local.as_ref().unwrap().trader().unwrap().pid, 7);
        assert_eq!(read.local.unwrap().platform(), None);
    }

    #[test]
    fn another_versions_file_is_readable() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path());
        let text = r#"{"schema_version":9,"env":"staging","service_id":"s","new_member":{"a":1},"mode":null}"#;
        fs::write(dir.kill_file_path(&staging()), text).unwrap();
        let file = KillFile::read(&dir, &staging()).unwrap().unwrap();
        assert_eq!(file.service_id.as_deref(), Some("s"));
        assert!(file.may_be_live(), "an unknown mode is judged as live");
    }

    #[test]
    fn a_broken_file_is_one_error_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path());
        fs::write(dir.kill_file_path(&staging()), "{\n  \"env\": 3\n}").unwrap();
        let error = KillFile::read(&dir, &staging()).unwrap_err().to_string();
        assert!(
            error.contains("kill-staging.json") && error.contains("line 2"),
            "{error}"
        );
    }
}
