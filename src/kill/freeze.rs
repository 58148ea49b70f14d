//! The freeze: no deploy and no lease until a person re-enables.
//!
//! Set in two places that do not depend on each other: a file of the state directory and the
//! service variable `LAUNCH_FREEZE`. The variable is only ever written (with `skipDeploys`), never
//! deleted: a delete redeploys. What cannot be read counts as frozen.

use crate::call_error::{CallError, shorten};
use crate::client::Client;
use crate::deadline::Deadline;
use crate::platform::{self, ServiceIds};
use crate::state_dir::{EnvName, StateDir, StateError, read_text, remove, write_private};
use serde::{Deserialize, Serialize};

/// Name of the service variable.
pub const VARIABLE: &str = "LAUNCH_FREEZE";
/// Its value when nothing is frozen.
pub const OFF: &str = "off";

/// Who froze an environment, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// Names this freeze: lifting another one is an error.
    pub id: String,
    /// RFC 3339 UTC.
    pub at: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What one place says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FreezeState {
    /// Not frozen.
    Off,
    /// Frozen.
    Frozen(Freeze),
    /// Cannot be read: counts as frozen.
    Unreadable(String),
}

impl FreezeState {
    /// Whether deploys and leases are refused.
    pub fn is_frozen(&self) -> bool {
        *self != Self::Off
    }

    /// Reads the variable's value; an absent variable was never frozen.
    pub fn from_variable(value: Option<&str>) -> Self {
        match value.map(str::trim) {
            None | Some(OFF) => Self::Off,
            Some(text) => from_json(text),
        }
    }
}

impl Freeze {
    /// The JSON text, as file and variable carry it.
    pub fn to_json(&self) -> String {
        serde_json::json!({"id": self.id, "at": self.at, "by": self.by, "reason": self.reason})
            .to_string()
    }
}

fn from_json(text: &str) -> FreezeState {
    if text.trim_start().starts_with('[') {
        return FreezeState::Unreadable("not a freeze: it is a list".to_owned());
    }
    match serde_json::from_str(text) {
        Ok(freeze) => FreezeState::Frozen(freeze),
        Err(error) => {
            FreezeState::Unreadable(format!("not a freeze: {}", shorten(&error.to_string())))
        }
    }
}

/// Reads the file of this machine. No file = not frozen.
pub fn read_local(dir: &StateDir, env: &EnvName) -> FreezeState {
    match read_text(&dir.freeze_path(env)) {
        Ok(None) => FreezeState::Off,
        Ok(Some(text)) => match from_json(&text) {
            FreezeState::Unreadable(why) => {
                FreezeState::Unreadable(format!("{}: {why}", dir.freeze_path(env).display()))
            }
            read @ (FreezeState::Off | FreezeState::Frozen(_)) => read,
        },
        Err(error) => FreezeState::Unreadable(error.to_string()),
    }
}

/// Writes the file of this machine.
///
/// # Errors
/// The file system refused.
pub fn write_local(dir: &StateDir, env: &EnvName, freeze: &Freeze) -> Result<(), StateError> {
    write_private(
        &dir.freeze_path(env),
        format!("{}\n", freeze.to_json()).as_bytes(),
    )
}

/// Removes the file of this machine.
///
/// # Errors
/// The file system refused.
pub fn clear_local(dir: &StateDir, env: &EnvName) -> Result<(), StateError> {
    remove(&dir.freeze_path(env))
}

/// Reads the service variable. An empty value is not ours and counts as frozen.
pub async fn read_variable(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<FreezeState, CallError> {
    let variables = platform::variables(client, ids, deadline).await?;
    Ok(match variables.get(VARIABLE) {
        None => FreezeState::Off,
        Some(None) => FreezeState::Unreadable("the variable is empty".into()),
        Some(Some(value)) => FreezeState::from_variable(Some(value.expose())),
    })
}

/// Writes the service variable.
pub async fn write_variable(
    client: &Client,
    ids: &ServiceIds,
    freeze: &Freeze,
    deadline: Deadline,
) -> Result<(), CallError> {
    platform::set_variable(client, ids, VARIABLE, &freeze.to_json(), deadline).await
}

/// Sets the service variable to [`OFF`].
pub async fn clear_variable(
    client: &Client,
    ids: &ServiceIds,
    deadline: Deadline,
) -> Result<(), CallError> {
    platform::set_variable(client, ids, VARIABLE, OFF, deadline).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze() -> Freeze {
        Freeze {
            id: "f1".into(),
            at: "2026-11-23T02:00:00Z".into(),
            by: "ann".into(),
            reason: "drill \"x\"".into(),
        }
    }

    #[test]
    fn what_cannot_be_read_is_frozen() {
        assert_eq!(FreezeState::from_variable(None), FreezeState::Off);
        assert_eq!(FreezeState::from_variable(Some("off")), FreezeState::Off);
        let written = freeze().to_json();
        assert_eq!(
            FreezeState::from_variable(Some(&written)),
            FreezeState::Frozen(freeze())
        );
        for odd in ["", "OFF", "false", "{}", "null", "{\"id\":\"x\"}"] {
            let state = FreezeState::from_variable(Some(odd));
            assert!(
                matches!(state, FreezeState::Unreadable(_)) && state.is_frozen(),
                "{odd}"
            );
        }
    }

    #[test]
    fn the_file_holds_until_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, env) = (
            StateDir::at(folder.path()),
            EnvName::parse("staging").unwrap(),
        );
        assert_eq!(read_local(&dir, &env), FreezeState::Off);
        write_local(&dir, &env, &freeze()).unwrap();
        assert_eq!(read_local(&dir, &env), FreezeState::Frozen(freeze()));
        std::fs::write(dir.freeze_path(&env), "half a fi").unwrap();
        assert!(read_local(&dir, &env).is_frozen());
        clear_local(&dir, &env).unwrap();
        clear_local(&dir, &env).unwrap();
        assert_eq!(read_local(&dir, &env), FreezeState::Off);
    }
}
