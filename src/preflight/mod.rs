//! `launch preflight`: gather facts once, judge them with the check table, report.
//!
//! Judges HEAD and the live remote, never the files on disk (except to compare them with HEAD). Changes
//! nothing. `deploy` uses [`judge`] with the same facts and the same table.

mod documents;
mod dry_run;
mod facts;
mod head_files;
mod policy;
mod progress;
mod project;

#[cfg(test)]
mod tests;

pub use head_files::HeadFiles;
pub use project::{Project, Unusable};

use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::{clock, render};
use launch_checks::{Header, Report, Selection, Status, Verdict};
use std::path::Path;
use std::time::Instant;

/// `launch preflight`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch preflight                       judge HEAD for env local
  launch preflight --env staging         what a deploy would judge first
  launch preflight --only LC-101,LC-102  only these checks; clears nothing
  launch preflight --offline             ask no remote (LC-102: unknown)
  launch preflight --format json         the whole report for programs

Exit: 0 all hold; 1 a check failed; 2 usage, or launch.toml unusable;
3 something is unknown.")]
pub struct PreflightArgs {
    /// The environment of launch.toml to judge for.
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub env: String,
    /// Run only these checks (codes, joined by commas). The report is PARTIAL and clears nothing.
    #[arg(long, value_name = "CODES")]
    pub only: Vec<String>,
    /// Ask no network. What only the network can tell is then unknown.
    #[arg(long)]
    pub offline: bool,
}

/// What to judge, and how.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The environment's name in `launch.toml`.
    pub env: &'a str,
    /// Which checks.
    pub selection: Selection,
    /// Whether the network may not be asked.
    pub offline: bool,
    /// The plan that is judged, if any; goes into the report.
    pub plan_digest: Option<String>,
}

impl<'a> Request<'a> {
    /// All checks for `env`, network allowed, no plan.
    pub const fn all(env: &'a str) -> Self {
        Self {
            env,
            selection: Selection::All,
            offline: false,
            plan_digest: None,
        }
    }
}

/// Runs the command.
pub fn run(args: &PreflightArgs, ctx: &Context) -> Exit {
    let judged = Selection::parse(&args.only)
        .map_err(Unusable::from)
        .and_then(|selection| {
            let request = Request {
                env: &args.env,
                selection,
                offline: args.offline,
                plan_digest: None,
            };
            judge(&ctx.cwd, &request, ctx)
        });
    let report = match judged {
        Ok(report) => report,
        Err(unusable) => {
            ctx.error(&unusable.render(ctx.color));
            return unusable.exit();
        }
    };
    if report
        .check("LC-101")
        .is_some_and(|check| check.status == Status::Fail)
    {
        ctx.note("note: judged HEAD; your uncommitted edits are not seen");
    }
    match ctx.format {
        Format::Human => ctx.document(&render::preflight_human(&report, ctx.color)),
        Format::Json => match render::preflight_json(&report) {
            Ok(text) => ctx.document(&text),
            Err(error) => {
                ctx.error(&format!("bug: the report cannot be written: {error}"));
                return Exit::Bug;
            }
        },
    }
    exit_of(&report)
}

/// The documented exit code of a report.
pub const fn exit_of(report: &Report) -> Exit {
    match report.verdict {
        Verdict::Pass => Exit::Ok,
        Verdict::Fail => Exit::CheckFailed,
        Verdict::Unknown => Exit::Unknown,
    }
}

/// Judges HEAD of the repository that holds `cwd`.
///
/// A repository that nothing can be said about (none, bare, without a commit) gives a report in which
/// everything is unknown.
///
/// # Errors
/// [`Unusable`]: `launch.toml`, the environment or the selection leave nothing to judge.
pub fn judge(cwd: &Path, request: &Request<'_>, ctx: &Context) -> Result<Report, Unusable> {
    let started = Instant::now();
    let started_at = clock::now_text();
    let elapsed_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);

    let progress = progress::Progress::start(ctx);
    let opened = Project::open(cwd, request.env)?;
    let (facts, commit, tree) = match opened {
        Ok(project) => {
            let facts = facts::gather(&project, request, &progress);
            (
                facts,
                Some(project.repo.commit()),
                Some(project.repo.tree()),
            )
        }
        Err(error) => (facts::nothing_seen(request.env, &error), None, None),
    };
    progress.say("judging");
    let ran = launch_checks::run(&facts, &request.selection, &elapsed_ms, &|_| ())?;
    drop(progress);
    let header = Header {
        launch_version: env!("CARGO_PKG_VERSION").to_owned(),
        commit,
        tree,
        plan_digest: request.plan_digest.clone(),
        started_at,
        duration_ms: elapsed_ms(),
    };
    Ok(Report::new(header, request.env, ran))
}
