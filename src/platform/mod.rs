//! The platform as a deploy sees it: its operations, and how to reach it.
//!
//! Transport and everything that stopping needs come from `launch-kill`.

pub mod calls;
pub mod ops;
