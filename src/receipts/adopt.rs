//! Takes the records of kills and drills into the signed chain: the kill itself signs nothing, because it
//! must not wait for a key or a chain.
//!
//! The record's file stays where it is; the chain names it with its digest, and takes each one once. A record
//! that cannot be read is told and left.

use super::lines::LinesError;
use super::{Kind, Statement, append, read_all};
use launch_kill::{StateDir, state_dir};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use trader_core::digest;

/// Most entries of the folder that are looked at: years of drills.
const ENTRIES_MAX: usize = 100_000;

/// What was taken in, and what could not be.
#[derive(Debug, Default)]
pub struct Adopted {
    /// File names of records that are in the chain since now.
    pub taken: Vec<String>,
    /// What could not be read, in a sentence each.
    pub left: Vec<String>,
}

/// Appends every kill and drill record that the chain does not hold yet, oldest first.
///
/// # Errors
/// The chain cannot be read or written.
pub fn adopt(state: &StateDir) -> Result<Adopted, LinesError> {
    let mut adopted = Adopted::default();
    let names = records(state);
    if names.is_empty() {
        return Ok(adopted);
    }
    let held: BTreeSet<String> = read_all(state)?
        .iter()
        .filter_map(|statement| statement.predicate.get("file")?.as_str().map(str::to_owned))
        .collect();
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| !held.contains(name)) {
        match record(state, &name) {
            Ok(statement) => found.push((name, statement)),
            Err(why) => adopted.left.push(format!("{name}: {why}")),
        }
    }
    found.sort_by_key(|(name, (at, _))| (at.clone(), name.clone()));
    for (name, (_, statement)) in found {
        append(state, &statement)?;
        adopted.taken.push(name);
    }
    Ok(adopted)
}

fn records(state: &StateDir) -> Vec<String> {
    let Ok(folder) = std::fs::read_dir(state.root().join("receipts")) else {
        return Vec::new();
    };
    folder
        .take(ENTRIES_MAX)
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let stem = name.strip_suffix(".json").unwrap_or_default();
            stem.starts_with("kill-") || stem.starts_with("drill-")
        })
        .collect()
}

/// When it was written, and its statement.
fn record(state: &StateDir, name: &str) -> Result<(String, Statement), String> {
    let path = state.root().join("receipts").join(name);
    let text = state_dir::read_text(&path)
        .map_err(|error| error.to_string())?
        .ok_or("it is gone")?;
    let record: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let text_of = |key: &str| record.get(key).and_then(Value::as_str);
    let kind = match text_of("kind") {
        Some("kill") => Kind::Kill,
        Some("drill") => Kind::Drill,
        _ => return Err("it is no record of a kill or drill".to_owned()),
    };
    let (Some(env), Some(at)) = (text_of("env"), text_of("at")) else {
        return Err("it names no environment or no time".to_owned());
    };
    let predicate = json!({
        "env": env,
        "at": at,
        "file": name,
        "digest": digest::sha256(text.as_bytes()),
        "record": record,
    });
    Ok((at.to_owned(), Statement::new(kind, None, None, predicate)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(state: &StateDir, name: &str, text: &str) {
        let path = state.root().join("receipts").join(name);
        state_dir::write_private(&path, text.as_bytes()).unwrap();
    }

    #[test]
    fn each_record_is_taken_once_in_order_and_a_broken_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        assert!(adopt(&state).unwrap().taken.is_empty());
        let drill = r#"{"kind":"drill","env":"staging","at":"2026-11-30T10:00:00Z"}"#;
        let kill = r#"{"kind":"kill","env":"staging","at":"2026-11-30T09:00:00Z"}"#;
        put(&state, "drill-staging-2.json", drill);
        put(&state, "kill-staging-1.json", kill);
        put(&state, "kill-staging-3.json", "{");
        let first = adopt(&state).unwrap();
        assert_eq!(first.taken, ["kill-staging-1.json", "drill-staging-2.json"]);
        assert_eq!(first.left.len(), 1);
        assert!(adopt(&state).unwrap().taken.is_empty(), "once");
        let all = read_all(&state).unwrap();
        assert!(all[0].is(Kind::Kill, "staging") && all[1].is(Kind::Drill, "staging"));
        assert_eq!(all[0].predicate["record"]["at"], "2026-11-30T09:00:00Z");
    }
}
