//! How the stub can be told to misbehave: one value, all off.

use serde::{Deserialize, Serialize};

/// The misbehaviour of a venue. Times are milliseconds, not scaled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent misbehaviour"
)]
pub struct VenueFaults {
    /// Nobody is there: every connection is closed without an answer.
    pub down: bool,
    /// Requests are read and never answered.
    pub hang: bool,
    /// Every request is carried out this much later.
    pub delay_ms: u64,
    /// Every request is carried out at once and answered this much later.
    pub answer_delay_ms: u64,
    /// Cancellations are answered 400 and nothing is cancelled.
    pub refuse: bool,
    /// Cancellations answer `canceled` with every id, and nothing is cancelled.
    pub cancel_acknowledged_only: bool,
    /// So many cancellations answer `not_canceled` with every id; `u32::MAX` = for ever.
    pub not_canceled: u32,
    /// An order appears this long after a cancellation of all (one that was in flight) …
    pub late_order_after_ms: Option<u64>,
    /// … so many times; 0 = once, `u32::MAX` = after every one.
    pub late_orders: u32,
    /// Cancelled orders go on showing in reads for this long.
    pub stale_reads_ms: u64,
    /// Every signed request is answered 401, whatever its signature.
    pub unauthorized: bool,
    /// Every answer is HTTP 200 with a page of HTML.
    pub garbage: bool,
    /// Every answer has this status (500, 503, 429 …) and a short JSON error.
    pub status: Option<u16>,
    /// The matching engine restarts: 425 `Service is not ready`.
    pub not_ready: NotReady,
    /// The venue's clock minus this machine's, seconds: a laptop that is a day behind sees +86400.
    pub clock_offset_secs: i64,
    /// Orders on one page of `/data/orders`; 0 = 100.
    pub page_size: usize,
    /// The list of orders never ends: every page names another one.
    pub endless_pages: bool,
    /// The public data (`/positions`) answers 500.
    pub positions_down: bool,
    /// Positions lack `size`.
    pub positions_without_size: bool,
    /// Order books are empty: there is no bid.
    pub no_bids: bool,
    /// Deleting the API key is answered `OK`, and the key goes on working.
    pub key_deletion_acknowledged_only: bool,
    /// Deleting the API key is answered 400.
    pub key_deletion_refused: bool,
}

/// Whether the matching engine is being restarted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotReady {
    /// It runs.
    #[default]
    Never,
    /// So many requests are answered 425.
    Times(u32),
    /// All are.
    Always,
}
