//! Where approved orders go, and what comes back: the seam between simulation and venue.
//!
//! Everything a wire learns returns as events, so that the engine, the tape and a replay see the same.
//! Must not decide whether an order may go: session and gate have done that.

use trader_core::event::Event;
use trader_core::order::{Order, OrderId};
use trader_core::safeguards::Approved;
use trader_core::sim::matching::PaperVenue;
use trader_core::sim::settlement::Settler;
use trader_core::units::EpochMs;

/// Somewhere orders can be sent. Answers are appended to `out`.
pub trait Wire: std::fmt::Debug + Send {
    /// Sends one order whose intent is durable.
    fn send(&mut self, order: &Approved<Order>, now: EpochMs, out: &mut Vec<Event>);

    /// Cancels what is left of an order.
    fn cancel(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>);

    /// Sees every event before the orders it caused: simulated fills come from observed books.
    fn observe(&mut self, event: &Event, out: &mut Vec<Event>);

    /// Says what became of an order of an earlier run.
    fn look_up(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>);
}

/// The simulated venue: fills against the observed book, settles by the market's own rule.
#[derive(Debug, Default)]
pub struct PaperWire {
    venue: PaperVenue,
    settler: Settler,
}

impl Wire for PaperWire {
    fn send(&mut self, order: &Approved<Order>, now: EpochMs, out: &mut Vec<Event>) {
        self.venue.send(order.get(), now, out);
    }

    fn cancel(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        self.venue.cancel(id, now, out);
    }

    fn observe(&mut self, event: &Event, out: &mut Vec<Event>) {
        self.venue.observe(event, out);
        self.settler.observe(event, out);
    }

    fn look_up(&mut self, id: &OrderId, now: EpochMs, out: &mut Vec<Event>) {
        self.venue.look_up(id, now, out);
    }
}
