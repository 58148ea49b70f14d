//! The state directory: where kill files, tokens, freezes and receipts lie.
//!
//! Must not create anything on reading, and must not make a kill fail: every function returns its
//! error. Files are private (directories 0700, files 0600) and written whole or not at all
//! (temporary file, fsync, rename, fsync of the directory).

use crate::secret::Secret;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Longest file that is read, bytes. Kill files and tokens are below 4 kB.
const FILE_MAX_BYTES: u64 = 1024 * 1024;
/// Longest name of an environment, characters.
const ENV_NAME_MAX: usize = 64;

/// The name of an environment: letters, digits, `-`, `_`. Safe as part of a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvName(String);

impl EnvName {
    /// Parses a name.
    ///
    /// # Errors
    /// Empty, longer than 64 characters, or a character that has no place in a file name.
    pub fn parse(text: &str) -> Result<Self, StateError> {
        let fits = !text.is_empty()
            && text.len() <= ENV_NAME_MAX
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        fits.then(|| Self(text.to_owned())).ok_or_else(|| {
            let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
            StateError::EnvName(text.chars().take(ENV_NAME_MAX).map(shown).collect())
        })
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a file of the state directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The name of an environment has other characters than letters, digits, `-`, `_`.
    #[error("`{0}` is no name of an environment (letters, digits, - and _, at most 64)")]
    EnvName(String),
    /// The file system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is there but not what it should be.
    #[error("{}: {why}", path.display())]
    Malformed {
        /// Where.
        path: PathBuf,
        /// What is wrong, with line and column where there is one.
        why: String,
    },
}

/// The tokens that may lie in the state directory, each in its own file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFile {
    /// `token-<env>`: the platform's project token.
    Platform,
    /// `halt-<env>`: can only stop.
    Halt,
    /// `control-<env>`: leases and re-enables.
    Control,
    /// `watchdog-token-<env>`: the watchdog's own platform token.
    Watchdog,
}

impl TokenFile {
    fn name(self, env: &EnvName) -> String {
        let stem = match self {
            Self::Platform => "token",
            Self::Halt => "halt",
            Self::Control => "control",
            Self::Watchdog => "watchdog-token",
        };
        format!("{stem}-{env}")
    }
}

/// A state directory. It need not exist: reading finds nothing, writing makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// The directory at `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// In this order: the `--state-dir` flag, `LAUNCH_STATE_DIR`, `$XDG_STATE_HOME/launch`,
    /// `$HOME/.local/state/launch`. Empty or relative variables count as absent.
    /// `None` where nothing names a place (no `HOME`): there is then no state, and no error.
    pub fn resolve(flag: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let named = |name: &str| variable(name).filter(|text| !text.is_empty());
        let absolute = |name: &str| {
            named(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        flag.map(Path::to_path_buf)
            .or_else(|| named("LAUNCH_STATE_DIR").map(PathBuf::from))
            .or_else(|| absolute("XDG_STATE_HOME").map(|home| home.join("launch")))
            .or_else(|| absolute("HOME").map(|home| home.join(".local/state/launch")))
            .map(Self)
    }

    /// Its path.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// `kill-<env>.json`.
    pub fn kill_file_path(&self, env: &EnvName) -> PathBuf {
        self.0.join(format!("kill-{env}.json"))
    }

    /// `freeze-<env>.json`.
    pub fn freeze_path(&self, env: &EnvName) -> PathBuf {
        self.0.join(format!("freeze-{env}.json"))
    }

    /// The file of a token.
    pub fn token_path(&self, kind: TokenFile, env: &EnvName) -> PathBuf {
        self.0.join(kind.name(env))
    }

    /// The environments that have a kill file, sorted. No directory = none.
    ///
    /// # Errors
    /// The directory exists but cannot be listed.
    pub fn known_envs(&self) -> Result<Vec<EnvName>, StateError> {
        let failed = |source| StateError::Io {
            doing: "list",
            path: self.0.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut envs = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let env = name
                .to_str()
                .and_then(|name| name.strip_prefix("kill-")?.strip_suffix(".json"))
                .and_then(|env| EnvName::parse(env).ok());
            envs.extend(env);
        }
        envs.sort();
        Ok(envs)
    }

    /// Reads a token; `None` where there is no such file or it is blank.
    pub fn read_token(&self, kind: TokenFile, env: &EnvName) -> Result<Option<Secret>, StateError> {
        let text = read_text(&self.token_path(kind, env))?;
        Ok(text.as_deref().and_then(Secret::new))
    }

    /// Writes a token (0600).
    pub fn write_token(
        &self,
        kind: TokenFile,
        env: &EnvName,
        token: &Secret,
    ) -> Result<(), StateError> {
        write_private(
            &self.token_path(kind, env),
            format!("{}\n", token.expose()).as_bytes(),
        )
    }

    /// Writes a token (0600) where there is no such file yet. `false`: there is one, left as it is.
    ///
    /// # Errors
    /// Names the step that failed.
    pub fn create_token(
        &self,
        kind: TokenFile,
        env: &EnvName,
        token: &Secret,
    ) -> Result<bool, StateError> {
        let text = format!("{}\n", token.expose());
        write_private_new(&self.token_path(kind, env), text.as_bytes())
    }
}

/// Reads a text file of bounded length; `None` where it does not exist.
///
/// # Errors
/// Unreadable, longer than 1 MiB, or not UTF-8.
pub fn read_text(path: &Path) -> Result<Option<String>, StateError> {
    let failed = |source| StateError::Io {
        doing: "read",
        path: path.to_path_buf(),
        source,
    };
    let malformed = |why: &str| StateError::Malformed {
        path: path.to_path_buf(),
        why: why.to_owned(),
    };
    // Looked at before it is opened: opening a pipe that nobody writes to never ends.
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => return Err(malformed("is not a regular file")),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_MAX_BYTES) {
        return Err(malformed("is longer than 1 MiB"));
    }
    // Some editors put a byte order mark first; JSON has none.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text.to_owned())),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count();
            Err(malformed(&format!(
                "is not UTF-8, on line {line}: save it as UTF-8"
            )))
        }
    }
}

