//! The `launch` command: gather facts → plan → preflight → deploy → verify → watchdog; kill beside it.

pub mod context;
pub mod deploy;
pub mod exit;
pub mod loopback;
pub mod plan;
pub mod platform;
pub mod receipts;
pub mod verify;
pub mod watchdog;
pub mod schema;
pub mod source;
