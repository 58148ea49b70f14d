//! The paper venue: takes orders, fills them against the observed book, lets go of them at expiry.
//!
//! A buy fills at the displayed ask when it is at or below the order's limit, for at most the size
//! displayed, and no size is sold twice; what is left rests and fills at its own limit when a later
//! book crosses it. Every fill pays the taker fee. After the close every order is rejected. With a latency,
//! orders and cancels reach the venue that much later and meet the book of that time.

use crate::event::{BookTick, Event, EventKind, FillReport, Finality, OrderReport, OrderStatus};
use crate::fees::taker_fee;
use crate::order::{Order, OrderId, Side};
use crate::units::{EpochMs, Shares, TokenId, TokenPrice};
use std::collections::{BTreeMap, VecDeque};

/// Books kept at most; far more than tokens that are traded at one time. The least recent one goes.
const BOOKS_MAX: usize = 256;

/// One side of a book: price and shares not yet taken by us.
#[derive(Debug, Clone, Copy)]
struct Level {
    price: TokenPrice,
    left: Shares,
}

#[derive(Debug, Clone, Copy)]
struct Book {
    at: EpochMs,
    bid: Option<Level>,
    ask: Option<Level>,
}

#[derive(Debug)]
struct Resting {
    order: Order,
    left: Shares,
    fills: u32,
}

#[derive(Debug)]
enum Sent {
    Order(Order),
    Cancel(OrderId),
}

/// The paper venue. Its answers are events for the engine.
#[derive(Debug, Default)]
pub struct PaperVenue {
    books: BTreeMap<TokenId, Book>,
    resting: BTreeMap<OrderId, Resting>,
    latency_ms: i64,
    /// On the way, in the order in which they arrive.
    under_way: VecDeque<(EpochMs, Sent)>,
}

impl PaperVenue {
    /// A venue that orders and cancels reach so much later, ms: the way there and the book's way back.
    pub fn with_latency(latency_ms: u32) -> Self {
        Self {
            latency_ms: i64::from(latency_ms),
            ..Self::default()
        }
    }

    /// Lets arrive what was sent long enough ago. It meets the books as they were before this event.
    fn arrive(&mut self, now: EpochMs, out: &mut Vec<Event>) {
        while let Some((at, sent)) = self.under_way.pop_front() {
            if at > now {
                self.under_way.push_front((at, sent));
                return;
            }
            // What expired on the way is gone before this arrives.
            self.expire(at, now, out);
            match sent {
                Sent::Order(order) => self.take(&order, at, now, out),
                Sent::Cancel(id) => self.let_go(&id, now, out),
            }
        }
    }

    /// Watches the market; appends fills and expiries that follow from it.
    pub fn observe(&mut self, event: &Event, out: &mut Vec<Event>) {
        self.arrive(event.t, out);
        self.expire(event.t, event.t, out);
        if let EventKind::Book(tick) = &event.kind {
            self.show(tick, event.t);
            let mut done = Vec::new();
            for (id, resting) in &mut self.resting {
                if resting.order.token == tick.token {
                    let at_limit = Some(resting.order.price);
                    fill(
                        resting,
                        self.books.get_mut(&tick.token),
                        at_limit,
                        event.t,
                        out,
                    );
                    if resting.left == Shares::ZERO {
                        done.push(id.clone());
                    }
                }
            }
            for id in done {
                self.resting.remove(&id);
            }
        }
    }

    /// Takes an order at `now`; appends the venue's answers, later when there is a latency.
    pub fn send(&mut self, order: &Order, now: EpochMs, out: &mut Vec<Event>) {
        if self.latency_ms == 0 {
            self.take(order, now, now, out);
        } else {
            let at = now.plus_ms(self.latency_ms);
            self.under_way.push_back((at, Sent::Order(order.clone())));
        }
    }

