//! `launch receipts`: list, show and verify what was done, from the signed chain of this machine or from a
//! copy of one.
//!
//! Verifying changes nothing but one thing that it says: records of kills that the chain did not hold yet are
//! signed into it first.

use super::lines::{LinesError, Signed, read_signed};
use super::{Statement, adopt, path};
use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::plan::as_json;
use crate::render::plain;
use launch_kill::StateDir;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What was checked, deployed, verified, drilled, killed and re-enabled.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch receipts list                     this machine's receipts
  launch receipts list --env staging
  launch receipts show 7                   one of them, whole
  launch receipts verify                   chain and signatures hold?
  launch receipts verify --copy old.jsonl  …and is it what the copy was?

Exit: 0 as it should be; 1 an edited, removed, reordered or forged line, or
one that a copy has and this chain has not; 2 usage; 3 cannot be read.")]
pub struct ReceiptsArgs {
    /// What to do.
    #[command(subcommand)]
    pub act: Act,
}

/// What to do with receipts.
#[derive(Debug, clap::Subcommand)]
pub enum Act {
    /// One line each, oldest first.
    #[command(after_help = "Example: launch receipts list --env staging")]
    List {
        /// Only this environment's.
        #[arg(long, value_name = "NAME")]
        env: Option<String>,
    },
    /// One receipt, whole.
    #[command(after_help = "Example: launch receipts show 7")]
    Show {
        /// Its number, as `list` prints it.
        number: usize,
    },
    /// Whether chain and signatures hold.
    #[command(after_help = "Example: launch receipts verify --copy from-the-other-laptop.jsonl")]
    Verify {
        /// A copy taken earlier; only against one can a lost tail be seen.
        #[arg(long, value_name = "FILE")]
        copy: Option<PathBuf>,
    },
}

/// One row of the list.
#[derive(Debug, Serialize)]
struct Row {
    number: usize,
    at: Option<String>,
    kind: String,
    env: Option<String>,
    commit: Option<String>,
    outcome: Option<String>,
    signer: Option<String>,
}

/// The verdict on a chain.
#[derive(Debug, Serialize)]
struct Verdict {
    schema_version: u32,
    file: String,
    receipts: usize,
    unsigned: usize,
    /// Receipts by public key.
    signers: BTreeMap<String, usize>,
    /// What is wrong; empty: nothing.
    faults: Vec<String>,
    /// What nobody can tell from here.
    cannot_tell: Vec<String>,
}

/// Runs the command.
pub fn run(args: &ReceiptsArgs, ctx: &Context) -> Exit {
    let state = StateDir::at(&ctx.state_dir);
    match adopt(&state) {
        Ok(adopted) => {
            for name in &adopted.taken {
                ctx.note(&format!("note: {name} is signed into the chain now"));
            }
            for why in &adopted.left {
                ctx.note(&format!("warning: not in the chain: {}", plain(why)));
            }
        }
        // The chain itself is judged below, with its place.
        Err(LinesError::Broken { .. }) => {}
        Err(error) => ctx.note(&format!(
            "warning: records of kills are not in the chain: {error}"
        )),
    }
    let chain = read_signed(&path(&state));
    match (&args.act, chain) {
        (Act::Verify { copy }, chain) => verify(&state, copy.as_ref(), chain, ctx),
        (_, Err(error)) => unreadable(&error, ctx),
        (Act::List { env }, Ok(chain)) => list(&chain, env.as_deref(), ctx),
        (Act::Show { number }, Ok(chain)) => show(&chain, *number, ctx),
    }
}

fn unreadable(error: &LinesError, ctx: &Context) -> Exit {
    ctx.error(&format!("error: {}", plain(&error.to_string())));
    if matches!(error, LinesError::Broken { .. }) {
        Exit::CheckFailed
    } else {
        Exit::Unknown
    }
}

