//! `launch approve`: a named person answers for limits that let more happen than what is approved.
//!
//! Reads the files on disk, because it is run before they are committed; shows key, from and to; appends to
//! `manifests/approved-limits.toml` and says what to commit. Must not change a manifest, and must not commit.

mod text;

use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use crate::replace::replace;
use crate::repo::{Repo, RepoError};
use crate::source::{
    Code, Diagnostic, DiskFiles, Files as _, exit_of, find_strategies, load_approved_limits,
    load_manifest, load_targets, render_all,
};
use crate::{ask, clock, schema};
use launch_checks::files::approved_limits::{APPROVED_LIMITS_PATH, ApprovedLimits};
use launch_checks::targets::TARGETS_PATH;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use trader_core::looser::{self, Compared, shown};
use trader_core::near_miss::near_miss;

/// Answer for limits that are looser than approved.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch approve --env production              what is looser than approved
  launch approve --env production --who \"Ada Lovelace\" \\
    --why \"a month of paper evidence\"          answers for all of it
  launch approve --env production --key max_exposure_usd --who … --why …

Writes manifests/approved-limits.toml; commit it with the manifest. On a pull
request the base branch's file counts, so an approval is merged first.
Exit: 0 approved, or nothing to approve; 1 a file is wrong; 2 usage.")]
pub struct ApproveArgs {
    /// The environment of launch.toml whose manifest is looser.
    #[arg(long, value_name = "NAME")]
    pub env: String,
    /// Only these keys, like `safeguards.max_open_positions`; repeatable.
    #[arg(long, value_name = "KEY")]
    pub key: Vec<String>,
    /// Who answers for it: a person's name.
    #[arg(long, value_name = "NAME")]
    pub who: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

/// One limit to answer for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Loosened {
    pub(crate) key: String,
    /// What is approved; null at the environment's first approval.
    pub(crate) from: Option<Value>,
    pub(crate) to: Value,
    pub(crate) direction: &'static str,
}

/// Why there is nothing to approve with.
enum Refusal {
    /// The approved limits, or the manifest, are wrong: 1.
    Files(Vec<Diagnostic>),
    /// Everything else: 2.
    Usage(String),
}

/// Runs `launch approve`.
pub fn run(args: &ApproveArgs, ctx: &Context<NoState>) -> Exit {
    match approve(args, ctx) {
        Ok(()) => Exit::Ok,
        Err(Refusal::Files(problems)) => {
            ctx.error(&render_all(&problems, ctx.color));
            exit_of(&problems)
        }
        Err(Refusal::Usage(why)) => {
            ctx.error(&why);
            Exit::Usage
        }
    }
}

/// What is on disk.
struct OnDisk {
    root: PathBuf,
    before: Option<Vec<u8>>,
    approved: Option<ApprovedLimits>,
    declared: BTreeMap<String, Value>,
}

fn approve(args: &ApproveArgs, ctx: &Context<NoState>) -> Result<(), Refusal> {
    let disk = read(args, &ctx.cwd)?;
    let all = loosened(&disk, &args.env);
    let chosen = choose(&all, &args.key)?;
    if chosen.is_empty() {
        let document = document(args, &chosen, None);
        ctx.document(&match ctx.format {
            Format::Human => format!(
                "nothing to approve: every limit of env {} is as approved or tighter\n",
                args.env
            ),
            Format::Json => format!("{document:#}\n"),
        });
        return Ok(());
    }
    let (who, why) = match answers(args) {
        Ok(answers) => answers,
        Err(missing) => {
            return Err(Refusal::Usage(format!("{}{missing}", lines(args, &chosen))));
        }
    };
    let signed = text::Signed {
        who,
        why,
        at: clock::now_text(),
    };
    let first = disk
        .approved
        .as_ref()
        .is_none_or(|approved| approved.approved(&args.env).is_none());
    if first && !args.key.is_empty() {
        return Err(Refusal::Usage(format!(
            "error: nothing is approved for env {} yet, and the first approval is of all its limits\nhelp: leave --key out",
            args.env
        )));
    }
    let text = text::with(disk.before.as_deref(), &args.env, first, &chosen, &signed);
    prove(&text, args, &chosen)?;
    let path = disk.root.join(APPROVED_LIMITS_PATH);
    replace(&path, disk.before.as_deref(), &text).map_err(|error| {
        Refusal::Usage(format!(
            "error: cannot write {}: {error}; nothing was changed",
            path.display()
        ))
    })?;
    ctx.document(&match ctx.format {
        Format::Human => format!(
            "{}approved by {} in {APPROVED_LIMITS_PATH}\nnext:\n  {}\n",
            lines(args, &chosen),
            signed.who,
            commit_line(args)
        ),
        Format::Json => format!("{:#}\n", document(args, &chosen, Some(&signed))),
    });
    Ok(())
}

fn answers(args: &ApproveArgs) -> Result<(String, String), String> {
    let who = ask::answer(args.who.as_deref(), "--who", "who answers for it")?;
    let why = ask::answer(args.why.as_deref(), "--why", "why is it right")?;
    Ok((who, why))
}

fn commit_line(args: &ApproveArgs) -> String {
    format!(
        "git add {APPROVED_LIMITS_PATH} && git commit -m \"approve: limits of {}\"",
        args.env
    )
}

fn document(args: &ApproveArgs, chosen: &[Loosened], signed: Option<&text::Signed>) -> Value {
    json!({
        "schema_version": 1,
        "env": args.env,
        "file": APPROVED_LIMITS_PATH,
        "approved": chosen,
        "who": signed.map(|signed| &signed.who),
        "why": signed.map(|signed| &signed.why),
        "at": signed.map(|signed| &signed.at),
        "next": signed.map(|_| commit_line(args)),
    })
}

