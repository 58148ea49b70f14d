//! The watchdog's HTTP surface, as far as stopping needs it.
//!
//! Revoking withdraws the trading lease: once the last one has expired, the trader may not enter,
//! whatever the platform says.

use crate::call_error::CallError;
use crate::deadline::Deadline;
use crate::endpoint::Endpoint;
use crate::json_http::JsonClient;
use crate::secret::Secret;
use serde_json::{Value, json};
use std::time::Duration;

/// A watchdog at one address.
#[derive(Debug, Clone)]
pub struct Watchdog(JsonClient);

/// Answer to `POST /revoke`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Whether the watchdog will grant nothing more until a person re-enables.
    pub frozen: bool,
    /// When the last lease it granted runs out, from now; `None` when it does not say.
    pub last_grant_expires_in: Option<Duration>,
}

impl Watchdog {
    /// A client for the watchdog at `base`; `token` is the halt or the control token.
    ///
    /// # Errors
    /// [`CallError::Setup`] when TLS cannot be set up.
    pub fn new(base: Endpoint, token: Option<Secret>) -> Result<Self, CallError> {
        JsonClient::new(base, token).map(Self)
    }

    /// The transport, for requests that are not about stopping (`/expect`, `/hold`).
    pub fn json(&self) -> &JsonClient {
        &self.0
    }

    /// `POST /revoke`.
    pub async fn revoke(
        &self,
        reason: &str,
        by: &str,
        deadline: Deadline,
    ) -> Result<Revoked, CallError> {
        let answer = self
            .0
            .post("/revoke", &json!({"reason": reason, "by": by}), deadline)
            .await?;
        let expires = answer
            .get("last_grant_expires_in_ms")
            .and_then(Value::as_i64);
        Ok(Revoked {
            frozen: answer
                .get("frozen")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            last_grant_expires_in: expires
                .map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0))),
        })
    }

    /// `POST /reenable`: lifts the revocation that `freeze_id` stands for. Needs the control token.
    ///
    /// # Errors
    /// It does not answer, or refuses (a tripped watchdog always does).
    pub async fn reenable(
        &self,
        reason: &str,
        by: &str,
        freeze_id: &str,
        deadline: Deadline,
    ) -> Result<(), CallError> {
        let body = json!({"reason": reason, "by": by, "freeze_id": freeze_id});
        self.0.post("/reenable", &body, deadline).await.map(drop)
    }

    /// `GET /health`, as told.
    pub async fn health(&self, deadline: Deadline) -> Result<Value, CallError> {
        self.0.get("/health", deadline).await
    }
}
