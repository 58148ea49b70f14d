//! One request: misbehave, check the signature, answer as the venue does.
//!
//! Shapes: `docs.polymarket.com` (CLOB order endpoints, `/book`, `/time`; data API `/positions`) and
//! what `py-clob-client-v2` 1.2.1 reads of them.

use super::account::{Holding, RestingOrder, VenueRequest};
use super::faults::NotReady;
use super::serve::Shared;
use super::signature::{self, Signed};
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Largest body that is read, bytes.
const BODY_MAX_BYTES: usize = 1024 * 1024;
/// Orders on one page (the venue's own figure).
const PAGE_SIZE: usize = 100;
/// The cursor that says "no more" (base64 of `-1`).
const END_CURSOR: &str = "LTE=";
/// What a client without an order in hand asks for first (base64 of `0`).
const FIRST_CURSOR: &str = "MA==";
/// Positions of fewer shares are left out unless the request says otherwise (data API's default).
const SIZE_THRESHOLD: Decimal = Decimal::ONE;

pub(super) async fn answer(shared: &Shared, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_MAX_BYTES).await.unwrap_or_default();
    let (place, faults) = {
        let mut account = shared.lock();
        let at = account.started.elapsed();
        let place = account.note(VenueRequest {
            at,
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            is_signed: parts.headers.contains_key("POLY_SIGNATURE"),
            refused: None,
            status: None,
        });
        (place, account.faults.clone())
    };
    if faults.hang {
        return std::future::pending().await;
    }
    tokio::time::sleep(Duration::from_millis(faults.delay_ms)).await;
    let response = respond(
        shared,
        place,
        parts.method.as_str(),
        &parts.uri,
        &parts.headers,
        &body,
    );
    tokio::time::sleep(Duration::from_millis(faults.answer_delay_ms)).await;
    if let Some(line) = shared.lock().log.get_mut(place) {
        line.status = Some(response.status().as_u16());
    }
    response
}

fn respond(
    shared: &Shared,
    place: usize,
    method: &str,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Response {
    let path = uri.path();
    let faults = shared.lock().faults.clone();
    if faults.down {
        return error(StatusCode::SERVICE_UNAVAILABLE, "down");
    }
    if faults.garbage {
        return Html("<html><body>We'll be right back</body></html>").into_response();
    }
    if let Some(status) = faults.status {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return error(status, "could not run the execution");
    }
    match (method, path) {
        ("GET", "/ok") => return Json(json!("OK")).into_response(),
        ("GET", "/time") => return Json(json!(now_secs(faults.clock_offset_secs))).into_response(),
        ("GET", "/version") => return Json(json!({"version": 2})).into_response(),
        ("GET", "/book") => return book(shared, uri),
        ("GET", "/positions") => return positions(shared, uri),
        _ => {}
    }
    let refused = refusal(shared, method, path, headers, body);
    if let Some(why) = refused {
        if let Some(line) = shared.lock().log.get_mut(place) {
            line.refused = Some(why);
        }
        return error(StatusCode::UNAUTHORIZED, "Unauthorized/Invalid api key");
    }
    if is_not_ready(shared) {
        return error(StatusCode::TOO_EARLY, "Service is not ready");
    }
    match (method, path) {
        ("GET", "/data/orders") => orders(shared, uri),
        ("DELETE", "/cancel-all") => cancel(shared, None),
        ("DELETE", "/orders") => match serde_json::from_slice::<Vec<String>>(body) {
            Ok(ids) => cancel(shared, Some(ids)),
            Err(_) => error(StatusCode::BAD_REQUEST, "Invalid orderIDs"),
        },
        ("DELETE", "/order") => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            match body.get("orderID").and_then(Value::as_str) {
                Some(id) => cancel(shared, Some(vec![id.to_owned()])),
                None => error(StatusCode::BAD_REQUEST, "Invalid orderID"),
            }
        }
        ("DELETE", "/auth/api-key") => delete_key(shared),
        ("GET", "/auth/api-keys") => {
            let key = shared.lock().credentials.api_key.clone();
            Json(json!({"apiKeys": [key]})).into_response()
        }
        _ => error(StatusCode::NOT_FOUND, "not found"),
    }
}

