//! The platform as a deploy sees it: its operations, its tokens, and how to reach it.
//!
//! Transport and everything that stopping needs come from `launch-kill`.

pub mod calls;
pub mod connect;
pub mod ops;
pub mod reach;
pub mod tokens;
