//! Append-only JSON lines in which an edited, removed or reordered line shows.
//!
//! Each line is `{"seq", "prev", "record", "sum"}`: `sum` is the digest of the three others, `prev`
//! the `sum` of the line before. A signed line also has the signer's public `key`, which the sum covers, and
//! `sig`, its signature over the sum; one file has one signer, and nothing unsigned follows a signed line. A torn last line (the machine died while it was written) is an
//! error with its place, never silently dropped. A lost tail cannot be seen in one copy.

use super::signer::{PublicKey, Signer};
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
    /// There is no key to sign with.
    #[error(transparent)]
    Signer(#[from] super::signer::SignerError),
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    sum: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sig: Option<String>,
}

impl Line {
    fn new(
        seq: u64,
        prev: String,
        record: Value,
        signer: Option<&Signer>,
    ) -> Result<Self, LinesError> {
        let mut line = Self {
            seq,
            prev,
            record,
            key: signer.map(|signer| signer.public().to_string()),
            sum: String::new(),
            sig: None,
        };
        line.sum = line.right_sum()?;
        line.sig = signer.map(|signer| signer.sign(&line.sum));
        Ok(line)
    }

    fn right_sum(&self) -> Result<String, LinesError> {
        let mut covered =
            serde_json::json!({"seq": self.seq, "prev": self.prev, "record": self.record});
        if let (Some(key), Some(fields)) = (&self.key, covered.as_object_mut()) {
            fields.insert("key".to_owned(), Value::from(key.as_str()));
        }
        digest::of_document(&covered).map_err(LinesError::Record)
    }

    /// Whose signature it carries, or what is wrong with it.
    fn signer(&self) -> Result<Option<PublicKey>, &'static str> {
        match (&self.key, &self.sig) {
            (None, None) => Ok(None),
            (Some(_), None) => Err("its signature is gone"),
            (None, Some(_)) => Err("it is signed by nobody who is named"),
            (Some(key), Some(sig)) => {
                let key: PublicKey = key.parse().map_err(|_| "its key is no public key")?;
                if key.has_signed(&self.sum, sig) {
                    Ok(Some(key))
                } else {
                    Err("its signature does not fit")
                }
            }
        }
    }
}

/// A record and whose signature it carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// The record.
    pub record: Value,
    /// Digest of the line, by which the next one is chained to it.
    pub sum: String,
    /// Whose signature; `None`: unsigned.
    pub signer: Option<PublicKey>,
}

/// Appends one record and syncs it to disk. Writers of several processes take turns.
///
/// # Errors
/// The file system refused, or the lines that are there already do not form a chain: nothing is
/// appended behind a break.
pub fn append(path: &Path, record: &Value) -> Result<(), LinesError> {
    place(path, record, None)
}

/// [`append`], signed.
///
/// # Errors
/// As there, and when the lines that are there already are signed by another key.
pub fn append_signed(path: &Path, record: &Value, signer: &Signer) -> Result<(), LinesError> {
    place(path, record, Some(signer))
}

fn place(path: &Path, record: &Value, signer: Option<&Signer>) -> Result<(), LinesError> {
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
        Some((last, of)) => {
            is_ours(path, last.seq, of, signer)?;
            (last.seq.saturating_add(1), last.sum)
        }
        None => (1, GENESIS.to_owned()),
    };
    let line = Line::new(seq, prev, record.clone(), signer)?;
    let mut text = serde_json::to_string(&line).map_err(LinesError::Record)?;
    text.push('\n');
    // One write: a reader sees the line whole or not at all.
    file.write_all(text.as_bytes()).map_err(io("append to"))?;
    file.sync_data().map_err(io("sync"))
}

/// One chain has one signer: whoever has another key, or none, cannot go on with it.
fn is_ours(
    path: &Path,
    seq: u64,
    of: Option<PublicKey>,
    signer: Option<&Signer>,
) -> Result<(), LinesError> {
    if of.is_none() || of == signer.map(Signer::public) {
        return Ok(());
    }
    Err(LinesError::Broken {
        path: path.to_path_buf(),
        line: usize::try_from(seq).unwrap_or(usize::MAX),
        what: "signed by a key that is not here".to_owned(),
    })
}

