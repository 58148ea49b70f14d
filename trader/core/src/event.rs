//! What can happen to the trader: the only input of the engine. Time is part of the event.
//!
//! Knows neither where an event came from nor how it is stored (`tape` does); the same values come
//! from a live feed, a generator, a tape and the paper venue.

use crate::order::{OrderId, Side};
use crate::units::{Asset, EpochMs, OraclePrice, Outcome, Shares, TokenId, TokenPrice, Usd};
use crate::window::Window;
use serde::{Deserialize, Serialize};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When it reached us, on our clock.
    pub t: EpochMs,
    /// When its source says it happened.
    pub src: Option<EpochMs>,
    /// What happened.
    pub kind: EventKind,
}

/// The kinds of events, each with its own data.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A price from the oracle that the markets settle on.
    Oracle(PriceTick),
    /// A price from another source (the user interface's); never settles anything.
    Spot(PriceTick),
    /// Best bid and ask of one outcome token.
    Book(BookTick),
    /// A public trade of one outcome token.
    Trade(TradeTick),
    /// A market was listed, or more became known about it.
    Window(WindowTick),
    /// The venue (or whoever stands at the wire) tells how one of our orders fares.
    Order(OrderReport),
    /// One of our orders was filled, wholly or in part.
    Fill(FillReport),
    /// The trading lease was granted, renewed or withdrawn.
    Lease(LeaseGrant),
    /// Time passed; perhaps the clock was compared.
    Clock(ClockTick),
    /// A person or the watchdog commands.
    Control(Control),
}

/// A coin's price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceTick {
    /// The coin.
    pub asset: Asset,
    /// Dollars per coin.
    pub price: OraclePrice,
    /// Set when the value is a time-weighted average over so many seconds, not the instant's price.
    pub twap_secs: Option<u32>,
}

/// Best bid and ask of one token; a side without orders is `None` with size 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookTick {
    /// The coin of the token's window.
    pub asset: Asset,
    /// The token.
    pub token: TokenId,
    /// Highest price that someone pays.
    pub bid: Option<TokenPrice>,
    /// Lowest price that someone asks.
    pub ask: Option<TokenPrice>,
    /// Shares wanted at the bid.
    pub bid_size: Shares,
    /// Shares offered at the ask.
    pub ask_size: Shares,
}

/// A public trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeTick {
    /// The coin of the token's window.
    pub asset: Asset,
    /// The token.
    pub token: TokenId,
    /// Price per share.
    pub price: TokenPrice,
    /// Shares.
    pub size: Shares,
    /// The taker's side.
    pub side: Side,
}

/// A market as listed; `outcome` once it is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowTick {
    /// The window with its tokens, rule and (once known) reference price.
    pub window: Window,
    /// How it settled.
    pub outcome: Option<Outcome>,
}

/// How one of our orders fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReport {
    /// Our own id.
    pub id: OrderId,
    /// Its state.
    pub status: OrderStatus,
    /// The venue's id or words.
    pub detail: Option<String>,
}

/// What is known about an order from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    /// The venue has it.
    Accepted,
    /// The venue has it and holds the match back: in flight, not refused.
    Delayed,
    /// Proof that it does not exist at the venue: refused there, or never sent.
    Rejected,
    /// The rest of it will never fill: cancelled or expired at the venue. Whoever stands at the wire
    /// says this only after every fill that came before it.
    Cancelled,
    /// No answer, or none that can be believed: counts as filled until proved otherwise.
    Unknown,
}

/// One fill of one of our orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FillReport {
    /// Our own order id.
    pub id: OrderId,
    /// The venue's id of this fill: the same fill reported twice counts once.
    pub fill_id: String,
    /// Price per share.
    pub price: TokenPrice,
    /// Shares.
    pub size: Shares,
    /// Fee charged, USD.
    pub fee: Usd,
    /// How sure it is.
    pub finality: Finality,
}

/// How sure a fill is. The venue matches first and settles on its chain afterwards, which can fail.
/// Ordered: the later word replaces the earlier one, whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finality {
    /// Matched; not on the chain yet. Counts.
    Matched,
    /// It never came to pass. Counts no more, unless it is final after all.
    Failed,
    /// On the chain.
    #[default]
    Final,
}

/// The trading lease. An `expires_at` that is not after the event's own time withdraws it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseGrant {
    /// Who grants.
    pub holder: String,
    /// End of the lease on our clock.
    pub expires_at: EpochMs,
}

/// Time passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockTick {
    /// Our clock minus the venue's, when it was measured just now.
    pub offset_ms: Option<i64>,
}

/// A command from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// What to do.
    pub action: ControlAction,
    /// Who says so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a command does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlAction {
    /// Nothing is sent at all any more; every open order is cancelled.
    Halt,
    /// Entries off, entry orders cancelled, exits stay on.
    ReduceOnly,
    /// Sell what is held for at most `exit.flatten_secs`, entries off; then as after a full halt.
    Flatten,
    /// Lifts halt and latches. The only way back.
    Reenable {
        /// The freeze that is lifted.
        freeze_id: String,
    },
}
