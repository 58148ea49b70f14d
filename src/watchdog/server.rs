//! The watchdog's HTTP surface, loopback by default: what kill, deploy and reenable say to it.
//!
//! | request | token | answer |
//! |---|---|---|
//! | `GET /health` | halt or control | what it does and why |
//! | `POST /revoke {reason, by}` | halt or control | `{frozen, last_grant_expires_in_ms}`: nothing is granted any more |
//! | `POST /expect {plan, deployment_id, instance_nonce, trader_url}` | control | `{expected}` |
//! | `POST /hold {reason, by}` | control | `{holding, last_grant_expires_in_ms}`: no freeze |
//! | `POST /reenable {reason, by, freeze_id}` | control | `{frozen, reason}` |
//!
//! A wrong or missing token is 401, a bad body 400, both JSON `{error}`. Decides nothing by itself.

use super::expectation::{EXPECTATION_MAX_BYTES, Expectation};
use super::shared::{Revocation, Shared};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use launch_kill::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;
use trader_core::digest;

/// What the surface needs to answer.
#[derive(Debug, Clone)]
pub struct Surface {
    /// The watch.
    pub shared: Arc<Shared>,
    /// Environment, for `/health`.
    pub env: String,
    /// RFC 3339 UTC, for `/health`.
    pub started_at: String,
    /// Can only stop.
    pub halt_token: Secret,
    /// Leases, expects and re-enables.
    pub control_token: Secret,
    /// Tells the patrol to look now and to write down what changed.
    pub wake: Arc<Notify>,
}

/// Which tokens a request may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    HaltOrControl,
    Control,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    reason: String,
    by: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reenable {
    reason: String,
    by: String,
    freeze_id: String,
}

/// The routes.
pub fn router(surface: Surface) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/revoke", post(revoke))
        .route("/expect", post(expect))
        .route("/hold", post(hold))
        .route("/reenable", post(reenable))
        .layer(DefaultBodyLimit::max(EXPECTATION_MAX_BYTES))
        .with_state(surface)
}

type Answer = Result<axum::Json<Value>, Refusal>;

/// An answer that is not 200.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, axum::Json(json!({"error": self.1}))).into_response()
    }
}

impl Surface {
    fn check(&self, headers: &HeaderMap, needs: Needs) -> Result<(), Refusal> {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        // Digests are compared, so that timing tells nothing about a token.
        let is = |token: &Secret| {
            given.is_some_and(|text| {
                digest::sha256(text.as_bytes()) == digest::sha256(token.expose().as_bytes())
            })
        };
        if is(&self.control_token) || (needs == Needs::HaltOrControl && is(&self.halt_token)) {
            return Ok(());
        }
        let wanted = match needs {
            Needs::HaltOrControl => "the halt or control token is wanted",
            Needs::Control => "the control token is wanted",
        };
        Err(Refusal(StatusCode::UNAUTHORIZED, wanted.to_owned()))
    }

    fn said_by_a_person(text: &str, field: &str) -> Result<(), Refusal> {
        if text.trim().is_empty() {
            return Err(Refusal(
                StatusCode::BAD_REQUEST,
                format!("`{field}` is empty"),
            ));
        }
        Ok(())
    }
}

fn body<T: for<'a> Deserialize<'a>>(bytes: &Bytes) -> Result<T, Refusal> {
    let bad = |why: &str| Refusal(StatusCode::BAD_REQUEST, format!("bad body: {why}"));
    // A list would be read as the members in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(bad("a list, where an object belongs"));
    }
    serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))
}

async fn health(State(surface): State<Surface>, headers: HeaderMap) -> Answer {
    surface.check(&headers, Needs::HaltOrControl)?;
    let now_ms = surface.shared.now_ms();
    let watch = surface.shared.watch();
    Ok(axum::Json(watch.health(
        now_ms,
        &surface.env,
        &surface.started_at,
    )))
}

async fn revoke(State(surface): State<Surface>, headers: HeaderMap, bytes: Bytes) -> Answer {
    surface.check(&headers, Needs::HaltOrControl)?;
    let asked: Asked = body(&bytes)?;
    let expires_in_ms = {
        let mut watch = surface.shared.watch();
        watch.revoked = Some(Revocation {
            by: asked.by,
            reason: asked.reason,
        });
        watch.book.expires_in_ms(surface.shared.now_ms())
    };
    surface.wake.notify_one();
    Ok(axum::Json(
        json!({"frozen": true, "last_grant_expires_in_ms": expires_in_ms}),
    ))
}

async fn hold(State(surface): State<Surface>, headers: HeaderMap, bytes: Bytes) -> Answer {
    surface.check(&headers, Needs::Control)?;
    let asked: Asked = body(&bytes)?;
    Surface::said_by_a_person(&asked.reason, "reason")?;
    let expires_in_ms = {
        let mut watch = surface.shared.watch();
        watch
            .patrol
            .hold_as_asked(format!("{} ({})", asked.reason, asked.by));
        watch.book.expires_in_ms(surface.shared.now_ms())
    };
    surface.wake.notify_one();
    Ok(axum::Json(
        json!({"holding": true, "last_grant_expires_in_ms": expires_in_ms}),
    ))
}

async fn expect(State(surface): State<Surface>, headers: HeaderMap, bytes: Bytes) -> Answer {
    surface.check(&headers, Needs::Control)?;
    let expected: Expectation = body(&bytes)?;
    let bad = |why: String| Refusal(StatusCode::BAD_REQUEST, why);
    expected
        .plan
        .check_digests()
        .map_err(|error| bad(error.to_string()))?;
    if expected.plan.intent.env != surface.env {
        return Err(bad(format!(
            "the plan is for {}, this watchdog watches {}",
            expected.plan.intent.env, surface.env
        )));
    }
    launch_kill::Endpoint::parse(&expected.trader_url).map_err(|error| bad(error.to_string()))?;
    Surface::said_by_a_person(&expected.deployment_id, "deployment_id")?;
    Surface::said_by_a_person(&expected.instance_nonce, "instance_nonce")?;
    let deployment_id = expected.deployment_id.clone();
    {
        let mut watch = surface.shared.watch();
        if watch.tripped {
            return Err(Refusal(
                StatusCode::CONFLICT,
                "this watchdog has tripped and is stopping its target".to_owned(),
            ));
        }
        watch.expect(expected, surface.shared.now_ms());
    }
    surface.wake.notify_one();
    Ok(axum::Json(json!({"expected": deployment_id})))
}

async fn reenable(State(surface): State<Surface>, headers: HeaderMap, bytes: Bytes) -> Answer {
    surface.check(&headers, Needs::Control)?;
    let asked: Reenable = body(&bytes)?;
    for (text, field) in [
        (&asked.reason, "reason"),
        (&asked.by, "by"),
        (&asked.freeze_id, "freeze_id"),
    ] {
        Surface::said_by_a_person(text, field)?;
    }
    let frozen = {
        let mut watch = surface.shared.watch();
        if watch.tripped {
            return Err(Refusal(
                StatusCode::CONFLICT,
                "this watchdog has tripped and is stopping its target".to_owned(),
            ));
        }
        watch.revoked = None;
        // The freeze itself is read anew by the next look; until then it counts as it was.
        watch.frozen.is_some()
    };
    surface.wake.notify_one();
    Ok(axum::Json(
        json!({"frozen": frozen, "reason": "the revocation is lifted"}),
    ))
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
