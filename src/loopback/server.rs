//! The HTTP side: listens on 127.0.0.1, refuses everyone who is not on this machine's own address,
//! ends when it is idle.
//!
//! Must not decide anything about deployments. Facts about Railway's edge (User-Agent, rate header,
//! 404 body): see `graphql` and the field report named in `timing`.

use std::fs::File;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use apollo_compiler::Schema;
use apollo_compiler::validation::Valid;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::access::Caller;
use super::admin;
use super::endpoint::{self, Endpoint};
use super::error::PlatformError;
use super::faults::{LONGEST_HANG_MS, NetworkKind};
use super::graphql;
use super::network::{self, Asked};
use super::request_log::{self, LoggedRequest};
use super::supervisor::{Platform, PlatformOptions, now_ms};
use super::wire::{Connection, Wire};

/// The server ends this long after its last live deployment (real time, not scaled): long enough
/// for a person to deploy again, short enough not to stay on a machine for ever.
pub const IDLE_EXIT: Duration = Duration::from_mins(10);
/// How often it looks whether it is idle.
const IDLE_LOOK: Duration = Duration::from_secs(1);
/// Open requests get this long to end when the server ends.
const GOODBYE: Duration = Duration::from_secs(2);

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) platform: Arc<Platform>,
    schema: &'static Valid<Schema>,
    pub(crate) ending: watch::Sender<bool>,
}

impl App {
    /// Waits so long, or until the server ends.
    async fn pause(&self, time: Duration) {
        let mut ended = self.ending.subscribe();
        let until = ended.wait_for(|ending| *ending);
        drop(tokio::time::timeout(time, until).await);
    }
}

/// A platform that answers.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) endpoint: Endpoint,
    pub(crate) platform: Arc<Platform>,
    ending: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
    supervisor: JoinHandle<()>,
    idle: JoinHandle<()>,
    /// Held for life: one platform per state directory.
    _lock: File,
}

/// Opens the platform, listens, writes `platform.json`. Errors: another platform serves this state
/// directory, port taken, files unusable. Port 0 = the port of the last time if it is free, so that
/// a kill file stays right over a restart; else any.
pub(crate) async fn start(options: &PlatformOptions, port: u16) -> Result<Served, PlatformError> {
    let lock = endpoint::lock_for_serving(&options.state_dir)?;
    let platform = Platform::open(options)?;
    let listener = listen(&options.state_dir, port).await?;
    let address = listener
        .local_addr()
        .map_err(|source| PlatformError::Listen { port, source })?;
    let (ending, mut ended) = watch::channel(false);
    let app = Arc::new(App {
        platform: Arc::clone(&platform),
        schema: graphql::schema()?,
        ending: ending.clone(),
    });
    let endpoint = Endpoint::of_this_process(address.port(), now_ms());
    endpoint.write(&options.state_dir)?;
    // What an earlier platform left is looked at before the first request can be answered.
    platform.look_at_all();
    let supervisor = tokio::spawn(Arc::clone(&platform).supervise());
    let idle = tokio::spawn(end_when_idle(
        Arc::clone(&platform),
        ending.clone(),
        IDLE_EXIT,
    ));
    let until = async move {
        drop(ended.wait_for(|ending| *ending).await);
    };
    let server = tokio::spawn(async move {
        let service = router(app).into_make_service_with_connect_info::<Connection>();
        axum::serve(Wire::new(listener), service)
            .with_graceful_shutdown(until)
            .await
    });
    Ok(Served {
        endpoint,
        platform,
        ending,
        server,
        supervisor,
        idle,
        _lock: lock,
    })
}

impl Served {
    /// Runs until the platform is idle or told to stop.
    pub(crate) async fn run(self) {
        self.platform
            .note(&format!("serving {}", self.endpoint.endpoint));
        let mut ended = self.ending.subscribe();
        drop(ended.wait_for(|ending| *ending).await);
        self.end().await;
    }

    /// Ends the server and leaves its processes alone.
    pub(crate) async fn end(self) {
        self.ending.send_replace(true);
        let stop_server = self.server.abort_handle();
        if tokio::time::timeout(GOODBYE, self.server).await.is_err() {
            stop_server.abort();
        }
        self.platform.abandon();
        self.supervisor.abort();
        self.idle.abort();
    }

    /// Ends everything without waiting for open requests.
    pub(crate) fn end_at_once(&self) {
        self.platform.abandon();
        self.ending.send_replace(true);
        self.server.abort();
        self.supervisor.abort();
        self.idle.abort();
    }

    /// Waits until the port is free again.
    pub(crate) async fn ended(self) {
        drop(self.server.await);
    }
}

/// Serves until idle or stopped. Errors as [`start`].
pub async fn serve(options: &PlatformOptions, port: u16) -> Result<(), PlatformError> {
    start(options, port).await?.run().await;
    Ok(())
}

