//! Writes a set of files, all or none.

use super::files::NewFile;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// A file, directory or link stands where a file should go.
    #[error(
        "error: {} already exists; nothing was written\nhelp: move it away, or name an empty directory: launch init DIR",
        .0.display()
    )]
    Exists(PathBuf),
    /// Something that is no directory stands where a directory should go.
    #[error(
        "error: {} is not a directory; nothing was written\nhelp: name another place: launch init DIR",
        .0.display()
    )]
    NotADirectory(PathBuf),
    /// The system refused; what had been written was taken back.
    #[error("error: cannot write {}: {source}; nothing was left behind", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Writes all files under `root`, or none.
pub(super) fn write_all(root: &Path, files: &[NewFile]) -> Result<(), WriteError> {
    for (path, _) in files {
        check(root, path)?;
    }
    let mut undo = Undo::default();
    for (path, text) in files {
        let full = root.join(path);
        write_one(&full, text, &mut undo)
            .map_err(|source| WriteError::Refused { path: full, source })?;
    }
    undo.keep();
    Ok(())
}

/// Nothing stands at the path, and only directories above it.
fn check(root: &Path, path: &str) -> Result<(), WriteError> {
    let full = root.join(path);
    // A dangling link exists too: writing through it would land elsewhere.
    if full.symlink_metadata().is_ok() {
        return Err(WriteError::Exists(full));
    }
    let above = full
        .ancestors()
        .skip(1)
        .find(|above| above.symlink_metadata().is_ok());
    match above {
        Some(above) if !above.is_dir() => Err(WriteError::NotADirectory(above.to_path_buf())),
        _ => Ok(()),
    }
}

/// What was made, taken back on drop unless kept.
#[derive(Debug, Default)]
struct Undo {
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
    kept: bool,
}

impl Undo {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for file in &self.files {
            drop(std::fs::remove_file(file));
        }
        // Only empty ones go; the deepest first.
        for dir in self.dirs.iter().rev() {
            drop(std::fs::remove_dir(dir));
        }
    }
}

fn write_one(full: &Path, text: &str, undo: &mut Undo) -> std::io::Result<()> {
    let parent = full.parent().unwrap_or(Path::new("."));
    make_dirs(parent, undo)?;
    let name = full.file_name().unwrap_or_default().to_string_lossy();
    let temporary = parent.join(format!(".{name}.launch-init-{}", std::process::id()));
    undo.files.push(temporary.clone());
    let mut file = std::fs::File::create_new(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // Unlike a rename, a link fails when something has appeared at the path meanwhile. Not every
    // file system has links; there the check at the start has to do.
    match std::fs::hard_link(&temporary, full) {
        Ok(()) => std::fs::remove_file(&temporary)?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(error),
        Err(_) => std::fs::rename(&temporary, full)?,
    }
    undo.files.push(full.to_path_buf());
    Ok(())
}

fn make_dirs(dir: &Path, undo: &mut Undo) -> std::io::Result<()> {
    let missing: Vec<&Path> = dir
        .ancestors()
        .take_while(|above| !above.exists())
        .collect();
    for above in missing
        .into_iter()
        .rev()
        .filter(|above| !above.as_os_str().is_empty())
    {
        std::fs::create_dir(above)?;
        undo.dirs.push(above.to_path_buf());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> NewFile {
        (path.to_owned(), "text\n".to_owned())
    }

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn all_files_or_none() {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("new/project");
        write_all(&root, &[file("a/b.toml"), file("c")]).unwrap();
        assert_eq!(names(&root), ["a", "c"]);
        assert_eq!(names(&root.join("a")), ["b.toml"]);

        let refused = write_all(&root, &[file("z"), file("a/b.toml")]).unwrap_err();
        assert!(matches!(&refused, WriteError::Exists(path) if path.ends_with("a/b.toml")));
        assert_eq!(names(&root), ["a", "c"]);
    }

    #[test]
    fn a_file_where_a_directory_should_be_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join("manifests"), "x").unwrap();
        let refused = write_all(scratch.path(), &[file("b"), file("manifests/a.toml")]);
        assert!(matches!(refused, Err(WriteError::NotADirectory(_))));
        assert_eq!(names(scratch.path()), ["manifests"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_dangling_link_is_in_the_way() {
        let scratch = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/nowhere/at/all", scratch.path().join("b")).unwrap();
        let refused = write_all(scratch.path(), &[file("b")]);
        assert!(matches!(refused, Err(WriteError::Exists(_))));
    }

    #[test]
    fn a_failure_in_the_middle_leaves_nothing_behind() {
        let scratch = tempfile::tempdir().unwrap();
        // The second path is also the first one's file: found only while writing.
        let refused = write_all(scratch.path(), &[file("a/b"), file("a/b/c")]);
        assert!(matches!(refused, Err(WriteError::Refused { .. })));
        assert_eq!(names(scratch.path()), Vec::<String>::new());
    }
}
