//! Replaces a file of the work tree whole or not at all.
//!
//! A temporary file beside it, synced, then renamed. Must not follow a link, and must not undo what another
//! wrote since it was read.

use std::io::{Error, Write as _};
use std::path::Path;

/// Writes `text` to `path`, whose content was `before` (`None`: there was no file).
///
/// # Errors
/// The file is not what was read, is no regular file, or the system refuses; it is then as it was.
pub fn replace(path: &Path, before: Option<&[u8]>, text: &str) -> std::io::Result<()> {
    let old = match path.symlink_metadata() {
        Ok(about) if about.is_file() => Some(about.permissions()),
        Ok(_) => return Err(Error::other("it is no regular file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let parent = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let mut temporary = tempfile::Builder::new()
        .prefix(".launch-")
        .suffix(".tmp")
        .tempfile_in(parent)?;
    temporary.write_all(text.as_bytes())?;
    // A temporary file is private; this one is committed, and readable like its neighbours.
    let mode = old.unwrap_or_else(|| std::os::unix::fs::PermissionsExt::from_mode(0o644));
    temporary.as_file().set_permissions(mode)?;
    temporary.as_file().sync_all()?;
    let now = match std::fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if now.as_deref() != before {
        return Err(Error::other("it changed while it was read; run it again"));
    }
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_wrote_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/f.toml");
        replace(&path, None, "a").unwrap();
        replace(&path, Some(b"a"), "b").unwrap();
        for before in [None, Some(&b"a"[..])] {
            assert!(replace(&path, before, "c").is_err());
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b");
        // Nothing is left beside it.
        let names = std::fs::read_dir(path.parent().unwrap()).unwrap();
        assert_eq!(names.count(), 1);
    }

    #[test]
    fn a_link_in_its_place_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        std::fs::write(&real, "a").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(replace(&link, Some(b"a"), "b").is_err());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "a");
    }
}
