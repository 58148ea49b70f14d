//! `launch preflight`: gather facts once, judge them with the check table, report.
//!
//! Judges HEAD and the live remote, never the files on disk (except to compare them with HEAD). Changes
//! nothing, but for a target on this machine it starts the machine's platform. `deploy` uses [`judge`]
//! with the same facts and the same table.

mod base;
mod cache;
mod documents;
mod dry_run;
mod facts;
mod head_files;
mod model_evidence;
mod policy;
mod progress;
mod project;
mod reports;
mod target;
mod tests_run;
mod waiting;

#[cfg(test)]
mod tests;

pub use head_files::HeadFiles;
pub use project::{Project, Unusable};

use crate::context::Context;
use crate::exit::Exit;
use crate::render::{ReportFormat, ReportTo};
use crate::{clock, render};
use launch_checks::{CheckResult, Code, Header, Report, Selection, Status, Verdict};
use launch_kill::StateDir;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// `launch preflight`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch preflight                       judge HEAD for env local
  launch preflight --env staging         what a deploy would judge first
  launch preflight --only LC-101,LC-102  only these checks; clears nothing
  launch preflight --env ci --base main  policy from the base branch
  launch preflight --run-tests           also run the declared tests on HEAD
  launch preflight --offline             ask no remote (LC-102: unknown)
  launch preflight --format json         the whole report for programs
  launch preflight --report sarif=a.sarif --report junit=a.xml
  launch preflight --wait 120            until it holds, two minutes at most

Exit: 0 all hold; 1 a check failed; 2 usage, or launch.toml unusable;
3 something is unknown, or all hold and a --report could not be written.")]
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
    /// Judge everything anew, also what held on this very commit before.
    #[arg(long)]
    pub no_cache: bool,
    /// Ask again until all hold, at most so many seconds: only what does not hold and can change.
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(1..=WAIT_MAX_SECS))]
    pub wait: Option<u64>,
    /// What stdout carries.
    #[arg(long, value_enum, default_value_t = ReportFormat::Human, help_heading = "Output and state")]
    pub format: ReportFormat,
    /// A copy of the report in a file, in any of the formats; may be given again.
    #[arg(long, value_name = "FORMAT=FILE", help_heading = "Output and state")]
    pub report: Vec<ReportTo>,
    /// Read waivers, approved limits, advisory codes and the check set from this branch or commit. On a
    /// pull request or in a merge queue the event's own base is the default.
    #[arg(long, value_name = "REF", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub base: Option<String>,
    /// First run the tests that launch.toml declares, on an export of HEAD, and keep how they ended.
    #[arg(long)]
    pub run_tests: bool,
}

/// Longest `--wait`, seconds: an hour.
const WAIT_MAX_SECS: u64 = 3_600;

/// What to judge, and how.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The environment's name in `launch.toml`.
    pub env: &'a str,
    /// Which checks.
    pub selection: Selection,
    /// Whether the network may not be asked.
    pub offline: bool,
    /// The branch or commit that the policy is read from; `None`: the event's base, else HEAD.
    pub base: Option<&'a str>,
    /// Whether to run the declared tests first.
    pub run_tests: bool,
    /// The plan that is judged, if any; goes into the report.
    pub plan_digest: Option<String>,
    /// Whether verdicts that were kept may stand for judging again.
    pub cache: bool,
}

impl<'a> Request<'a> {
    /// All checks for `env`, network allowed, no plan.
    pub const fn all(env: &'a str) -> Self {
        Self {
            env,
            selection: Selection::All,
            offline: false,
            base: None,
            run_tests: false,
            plan_digest: None,
            cache: false,
        }
    }
}

/// Runs the command.
pub fn run(args: &PreflightArgs, ctx: &Context) -> Exit {
    if let Err(error) = reports::each_its_own(&args.report) {
        ctx.error(&format!("error: {error}"));
        return Exit::Usage;
    }
    let said = |check: &CheckResult| {
        if args.format == ReportFormat::Jsonl
            && let Ok(line) = render::jsonl_line(check)
        {
            ctx.document(&line);
        }
    };
    let judged = Selection::parse(&args.only)
        .map_err(Unusable::from)
        .and_then(|selection| {
            let request = Request {
                env: &args.env,
                selection,
                offline: args.offline,
                base: args.base.as_deref(),
                run_tests: args.run_tests,
                plan_digest: None,
                cache: !args.no_cache,
            };
            let wait = args.wait.map(Duration::from_secs);
            waiting::judge(&ctx.cwd, &request, wait, ctx, &said)
        });
    let report = match judged {
        Ok(report) => report,
        Err(unusable) => {
            if args.format == ReportFormat::Github {
                ctx.document(&render::github_unusable(&unusable.places()));
            }
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
    let document = if args.format == ReportFormat::Jsonl {
        // The results went out as they happened.
        render::jsonl_verdict(&report)
    } else {
        render::preflight(args.format, &report, ctx.color)
    };
    match document {
        Ok(text) => ctx.document(&text),
        Err(error) => {
            ctx.error(&format!("bug: the report cannot be written: {error}"));
            return Exit::Bug;
        }
    }
    reports::write(&args.report, &report, exit_of(&report), ctx)
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
    judge_beside(cwd, request, &BTreeMap::new(), ctx, &|_| ())
}

/// [`judge`], with results that are known already and are not judged again where HEAD is still theirs;
/// `said` hears of each result as it happens.
pub(crate) fn judge_beside(
    cwd: &Path,
    request: &Request<'_>,
    known: &BTreeMap<Code, CheckResult>,
    ctx: &Context,
    said: &(dyn Fn(&CheckResult) + Sync),
) -> Result<Report, Unusable> {
    let started = Instant::now();
    let started_at = clock::now_text();
    let elapsed_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);

    let progress = progress::Progress::start(ctx);
    let opened = Project::open(cwd, request.env)?;
    let mut known = known.clone();
    let mut kept = None;
    let (facts, commit, tree) = match opened {
        Ok(project) => {
            let policy = policy::read(&project, request.base);
            // Kept verdicts are HEAD's own; a base or a waiver may say otherwise of the same commit.
            if request.cache && policy.is_heads_alone() {
                kept = cache::Cache::open(&project, &ctx.state_dir);
            }
            for (code, result) in kept.iter().flat_map(cache::Cache::held) {
                known.entry(code).or_insert(result);
            }
            let state = StateDir::at(&ctx.state_dir);
            let facts = facts::gather(&project, request, &known, policy, &state, &progress)?;
            (
                facts,
                Some(project.repo.commit()),
                Some(project.repo.tree()),
            )
        }
        Err(error) => {
            known.clear();
            (facts::nothing_seen(request.env, &error), None, None)
        }
    };
    progress.say("judging");
    let ran = launch_checks::run_beside(&facts, &request.selection, &known, &elapsed_ms, said)?;
    drop(progress);
    if let Some(kept) = &kept {
        kept.keep(&ran.checks);
    }
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
