//! What `launch` prints and writes, held by readers that are not ours: every report format by its schema or
//! grammar, no secret in any sink, verdicts that are kept, waiting, the doctor and the pages.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test ends at the first surprise"
)]

#[path = "../support/mod.rs"]
mod support;

mod cache;
mod doctor;
mod explain;
mod formats;
mod secrets;
mod waiting;
