//! The `launch` binary: parse, dispatch, exit. A panic is a bug (70), in a kill it is "not verified" (7).

use clap::Parser;
use launch::cli::{Cli, Command};
use launch::exit::Exit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Scripts ask it often, and building the parser of every command takes longer than the answer.
    if launch::cli::asks_only_for_the_version(std::env::args_os()) {
        return launch::cli::print_version().into();
    }
    // A panic's words can quote what it was handling.
    std::panic::set_hook(Box::new(|info| {
        launch::context::complain(&format!("bug: {info}"));
    }));
    let cli = Cli::parse();
    let stops = matches!(cli.command, Command::Kill(_) | Command::Halt(_));
    let on_panic = if stops {
        Exit::KillNotVerified
    } else {
        Exit::Bug
    };
    match catch_unwind(AssertUnwindSafe(|| launch::cli::run(cli))) {
        Ok(code) => ExitCode::from(code),
        Err(_) => on_panic.into(),
    }
}
