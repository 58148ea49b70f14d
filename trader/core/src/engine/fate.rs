//! Orders whose fate is not known: asked for, and after a bound reported.
//!
//! An exit of unknown fate blocks the next sale of its position, because sold twice is worse than sold
//! late. So it must not stay unknown in silence: it is looked up at the venue again and again, and when
//! it is still unknown so long after its expiry, that is told and no entry is made until it is answered.

use super::{Commands, Engine};
use crate::ledger::{OrderPhase, OrderState};
use crate::order::OrderId;
use crate::units::EpochMs;

/// How long after its expiry an order is expected to have been told as ended, ms. Then it is looked up.
pub const EXPIRY_GRACE_MS: i64 = 2_000;
/// How long after its expiry an order may stay without a known end before it is told, ms.
pub const FATE_MAX_MS: i64 = 30_000;
/// How often the engine looks for such orders, ms.
const FATE_CHECK_MS: i64 = 1_000;

impl Engine {
    /// Orders that must be looked up at the venue at `now`: those that nobody knows, and those that
    /// should have ended by themselves or whose fills should be final by now. Each answer is an `Order` or `Fill` event. Ask for each at most
    /// once a second.
    pub fn look_ups_due(&self, now: EpochMs) -> impl Iterator<Item = &OrderId> {
        let due = move |state: &&OrderState| {
            state.phase == OrderPhase::Unknown
                || now >= state.order.expires_at.plus_ms(EXPIRY_GRACE_MS)
        };
        let orders = self.ledger.unproved_orders().filter(due);
        orders.map(|state| &state.order.id)
    }

    /// Tells orders without a known end, each once, and shuts entries until they are answered.
    pub(super) fn tell_fates(&mut self, out: &mut Commands) {
        if self.now < self.next_fate_check {
            return;
        }
        self.next_fate_check = self.now.plus_ms(FATE_CHECK_MS);
        let overdue: Vec<OrderId> = self
            .ledger
            .unproved_orders()
            .filter(|state| self.now >= state.order.expires_at.plus_ms(FATE_MAX_MS))
            .map(|state| &state.order.id)
            .filter(|id| !self.gateway.unresolved().contains(*id))
            .cloned()
            .collect();
        for id in overdue {
            self.unexplained("fate_unknown", &id.to_string(), out);
            self.gateway.unresolve(id);
        }
    }
}
