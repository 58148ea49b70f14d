//! A stub of the exchange (CLOB and public data) on 127.0.0.1, for rehearsals and tests of the kill.
//!
//! It checks what the real one checks of a signed request, byte for byte, and misbehaves on command.
//! It places no order of its own, matches nothing and knows no price but those it was given. It has
//! its own signature code: one written for the client could be wrong in the same way; an official
//! client is run against it (`tests/venue_clients.rs`). `deploy`, `kill` and `verify` must not name
//! it.
//!
//! Order of reading: [`Venue`] (start, ground truth), [`VenueFaults`], `account` (what it holds),
//! `signature`, `answer` (one request). Facts: the official Python client `py-clob-client-v2` 1.2.1,
//! `docs.polymarket.com` (CLOB and data API), and the issue threads named where they matter.

mod account;
mod answer;
mod faults;
mod serve;
mod signature;

#[cfg(test)]
mod tests;

pub use account::{Credentials, Holding, RestingOrder, VenueRequest};
pub use faults::{NotReady, VenueFaults};
pub use serve::{Venue, VenueOptions};
