//! Stops a deployment and proves from outside that it stopped.
//!
//! Depends on nothing else of this project: no manifest, git, check, trader, terminal or prompt
//! can keep it from stopping. Order of reading: [`ops`] (the requests), [`Client`] (how one is
//! sent), [`platform`] (what they mean).

mod call_error;
mod client;
mod deadline;
pub mod deployment;
mod endpoint;
mod http;
pub mod ops;
pub mod platform;
mod secret;

pub use call_error::CallError;
pub use client::{ATTEMPT_TIMEOUT, Auth, Client};
pub use deadline::Deadline;
pub use deployment::{Deployment, is_live};
pub use endpoint::{BadEndpoint, Endpoint, RAILWAY};
pub use ops::{Op, Retry};
pub use secret::Secret;
