//! A program that parses one flag with clap and does nothing else: what `launch --version` is held beside.

use clap::Parser;

/// Nothing but clap.
#[derive(Debug, Parser)]
#[command(version)]
struct Bare {
    /// Ignored.
    #[arg(long)]
    quiet: bool,
}

fn main() {
    let bare = Bare::parse();
    std::process::exit(i32::from(bare.quiet));
}
