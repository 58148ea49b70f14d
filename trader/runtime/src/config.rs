//! What the process was told by its environment, as types, read once at start.
//!
//! One clear error per bad variable: its name, what is wrong, what is wanted; a secret's text never.
//! Must not read the environment itself: the caller hands in a lookup, so tests need no variables.

use crate::faults::Fault;
use crate::secret::Secret;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use trader_core::feed::{FEED_WANTED, Feed};

/// File name of the ledger on a volume.
const LEDGER_FILE: &str = "ledger.sqlite3";

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}; wanted {wanted}")]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub wanted: &'static str,
}

/// A freeze that was set before this process started.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Freeze {
    /// The freeze's id: what `/reenable` must name.
    pub id: String,
    /// When it was set, as it was written.
    pub at: String,
    /// Who set it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Id of a freeze whose text could not be read: frozen all the same.
pub const UNREADABLE_FREEZE_ID: &str = "unreadable";

/// Everything the process was told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The manifest file.
    pub manifest: PathBuf,
    /// Where events come from.
    pub feed: Feed,
    /// Can halt and look.
    pub halt_token: Secret,
    /// Can lease, re-enable, halt and look.
    pub control_token: Secret,
    /// A freeze in force at start; unreadable text is one too.
    pub freeze: Option<Freeze>,
    /// Where the HTTP surface listens.
    pub listen: SocketAddr,
    /// The ledger file.
    pub ledger: PathBuf,
    /// Commit that the platform says it deployed.
    pub platform_commit: Option<String>,
    /// The platform's deployment id.
    pub deployment_id: Option<String>,
    /// A planted fault of a rehearsal.
    pub fault: Option<Fault>,
}

impl Config {
    /// Reads the configuration through `lookup` (`|name| std::env::var_os(name)` in a process).
    ///
    /// # Errors
    /// The first variable that cannot be used.
    pub fn from_lookup(
        lookup: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, ConfigError> {
        let env = Lookup(&lookup);
        let halt_token = env.secret("LAUNCH_HALT_TOKEN")?;
        let control_token = env.secret("LAUNCH_CONTROL_TOKEN")?;
        if halt_token.equals(&control_token) {
            return Err(ConfigError {
                variable: "LAUNCH_HALT_TOKEN",
                problem: "equals LAUNCH_CONTROL_TOKEN".to_owned(),
                wanted: "two different tokens: the halt token must only be able to stop",
            });
        }
        let feed = env.feed()?;
        Ok(Self {
            manifest: PathBuf::from(env.required("LAUNCH_MANIFEST", "the path of a manifest")?),
            halt_token,
            control_token,
            freeze: env.freeze(),
            listen: env.listen()?,
            ledger: env.ledger()?,
            platform_commit: env.optional("RAILWAY_GIT_COMMIT_SHA")?,
            deployment_id: env.optional("RAILWAY_DEPLOYMENT_ID")?,
            fault: env.fault(&feed)?,
            feed,
        })
    }

    /// Reads the configuration from the environment of this process.
    ///
    /// # Errors
    /// The first variable that cannot be used.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var_os(name))
    }
}

struct Lookup<'a, F>(&'a F);

