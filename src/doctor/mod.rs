//! `launch doctor`: is everything there that the other commands need, and what to type where it is not.
//!
//! Changes nothing but a file that it makes and removes in the state directory, to see whether it can. Ends
//! within a second, network or not: whoever does not answer in time is said to be unknown.

mod kill_path;
mod look;

use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::render::plain;
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;

/// `launch doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch doctor                what is in place, and what to type
  launch doctor --format json  the same for programs

Exit: 0 nothing is in the way (warnings apart); 1 something is; 3 nothing is
seen in the way, but something could not be seen.")]
pub struct DoctorArgs {}

/// How one look ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// In place.
    Ok,
    /// Nothing depends on it today; worth knowing.
    Note,
    /// Works, and a person should look.
    Warn,
    /// Could not be seen.
    Unknown,
    /// In the way.
    Bad,
}

/// One look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Look {
    /// What was looked at.
    pub(crate) what: String,
    /// How it ended.
    pub(crate) state: State,
    /// What was seen.
    pub(crate) seen: String,
    /// What to type or do.
    pub(crate) run: Option<String>,
}

impl Look {
    fn new(what: &str, state: State, seen: impl Into<String>) -> Self {
        Self {
            what: what.to_owned(),
            state,
            seen: seen.into(),
            run: None,
        }
    }

    fn run(mut self, run: impl Into<String>) -> Self {
        self.run = Some(run.into());
        self
    }
}

/// Runs the command.
pub fn run(_: &DoctorArgs, ctx: &Context) -> Exit {
    // The one look that may ask a network waits beside the others.
    let asked = kill_path::start(&ctx.state_dir);
    let mut looks = look::all(ctx);
    looks.extend(asked.finish());
    let exit = exit_of(&looks);
    ctx.document(&match ctx.format {
        Format::Human => human(&looks),
        Format::Json => format!(
            "{:#}\n",
            json!({
                "schema_version": 1,
                "launch_version": env!("CARGO_PKG_VERSION"),
                "ok": exit == Exit::Ok,
                "looks": looks,
            })
        ),
    });
    exit
}

fn exit_of(looks: &[Look]) -> Exit {
    match looks.iter().map(|look| look.state).max() {
        Some(State::Bad) => Exit::CheckFailed,
        Some(State::Unknown) => Exit::Unknown,
        Some(State::Ok | State::Note | State::Warn) | None => Exit::Ok,
    }
}

fn human(looks: &[Look]) -> String {
    let width = looks.iter().map(|look| look.what.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut out = String::new();
    for look in looks {
        let word = match look.state {
            State::Ok => "ok",
            State::Note => "-",
            State::Warn => "warn",
            State::Unknown => "unknown",
            State::Bad => "BAD",
        };
        let _infallible = writeln!(
            out,
            "{word:<8} {:<width$}  {}",
            look.what,
            plain(&look.seen)
        );
        if let Some(run) = &look.run {
            let _infallible = writeln!(out, "{:<8} {:<width$}  run: {}", "", "", plain(run));
        }
    }
    let count = |state: State| looks.iter().filter(|look| look.state == state).count();
    let verdict = if count(State::Bad) > 0 {
        "NOT READY"
    } else if count(State::Unknown) > 0 {
        "NOT SURE"
    } else {
        "ready"
    };
    let _infallible = writeln!(
        out,
        "\n{}: {} in the way, {} unknown, {} to look at",
        verdict,
        count(State::Bad),
        count(State::Unknown),
        count(State::Warn),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_look_is_the_exit_code() {
        let look = |state| Look::new("x", state, "y");
        for (states, exit) in [
            (vec![State::Ok, State::Note, State::Warn], Exit::Ok),
            (vec![State::Unknown, State::Warn], Exit::Unknown),
            (
                vec![State::Unknown, State::Bad, State::Ok],
                Exit::CheckFailed,
            ),
        ] {
            let looks: Vec<Look> = states.into_iter().map(look).collect();
            assert_eq!(exit_of(&looks), exit);
        }
    }

    #[test]
    fn what_to_type_stands_under_what_is_wrong() {
        let looks = [
            Look::new("git", State::Bad, "not installed").run("apt-get install git"),
            Look::new("clock", State::Ok, "2026"),
        ];
        let text = human(&looks);
        assert!(text.contains("BAD      git    not installed\n"), "{text}");
        assert!(text.contains("run: apt-get install git\n"), "{text}");
        assert!(human(&[Look::new("x", State::Unknown, "y")]).contains("\nNOT SURE: "));
        assert!(
            text.ends_with("NOT READY: 1 in the way, 0 unknown, 0 to look at\n"),
            "{text}"
        );
    }
}