/// Key, from and to, one a line.
fn lines(args: &ApproveArgs, chosen: &[Loosened]) -> String {
    let mut out = format!("limits of env {} that need an approval:\n", args.env);
    for one in chosen {
        let from = one.from.as_ref().map_or("nothing".to_owned(), shown);
        let _infallible = writeln!(
            out,
            "  {}: from {from} to {} ({})",
            one.key,
            shown(&one.to),
            one.direction
        );
    }
    out
}

/// The top of the repository, or the current directory where there is none yet.
fn root_of(cwd: &Path) -> Result<PathBuf, Refusal> {
    match Repo::discover(cwd) {
        Ok(repo) => Ok(repo.top().to_owned()),
        Err(RepoError::NotARepository(_) | RepoError::Unborn) => Ok(cwd.to_owned()),
        Err(error) => Err(Refusal::Usage(format!("error: {error}"))),
    }
}

fn read(args: &ApproveArgs, cwd: &Path) -> Result<OnDisk, Refusal> {
    let root = root_of(cwd)?;
    let files = DiskFiles::new(&root);
    let one = |problem| Refusal::Files(vec![problem]);
    let targets = files
        .read(TARGETS_PATH)
        .map_err(|problem| vec![problem])
        .and_then(|bytes| load_targets(TARGETS_PATH, &bytes))
        .map_err(|problems| Refusal::Usage(render_all(&problems, false)))?
        .value;
    let Some(target) = targets.env.get(&args.env) else {
        let known: Vec<&str> = targets.env.keys().map(String::as_str).collect();
        let near = near_miss(&args.env, known.iter().copied())
            .map_or_else(String::new, |near| format!("did you mean --env {near}? "));
        return Err(Refusal::Usage(format!(
            "error: {TARGETS_PATH} has no environment {:?}\nhelp: {near}it has {}",
            args.env,
            known.join(", ")
        )));
    };
    let path = &target.manifest;
    let known = find_strategies(&files).map_err(Refusal::Files)?;
    let schema = schema::effective_manifest_schema(&known)
        .map_err(|fault| one(Diagnostic::bug(path, fault.to_string())))?;
    let bytes = files.read(path).map_err(one)?;
    let manifest = load_manifest(path, &bytes, &schema).map_err(Refusal::Files)?;
    let before = match files.read(APPROVED_LIMITS_PATH) {
        Ok(bytes) => Some(bytes),
        Err(problem) if problem.code == Code::Missing => None,
        Err(problem) => return Err(one(problem)),
    };
    let approved = before
        .as_deref()
        .map(|bytes| load_approved_limits(APPROVED_LIMITS_PATH, bytes))
        .transpose()
        .map_err(Refusal::Files)?;
    Ok(OnDisk {
        root,
        before,
        approved: approved.map(|loaded| loaded.value),
        declared: looser::limits_of(&manifest.value),
    })
}

/// What needs an answer: looser limits; all of them where nothing is approved yet.
fn loosened(disk: &OnDisk, env: &str) -> Vec<Loosened> {
    let approved = disk.approved.as_ref().and_then(|file| file.approved(env));
    looser::limits()
        .filter_map(|row| {
            let to = disk.declared.get(row.key)?;
            let from = approved
                .as_ref()
                .and_then(|approved| approved.get(row.key))
                .copied();
            match row.compare(from, Some(to)) {
                Compared::Same | Compared::Tighter => None,
                Compared::Looser | Compared::Refused(_) => Some(Loosened {
                    key: row.key.to_owned(),
                    from: from.cloned(),
                    to: to.clone(),
                    direction: row.looser.words(),
                }),
            }
        })
        .collect()
}

/// Those that were asked for; every one must need an approval.
fn choose(all: &[Loosened], keys: &[String]) -> Result<Vec<Loosened>, Refusal> {
    if keys.is_empty() {
        return Ok(all.to_vec());
    }
    let mut chosen = Vec::new();
    for key in keys {
        let found = all.iter().find(|one| one.key == *key);
        let Some(found) = found else {
            let what = if looser::row_of(key).is_some() {
                "needs no approval: it is no limit, or as approved or tighter".to_owned()
            } else {
                let near = near_miss(key, looser::limits().map(|row| row.key));
                near.map_or_else(
                    || "is no key of a manifest".to_owned(),
                    |near| format!("is no key of a manifest (did you mean {near}?)"),
                )
            };
            return Err(Refusal::Usage(format!(
                "error: --key {key:?} {what}\nhelp: without --key, launch approve lists what needs one"
            )));
        };
        if !chosen.contains(found) {
            chosen.push(found.clone());
        }
    }
    Ok(chosen)
}

/// Reads the new text as `launch preflight` will: it must approve exactly what was answered for.
fn prove(text: &str, args: &ApproveArgs, chosen: &[Loosened]) -> Result<(), Refusal> {
    let new = load_approved_limits(APPROVED_LIMITS_PATH, text.as_bytes())
        .map_err(Refusal::Files)?
        .value;
    let approved = new.approved(&args.env).unwrap_or_default();
    let holds = chosen
        .iter()
        .all(|one| approved.get(one.key.as_str()) == Some(&&one.to));
    if holds {
        Ok(())
    } else {
        Err(Refusal::Files(vec![Diagnostic::bug(
            APPROVED_LIMITS_PATH,
            "what would be written is not what was answered for; nothing was changed",
        )]))
    }
}
