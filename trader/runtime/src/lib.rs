//! The trader's hands: everything that touches a clock, a disk or a socket around `trader-core`.
//!
//! Reading order is the life of a process: config → manifest files → ledger store → writer lock →
//! gate → feeds → session (one event and all it causes) → run loop; HTTP and health beside it; dry run
//! is the same session in virtual time. Must not decide anything about trading: that is
//! `trader-core`'s. Knows no venue but the simulated one; real orders live in another package.

pub mod clock;
pub mod config;
pub mod dry_run;
pub mod faults;
pub mod feeds;
pub mod gate;
pub mod health;
pub mod http;
pub mod identity;
pub mod ledger_store;
pub mod log;
pub mod manifest_files;
pub mod process;
pub mod recorder;
pub mod run_loop;
pub mod secret;
pub mod session;
pub mod tape_file;
#[cfg(test)]
mod test_support;
pub mod wire;
pub mod writer_lock;
