//! The HTTP surface: look, halt, flatten, lease, re-enable.
//!
//! Answers without waiting for the loop, except where durability is the answer (halt, flatten, re-enable), and
//! then only so long. Must not decide anything about trading: it hands requests to the gate and the
//! loop. Types are `trader_core::wire`; refusals are JSON `{error}`.

mod listener;

pub use listener::{BoundedListener, CONNECTIONS_MAX, READ_TIMEOUT_MS};

use crate::clock;
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
    FlattenAnswer, FlattenRequest, HaltAnswer, HaltRequest, Halted, Health, LeaseAnswer,
    LeaseRequest, Live, ReenableAnswer, ReenableRequest,
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
    /// Make this order to sell durable and apply it. Answered with its end and the positions held.
    Flatten(Halted, oneshot::Sender<Result<Flattening, String>>),
    /// Make this re-enable durable and apply it. Answered with the reason of a refusal.
    Reenable(ReenableRequest, oneshot::Sender<Result<(), String>>),
    /// A lease was taken or renewed: the loop reads it from the gate.
    Leased,
}

/// An order to sell that is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flattening {
    /// The instant after which nothing more is sold.
    pub ends_at: EpochMs,
    /// Positions that were held when it began.
    pub positions: u32,
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
        .route("/flatten", post(flatten))
        .route("/lease", post(lease))
        .route("/reenable", post(reenable))
        .fallback(async || Refused::new(StatusCode::NOT_FOUND, "no such path"))
        .method_not_allowed_fallback(async || {
            Refused::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes another method",
            )
        })
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&surface),
            silence,
        ))
        .with_state(surface)
}

type Shared = State<Arc<Surface>>;
type Body = Result<Bytes, BytesRejection>;

async fn silence(State(surface): Shared, request: Request, next: Next) -> Response {
    if surface
        .silent_from
        .is_some_and(|from| Instant::now() >= from)
    {
        std::future::pending::<()>().await;
    }
    next.run(request).await
}

async fn health(State(surface): Shared, headers: HeaderMap) -> Result<Json<Health>, Refused> {
    surface.authorise(&headers, Needs::Either)?;
    let snapshot = surface.snapshot.borrow();
    Ok(Json(snapshot.at(Instant::now(), &surface.gate)))
}

async fn live(State(surface): Shared) -> Json<Live> {
    let instance = surface.gate.instance();
    Json(Live {
        alive: true,
        deployment_id: instance.deployment_id.clone(),
        nonce: instance.nonce.clone(),
    })
}

