//! What the trader says and is told: the JSON of its HTTP surface and of its dry run.
//!
//! Pure data with the field names that other programs rely on. `launch kill` does not use these
//! types (it depends on nothing of ours) and reads the same JSON leniently.

use crate::manifest::Mode;
use crate::units::{EpochMs, Shares, TokenPrice, Usd};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest life of a trading lease, ms. A longer request is refused, not shortened.
pub const LEASE_TTL_MAX_MS: u64 = 15_000;

/// `GET /health`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Health {
    /// Version of the program.
    pub trader_version: String,
    /// Commit that the program was built from (compiled in); `unknown` outside a repository.
    pub build_commit: String,
    /// Commit that the platform says it deployed (`RAILWAY_GIT_COMMIT_SHA`).
    pub platform_commit: Option<String>,
    /// The platform's deployment id.
    pub deployment_id: Option<String>,
    /// Random at each start: an answer with another nonce is another process.
    pub instance_nonce: String,
    /// Whether the instance holds the writer lock and has reconciled.
    pub state: InstanceState,
    /// sha256 of the running executable.
    pub trader_sha256: String,
    /// Digest of the manifest and strategy files it runs.
    pub manifest_digest: String,
    /// Every effective value by dotted key, from the running engine, not from the file.
    pub effective: BTreeMap<String, serde_json::Value>,
    /// Where its events come from.
    pub feed: String,
    /// What the venue says of us.
    pub venue: VenueHealth,
    /// What is done with approved orders.
    pub mode: Mode,
    /// Ids of the strategy instances that are alive.
    pub strategies: Vec<String>,
    /// Each component instance and its state.
    pub components: Vec<ComponentHealth>,
    /// The trading lease, if one is held.
    pub lease: Option<LeaseHealth>,
    /// Set when halted: who, why, and how far.
    pub halted: Option<Halted>,
    /// Strategies that the quality gate has shut out until a re-enable, with the reason.
    #[serde(default)]
    pub closed_strategies: BTreeMap<String, Halted>,
    /// Set once a flatten was asked for, until a re-enable: how the selling goes, or went.
    #[serde(default)]
    pub flatten: Option<FlattenHealth>,
    /// Age of each feed's newest event.
    pub feeds: Vec<FeedHealth>,
    /// Time of the newest event that the engine has seen, RFC 3339.
    pub last_tick_at: Option<String>,
    /// Windows that are open or listed.
    pub windows: Vec<String>,
    /// Orders whose end is not known yet.
    pub open_orders: u32,
    /// Positions that are not settled.
    pub positions: Vec<PositionHealth>,
    /// USD at stake, in-flight and unknown counted as filled.
    pub exposure_usd: Usd,
    /// Realised profit and loss of the UTC day after fees.
    pub pnl_day_usd: Usd,
    /// Orders sent in the last minute.
    pub orders_last_minute: u32,
    /// Errors in the last minute.
    pub errors_last_minute: u32,
    /// Our clock minus the venue's, ms; `None` where nothing can tell.
    pub clock_offset_ms: Option<i64>,
}

/// Whether an instance may ever write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceState {
    /// Another instance holds the writer lock: answers, sends nothing, refuses leases.
    Standby,
    /// Holds the lock, has replayed and reconciled.
    Ready,
}

/// What the venue says of us; all `None` where the feed is not the venue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueHealth {
    /// Whether orders from this host are refused by place.
    pub geoblocked: Option<bool>,
    /// Our clock minus the venue's, ms.
    pub clock_offset_ms: Option<i64>,
    /// The order format the venue takes.
    pub order_version: Option<u32>,
}

/// One component instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentHealth {
    /// `<strategy>/<role>/<component>/<asset>`.
    pub id: String,
    /// `configured` or `ready`.
    pub state: String,
}

/// The trading lease as the trader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseHealth {
    /// Who granted it.
    pub holder: String,
    /// Milliseconds left on the trader's monotonic clock.
    pub expires_in_ms: u64,
}

/// A halt that is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halted {
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// `true`: entries off, exits on. `false`: nothing is sent at all.
    pub reduce_only: bool,
    /// When it was recorded.
    pub at: EpochMs,
}

/// Age of one feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedHealth {
    /// `oracle:btc`, `book:btc`, …
    pub name: String,
    /// Milliseconds since its newest event.
    pub age_ms: u64,
}

/// One open position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionHealth {
    /// The window.
    pub window: String,
    /// The token held.
    pub token: String,
    /// `up` or `down`.
    pub outcome: String,
    /// Shares held.
    pub shares: Shares,
    /// What they cost, fees included: also the most they can lose.
    pub cost_usd: Usd,
    /// The same, under the name that a stop's report uses.
    pub worst_loss_usd: Usd,
    /// What one share cost, fees included, USD.
    pub avg_cost: Option<Usd>,
    /// What the market last paid for one share; `None` = no bid, or no book seen.
    pub last_bid: Option<TokenPrice>,
    /// Whole seconds until the window closes and settles; negative while the outcome is awaited.
    pub seconds_to_settlement: i64,
    /// Milliseconds until the window closes; negative while settlement is awaited.
    pub closes_in_ms: i64,
}

/// How a flatten goes, or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlattenHealth {
    /// How far it is.
    pub state: FlattenState,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was recorded.
    pub since: EpochMs,
    /// The instant after which nothing more is sold.
    pub ends_at: EpochMs,
    /// When it ended.
    pub ended_at: Option<EpochMs>,
    /// What was held when it began, or has come to be held since.
    pub positions: Vec<FlattenPosition>,
}

