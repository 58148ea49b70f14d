//! Reads the manifest and the strategy files it names, TOML or JSON, into the types of `trader-core`.
//!
//! Decimals are taken from the source text, never through a float, so that `0.10` has the same digest
//! here as in `launch`. Errors name file, line and column; the pretty carets live in `launch`. Must not
//! fall back to anything: a strategy that is listed and not there is an error.

use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use trader_core::manifest::{MANIFEST_SCHEMA_VERSION, Manifest};
use trader_core::strategy_file::{STRATEGY_SCHEMA_VERSION, StrategyFile};
use trader_core::unique_keys;
use trader_core::units::StrategyId;

/// Largest manifest or strategy file that is read, bytes; `launch` reads no larger one either.
pub const FILE_MAX_BYTES: usize = 1 << 20;

/// A manifest or strategy file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestFileError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The file is larger than [`FILE_MAX_BYTES`].
    #[error("{path} is larger than {FILE_MAX_BYTES} bytes, which no manifest or strategy needs")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The name ends in neither `.toml` nor `.json`.
    #[error("{path} is neither .toml nor .json")]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The content is not what the type wants.
    #[error("{path}:{line}:{column}: {message}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What was seen and wanted.
        message: String,
    },
    /// A version that this program does not know.
    #[error("{path}: schema_version {seen} is not known, this program reads {wanted}")]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        seen: u32,
        /// The version that is read.
        wanted: u32,
    },
    /// A listed strategy has no file, or two.
    #[error(
        "strategy `{id}` is listed in {manifest} but {seen}: wanted exactly one of {toml} and {json}"
    )]
    Strategy {
        /// The strategy.
        id: StrategyId,
        /// The manifest that lists it.
        manifest: PathBuf,
        /// `has no file` or `has two files`.
        seen: &'static str,
        /// The TOML candidate.
        toml: PathBuf,
        /// The JSON candidate.
        json: PathBuf,
    },
    /// A strategy is listed twice.
    #[error("strategy `{id}` is listed twice in {manifest}")]
    Duplicate {
        /// The strategy.
        id: StrategyId,
        /// The manifest.
        manifest: PathBuf,
    },
    /// The digest cannot be formed.
    #[error("cannot form the digest of {path}: {source}")]
    Digest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// What is declared: the manifest, its strategies and their common digest.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The manifest.
    pub manifest: Manifest,
    /// The strategy files it lists, by id.
    pub strategies: BTreeMap<StrategyId, StrategyFile>,
    /// `manifest_digest`.
    pub digest: String,
}

/// Reads a manifest and every strategy it lists from `strategies/<id>.{toml,json}` beside it.
pub fn read(path: &Path) -> Result<Declared, ManifestFileError> {
    let manifest: Manifest = read_one(path, Decimals::FromText)?;
    check_version(path, manifest.schema_version, MANIFEST_SCHEMA_VERSION)?;
    let folder = path.parent().unwrap_or(Path::new("")).join("strategies");
    let mut strategies = BTreeMap::new();
    for id in &manifest.strategies {
        let file = strategy_path(&folder, id, path)?;
        let strategy: StrategyFile = read_one(&file, Decimals::AsNumbers)?;
        check_version(&file, strategy.schema_version, STRATEGY_SCHEMA_VERSION)?;
        if strategies.insert(id.clone(), strategy).is_some() {
            return Err(ManifestFileError::Duplicate {
                id: id.clone(),
                manifest: path.to_owned(),
            });
        }
    }
    let digest = manifest
        .digest(&strategies)
        .map_err(|source| ManifestFileError::Digest {
            path: path.to_owned(),
            source,
        })?;
    Ok(Declared {
        manifest,
        strategies,
        digest,
    })
}

/// Reads one strategy from `strategies/<id>.{toml,json}` beside a manifest, listed in it or not.
pub fn read_strategy(manifest: &Path, id: &StrategyId) -> Result<StrategyFile, ManifestFileError> {
    let folder = manifest
        .parent()
        .unwrap_or(Path::new(""))
        .join("strategies");
    let file = strategy_path(&folder, id, manifest)?;
    let strategy: StrategyFile = read_one(&file, Decimals::AsNumbers)?;
    check_version(&file, strategy.schema_version, STRATEGY_SCHEMA_VERSION)?;
    Ok(strategy)
}

fn check_version(path: &Path, seen: u32, wanted: u32) -> Result<(), ManifestFileError> {
    if seen == wanted {
        Ok(())
    } else {
        Err(ManifestFileError::Version {
            path: path.to_owned(),
            seen,
            wanted,
        })
    }
}