/// Whether another record can be signed behind those that are there.
///
/// # Errors
/// As [`append_signed`], without writing.
pub fn can_append(path: &Path, signer: &Signer) -> Result<(), LinesError> {
    let all = read_signed(path)?;
    let seq = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let of = all.last().and_then(|last| last.signer);
    is_ours(path, seq, of, Some(signer))
}

/// The records, oldest first, after checking the chain. No file = none.
///
/// # Errors
/// Unreadable, or a line that does not fit its neighbours.
pub fn read_all(path: &Path) -> Result<Vec<Value>, LinesError> {
    Ok(read_signed(path)?
        .into_iter()
        .map(|signed| signed.record)
        .collect())
}

/// The records with their signers, oldest first, chain and signatures checked. No file = none.
///
/// # Errors
/// Unreadable, a line that does not fit its neighbours, or a signature that does not hold.
pub fn read_signed(path: &Path) -> Result<Vec<Signed>, LinesError> {
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
        .map(|(line, signer)| Signed {
            record: line.record,
            sum: line.sum,
            signer,
        })
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

fn chain(path: &Path, text: &str) -> Result<Vec<(Line, Option<PublicKey>)>, LinesError> {
    let mut lines: Vec<(Line, Option<PublicKey>)> = Vec::new();
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
        let (seq, prev) = lines.last().map_or((1, GENESIS), |(last, _)| {
            (last.seq.saturating_add(1), last.sum.as_str())
        });
        if line.seq != seq || line.prev != prev {
            let named: String = line.prev.chars().take(PREV_SHOWN_CHARS).collect();
            return Err(broken(format!(
                "it is line {} after {named:?}, expected line {seq} after {prev:?}: a line was removed or moved",
                line.seq
            )));
        }
        if line.right_sum()? != line.sum {
            return Err(broken(
                "the line was edited: its sum does not fit".to_owned(),
            ));
        }
        let signer = line
            .signer()
            .map_err(|what| broken(format!("the line was edited: {what}")))?;
        let before = lines.last().and_then(|(_, signer)| *signer);
        if before.is_some() && before != signer {
            return Err(broken(
                "not of the signer of the lines before it: one chain has one signer".to_owned(),
            ));
        }
        lines.push((line, signer));
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

    fn signed(dir: &Path, who: &str) -> (PathBuf, Signer) {
        let path = dir.join("signed.jsonl");
        let signer = Signer::of(&launch_kill::StateDir::at(dir.join(who))).unwrap();
        for n in 1..=3 {
            append_signed(&path, &json!({"n": n}), &signer).unwrap();
        }
        (path, signer)
    }

    #[test]
    fn every_edit_of_one_byte_of_a_signed_chain_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (path, signer) = signed(dir.path(), "one");
        let all = read_signed(&path).unwrap();
        assert!(all.iter().all(|line| line.signer == Some(signer.public())));
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
            fs::write(&path, &bad).unwrap();
            assert!(read_all(&path).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_chain_made_anew_without_the_key_shows() {
        let dir = tempfile::tempdir().unwrap();
        let (path, signer) = signed(dir.path(), "one");
        // Right sums, no signature: whoever has no key can do no better.
        assert!(
            append(&path, &json!({"n": 4})).is_err(),
            "unsigned behind signed"
        );
        let other = Signer::of(&launch_kill::StateDir::at(dir.path().join("two"))).unwrap();
        let refused = append_signed(&path, &json!({"n": 4}), &other).unwrap_err();
        assert!(
            refused.to_string().contains("a key that is not here"),
            "{refused}"
        );
        assert!(can_append(&path, &other).is_err() && can_append(&path, &signer).is_ok());
        let text = fs::read_to_string(&path).unwrap();
        let mut last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        last["record"] = json!({"n": 33});
        let mut forged: Line = serde_json::from_value(last).unwrap();
        forged.sum = forged.right_sum().unwrap();
        let forged = serde_json::to_string(&forged).unwrap();
        let lines: Vec<&str> = text.lines().take(2).chain([forged.as_str()]).collect();
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        let found = read_all(&path).unwrap_err().to_string();
        assert!(
            found.contains(":3: ") && found.contains("signature"),
            "{found}"
        );
        fs::write(&path, text).unwrap();
        append_signed(&path, &json!({"n": 4}), &signer).unwrap();
        assert_eq!(read_all(&path).unwrap().len(), 4);
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
