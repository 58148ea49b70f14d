//! The safeguards: the only place that can approve an order.

/// A value that every safeguard has passed. The field is private and nothing outside this module
/// makes one, so nothing else can reach the wire.
#[derive(Debug, PartialEq, Eq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    /// What was approved.
    pub const fn get(&self) -> &T {
        &self.0
    }
}
