//! What happens to a request or its answer on the way: the network faults, and nothing where none
//! is in force.
//!
//! Which fault a request meets, the answer of whoever turned it away before the platform saw it,
//! and what becomes of a true answer. Must not touch a deployment. What needs the socket is only
//! named here; `wire` does it. Facts: Railway's answers, see `graphql` and the field report named in
//! `timing`.

use std::sync::LazyLock;

use apollo_compiler::ast::{Definition, Document, Selection};
use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::access::{NOT_AUTHORIZED, TOKEN_NOT_FOUND};
use super::command_faults::PROBLEM;
use super::faults::{Faults, HUGE_BODY_BYTES, NetworkKind};
use super::spoil;
use super::wire::Way;

/// What Railway sends with every answer (measured on a trial plan; not enforced here).
const RATE_LIMIT_POLICY: &str = "\"default\";q=1000;w=3600";
/// Cloudflare's body of a 429.
const RATE_LIMITED: &str = "error code: 1015";
/// A page as an edge or a captive portal shows it.
const WEB_PAGE: &str = "<!doctype html><html><head><title>Just a moment...</title></head></html>";

/// The operation's name and its root fields, as a fault names them.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    names: Vec<String>,
}

impl Asked {
    /// Reads them from a request's body; what cannot be read has no names.
    pub(crate) fn of(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let mut names: Vec<String> = text("operationName")
            .map(str::to_owned)
            .into_iter()
            .collect();
        let document = Document::parse(text("query").unwrap_or_default(), "request.graphql");
        let document = document.unwrap_or_else(|broken| broken.partial);
        for definition in &document.definitions {
            if let Definition::OperationDefinition(operation) = definition {
                let fields = operation
                    .selection_set
                    .iter()
                    .filter_map(Selection::as_field);
                names.extend(fields.map(|field| field.name.to_string()));
            }
        }
        Self { names }
    }

    fn is(&self, wanted: &str) -> bool {
        self.names
            .iter()
            .any(|name| name.eq_ignore_ascii_case(wanted))
    }
}

/// The fault that this request meets: the first that fits. One that has happened as often as it
/// should is taken off the list.
pub(crate) fn meet(faults: &mut Faults, asked: &Asked) -> Option<NetworkKind> {
    faults.network.retain(|fault| fault.times != Some(0));
    let fault = faults.network.iter_mut().find(|fault| {
        fault.operations.is_empty() || fault.operations.iter().any(|name| asked.is(name))
    })?;
    let kind = fault.kind.clone();
    fault.times = fault.times.map(|times| times.saturating_sub(1));
    faults.network.retain(|fault| fault.times != Some(0));
    Some(kind)
}

/// The fault's name in the request log.
pub(crate) fn name(kind: &NetworkKind) -> String {
    match json!(kind) {
        Value::String(name) => name,
        Value::Object(fields) => fields.keys().next().cloned().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => String::new(),
    }
}

/// The answer to a request that the platform never sees; `None` = it sees it.
pub(crate) fn instead(kind: &NetworkKind) -> Option<(Response, Way)> {
    let whole = |response: Response| Some((response, Way::Whole));
    match kind {
        // The handler has waited; now nobody is to be answered.
        NetworkKind::Hang => Some((StatusCode::OK.into_response(), Way::Close)),
        NetworkKind::Reset => Some((StatusCode::OK.into_response(), Way::Reset)),
        NetworkKind::Status {
            code,
            retry_after_secs,
        } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::BAD_GATEWAY);
            let response = (status, format!("error code: {code}")).into_response();
            whole(with_retry_after(response, *retry_after_secs))
        }
        NetworkKind::RateLimited { retry_after_secs } => {
            let response = (StatusCode::TOO_MANY_REQUESTS, RATE_LIMITED).into_response();
            whole(with_retry_after(response, Some(*retry_after_secs)))
        }
        NetworkKind::Redirect { location } => {
            let response = StatusCode::TEMPORARY_REDIRECT.into_response();
            whole(with_header(response, LOCATION, location))
        }
        NetworkKind::NotAuthorized => whole(refusal(NOT_AUTHORIZED)),
        NetworkKind::TokenNotFound => whole(refusal(TOKEN_NOT_FOUND)),
        NetworkKind::ProblemProcessing => whole(refusal(PROBLEM)),
        NetworkKind::Slow { .. }
        | NetworkKind::DropConnection
        | NetworkKind::Garbage
        | NetworkKind::EmptyBody
        | NetworkKind::TruncatedBody
        | NetworkKind::SlowBody { .. }
        | NetworkKind::HugeBody
        | NetworkKind::NoData
        | NetworkKind::PartialErrors
        | NetworkKind::UnknownStatus
        | NetworkKind::UnknownFields
        | NetworkKind::ClockSkew { .. } => None,
    }
}

