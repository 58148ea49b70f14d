//! Append-only JSON lines in which an edited, removed or reordered line shows.
//!
//! Each line is `{"seq", "prev", "record", "sum"}`: `sum` is the digest of the three others, `prev`
//! the `sum` of the line before. A torn last line (the machine died while it was written) is an
//! error with its place, never silently dropped. A lost tail cannot be seen in one copy.

use launch_kill::state_dir;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use trader_core::{digest, unique_keys};

/// `prev` of the first line.
const GENESIS: &str = "genesis";

/// Longest file that is read, bytes: decades of receipts, days of a chatty journal.
const FILE_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Why lines could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LinesError {
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line does not fit the chain.
    #[error("{}:{line}: {what}; keep it, and move it aside to begin a new chain", path.display())]
    Broken {
        /// Where.
        path: PathBuf,
        /// Line number from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The record is no JSON or not of the expected shape.
    #[error("a record cannot be read or written: {0}")]
    Record(serde_json::Error),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    seq: u64,
    prev: String,
    record: Value,
    sum: String,
}

impl Line {
    fn new(seq: u64, prev: String, record: Value) -> Result<Self, LinesError> {
        let sum = sum_of(seq, &prev, &record)?;
        Ok(Self {
            seq,
            prev,
            record,
            sum,
        })
    }
}

fn sum_of(seq: u64, prev: &str, record: &Value) -> Result<String, LinesError> {
    digest::of_document(&serde_json::json!({"seq": seq, "prev": prev, "record": record}))
        .map_err(LinesError::Record)
}

/// Appends one record and syncs it to disk. Writers of several processes take turns.
///
/// # Errors
/// The file system refused, or the lines that are there already do not form a chain: nothing is
/// appended behind a break.
pub fn append(path: &Path, record: &Value) -> Result<(), LinesError> {
    let io = |doing| {
        let path = path.to_path_buf();
        move |source| LinesError::Io {
            doing,
            path,
            source,
        }
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io("make the directory of"))?;
    }
    only_a_file(path)?;
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(io("open"))?;
    // Released when the file is closed, however this function ends.
    file.lock().map_err(io("lock"))?;
    let (seq, prev) = match chain(path, &read(&mut file, path)?)?.pop() {
        Some(last) => (last.seq.saturating_add(1), last.sum),
        None => (1, GENESIS.to_owned()),
    };
    let line = Line::new(seq, prev, record.clone())?;
    let mut text = serde_json::to_string(&line).map_err(LinesError::Record)?;
    text.push('\n');
    // One write: a reader sees the line whole or not at all.
    file.write_all(text.as_bytes()).map_err(io("append to"))?;
    file.sync_data().map_err(io("sync"))
}

/// The records, oldest first, after checking the chain. No file = none.
///
/// # Errors
/// Unreadable, or a line that does not fit its neighbours.
pub fn read_all(path: &Path) -> Result<Vec<Value>, LinesError> {
    only_a_file(path)?;
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(LinesError::Io {
                doing: "open",
                path: path.to_path_buf(),
                source,
            });
        }
    };
    Ok(chain(path, &read(&mut file, path)?)?
        .into_iter()
        .map(|line| line.record)
        .collect())
}

/// Looked at before it is opened: opening or reading a pipe that nobody writes to never ends.
fn only_a_file(path: &Path) -> Result<(), LinesError> {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => Err(LinesError::Io {
            doing: "use",
            path: path.to_path_buf(),
            source: std::io::Error::other("is not a regular file"),
        }),
        // What else may be wrong, opening it tells.
        Ok(_) | Err(_) => Ok(()),
    }
}

fn read(file: &mut File, path: &Path) -> Result<String, LinesError> {
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| LinesError::Io {
            doing: "read",
            path: path.to_path_buf(),
            source,
        })?;
    let broken = |before: &[u8], what| LinesError::Broken {
        path: path.to_path_buf(),
        line: before.split(|byte| *byte == b'\n').count(),
        what,
    };
    // Reading half of it would append behind a break.
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_MAX_BYTES) {
        return Err(broken(
            &bytes,
            format!("longer than {FILE_MAX_BYTES} bytes"),
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..good).unwrap_or_default();
        broken(before, "not UTF-8".to_owned())
    })
}

