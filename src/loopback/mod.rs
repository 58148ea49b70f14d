//! The loopback platform: Railway's GraphQL on 127.0.0.1, with real child processes behind it.
//!
//! So that a bare machine can deploy, verify and kill with the very code that meets Railway. It
//! says what Railway says and when Railway says it, lies included (an immediate read after a stop,
//! a process that runs before SUCCESS), and misbehaves on command. `deploy`, `kill` and `verify`
//! must not name this module: they know an endpoint and a token. It never talks to Railway, to the
//! network, or to the operator's environment.
//!
//! Order of reading: [`ensure()`] starts it (or [`InProcess`], in this process), `server` over
//! `wire` answers, `graphql` → `query` / `mutation` → `object` / `view` / `page`, `supervisor` does
//! what `lifecycle` decides, with `child`, `export`, `state`; `comeback` after its own death.
//! Misbehaviour: `faults` (the words), `fault_rules`, `command_faults` and `report` (what reads say),
//! `revival`, `network` with `spoil`; the truth: `ground_truth`, `request_log`. Facts: the pruned SDL
//! in `schemas/railway.graphql` and the measured table named in `timing`.

mod access;
mod admin;
mod child;
mod comeback;
mod command;
mod command_faults;
mod endpoint;
mod ensure;
mod error;
mod export;
mod fault_rules;
mod faults;
mod faults_command;
mod files;
mod graphql;
mod ground_truth;
mod in_process;
mod lifecycle;
mod local_http;
mod logs;
mod mutation;
mod network;
mod object;
mod page;
mod places;
mod provision;
mod query;
mod rehearsal;
mod report;
mod request_log;
mod revival;
mod server;
mod settings;
mod spoil;
mod state;
mod succession;
mod supervisor;
mod surroundings;
mod timing;
pub mod venue;
mod view;
mod wire;

#[cfg(test)]
mod tests;

pub use command::{PlatformArgs, run};
pub use endpoint::Endpoint;
pub use ensure::{ensure, ensure_from, provision, running};
pub use error::PlatformError;
pub use fault_rules::BadFaults;
pub use faults::{
    Faults, HUGE_BODY_BYTES, LARGEST_SKEW_SECS, LONGEST_HANG_MS, LONGEST_REPORT_DELAY_MS,
    MOST_NETWORK_FAULTS, NetworkFault, NetworkKind, OnCommand, REVIVE_AFTER_MS, Revive, Reviver,
    STUCK_MS,
};
pub use in_process::{InProcess, TrueDeployment};
pub use provision::{Provisioned, ServiceSpec};
pub use rehearsal::{living_processes, set_faults};
pub use request_log::{KEPT_REQUESTS, LoggedRequest};
pub use server::{IDLE_EXIT, serve};
pub use supervisor::PlatformOptions;
pub use timing::SCALE_BOUNDS;
