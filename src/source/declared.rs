//! A manifest together with the strategy files it names: what is declared, read once, one digest.
//!
//! Reads through [`Files`], so that the same code serves blobs of HEAD and an exported tree.

use super::diagnostic::{Code, Diagnostic};
use super::document::Document;
use super::load::{Loaded, load_manifest, load_strategy};
use super::schema::KnownStrategy;
use super::text::FILE_MAX_BYTES;
use crate::schema::{effective_manifest_schema, effective_strategy_schema};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use trader_core::manifest::Manifest;
use trader_core::strategy_file::StrategyFile;
use trader_core::units::StrategyId;

/// Where strategy files stand in a project.
pub const STRATEGIES_DIR: &str = "manifests/strategies";

/// Most strategy files in a project.
const STRATEGY_FILES_MAX: usize = 256;

/// The files of one project: a commit's tree or a directory. Paths are relative, with `/`.
pub trait Files {
    /// The bytes of a regular file.
    ///
    /// # Errors
    /// [`Code::Missing`], or [`Code::Unreadable`] for a directory, a special file, a refusal.
    fn read(&self, path: &str) -> Result<Vec<u8>, Diagnostic>;

    /// Paths of the regular files directly in `dir`, sorted; none when there is no such directory.
    ///
    /// # Errors
    /// [`Code::Unreadable`].
    fn list(&self, dir: &str) -> Result<Vec<String>, Diagnostic>;
}

/// A directory as [`Files`].
#[derive(Debug, Clone)]
pub struct DiskFiles {
    root: PathBuf,
}

impl DiskFiles {
    /// The files under `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Files for DiskFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, Diagnostic> {
        let refused = |error: std::io::Error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                Diagnostic::error(Code::Missing, path, "does not exist")
            } else {
                Diagnostic::error(Code::Unreadable, path, format!("cannot be read: {error}"))
            }
        };
        let full = self.root.join(path);
        let metadata = std::fs::metadata(&full).map_err(refused)?;
        if !metadata.is_file() {
            let seen = if metadata.is_dir() {
                "a directory"
            } else {
                "a special file"
            };
            return Err(Diagnostic::error(Code::Unreadable, path, "is not a file")
                .seen(seen)
                .wanted("a regular file"));
        }
        // One byte past the bound is enough to know that it is too large.
        let bound = u64::try_from(FILE_MAX_BYTES)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let mut bytes = Vec::new();
        std::fs::File::open(&full)
            .and_then(|file| file.take(bound).read_to_end(&mut bytes))
            .map_err(refused)?;
        Ok(bytes)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>, Diagnostic> {
        let refused = |error: std::io::Error| {
            Diagnostic::error(Code::Unreadable, dir, format!("cannot be listed: {error}"))
        };
        let entries = match std::fs::read_dir(self.root.join(dir)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(refused(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(refused)?;
            if entry.path().is_file() {
                paths.push(format!("{dir}/{}", entry.file_name().to_string_lossy()));
            }
        }
        paths.sort();
        Ok(paths)
    }
}

/// The strategy files of a project, in order of their paths. Other files in the folder do not count.
///
/// # Errors
/// When the folder cannot be listed or holds more than 256 strategy files.
pub fn find_strategies(files: &dyn Files) -> Result<Vec<KnownStrategy>, Vec<Diagnostic>> {
    let paths = files
        .list(STRATEGIES_DIR)
        .map_err(|problem| vec![problem])?;
    let known: Vec<KnownStrategy> = paths
        .into_iter()
        .filter_map(|path| {
            let name = path.rsplit('/').next()?;
            let (stem, extension) = name.rsplit_once('.')?;
            ["json", "toml"]
                .contains(&extension)
                .then(|| KnownStrategy {
                    id: stem.to_owned(),
                    label: label_of(files, &path),
                    path: path.clone(),
                })
        })
        .take(STRATEGY_FILES_MAX + 1)
        .collect();
    if known.len() > STRATEGY_FILES_MAX {
        return Err(vec![
            Diagnostic::error(
                Code::TooLarge,
                STRATEGIES_DIR,
                "holds too many strategy files",
            )
            .wanted(format!("at most {STRATEGY_FILES_MAX}")),
        ]);
    }
    Ok(known)
}

/// The label inside a strategy file, if the file can be read that far.
fn label_of(files: &dyn Files, path: &str) -> Option<String> {
    let bytes = files.read(path).ok()?;
    let document = Document::parse(path, &bytes).ok()?;
    let name = document.value().get("name")?.as_str()?;
    Some(super::shown::one_line(name))
}

/// A manifest and the strategy files it names.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Where the manifest stands.
    pub manifest_path: String,
    /// The manifest.
    pub manifest: Loaded<Manifest>,
    /// The strategies it names, by id.
    pub strategies: BTreeMap<StrategyId, Loaded<StrategyFile>>,
    /// All strategy files of the project, named or not.
    pub known: Vec<KnownStrategy>,
    /// `manifest_digest`: the parsed manifest and its strategy files.
    pub digest: String,
}

