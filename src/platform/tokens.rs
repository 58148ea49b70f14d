//! Which token goes where. Reads them, makes them for the machine's own platform, prints none.
//!
//! Read order: environment, file of the state directory, the platform's variable. For the loopback
//! platform only the files count: an ambient Railway token has no business there.

use launch_kill::{Auth, EnvName, Secret, StateDir, StateError, TokenFile};
use std::fs::File;
use std::io::Read as _;

/// Bytes of a token that is made here.
const TOKEN_BYTES: usize = 32;

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The machine gives no random bytes.
    #[error("cannot read random bytes from /dev/urandom: {0}")]
    Random(std::io::Error),
    /// Nothing names one.
    #[error("no {what}: set {variable}, or put it into {file}")]
    Missing {
        /// Which token.
        what: &'static str,
        /// Environment variable.
        variable: String,
        /// File.
        file: String,
    },
}

/// The tokens of the trader's and the watchdog's HTTP surface.
#[derive(Debug, Clone)]
pub struct TraderTokens {
    /// Can only stop.
    pub halt: Secret,
    /// Leases and re-enables.
    pub control: Secret,
}

/// So many random bytes as hex.
///
/// # Errors
/// The machine gives none.
pub fn random_hex(bytes: usize) -> Result<String, TokenError> {
    use std::fmt::Write as _;
    let mut raw = vec![0_u8; bytes];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut raw))
        .map_err(TokenError::Random)?;
    let mut text = String::with_capacity(bytes.saturating_mul(2));
    for byte in raw {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Halt and control token of an environment on the machine's own platform; made on first use.
///
/// # Errors
/// The files cannot be read or written.
pub fn local(state: &StateDir, env: &EnvName) -> Result<TraderTokens, TokenError> {
    Ok(TraderTokens {
        halt: read_or_make(state, env, TokenFile::Halt)?,
        control: read_or_make(state, env, TokenFile::Control)?,
    })
}

fn read_or_make(state: &StateDir, env: &EnvName, kind: TokenFile) -> Result<Secret, TokenError> {
    if let Some(token) = state.read_token(kind, env)? {
        return Ok(token);
    }
    let text = random_hex(TOKEN_BYTES)?;
    let token = Secret::new(&text).ok_or_else(|| {
        TokenError::Random(std::io::Error::other("the random bytes make no token"))
    })?;
    // Two commands may come here at once: the first one's token is everybody's.
    if state.create_token(kind, env, &token)? {
        return Ok(token);
    }
    if let Some(token) = state.read_token(kind, env)? {
        return Ok(token);
    }
    // The file is there and blank.
    state.write_token(kind, env, &token)?;
    Ok(token)
}

/// Halt and control token as they can be found without asking the platform.
///
/// # Errors
/// One of them is nowhere, or a file cannot be read.
pub fn find(
    state: &StateDir,
    env: &EnvName,
    is_local: bool,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<TraderTokens, TokenError> {
    let one = |kind, name: &str, what| {
        from_environment(is_local, name, variable)
            .map_or_else(|| state.read_token(kind, env), |token| Ok(Some(token)))?
            .ok_or_else(|| TokenError::Missing {
                what,
                variable: name.to_owned(),
                file: state.token_path(kind, env).display().to_string(),
            })
    };
    Ok(TraderTokens {
        halt: one(TokenFile::Halt, "LAUNCH_HALT_TOKEN", "halt token")?,
        control: one(TokenFile::Control, "LAUNCH_CONTROL_TOKEN", "control token")?,
    })
}

/// Who asks the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A person's command.
    Operator,
    /// The watchdog, which has a token and a call budget of its own.
    Watchdog,
}

/// The platform token.
///
/// # Errors
/// None is to be found, or a file cannot be read.
pub fn platform(
    state: &StateDir,
    env: &EnvName,
    is_local: bool,
    token_env: Option<&str>,
    role: Role,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Auth, TokenError> {
    let from = |name: &str| from_environment(is_local, name, variable);
    if role == Role::Watchdog {
        if let Some(token) = from("LAUNCH_WATCHDOG_RAILWAY_TOKEN") {
            return Ok(Auth::Project(token));
        }
        if let Some(token) = state.read_token(TokenFile::Watchdog, env)? {
            return Ok(Auth::Project(token));
        }
    }
    let own = format!(
        "RAILWAY_TOKEN_{}",
        env.as_str().to_uppercase().replace('-', "_")
    );
    for name in [Some(own.as_str()), token_env, Some("RAILWAY_TOKEN")]
        .into_iter()
        .flatten()
    {
        if let Some(token) = from(name) {
            return Ok(Auth::Project(token));
        }
    }
    if let Some(token) = state.read_token(TokenFile::Platform, env)? {
        return Ok(Auth::Project(token));
    }
    if let Some(token) = from("RAILWAY_API_TOKEN") {
        return Ok(Auth::Bearer(token));
    }
    Err(TokenError::Missing {
        what: "platform token",
        variable: "RAILWAY_TOKEN".to_owned(),
        file: state
            .token_path(TokenFile::Platform, env)
            .display()
            .to_string(),
    })
}

fn from_environment(
    is_local: bool,
    name: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Option<Secret> {
    if is_local {
        return None;
    }
    Secret::new(&variable(name)?)
}

/// The process's environment, for the functions above.
pub fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, StateDir, EnvName) {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        (dir, state, EnvName::parse("stag-ing").unwrap())
    }

    fn token(text: &str) -> Secret {
        Secret::new(text).unwrap()
    }

    #[test]
    fn local_tokens_are_made_once_and_differ() {
        let (_dir, state, env) = place();
        let first = local(&state, &env).unwrap();
        let again = local(&state, &env).unwrap();
        assert_eq!(first.halt, again.halt);
        assert_eq!(first.control, again.control);
        assert_ne!(first.halt, first.control);
        assert_eq!(first.halt.expose().len(), TOKEN_BYTES * 2);
    }

    #[test]
    fn the_nearest_name_wins() {
        let (_dir, state, env) = place();
        let with = |names: &'static [&'static str]| {
            move |name: &str| names.contains(&name).then(|| format!("from {name}"))
        };
        let ask = |variable: &dyn Fn(&str) -> Option<String>, role| {
            platform(&state, &env, false, Some("MY_TOKEN"), role, variable)
        };
        let all = with(&[
            "RAILWAY_TOKEN_STAG_ING",
            "MY_TOKEN",
            "RAILWAY_TOKEN",
            "RAILWAY_API_TOKEN",
        ]);
        assert_eq!(
            ask(&all, Role::Operator).unwrap(),
            Auth::Project(token("from RAILWAY_TOKEN_STAG_ING"))
        );
        let account = with(&["RAILWAY_API_TOKEN"]);
        assert_eq!(
            ask(&account, Role::Operator).unwrap(),
            Auth::Bearer(token("from RAILWAY_API_TOKEN"))
        );
        state
            .write_token(TokenFile::Platform, &env, &token("from file"))
            .unwrap();
        assert_eq!(
            ask(&account, Role::Operator).unwrap(),
            Auth::Project(token("from file"))
        );
        assert_eq!(
            ask(&account, Role::Watchdog).unwrap(),
            Auth::Project(token("from file"))
        );
        let own = with(&["LAUNCH_WATCHDOG_RAILWAY_TOKEN", "RAILWAY_TOKEN"]);
        assert_eq!(
            ask(&own, Role::Watchdog).unwrap(),
            Auth::Project(token("from LAUNCH_WATCHDOG_RAILWAY_TOKEN"))
        );
    }

    #[test]
    fn ambient_tokens_do_not_reach_the_machines_own_platform() {
        let (_dir, state, env) = place();
        let ambient = |name: &str| Some(format!("ambient {name}"));
        assert!(matches!(
            platform(&state, &env, true, None, Role::Operator, &ambient),
            Err(TokenError::Missing { .. })
        ));
        assert!(find(&state, &env, true, &ambient).is_err());
        assert!(find(&state, &env, false, &ambient).is_ok());
    }
}
