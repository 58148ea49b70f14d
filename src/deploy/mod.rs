//! `launch deploy`.

pub mod history;
pub mod lock;
pub mod stage;
