//! `launch strategies`: every strategy that exists or is listed, and whether the two agree.
//!
//! The list is made from files and manifests only; there is no third list to keep.

use super::columns::columns;
use super::effective_strategy_schema;
use super::project::ProjectFiles;
use crate::context::{Context, Format, NoState};
use crate::exit::Exit;
use crate::source::{
    Diagnostic, Document, Files as _, KnownStrategy, exit_of, find_strategies, load_strategy,
    load_targets, render_all,
};
use launch_checks::targets::TARGETS_PATH;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use trader_core::units::StrategyId;

/// `launch strategies`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  launch strategies
  launch strategies --format json
A manifest lists ids: the stem of the file, never the name inside it.")]
pub struct StrategiesArgs {}

/// Whether a strategy can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// One valid file, listed.
    Listed,
    /// One valid file that no manifest lists.
    Unlisted,
    /// Listed, but there is no such file.
    NoFile,
    /// The file's name is no id.
    NotAnId,
    /// Several files carry the id.
    TwoFiles,
    /// The file is wrong.
    Invalid,
}

impl State {
    const fn words(self) -> &'static str {
        match self {
            Self::Listed => "ok",
            Self::Unlisted => "not listed",
            Self::NoFile => "NO FILE",
            Self::NotAnId => "FILE NAME IS NO ID",
            Self::TwoFiles => "TWO FILES",
            Self::Invalid => "INVALID",
        }
    }

    const fn is_fault(self) -> bool {
        !matches!(self, Self::Listed | Self::Unlisted)
    }
}

/// One line of the listing.
#[derive(Debug, Serialize)]
struct Line {
    id: String,
    label: Option<String>,
    file: Option<String>,
    listed_by: Vec<String>,
    state: State,
}

/// Runs `launch strategies`: 1 when a strategy cannot run.
pub fn run(_: &StrategiesArgs, ctx: &Context<NoState>) -> Exit {
    match listing(ctx) {
        Ok((strategies, problems)) => {
            let text = if ctx.format == Format::Human {
                human(&strategies)
            } else {
                let document = json!({ "schema_version": 1, "strategies": strategies });
                format!("{document:#}\n")
            };
            ctx.document(&text);
            if !problems.is_empty() {
                ctx.error(&render_all(&problems, false));
            }
            let fault = strategies.iter().any(|strategy| strategy.state.is_fault());
            let exit = exit_of(&problems);
            if fault && exit == Exit::Ok {
                Exit::CheckFailed
            } else {
                exit
            }
        }
        Err(problems) => {
            ctx.error(&render_all(&problems, false));
            if exit_of(&problems) == Exit::Bug {
                Exit::Bug
            } else {
                Exit::Usage
            }
        }
    }
}

type Found = (Vec<Line>, Vec<Diagnostic>);

/// The listing, and problems of single files; `Err` when the project itself cannot be read.
fn listing(ctx: &Context<NoState>) -> Result<Found, Vec<Diagnostic>> {
    let project = ProjectFiles::open(&ctx.cwd)?;
    ctx.note(&project.origin());
    let mut problems = Vec::new();
    let listed_by = listed_by(&project, &mut problems)?;
    let known = find_strategies(&project)?;
    let mut strategies: Vec<Line> = known
        .iter()
        .map(|strategy| Line {
            id: strategy.id.clone(),
            label: strategy.label.clone(),
            file: Some(strategy.path.clone()),
            listed_by: listed_by.get(&strategy.id).cloned().unwrap_or_default(),
            state: state(&project, strategy, &known, &listed_by, &mut problems),
        })
        .collect();
    let with_file: BTreeSet<&str> = known.iter().map(|strategy| strategy.id.as_str()).collect();
    for (id, manifests) in &listed_by {
        if !with_file.contains(id.as_str()) {
            strategies.push(Line {
                id: id.clone(),
                label: None,
                file: None,
                listed_by: manifests.clone(),
                state: State::NoFile,
            });
        }
    }
    Ok((strategies, problems))
}

fn state(
    project: &ProjectFiles,
    strategy: &KnownStrategy,
    known: &[KnownStrategy],
    listed_by: &BTreeMap<String, Vec<String>>,
    problems: &mut Vec<Diagnostic>,
) -> State {
    if strategy.id.parse::<StrategyId>().is_err() {
        return State::NotAnId;
    }
    if known.iter().filter(|other| other.id == strategy.id).count() > 1 {
        return State::TwoFiles;
    }
    let read = effective_strategy_schema()
        .map_err(|fault| vec![Diagnostic::bug(&strategy.path, fault.to_string())])
        .and_then(|schema| {
            let bytes = project
                .read(&strategy.path)
                .map_err(|problem| vec![problem])?;
            load_strategy(&strategy.path, &bytes, &schema)
        });
    match read {
        Ok(_) if listed_by.contains_key(&strategy.id) => State::Listed,
        Ok(_) => State::Unlisted,
        Err(found) => {
            problems.extend(found);
            State::Invalid
        }
    }
}

/// The manifests of all environments by the strategy ids they list. A manifest that cannot be read
/// is a problem of its own and lists nothing.
fn listed_by(
    project: &ProjectFiles,
    problems: &mut Vec<Diagnostic>,
) -> Result<BTreeMap<String, Vec<String>>, Vec<Diagnostic>> {
    let bytes = project
        .read(TARGETS_PATH)
        .map_err(|problem| vec![problem])?;
    let targets = load_targets(TARGETS_PATH, &bytes)?.value;
    let manifests: BTreeSet<String> = targets
        .env
        .into_values()
        .map(|target| target.manifest)
        .collect();
    let mut listed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for manifest in manifests {
        let read = project
            .read(&manifest)
            .and_then(|bytes| Document::parse(&manifest, &bytes));
        let document = match read {
            Ok(document) => document,
            Err(problem) => {
                problems.push(problem);
                continue;
            }
        };
        let ids = document.value().get("strategies").and_then(Value::as_array);
        for id in ids.into_iter().flatten().filter_map(Value::as_str) {
            let manifests = listed.entry(id.to_owned()).or_default();
            if manifests.last() != Some(&manifest) {
                manifests.push(manifest.clone());
            }
        }
    }
    Ok(listed)
}

fn human(strategies: &[Line]) -> String {
    let mut rows = vec![["ID", "LABEL", "STATE", "LISTED BY", "FILE"].map(str::to_owned)];
    rows.extend(strategies.iter().map(|strategy| {
        let listed_by: Vec<&str> = strategy
            .listed_by
            .iter()
            .map(|path| path.strip_prefix("manifests/").unwrap_or(path))
            .collect();
        [
            strategy.id.clone(),
            strategy.label.clone().unwrap_or_default(),
            strategy.state.words().to_owned(),
            listed_by.join(", "),
            strategy.file.clone().unwrap_or_default(),
        ]
    }));
    columns(&rows)
}
