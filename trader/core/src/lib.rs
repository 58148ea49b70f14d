//! The trader's decisions: pure, deterministic, no clock, no I/O, nothing async.
//!
//! Reading order is the path of a tick: units → window → (tape) event → market view → components →
//! strategy → safeguards → gateway → engine → ledger; `sim` stands where the venue would.
//! Knows neither the network nor `launch`; time arrives inside the event.

pub mod aggregation;
pub mod components;
pub mod digest;
pub mod engine;
pub mod event;
pub mod feed;
pub mod fees;
pub mod gateway;
pub mod golden;
pub mod journal;
pub mod ledger;
pub mod looser;
pub mod manifest;
pub mod market;
pub mod model;
pub mod near_miss;
pub mod order;
pub mod quality;
pub mod refusal;
pub mod run;
pub mod safeguards;
pub mod sim;
pub mod strategy;
pub mod strategy_file;
pub mod tape;
pub mod twap;
pub mod unique_keys;
pub mod units;
pub mod view;
pub mod volatility;
pub mod window;
pub mod wire;

#[cfg(test)]
mod fixtures;
