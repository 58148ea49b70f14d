//! The ledger: records of what was intended, sent, answered, filled, settled and commanded, and the
//! fold that turns them into the state a trader must never forget.
//!
//! Pure: where records are kept is the runtime's business. The engine numbers every record; the
//! runtime persists them in that order **before** it does anything they announce.

mod flatten;
mod order_state;
mod position;
mod queries;
mod reconcile;
mod state;
mod track;

pub use flatten::{Flatten, FlattenEnd, HeldBefore};
pub use order_state::{OrderPhase, OrderState};
pub use position::{Position, PositionKey};
pub(crate) use reconcile::{fill_news, news};
pub use state::LedgerState;
pub use track::{BUCKETS, Results, Track};

use crate::order::{Order, OrderId};
use crate::units::{EpochMs, Outcome, Shares, StrategyId, TokenPrice, Usd};
use crate::window::WindowId;
use serde::{Deserialize, Serialize};

/// The only record version there is.
pub const RECORD_VERSION: u32 = 1;

/// One numbered line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this format.
    pub version: u32,
    /// Position in the ledger, from 1 without gaps.
    pub seq: u64,
    /// When it was decided or learnt.
    pub t_ms: EpochMs,
    /// What it says.
    pub body: RecordBody,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RecordBody {
    /// An order was approved and its money reserved. Written before the wire.
    Intent {
        /// The order.
        order: Order,
    },
    /// The venue has it.
    Accepted {
        /// Which order.
        id: OrderId,
        /// The venue's id or words.
        detail: Option<String>,
    },
    /// Proof that it does not exist at the venue: its reservation is released.
    Rejected {
        /// Which order.
        id: OrderId,
        /// Why.
        reason: String,
    },
    /// Not sent on purpose (dry run): money released, the window's entry stays used.
    Withheld {
        /// Which order.
        id: OrderId,
        /// Why.
        reason: String,
    },
    /// Nobody knows: counts as filled.
    Unknown {
        /// Which order.
        id: OrderId,
        /// Why.
        reason: String,
    },
    /// The rest of it will never fill.
    Cancelled {
        /// Which order.
        id: OrderId,
        /// Why.
        reason: String,
    },
    /// A fill.
    Fill {
        /// Which order.
        id: OrderId,
        /// The venue's id of the fill.
        fill_id: String,
        /// Price per share.
        price: TokenPrice,
        /// Shares.
        shares: Shares,
        /// Fee, USD.
        fee: Usd,
        /// Matched, not on the chain yet: it counts, and may still fail.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        provisional: bool,
    },
    /// A fill is on the chain.
    FillFinal {
        /// Which order.
        id: OrderId,
        /// Which fill.
        fill_id: String,
    },
    /// A fill never came to pass: it counts no more.
    FillFailed {
        /// Which order.
        id: OrderId,
        /// Which fill.
        fill_id: String,
    },
    /// A window settled.
    Settlement {
        /// Which window.
        window: WindowId,
        /// How.
        outcome: Outcome,
    },
    /// A halt, in force until a re-enable.
    Halt {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// `true`: entries off, exits on. `false`: nothing is sent at all.
        reduce_only: bool,
    },
    /// An order to sell what is held until `ends_ms`; entries off, as with a reduce-only halt.
    Flatten {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// The instant after which nothing more is sold.
        ends_ms: EpochMs,
    },
    /// The selling is over: from here on nothing is sent at all.
    FlattenEnd {
        /// Whether nothing was left that could be sold.
        done: bool,
    },
    /// A person lifted halt, flatten and latches.
    Reenable {
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// The freeze that was lifted.
        freeze_id: String,
    },
    /// A safeguard closed the door until a re-enable.
    Latch {
        /// The safeguard's reason code.
        safeguard: String,
        /// Its numbers.
        detail: String,
    },
    /// An entry was refused because too many orders went out in a minute; once a minute at most.
    Throttled {
        /// Which order it would have been.
        id: OrderId,
    },
    /// The quality gate shut a strategy out until a re-enable.
    QualityClosed {
        /// Which strategy.
        strategy: StrategyId,
        /// The reason code.
        reason: String,
        /// Its numbers.
        detail: String,
    },
    /// The trading lease was taken up or lost.
    Lease {
        /// Who granted it.
        holder: String,
        /// Whether it is held now.
        held: bool,
    },
}

/// A ledger that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A record of a version that this program does not know.
    #[error(
        "record {seq} has version {version}, this program knows {RECORD_VERSION}: run the version that wrote it"
    )]
    Version {
        /// Its number.
        seq: u64,
        /// Its version.
        version: u32,
    },
    /// Records are missing.
    #[error(
        "record {found} follows {last}: records are missing, restore the ledger before trading"
    )]
    Gap {
        /// The last number that was there.
        last: u64,
        /// The number found instead of the next.
        found: u64,
    },
    /// A record speaks of an order without an intent.
    #[error("record {seq} speaks of order {id}, which was never intended")]
    NoIntent {
        /// Its number.
        seq: u64,
        /// The order.
        id: OrderId,
    },
}

#[cfg(test)]
mod tests;