/// Why the request is not the account's own.
fn refusal(
    shared: &Shared,
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Option<String> {
    let account = shared.lock();
    if account.faults.unauthorized {
        return Some("as told".into());
    }
    if account.is_key_deleted && !account.faults.key_deletion_acknowledged_only {
        return Some("the key was deleted".into());
    }
    let now = now_secs(account.faults.clock_offset_secs);
    let signed = Signed { method, path, body };
    signature::check(signed, headers, &account.credentials, now)
        .err()
        .map(str::to_owned)
}

fn is_not_ready(shared: &Shared) -> bool {
    let mut account = shared.lock();
    match account.faults.not_ready {
        NotReady::Never | NotReady::Times(0) => false,
        NotReady::Always => true,
        NotReady::Times(left) => {
            account.faults.not_ready = NotReady::Times(left.saturating_sub(1));
            true
        }
    }
}

fn cancel(shared: &Shared, ids: Option<Vec<String>>) -> Response {
    let mut account = shared.lock();
    if account.faults.refuse {
        return error(StatusCode::BAD_REQUEST, "the order book is being changed");
    }
    Json(account.cancel(ids)).into_response()
}

fn delete_key(shared: &Shared) -> Response {
    let mut account = shared.lock();
    if account.faults.key_deletion_refused {
        return error(StatusCode::BAD_REQUEST, "could not delete the key");
    }
    account.is_key_deleted = !account.faults.key_deletion_acknowledged_only;
    Json(json!("OK")).into_response()
}

fn orders(shared: &Shared, uri: &Uri) -> Response {
    let mut account = shared.lock();
    let size = if account.faults.page_size == 0 {
        PAGE_SIZE
    } else {
        account.faults.page_size
    };
    let cursor = parameter(uri, "next_cursor").unwrap_or_else(|| FIRST_CURSOR.to_owned());
    let Some(from) = offset_of(&cursor) else {
        return error(StatusCode::BAD_REQUEST, "invalid next_cursor");
    };
    let all = account.shown_orders();
    let page: Vec<Value> = all
        .iter()
        .skip(from)
        .take(size)
        .map(|order| {
            order_json(
                order,
                &account.credentials.address,
                &account.credentials.api_key,
            )
        })
        .collect();
    let next = from.saturating_add(size);
    let next_cursor = if next < all.len() || account.faults.endless_pages {
        cursor_of(next)
    } else {
        END_CURSOR.to_owned()
    };
    Json(json!({"limit": size, "count": page.len(), "next_cursor": next_cursor, "data": page}))
        .into_response()
}

fn cursor_of(offset: usize) -> String {
    STANDARD.encode(offset.to_string())
}

fn offset_of(cursor: &str) -> Option<usize> {
    let bytes = STANDARD.decode(cursor).ok()?;
    String::from_utf8(bytes).ok()?.parse().ok()
}

fn order_json(order: &RestingOrder, address: &str, owner: &str) -> Value {
    json!({
        "id": order.id, "status": "LIVE", "owner": owner, "maker_address": address,
        "market": order.market, "asset_id": order.asset_id, "side": order.side,
        "original_size": order.size, "size_matched": "0", "price": order.price,
        "outcome": "Up", "order_type": "GTC", "expiration": "0",
        "created_at": 1_795_393_200, "associate_trades": [],
    })
}

fn book(shared: &Shared, uri: &Uri) -> Response {
    let account = shared.lock();
    let token = parameter(uri, "token_id").unwrap_or_default();
    let Some(holding) = account
        .holdings
        .iter()
        .find(|holding| holding.asset == token)
    else {
        return error(
            StatusCode::NOT_FOUND,
            "No orderbook exists for the requested token id",
        );
    };
    let best = holding.bid.as_ref().filter(|_| !account.faults.no_bids);
    // The venue lists bids from the worst to the best.
    let bids: Vec<Value> = best
        .map(|bid| {
            vec![
                json!({"price": "0.01", "size": "1000"}),
                json!({"price": bid, "size": "50"}),
            ]
        })
        .unwrap_or_default();
    Json(
        json!({"market": "0x", "asset_id": token, "timestamp": "0", "hash": "", "bids": bids,
        "asks": [{"price": "0.99", "size": "1000"}], "min_order_size": "5", "tick_size": "0.01"}),
    )
    .into_response()
}

fn positions(shared: &Shared, uri: &Uri) -> Response {
    let account = shared.lock();
    if account.faults.positions_down {
        return error(StatusCode::INTERNAL_SERVER_ERROR, "internal error");
    }
    let Some(user) = parameter(uri, "user") else {
        return error(
            StatusCode::BAD_REQUEST,
            "required query param 'user' not provided",
        );
    };
    let number = |name: &str| parameter(uri, name).and_then(|text| text.parse::<usize>().ok());
    let threshold = parameter(uri, "sizeThreshold")
        .and_then(|text| text.parse().ok())
        .unwrap_or(SIZE_THRESHOLD);
    let is_ours = user.eq_ignore_ascii_case(&account.credentials.address);
    let items: Vec<String> = account
        .holdings
        .iter()
        .filter(|holding| {
            is_ours
                && holding
                    .size
                    .parse::<Decimal>()
                    .is_ok_and(|size| size >= threshold)
        })
        .skip(number("offset").unwrap_or(0))
        .take(number("limit").unwrap_or(PAGE_SIZE))
        .map(|holding| position_json(holding, &user, account.faults.positions_without_size))
        .collect();
    let text = format!("[{}]", items.join(","));
    ([("content-type", "application/json")], text).into_response()
}

/// Written by hand: the numbers stand in the answer exactly as they were given.
fn position_json(holding: &Holding, user: &str, without_size: bool) -> String {
    let mut rest = json!({
        "proxyWallet": user, "asset": holding.asset,
        "conditionId": format!("0x{:064x}", 0xc0_u32), "redeemable": false, "mergeable": false,
        "title": holding.slug, "slug": holding.slug, "eventSlug": holding.slug,
        "outcome": holding.outcome, "endDate": "2026-11-23", "negativeRisk": false,
    })
    .to_string();
    rest.truncate(rest.len().saturating_sub(1));
    let size = if without_size {
        String::new()
    } else {
        format!(",\"size\":{}", holding.size)
    };
    format!(
        "{rest}{size},\"avgPrice\":{},\"curPrice\":0.5}}",
        holding.avg_price
    )
}

/// A parameter of the query, percent-decoded as far as cursors need it.
fn parameter(uri: &Uri, name: &str) -> Option<String> {
    uri.query()?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.replace("%3D", "=").replace("%3d", "="))
    })
}

fn error(status: StatusCode, text: &str) -> Response {
    (status, Json(json!({"error": text}))).into_response()
}

/// The venue's clock, Unix seconds.
fn now_secs(offset: i64) -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs())
        .unwrap_or(i64::MAX)
        .saturating_add(offset)
}
