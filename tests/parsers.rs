//! `docs/inputs.md` is true: every parser stands on it, its corpus has files with their words, its tests exist.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot read the sources has to stop"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What a file that parses says.
const PARSES: [&str; 6] = [
    "serde_json::from_str",
    "serde_json::from_slice",
    "serde_json::from_reader",
    "toml::from_str",
    "DeTable::parse",
    "jsonc_parser::parse",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of every row that begins with a file's name.
fn rows(page: &str) -> Vec<Vec<&str>> {
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

/// The texts in backquotes.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What is wrong with a row of the table of parsers.
fn faults(row: &[&str], text_of: impl Fn(&str) -> String) -> Vec<String> {
    let [parser, _, corpora, words, property] = row else {
        return vec![format!("{row:?} has no five cells")];
    };
    let mut found = Vec::new();
    if names(parser).len() != 1 || names(corpora).is_empty() {
        found.push(format!("{parser}: names no file, or no corpus"));
    }
    for corpus in names(corpora) {
        let with_words = with_words(&root().join("tests").join(corpus).join("invalid"));
        if with_words == 0 {
            found.push(format!("tests/{corpus}/invalid has no file with its words"));
        }
    }
    for cell in [words, property] {
        let file = names(cell).first().copied().unwrap_or_default().to_owned();
        let test = cell.rsplit(' ').next().unwrap_or_default();
        if !text_of(&file).contains(&format!("fn {test}(")) {
            found.push(format!("{file} has no test {test}"));
        }
    }
    found
}

/// How many files of a corpus have the words of their refusal beside them; one without is a fault.
fn with_words(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    let broken = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension != "txt"));
    let mut count = 0;
    for path in broken {
        let words = PathBuf::from(format!("{}.txt", path.display()));
        assert!(words.is_file(), "{} has no words", path.display());
        count += 1;
    }
    count
}

fn sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the sources can be listed") {
        let path = entry.expect("listed").path();
        let name = path
            .file_name()
            .expect("has one")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            if !["tests", "benches", "examples"].contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !name.contains("tests")
            && name != "any_bytes.rs"
        {
            let below = path.strip_prefix(root()).expect("below the root");
            found.insert(below.to_string_lossy().into_owned());
        }
    }
}

/// Whether a source parses outside its tests.
fn parses(text: &str) -> bool {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    PARSES.iter().any(|call| code.contains(call))
}

#[test]
fn every_row_names_a_corpus_and_tests_that_exist() {
    let page = text_of("docs/inputs.md");
    let table = page.split("## Not on the table").next().unwrap_or_default();
    let rows = rows(table);
    assert!(rows.len() > 10, "the table is gone");
    let found: Vec<String> = rows.iter().flat_map(|row| faults(row, text_of)).collect();
    assert!(found.is_empty(), "{found:#?}");
    // The rule can fail: a planted row.
    let planted = ["`src/x.rs`", "x", "`nothing`", "`a.rs` t", "`b.rs` u"];
    assert_eq!(faults(&planted, |_| String::new()).len(), 3);
}

#[test]
fn every_source_that_parses_stands_on_the_page() {
    let page = text_of("docs/inputs.md");
    let named: BTreeSet<String> = rows(&page)
        .iter()
        .flat_map(|row| row.first().map(|cell| names(cell)).unwrap_or_default())
        .map(str::to_owned)
        .collect();
    let mut all = BTreeSet::new();
    for folder in ["src", "trader/core/src", "trader/runtime/src", "checks"] {
        sources(&root().join(folder), &mut all);
    }
    let unnamed: Vec<&String> = all
        .iter()
        .filter(|path| !named.contains(*path) && parses(&text_of(path)))
        .collect();
    assert!(
        unnamed.is_empty(),
        "{unnamed:#?} parse and do not stand in docs/inputs.md: give each a corpus and a property"
    );
    let gone: Vec<&String> = named.iter().filter(|path| !all.contains(*path)).collect();
    assert!(
        gone.is_empty(),
        "docs/inputs.md names {gone:#?}, which are not there"
    );
    assert!(parses("let a = serde_json::from_str(text);"));
    assert!(!parses("#[cfg(test)] serde_json::from_str(text);"));
}
