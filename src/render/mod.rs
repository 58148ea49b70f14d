//! How reports are printed: one struct, several formats. Nothing here decides or reads anything.
//!
//! stdout gets what these functions return; they return text and never print.

mod human;
mod json;
mod plain;

#[cfg(test)]
mod tests;

pub use human::preflight as preflight_human;
pub use json::preflight as preflight_json;
pub use plain::plain;