/// How far a flatten is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlattenState {
    /// Entries off, positions are being sold.
    Selling,
    /// Nothing is left that could be sold; fully halted.
    Done,
    /// Time ran out, or a full halt came first; fully halted.
    Lapsed,
}

/// One position of a flatten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlattenPosition {
    /// The coin.
    pub asset: String,
    /// The window.
    pub window: String,
    /// `up` or `down`.
    pub outcome: String,
    /// Whose position it is.
    pub strategy: String,
    /// The token held.
    pub token: String,
    /// Shares held when the flatten began.
    pub shares: Shares,
    /// What one share cost, fees included, USD.
    pub avg_cost: Option<Usd>,
    /// Shares sold since.
    pub sold: Shares,
    /// Shares still held.
    pub left: Shares,
    /// What the market last paid for one share; `None` = no bid, or no book seen.
    pub last_bid: Option<TokenPrice>,
    /// What the sale brought, after fees.
    pub proceeds_usd: Usd,
    /// The most that what is left can lose.
    pub worst_loss_usd: Usd,
    /// Whole seconds until the window closes and settles; negative while the outcome is awaited.
    pub seconds_to_settlement: i64,
    /// What it came to, so far.
    pub result: FlattenOutcome,
    /// The reason code behind the result, where there is one.
    pub detail: Option<String>,
}

/// What selling one position came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlattenOutcome {
    /// All of it is sold.
    Sold,
    /// Some of it is sold.
    Partly,
    /// Nobody bids, or no fresh book shows a bid.
    NoBid,
    /// Somebody bids, but further off the market than the price collar allows.
    BelowCollar,
    /// Its window had closed: it settles by itself.
    WindowClosed,
    /// The manifest declares neither its asset nor its window length, or the market is listed with
    /// another token: there is nothing to sell it into.
    NotDeclared,
    /// Fewer shares than the venue's smallest order.
    BelowMinimum,
    /// A sale is in flight, or nobody knows what became of it.
    Unknown,
}

/// `POST /flatten`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlattenRequest {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// Answer to `POST /flatten`, given after it is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlattenAnswer {
    /// Whether the order to sell is in force and on disk.
    pub flattening: bool,
    /// The instant after which nothing more is sold.
    pub ends_at: EpochMs,
    /// Milliseconds until then.
    pub ends_in_ms: u64,
    /// Positions that were held when it began.
    pub positions: u32,
    /// The instance.
    pub nonce: String,
}

/// `GET /health/live`: open to anyone, tells nothing but life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// Always `true`: an answer is a life sign.
    pub alive: bool,
    /// The platform's deployment id.
    pub deployment_id: Option<String>,
    /// The instance.
    pub nonce: String,
}

/// `POST /lease`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseRequest {
    /// Who grants.
    pub holder: String,
    /// The deployment that it is meant for.
    pub deployment_id: String,
    /// The instance that it is meant for.
    pub instance_nonce: String,
    /// Life in ms, at most [`LEASE_TTL_MAX_MS`].
    pub ttl_ms: u64,
}

/// Answer to `POST /lease`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseAnswer {
    /// Whether the lease is now held.
    pub accepted: bool,
    /// Why not, or `granted`.
    pub reason: String,
    /// Milliseconds left.
    pub expires_in_ms: u64,
}

/// `POST /halt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltRequest {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// `true`: entries off, entry orders cancelled, exits on. `false`: nothing is sent at all.
    #[serde(default)]
    pub reduce_only: bool,
}

/// Answer to `POST /halt`, given after the halt is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaltAnswer {
    /// Whether the halt is in force and on disk.
    pub halted: bool,
    /// Orders whose end is not known yet.
    pub open_orders: u32,
    /// The instance.
    pub nonce: String,
}

/// `POST /reenable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReenableRequest {
    /// Why it is safe again.
    pub reason: String,
    /// Who says so.
    pub by: String,
    /// The freeze that is lifted.
    pub freeze_id: String,
}

/// Answer to `POST /reenable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReenableAnswer {
    /// Whether the trader is no longer halted.
    pub reenabled: bool,
    /// Why not, or `re-enabled`.
    pub reason: String,
    /// The instance.
    pub nonce: String,
}

/// What a dry run saw: the document of `launch trade --mode dry-run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DryRunDocument {
    /// Windows that were seen from open to outcome.
    pub windows: u64,
    /// Market events.
    pub ticks: u64,
    /// Signals that the strategies gave.
    pub signals: u64,
    /// Orders that passed every safeguard and were withheld.
    pub intents: u64,
    /// Orders that left the process: 0.
    pub sent: u64,
    /// Refused entries by reason.
    pub refusals: BTreeMap<String, u64>,
    /// Digest of the journal.
    pub journal_digest: String,
    /// Events that the engine could not explain.
    pub unexplained: u64,
    /// Digest of the manifest and strategies that ran.
    pub manifest_digest: String,
    /// Every effective value by dotted key, from the engine.
    pub effective: BTreeMap<String, serde_json::Value>,
    /// Strategy instances.
    pub strategies: Vec<String>,
    /// Component instances and their states at the end.
    pub components: Vec<ComponentHealth>,
    /// Commit that the program was built from.
    pub build_commit: String,
    /// sha256 of the running executable.
    pub trader_sha256: String,
}
