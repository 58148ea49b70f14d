//! The platform's own files: read whole, written whole by temp file and rename, for the owner's
//! eyes only.
//!
//! Must not follow a half-written file: a reader sees the old bytes or the new ones.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::PlatformError;

/// Longest file of ours that is read (bytes); `state.json` with its 100 kept deployments per
/// service stays far below.
const LONGEST_FILE: u64 = 64 << 20;
/// Folders for the owner only.
const PRIVATE_DIR: u32 = 0o700;
/// Files for the owner only.
const PRIVATE_FILE: u32 = 0o600;

/// The platform's folder in a state directory.
pub(crate) fn platform_dir(state_dir: &Path) -> PathBuf {
    state_dir.join("local").join("platform")
}

/// Makes a private folder and its parents.
pub(crate) fn create_private_dir(path: &Path) -> Result<(), PlatformError> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_DIR)
        .create(path)
        .map_err(PlatformError::file("create the folder", path))
}

/// The file's bytes, `None` where there is no such file.
pub(crate) fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, PlatformError> {
    let failed = |error| PlatformError::file("read", path)(error);
    // Looked at before it is opened: opening a pipe that nobody writes to never ends.
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            return Err(failed(std::io::Error::other("is not a regular file")));
        }
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LONGEST_FILE + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LONGEST_FILE) {
        let bound = format!("is longer than {LONGEST_FILE} bytes");
        return Err(failed(std::io::Error::other(bound)));
    }
    Ok(Some(bytes))
}

/// Writes the file whole, mode 0600: another name first, then a rename over the old one.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), PlatformError> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(PRIVATE_FILE)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        drop(fs::remove_file(&temporary));
    }
    written.map_err(PlatformError::file("write", path))
}

/// Opens a private file to append to.
pub(crate) fn open_log(path: &Path) -> Result<fs::File, PlatformError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(PRIVATE_FILE)
        .open(path)
        .map_err(PlatformError::file("write", path))
}

/// A fresh unguessable number of `BYTES` bytes in hexadecimal, from the system's random source.
pub(crate) fn random_hex<const BYTES: usize>() -> Result<String, PlatformError> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0_u8; BYTES];
    fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(PlatformError::file("read", path))?;
    Ok(hex(bytes))
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().fold(String::new(), |mut text, byte| {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
        text
    })
}

/// A fresh id in Railway's form (UUID version 4 without setting its bits: ids are opaque).
pub(crate) fn random_id() -> Result<String, PlatformError> {
    let hex = random_hex::<16>()?;
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    Ok(format!(
        "{}-{}-{}-{}-{}",
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32)
    ))
}
