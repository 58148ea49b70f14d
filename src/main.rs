//! The `launch` binary: parse, dispatch, exit. A panic is a bug (70).

use clap::Parser;
use launch::cli::Cli;
use launch::exit::Exit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match catch_unwind(AssertUnwindSafe(|| launch::cli::run(cli))) {
        Ok(code) => ExitCode::from(code),
        Err(_) => Exit::Bug.into(),
    }
}
