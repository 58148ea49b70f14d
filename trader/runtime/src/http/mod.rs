//! The HTTP surface: look, halt, lease, re-enable.
//!
//! Answers without waiting for the loop, except where durability is the answer (halt, re-enable), and
//! then only so long. Must not decide anything about trading: it hands requests to the gate and the
//! loop. Types are `trader_core::wire`; refusals are JSON `{error}`.

mod listener;

pub use listener::{BoundedListener, CONNECTIONS_MAX, READ_TIMEOUT_MS};

use crate::gate::Gate;
use crate::health::Snapshot;
use crate::secret::Secret;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use trader_core::units::EpochMs;
use trader_core::wire::{
    HaltAnswer, HaltRequest, Halted, LeaseRequest, Live, ReenableAnswer, ReenableRequest,
};

/// Largest request body, bytes; ours are a few hundred.
pub const BODY_MAX_BYTES: usize = 16 * 1024;

/// How long a halt or re-enable waits for the loop to make it durable, ms.
pub const DURABLE_WAIT_MS: u64 = 5_000;

/// Longest reason and name that are kept, characters; longer text is cut.
pub const TEXT_MAX_CHARS: usize = 500;

/// What the HTTP surface asks of the loop.
#[derive(Debug)]
pub enum Control {
    /// Make this halt durable and apply it. Answered with the number of open orders.
    Halt(Halted, oneshot::Sender<Result<u32, String>>),
    /// Make this re-enable durable and apply it. Answered with the reason of a refusal.
    Reenable(ReenableRequest, oneshot::Sender<Result<(), String>>),
    /// A lease was taken or renewed: the loop reads it from the gate.
    Leased,
}

/// What the handlers share.
#[derive(Debug)]
pub struct Surface {
    /// Can halt and look.
    pub halt_token: Secret,
    /// Can lease, re-enable, halt and look.
    pub control_token: Secret,
    /// Lease and halt.
    pub gate: Arc<Gate>,
    /// The loop's newest snapshot.
    pub snapshot: watch::Receiver<Snapshot>,
    /// To the loop.
    pub control: mpsc::Sender<Control>,
    /// A planted fault: from this instant on, nothing is answered.
    pub silent_from: Option<Instant>,
}

/// Which tokens a route takes.
#[derive(Debug, Clone, Copy)]
enum Needs {
    Either,
    Control,
}

/// The routes over a surface.
pub fn router(surface: Arc<Surface>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/health/live", get(live))
        .route("/halt", post(halt))
        .route("/lease", post(lease))
        .route("/reenable", post(reenable))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "no such path"))
        .method_not_allowed_fallback(async || {
            refuse(StatusCode::METHOD_NOT_ALLOWED, "this path takes another method")
        })
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(Arc::clone(&surface), silence))
        .with_state(surface)
}

type Shared = State<Arc<Surface>>;

async fn silence(State(surface): Shared, request: Request, next: Next) -> Response {
    if surface.silent_from.is_some_and(|from| Instant::now() >= from) {
        std::future::pending::<()>().await;
    }
    next.run(request).await
}

async fn health(State(surface): Shared, headers: HeaderMap) -> Response {
    if let Err(refused) = surface.authorise(&headers, Needs::Either) {
        return refused;
    }
    let health = surface.snapshot.borrow().at(Instant::now(), &surface.gate);
    Json(health).into_response()
}

async fn live(State(surface): Shared) -> Response {
    let instance = surface.gate.instance();
    Json(Live {
        alive: true,
        deployment_id: instance.deployment_id.clone(),
        nonce: instance.nonce.clone(),
    })
    .into_response()
}

async fn halt(
    State(surface): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if let Err(refused) = surface.authorise(&headers, Needs::Either) {
        return refused;
    }
    let request: HaltRequest = match parse(body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let halt = Halted {
        by: cut(&request.by),
        reason: cut(&request.reason),
        reduce_only: request.reduce_only,
        at: wall_clock(),
    };
    surface.gate.latch_halt(halt.clone());
    let nonce = surface.gate.instance().nonce.clone();
    match surface.ask(|reply| Control::Halt(halt, reply)).await {
        Ok(open_orders) => Json(HaltAnswer { halted: true, open_orders, nonce }).into_response(),
        Err(why) => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("halted in memory, not on disk: {why}; a restart would forget it"),
        ),
    }
}

async fn lease(
    State(surface): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if let Err(refused) = surface.authorise(&headers, Needs::Control) {
        return refused;
    }
    let request: LeaseRequest = match parse(body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let answer = surface.gate.lease(&request, Instant::now());
    if answer.accepted {
        // A full queue means that the loop has work that will make it read the gate anyway.
        drop(surface.control.try_send(Control::Leased));
    }
    Json(answer).into_response()
}

async fn reenable(
    State(surface): Shared,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if let Err(refused) = surface.authorise(&headers, Needs::Control) {
        return refused;
    }
    let request: ReenableRequest = match parse(body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let request = ReenableRequest {
        reason: cut(&request.reason),
        by: cut(&request.by),
        freeze_id: cut(&request.freeze_id),
    };
    let nonce = surface.gate.instance().nonce.clone();
    let (reenabled, reason) = match surface.ask(|reply| Control::Reenable(request, reply)).await {
        Ok(()) => (true, "re-enabled".to_owned()),
        Err(why) => (false, why),
    };
    Json(ReenableAnswer { reenabled, reason, nonce }).into_response()
}

impl Surface {
    fn authorise(&self, headers: &HeaderMap, needs: Needs) -> Result<(), Response> {
        let offered = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| refuse(StatusCode::UNAUTHORIZED, "wanted Authorization: Bearer TOKEN"))?;
        // Both are always compared, so the time taken does not tell which one fitted.
        let (is_halt, is_control) =
            (self.halt_token.matches(offered), self.control_token.matches(offered));
        let allowed = match needs {
            Needs::Either => is_halt || is_control,
            Needs::Control => is_control,
        };
        if allowed {
            Ok(())
        } else if is_halt {
            Err(refuse(StatusCode::UNAUTHORIZED, "the halt token can only stop; this needs the control token"))
        } else {
            Err(refuse(StatusCode::UNAUTHORIZED, "wrong token"))
        }
    }

    /// Asks the loop and waits at most [`DURABLE_WAIT_MS`] for its word.
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Control,
    ) -> Result<T, String> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.control.send(request(reply)).await.map_err(|_| "the loop has ended".to_owned())?;
            answer.await.map_err(|_| "the loop has ended".to_owned())?
        };
        tokio::time::timeout(Duration::from_millis(DURABLE_WAIT_MS), asked)
            .await
            .unwrap_or_else(|_| Err(format!("no word from the loop within {DURABLE_WAIT_MS} ms")))
    }
}

fn parse<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Response> {
    let bytes = body.map_err(|rejection| refuse(rejection.status(), &rejection.body_text()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| refuse(StatusCode::BAD_REQUEST, &format!("cannot read the body: {error}")))
}

fn refuse(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX_CHARS).collect()
}

fn wall_clock() -> EpochMs {
    EpochMs(jiff::Timestamp::now().as_millisecond())
}