/// What becomes of a true answer.
pub(crate) fn spoiled(
    kind: Option<&NetworkKind>,
    status: StatusCode,
    mut answer: Value,
    now_ms: u64,
) -> (Response, Way) {
    let mut way = Way::Whole;
    let mut date = None;
    match kind {
        Some(NetworkKind::Garbage) => {
            let header = [(CONTENT_TYPE, "text/html; charset=UTF-8")];
            return ((header, WEB_PAGE).into_response(), way);
        }
        Some(NetworkKind::EmptyBody) => return (StatusCode::OK.into_response(), way),
        Some(NetworkKind::HugeBody) => return (huge(), way),
        Some(NetworkKind::NoData) => return (Json(json!({ "data": null })).into_response(), way),
        Some(NetworkKind::PartialErrors) => spoil::make_partial(&mut answer),
        Some(NetworkKind::UnknownStatus) => spoil::unknown_status(&mut answer),
        Some(NetworkKind::UnknownFields) => spoil::unknown_fields(&mut answer),
        Some(NetworkKind::ClockSkew { secs }) => {
            spoil::shift_times(&mut answer, *secs);
            date = spoil::http_date(now_ms, *secs);
        }
        Some(NetworkKind::DropConnection) => way = Way::Close,
        Some(NetworkKind::TruncatedBody) => way = Way::Cut(answer.to_string().len() / 2),
        Some(NetworkKind::SlowBody { ms_per_byte }) => way = Way::Drip(*ms_per_byte),
        Some(
            NetworkKind::Hang
            | NetworkKind::Slow { .. }
            | NetworkKind::Reset
            | NetworkKind::Status { .. }
            | NetworkKind::RateLimited { .. }
            | NetworkKind::Redirect { .. }
            | NetworkKind::NotAuthorized
            | NetworkKind::TokenNotFound
            | NetworkKind::ProblemProcessing,
        )
        | None => {}
    }
    let response = plain(status, answer);
    match date {
        Some(date) => (with_header(response, DATE, &date), way),
        None => (response, way),
    }
}

/// An answer as Railway sends it.
fn plain(status: StatusCode, answer: Value) -> Response {
    let policy = [("RateLimit-Policy", RATE_LIMIT_POLICY)];
    (status, policy, Json(answer)).into_response()
}

/// An execution error without a place, which Railway answers with status 200.
fn refusal(message: &str) -> Response {
    plain(
        StatusCode::OK,
        json!({ "errors": [spoil::error(message)], "data": null }),
    )
}

fn huge() -> Response {
    // One copy for all platforms of this process.
    static HUGE: LazyLock<Bytes> = LazyLock::new(|| {
        let (head, tail) = ("{\"data\":{\"padding\":\"", "\"}}");
        let padding = HUGE_BODY_BYTES.saturating_sub(head.len() + tail.len());
        Bytes::from(format!("{head}{}{tail}", "x".repeat(padding)))
    });
    let header = [(CONTENT_TYPE, "application/json")];
    (header, Body::from(HUGE.clone())).into_response()
}

fn with_retry_after(response: Response, secs: Option<u64>) -> Response {
    match secs {
        Some(secs) => with_header(response, RETRY_AFTER, &secs.to_string()),
        None => response,
    }
}

fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::faults::NetworkFault;

    fn fault(kind: NetworkKind, operations: &[&str], times: Option<u32>) -> NetworkFault {
        NetworkFault {
            kind,
            operations: operations.iter().map(|name| (*name).to_owned()).collect(),
            times,
        }
    }

    fn asked(query: &str, operation: Option<&str>) -> Asked {
        let body = json!({ "query": query, "operationName": operation });
        Asked::of(body.to_string().as_bytes())
    }

    #[test]
    fn the_first_that_fits_by_field_or_name_as_often_as_it_said() {
        let mut faults = Faults {
            network: vec![
                fault(NetworkKind::Garbage, &["deploymentStop"], Some(1)),
                fault(NetworkKind::NoData, &["DEPLOYMENTS"], None),
                fault(NetworkKind::Hang, &["deploymentStop"], Some(2)),
            ],
            ..Faults::default()
        };
        let stop = asked("mutation S { x: deploymentStop(id: \"1\") }", Some("S"));
        assert_eq!(meet(&mut faults, &stop), Some(NetworkKind::Garbage));
        assert_eq!(meet(&mut faults, &stop), Some(NetworkKind::Hang));
        assert_eq!(meet(&mut faults, &stop), Some(NetworkKind::Hang));
        assert_eq!(meet(&mut faults, &stop), None);
        assert_eq!(faults.network.len(), 1, "what is over is not in force");
        for _ in 0..3 {
            let list = asked("query Q { x }", Some("Deployments"));
            assert_eq!(meet(&mut faults, &list), Some(NetworkKind::NoData));
        }
        assert_eq!(meet(&mut faults, &Asked::of(b"\xff")), None);
    }

    #[test]
    fn a_fault_without_operations_meets_even_what_cannot_be_read() {
        let mut faults = Faults {
            network: vec![fault(NetworkKind::Reset, &[], None)],
            ..Faults::default()
        };
        assert_eq!(meet(&mut faults, &Asked::of(b"")), Some(NetworkKind::Reset));
        assert_eq!(name(&NetworkKind::Reset), "reset");
        assert_eq!(name(&NetworkKind::Slow { ms: 1 }), "slow");
    }
}