    /// An order that arrived `at` and is answered `now`.
    fn take(&mut self, order: &Order, at: EpochMs, now: EpochMs, out: &mut Vec<Event>) {
        if self.resting.contains_key(&order.id) {
            // The same id again is the same order: nothing happens twice.
            out.push(report(
                &order.id,
                OrderStatus::Accepted,
                "already known",
                now,
            ));
            return;
        }
        if at >= order.id.window.close() || at >= order.expires_at {
            out.push(report(
                &order.id,
                OrderStatus::Rejected,
                "paper: the window is closed",
                now,
            ));
            return;
        }
        out.push(report(&order.id, OrderStatus::Accepted, "paper", now));
        let mut resting = Resting {
            order: order.clone(),
            left: order.shares,
            fills: 0,
        };
        fill(
            &mut resting,
            self.books.get_mut(&order.token),
            None,
            now,
            out,
        );
        if resting.left > Shares::ZERO {
            self.resting.insert(order.id.clone(), resting);
        }
    }

    /// Cancels what is left of an order.
    pub fn cancel(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        if self.latency_ms == 0 {
            self.let_go(id, now, out);
        } else {
            let at = now.plus_ms(self.latency_ms);
            self.under_way.push_back((at, Sent::Cancel(id.clone())));
        }
    }

    fn let_go(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        if self.resting.remove(id).is_some() {
            out.push(report(id, OrderStatus::Cancelled, "paper: cancelled", now));
        }
    }

    /// Answers for an order of an earlier run: a paper venue forgets at a restart, so what it does
    /// not hold will never fill.
    pub fn look_up(&self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        let coming =
            |(_, sent): &(EpochMs, Sent)| matches!(sent, Sent::Order(order) if order.id == *id);
        if self.under_way.iter().any(coming) {
            return;
        }
        let (status, words) = if self.resting.contains_key(id) {
            (OrderStatus::Accepted, "paper: resting")
        } else {
            (OrderStatus::Cancelled, "paper: not at the venue")
        };
        out.push(report(id, status, words, now));
    }

    /// Orders that rest.
    pub fn resting(&self) -> usize {
        self.resting.len()
    }

    fn show(&mut self, tick: &BookTick, at: EpochMs) {
        let level = |price: Option<TokenPrice>, left| price.map(|price| Level { price, left });
        let book = Book {
            at,
            bid: level(tick.bid, tick.bid_size),
            ask: level(tick.ask, tick.ask_size),
        };
        if let Some(known) = self.books.get_mut(&tick.token) {
            *known = book;
            return;
        }
        if self.books.len() >= BOOKS_MAX {
            let oldest = self
                .books
                .iter()
                .min_by_key(|(_, book)| book.at)
                .map(|(token, _)| token.clone());
            if let Some(token) = oldest {
                self.books.remove(&token);
            }
        }
        self.books.insert(tick.token.clone(), book);
    }

    fn expire(&mut self, at: EpochMs, now: EpochMs, out: &mut Vec<Event>) {
        self.resting.retain(|id, resting| {
            let live = at < resting.order.expires_at;
            if !live {
                out.push(report(id, OrderStatus::Cancelled, "paper: expired", now));
            }
            live
        });
    }
}

/// Fills what the book shows, at the shown price or (resting) at the worse price given.
fn fill(
    resting: &mut Resting,
    book: Option<&mut Book>,
    at: Option<TokenPrice>,
    now: EpochMs,
    out: &mut Vec<Event>,
) {
    let Some(book) = book else { return };
    let limit = resting.order.price;
    let level = match resting.order.side {
        Side::Buy => book.ask.as_mut().filter(|ask| ask.price <= limit),
        Side::Sell => book.bid.as_mut().filter(|bid| bid.price >= limit),
    };
    let Some(level) = level else { return };
    let size = resting.left.min(level.left);
    if size == Shares::ZERO {
        return;
    }
    level.left = level.left.checked_sub(size).unwrap_or(Shares::ZERO);
    resting.left = resting.left.checked_sub(size).unwrap_or(Shares::ZERO);
    resting.fills = resting.fills.saturating_add(1);
    let price = at.unwrap_or(level.price);
    out.push(Event {
        t: now,
        src: None,
        kind: EventKind::Fill(FillReport {
            id: resting.order.id.clone(),
            fill_id: format!("{}#{}", resting.order.id, resting.fills),
            price,
            size,
            fee: taker_fee(size, price),
            finality: Finality::Final,
        }),
    });
}

