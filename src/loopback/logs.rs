//! Build and deployment logs as `Log` objects, read from the end of the deployment's files.
//!
//! The process writes straight to its file, so the platform does not know when each line came:
//! every line carries the time of the file's last write, which is exact for the last line and an
//! upper bound for those before. A log that has gone silent shows it. Must not load a whole log:
//! only its tail.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::state::Deployment;
use super::view;

/// Bytes read from the end of a log: room for 5000 lines of 200 bytes.
const TAIL_BYTES: u64 = 1 << 20;
/// Lines returned where no limit is given. Source: Railway's documentation of `limit`.
pub(crate) const DEFAULT_LIMIT: usize = 100;
/// Most lines returned. Same source.
pub(crate) const LARGEST_LIMIT: usize = 5_000;

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    /// Only lines that contain this text.
    pub(crate) filter: Option<String>,
    /// The newest this many.
    pub(crate) limit: usize,
    /// Only lines at or after this time (Unix milliseconds).
    pub(crate) from_ms: Option<u64>,
    /// Only lines at or before this time.
    pub(crate) to_ms: Option<u64>,
}

/// The log's wanted lines, oldest first; a log that does not exist yet is empty.
pub(crate) fn read(path: &Path, row: &Deployment, wanted: &Wanted) -> Vec<Value> {
    let Ok((text, written_ms)) = tail(path) else {
        return Vec::new();
    };
    let in_time = wanted.from_ms.is_none_or(|from| written_ms >= from)
        && wanted.to_ms.is_none_or(|to| written_ms <= to);
    if !in_time {
        return Vec::new();
    }
    let filter = wanted.filter.as_deref().unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && line.contains(filter))
        .collect();
    let skipped = lines.len().saturating_sub(wanted.limit.min(LARGEST_LIMIT));
    lines
        .into_iter()
        .skip(skipped)
        .map(|line| log_line(line, row, written_ms))
        .collect()
}

fn tail(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = File::open(path)?;
    let facts = file.metadata()?;
    let skipped = facts.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line of a cut tail is a fragment.
    let whole = match text.split_once('\n') {
        Some((_, rest)) if skipped > 0 => rest.to_owned(),
        _ => text,
    };
    let written = facts
        .modified()?
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Ok((
        whole,
        u64::try_from(written.as_millis()).unwrap_or(u64::MAX),
    ))
}

/// Railway takes JSON lines apart: `message`, `level`, the rest as attributes.
fn log_line(line: &str, row: &Deployment, written_ms: u64) -> Value {
    let fields = serde_json::from_str::<serde_json::Map<String, Value>>(line).unwrap_or_default();
    let message = fields
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or(line);
    let severity = fields
        .get("level")
        .and_then(Value::as_str)
        .unwrap_or("info");
    let attributes: Vec<Value> = fields
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "message" | "level"))
        .map(|(key, value)| json!({ "key": key, "value": value.to_string() }))
        .collect();
    json!({
        "message": message,
        "severity": severity,
        "timestamp": view::rfc3339(written_ms),
        "attributes": attributes,
        "tags": {
            "deploymentId": row.id,
            "deploymentInstanceId": row.instance_id,
            "environmentId": row.environment_id,
            "projectId": row.project_id,
            "serviceId": row.service_id,
            "snapshotId": null,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, wanted: &Wanted) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        std::fs::write(&path, text).unwrap();
        let row = crate::loopback::tests::any_deployment();
        let messages = read(&path, &row, wanted);
        messages
            .iter()
            .map(|line| line["message"].as_str().unwrap().to_owned())
            .collect()
    }

    fn newest(limit: usize) -> Wanted {
        Wanted {
            limit,
            ..Wanted::default()
        }
    }

    #[test]
    fn the_newest_lines_that_fit_the_filter_oldest_first() {
        assert_eq!(lines("a\nb\n\nc", &newest(2)), ["b", "c"]);
        let only_b = Wanted {
            filter: Some("b".into()),
            ..newest(9)
        };
        assert_eq!(lines("ab\nc\nbc", &only_b), ["ab", "bc"]);
        let json = "{\"level\":\"error\",\"message\":\"gone\",\"n\":1}";
        assert_eq!(lines(json, &newest(1)), ["gone"]);
    }

    #[test]
    fn only_the_tail_of_a_large_log_is_read_and_no_fragment_of_a_line() {
        let text = "0123456789\n".repeat(200_000);
        let all = lines(&text, &newest(LARGEST_LIMIT));
        assert_eq!(all.len(), LARGEST_LIMIT);
        assert!(all.iter().all(|line| line == "0123456789"));
    }

    #[test]
    fn times_select_and_a_missing_log_is_empty() {
        let past = Wanted {
            to_ms: Some(1_000),
            ..newest(9)
        };
        assert!(lines("a", &past).is_empty(), "written after 1970");
        let row = crate::loopback::tests::any_deployment();
        assert!(read(Path::new("/no/such/log"), &row, &newest(9)).is_empty());
    }
}
