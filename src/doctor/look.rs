//! The looks that stay on this machine.

use super::{Look, State};
use crate::child::{self, Bounds};
use crate::clock;
use crate::context::Context;
use crate::loopback::Endpoint;
use crate::preflight::HeadFiles;
use crate::repo::{Repo, RepoError};
use crate::source::{self, Files as _};
use crate::watchdog::record;
use launch_checks::targets::{TARGETS_PATH, Targets};
use launch_kill::process::Life;
use launch_kill::{EnvName, StateDir};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longest that `git --version` may take.
const GIT_MAX: Duration = Duration::from_millis(500);
/// Most bytes that it may print.
const GIT_OUTPUT_BYTES: usize = 4_096;
/// The oldest git whose `ls-remote` and push options are used here: 2.25 (January 2020).
const GIT_MIN: (u32, u32) = (2, 25);
/// Less room than this and a deploy or a receipt may fail, bytes: 200 MB.
const ROOM_BAD_BYTES: u64 = 200 * 1024 * 1024;
/// Less room than this is worth a look, bytes: 1 GB.
const ROOM_WARN_BYTES: u64 = 1024 * 1024 * 1024;
/// Before this, the clock of a machine is not set: 2026-01-01, ms since the Unix epoch.
const CLOCK_MIN_MS: i64 = 1_767_225_600_000;
/// After this, it is not set either: 2100-01-01.
const CLOCK_MAX_MS: i64 = 4_102_444_800_000;
/// How far HEAD may lie in the future before one of two clocks is wrong, ms.
const HEAD_AHEAD_MAX_MS: i64 = 60_000;
/// Variables that hold tokens, by what they are for. Only whether they are set is said.
const TOKENS: [(&str, &str); 8] = [
    ("RAILWAY_TOKEN", "deploy and kill on Railway"),
    ("RAILWAY_API_TOKEN", "the same, for a whole account"),
    ("LAUNCH_HALT_TOKEN", "halt a trader elsewhere"),
    ("LAUNCH_CONTROL_TOKEN", "lease and re-enable elsewhere"),
    ("LAUNCH_WATCHDOG_RAILWAY_TOKEN", "a watchdog on Railway"),
    ("POLYMARKET_API_KEY", "cancel orders at the venue"),
    ("POLYMARKET_API_SECRET", "cancel orders at the venue"),
    ("POLYMARKET_API_PASSPHRASE", "cancel orders at the venue"),
];

/// Every look, in the order in which a person would take it.
pub(super) fn all(ctx: &Context) -> Vec<Look> {
    let state = StateDir::at(&ctx.state_dir);
    let repo = Repo::discover(&ctx.cwd);
    let targets = repo.as_ref().ok().map(targets_of);
    let mut looks = vec![git(), repository(&repo)];
    if let (Ok(repo), Some(targets)) = (&repo, targets) {
        looks.push(launch_toml(&targets));
        if let Ok(targets) = &targets {
            looks.push(remote(repo, targets));
        }
    }
    looks.push(state_dir(&ctx.state_dir));
    looks.push(room("room for state", &ctx.state_dir));
    looks.push(room("room for exports", &std::env::temp_dir()));
    looks.push(the_clock(repo.as_ref().ok()));
    looks.push(tokens(&state));
    looks.push(platform(&ctx.state_dir));
    looks.extend(watchdogs(&state));
    looks.push(completions());
    looks.push(Look::new(
        "toolchain",
        State::Ok,
        "none is needed: launch is one program",
    ));
    looks
}

fn git() -> Look {
    const WHAT: &str = "git";
    const INSTALL: &str = "apt-get install git   (or your system's own way)";
    let mut command = Command::new("git");
    command.arg("--version");
    let bounds = Bounds {
        timeout: GIT_MAX,
        output_bytes: GIT_OUTPUT_BYTES,
    };
    let seen = match child::run(command, bounds) {
        Ok(finished) => String::from_utf8_lossy(&finished.stdout).trim().to_owned(),
        Err(error) => return Look::new(WHAT, State::Bad, error.to_string()).run(INSTALL),
    };
    match version(&seen) {
        Some(version) if version >= GIT_MIN => Look::new(WHAT, State::Ok, seen),
        Some(_) => Look::new(
            WHAT,
            State::Warn,
            format!("{seen}: older than {}.{}", GIT_MIN.0, GIT_MIN.1),
        )
        .run(INSTALL),
        None => Look::new(WHAT, State::Bad, format!("said {seen:?}")).run(INSTALL),
    }
}

/// `git version 2.39.5 (…)`.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.strip_prefix("git version ")?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor: String = numbers
        .next()?
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    Some((major, minor.parse().ok()?))
}