fn strategy_path(
    folder: &Path,
    id: &StrategyId,
    manifest: &Path,
) -> Result<PathBuf, ManifestFileError> {
    let (toml, json) = (
        folder.join(format!("{id}.toml")),
        folder.join(format!("{id}.json")),
    );
    match (toml.is_file(), json.is_file()) {
        (true, false) => Ok(toml),
        (false, true) => Ok(json),
        (both, _) => Err(ManifestFileError::Strategy {
            id: id.clone(),
            manifest: manifest.to_owned(),
            seen: if both { "has two files" } else { "has no file" },
            toml,
            json,
        }),
    }
}

/// Whether a fractional number of the file becomes decimal text (money, limits) or stays a number
/// (options of a component, which are statistics).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decimals {
    FromText,
    AsNumbers,
}

fn read_one<T: DeserializeOwned>(path: &Path, decimals: Decimals) -> Result<T, ManifestFileError> {
    let read_error = |source| ManifestFileError::Read {
        path: path.to_owned(),
        source,
    };
    // Looked at before it is opened: opening a pipe that nobody writes to never ends.
    if !std::fs::metadata(path).map_err(read_error)?.is_file() {
        return Err(read_error(std::io::Error::other("it is no regular file")));
    }
    // Bounded by what is read, not by what the size was: the file may grow meanwhile.
    let bound = u64::try_from(FILE_MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(bound.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(read_error)?;
    if bytes.len() > FILE_MAX_BYTES {
        return Err(ManifestFileError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = std::str::from_utf8(&bytes).map_err(|error| not_utf8(path, &bytes, error))?;
    // `launch` reads a file with a byte order mark; so does the trader.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match path.extension().and_then(|e| e.to_str()) {
        Some("toml") => parse_toml(path, text, decimals),
        Some("json") => parse_json(path, text, decimals),
        _ => Err(ManifestFileError::Format {
            path: path.to_owned(),
        }),
    }
}

/// Parses twice: once straight into the type, whose errors carry the place, then once more with every
/// fractional number as its source text.
fn parse_toml<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    decimals: Decimals,
) -> Result<T, ManifestFileError> {
    let placed = |error: &toml::de::Error, original: &dyn Fn(usize) -> usize| {
        let at = error.span().map_or(0, |span| original(span.start));
        content(path, text, at, error.message())
    };
    let as_written = |at| at;
    let plain: T = toml::from_str(text).map_err(|e| placed(&e, &as_written))?;
    if decimals == Decimals::AsNumbers {
        return Ok(plain);
    }
    let table = toml::de::DeTable::parse(text).map_err(|e| placed(&e, &as_written))?;
    let mut floats = Vec::new();
    toml_floats(table.get_ref(), &mut floats);
    floats.sort_by_key(|(span, _)| span.start);
    let quoted = Quoted::new(text, &floats);
    toml::from_str(&quoted.text).map_err(|e| placed(&e, &|at| quoted.original(at)))
}

fn parse_json<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    decimals: Decimals,
) -> Result<T, ManifestFileError> {
    let placed = |error: &serde_json::Error, read: &str, original: &dyn Fn(usize) -> usize| {
        let words = error.to_string();
        let words = words.rsplit_once(" at line ").map_or(&*words, |(w, _)| w);
        let at = original(offset(read, error.line(), error.column()));
        content(path, text, at, words)
    };
    let as_written = |at| at;
    // A list would be read as the keys in their order.
    if let Some(at) = text.find(|c: char| !c.is_whitespace())
        && text.get(at..).is_some_and(|rest| rest.starts_with('['))
    {
        return Err(content(path, text, at, "a list, where an object belongs"));
    }
    let plain: T = serde_json::from_str(text).map_err(|e| placed(&e, text, &as_written))?;
    // Options are maps, and a map would keep the last of two equal keys without a word.
    unique_keys::check(text).map_err(|e| placed(&e, text, &as_written))?;
    if decimals == Decimals::AsNumbers {
        return Ok(plain);
    }
    let quoted = Quoted::new(text, &json_fractions(text));
    serde_json::from_str(&quoted.text)
        .map_err(|e| placed(&e, &quoted.text, &|at| quoted.original(at)))
}

/// Most characters of a parser's words that are repeated: some repeat the whole value.
const WORDS_MAX_CHARS: usize = 300;

/// A problem at a byte of the file's text, on one line.
fn content(path: &Path, text: &str, at: usize, words: &str) -> ManifestFileError {
    let (line, column) = place(text, at);
    let mut message: String = words
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(WORDS_MAX_CHARS)
        .collect();
    if words.chars().nth(WORDS_MAX_CHARS).is_some() {
        message.push('…');
    }
    ManifestFileError::Content {
        path: path.to_owned(),
        line,
        column,
        message,
    }
}

fn not_utf8(path: &Path, bytes: &[u8], error: std::str::Utf8Error) -> ManifestFileError {
    let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
    let text = String::from_utf8_lossy(good);
    let seen = bytes.get(good.len()).copied().unwrap_or_default();
    content(
        path,
        &text,
        text.len(),
        &format!("not UTF-8: seen the byte 0x{seen:02x}; save it as UTF-8"),
    )
}

/// Every float of a table: where it stands, and its digits.
fn toml_floats(table: &toml::de::DeTable<'_>, found: &mut Vec<(Range<usize>, String)>) {
    for value in table.values() {
        toml_floats_in(value, found);
    }
}

fn toml_floats_in(
    value: &toml::Spanned<toml::de::DeValue<'_>>,
    found: &mut Vec<(Range<usize>, String)>,
) {
    use toml::de::DeValue;
    match value.get_ref() {
        DeValue::Float(number) => {
            let digits = number.as_str().trim_start_matches('+').to_owned();
            found.push((value.span(), digits));
        }
        DeValue::Array(items) => {
            for item in items {
                toml_floats_in(item, found);
            }
        }
        DeValue::Table(table) => toml_floats(table, found),
        DeValue::String(_) | DeValue::Integer(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {}
    }
}

/// Every number with a fraction or an exponent in JSON text that is already known to parse.
fn json_fractions(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match c {
            '"' => string_len(rest),
            '-' | '0'..='9' => rest
                .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
                .unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let token = rest.get(..length).unwrap_or_default();
        if matches!(c, '-' | '0'..='9') && token.contains(['.', 'e', 'E']) {
            found.push((at..at + length, token.to_owned()));
        }
        at += length;
    }
    found
}

/// A text in which some numbers stand in quotes, and the way back to the places of the text before.
struct Quoted {
    text: String,
    /// Where a stretch of the new text begins, and where it began before; in order.
    stretches: Vec<(usize, usize)>,
}

impl Quoted {
    /// `numbers` in order of their places, which do not overlap.
    fn new(before: &str, numbers: &[(Range<usize>, String)]) -> Self {
        let mut text = String::with_capacity(before.len() + 2 * numbers.len());
        let mut stretches = vec![(0, 0)];
        let mut copied = 0;
        for (span, digits) in numbers {
            text.push_str(before.get(copied..span.start).unwrap_or_default());
            stretches.push((text.len(), span.start));
            text.push('"');
            stretches.push((text.len(), span.start));
            text.push_str(digits);
            text.push('"');
            stretches.push((text.len(), span.end));
            copied = span.end;
        }
        text.push_str(before.get(copied..).unwrap_or_default());
        Self { text, stretches }
    }

    /// Where a byte of the new text stood before.
    fn original(&self, at: usize) -> usize {
        let next = self.stretches.partition_point(|(new, _)| *new <= at);
        let stretch = next
            .checked_sub(1)
            .and_then(|last| self.stretches.get(last));
        let (new, old) = stretch.copied().unwrap_or_default();
        let moved = old + (at - new);
        // Inside a number the quotes count for nothing.
        self.stretches
            .get(next)
            .map_or(moved, |(_, end)| moved.min(*end))
    }
}

/// The byte of a line and column as `serde_json` counts them (columns in bytes, from 1).
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let mut at = before
        .saturating_add(column.saturating_sub(1))
        .min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Bytes of the JSON string literal at the start of `text`, quotes included.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Line and column (characters), both from 1, of a byte offset.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{MANIFEST_TOML, STRATEGY_JSON, project};

    #[test]
    fn decimals_keep_their_source_text_in_both_formats() {
        let folder = project();
        let declared = read(&folder.path().join("staging.toml")).unwrap();
        assert_eq!(declared.manifest.edge.min.to_string(), "0.030");
        let json = serde_json::to_string_pretty(&declared.manifest)
            .unwrap()
            .replace("\"0.030\"", "0.030");
        std::fs::write(folder.path().join("staging.json"), json).unwrap();
        let from_json = read(&folder.path().join("staging.json")).unwrap();
        assert_eq!(from_json.manifest.edge.min.to_string(), "0.030");
        assert_eq!(from_json.digest, declared.digest);
    }

    #[test]
    fn an_error_names_file_line_and_column() {
        let folder = project();
        let path = folder.path().join("staging.toml");
        std::fs::write(
            &path,
            MANIFEST_TOML.replace("max_exposure_usd = 10", "max_exposure_usd = 0"),
        )
        .unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("staging.toml:"), "{error}");
        assert!(error.contains("above 0"), "{error}");
        assert!(matches!(read(&path), Err(ManifestFileError::Content { line, .. }) if line > 1));
        std::fs::write(
            &path,
            MANIFEST_TOML.replace("schema_version = 1", "schema_version = 2"),
        )
        .unwrap();
        assert!(matches!(
            read(&path),
            Err(ManifestFileError::Version { seen: 2, .. })
        ));
    }

    #[test]
    fn nesting_beyond_all_reason_is_refused_and_no_overflow() {
        let folder = project();
        let deep = [
            ("d.toml", format!("{}a = 1", "a.".repeat(500_000))),
            ("e.toml", format!("{}a = 1\n!", "a.".repeat(500_000))),
            ("f.toml", format!("a = {}", "[".repeat(500_000))),
            ("g.json", "[".repeat(500_000)),
        ];
        for (name, text) in deep {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let refused = read(&path);
            assert!(
                matches!(refused, Err(ManifestFileError::Content { .. })),
                "{name}: {refused:?}"
            );
        }
    }

    #[test]
    fn only_a_file_is_read() {
        for path in ["/dev/zero", "/"] {
            let refused = read(Path::new(path));
            assert!(
                matches!(refused, Err(ManifestFileError::Read { .. })),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_listed_strategy_must_be_exactly_one_file() {
        let folder = project();
        let strategies = folder.path().join("strategies");
        std::fs::write(strategies.join("probability-edge.toml"), "").unwrap();
        let error = read(&folder.path().join("staging.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("has two files"), "{error}");
        std::fs::remove_file(strategies.join("probability-edge.toml")).unwrap();
        std::fs::rename(
            strategies.join("probability-edge.json"),
            strategies.join("Probability Edge.json"),
        )
        .unwrap();
        let error = read(&folder.path().join("staging.toml"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("has no file"), "{error}");
    }

    #[test]
    fn only_numbers_outside_strings_are_quoted() {
        let text = r#"{"a\"1.5":[-0.10,7,1e3,"2.5"],"b":true}"#;
        let quoted = Quoted::new(text, &json_fractions(text));
        assert_eq!(
            quoted.text,
            r#"{"a\"1.5":["-0.10",7,"1e3","2.5"],"b":true}"#
        );
        for (at, c) in text
            .char_indices()
            .filter(|(_, c)| c.is_alphabetic() || *c == '[')
        {
            let new = quoted
                .text
                .match_indices(c)
                .map(|(new, _)| quoted.original(new));
            assert!(new.clone().any(|old| old == at), "{c} at {at}");
        }
        assert!(serde_json::from_str::<serde_json::Value>(STRATEGY_JSON).is_ok());
    }

    /// The second pass reads numbers by their text: its errors stand where the number stands.
    #[test]
    fn an_exponent_is_refused_where_it_stands() {
        let folder = project();
        let refused = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            read(&path).unwrap_err().to_string()
        };
        let said = refused(
            "a.toml",
            MANIFEST_TOML.replace("max_exposure_usd = 10", "max_exposure_usd = 1e1"),
        );
        let line = MANIFEST_TOML
            .lines()
            .position(|line| line.starts_with("max_exposure_usd"))
            .unwrap();
        assert!(
            said.contains(&format!("a.toml:{}:20: ", line + 1)),
            "{said}"
        );
        assert!(said.contains("\"1e1\""), "{said}");
        let manifest = read(&folder.path().join("staging.toml")).unwrap().manifest;
        let json = serde_json::to_string(&manifest).unwrap();
        let edge = json.find("\"0.030\"").unwrap();
        let said = refused("a.json", json.replace("\"0.030\"", "3.0e-2"));
        let column: usize = said
            .split("a.json:1:")
            .nth(1)
            .and_then(|rest| rest.split(':').next()?.parse().ok())
            .unwrap();
        assert!((edge..edge + 8).contains(&column), "{edge}: {said}");
    }

    #[test]
    fn a_key_that_stands_twice_among_options_is_refused() {
        let folder = project();
        let path = folder.path().join("strategies/probability-edge.json");
        let text = std::fs::read_to_string(&path).unwrap();
        let at = text.find("\"component\"").unwrap();
        let (before, after) = text.split_at(at);
        let options = "\"options\": {\"a\": 1, \"a\": 2}, ";
        std::fs::write(&path, format!("{before}{options}{after}")).unwrap();
        let said = read(&folder.path().join("staging.toml"))
            .unwrap_err()
            .to_string();
        assert!(
            said.contains("probability-edge.json:") && said.contains("\"a\" stands twice"),
            "{said}"
        );
    }

    #[test]
    fn text_that_is_none_has_a_place() {
        let folder = project();
        let path = folder.path().join("x.toml");
        std::fs::write(&path, b"a = 1\nb = \"\xff\"").unwrap();
        let said = read(&path).unwrap_err().to_string();
        assert!(
            said.contains("x.toml:2:6: not UTF-8: seen the byte 0xff"),
            "{said}"
        );
        std::fs::write(&path, "x".repeat(FILE_MAX_BYTES + 1)).unwrap();
        assert!(matches!(
            read(&path),
            Err(ManifestFileError::TooLarge { .. })
        ));
        std::fs::write(&path, format!("{} = 1", "k".repeat(100_000))).unwrap();
        assert!(read(&path).unwrap_err().to_string().len() < 1_000);
    }
}