fn report(id: &OrderId, status: OrderStatus, words: &str, now: EpochMs) -> Event {
    Event {
        t: now,
        src: None,
        kind: EventKind::Order(OrderReport {
            id: id.clone(),
            status,
            detail: Some(words.to_owned()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::Purpose;
    use crate::units::{Asset, Outcome, Usd};

    const OPEN: i64 = 1_769_949_000_000;

    fn order(side: Side, price: &str, shares: &str) -> Order {
        Order {
            id: "btc-5m-1769949000/m/1".parse().unwrap(),
            token: "11".parse().unwrap(),
            outcome: Outcome::Up,
            side,
            purpose: if side == Side::Buy {
                Purpose::Entry
            } else {
                Purpose::Exit
            },
            price: price.parse().unwrap(),
            shares: shares.parse().unwrap(),
            expires_at: EpochMs(OPEN + 100_000),
            worst_cost: Usd::ZERO,
        }
    }

    fn book(t: i64, bid: &str, ask: &str, size: &str) -> Event {
        Event {
            t: EpochMs(OPEN + t),
            src: None,
            kind: EventKind::Book(BookTick {
                asset: Asset::Btc,
                token: "11".parse().unwrap(),
                bid: Some(bid.parse().unwrap()),
                ask: Some(ask.parse().unwrap()),
                bid_size: size.parse().unwrap(),
                ask_size: size.parse().unwrap(),
            }),
        }
    }

    fn fills(out: &[Event]) -> Vec<(String, String)> {
        out.iter()
            .filter_map(|event| {
                let EventKind::Fill(fill) = &event.kind else {
                    return None;
                };
                Some((fill.price.to_string(), fill.size.to_string()))
            })
            .collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    }

    fn statuses(out: &[Event]) -> Vec<OrderStatus> {
        out.iter()
            .filter_map(|event| {
                let EventKind::Order(report) = &event.kind else {
                    return None;
                };
                Some(report.status)
            })
            .collect()
    }

    #[test]
    fn fills_at_the_shown_price_and_size_only() {
        let mut venue = PaperVenue::default();
        let mut out = Vec::new();
        venue.observe(&book(0, "0.52", "0.54", "6"), &mut out);
        venue.send(&order(Side::Buy, "0.55", "10"), EpochMs(OPEN), &mut out);
        assert_eq!(fills(&out), pairs(&[("0.54", "6")]));
        // The rest waits for another book, and pays its own limit.
        venue.observe(&book(1_000, "0.50", "0.51", "100"), &mut out);
        assert_eq!(fills(&out), pairs(&[("0.54", "6"), ("0.55", "4")]));
        assert_eq!(venue.resting(), 0);
    }

    #[test]
    fn shown_size_is_not_sold_twice() {
        let mut venue = PaperVenue::default();
        let mut out = Vec::new();
        venue.observe(&book(0, "0.52", "0.54", "6"), &mut out);
        venue.send(&order(Side::Buy, "0.54", "5"), EpochMs(OPEN), &mut out);
        let mut second = order(Side::Buy, "0.54", "5");
        second.id.sequence = 2;
        venue.send(&second, EpochMs(OPEN), &mut out);
        assert_eq!(fills(&out), pairs(&[("0.54", "5"), ("0.54", "1")]));
    }

    #[test]
    fn a_limit_is_a_limit() {
        let mut venue = PaperVenue::default();
        let mut out = Vec::new();
        venue.observe(&book(0, "0.52", "0.56", "100"), &mut out);
        venue.send(&order(Side::Buy, "0.55", "10"), EpochMs(OPEN), &mut out);
        let mut sell = order(Side::Sell, "0.53", "10");
        sell.id.sequence = 2;
        venue.send(&sell, EpochMs(OPEN), &mut out);
        assert!(fills(&out).is_empty());
        venue.observe(&book(1, "0.53", "0.56", "4"), &mut out);
        assert_eq!(fills(&out), pairs(&[("0.53", "4")]));
    }

    #[test]
    fn a_late_order_meets_the_book_of_its_arrival() {
        let mut venue = PaperVenue::with_latency(250);
        let mut out = Vec::new();
        venue.observe(&book(0, "0.52", "0.54", "6"), &mut out);
        venue.send(&order(Side::Buy, "0.55", "10"), EpochMs(OPEN), &mut out);
        // The good book is gone before the order is there.
        venue.observe(&book(200, "0.56", "0.58", "6"), &mut out);
        assert!(out.is_empty(), "nothing is heard of it yet");
        venue.look_up(&order(Side::Buy, "0.55", "10").id, EpochMs(OPEN), &mut out);
        assert!(out.is_empty(), "what is under way is not lost");
        venue.observe(&book(300, "0.50", "0.52", "6"), &mut out);
        assert_eq!(statuses(&out), [OrderStatus::Accepted]);
        // It rested when the better book came, so it pays its own limit.
        assert_eq!(fills(&out), pairs(&[("0.55", "6")]));
        // A cancel is as late, and what fills before it arrives is filled.
        venue.cancel(
            &order(Side::Buy, "0.55", "10").id,
            EpochMs(OPEN + 300),
            &mut out,
        );
        venue.observe(&book(400, "0.50", "0.52", "6"), &mut out);
        assert_eq!(fills(&out).len(), 2);
        venue.observe(&book(900, "0.50", "0.52", "6"), &mut out);
        assert_eq!(statuses(&out), [OrderStatus::Accepted]);
    }

    #[test]
    fn an_order_that_arrives_after_its_expiry_is_rejected() {
        let mut venue = PaperVenue::with_latency(250);
        let mut out = Vec::new();
        let late = order(Side::Buy, "0.55", "10");
        venue.observe(&book(0, "0.52", "0.54", "6"), &mut out);
        venue.send(&late, late.expires_at.plus_ms(-100), &mut out);
        venue.observe(&book(100_200, "0.52", "0.54", "6"), &mut out);
        assert_eq!(statuses(&out), [OrderStatus::Rejected]);
        assert!(fills(&out).is_empty());
    }

    #[test]
    fn closed_expired_repeated_and_cancelled() {
        let mut venue = PaperVenue::default();
        let mut out = Vec::new();
        let buy = order(Side::Buy, "0.55", "10");
        venue.send(&buy, buy.id.window.close(), &mut out);
        venue.send(&buy, buy.expires_at, &mut out);
        assert_eq!(
            statuses(&out),
            [OrderStatus::Rejected, OrderStatus::Rejected]
        );
        out.clear();
        venue.send(&buy, EpochMs(OPEN), &mut out);
        venue.send(&buy, EpochMs(OPEN), &mut out);
        assert_eq!(venue.resting(), 1);
        venue.observe(&book(100_000, "0.52", "0.54", "100"), &mut out);
        assert_eq!(statuses(&out).last(), Some(&OrderStatus::Cancelled));
        assert!(fills(&out).is_empty(), "an expired order does not fill");
        venue.send(&buy, EpochMs(OPEN), &mut out);
        assert_eq!(fills(&out).len(), 1);
        out.clear();
        let mut far = order(Side::Buy, "0.10", "10");
        far.id.sequence = 3;
        venue.send(&far, EpochMs(OPEN), &mut out);
        venue.cancel(&far.id, EpochMs(OPEN), &mut out);
        venue.cancel(&far.id, EpochMs(OPEN), &mut out);
        assert_eq!(
            statuses(&out),
            [OrderStatus::Accepted, OrderStatus::Cancelled]
        );
    }
}
