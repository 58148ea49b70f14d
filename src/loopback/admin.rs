//! What Railway does not have: provisioning, faults, ground truth, status and shutdown, for whoever
//! has the admin token.
//!
//! Must not show a secret to anyone without it.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::time::Instant;

use super::fault_rules;
use super::faults::Faults;
use super::ground_truth;
use super::lifecycle;
use super::provision::{self, ServiceSpec};
use super::report;
use super::server::{App, problem};
use super::state::Deployment;
use super::supervisor::{Platform, now_ms};

/// On `platform stop`, processes get their draining time and this long to be seen gone.
const WIND_DOWN_MARGIN: Duration = Duration::from_secs(10);
/// How often that is looked at.
const WIND_DOWN_LOOK: Duration = Duration::from_millis(20);

/// Runs a handler for whoever has the admin token.
fn as_admin(app: &App, headers: &HeaderMap, answer: impl FnOnce() -> Response) -> Response {
    if app.platform.admin.is_in(headers) {
        answer()
    } else {
        problem(
            StatusCode::UNAUTHORIZED,
            "wrong or missing admin token; it is in the platform's folder, file admin-token",
        )
    }
}

pub(crate) async fn make_service(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    as_admin(&app, &headers, || {
        let spec = serde_json::from_slice::<ServiceSpec>(&body).map_err(|error| error.to_string());
        match spec.and_then(|spec| provision::provision(&app.platform, &spec)) {
            Ok(answer) => Json(answer).into_response(),
            Err(error) => problem(StatusCode::BAD_REQUEST, &error),
        }
    })
}

pub(crate) async fn faults(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    as_admin(&app, &headers, || {
        Json(app.platform.read(|world| json!(world.faults))).into_response()
    })
}

pub(crate) async fn set_faults(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    as_admin(&app, &headers, || {
        let faults = match fault_rules::parse(&body) {
            Ok(faults) => faults,
            Err(error) => return problem(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        match app.platform.change(|world| world.faults = faults.clone()) {
            Ok(()) => Json(json!(faults)).into_response(),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    })
}

pub(crate) async fn processes(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    as_admin(&app, &headers, || {
        match ground_truth::living(&app.platform.dir) {
            Ok(living) => Json(json!(living)).into_response(),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    })
}

pub(crate) async fn requests(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    as_admin(&app, &headers, || {
        let requests = app.platform.read(|world| json!(world.requests));
        Json(requests).into_response()
    })
}

/// Environments and their live deployments, for `launch platform status`.
pub(crate) async fn status(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    as_admin(&app, &headers, || {
        let live = |row: &&Deployment| row.is_live();
        let answer = app.platform.read(|world| {
            let services = world.state.instances.iter().map(|row| {
                let deployments = world.state.deployments.iter().filter(live);
                json!({
                    "env": row.env,
                    "repo_dir": row.repo_dir,
                    "environment_id": row.environment_id,
                    "service_id": row.service_id,
                    "live": deployments
                        .filter(|one| one.belongs_to(&row.environment_id, &row.service_id))
                        .map(|one| json!({
                            "id": one.id,
                            "commit": one.commit,
                            "status": lifecycle::status_of(one.phase),
                            "pid": one.process.as_ref().map(|process| process.pid),
                        }))
                        .collect::<Vec<_>>(),
                })
            });
            json!({ "services": services.collect::<Vec<_>>(), "faults": world.faults })
        });
        Json(answer).into_response()
    })
}

/// Stops every deployment, then the server. The answer says what was stopped and whether any
/// process is left.
pub(crate) async fn shut_down(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if !app.platform.admin.is_in(&headers) {
        return as_admin(&app, &headers, || StatusCode::OK.into_response());
    }
    let (stopped, left) = wind_down(&app.platform).await;
    if left.is_empty() {
        app.ending.send_replace(true);
    }
    Json(json!({ "stopped": stopped, "left": left })).into_response()
}

/// Stops or cancels every live deployment and waits, bounded, until no process is left. Returns the
/// ids of those stopped and left.
pub(crate) async fn wind_down(platform: &Platform) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut longest_drain) = (Vec::new(), 0);
    let saved = platform.change(|world| {
        let now_ms = now_ms();
        // Whoever ends the platform wants the truth to end, too.
        world.faults = Faults::default();
        let live = world
            .state
            .deployments
            .iter_mut()
            .filter(|row| row.is_live());
        for row in live {
            report::lift(row);
            // One of the two fits every live phase; a removal under way needs neither.
            let asked =
                lifecycle::ask_stop(row, now_ms).or_else(|_| lifecycle::ask_cancel(row, now_ms));
            longest_drain = longest_drain.max(row.config.draining_secs);
            if asked.is_ok() {
                ids.push(row.id.clone());
            }
        }
    });
    // What cannot be written down is stopped all the same.
    if let Err(error) = saved {
        platform.note(&format!("{error}"));
    }
    let until = Instant::now() + Duration::from_secs(u64::from(longest_drain)) + WIND_DOWN_MARGIN;
    loop {
        let left: Vec<String> = platform.read(|world| {
            let rows = world.state.deployments.iter();
            rows.filter(|row| row.process.is_some() || row.may_start())
                .map(|row| row.id.clone())
                .collect()
        });
        if left.is_empty() || Instant::now() >= until {
            return (ids, left);
        }
        tokio::time::sleep(WIND_DOWN_LOOK).await;
    }
}
