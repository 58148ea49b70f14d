//! A fake exchange: one account, its orders, and switches for what it gets wrong.

use crate::fake::http::{Reply, Request, Server};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(crate) const WALLET: &str = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf";
pub(crate) const API_KEY: &str = "api-key-0123456789";
pub(crate) const SECRET: &str = "c2VjcmV0LW9mLW5vYm9keS0wMTIz";
pub(crate) const PASSPHRASE: &str = "passphrase-0123456789";

/// What the exchange holds and how it misbehaves.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) orders: Vec<String>,
    /// An order appears this long after each of so many cancellations.
    pub(crate) late: Option<(Duration, u32)>,
    pub(crate) due: Vec<(Instant, String)>,
    /// Cancellations that answer `not_canceled`.
    pub(crate) not_canceled: u32,
    /// Requests that are answered 425.
    pub(crate) not_ready: u32,
    /// Answers every signed request with this status.
    pub(crate) status: Option<u16>,
    /// Its clock minus this machine's, seconds.
    pub(crate) clock_offset: i64,
    pub(crate) positions: Option<Value>,
    pub(crate) key_deleted: bool,
    pub(crate) hangs: bool,
    /// Method, path and arrival.
    pub(crate) log: Vec<(String, Instant)>,
}

#[derive(Debug)]
pub(crate) struct FakeVenue {
    pub(crate) exchange: Arc<Mutex<Exchange>>,
    pub(crate) server: Server,
}

impl FakeVenue {
    pub(crate) fn start(exchange: Exchange) -> Self {
        let exchange = Arc::new(Mutex::new(exchange));
        let shared = Arc::clone(&exchange);
        let server = Server::start(move |request| answer(&shared, request));
        Self { exchange, server }
    }

    pub(crate) fn with_orders(orders: &[&str]) -> Self {
        Self::start(Exchange {
            orders: orders.iter().map(|id| (*id).to_owned()).collect(),
            ..Exchange::default()
        })
    }

    pub(crate) fn open(&self) -> Vec<String> {
        let mut exchange = self.exchange.lock().unwrap();
        exchange.advance();
        exchange.orders.clone()
    }

    pub(crate) fn count(&self, wanted: &str) -> usize {
        let exchange = self.exchange.lock().unwrap();
        exchange
            .log
            .iter()
            .filter(|(line, _)| line == wanted)
            .count()
    }

    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LAUNCH_CLOB_URL", self.server.url("")),
            ("POLYMARKET_ADDRESS", WALLET.into()),
            ("POLYMARKET_FUNDER", WALLET.into()),
            ("POLYMARKET_API_KEY", API_KEY.into()),
            ("POLYMARKET_API_SECRET", SECRET.into()),
            ("POLYMARKET_API_PASSPHRASE", PASSPHRASE.into()),
        ]
    }
}

impl Exchange {
    fn advance(&mut self) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.due)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.due = later;
        let due: Vec<(Instant, String)> = due;
        self.orders.extend(due.into_iter().map(|(_, id)| id));
    }

    fn cancel(&mut self, ids: Vec<String>) -> Reply {
        if self.not_canceled > 0 && !ids.is_empty() {
            self.not_canceled -= 1;
            let refused: serde_json::Map<String, Value> = ids
                .into_iter()
                .map(|id| (id, json!("being matched")))
                .collect();
            return ok(&json!({"canceled": [], "not_canceled": refused}));
        }
        self.orders.retain(|order| !ids.contains(order));
        ok(&json!({"canceled": ids, "not_canceled": {}}))
    }
}

fn ok(body: &Value) -> Reply {
    Reply::Json(200, body.to_string())
}

fn refused() -> Reply {
    Reply::Json(
        401,
        json!({"error": "Unauthorized/Invalid api key"}).to_string(),
    )
}

fn answer(exchange: &Mutex<Exchange>, request: &Request) -> Reply {
    let mut exchange = exchange.lock().unwrap();
    let path = request
        .path
        .split('?')
        .next()
        .unwrap_or_default()
        .to_owned();
    exchange
        .log
        .push((format!("{} {path}", request.method), Instant::now()));
    exchange.advance();
    if exchange.hangs {
        return Reply::Hang;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let now = i64::try_from(now).unwrap() + exchange.clock_offset;
    match path.as_str() {
        "/time" => return Reply::Json(200, now.to_string()),
        "/book" => return ok(&json!({"bids": [{"price": "0.01"}, {"price": "0.47"}]})),
        "/positions" => {
            return exchange
                .positions
                .as_ref()
                .map_or_else(|| Reply::Json(500, "{}".into()), ok);
        }
        _ => {}
    }
    let header = |name: &str| request.header(name).unwrap_or_default();
    let timestamp: i64 = header("poly_timestamp").parse().unwrap_or(0);
    let is_known = header("poly_address") == WALLET
        && header("poly_api_key") == API_KEY
        && header("poly_passphrase") == PASSPHRASE
        && !header("poly_signature").is_empty();
    if !is_known || exchange.key_deleted || (timestamp - now).abs() > 60 {
        return refused();
    }
    if let Some(status) = exchange.status {
        return Reply::Json(status, json!({"error": "no"}).to_string());
    }
    if exchange.not_ready > 0 {
        exchange.not_ready -= 1;
        return Reply::Json(425, json!({"error": "Service is not ready"}).to_string());
    }
    match (request.method.as_str(), path.as_str()) {
        ("DELETE", "/cancel-all") => {
            let ids = exchange.orders.clone();
            let reply = exchange.cancel(ids);
            if let Some((after, times @ 1..)) = exchange.late {
                exchange.late = Some((after, times - 1));
                let id = format!("late-{times}");
                exchange.due.push((Instant::now() + after, id));
            }
            reply
        }
        ("DELETE", "/orders") => {
            let ids = serde_json::from_str(&request.body).unwrap();
            exchange.cancel(ids)
        }
        ("GET", "/data/orders") => {
            let orders: Vec<Value> = exchange
                .orders
                .iter()
                .map(|id| {
                    json!({"id": id, "side": "BUY", "price": "0.48", "original_size": "20",
                        "asset_id": "713", "maker_address": WALLET})
                })
                .collect();
            ok(&json!({"data": orders, "next_cursor": "LTE="}))
        }
        ("DELETE", "/auth/api-key") => {
            exchange.key_deleted = true;
            ok(&json!("OK"))
        }
        _ => Reply::Json(404, "{}".into()),
    }
}