fn row(number: usize, signed: &Signed) -> Row {
    let record = &signed.record;
    let text = |pointer: &str| {
        record
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let kind = text("/predicateType").unwrap_or_default();
    let kind = kind
        .strip_prefix("urn:launch:receipt:")
        .and_then(|kind| kind.rsplit_once(':').map(|(kind, _)| kind))
        .unwrap_or(&kind);
    Row {
        number,
        at: text("/predicate/at").or_else(|| text("/predicate/finished_at")),
        kind: kind.to_owned(),
        env: text("/predicate/env"),
        commit: record
            .pointer("/subject/0/digest/gitCommit")
            .and_then(Value::as_str)
            .map(str::to_owned),
        outcome: text("/predicate/outcome")
            .or_else(|| text("/predicate/verdict"))
            .or_else(|| text("/predicate/record/verdict"))
            .or_else(|| text("/predicate/reason")),
        signer: signed.signer.map(|key| key.to_string()),
    }
}

fn list(chain: &[Signed], env: Option<&str>, ctx: &Context) -> Exit {
    let rows: Vec<Row> = (1..)
        .zip(chain)
        .map(|(number, signed)| row(number, signed))
        .filter(|row| env.is_none_or(|env| row.env.as_deref() == Some(env)))
        .collect();
    if ctx.format == Format::Json {
        let document = serde_json::json!({"schema_version": 1, "receipts": rows});
        ctx.document(&as_json(&document));
        return Exit::Ok;
    }
    let mut out = String::new();
    for row in &rows {
        let commit: String = row
            .commit
            .iter()
            .flat_map(|id| id.chars().take(10))
            .collect();
        // Writing into a String cannot fail.
        let _infallible = writeln!(
            out,
            "{:>4}  {:<24} {:<10} {:<12} {commit:<10}  {}",
            row.number,
            row.at
                .as_deref()
                .unwrap_or("?")
                .chars()
                .take(23)
                .collect::<String>(),
            row.kind,
            row.env.as_deref().unwrap_or("-"),
            plain(row.outcome.as_deref().unwrap_or("-")),
        );
    }
    if rows.is_empty() {
        out.push_str(
            "no receipts here yet: deploy, verify, kill --drill and reenable leave one each\n",
        );
    }
    ctx.document(&out);
    Exit::Ok
}

fn show(chain: &[Signed], number: usize, ctx: &Context) -> Exit {
    let found = number.checked_sub(1).and_then(|index| chain.get(index));
    let Some(signed) = found else {
        ctx.error(&format!(
            "error: there is no receipt {number}\nhelp: there are {}; launch receipts list",
            chain.len()
        ));
        return Exit::Usage;
    };
    let document = serde_json::json!({
        "schema_version": 1,
        "number": number,
        "signer": signed.signer.map(|key| key.to_string()),
        "sum": signed.sum,
        "statement": signed.record,
    });
    ctx.document(&as_json(&document));
    Exit::Ok
}

fn verify(
    state: &StateDir,
    copy: Option<&PathBuf>,
    chain: Result<Vec<Signed>, LinesError>,
    ctx: &Context,
) -> Exit {
    let mut verdict = Verdict {
        schema_version: 1,
        file: path(state).display().to_string(),
        receipts: 0,
        unsigned: 0,
        signers: BTreeMap::new(),
        faults: Vec::new(),
        cannot_tell: Vec::new(),
    };
    let chain = match chain {
        Ok(chain) => chain,
        Err(LinesError::Broken { line, what, .. }) => {
            verdict.faults.push(format!("line {line}: {what}"));
            Vec::new()
        }
        Err(error) => return unreadable(&error, ctx),
    };
    verdict.receipts = chain.len();
    for (number, signed) in (1..).zip(&chain) {
        match &signed.signer {
            Some(key) => *verdict.signers.entry(key.to_string()).or_default() += 1,
            None => verdict.unsigned += 1,
        }
        if let Err(error) = serde_json::from_value::<Statement>(signed.record.clone()) {
            verdict
                .faults
                .push(format!("line {number}: its record is no receipt: {error}"));
        }
    }
    match copy {
        None => verdict.cannot_tell.push(
            "whether the newest receipts were cut off: compare with a copy (--copy FILE)"
                .to_owned(),
        ),
        Some(file) => match read_signed(file) {
            Ok(copy) if verdict.faults.is_empty() => {
                verdict.faults.extend(beside(&chain, &copy));
            }
            Ok(_) => {}
            Err(error) => return unreadable(&error, ctx),
        },
    }
    match ctx.format {
        Format::Json => ctx.document(&as_json(&verdict)),
        Format::Human => ctx.document(&human(&verdict)),
    }
    if verdict.faults.is_empty() {
        Exit::Ok
    } else {
        Exit::CheckFailed
    }
}

/// What a copy has that the chain has not: the copy must be where the chain began.
fn beside(chain: &[Signed], copy: &[Signed]) -> Option<String> {
    if let Some(parted) = chain
        .iter()
        .zip(copy)
        .position(|(here, there)| here.sum != there.sum)
    {
        return Some(format!(
            "line {}: the copy has another receipt there: one of the two was rewritten",
            parted.saturating_add(1)
        ));
    }
    let lost = copy
        .len()
        .checked_sub(chain.len())
        .filter(|lost| *lost > 0)?;
    Some(format!(
        "the newest {lost} of the copy's {} receipts are gone here",
        copy.len()
    ))
}

fn human(verdict: &Verdict) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _infallible = writeln!(
        out,
        "{}: {} receipts, {} unsigned",
        verdict.file, verdict.receipts, verdict.unsigned
    );
    for (key, count) in &verdict.signers {
        let _infallible = writeln!(out, "  {count:>4} signed by {key}");
    }
    for fault in &verdict.faults {
        let _infallible = writeln!(out, "  WRONG {}", plain(fault));
    }
    for unknown in &verdict.cannot_tell {
        let _infallible = writeln!(out, "  cannot tell {unknown}");
    }
    out.push_str(if verdict.faults.is_empty() {
        "holds\n"
    } else {
        "DOES NOT HOLD: keep the file as it is, and find out who wrote to it\n"
    });
    out
}
