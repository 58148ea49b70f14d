//! Where the venue would stand: fills, settlement and a market to trade, all deterministic.
//!
//! Honest by rule: never a better price than the observed book, never more shares than were shown,
//! nothing after the close.

pub mod evidence;
pub mod generator;
pub mod matching;
pub mod rng;
pub mod scores;
pub mod scripted;
pub mod settlement;
pub mod trouble;
