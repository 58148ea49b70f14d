//! `window_not_open`: an order trades a window that is open now, and never outlives it.
//!
//! The market view cannot be made for another window; this is the same rule once more at the gate.

use super::{GateFacts, Safeguard, refuse};
use crate::manifest::Manifest;
use crate::order::Order;
use crate::refusal::{Figure, Refusal};
use serde_json::Value;

#[derive(Debug)]
struct WindowOpen;

pub(super) fn build(_: &Manifest) -> Box<dyn Safeguard> {
    Box::new(WindowOpen)
}

impl Safeguard for WindowOpen {
    fn judge(&self, order: &Order, facts: &GateFacts<'_>) -> Result<(), Refusal> {
        let window = order.id.window;
        let since_open = facts.now - window.open();
        if since_open < 0 || facts.now >= window.close() {
            let length = Figure::Ms(window.length().ms());
            return Err(refuse("window_not_open", Figure::Ms(since_open), length));
        }
        if order.expires_at > window.close() || order.expires_at <= facts.now {
            let life = Figure::Ms(order.expires_at - facts.now);
            return Err(refuse(
                "window_not_open",
                life,
                Figure::Ms(window.close() - facts.now),
            ));
        }
        Ok(())
    }

    fn held(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}