fn repository(repo: &Result<Repo, RepoError>) -> Look {
    const WHAT: &str = "repository";
    match repo {
        Ok(repo) => {
            let commit = repo.commit();
            let short = commit.get(..10).unwrap_or(&commit);
            Look::new(
                WHAT,
                State::Ok,
                format!("{} at {short}", repo.top().display()),
            )
        }
        // A kill, a rehearsal and a new project need none.
        Err(RepoError::NotARepository(_)) => {
            Look::new(WHAT, State::Note, "none here; kill and rehearse need none")
                .run("launch init my-bot")
        }
        Err(error) => {
            let missing = error.missing();
            let look = Look::new(WHAT, State::Bad, missing.why);
            match missing.help {
                Some(help) => look.run(help),
                None => look,
            }
        }
    }
}

fn targets_of(repo: &Repo) -> Result<Targets, String> {
    let told = |problems: Vec<source::Diagnostic>| {
        let lines: Vec<String> = problems.iter().map(source::Diagnostic::one_line).collect();
        lines.join("; ")
    };
    let bytes = HeadFiles(repo)
        .read(TARGETS_PATH)
        .map_err(|problem| told(vec![problem]))?;
    source::load_targets(TARGETS_PATH, &bytes)
        .map(|loaded| loaded.value)
        .map_err(told)
}

fn launch_toml(targets: &Result<Targets, String>) -> Look {
    const WHAT: &str = "launch.toml";
    match targets {
        Ok(targets) => {
            let envs: Vec<&str> = targets.env.keys().map(String::as_str).collect();
            Look::new(
                WHAT,
                State::Ok,
                format!("valid; environments {}", envs.join(", ")),
            )
        }
        Err(why) => Look::new(WHAT, State::Bad, why).run("launch schema targets"),
    }
}

fn remote(repo: &Repo, targets: &Targets) -> Look {
    const WHAT: &str = "remote";
    let name = &targets.repo.remote;
    match repo.remote_url(name) {
        Some(url) => Look::new(
            WHAT,
            State::Ok,
            format!("{name} is {}, branch {}", url, targets.repo.branch),
        ),
        None => Look::new(
            WHAT,
            State::Bad,
            format!("{TARGETS_PATH} deploys from remote {name:?}, which is not configured"),
        )
        .run(format!("git remote add {name} <URL>")),
    }
}

fn state_dir(path: &Path) -> Look {
    use std::os::unix::fs::PermissionsExt as _;
    const WHAT: &str = "state directory";
    /// Anything for group or others.
    const NOT_PRIVATE: u32 = 0o077;
    let shown = path.display();
    let nearest = nearest_existing(path);
    if let Err(error) = tempfile::Builder::new()
        .prefix(".launch-doctor-")
        .tempfile_in(&nearest)
    {
        let seen = format!("{} cannot be written: {error}", nearest.display());
        return Look::new(WHAT, State::Bad, seen).run("launch doctor --state-dir DIR");
    }
    let Ok(found) = path.metadata() else {
        let seen = format!("{shown} is made by the first deploy");
        return Look::new(WHAT, State::Ok, seen);
    };
    if found.permissions().mode() & NOT_PRIVATE != 0 {
        return Look::new(WHAT, State::Warn, format!("{shown} can be read by others"))
            .run(format!("chmod 700 {shown}"));
    }
    Look::new(WHAT, State::Ok, format!("{shown}, private and writable"))
}

/// The path, or the nearest of its parents that exists.
fn nearest_existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"))
        .to_path_buf()
}

fn room(what: &str, path: &Path) -> Look {
    let at = nearest_existing(path);
    let Ok(found) = rustix::fs::statvfs(&at) else {
        return Look::new(what, State::Unknown, "the system does not say");
    };
    let bytes = found.f_bavail.saturating_mul(found.f_frsize);
    let seen = format!("{} MB free at {}", bytes / (1024 * 1024), at.display());
    let state = match bytes {
        ..ROOM_BAD_BYTES => State::Bad,
        ROOM_BAD_BYTES..ROOM_WARN_BYTES => State::Warn,
        ROOM_WARN_BYTES.. => State::Ok,
    };
    let look = Look::new(what, state, seen);
    if state == State::Ok {
        look
    } else {
        look.run(format!("df -h {}", at.display()))
    }
}

fn the_clock(repo: Option<&Repo>) -> Look {
    const WHAT: &str = "clock";
    let now = clock::now();
    let (now_ms, text) = (now.as_millisecond(), clock::text(now));
    if !(CLOCK_MIN_MS..CLOCK_MAX_MS).contains(&now_ms) {
        return Look::new(WHAT, State::Bad, format!("{text} cannot be right"))
            .run("timedatectl set-ntp true");
    }
    let head = repo.and_then(Repo::committed_at_ms);
    if head.is_some_and(|head| head > now_ms.saturating_add(HEAD_AHEAD_MAX_MS)) {
        let seen = format!("{text}, and HEAD was committed after that");
        return Look::new(WHAT, State::Warn, seen).run("timedatectl");
    }
    Look::new(WHAT, State::Ok, text)
}

