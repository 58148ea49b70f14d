//! The `launch` command: gather facts → plan → preflight → deploy → verify → watchdog; kill beside it.

pub mod account;
pub mod child;
pub mod cli;
pub mod clock;
pub mod context;
pub mod deploy;
pub mod exit;
pub mod init;
pub mod loopback;
pub mod plan;
pub mod platform;
pub mod preflight;
pub mod receipts;
pub mod reenable;
pub mod rehearse;
pub mod render;
pub mod replay;
pub mod repo;
pub mod runtime;
pub mod schema;
pub mod source;
pub mod status;
pub mod tape;
pub mod trade;
pub mod verify;
pub mod watchdog;
