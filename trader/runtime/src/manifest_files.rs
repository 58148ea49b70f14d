//! Reads the manifest and the strategy files it names, TOML or JSON, into the types of `trader-core`.
//!
//! Decimals are taken from the source text, never through a float, so that `0.10` has the same digest
//! here as in `launch`. Errors name file, line and column; the pretty carets live in `launch`. Must not
//! fall back to anything: a strategy that is listed and not there is an error.

use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use trader_core::manifest::{MANIFEST_SCHEMA_VERSION, Manifest};
use trader_core::strategy_file::{STRATEGY_SCHEMA_VERSION, StrategyFile};
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
    let found = std::fs::metadata(path).map_err(read_error)?;
    if !found.is_file() {
        // A device or pipe has no size to bound and may have no end.
        return Err(read_error(std::io::Error::other("it is no regular file")));
    }
    if !usize::try_from(found.len()).is_ok_and(|length| length <= FILE_MAX_BYTES) {
        return Err(ManifestFileError::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = std::fs::read_to_string(path).map_err(read_error)?;
    // `launch` reads a file with a byte order mark; so does the trader.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
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
    let placed = |error: &toml::de::Error| {
        let (line, column) = place(text, error.span().map_or(0, |span| span.start));
        ManifestFileError::Content {
            path: path.to_owned(),
            line,
            column,
            message: error.message().to_owned(),
        }
    };
    let plain: T = toml::from_str(text).map_err(|e| placed(&e))?;
    if decimals == Decimals::AsNumbers {
        return Ok(plain);
    }
    let table = toml::de::DeTable::parse(text).map_err(|e| placed(&e))?;
    from_exact(path, toml_table(table.get_ref()))
}

fn parse_json<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    decimals: Decimals,
) -> Result<T, ManifestFileError> {
    let placed = |error: &serde_json::Error| ManifestFileError::Content {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
        message: error.to_string(),
    };
    let plain: T = serde_json::from_str(text).map_err(|e| placed(&e))?;
    if decimals == Decimals::AsNumbers {
        return Ok(plain);
    }
    serde_json::from_str(&quote_fractions(text)).map_err(|e| placed(&e))
}

fn from_exact<T: DeserializeOwned>(
    path: &Path,
    value: serde_json::Value,
) -> Result<T, ManifestFileError> {
    serde_json::from_value(value).map_err(|error| ManifestFileError::Content {
        path: path.to_owned(),
        line: 1,
        column: 1,
        message: error.to_string(),
    })
}

fn toml_table(table: &toml::de::DeTable<'_>) -> serde_json::Value {
    let entries = table
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), toml_value(value.get_ref())));
    serde_json::Value::Object(entries.collect())
}

fn toml_value(value: &toml::de::DeValue<'_>) -> serde_json::Value {
    use toml::de::DeValue;
    match value {
        DeValue::String(text) => serde_json::Value::from(text.as_ref()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(
                |_| serde_json::Value::from(number.as_str()),
                serde_json::Value::from,
            ),
        DeValue::Float(number) => serde_json::Value::from(number.as_str().trim_start_matches('+')),
        DeValue::Boolean(flag) => serde_json::Value::from(*flag),
        DeValue::Datetime(instant) => serde_json::Value::from(instant.to_string()),
        DeValue::Array(items) => items
            .iter()
            .map(|item| toml_value(item.get_ref()))
            .collect(),
        DeValue::Table(table) => toml_table(table),
    }
}

/// Puts quotes round every number with a fraction in JSON text that is already known to parse.
fn quote_fractions(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let token_len = match c {
            '"' => string_len(rest),
            '-' | '0'..='9' => rest
                .find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
                .unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(token_len);
        let fraction = c != '"' && token.contains(['.', 'e', 'E']) && token.len() > 1;
        if fraction && matches!(c, '-' | '0'..='9') {
            out.push('"');
            out.push_str(token);
            out.push('"');
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out
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
        assert_eq!(
            quote_fractions(r#"{"a\"1.5":[-0.10,7,1e3,"2.5"],"b":true}"#),
            r#"{"a\"1.5":["-0.10",7,"1e3","2.5"],"b":true}"#
        );
        assert!(serde_json::from_str::<serde_json::Value>(STRATEGY_JSON).is_ok());
    }
}
