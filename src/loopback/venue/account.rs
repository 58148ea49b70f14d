//! What the stub holds: one account with its orders and positions, and what was asked of it.

use super::faults::VenueFaults;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Requests that are remembered; older ones are dropped.
const LOG_MAX: usize = 10_000;

/// The account's credentials. They are made up and open nothing: this stub is all they fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `POLY_ADDRESS`; the wallet of the positions too.
    pub address: String,
    /// `POLY_API_KEY`.
    pub api_key: String,
    /// Base64url, as the venue hands it out.
    pub secret: String,
    /// `POLY_PASSPHRASE`.
    pub passphrase: String,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            // The address of the private key 0x…01, which official clients need to start.
            address: "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf".into(),
            api_key: "6a3f1c52-9d0e-4a77-8b1d-2f5e8c9a0b11".into(),
            // 32 bytes whose base64 holds both characters in which the two alphabets differ.
            secret: "-_-8wq3Lm0PZ7hXkT2sRvYbN5gJdQe1uIoAfCx4WzKE=".into(),
            passphrase: "b9f3c1d27a5e48f06c2d9b7e1a4f83c5".into(),
        }
    }
}

/// An order that rests in the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestingOrder {
    /// The venue's id (0x…).
    pub id: String,
    /// Condition id.
    pub market: String,
    /// Token.
    pub asset_id: String,
    /// `BUY` or `SELL`.
    pub side: String,
    /// Decimal.
    pub price: String,
    /// Decimal.
    pub size: String,
}

impl RestingOrder {
    /// An order that differs from others by its number.
    pub fn numbered(number: u32) -> Self {
        Self {
            id: format!("0x{number:064x}"),
            market: format!("0x{:064x}", 0xc0_u32),
            asset_id:
                "71321045679252212594626385532706912750332728571942532289631379312455583992563"
                    .into(),
            side: "BUY".into(),
            price: "0.48".into(),
            size: "20".into(),
        }
    }
}

/// A position in the public data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Token.
    pub asset: String,
    /// Shares: a JSON number, written as it stands here.
    pub size: String,
    /// Average price paid: a JSON number.
    pub avg_price: String,
    /// `Up` or `Down`.
    pub outcome: String,
    /// Market, event: `btc-updown-5m-1795393200`.
    pub slug: String,
    /// Best bid in the book of the token, decimal; `None` = nobody bids.
    pub bid: Option<String>,
}

/// One request as it came in. Holds no header value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueRequest {
    /// When it came, since the stub's start.
    pub at: Duration,
    /// `GET`, `DELETE` …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// Whether it carried `POLY_*` headers.
    pub is_signed: bool,
    /// Why its signature was refused; `None` = accepted, or none was needed.
    pub refused: Option<String>,
    /// The status of the answer; `None` while there is none.
    pub status: Option<u16>,
}

/// Everything that the stub knows.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) credentials: Credentials,
    pub(super) faults: VenueFaults,
    pub(super) is_key_deleted: bool,
    pub(super) holdings: Vec<Holding>,
    pub(super) log: Vec<VenueRequest>,
    pub(super) started: Instant,
    orders: BTreeMap<String, RestingOrder>,
    /// Cancelled, but still shown until then.
    ghosts: Vec<(Instant, RestingOrder)>,
    late: Vec<(Instant, RestingOrder)>,
    late_made: u32,
}

impl Account {
    pub(super) fn new(credentials: Credentials, faults: VenueFaults) -> Self {
        Self {
            credentials,
            faults,
            is_key_deleted: false,
            holdings: Vec::new(),
            log: Vec::new(),
            started: Instant::now(),
            orders: BTreeMap::new(),
            ghosts: Vec::new(),
            late: Vec::new(),
            late_made: 0,
        }
    }

    /// Lets what is due happen: late orders enter the book, ghosts vanish.
    fn advance(&mut self) {
        let now = Instant::now();
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.late = later;
        for (_, order) in due {
            self.orders.insert(order.id.clone(), order);
        }
        self.ghosts.retain(|(until, _)| *until > now);
    }

    pub(super) fn add_order(&mut self, order: RestingOrder) {
        self.orders.insert(order.id.clone(), order);
    }

    /// The truth.
    pub(super) fn open_orders(&mut self) -> Vec<RestingOrder> {
        self.advance();
        self.orders.values().cloned().collect()
    }

    /// Orders that are on their way into the book.
    pub(super) fn orders_in_flight(&mut self) -> usize {
        self.advance();
        self.late.len()
    }

    /// What a read shows.
    pub(super) fn shown_orders(&mut self) -> Vec<RestingOrder> {
        self.advance();
        let ghosts = self.ghosts.iter().map(|(_, order)| order.clone());
        self.orders.values().cloned().chain(ghosts).collect()
    }

    /// Cancels all, or those named; the venue's own answer.
    pub(super) fn cancel(&mut self, ids: Option<Vec<String>>) -> Value {
        self.advance();
        let is_all = ids.is_none();
        let wanted = ids.unwrap_or_else(|| self.orders.keys().cloned().collect());
        let (mut canceled, mut not_canceled) = (Vec::new(), serde_json::Map::new());
        let refuses = self.faults.not_canceled > 0 && !wanted.is_empty();
        if refuses && self.faults.not_canceled != u32::MAX {
            self.faults.not_canceled = self.faults.not_canceled.saturating_sub(1);
        }
        for id in wanted {
            if refuses {
                not_canceled.insert(id, json!("the order is being matched"));
            } else if self.faults.cancel_acknowledged_only {
                canceled.push(id);
            } else if let Some(order) = self.orders.remove(&id) {
                let stale = Duration::from_millis(self.faults.stale_reads_ms);
                let until = Instant::now().checked_add(stale);
                self.ghosts.extend(until.map(|until| (until, order)));
                canceled.push(id);
            } else {
                not_canceled.insert(
                    id,
                    json!("order can't be found - already canceled or matched"),
                );
            }
        }
        if is_all {
            self.plan_late_order();
        }
        json!({"canceled": canceled, "not_canceled": not_canceled})
    }

    fn plan_late_order(&mut self) {
        let Some(after) = self.faults.late_order_after_ms else {
            return;
        };
        if self.late_made >= self.faults.late_orders.max(1) {
            return;
        }
        self.late_made = self.late_made.saturating_add(1);
        let order = RestingOrder::numbered(0xfee_0000_u32.saturating_add(self.late_made));
        let at = Instant::now().checked_add(Duration::from_millis(after));
        self.late.extend(at.map(|at| (at, order)));
    }

    /// Notes a request; the place of its line, for the status of its answer.
    pub(super) fn note(&mut self, request: VenueRequest) -> usize {
        if self.log.len() < LOG_MAX {
            self.log.push(request);
        }
        self.log.len().saturating_sub(1)
    }
}
