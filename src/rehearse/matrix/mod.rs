//! `launch rehearse --kill-matrix`: the proof of the kill. Hundreds of kills, each against another mixture
//! of faults, held against the truth.
//!
//! 1. Exit 0 means that no process lives that has not durably acknowledged a full halt, and that no order is
//!    open, when it is said and 10 s later.
//! 2. No kill is later than its deadline plus 1 s.
//! 3. Where platform and faults allow a kill, it is verified.
//!
//! Order of reading: `axes` and `venue_axis` (what is planted), `combination`, `plan` (how much of the product),
//! `expectation` (pure), `stage` (one combination, put up and killed: `stand_in`, `edge`, `wire`,
//! `real_trader`, `real_watchdog`, `killing`, `binary`, `pace`), `ground_truth`, `judge` (pure), `runner`, `table`. Everything stays on loopback and
//! in temporary folders.

mod axes;
mod binary;
mod combination;
mod edge;
mod expectation;
mod ground_truth;
mod judge;
mod killing;
mod pace;
mod plan;
mod real_trader;
mod real_watchdog;
mod runner;
mod stage;
mod stand_in;
mod table;
mod venue_axis;
mod wire;

#[cfg(test)]
mod tests;

pub(super) use killing::Planted;
pub(super) use stand_in::{Behaviour, Book};

use super::interrupt::Interrupt;
use super::millis;
use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use combination::Combination;
use stage::Scenery;
use std::path::Path;
use std::time::Instant;

/// How many combinations run beside each other unless `--jobs` says otherwise: most of each is waiting.
const JOBS: usize = 10;

/// `launch rehearse --kill-matrix`.
#[derive(Debug, Clone, clap::Args)]
pub struct MatrixArgs {
    /// Kill under hundreds of mixtures of faults and hold it against the truth.
    #[arg(long, conflicts_with_all = ["incident", "keep"])]
    pub kill_matrix: bool,
    /// Only so many combinations, which show every fault at least once.
    #[arg(
        long,
        value_name = "N",
        requires = "kill_matrix",
        hide_short_help = true
    )]
    pub sample: Option<usize>,
    /// Only this combination (any of the whole product), or those of the plan that fit `*` patterns.
    #[arg(
        long,
        value_name = "SLUG",
        requires = "kill_matrix",
        conflicts_with = "sample",
        hide_short_help = true
    )]
    pub only: Option<String>,
    /// Which combinations are drawn beside the fixed ones.
    #[arg(
        long,
        value_name = "S",
        default_value_t = 1,
        requires = "kill_matrix",
        hide_short_help = true
    )]
    pub seed: u64,
    /// How many run beside each other.
    #[arg(long, value_name = "N", default_value_t = JOBS, requires = "kill_matrix", hide_short_help = true,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=64))]
    pub jobs: usize,
    /// Break the kill on purpose: the matrix has to notice.
    #[arg(
        long,
        value_enum,
        default_value_t,
        requires = "kill_matrix",
        hide = true
    )]
    pub planted: Planted,
    /// Be the trader of a combination.
    #[arg(long, value_enum, hide = true)]
    pub stand_in: Option<Behaviour>,
    /// What the stand-in does about its orders.
    #[arg(
        long,
        value_enum,
        default_value = "none",
        requires = "stand_in",
        hide = true
    )]
    pub stand_in_book: Book,
    /// Where the stand-in cancels its orders.
    #[arg(long, value_name = "URL", requires = "stand_in", hide = true)]
    pub stand_in_exchange: Option<String>,
}

/// Is the trader of a combination.
pub(super) fn stand_in(behaviour: Behaviour, args: &MatrixArgs, ctx: &Context) -> Exit {
    let ctx = Context {
        state_dir: NoState,
        format: ctx.format,
        color: ctx.color,
        progress: ctx.progress,
        quiet: ctx.quiet,
        verbose: ctx.verbose,
        cwd: ctx.cwd.clone(),
    };
    stand_in::run(
        behaviour,
        args.stand_in_book,
        args.stand_in_exchange.as_deref(),
        &ctx,
    )
}

/// Runs the matrix.
pub(super) fn run(args: &MatrixArgs, ctx: &Context, interrupt: &Interrupt) -> Exit {
    let started = Instant::now();
    let combinations = match chosen(args) {
        Ok(combinations) => combinations,
        Err(why) => {
            ctx.error(&format!("error: {why}"));
            return Exit::Usage;
        }
    };
    let folder = tempfile::tempdir();
    let scenery = folder
        .as_ref()
        .map_err(ToString::to_string)
        .and_then(|folder| scenery(folder.path(), args.planted).map_err(|error| error.to_string()));
    let played = scenery.and_then(|scenery| {
        runner::run(&combinations, &scenery, args.jobs, ctx, interrupt)
            .map_err(|error| error.to_string())
    });
    let outcomes = match played {
        Ok(outcomes) => outcomes,
        Err(why) => {
            ctx.error(&format!("error: cannot set the scene: {why}"));
            return Exit::Usage;
        }
    };
    let matrix = table::matrix(
        &outcomes,
        combinations.len(),
        args.seed,
        millis(started.elapsed()),
    );
    match ctx.format {
        Format::Json => ctx.document(&matrix.json()),
        Format::Human => ctx.document(&matrix.human(ctx.color)),
    }
    if interrupt.is_set() {
        Exit::Interrupted
    } else if matrix.passed() {
        Exit::Ok
    } else {
        Exit::CheckFailed
    }
}

fn chosen(args: &MatrixArgs) -> Result<Vec<Combination>, String> {
    let all = plan::all(args.seed);
    if let Some(slug) = &args.only {
        if !slug.contains('*') {
            return Combination::parse(slug).map(|one| vec![one]);
        }
        let fitting = plan::fitting(&all, slug);
        return if fitting.is_empty() {
            Err(format!("no planned combination fits `{slug}`"))
        } else {
            Ok(fitting)
        };
    }
    match args.sample {
        None => Ok(all),
        Some(0) => Err("--sample 0 would prove nothing; wanted 1 or more".to_owned()),
        Some(count) => Ok(plan::sample(&all, count)),
    }
}

/// A repository with one commit, and this very program.
fn scenery(folder: &Path, planted: Planted) -> Result<Scenery, Box<dyn std::error::Error>> {
    let repo_dir = folder.join("matrix");
    let repo = git2::Repository::init(&repo_dir)?;
    let me = git2::Signature::now("Kill Matrix", "matrix@localhost")?;
    let mut tree = repo.treebuilder(None)?;
    tree.insert("README", repo.blob(b"the scene of a kill\n")?, 0o100_644)?;
    let tree = repo.find_tree(tree.write()?)?;
    let commit = repo.commit(Some("refs/heads/main"), &me, &me, "a scene", &tree, &[])?;
    Ok(Scenery {
        repo: repo_dir,
        commit: commit.to_string(),
        program: std::env::current_exe()?,
        manifest: real_trader::write_manifest(&folder.join("manifests"))?,
        planted,
    })
}