fn chain(path: &Path, text: &str) -> Result<Vec<Line>, LinesError> {
    let mut lines: Vec<Line> = Vec::new();
    for (index, text) in text.split_terminator('\n').enumerate() {
        let broken = |what: String| LinesError::Broken {
            path: path.to_path_buf(),
            line: index.saturating_add(1),
            what,
        };
        if text.starts_with('[') {
            return Err(broken(
                "not a whole line: a list, where an object belongs".to_owned(),
            ));
        }
        let line: Line = serde_json::from_str(text)
            .map_err(|e| broken(format!("not a whole line: {}", words(&e))))?;
        // The sum is of what was read, and of two equal keys only the last is read.
        unique_keys::check(text)
            .map_err(|e| broken(format!("the line was edited: {}", words(&e))))?;
        let (seq, prev) = lines.last().map_or((1, GENESIS), |last| {
            (last.seq.saturating_add(1), last.sum.as_str())
        });
        if line.seq != seq || line.prev != prev {
            let named: String = line.prev.chars().take(PREV_SHOWN_CHARS).collect();
            return Err(broken(format!(
                "it is line {} after {named:?}, expected line {seq} after {prev:?}: a line was removed or moved",
                line.seq
            )));
        }
        if sum_of(line.seq, &line.prev, &line.record)? != line.sum {
            return Err(broken(
                "the line was edited: its sum does not fit".to_owned(),
            ));
        }
        lines.push(line);
    }
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(LinesError::Broken {
            path: path.to_path_buf(),
            line: lines.len(),
            what: "the last line is not whole".to_owned(),
        });
    }
    Ok(lines)
}

/// Longest `prev` that is repeated, characters: a digest is 71 long.
const PREV_SHOWN_CHARS: usize = 80;

/// Most characters of a parser's words that are repeated.
const WORDS_MAX_CHARS: usize = 300;

/// A parser's words on one line, without control characters; the line's number is ours.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(words, _)| words);
    let text: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(WORDS_MAX_CHARS)
        .collect();
    format!("{text} (column {})", error.column())
}

/// Writes a small state document whole or not at all. A convenience over
/// [`state_dir::write_private`] for documents that serialise.
///
/// # Errors
/// The file system refused; the old document is then still there.
pub fn write_document<T: Serialize>(path: &Path, document: &T) -> Result<(), DocumentError> {
    let mut text = serde_json::to_vec_pretty(document)?;
    text.push(b'\n');
    Ok(state_dir::write_private(path, &text)?)
}

/// Reads a small state document; `None` where there is none.
///
/// # Errors
/// Unreadable or not of this shape, with line and column.
pub fn read_document<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, DocumentError> {
    state_dir::read_text(path)?
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|source| DocumentError::Shape {
            path: path.to_path_buf(),
            source,
        })
}

/// Why a state document could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The file system refused.
    #[error(transparent)]
    State(#[from] launch_kill::StateError),
    /// Not JSON of the expected shape.
    #[error("{}: {source}", path.display())]
    Shape {
        /// Where.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// The document does not serialise.
    #[error("cannot write a document: {0}")]
    Write(#[from] serde_json::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn three(dir: &Path) -> PathBuf {
        let path = dir.join("sub/r.jsonl");
        for n in 1..=3 {
            append(&path, &json!({"n": n})).unwrap();
        }
        path
    }

    #[test]
    fn what_was_appended_is_read_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(
            read_all(&dir.path().join("none")).unwrap(),
            Vec::<Value>::new()
        );
        let path = three(dir.path());
        assert_eq!(
            read_all(&path).unwrap(),
            [json!({"n": 1}), json!({"n": 2}), json!({"n": 3})]
        );
    }

    #[test]
    fn a_pipe_or_a_folder_in_its_place_is_an_error_and_no_wait() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        for path in [pipe, dir.path().to_path_buf()] {
            let (answer, answered) = std::sync::mpsc::channel();
            std::thread::spawn(move || {
                answer.send((read_all(&path).is_err(), append(&path, &json!(1)).is_err()))
            });
            let refused = answered.recv_timeout(std::time::Duration::from_secs(5));
            assert_eq!(refused, Ok((true, true)));
        }
    }

    #[test]
    fn every_edit_of_one_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = three(dir.path());
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
            fs::write(&path, &bad).unwrap();
            assert!(read_all(&path).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_removed_moved_or_torn_line_is_found_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = three(dir.path());
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let torn = &text[..text.len() - 9];
        for (bad, place) in [
            (format!("{}\n{}\n", lines[0], lines[2]), ":2: "),
            (format!("{}\n{}\n", lines[1], lines[2]), ":1: "),
            (
                format!("{}\n{}\n{}\n", lines[0], lines[2], lines[1]),
                ":2: ",
            ),
            (torn.to_owned(), ":3: "),
            (text.trim_end().to_owned(), ":3: "),
        ] {
            fs::write(&path, &bad).unwrap();
            let error = read_all(&path).unwrap_err().to_string();
            assert!(error.contains(place), "{error}");
            assert!(
                append(&path, &json!({})).is_err(),
                "nothing goes behind a break"
            );
        }
    }

    #[test]
    fn writers_take_turns() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.jsonl");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..10 {
                        append(&path, &json!({"n": n})).unwrap();
                    }
                });
            }
        });
        assert_eq!(read_all(&path).unwrap().len(), 40);
    }
}
