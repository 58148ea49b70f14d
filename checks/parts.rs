//! What a trader is built from, out of the facts: for checks that build one. No check of its own.

use crate::facts::{Loaded, ManifestDocument, StrategyDocument};
use crate::outcome::{Finding, Outcome};
use std::collections::BTreeMap;
use trader_core::manifest::Manifest;
use trader_core::strategy_file::{ComponentUse, SignalUse, StrategyFile};
use trader_core::units::StrategyId;

/// The manifest and the strategies it lists, or the outcome of a check that cannot have them.
pub(crate) fn declared<'a>(
    document: &'a ManifestDocument,
    files: &[StrategyDocument],
) -> Result<(&'a Manifest, BTreeMap<StrategyId, StrategyFile>), Outcome> {
    let Loaded::Valid(manifest) = &document.loaded else {
        return Err(Finding::new(format!(
            "{} is not valid, so no trader can be built",
            document.path
        ))
        .help("LC-201 shows the place")
        .unknown());
    };
    let mut strategies = BTreeMap::new();
    for id in &manifest.strategies {
        let Some(file) = files.iter().find(|file| file.id == id.as_str()) else {
            return Err(Finding::new(format!("strategy {id:?} has no file in HEAD"))
                .help("LC-202 shows which there are")
                .fail());
        };
        match &file.loaded {
            Loaded::Valid(valid) => {
                strategies.insert(id.clone(), valid.clone());
            }
            Loaded::Refused { diagnostics } => {
                return Err(Finding::new(format!("{} is no strategy", file.path))
                    .mistakes(diagnostics)
                    .help("correct the places above and commit")
                    .fail());
            }
            Loaded::NotInCommit { .. } => {
                return Err(Finding::new(format!("{} is not in HEAD", file.path))
                    .help(format!("git add {} && git commit", file.path))
                    .fail());
            }
        }
    }
    Ok((manifest, strategies))
}

/// Every component that a strategy file names, with its JSON pointer.
pub(crate) fn uses(file: &StrategyFile) -> Vec<(String, ComponentUse)> {
    let list = |name: &'static str, parts: Vec<ComponentUse>| {
        let at = move |(n, part)| (format!("/{name}/{n}"), part);
        parts.into_iter().enumerate().map(at)
    };
    let signals = file.signals.iter().map(SignalUse::component_use);
    list("analyses", file.analyses.clone())
        .chain([("/probability".to_owned(), file.probability.clone())])
        .chain(list("signals", signals.collect()))
        .chain([("/entry".to_owned(), file.entry.clone())])
        .chain([("/sizing".to_owned(), file.sizing.clone())])
        .chain(list("exits", file.exits.clone()))
        .collect()
}
