//! The venue's axis: whether real money may be behind the target, where its orders lie, and how the
//! exchange takes a cancellation.
//!
//! Only names, what is planted, and what of it a kill could reach; the exchange itself is the loopback's
//! stub, its book the truth. Times are scaled (see `pace`): an order that arrives late does so well
//! before the two reads that count are done, as on the real exchange.

use super::stand_in::Book;
use crate::loopback::venue::{NotReady, RestingOrder, Venue, VenueFaults, VenueOptions};
use std::collections::BTreeMap;

/// A row of the venue's axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct VenueRow {
    pub(super) slug: &'static str,
    /// Whether real money may be behind it, as the kill file says.
    pub(super) is_live: bool,
    /// What the trader does about orders.
    pub(super) book: Book,
    /// An exchange that the kill can ask; `None`: it has no access, and the trader's orders are a file.
    pub(super) exchange: Option<Exchange>,
}

/// The exchange's stub, as it is put up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Open orders when the kill begins.
    pub(super) orders: u32,
    fault: Fault,
    /// Who can end the orders and say so.
    pub(super) ends: Ends,
}

/// Who can see to it, and tell, that no order is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// The kill's own requests.
    Kill,
    /// Not the kill, which is refused; the trader, which is not.
    Trader,
    /// Nobody; why.
    Nobody(&'static str),
}

/// How the exchange misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// An order arrives after a cancellation of all, so many times.
    LateOrders(u32),
    /// So many cancellations answer `not_canceled`.
    NotCanceled(u32),
    AcknowledgedOnly,
    StaleReads,
    Refuses,
    /// The kill's API key is another one.
    WrongKey,
    Unauthorized,
    NotReady,
    Down,
    Hangs,
    Slow,
    Garbage,
    ClockWrong,
}

/// From a cancellation of all to the late order: half of what lies between the two reads that count.
const LATE_MS: u64 = 100;
/// Cancelled orders go on showing for so long.
const STALE_MS: u64 = 150;
/// A slow exchange's answers, each.
const SLOW_MS: u64 = 80;
/// A clock that is wrong by a day (seconds).
const DAY_SECS: i64 = 86_400;
/// Requests that a matching engine which is being restarted refuses.
const NOT_READY_TIMES: u32 = 4;
/// Open orders, where there are some.
const SOME: u32 = 3;

const fn told(slug: &'static str, is_live: bool, book: Book) -> VenueRow {
    VenueRow {
        slug,
        is_live,
        book,
        exchange: None,
    }
}

const fn asked(slug: &'static str, orders: u32, fault: Fault, ends: Ends) -> VenueRow {
    VenueRow {
        slug,
        is_live: true,
        book: Book::Exchange,
        exchange: Some(Exchange {
            orders,
            fault,
            ends,
        }),
    }
}

/// Orders. The rows of an exchange come last.
pub(super) const VENUE: &[VenueRow] = &[
    told("paper", false, Book::None),
    told("live-flat", true, Book::None),
    told("live-order", true, Book::Cancels),
    told("live-order-stuck", true, Book::Stuck),
    asked("exchange-flat", 0, Fault::None, Ends::Kill),
    asked("exchange-orders", SOME, Fault::None, Ends::Kill),
    asked("exchange-late", SOME, Fault::LateOrders(2), Ends::Kill),
    asked(
        "exchange-late-ever",
        0,
        Fault::LateOrders(u32::MAX),
        Ends::Nobody("another order arrives after every cancellation"),
    ),
    asked(
        "exchange-refuses-few",
        SOME,
        Fault::NotCanceled(3),
        Ends::Kill,
    ),
    asked(
        "exchange-not-canceled",
        SOME,
        Fault::NotCanceled(u32::MAX),
        Ends::Nobody("orders stay open"),
    ),
    asked(
        "exchange-acknowledges",
        SOME,
        Fault::AcknowledgedOnly,
        Ends::Nobody("cancellations are only acknowledged"),
    ),
    asked("exchange-stale", SOME, Fault::StaleReads, Ends::Kill),
    asked(
        "exchange-refuses",
        SOME,
        Fault::Refuses,
        Ends::Nobody("cancellations are refused"),
    ),
    asked("exchange-wrong-key", SOME, Fault::WrongKey, Ends::Trader),
    asked(
        "exchange-unauthorized",
        SOME,
        Fault::Unauthorized,
        Ends::Nobody("the exchange refuses the account"),
    ),
    asked("exchange-not-ready", SOME, Fault::NotReady, Ends::Kill),
    asked(
        "exchange-down",
        SOME,
        Fault::Down,
        Ends::Nobody("the exchange is down"),
    ),
    asked(
        "exchange-hangs",
        SOME,
        Fault::Hangs,
        Ends::Nobody("the exchange never answers"),
    ),
    asked("exchange-slow", SOME, Fault::Slow, Ends::Kill),
    asked(
        "exchange-garbage",
        SOME,
        Fault::Garbage,
        Ends::Nobody("the exchange answers with garbage"),
    ),
    asked("exchange-clock", SOME, Fault::ClockWrong, Ends::Kill),
];

impl Exchange {
    /// Puts it up. A trader that holds no order of its own (`trader_trades` false) cannot have left one
    /// that only it could cancel. Errors: no port, no thread.
    pub(super) fn start(self, trader_trades: bool) -> std::io::Result<Venue> {
        let orders = if self.ends == Ends::Trader && !trader_trades {
            0
        } else {
            self.orders
        };
        Venue::start(VenueOptions {
            orders: (1..=orders).map(RestingOrder::numbered).collect(),
            faults: self.faults(),
            ..VenueOptions::default()
        })
    }

    /// What the operator's environment says of it.
    pub(super) fn variables(self, venue: &Venue) -> BTreeMap<String, String> {
        let mut all = venue.variables();
        if self.fault == Fault::WrongKey {
            all.insert(
                "POLYMARKET_API_KEY".to_owned(),
                "00000000-0000-4000-8000-00000000000a".to_owned(),
            );
        }
        all
    }

    fn faults(self) -> VenueFaults {
        let mut faults = VenueFaults::default();
        match self.fault {
            Fault::None | Fault::WrongKey => {}
            Fault::LateOrders(times) => {
                faults.late_order_after_ms = Some(LATE_MS);
                faults.late_orders = times;
            }
            Fault::NotCanceled(times) => faults.not_canceled = times,
            Fault::AcknowledgedOnly => faults.cancel_acknowledged_only = true,
            Fault::StaleReads => faults.stale_reads_ms = STALE_MS,
            Fault::Refuses => faults.refuse = true,
            Fault::Unauthorized => faults.unauthorized = true,
            Fault::NotReady => faults.not_ready = NotReady::Times(NOT_READY_TIMES),
            Fault::Down => faults.down = true,
            Fault::Hangs => faults.hang = true,
            Fault::Slow => faults.answer_delay_ms = SLOW_MS,
            Fault::Garbage => faults.garbage = true,
            Fault::ClockWrong => faults.clock_offset_secs = DAY_SECS,
        }
        faults
    }
}