async fn listen(state_dir: &std::path::Path, port: u16) -> Result<TcpListener, PlatformError> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if port == 0
        && let Some(last) = Endpoint::read(state_dir)?.and_then(|endpoint| endpoint.port())
        && let Ok(listener) = bind(last).await
    {
        return Ok(listener);
    }
    bind(port)
        .await
        .map_err(|source| PlatformError::Listen { port, source })
}

/// Ends the server once nothing has been live for `patience`, and at once where its folder is gone:
/// nobody could find it any more, nor what it runs.
pub(crate) async fn end_when_idle(
    platform: Arc<Platform>,
    ending: watch::Sender<bool>,
    patience: Duration,
) {
    let mut busy_at = Instant::now();
    while busy_at.elapsed() < patience {
        tokio::time::sleep(IDLE_LOOK.min(patience)).await;
        if !platform.dir.exists() {
            admin::wind_down(&platform).await;
            break;
        }
        if platform.has_live() {
            busy_at = Instant::now();
        }
    }
    platform.note("idle or homeless: ending");
    ending.send_replace(true);
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/graphql/v2", post(answer_graphql))
        .route("/loopback/ready", get(ready))
        .route("/loopback/services", post(admin::make_service))
        .route(
            "/loopback/faults",
            get(admin::faults).post(admin::set_faults),
        )
        .route("/loopback/processes", get(admin::processes))
        .route("/loopback/requests", get(admin::requests))
        .route("/loopback/status", get(admin::status))
        .route("/loopback/shutdown", post(admin::shut_down))
        .fallback(unrouted)
        .layer(middleware::from_fn(only_this_machine))
        .with_state(app)
}

/// A page in a browser can be made to call 127.0.0.1 under a name of its own (DNS rebinding); its
/// Host header gives it away.
async fn only_this_machine(request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost") {
        next.run(request).await
    } else {
        problem(
            StatusCode::MISDIRECTED_REQUEST,
            "this platform answers to 127.0.0.1 only",
        )
    }
}

pub(crate) fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

/// Railway's answer to a path that does not exist.
async fn unrouted(uri: Uri) -> Response {
    let request_id = super::files::random_hex::<8>().unwrap_or_default();
    let message = format!("Cannot find {}", uri.path());
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "message": message, "requestId": request_id })),
    )
        .into_response()
}

async fn answer_graphql(
    State(app): State<Arc<App>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    headers: HeaderMap,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    let mut line = LoggedRequest::of(&query, &headers, &body, now_ms());
    line.connection = connection.number;
    // Cloudflare stands before Railway and turns away whoever does not say what it is.
    let is_turned_away = !line.user_agent;
    let (kind, hang_ms) = app.platform.touch(|world| {
        let has_faults = !is_turned_away && !world.faults.network.is_empty();
        let asked = has_faults.then(|| Asked::of(&body));
        let kind = asked.and_then(|asked| network::meet(&mut world.faults, &asked));
        line.fault = kind.as_ref().map(network::name);
        request_log::push(&mut world.requests, line);
        (kind, world.faults.hang_ms)
    });
    let wait = |ms: u64| app.pause(Duration::from_millis(ms.min(LONGEST_HANG_MS)));
    wait(hang_ms).await;
    if is_turned_away {
        return (StatusCode::FORBIDDEN, "error code: 1010").into_response();
    }
    if kind == Some(NetworkKind::Hang) {
        wait(LONGEST_HANG_MS).await;
    }
    let turned_away = kind.as_ref().and_then(network::instead);
    let (response, way) = if let Some(turned_away) = turned_away {
        turned_away
    } else {
        let Some((status, answer)) = execute(&app, headers, body).await else {
            let message = "the platform failed on this request";
            return problem(StatusCode::INTERNAL_SERVER_ERROR, message);
        };
        if let Some(NetworkKind::Slow { ms }) = kind {
            wait(ms).await;
        }
        network::spoiled(kind.as_ref(), status, answer, now_ms())
    };
    connection.answer_goes(way);
    response
}

/// Carries out a request; `None` where the platform itself failed.
async fn execute(app: &Arc<App>, headers: HeaderMap, body: Bytes) -> Option<(StatusCode, Value)> {
    let worker = Arc::clone(app);
    // Reading a repository blocks; a stop must not wait behind it.
    let answered = tokio::task::spawn_blocking(move || {
        let caller = worker
            .platform
            .read(|world| Caller::of(&headers, &world.state));
        graphql::answer(&worker.platform, worker.schema, &caller, &body)
    });
    answered.await.ok()
}

/// Who serves here: no secrets, open to everyone on this machine.
async fn ready(State(app): State<Arc<App>>) -> Response {
    let me = launch_kill::process::identify(std::process::id());
    Json(json!({
        "pid": std::process::id(),
        "pid_start": me.as_ref().map(|me| me.start),
        "boot_id": me.map(|me| me.boot_id),
        "time_scale": app.platform.time_scale,
        "trader_bin": app.platform.trader_bin,
        "version": env!("CARGO_PKG_VERSION"),
    }))
    .into_response()
}
