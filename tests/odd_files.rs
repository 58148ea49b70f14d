//! What may stand where a file belongs: nothing, a folder, a pipe, a device, a loop of links, 100 MB, a file
//! that changes while it is read. Each reader answers at once, in one line, within its bound of memory.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot make its files has to stop"
)]

use launch::source::{Declared, DiskFiles, exit_of};
use launch_kill::freeze::{self, FreezeState};
use launch_kill::{EnvName, KillFile, StateDir, TokenFile};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;
use trader_core::feed::Feed;
use trader_runtime::feeds::Source;

/// Longest time that a reader may take over something that is no file of its kind: none of them waits.
const ANSWER_WITHIN: Duration = Duration::from_mins(1);

/// What stands where the file belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Folder,
    Pipe,
    Device,
    LoopOfLinks,
    Huge,
    NotUtf8,
    NulBytes,
    DeepJson,
}

const ALL: [Odd; 8] = [
    Odd::Folder,
    Odd::Pipe,
    Odd::Device,
    Odd::LoopOfLinks,
    Odd::Huge,
    Odd::NotUtf8,
    Odd::NulBytes,
    Odd::DeepJson,
];

/// Bytes of [`Odd::Huge`]; a sparse file, so that the disk does not notice.
const HUGE: u64 = 100 * 1024 * 1024;

fn plant(odd: Odd, path: &Path) {
    std::fs::create_dir_all(path.parent().expect("has one")).expect("created");
    let done: std::io::Result<()> = match odd {
        Odd::Folder => std::fs::create_dir(path),
        Odd::Pipe => Command::new("mkfifo").arg(path).status().map(|made| {
            assert!(made.success());
        }),
        Odd::Device => std::os::unix::fs::symlink("/dev/zero", path),
        Odd::LoopOfLinks => std::os::unix::fs::symlink(path, path),
        Odd::Huge => std::fs::File::create(path).and_then(|file| file.set_len(HUGE)),
        Odd::NotUtf8 => std::fs::write(path, b"{\"a\": \"\xff\"}\n"),
        Odd::NulBytes => std::fs::write(path, [0_u8; 4096]),
        Odd::DeepJson => std::fs::write(path, "{\"a\":[".repeat(50_000)),
    };
    done.expect("planted");
}

/// A reader of one file: `Ok` says that it took it.
type Reader = fn(&Path) -> Result<(), String>;

fn state(root: &Path) -> (StateDir, EnvName) {
    (
        StateDir::at(root),
        EnvName::parse("staging").expect("a name"),
    )
}

/// Every reader of a file, by where that file stands in a scratch directory.
const READERS: [(&str, Reader); 9] = [
    ("manifests/staging.toml", |root| {
        Declared::load(&DiskFiles::new(root), "manifests/staging.toml")
            .map(drop)
            .map_err(|problems| {
                assert_eq!(exit_of(&problems), launch::exit::Exit::CheckFailed);
                problems.first().expect("one problem").one_line()
            })
    }),
    ("trader.json", |root| {
        trader_runtime::manifest_files::read(&root.join("trader.json"))
            .map(drop)
            .map_err(|error| error.to_string())
    }),
    ("trader.toml", |root| {
        trader_runtime::manifest_files::read(&root.join("trader.toml"))
            .map(drop)
            .map_err(|error| error.to_string())
    }),
    ("tape.jsonl", |root| {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/staging.toml");
        let declared = trader_runtime::manifest_files::read(&manifest).expect("shipped");
        let feed = Feed::Tape(root.join("tape.jsonl").display().to_string());
        Source::check(&feed, &declared.manifest)
            .map(drop)
            .map_err(|error| error.to_string())
    }),
    ("kill-staging.json", |root| {
        let (dir, env) = state(root);
        KillFile::read(&dir, &env)
            .map(drop)
            .map_err(|error| error.to_string())
    }),
    ("freeze-staging.json", |root| {
        let (dir, env) = state(root);
        match freeze::read_local(&dir, &env) {
            FreezeState::Unreadable(why) => Err(why),
            FreezeState::Off | FreezeState::Frozen(_) => Ok(()),
        }
    }),
    ("receipts/receipts.jsonl", |root| {
        launch::receipts::read_all(&state(root).0)
            .map(drop)
            .map_err(|error| error.to_string())
    }),
    ("local/platform/platform.json", |root| {
        launch::loopback::Endpoint::read(root)
            .map(drop)
            .map_err(|error| error.to_string())
    }),
    ("record.json", |root| {
        launch::receipts::lines::read_document::<serde_json::Value>(&root.join("record.json"))
            .map(drop)
            .map_err(|error| error.to_string())
    }),
];

