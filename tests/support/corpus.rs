//! A folder of broken or good files, each broken one with the exact words of its refusal beside it
//! (`<name>.txt`; `UPDATE_EXPECT=1` rewrites them).

#![allow(dead_code, reason = "each test crate uses a part of it")]

use std::path::{Path, PathBuf};

/// One file of a corpus.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
}

/// `tests/`, from whichever package the test belongs to.
pub(crate) fn tests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("tests"))
        .find(|tests| tests.join("support/corpus.rs").is_file())
        .expect("the corpus stands in the repository's tests")
}

/// The files of `tests/<folder>`, in order of their names.
pub(crate) fn corpus(folder: &str) -> Vec<Case> {
    let dir = tests_dir().join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .unwrap_or_else(|error| panic!("{}: {error}", dir.display()))
        .map(|entry| entry.expect("the corpus can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
        .into_iter()
        .map(|path| Case {
            name: path
                .file_name()
                .expect("a file")
                .to_string_lossy()
                .into_owned(),
            bytes: std::fs::read(&path).expect("the corpus can be read"),
            path,
        })
        .collect()
}

/// Every file of `tests/<folder>` is refused (`Err`) with the words beside it.
pub(crate) fn refused(folder: &str, read: impl Fn(&Case) -> Result<String, String>) {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut differing = Vec::new();
    for case in corpus(folder) {
        let said = match read(&case) {
            Err(said) => said.trim_end().to_owned() + "\n",
            Ok(value) => panic!("{folder}/{} was read: {value:.200}", case.name),
        };
        // One clear error: bounded, and nothing that a terminal obeys.
        assert!(said.len() < 8_192, "{}: {} bytes", case.name, said.len());
        let obeyed = |c: char| c.is_control() && c != '\n';
        assert!(!said.contains(obeyed), "{}: {said:?}", case.name);
        let expected = PathBuf::from(format!("{}.txt", case.path.display()));
        if update {
            std::fs::write(&expected, &said).expect("the corpus can be written");
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(said.as_str()) {
            differing.push(format!("{folder}/{}\n{said}", case.name));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// A list of texts, one corpus of a parser of short texts or bodies: `tests/<folder>/<name>.json`.
pub(crate) fn list(folder: &str, name: &str) -> Vec<serde_json::Value> {
    let path = tests_dir().join(folder).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("the list can be read");
    serde_json::from_str(&text).expect("a list")
}

/// Every text of the list is refused, with the words of the same line of the file beside it.
pub(crate) fn refused_list(
    folder: &str,
    name: &str,
    read: impl Fn(&str) -> Result<String, String>,
) {
    let mut said = String::new();
    for text in list(folder, name) {
        let text = text.as_str().expect("texts");
        let error = match read(text) {
            Ok(value) => panic!("{folder}/{name}: {text:.200?} was read: {value:.200}"),
            Err(error) => error,
        };
        // One clear error: one line, bounded, and nothing that a terminal obeys.
        assert!(error.chars().count() < 700, "{name}: {error}");
        assert!(!error.contains(char::is_control), "{name}: {error:?}");
        said.push_str(&error);
        said.push('\n');
    }
    let expected = tests_dir().join(folder).join(format!("{name}.json.txt"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&expected, &said).expect("the corpus can be written");
    } else {
        let wanted = std::fs::read_to_string(&expected).expect("the words can be read");
        assert!(said == wanted, "{folder}/{name}\n{said}");
    }
}

/// Every text of the list of pairs is read, and prints as the second of its pair.
pub(crate) fn accepted_list(
    folder: &str,
    name: &str,
    read: impl Fn(&str) -> Result<String, String>,
) {
    for pair in list(folder, name) {
        let text_at = |at: usize| pair.get(at).and_then(serde_json::Value::as_str);
        let (text, printed) = (text_at(0), text_at(1));
        let text = text.expect("a text");
        let said = read(text).unwrap_or_else(|error| panic!("{folder}/{name}: {text:?}: {error}"));
        assert_eq!(Some(said.as_str()), printed, "{folder}/{name}");
    }
}

/// Every file of `tests/<folder>` is read.
pub(crate) fn accepted<T>(
    folder: &str,
    read: impl Fn(&Case) -> Result<T, String>,
) -> Vec<(String, T)> {
    corpus(folder)
        .into_iter()
        .map(|case| match read(&case) {
            Ok(value) => (case.name, value),
            Err(said) => panic!("{folder}/{}: {said}", case.name),
        })
        .collect()
}