fn tokens(state: &StateDir) -> Look {
    const WHAT: &str = "tokens";
    let set: Vec<&str> = TOKENS
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .map(|(name, _)| *name)
        .collect();
    let mut named: Vec<String> = set.iter().map(|name| (*name).to_owned()).collect();
    let files = state.root().read_dir().ok();
    let mut in_files: Vec<String> = files
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            ["token-", "halt-", "control-", "watchdog-token-"]
                .iter()
                .any(|start| name.starts_with(start))
        })
        .collect();
    in_files.sort();
    named.extend(in_files);
    if named.is_empty() {
        let seen = "none; nothing on this machine needs one (Railway does: RAILWAY_TOKEN)";
        Look::new(WHAT, State::Note, seen)
    } else {
        Look::new(WHAT, State::Ok, format!("present: {}", named.join(", ")))
    }
}

fn platform(state: &Path) -> Look {
    const WHAT: &str = "local platform";
    match Endpoint::read(state) {
        Ok(Some(endpoint)) if endpoint.may_be_alive() => Look::new(
            WHAT,
            State::Ok,
            format!("pid {} at {}", endpoint.pid, endpoint.endpoint),
        ),
        Ok(Some(_)) => Look::new(WHAT, State::Note, "ended; a deploy starts it again"),
        Ok(None) => Look::new(WHAT, State::Note, "never started; a deploy starts it"),
        Err(error) => Look::new(WHAT, State::Bad, error.to_string()).run("launch platform status"),
    }
}

/// One look an environment that has a kill file: something was deployed there.
fn watchdogs(state: &StateDir) -> Vec<Look> {
    let known = state.known_envs().unwrap_or_default();
    known.iter().map(|env| watchdog(state, env)).collect()
}

fn watchdog(state: &StateDir, env: &EnvName) -> Look {
    let what = format!("watchdog {env}");
    let start = format!("launch watchdog --env {env}");
    match record::read(state, env) {
        Ok(None) => Look::new(&what, State::Note, "none ran on this machine").run(start),
        Ok(Some(record)) => match record.life() {
            Life::Alive => {
                let seen = format!("pid {} is {}", record.pid, record.stance);
                Look::new(&what, State::Ok, seen)
            }
            Life::Gone => {
                let seen = record.ended.map_or_else(
                    || "gone, without a last word".to_owned(),
                    |ended| format!("ended with {}: {}", ended.exit, ended.reason),
                );
                Look::new(&what, State::Note, seen).run(format!("launch status --env {env}"))
            }
            Life::Unknown => {
                let seen = "cannot be told from here";
                Look::new(&what, State::Unknown, seen).run(format!("launch status --env {env}"))
            }
        },
        Err(error) => Look::new(&what, State::Bad, error.to_string()).run(start),
    }
}

fn completions() -> Look {
    const WHAT: &str = "completions";
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let places = [
        ".local/share/bash-completion/completions/launch",
        ".zfunc/_launch",
        ".config/fish/completions/launch.fish",
    ];
    let found = home.and_then(|home| {
        let places = places.iter().map(|place| home.join(place));
        places.into_iter().find(|place| place.exists())
    });
    match found {
        Some(place) => Look::new(WHAT, State::Ok, place.display().to_string()),
        None => Look::new(
            WHAT,
            State::Note,
            "not installed where shells look for them",
        )
        .run("launch completions bash > ~/.local/share/bash-completion/completions/launch"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_git_as_systems_print_them() {
        for (text, wanted) in [
            ("git version 2.39.5", Some((2, 39))),
            ("git version 2.39.5 (Apple Git-154)", Some((2, 39))),
            ("git version 2.47.0.windows.1", Some((2, 47))),
            ("git version 3.0-rc1", Some((3, 0))),
            ("command not found", None),
            ("git version", None),
        ] {
            assert_eq!(version(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_directory_that_others_read_is_worth_a_look() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(folder.path(), mode).unwrap();
        };
        set(0o700);
        assert_eq!(state_dir(folder.path()).state, State::Ok);
        set(0o755);
        let look = state_dir(folder.path());
        assert_eq!(look.state, State::Warn);
        assert!(look.run.unwrap().starts_with("chmod 700"));
        assert_eq!(state_dir(&folder.path().join("not/yet")).state, State::Ok);
        assert_eq!(state_dir(Path::new("/proc/1/launch")).state, State::Bad);
    }
}
