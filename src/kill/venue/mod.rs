//! The exchange, as far as stopping needs it: cancel, read back, positions, the API key's end.
//!
//! A small client of its own, no SDK. Places no order and holds no wallet key: what it is given can
//! cancel and read, nothing else. Amounts stay text. Order of reading: [`VenueAccess`] (what the
//! environment gives), `credentials` (the signature), [`Venue`] (one request), `orders`, `holdings`,
//! `decimal`. Facts: `py-clob-client-v2` 1.2.1 (signature, paths, cursors) and the venue's API
//! reference (docs.polymarket.com: CLOB orders, data API).

mod access;
#[cfg(test)]
mod any_bytes;
mod client;
mod credentials;
mod decimal;
mod holdings;
mod orders;

pub use access::{FUNDER_VARIABLE, VenueAccess};
pub use client::Venue;
pub use credentials::Credentials;
pub use orders::{Cancelled, OpenOrder};

/// The CLOB's production address.
pub const CLOB: &str = "https://clob.polymarket.com";
/// The public data API's production address.
pub const DATA_API: &str = "https://data-api.polymarket.com";
