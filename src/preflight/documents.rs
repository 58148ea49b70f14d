//! Manifest, strategies and named paths of HEAD as facts. Mistakes become rendered diagnostics; what
//! they mean is the checks' word.

use super::dry_run::Declared;
use super::head_files::HeadFiles;
use super::project::Project;
use crate::repo::{Repo, RepoError};
use crate::schema::{effective_manifest_schema, effective_strategy_schema};
use crate::source::{
    self, Diagnostic, Document, Files as _, KnownStrategy, STRATEGIES_DIR, find_strategies,
};
use launch_checks::targets::TARGETS_PATH;
use launch_checks::{
    CommitFiles, Found, Loaded, ManifestDocument, Missing, Mistake, NamedPath, StrategyDocument,
};
use std::collections::BTreeMap;
use trader_core::feed::Feed;
use trader_core::manifest::Manifest;
use trader_core::strategy_file::StrategyFile;
use trader_core::units::StrategyId;

/// Most values of a manifest whose places are looked up.
const PLACES_MAX: usize = 256;

/// What HEAD declares for one environment.
pub(super) struct Documents {
    pub(super) manifest: Result<ManifestDocument, Missing>,
    pub(super) strategies: Result<Vec<StrategyDocument>, Missing>,
    pub(super) files: Result<CommitFiles, Missing>,
}

pub(super) fn read(project: &Project) -> Documents {
    let files = HeadFiles(&project.repo);
    let path = &project.target.manifest;
    let known = find_strategies(&files).map_err(|problems| as_missing(&problems));
    let manifest = known
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|known| manifest(&project.repo, path, known));
    let listed = manifest
        .as_ref()
        .ok()
        .and_then(|manifest| manifest.listed.clone());
    let strategies = known.and_then(|known| {
        known
            .iter()
            .map(|strategy| strategy_document(files, strategy))
            .collect()
    });
    let named = named_paths(
        project,
        listed.as_deref().unwrap_or_default(),
        strategies.as_deref(),
    );
    Documents {
        manifest,
        strategies,
        files: named.map_err(|error| error.missing()),
    }
}

/// What the trader is built from; `None` where any of it is not valid.
pub(super) fn declared(documents: &Documents) -> Option<Declared> {
    let Loaded::Valid(manifest) = &documents.manifest.as_ref().ok()?.loaded else {
        return None;
    };
    let strategies = strategy_files(manifest, documents.strategies.as_ref().ok()?)?;
    let digest = manifest.digest(&strategies).ok()?;
    Some(Declared {
        manifest: manifest.clone(),
        strategies,
        digest,
    })
}

fn strategy_files(
    manifest: &Manifest,
    documents: &[StrategyDocument],
) -> Option<BTreeMap<StrategyId, StrategyFile>> {
    manifest
        .strategies
        .iter()
        .map(|id| {
            let mut of_id = documents
                .iter()
                .filter(|document| document.id == id.as_str());
            match (of_id.next().map(|document| &document.loaded), of_id.next()) {
                (Some(Loaded::Valid(file)), None) => Some((id.clone(), file.clone())),
                _ => None,
            }
        })
        .collect()
}

fn as_missing(problems: &[Diagnostic]) -> Missing {
    Missing::new(source::render_all(problems, false))
}

pub(super) fn mistakes(problems: &[Diagnostic]) -> Vec<Mistake> {
    problems
        .iter()
        .map(|problem| Mistake {
            text: source::render(problem, false),
            place: Some(problem.place()),
        })
        .collect()
}

fn manifest(repo: &Repo, path: &str, known: &[KnownStrategy]) -> Result<ManifestDocument, Missing> {
    let document = |listed, places, loaded| ManifestDocument {
        path: path.to_owned(),
        listed,
        places,
        loaded,
    };
    let nowhere = BTreeMap::new;
    if let Found::Missing { on_disk, .. } = repo.found(path).map_err(|error| error.missing())? {
        return Ok(document(None, nowhere(), Loaded::NotInCommit { on_disk }));
    }
    let bytes = match HeadFiles(repo).read(path) {
        Ok(bytes) => bytes,
        Err(problem) => {
            let diagnostics = mistakes(&[problem]);
            return Ok(document(None, nowhere(), Loaded::Refused { diagnostics }));
        }
    };
    let schema = effective_manifest_schema(known)
        .map_err(|fault| Missing::new(format!("the effective schema cannot be built: {fault}")))?;
    let parsed = Document::parse(path, &bytes).ok();
    let listed = parsed.as_ref().and_then(listed);
    let places = parsed.as_ref().map_or_else(nowhere, places);
    Ok(match source::load_manifest(path, &bytes, &schema) {
        Ok(loaded) => document(listed, places, Loaded::Valid(loaded.value)),
        Err(problems) => document(
            listed,
            places,
            Loaded::Refused {
                diagnostics: mistakes(&problems),
            },
        ),
    })
}