impl Declared {
    /// Reads the manifest and its strategies. A wrong strategy file does not hide a wrong manifest.
    ///
    /// # Errors
    /// Every problem of the manifest and of the strategy files it names.
    pub fn load(files: &dyn Files, manifest_path: &str) -> Result<Self, Vec<Diagnostic>> {
        let known = find_strategies(files)?;
        let schema = effective_manifest_schema(&known)
            .map_err(|fault| vec![Diagnostic::bug(manifest_path, fault.to_string())])?;
        let bytes = files.read(manifest_path).map_err(|problem| vec![problem])?;
        let manifest = load_manifest(manifest_path, &bytes, &schema)?;
        let mut problems = Vec::new();
        let mut strategies = BTreeMap::new();
        for (index, id) in manifest.value.strategies.iter().enumerate() {
            match strategy(files, &manifest, index, id, &known) {
                Ok(loaded) => {
                    strategies.insert(id.clone(), loaded);
                }
                Err(found) => problems.extend(found),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let plain = strategies
            .iter()
            .map(|(id, loaded)| (id.clone(), loaded.value.clone()))
            .collect();
        let digest = manifest
            .value
            .digest(&plain)
            .map_err(|error| vec![Diagnostic::bug(manifest_path, error.to_string())])?;
        Ok(Self {
            manifest_path: manifest_path.to_owned(),
            manifest,
            strategies,
            known,
            digest,
        })
    }

    /// The strategy files without their documents.
    pub fn strategy_files(&self) -> BTreeMap<StrategyId, StrategyFile> {
        self.strategies
            .iter()
            .map(|(id, loaded)| (id.clone(), loaded.value.clone()))
            .collect()
    }
}

/// The one file of a strategy id, read.
fn strategy(
    files: &dyn Files,
    manifest: &Loaded<Manifest>,
    index: usize,
    id: &StrategyId,
    known: &[KnownStrategy],
) -> Result<Loaded<StrategyFile>, Vec<Diagnostic>> {
    let mut of_id = known.iter().filter(|strategy| strategy.id == id.as_str());
    let (Some(first), second) = (of_id.next(), of_id.next()) else {
        return Err(vec![Diagnostic::bug(
            manifest.document.file(),
            format!("strategy {id} passed the schema without a file"),
        )]);
    };
    if let Some(second) = second {
        return Err(vec![
            manifest
                .document
                .problem(
                    Code::Rule,
                    &format!("/strategies/{index}"),
                    format!("strategy `{id}` is two files"),
                )
                .seen(format!("{} and {}", first.path, second.path))
                .wanted("one file")
                .help("remove one of the two"),
        ]);
    }
    let schema = effective_strategy_schema()
        .map_err(|fault| vec![Diagnostic::bug(&first.path, fault.to_string())])?;
    let bytes = files.read(&first.path).map_err(|problem| vec![problem])?;
    load_strategy(&first.path, &bytes, &schema)
}
