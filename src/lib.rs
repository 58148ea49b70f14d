//! The `launch` command: gather facts → plan → preflight → deploy → verify → watchdog; kill beside it.

pub mod context;
pub mod exit;
pub mod plan;
pub mod platform;
pub mod verify;
pub mod watchdog;
pub mod schema;
pub mod source;