/// The strategies that the text lists, whatever else is wrong with it.
fn listed(document: &Document) -> Option<Vec<String>> {
    let list = document.value().get("strategies")?.as_array()?;
    list.iter()
        .map(|id| id.as_str().map(str::to_owned))
        .collect()
}

/// Where its values stand; a manifest has 28 of them and a list or two.
fn places(document: &Document) -> BTreeMap<String, launch_checks::Place> {
    let of = |(pointer, problem): (&str, Diagnostic)| (pointer.to_owned(), problem.place());
    document
        .values_with_places()
        .take(PLACES_MAX)
        .map(of)
        .collect()
}

fn strategy_document(
    files: HeadFiles<'_>,
    strategy: &KnownStrategy,
) -> Result<StrategyDocument, Missing> {
    let schema = effective_strategy_schema()
        .map_err(|fault| Missing::new(format!("the strategy schema cannot be built: {fault}")))?;
    let loaded = files
        .read(&strategy.path)
        .map_err(|problem| vec![problem])
        .and_then(|bytes| source::load_strategy(&strategy.path, &bytes, &schema));
    Ok(StrategyDocument {
        path: strategy.path.clone(),
        id: strategy.id.clone(),
        name: strategy.label.clone(),
        loaded: match loaded {
            Ok(loaded) => Loaded::Valid(loaded.value),
            Err(problems) => Loaded::Refused {
                diagnostics: mistakes(&problems),
            },
        },
    })
}

/// Every path that targets, the environment's manifest and its strategies name, each once.
fn named_paths(
    project: &Project,
    listed: &[String],
    strategies: Result<&[StrategyDocument], &Missing>,
) -> Result<CommitFiles, RepoError> {
    let mut paths: Vec<(String, String)> =
        vec![(TARGETS_PATH.to_owned(), "every command".to_owned())];
    for (name, target) in &project.targets.env {
        paths.push((
            target.manifest.clone(),
            format!("{TARGETS_PATH} [env.{name}] manifest"),
        ));
        if let Feed::Tape(tape) = &target.feed {
            paths.push((tape.clone(), format!("{TARGETS_PATH} [env.{name}] feed")));
        }
    }
    for id in listed {
        let found: Vec<&str> = strategies
            .iter()
            .flat_map(|all| all.iter())
            .filter(|document| document.id == *id)
            .map(|document| document.path.as_str())
            .collect();
        let by = format!("{} strategies", project.target.manifest);
        if found.is_empty() {
            paths.push((on_disk_or_json(&project.repo, id), by));
        } else {
            paths.extend(found.into_iter().map(|path| (path.to_owned(), by.clone())));
        }
    }
    let mut files = CommitFiles::default();
    for (path, named_by) in paths {
        if files.paths.iter().all(|named| named.path != path) {
            let found = project.repo.found(&path)?;
            files.paths.push(NamedPath {
                path,
                named_by,
                found,
            });
        }
    }
    Ok(files)
}

/// Where the file of a strategy that HEAD lacks stands on disk, or would stand.
fn on_disk_or_json(repo: &Repo, id: &str) -> String {
    let toml = format!("{STRATEGIES_DIR}/{id}.toml");
    if repo.top().join(&toml).is_file() {
        toml
    } else {
        format!("{STRATEGIES_DIR}/{id}.json")
    }
}

impl Documents {
    /// The same when HEAD could not even be opened.
    pub(super) fn unseen(missing: &Missing) -> Self {
        Self {
            manifest: Err(missing.clone()),
            strategies: Err(missing.clone()),
            files: Err(missing.clone()),
        }
    }
}
