//! The recordings that `launch.toml` names: compared with their digests while they are read, then looked at
//! window by window.
//!
//! What is hashed is a private copy, and that copy is what is read: a file that changes meanwhile changes
//! nothing. Bounded in files and bytes. Decides nothing.

use launch_checks::targets::{Recording, Targets};
use launch_checks::{Missing, ModelEvidence, RecordingFact, Unread};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use trader_core::sim::evidence::Sample;

/// Most bytes of one recording.
const BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most files of one recording.
const FILES_MAX: usize = 256;
/// Bytes copied at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Reads every recording that is declared.
pub(super) fn read(targets: &Targets, top: &Path) -> Result<ModelEvidence, Missing> {
    let Some(declared) = &targets.evidence else {
        return Err(Missing::new(
            "launch.toml names no recordings, so nothing shows what the model is worth",
        )
        .help(
            "[evidence] recordings = [{ path = \"FOLDER\", sha256 = \"…\" }] in launch.toml; the sha256 of a folder is \
             what `sha256sum * | sha256sum` says in it (docs/model-evidence.md)",
        ));
    };
    let recordings = declared
        .recordings
        .iter()
        .map(|recording| RecordingFact {
            path: recording.path.clone(),
            sha256: recording.sha256.clone(),
            samples: samples(top, recording),
        })
        .collect();
    Ok(ModelEvidence {
        recordings,
        approval: declared.approval.clone(),
    })
}

fn samples(top: &Path, recording: &Recording) -> Result<Vec<Sample>, Unread> {
    let absent = |error: &dyn std::fmt::Display| Unread::Absent(error.to_string());
    let scratch = tempfile::tempdir().map_err(|error| absent(&error))?;
    let (copy, seen) = pinned(&top.join(&recording.path), scratch.path())
        .map_err(|error| absent(&format!("cannot read it: {error}")))?;
    if seen != recording.sha256 {
        return Err(Unread::Changed { seen });
    }
    crate::replay::samples(&copy).map_err(|error| {
        // The copy's place means nothing to anybody.
        let shown = scratch.path().display().to_string();
        absent(&error.to_string().replace(&shown, &recording.path))
    })
}

/// Copies a recording and says its sha256: of a file its own, of a folder that of the lines which
/// `sha256sum *` prints in it.
fn pinned(path: &Path, into: &Path) -> io::Result<(PathBuf, String)> {
    let mut left = BYTES_MAX;
    if std::fs::metadata(path)?.is_file() {
        let name = path.file_name().unwrap_or_default();
        let copy = into.join(name);
        let digest = copied(path, &copy, &mut left)?;
        return Ok((copy, digest));
    }
    let folder = into.join("recording");
    std::fs::create_dir(&folder)?;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let name = entry?.file_name().into_string().map_err(|name| {
            io::Error::other(format!("the file name {} is not UTF-8", name.display()))
        })?;
        if !name.starts_with('.') {
            names.push(name);
        }
        if names.len() > FILES_MAX {
            return Err(io::Error::other(format!(
                "more than {FILES_MAX} files are no recording"
            )));
        }
    }
    names.sort_unstable();
    let mut lines = String::new();
    for name in &names {
        let from = path.join(name);
        // A pipe or device has no end.
        if !std::fs::metadata(&from)?.is_file() {
            return Err(io::Error::other(format!("{name} is no regular file")));
        }
        let digest = copied(&from, &folder.join(name), &mut left)?;
        // Writing into a String cannot fail.
        let _infallible = writeln!(lines, "{digest}  {name}");
    }
    Ok((folder, hex(Sha256::digest(lines.as_bytes()).as_slice())))
}

fn copied(from: &Path, to: &Path, left: &mut u64) -> io::Result<String> {
    let (mut source, mut target) = (File::open(from)?, File::create(to)?);
    let (mut digest, mut chunk) = (Sha256::new(), vec![0_u8; CHUNK_BYTES]);
    loop {
        let taken = source.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..taken).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        *left = u64::try_from(taken)
            .ok()
            .and_then(|taken| left.checked_sub(taken))
            .ok_or_else(|| io::Error::other(format!("larger than {BYTES_MAX} bytes")))?;
        digest.update(bytes);
        target.write_all(bytes)?;
    }
    Ok(hex(digest.finalize().as_slice()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(path: &str, sha256: &str) -> Recording {
        Recording {
            path: path.to_owned(),
            sha256: sha256.to_owned(),
        }
    }

    #[test]
    fn a_folder_is_pinned_as_the_shell_would_and_another_one_is_told() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("r");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("b.csv"), "x\n").unwrap();
        std::fs::write(folder.join("a.csv"), "").unwrap();
        std::fs::write(folder.join(".hidden"), "not counted").unwrap();
        let Err(Unread::Changed { seen }) = samples(top.path(), &declared("r", "0")) else {
            panic!("another digest was declared")
        };
        let shell = std::process::Command::new("sh")
            .args(["-c", "LC_ALL=C; export LC_ALL; sha256sum * | sha256sum"])
            .current_dir(&folder)
            .output()
            .unwrap();
        let wanted = String::from_utf8(shell.stdout).unwrap();
        assert!(
            wanted.starts_with(&seen) && seen.len() == 64,
            "{seen} {wanted}"
        );
        // The right digest of what is no recording is still no evidence.
        let read = samples(top.path(), &declared("r", &seen));
        assert!(
            matches!(&read, Err(Unread::Absent(why)) if why.starts_with("r/recording")),
            "{read:?}"
        );
    }

    #[test]
    fn what_is_not_there_or_has_no_end_proves_nothing() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("nested/inner")).unwrap();
        for (path, says) in [
            ("none", "cannot read it"),
            ("nested", "no regular file"),
            ("/dev/zero", "cannot read it"),
        ] {
            let read = samples(top.path(), &declared(path, "0"));
            assert!(
                matches!(&read, Err(Unread::Absent(why)) if why.contains(says)),
                "{path}: {read:?}"
            );
        }
    }
}