impl<F: Fn(&str) -> Option<std::ffi::OsString>> Lookup<'_, F> {
    /// The variable's text; absent and empty are `None`.
    fn optional(&self, variable: &'static str) -> Result<Option<String>, ConfigError> {
        match (self.0)(variable).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Ok(text)) if text.is_empty() => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(ConfigError {
                variable,
                problem: "is not UTF-8".to_owned(),
                wanted: "UTF-8 text",
            }),
        }
    }

    fn required(
        &self,
        variable: &'static str,
        wanted: &'static str,
    ) -> Result<String, ConfigError> {
        self.optional(variable)?.ok_or_else(|| ConfigError {
            variable,
            problem: "is not set".to_owned(),
            wanted,
        })
    }

    fn secret(&self, variable: &'static str) -> Result<Secret, ConfigError> {
        let wanted = "a token of 16 to 512 visible ASCII characters";
        Secret::try_new(self.required(variable, wanted)?).map_err(|problem| ConfigError {
            variable,
            problem: problem.to_owned(),
            wanted,
        })
    }

    fn feed(&self) -> Result<Feed, ConfigError> {
        let text = self.required("LAUNCH_FEED", FEED_WANTED)?;
        text.parse().map_err(|_| ConfigError {
            variable: "LAUNCH_FEED",
            problem: format!("is {text:?}, which is no feed"),
            wanted: FEED_WANTED,
        })
    }

    /// `off` or absent is no freeze; everything else is one, readable or not.
    fn freeze(&self) -> Option<Freeze> {
        let unreadable = |why: String| Freeze {
            id: UNREADABLE_FREEZE_ID.to_owned(),
            at: String::new(),
            by: "LAUNCH_FREEZE".to_owned(),
            reason: format!("LAUNCH_FREEZE cannot be read ({why}): treated as frozen"),
        };
        let Ok(text) = (self.0)("LAUNCH_FREEZE")?.into_string() else {
            return Some(unreadable("not UTF-8".to_owned()));
        };
        if text.trim() == "off" {
            return None;
        }
        match serde_json::from_str::<Freeze>(&text) {
            Ok(freeze) if !freeze.id.is_empty() => Some(freeze),
            Ok(_) => Some(unreadable("its id is empty".to_owned())),
            Err(error) => Some(unreadable(error.to_string())),
        }
    }

    fn listen(&self) -> Result<SocketAddr, ConfigError> {
        let wanted = "LAUNCH_LISTEN as ip:port, or PORT as a port number";
        if let Some(text) = self.optional("LAUNCH_LISTEN")? {
            return text.parse().map_err(|_| ConfigError {
                variable: "LAUNCH_LISTEN",
                problem: format!("is {text:?}, which is no ip:port"),
                wanted,
            });
        }
        let text = self.required("PORT", wanted)?;
        let port: u16 = text.parse().map_err(|_| ConfigError {
            variable: "PORT",
            problem: format!("is {text:?}, which is no port number"),
            wanted,
        })?;
        Ok(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)))
    }

    fn ledger(&self) -> Result<PathBuf, ConfigError> {
        if let Some(file) = self.optional("LAUNCH_LEDGER")? {
            return Ok(PathBuf::from(file));
        }
        let volume = self.required(
            "RAILWAY_VOLUME_MOUNT_PATH",
            "a volume, or LAUNCH_LEDGER with the ledger's file: without one every deploy forgets its positions",
        )?;
        Ok(PathBuf::from(volume).join(LEDGER_FILE))
    }

    fn fault(&self, feed: &Feed) -> Result<Option<Fault>, ConfigError> {
        let Some(text) = self.optional(Fault::VARIABLE)? else {
            return Ok(None);
        };
        let error = |problem: String| ConfigError {
            variable: Fault::VARIABLE,
            problem,
            wanted: Fault::WANTED,
        };
        if *feed == Feed::Venue {
            return Err(error("is set beside the venue's feed".to_owned()));
        }
        text.parse().map(Some).map_err(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn base() -> BTreeMap<&'static str, &'static str> {
        BTreeMap::from([
            ("LAUNCH_MANIFEST", "manifests/staging.toml"),
            ("LAUNCH_FEED", "generator:7"),
            ("LAUNCH_HALT_TOKEN", "halt-halt-halt-halt"),
            ("LAUNCH_CONTROL_TOKEN", "control-control-control"),
            ("LAUNCH_LISTEN", "127.0.0.1:0"),
            ("RAILWAY_VOLUME_MOUNT_PATH", "/data"),
        ])
    }

    fn read(env: &BTreeMap<&'static str, &'static str>) -> Result<Config, ConfigError> {
        Config::from_lookup(|name| env.get(name).map(Into::into))
    }

    #[test]
    fn a_complete_environment_is_read() {
        let config = read(&base()).unwrap();
        assert_eq!(config.ledger, PathBuf::from("/data/ledger.sqlite3"));
        assert_eq!(config.feed, Feed::Generator(7));
        assert_eq!(config.freeze, None);
        assert!(
            !format!("{config:?}").contains("halt-halt"),
            "no secret is printed"
        );
    }

    #[test]
    fn every_bad_variable_is_named() {
        for (variable, value, part) in [
            ("LAUNCH_FEED", "generator", "LAUNCH_FEED"),
            ("LAUNCH_FEED", "generator:-1", "LAUNCH_FEED"),
            ("LAUNCH_FEED", "", "is not set"),
            ("LAUNCH_HALT_TOKEN", "short", "shorter than 16"),
            ("LAUNCH_HALT_TOKEN", "control-control-control", "equals"),
            ("LAUNCH_LISTEN", "localhost", "no ip:port"),
            ("LAUNCH_MANIFEST", "", "LAUNCH_MANIFEST is not set"),
            ("RAILWAY_VOLUME_MOUNT_PATH", "", "forgets its positions"),
            ("LAUNCH_REHEARSE_FAULT", "explode", "LAUNCH_REHEARSE_FAULT"),
        ] {
            let mut env = base();
            env.insert(variable, value);
            let error = read(&env).unwrap_err().to_string();
            assert!(error.contains(part), "{variable}={value}: {error}");
            assert!(!error.contains("control-control-control"), "{error}");
        }
    }

    #[test]
    fn port_is_the_platforms_word_for_listen() {
        let mut env = base();
        env.remove("LAUNCH_LISTEN");
        env.insert("PORT", "8080");
        assert_eq!(read(&env).unwrap().listen.to_string(), "0.0.0.0:8080");
    }

    #[test]
    fn anything_but_off_is_a_freeze() {
        for (text, id) in [
            (
                r#"{"id":"f1","at":"2026-11-22T00:00:00Z","by":"kill","reason":"drill"}"#,
                Some("f1"),
            ),
            ("off", None),
            ("", Some(UNREADABLE_FREEZE_ID)),
            ("OFF?", Some(UNREADABLE_FREEZE_ID)),
            ("{}", Some(UNREADABLE_FREEZE_ID)),
        ] {
            let mut env = base();
            env.insert("LAUNCH_FREEZE", text);
            let freeze = read(&env).unwrap().freeze;
            assert_eq!(freeze.as_ref().map(|f| f.id.as_str()), id, "{text:?}");
        }
    }
}
