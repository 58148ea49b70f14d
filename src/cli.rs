//! What the operator typed: commands, flags shared by all of them, help in groups, completions.
//!
//! Only types and dispatch; nothing is resolved or decided here.

use crate::context::{self, Context, Format, NoState};
use crate::exit::Exit;
use clap::{Args, CommandFactory, Parser, Subcommand};
use launch_kill::state_dir::StateDir;
use std::ffi::OsString;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;

/// Commands in the order in which a person meets them. A test holds it against the parser.
const COMMANDS_HELP: &str = "\
Launch:
  preflight    Judge HEAD: git, manifest, components, dry run, target
  plan         Show what a deploy would do, with its digests
  deploy       Preflight, deploy by commit id, verify, hand to the watchdog
  verify       Compare what runs with what was declared
  watchdog     Watch a deployment, grant its lease, stop it when it is wrong
  status       Show what runs, what it holds and who watches it
  positions    Show what is held, what it can lose, when it settles
  orders       Show what is open at the venue

Stop:
  kill         Stop everything and prove it; needs a token and ids, nothing else
  halt         Entries off, exits on, keeps running
  reenable     Lift a freeze, on the record

Rehearse:
  rehearse     The whole life in a scratch project on this machine
  trade        Run the trader here (dry-run or paper)
  replay       Run the trader over recorded data; what the model was worth
  tape         Turn recorded data into a tape
  platform     The loopback platform that stands in for Railway on this machine

Project:
  init         Scaffold a new project; never overwrites
  schema       Print the schema of a manifest, strategy or targets file
  strategies   Which strategies exist, and which manifest lists them
  components   Which components a strategy can be composed of
  doctor       Is everything in place here, and what to type where not; offline
  explain      What a check proves, how it fails, how to fix it; offline
  approve      Answer for limits that are looser than approved
  receipts     What was done, signed: list, show, verify
  completions  Print shell completions

Exit codes:
  0 ok · 1 a check failed · 2 usage · 3 unknown or unreachable
  4 locked or frozen · 5 plan stale · 6 deployed, not verified, stopped again
  7 kill not verified: something may still run
  8 deployed, not verified, stop not verified · 70 a bug · 130 interrupted

In an emergency:  launch kill --env <ENV>";

const HALT_HELP: &str = "\
Examples:
  launch halt --env staging --reason \"odd fills\"   entries off, exits on
  launch halt --all                                 every environment known here
  launch reenable --env staging --reason \"…\"       the way back

Exit: 0 read back from the trader, or nothing was running; 7 not proved;
2 nothing could be asked; 130 interrupted before the first request.";

/// Proves that what is declared is what runs, and that it stops when told to.
#[derive(Debug, Parser)]
#[command(
    name = "launch",
    version,
    about,
    after_help = COMMANDS_HELP,
    help_template = "{about}\n\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}",
    disable_help_subcommand = true,
    max_term_width = 80
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command's own flags beside those that all commands share.
#[derive(Debug, Args)]
pub struct With<T: Args> {
    /// The command's own.
    #[command(flatten)]
    pub own: T,
    /// What stdout carries.
    #[command(flatten)]
    pub output: Output,
    /// Shared.
    #[command(flatten)]
    pub shared: Shared,
}

/// A command's own flags, its formats among them, beside those that all commands share.
#[derive(Debug, Args)]
pub struct WithOwnFormats<T: Args> {
    /// The command's own.
    #[command(flatten)]
    pub own: T,
    /// Shared.
    #[command(flatten)]
    pub shared: Shared,
}

