//! `launch deploy`.

pub mod lock;
