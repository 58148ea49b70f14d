//! Who is asking: project tokens as Railway has them, and the admin token for what Railway does not
//! have.
//!
//! Must not let a token out: the types here print `[redacted]`.

use std::fmt;
use std::path::Path;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::error::PlatformError;
use super::files;
use super::state::{ServiceInstance, State};

/// File name of the admin token in the platform's folder.
const ADMIN_TOKEN_FILE: &str = "admin-token";
/// The header of a project token. Source: Railway's public API documentation.
const PROJECT_TOKEN_HEADER: &str = "project-access-token";
/// Railway's answer to whoever may not, and for ids that do not exist.
pub(crate) const NOT_AUTHORIZED: &str = "Not Authorized";
/// Railway's answer to a project token in the Bearer header (measured); ASSUMED also for an unknown
/// one in its own header.
pub(crate) const TOKEN_NOT_FOUND: &str = "Project Token not found";

/// The token for provisioning, faults and ground truth; whoever can read the platform's folder has
/// it.
pub(crate) struct AdminToken(String);

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl AdminToken {
    /// Reads the token that an earlier platform made, or makes one (file mode 0600).
    pub(crate) fn load_or_create(dir: &Path) -> Result<Self, PlatformError> {
        if let Some(token) = Self::load(dir)? {
            return Ok(token);
        }
        let token = files::random_hex::<32>()?;
        files::write_atomically(&dir.join(ADMIN_TOKEN_FILE), token.as_bytes())?;
        Ok(Self(token))
    }

    /// Reads the token of the platform in that folder.
    pub(crate) fn load(dir: &Path) -> Result<Option<Self>, PlatformError> {
        let bytes = files::read_if_present(&dir.join(ADMIN_TOKEN_FILE))?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .map(Self))
    }

    /// The header value that carries it.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether these headers carry it.
    pub(crate) fn is_in(&self, headers: &HeaderMap) -> bool {
        bearer_of(headers) == Some(self.0.as_str())
    }
}

/// Whoever a project token stands for: one environment of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) project_id: String,
    pub(crate) environment_id: String,
}

impl Caller {
    /// Reads the caller from the headers; `Err` is Railway's message.
    pub(crate) fn of(headers: &HeaderMap, state: &State) -> Result<Self, &'static str> {
        let with_token = |token: &str| state.instances.iter().find(|row| row.token == token);
        // Railway's own CLI sends the project token when it has both.
        if let Some(token) = headers
            .get(PROJECT_TOKEN_HEADER)
            .and_then(|value| value.to_str().ok())
        {
            return with_token(token).map(Self::from).ok_or(TOKEN_NOT_FOUND);
        }
        match bearer_of(headers) {
            Some(token) if with_token(token).is_some() => Err(TOKEN_NOT_FOUND),
            Some(_) | None => Err(NOT_AUTHORIZED),
        }
    }

    /// Whether the token may touch that environment.
    pub(crate) fn may(&self, environment_id: &str) -> bool {
        self.environment_id == environment_id
    }
}

impl From<&ServiceInstance> for Caller {
    fn from(row: &ServiceInstance) -> Self {
        Self {
            project_id: row.project_id.clone(),
            environment_id: row.environment_id.clone(),
        }
    }
}

fn bearer_of(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")
}
