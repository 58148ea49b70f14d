//! What the operator typed. One parser for `launch kill` and `launch-kill`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  launch kill --env staging          stop one environment and prove it
  launch kill --all                  stop every environment this machine knows
  launch kill --env staging --drill  the same, on record; then unfrozen
  launch kill --env staging --check  would a kill work? changes nothing
  launch kill --env staging --flatten --deadline 90s   sell first, then stop
  launch kill --service-id ID        with RAILWAY_TOKEN and without a kill file
  launch kill --card                 the page for the wall, with the ids
  launch kill --print-curl > stop.sh the same stop with curl alone

Exit: 0 verified, reduced, or nothing was running;
7 not verified: something may still run; 2 nothing could be asked;
130 interrupted before the first request.";

/// Stop the trader, and prove from outside that it stopped.
///
/// Needs a token and ids, nothing else: no repository, manifest, terminal or answer. Halts the
/// trader, stops, cancels and removes its deployments on the platform until none is live, freezes
/// the environment, and exits 0 only with proof.
#[derive(Debug, Clone, Default, Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one switch of the command line each"
)]
pub struct KillArgs {
    /// The environment to stop; without it, every one that the state directory knows.
    #[arg(long, value_name = "NAME", conflicts_with = "all")]
    pub env: Option<String>,
    /// Every environment that the state directory knows.
    #[arg(long, conflicts_with_all = ["project_id", "environment_id", "service_id"])]
    pub all: bool,
    /// Without a service id: stop every service of the token's environment.
    #[arg(long)]
    pub all_services: bool,
    /// Entries off, exits on, keep running (the trader's own halt); nothing is stopped.
    #[arg(long, conflicts_with_all = ["drill", "all_services"])]
    pub reduce_only: bool,
    /// Entries off, sell what is held (at most `flatten_secs`), then stop as always.
    #[arg(long, conflicts_with_all = ["reduce_only", "drill", "check", "card", "print_curl"])]
    pub flatten: bool,
    /// A real stop, timed and recorded as a drill; refused (2) when nothing runs.
    #[arg(long)]
    pub drill: bool,
    /// Last escalation: delete the venue's API key when neither the platform nor the trader has
    /// proved the stop after 30 s (or half the deadline). A new key is then needed to trade again.
    #[arg(long, conflicts_with_all = ["drill", "reduce_only", "check"])]
    pub revoke_venue_key: bool,
    /// Look whether token, ids and witnesses are there; changes nothing.
    #[arg(long, conflicts_with_all = ["drill", "reduce_only"])]
    pub check: bool,
    /// Print the 3 a.m. card with the ids filled in; stops nothing.
    #[arg(long, conflicts_with_all = ["drill", "reduce_only", "check", "print_curl"])]
    pub card: bool,
    /// Print the shell lines that stop it with curl alone; stops nothing.
    #[arg(long, conflicts_with_all = ["drill", "reduce_only", "check"])]
    pub print_curl: bool,
    /// The whole time allowed (60, 60s, 500ms, 2m).
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_deadline)]
    pub deadline: Duration,
    /// How long nothing may reappear before it counts as stopped.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_span)]
    pub settle: Duration,
    /// Why; recorded with the freeze.
    #[arg(long, value_name = "TEXT", default_value = "stopped by hand")]
    pub reason: String,
    /// Railway project.
    #[arg(long, value_name = "ID")]
    pub project_id: Option<String>,
    /// Railway environment.
    #[arg(long, value_name = "ID")]
    pub environment_id: Option<String>,
    /// Railway service.
    #[arg(long, value_name = "ID")]
    pub service_id: Option<String>,
    /// What it trades with, where no kill file tells; else it counts as live.
    #[arg(long, value_enum, value_name = "MODE")]
    pub mode: Option<Mode>,
    /// GraphQL address of the platform.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Address of the trader.
    #[arg(long, value_name = "URL")]
    pub trader_url: Option<String>,
    /// The repository's page, for the phone line of --card.
    #[arg(long, value_name = "URL", requires = "card")]
    pub repository: Option<String>,
    /// Where kill files and tokens lie.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
    /// No colour on stdout.
    #[arg(long)]
    pub no_color: bool,
    /// The command that was typed, where it was not `launch kill`.
    #[arg(skip)]
    pub typed: Option<&'static str>,
}

impl KillArgs {
    /// The command that was typed, as messages name it.
    pub fn command(&self) -> &'static str {
        self.typed.unwrap_or("launch kill")
    }
}

/// What a target trades with, as the operator says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Nothing is sent: no order can be open.
    DryRun,
    /// Simulated fills: no order can be open.
    Paper,
    /// Real orders: zero open ones are part of the proof.
    Live,
}

/// What stdout carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// Longest span that can be asked for.
const SPAN_MAX: Duration = Duration::from_hours(1);

/// Shortest deadline: in less nothing can be asked, and a kill that asks nothing is none.
const DEADLINE_MIN: Duration = Duration::from_millis(100);

/// As [`parse_span`], and long enough to ask.
fn parse_deadline(text: &str) -> Result<Duration, String> {
    let span = parse_span(text)?;
    if span < DEADLINE_MIN {
        return Err(format!(
            "`{text}` is too short to ask anybody (wanted 100ms or more)"
        ));
    }
    Ok(span)
}

/// Reads `60`, `60s`, `1.5s`, `500ms` or `2m`; at most one hour.
fn parse_span(text: &str) -> Result<Duration, String> {
    let wanted = || format!("`{text}` is no time span (wanted 60, 60s, 500ms or 2m, at most 60m)");
    let (number, unit_ms) = if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else if let Some(number) = text.strip_suffix('s') {
        (number, 1000.0)
    } else if let Some(number) = text.strip_suffix('m') {
        (number, 60_000.0)
    } else {
        (text, 1000.0)
    };
    let is_plain = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.');
    let value: f64 = number
        .parse()
        .ok()
        .filter(|_| is_plain)
        .ok_or_else(wanted)?;
    Duration::try_from_secs_f64(value * unit_ms / 1000.0)
        .ok()
        .filter(|span| *span <= SPAN_MAX)
        .ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        kill: KillArgs,
    }

    #[test]
    fn the_parser_is_sound() {
        Cli::command().debug_assert();
        let cli = Cli::try_parse_from(["launch-kill"]).unwrap();
        assert_eq!(cli.kill.deadline, Duration::from_mins(1));
        assert_eq!(cli.kill.settle, Duration::from_secs(10));
    }

    #[test]
    fn spans() {
        for (text, ms) in [
            ("60", 60_000),
            ("60s", 60_000),
            ("1.5s", 1500),
            ("500ms", 500),
            ("2m", 120_000),
            ("0", 0),
        ] {
            assert_eq!(parse_span(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "s", "-1", "1h", "inf", "nan", "1e9", "61m", "1.2.3"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn all_and_one_are_not_asked_for_together() {
        for narrower in ["--env", "--project-id", "--environment-id", "--service-id"] {
            let line = ["launch-kill", "--all", narrower, "x"];
            assert!(Cli::try_parse_from(line).is_err(), "{narrower}");
        }
    }

    #[test]
    fn a_deadline_leaves_time_to_ask() {
        assert_eq!(parse_deadline("100ms"), Ok(Duration::from_millis(100)));
        assert!(parse_deadline("0").is_err() && parse_deadline("99ms").is_err());
    }
}
