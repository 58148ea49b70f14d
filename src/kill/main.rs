//! The stand-alone binary: nothing but the kill, small enough to carry around.

use clap::Parser;
use launch_kill::KillArgs;
use std::process::ExitCode;

/// Stops a deployment and proves from outside that it stopped.
#[derive(Debug, Parser)]
#[command(name = "launch-kill", version)]
struct Cli {
    #[command(flatten)]
    kill: KillArgs,
}

fn main() -> ExitCode {
    ExitCode::from(launch_kill::main_with(&Cli::parse().kill))
}