/// What a reader says within [`ANSWER_WITHIN`].
fn answer(read: Reader, root: PathBuf) -> Result<(), String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || tell.send(read(&root)));
    told.recv_timeout(ANSWER_WITHIN)
        .expect("a reader neither waits nor panics")
}

#[test]
fn what_is_no_file_of_its_kind_is_refused_at_once() {
    for (place, read) in READERS {
        for odd in ALL {
            let scratch = tempfile::tempdir().expect("a scratch directory");
            let path = scratch.path().join(place);
            plant(odd, &path);
            let said = answer(read, scratch.path().to_owned())
                .expect_err(&format!("{place} was read, though it is {odd:?}"));
            let name = path.file_name().expect("a file").to_string_lossy();
            assert!(said.contains(&*name), "{place} {odd:?}: {said}");
            assert!(said.chars().count() < 1_000, "{place} {odd:?}: {said}");
            assert!(
                !said.contains(char::is_control),
                "{place} {odd:?}: {said:?}"
            );
        }
    }
}

/// A token is sent as it stands: what cannot be one is refused when it is read, or when it is to be sent.
#[test]
fn a_token_file_that_is_none_is_refused_at_once() {
    for odd in [
        Odd::Folder,
        Odd::Pipe,
        Odd::Device,
        Odd::LoopOfLinks,
        Odd::Huge,
        Odd::NotUtf8,
    ] {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        plant(odd, &scratch.path().join("token-staging"));
        let said = answer(
            |root| {
                let (dir, env) = state(root);
                dir.read_token(TokenFile::Platform, &env)
                    .map(drop)
                    .map_err(|error| error.to_string())
            },
            scratch.path().to_owned(),
        )
        .expect_err(&format!("was read, though it is {odd:?}"));
        assert!(said.contains("token-staging"), "{odd:?}: {said}");
    }
}

/// A writer that truncates and rewrites a file all the while: each read is an answer or one clear error.
#[test]
fn a_file_that_changes_while_it_is_read_is_old_new_or_refused() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let good = std::fs::read(root.join("tests/manifests/valid/manifest.toml")).expect("there");
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let strategies = scratch.path().join("strategies");
    std::fs::create_dir(&strategies).expect("created");
    std::fs::copy(
        root.join("manifests/strategies/probability-model.json"),
        strategies.join("probability-model.json"),
    )
    .expect("copied");
    let path = scratch.path().join("m.toml");
    std::fs::write(&path, &good).expect("written");
    let whole = trader_runtime::manifest_files::read(&path)
        .expect("valid")
        .digest;
    let done = std::sync::atomic::AtomicBool::new(false);
    let half = good.get(..good.len() / 2).expect("longer than one byte");
    let much = vec![b'#'; 3 << 20];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                for bytes in [half, &[], &much, &good] {
                    std::fs::write(&path, bytes).expect("written");
                }
            }
        });
        for _ in 0..200 {
            match trader_runtime::manifest_files::read(&path) {
                Ok(declared) => assert_eq!(declared.digest, whole),
                Err(error) => assert!(error.to_string().contains("m.toml"), "{error}"),
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// The whole program over each oddity: the documented code, one error, no panic.
#[test]
fn the_program_ends_with_the_documented_code() {
    for odd in ALL {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        for place in ["m.toml", "state/kill-staging.json"] {
            plant(odd, &scratch.path().join(place));
        }
        // A bad manifest is a check (1); with a bad kill file and no ids nothing can be asked (2).
        let runs: [(&[&str], i32); 2] = [
            (&["trade", "--mode", "dry-run", "--manifest", "m.toml"], 1),
            (&["kill", "--env", "staging", "--deadline", "5"], 2),
        ];
        for (args, code) in runs {
            let mut command = Command::new(assert_cmd::cargo::cargo_bin!("launch"));
            let output = command
                .args(args)
                .current_dir(scratch.path())
                .env_clear()
                .env("LAUNCH_STATE_DIR", scratch.path().join("state"))
                .output()
                .expect("launch runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{args:?} {odd:?}: {said}");
            assert!(!said.contains("panicked"), "{args:?} {odd:?}: {said}");
            assert!(said.len() < 8_192, "{args:?} {odd:?}: {said}");
        }
    }
}