/// Writes a file whole or not at all, readable by its owner only; makes its directories (0700).
///
/// # Errors
/// Names the step that failed; the old file is then still there, untouched.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    place_private(path, bytes, Place::Over).map(drop)
}

/// [`write_private`] where there is no such file yet. `false`: there is one, left as it is.
///
/// # Errors
/// Names the step that failed.
pub fn write_private_new(path: &Path, bytes: &[u8]) -> Result<bool, StateError> {
    place_private(path, bytes, Place::New)
}

/// Whether a file may take the place of one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Over,
    New,
}

/// `Ok(false)`: [`Place::New`] found one there already.
fn place_private(path: &Path, bytes: &[u8], place: Place) -> Result<bool, StateError> {
    static UNIQUE: AtomicU32 = AtomicU32::new(0);
    let step = |doing, path: &Path| {
        let path = path.to_path_buf();
        move |source| StateError::Io {
            doing,
            path,
            source,
        }
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(step("create", folder))?;
    let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}-{unique}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(step("write", &temporary))
        .and_then(|()| {
            match place {
                Place::Over => fs::rename(&temporary, path).map(|()| true),
                // A link never replaces: of two writers one wins, and its file is whole.
                Place::New => match fs::hard_link(&temporary, path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
                    linked => linked.map(|()| true),
                },
            }
            .map_err(step("rename into", path))
        });
    if written.is_err() || place == Place::New {
        drop(fs::remove_file(&temporary));
    }
    if written.as_ref().is_ok_and(|is_placed| *is_placed) {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(step("sync", folder))?;
    }
    written
}

/// Removes a file; one that is not there is removed already.
///
/// # Errors
/// The file system refused.
pub fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StateError::Io {
            doing: "remove",
            path: path.to_path_buf(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn env(name: &str) -> EnvName {
        EnvName::parse(name).unwrap()
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        for bad in ["", "../x", "a/b", "a.b", "a b", &"x".repeat(65)] {
            assert!(EnvName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn resolution_order() {
        let all = |name: &str| match name {
            "LAUNCH_STATE_DIR" => Some("/l".to_owned()),
            "XDG_STATE_HOME" => Some("/x".to_owned()),
            "HOME" => Some("/h".to_owned()),
            _ => None,
        };
        let root = |dir: Option<StateDir>| dir.map(|dir| dir.root().display().to_string());
        assert_eq!(
            root(StateDir::resolve(Some(Path::new("f")), all)),
            Some("f".into())
        );
        assert_eq!(root(StateDir::resolve(None, all)), Some("/l".into()));
        let no_launch = |name: &str| all(name).filter(|text| text != "/l");
        assert_eq!(
            root(StateDir::resolve(None, no_launch)),
            Some("/x/launch".into())
        );
        let home = |name: &str| (name == "HOME").then(|| "/h".to_owned());
        assert_eq!(
            root(StateDir::resolve(None, home)),
            Some("/h/.local/state/launch".into())
        );
        assert_eq!(StateDir::resolve(None, |_| None), None);
    }

    #[test]
    fn tokens_are_private_and_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let dir = StateDir::at(folder.path().join("deep/state"));
        let token = Secret::new("abc123").unwrap();
        assert_eq!(
            dir.read_token(TokenFile::Halt, &env("staging")).unwrap(),
            None
        );
        dir.write_token(TokenFile::Halt, &env("staging"), &token)
            .unwrap();
        assert_eq!(
            dir.read_token(TokenFile::Halt, &env("staging")).unwrap(),
            Some(token)
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            mode(&dir.token_path(TokenFile::Halt, &env("staging"))),
            0o600
        );
        assert_eq!(mode(dir.root()), 0o700);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("inside"), "x").unwrap();
        assert!(write_private(&target, b"new").is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(target.join("inside")).unwrap(), "x");
    }

    #[test]
    fn a_pipe_in_place_of_a_file_is_an_error_and_no_wait() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("kill-staging.json");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let (answer, answered) = std::sync::mpsc::channel();
        std::thread::spawn(move || answer.send(read_text(&pipe).is_err()));
        let read = answered.recv_timeout(std::time::Duration::from_secs(5));
        assert_eq!(read, Ok(true));
    }

    #[test]
    fn lists_only_kill_files() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "kill-b.json",
            "kill-a.json",
            "kill-.json",
            "kill-x.json.bak",
            "freeze-c.json",
        ] {
            fs::write(folder.path().join(name), "{}").unwrap();
        }
        assert_eq!(
            StateDir::at(folder.path()).known_envs().unwrap(),
            [env("a"), env("b")]
        );
        assert_eq!(
            StateDir::at(folder.path().join("none"))
                .known_envs()
                .unwrap(),
            []
        );
    }
}