/// The two forms that every document but a preflight's report has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output and state")]
pub struct Output {
    /// What stdout carries.
    #[arg(long, global = true, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// Flags that every command but `kill` shares (`kill` has its own and depends on nothing here).
/// Global, so that they may also follow a command's own subcommand (`platform serve --state-dir D`).
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output and state")]
pub struct Shared {
    /// No colour, whatever the terminal can.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Only the document and errors.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// More about what is going on, on stderr.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Where state is kept (kill files, tokens, receipts, locks).
    #[arg(long, global = true, env = "LAUNCH_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge HEAD: git, manifest, components, dry run, target.
    Preflight(WithOwnFormats<crate::preflight::PreflightArgs>),
    /// Show what a deploy would do, with its digests.
    Plan(With<crate::plan::PlanArgs>),
    /// Preflight, deploy by commit id, verify, hand to the watchdog.
    Deploy(With<crate::deploy::DeployArgs>),
    /// Compare what runs with what was declared.
    Verify(With<crate::verify::VerifyArgs>),
    /// Watch a deployment, grant its trading lease, stop it when it is wrong.
    Watchdog(With<crate::watchdog::WatchdogArgs>),
    /// Show what runs, what it holds and who watches it.
    Status(With<crate::status::StatusArgs>),
    /// Show what is held, what it can lose, when it settles.
    Positions(With<crate::account::PositionsArgs>),
    /// Show what is open at the venue.
    Orders(With<crate::account::OrdersArgs>),
    /// Stop everything and prove it; needs a token and ids, nothing else.
    Kill(launch_kill::KillArgs),
    /// Entries off, exits on, keeps running.
    ///
    /// The trader's own halt: open positions keep their exits, nothing is stopped. It stays until
    /// `launch reenable`.
    #[command(
        after_help = HALT_HELP,
        mut_arg("env", |arg| arg.help("The environment to halt; without it, every one that the state directory knows")),
        mut_arg("reduce_only", |arg| arg.hide(true)),
        mut_arg("drill", |arg| arg.hide(true)),
        mut_arg("all_services", |arg| arg.hide(true)),
        mut_arg("settle", |arg| arg.hide(true)),
        mut_arg("card", |arg| arg.hide(true)),
        mut_arg("print_curl", |arg| arg.hide(true)),
        mut_arg("repository", |arg| arg.hide(true)),
    )]
    Halt(launch_kill::KillArgs),
    /// Lift a freeze, on the record.
    Reenable(With<crate::reenable::ReenableArgs>),
    /// The whole life in a scratch project on this machine.
    Rehearse(With<crate::rehearse::RehearseArgs>),
    /// Run the trader here (dry-run or paper).
    Trade(With<crate::trade::TradeArgs>),
    /// Run the trader over recorded data; what the model was worth.
    Replay(With<crate::replay::ReplayArgs>),
    /// Turn recorded data into a tape.
    Tape(With<crate::tape::TapeArgs>),
    /// The loopback platform that stands in for Railway on this machine.
    Platform(With<crate::loopback::PlatformArgs>),
    /// Scaffold a new project; never overwrites.
    Init(With<crate::init::InitArgs>),
    /// Print the schema of a manifest, strategy or targets file.
    Schema(With<crate::schema::SchemaArgs>),
    /// Which strategies exist, and which manifest lists them.
    Strategies(With<crate::schema::strategies::StrategiesArgs>),
    /// Which components a strategy can be composed of.
    Components(With<crate::schema::components::ComponentsArgs>),
    /// Is everything in place here, and what to type where not; offline.
    Doctor(With<crate::doctor::DoctorArgs>),
    /// What a check proves, how it fails, how to fix it; offline.
    Explain(With<crate::explain::ExplainArgs>),
    /// Answer for limits that are looser than approved.
    Approve(With<crate::approve::ApproveArgs>),
    /// What was done, signed: list, show, verify.
    Receipts(With<crate::receipts::ReceiptsArgs>),
    /// Print shell completions.
    Completions(With<CompletionsArgs>),
}

/// `launch completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  launch completions bash > ~/.local/share/bash-completion/completions/launch
  launch completions zsh  > ~/.zfunc/_launch
  launch completions fish > ~/.config/fish/completions/launch.fish")]
pub struct CompletionsArgs {
    /// The shell.
    pub shell: clap_complete::Shell,
}

/// Whether the whole command line is `launch --version`.
pub fn asks_only_for_the_version(args: impl IntoIterator<Item = OsString>) -> bool {
    let typed: Vec<OsString> = args.into_iter().skip(1).take(2).collect();
    matches!(typed.as_slice(), [one] if one == "--version" || one == "-V")
}

/// What the parser prints for `--version`, without the parser.
pub fn print_version() -> Exit {
    let line = format!("launch {}\n", env!("CARGO_PKG_VERSION"));
    match std::io::stdout().lock().write_all(line.as_bytes()) {
        Ok(()) => Exit::Ok,
        Err(_) => Exit::Unknown,
    }
}

/// Runs what was typed; returns the documented exit code.
pub fn run(cli: Cli) -> u8 {
    let exit = match cli.command {
        Command::Preflight(with) => {
            let ctx = state_dir(&with.shared)
                .and_then(|state| context(&with.shared, Format::Human, state));
            run_under(&with.own, ctx, crate::preflight::run)
        }
        Command::Plan(with) => dispatch(&with, crate::plan::run),
        Command::Deploy(with) => dispatch(&with, crate::deploy::run),
        Command::Verify(with) => dispatch(&with, crate::verify::run),
        Command::Watchdog(with) => dispatch(&with, crate::watchdog::run),
        Command::Status(with) => dispatch(&with, crate::status::run),
        Command::Kill(mut args) => {
            // Only the card, made by day, looks for a repository: the kill needs none.
            if args.card && args.repository.is_none() {
                let here = std::env::current_dir().ok();
                args.repository = here.and_then(|here| crate::repo::web::page_of(&here));
            }
            return launch_kill::main_with(&args);
        }
        Command::Positions(with) => dispatch(&with, crate::account::positions),
        Command::Orders(with) => dispatch(&with, crate::account::orders),
        Command::Halt(args) if args.drill || args.all_services || args.flatten => {
            context::complain(
                "error: --drill, --flatten and --all-services stop a deployment: launch kill takes them",
            );
            return Exit::Usage.code();
        }
        Command::Halt(mut args) => {
            args.reduce_only = true;
            args.typed = Some("launch halt");
            return launch_kill::main_with(&args);
        }
        Command::Reenable(with) => dispatch(&with, crate::reenable::run),
        Command::Rehearse(with) => dispatch(&with, crate::rehearse::run),
        Command::Trade(with) => stateless(&with, crate::trade::run),
        Command::Replay(with) => stateless(&with, crate::replay::run),
        Command::Tape(with) => stateless(&with, crate::tape::run),
        Command::Platform(with) => dispatch(&with, crate::loopback::run),
        Command::Init(with) => stateless(&with, crate::init::run),
        Command::Schema(with) => stateless(&with, crate::schema::run),
        Command::Strategies(with) => stateless(&with, crate::schema::strategies::run),
        Command::Components(with) => stateless(&with, crate::schema::components::run),
        Command::Doctor(with) => dispatch(&with, crate::doctor::run),
        Command::Explain(with) => {
            run_in(&with, Ok(state_dir(&with.shared).ok()), crate::explain::run)
        }
        Command::Approve(with) => stateless(&with, crate::approve::run),
        Command::Receipts(with) => dispatch(&with, crate::receipts::run),
        Command::Completions(with) => stateless(&with, completions),
    };
    exit.code()
}

