//! Stops a deployment and proves from outside that it stopped.
//!
//! Depends on nothing else of this project: no manifest, git, check, trader, terminal or prompt
//! can keep it from stopping. Order of reading: [`ops`] (the requests), [`Client`] (how one is
//! sent), [`platform`] (what they mean), [`trader`] and [`watchdog`] (the other two ways),
//! [`kill_file`] and [`state_dir`] (what is known before asking), [`freeze`], [`process`]; then
//! [`args`] → [`targets`] → [`run`] → [`verdict`] → [`report`] (with [`position`]) → [`render`].

#[cfg(test)]
mod any_bytes;
pub mod args;
mod call_error;
mod card;
mod client;
pub mod curl;
mod deadline;
pub mod deployment;
mod edge;
mod endpoint;
pub mod freeze;
mod hedge;
mod http;
mod json_http;
pub mod kill_file;
pub mod ops;
pub mod pace;
pub mod platform;
pub mod position;
pub mod process;
pub mod render;
mod render_positions;
pub mod report;
mod run;
mod secret;
mod sheet;
pub mod state_dir;
pub mod targets;
mod tls;
pub mod trader;
pub mod venue;
pub mod verdict;
pub mod watchdog;

pub use args::KillArgs;
pub use call_error::CallError;
pub use client::{ATTEMPT_TIMEOUT, Auth, Client};
pub use deadline::Deadline;
pub use deployment::{Deployment, is_live};
pub use edge::main_with;
pub use endpoint::{BadEndpoint, Endpoint, RAILWAY};
pub use json_http::JsonClient;
pub use kill_file::{KillFile, LocalProcesses};
pub use ops::{Op, Retry};
pub use pace::Pace;
pub use platform::ServiceIds;
pub use report::{Report, TargetReport};
pub use run::{
    CheckReport, Finding, FindingStatus, Progress, Stop, check, check_env, run, run_with,
    stop_deployment,
};
pub use secret::Secret;
pub use state_dir::{EnvName, StateDir, StateError, TokenFile};
pub use targets::Surroundings;
pub use trader::Trader;
pub use verdict::Verdict;
pub use watchdog::Watchdog;
