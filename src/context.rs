//! What every command needs to know about its surroundings, resolved once in `main`.
//!
//! Must not decide anything: flags and environment in, plain values out.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::PathBuf;

/// The output format of a command's document on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people; the default.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// In place of a state directory: the command neither has nor needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoState;

/// The surroundings of one run; `Context<NoState>` for a command that keeps no state, which must
/// start where there is no place for any (a container without `HOME`).
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that the operator typed"
)]
#[derive(Debug, Clone)]
pub struct Context<State = PathBuf> {
    /// Where `launch` keeps its state (`--state-dir`, `LAUNCH_STATE_DIR`, else per user).
    pub state_dir: State,
    /// What stdout carries.
    pub format: Format,
    /// Whether stdout may carry colour (a terminal, no `NO_COLOR`, no `--no-color`).
    pub color: bool,
    /// Whether stderr is a terminal that may show a moving progress line.
    pub progress: bool,
    /// `-q`: no notes on stderr.
    pub quiet: bool,
    /// `-v`: more on stderr.
    pub verbose: bool,
    /// The directory the command was started in.
    pub cwd: PathBuf,
}

impl<State> Context<State> {
    /// Writes the command's document to stdout. A closed pipe is not an error of ours; a full disk is
    /// said, and changes nothing about how the command ended.
    pub fn document(&self, text: &str) {
        if let Err(error) = write_to_reader(&mut std::io::stdout().lock(), text) {
            complain(&format!(
                "error: the document on stdout is incomplete: {error}"
            ));
        }
    }

    /// Writes one note to stderr unless `-q`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            drop(write_to_reader(
                &mut std::io::stderr().lock(),
                &format!("{text}\n"),
            ));
        }
    }

    /// Writes an error to stderr, `-q` or not.
    pub fn error(&self, text: &str) {
        complain(text);
    }
}

/// Writes an error to stderr before there is a context.
pub fn complain(text: &str) {
    drop(write_to_reader(
        &mut std::io::stderr().lock(),
        &format!("{text}\n"),
    ));
}

/// Whether colour belongs on stdout, from the flag and the environment.
pub fn wants_color(no_color_flag: bool) -> bool {
    !no_color_flag
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::io::stdout().is_terminal()
}

/// The one way out, so the one place that keeps secrets in. The reader may have gone
/// (`launch … | head`); that is no error.
fn write_to_reader(to: &mut dyn Write, text: &str) -> std::io::Result<()> {
    let text = crate::redact::clean(text);
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