/// Runs a command that keeps state.
fn dispatch<T: Args>(with: &With<T>, command: fn(&T, &Context) -> Exit) -> Exit {
    run_in(with, state_dir(&with.shared), command)
}

/// Runs a command that keeps none, and so needs no place for it.
fn stateless<T: Args>(with: &With<T>, command: fn(&T, &Context<NoState>) -> Exit) -> Exit {
    run_in(with, Ok(NoState), command)
}

fn run_in<T: Args, State>(
    with: &With<T>,
    state: Result<State, String>,
    command: fn(&T, &Context<State>) -> Exit,
) -> Exit {
    let ctx = state.and_then(|state| context(&with.shared, with.output.format, state));
    run_under(&with.own, ctx, command)
}

fn run_under<T: Args, State>(
    own: &T,
    ctx: Result<Context<State>, String>,
    command: fn(&T, &Context<State>) -> Exit,
) -> Exit {
    match ctx {
        Ok(ctx) => command(own, &ctx),
        Err(why) => {
            context::complain(&why);
            Exit::Usage
        }
    }
}

fn state_dir(shared: &Shared) -> Result<PathBuf, String> {
    let variable = |name: &str| std::env::var(name).ok();
    StateDir::resolve(shared.state_dir.as_deref(), variable)
        .map(|found| found.root().to_path_buf())
        .ok_or_else(|| {
            "error: no place for state: neither --state-dir, LAUNCH_STATE_DIR, XDG_STATE_HOME nor HOME is set\n\
             help: add --state-dir DIR"
                .to_owned()
        })
}

fn context<State>(
    shared: &Shared,
    format: Format,
    state_dir: State,
) -> Result<Context<State>, String> {
    let cwd = std::env::current_dir()
        .map_err(|error| format!("error: cannot tell the current directory: {error}"))?;
    Ok(Context {
        state_dir,
        format,
        color: context::wants_color(shared.no_color),
        progress: !shared.quiet && std::io::stderr().is_terminal(),
        quiet: shared.quiet,
        verbose: shared.verbose,
        cwd,
    })
}

fn completions(args: &CompletionsArgs, ctx: &Context<NoState>) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "launch", &mut script);
    ctx.document(&String::from_utf8_lossy(&script));
    Exit::Ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_quick_version_is_the_parsers_and_nothing_else_is_quick() {
        let typed = |args: &[&str]| asks_only_for_the_version(args.iter().map(OsString::from));
        assert!(typed(&["launch", "--version"]) && typed(&["launch", "-V"]));
        for other in [
            &["launch"][..],
            &["launch", "--version", "x"],
            &["launch", "kill"],
        ] {
            assert!(!typed(other), "{other:?}");
        }
        let version = format!("launch {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(Cli::command().render_version(), version);
    }

    /// Every command, with those under it.
    fn all(command: &clap::Command) -> Vec<clap::Command> {
        let mut found = vec![command.clone()];
        found.extend(command.get_subcommands().flat_map(all));
        found
    }

    #[test]
    fn every_help_has_examples_and_fits_a_narrow_terminal() {
        for command in all(&Cli::command()).into_iter().skip(1) {
            let name = command.get_name();
            let below = command.get_after_help().map(ToString::to_string);
            let below = below.unwrap_or_default();
            assert!(below.contains("Example"), "{name}");
            for line in below.lines() {
                assert!(line.chars().count() <= 80, "{name}: {line}");
            }
        }
        for line in COMMANDS_HELP.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }

    #[test]
    fn the_help_lists_every_command_once() {
        for command in Cli::command().get_subcommands() {
            let start = format!("\n  {} ", command.get_name());
            let lines = COMMANDS_HELP.matches(&start).count();
            assert_eq!(
                lines,
                1,
                "{} stands {lines} times in COMMANDS_HELP",
                command.get_name()
            );
        }
    }
}