async fn halt(
    State(surface): Shared,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<HaltAnswer>, Refused> {
    surface.authorise(&headers, Needs::Either)?;
    let request: HaltRequest = parse(body)?;
    let halt = Halted {
        by: cut(&request.by),
        reason: cut(&request.reason),
        reduce_only: request.reduce_only,
        at: clock::wall(),
    };
    surface.gate.latch_halt(halt.clone());
    let durable = surface.ask(|reply| Control::Halt(halt, reply)).await;
    let open_orders = durable.map_err(|why| Refused {
        status: StatusCode::SERVICE_UNAVAILABLE,
        error: format!("halted in memory, not on disk: {why}; a restart would forget it"),
    })?;
    Ok(Json(HaltAnswer {
        halted: true,
        open_orders,
        nonce: surface.nonce(),
    }))
}

/// Sells what is held, for a bounded time: the halt token does, because it can only reduce. Entries
/// are off at once, whatever becomes of the rest.
async fn flatten(
    State(surface): Shared,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<FlattenAnswer>, Refused> {
    surface.authorise(&headers, Needs::Either)?;
    let request: FlattenRequest = parse(body)?;
    let now = clock::wall();
    let order = Halted {
        by: cut(&request.by),
        reason: cut(&request.reason),
        reduce_only: true,
        at: now,
    };
    surface.gate.latch_halt(order.clone());
    let durable = surface.ask(|reply| Control::Flatten(order, reply)).await;
    let flattening = durable.map_err(|why| Refused {
        status: StatusCode::SERVICE_UNAVAILABLE,
        error: format!("entries are off, nothing is sold: {why}"),
    })?;
    Ok(Json(FlattenAnswer {
        flattening: true,
        ends_at: flattening.ends_at,
        ends_in_ms: u64::try_from(flattening.ends_at - clock::wall()).unwrap_or(0),
        positions: flattening.positions,
        nonce: surface.nonce(),
    }))
}

async fn lease(
    State(surface): Shared,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LeaseAnswer>, Refused> {
    surface.authorise(&headers, Needs::Control)?;
    let request: LeaseRequest = parse(body)?;
    let answer = surface.gate.lease(&request, Instant::now());
    if answer.accepted {
        // A full queue means that the loop has work that will make it read the gate anyway.
        drop(surface.control.try_send(Control::Leased));
    }
    Ok(Json(answer))
}

async fn reenable(
    State(surface): Shared,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<ReenableAnswer>, Refused> {
    surface.authorise(&headers, Needs::Control)?;
    let request: ReenableRequest = parse(body)?;
    let request = ReenableRequest {
        reason: cut(&request.reason),
        by: cut(&request.by),
        freeze_id: cut(&request.freeze_id),
    };
    let durable = surface.ask(|reply| Control::Reenable(request, reply)).await;
    Ok(Json(ReenableAnswer {
        reenabled: durable.is_ok(),
        reason: durable.err().unwrap_or_else(|| "re-enabled".to_owned()),
        nonce: surface.nonce(),
    }))
}

/// A request that is not answered as asked: a status and `{error}`.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: String,
}

impl Refused {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status,
            error: error.into(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (
            self.status,
            Json(serde_json::json!({ "error": self.error })),
        )
            .into_response()
    }
}

impl Surface {
    fn nonce(&self) -> String {
        self.gate.instance().nonce.clone()
    }

    fn authorise(&self, headers: &HeaderMap, needs: Needs) -> Result<(), Refused> {
        let refuse = |why: &str| Refused::new(StatusCode::UNAUTHORIZED, why);
        let offered = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .ok_or_else(|| refuse("wanted Authorization: Bearer TOKEN"))?;
        // Both are always compared, so the time taken does not tell which one fitted.
        let (is_halt, is_control) = (
            self.halt_token.matches(offered),
            self.control_token.matches(offered),
        );
        let allowed = match needs {
            Needs::Either => is_halt || is_control,
            Needs::Control => is_control,
        };
        if allowed {
            Ok(())
        } else if is_halt {
            Err(refuse(
                "the halt token can only stop; this needs the control token",
            ))
        } else {
            Err(refuse("wrong token"))
        }
    }

    /// Asks the loop and waits at most [`DURABLE_WAIT_MS`] for its word.
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, String>>) -> Control,
    ) -> Result<T, String> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.control
                .send(request(reply))
                .await
                .map_err(|_| "the loop has ended".to_owned())?;
            answer.await.map_err(|_| "the loop has ended".to_owned())?
        };
        tokio::time::timeout(Duration::from_millis(DURABLE_WAIT_MS), asked)
            .await
            .unwrap_or_else(|_| Err(format!("no word from the loop within {DURABLE_WAIT_MS} ms")))
    }
}

fn parse<T: DeserializeOwned>(body: Body) -> Result<T, Refused> {
    let bytes = body.map_err(|refused| Refused::new(refused.status(), refused.body_text()))?;
    let unreadable = |why: &str| {
        Refused::new(
            StatusCode::BAD_REQUEST,
            format!("cannot read the body: {why}"),
        )
    };
    // A list would be read as the members in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(unreadable("a list, where an object belongs"));
    }
    serde_json::from_slice(&bytes).map_err(|error| unreadable(&cut(&error.to_string())))
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests;
