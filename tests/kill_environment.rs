//! The kill where nothing is as it should be: no terminal, streams, home, disk or file; two at once; the
//! wrong names and the addresses of strangers. Each is the real binary on a real deployment.
//!
//! What needs no deployment (signals, flags, the order of ids) stands beside the code in `src/kill`.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use launch_kill::process::{Life, ProcessId};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use support::target::Target;
use support::{Project, skipped, wait_until};

/// Longest wait for something that happens by itself within a second or two.
const SOON: Duration = Duration::from_secs(20);

/// `launch kill` and, where it was built beside it, the stand-alone `launch-kill`.
fn binaries() -> Vec<String> {
    let launch: PathBuf = assert_cmd::cargo::cargo_bin!("launch").into();
    let alone = launch.with_file_name("launch-kill");
    let mut all = vec![format!("'{}' kill", launch.display())];
    if alone.is_file() {
        all.push(format!("'{}'", alone.display()));
    } else {
        skipped(
            "launch-kill",
            "not built (cargo test --workspace builds it)",
        );
    }
    all
}

fn flags(state: &Path) -> String {
    format!(
        "--env staging --settle 300ms --state-dir '{}'",
        state.display()
    )
}

/// A shell line in an empty environment; `KILL` stands for the command.
fn sh(line: &str, variables: &[(&str, &str)]) -> Output {
    Command::new("/bin/sh")
        .args(["-c", line])
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[track_caller]
fn ended_with(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

#[test]
fn without_streams_home_path_or_directory() {
    for kill in binaries() {
        let project = Project::deployed();
        let gone = tempfile::tempdir().unwrap();
        // `env -i`, an absolute path, a directory that does not exist any more, no stream open at all.
        let line = format!(
            "cd '{0}' && /bin/rmdir '{0}' && unset PATH PWD HOME && exec {kill} {1} <&- >&- 2>&-",
            gone.path().display(),
            flags(&project.state())
        );
        ended_with(&sh(&line, &[]), 0);
        assert_eq!(project.living_traders(), 0, "{kill}");
    }
}

#[test]
fn devices_that_are_full_and_an_environment_that_is_huge() {
    let project = Project::deployed();
    let flags = flags(&project.state());
    let huge = "x".repeat(100_000);
    let odd = [
        ("LANG", "tlh_KX.EBCDIC"),
        ("LC_ALL", "\u{1b}[31m"),
        ("TERM", "\u{7}"),
        ("NO_COLOR", "1"),
        ("COLUMNS", "-1"),
        ("HUGE", huge.as_str()),
        ("RAILWAY_TOKEN", "of-another"),
        ("RAILWAY_PROJECT_ID", "of-another"),
        ("RAILWAY_ENVIRONMENT_ID", "of-another"),
        ("RAILWAY_SERVICE_ID", "of-another"),
    ];
    let kill = &binaries()[0];
    let output = sh(
        &format!("exec {kill} {flags} > /dev/full 2> /dev/full"),
        &odd,
    );
    ended_with(&output, 0);
    assert_eq!(project.living_traders(), 0);
    // Once more to read it: the report is lost and said to be, and the other's ids are named.
    let output = sh(&format!("exec {kill} {flags} > /dev/full"), &odd);
    ended_with(&output, 0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("the report on stdout is incomplete"),
        "{told}"
    );
    assert!(told.contains("RAILWAY_SERVICE_ID ignored for it"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_reader_that_leaves_at_once() {
    let project = Project::deployed();
    let code = project.path().join("code");
    let line = format!(
        "{{ {} {} --format json; echo $? > '{}'; }} 2>&1 | head -n 0",
        binaries()[0],
        flags(&project.state()),
        code.display()
    );
    sh(&line, &[("PATH", "/usr/bin:/bin")]);
    assert_eq!(std::fs::read_to_string(code).unwrap().trim(), "0");
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn a_terminal_that_never_answers_is_never_asked() {
    let project = Project::deployed();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("launch"));
    let state = project.state();
    command
        .env_clear()
        .args([
            "kill",
            "--env",
            "staging",
            "--settle",
            "300ms",
            "--state-dir",
        ])
        .arg(&state);
    // Nobody reads the terminal and nobody types.
    let session = expectrl::Session::spawn(command).unwrap();
    let status = wait_until("the end of the kill", SOON, || {
        let status = session.get_process().status().unwrap();
        (!matches!(status, expectrl::process::unix::WaitStatus::StillAlive)).then_some(status)
    });
    assert!(
        matches!(status, expectrl::process::unix::WaitStatus::Exited(_, 0)),
        "{status:?}"
    );
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn two_at_once_stop_it_once_and_tear_nothing() {
    let project = Project::deployed();
    let line = format!(
        "exec {} {} --format json",
        binaries()[0],
        flags(&project.state())
    );
    let spawn = || {
        Command::new("/bin/sh")
            .args(["-c", &line])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [spawn(), spawn()].map(|child| child.wait_with_output().unwrap());
    for output in &both {
        ended_with(output, 0);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            report["targets"][0]["deployments"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
    }
    assert_eq!(project.living_traders(), 0);
    // Every file is whole, none was left behind half-written.
    let mut whole = 0;
    for folder in [project.state(), project.state().join("receipts")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            assert!(!name.starts_with('.'), "{name} was left behind");
            if path.extension().is_some_and(|kind| kind == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                let read: Result<Value, _> = serde_json::from_str(&text);
                assert!(read.is_ok(), "{name}: {text}");
                whole += 1;
            }
        }
    }
    assert!(whole >= 4, "kill file, freeze and two records, not {whole}");
    project
        .launch(&["reenable", "--env", "staging", "--reason", "test"])
        .assert()
        .success();
}

/// A small disk for the files that a kill reads, `None` (and said) where this process may not mount one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn with_state_of(project: &Project) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(disk.0.path())
            .stderr(Stdio::null())
            .status();
        if !mounted.is_ok_and(|status| status.success()) {
            skipped("full and read-only disk", "this process may not mount one");
            return None;
        }
        for name in ["kill-staging.json", "token-staging", "halt-staging"] {
            std::fs::copy(project.state().join(name), disk.0.path().join(name)).unwrap();
        }
        Some(disk)
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.path().join("ballast")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    fn make_read_only(&self) {
        let path = self.0.path();
        let status = Command::new("mount")
            .args(["-o", "remount,ro"])
            .arg(path)
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[test]
fn a_disk_that_is_full_or_read_only() {
    let project = Project::deployed();
    let Some(disk) = Disk::with_state_of(&project) else {
        return;
    };
    let kill = |disk: &Disk| {
        let line = format!(
            "exec {} {} --format json",
            binaries()[0],
            flags(disk.0.path())
        );
        let output = sh(&line, &[]);
        ended_with(&output, 0);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["targets"][0]["may_restart"].to_string()
    };
    disk.fill();
    let told = kill(&disk);
    assert_eq!(project.living_traders(), 0);
    assert!(
        told.contains("the freeze could not be written here"),
        "{told}"
    );
    disk.make_read_only();
    let told = kill(&disk);
    assert!(
        told.contains("the freeze could not be written here"),
        "{told}"
    );
}

#[test]
fn names_flags_and_repositories_that_are_wrong() {
    let project = Project::deployed();
    let launch = |args: &[&str]| project.launch(args).output().unwrap();
    let typo = launch(&["kill", "--env", "stagin"]);
    ended_with(&typo, 2);
    assert!(
        said(&typo).contains("did you mean `staging`?"),
        "{}",
        said(&typo)
    );
    for wrong in [
        &["kill", "--env", "staging", "--yes"][..],
        &["kill", "--env", "staging", "--dril"],
        &["kill", "--env", "staging", "--check", "--drill"],
        &["kill", "--env", "staging", "now"],
        &["kill", "--env", "staging", "--deadline", "soon"],
        &["kill", "--env", "../staging"],
    ] {
        ended_with(&launch(wrong), 2);
    }
    assert_eq!(project.living_traders(), 1, "a usage error stops nothing");
    // A repository, manifest and targets file that nobody can read; and the kill runs from inside it.
    std::fs::write(project.path().join(".git/HEAD"), "\0\0").unwrap();
    std::fs::write(project.path().join(".git/index"), "torn").unwrap();
    project.write("manifests/launch.toml", "[env.staging");
    project.write("manifests/staging.toml", "\0");
    let output = launch(&["kill", "--env", "staging", "--settle", "300ms"]);
    ended_with(&output, 0);
    assert_eq!(project.living_traders(), 0);
}

#[test]
fn a_kill_file_of_another_version_and_tokens_from_an_editor() {
    let project = Project::deployed();
    let path = project.state().join("kill-staging.json");
    let mut file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    file["schema_version"] = 99.into();
    file["of_a_later_version"] = serde_json::json!({"a": [1, null]});
    std::fs::write(&path, file.to_string()).unwrap();
    for name in ["token-staging", "halt-staging"] {
        let path = project.state().join(name);
        let token = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{feff}{}\r\n\r\n", token.trim())).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    }
    let output = project
        .launch(&["kill", "--env", "staging", "--settle", "300ms"])
        .output()
        .unwrap();
    ended_with(&output, 0);
    assert_eq!(project.living_traders(), 0);
    for name in ["token-staging", "halt-staging"] {
        let note = format!("{name}: chmod 600");
        assert!(said(&output).contains(&note), "{note}: {}", said(&output));
    }
}

#[test]
fn a_kill_file_that_is_missing() {
    let project = Project::deployed();
    std::fs::remove_file(project.state().join("kill-staging.json")).unwrap();
    let output = project
        .launch(&["kill", "--env", "staging", "--settle", "300ms"])
        .output()
        .unwrap();
    // The mode is unknown, so 0 needs an account of zero open orders that the stop may be too quick for.
    assert!(
        matches!(output.status.code(), Some(0 | 7)),
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("staging has no kill file"),
        "{}",
        said(&output)
    );
    assert_eq!(project.living_traders(), 0);
}

/// Answers every request of every connection with one text.
fn impostor(address: std::net::SocketAddr, answer: &'static str) {
    let listener = wait_until("the port", SOON, || TcpListener::bind(address).ok());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let length = answer.len();
            drop(write!(
                stream,
                "{head}\r\ncontent-length: {length}\r\n\r\n{answer}"
            ));
        }
    });
}

fn address(url: Option<&String>) -> std::net::SocketAddr {
    let url = url.unwrap().strip_prefix("http://").unwrap();
    url.split('/').next().unwrap().parse().unwrap()
}

#[test]
fn strangers_at_the_addresses_of_yesterday() {
    let project = Project::deployed();
    let file = Target::staging(&project).kill_file;
    let local = file.local.clone().unwrap();
    let end = |process: ProcessId| {
        process.kill().unwrap();
        wait_until("its end", SOON, || {
            (process.life() == Life::Gone).then_some(())
        });
    };
    end(local.platform().unwrap());
    end(local.trader().unwrap());
    let kill = || {
        let args = [
            "kill",
            "--env",
            "staging",
            "--settle",
            "100ms",
            "--deadline",
            "3s",
        ];
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        let output = project.launch(&all).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), report)
    };
    // Both processes are proved gone and nobody listens: nothing runs.
    let (code, report) = kill();
    assert_eq!(
        (code, report["verdict"].as_str()),
        (0, Some("nothing_running")),
        "{report:#}"
    );
    // Another program has the trader's port and answers like one: something may be alive there.
    impostor(
        address(file.trader_url.as_ref()),
        r#"{"alive":true,"deployment_id":"somebody-elses","nonce":"another","halted":true}"#,
    );
    let (code, report) = kill();
    assert_eq!(code, 7, "{report:#}");
    let witnesses = report["targets"][0]["witnesses"].as_array().unwrap();
    let contradicts = |witness: &Value| witness["status"] == "contradicts";
    assert!(witnesses.iter().any(contradicts), "{report:#}");
    // Another one has the platform's port and talks nonsense: that is no word of the platform.
    impostor(address(file.endpoint.as_ref()), "<html>hello</html>");
    let (code, report) = kill();
    assert_eq!(code, 7, "{report:#}");
    // Everything is dead already; the clean-up need not wait for strangers.
    std::fs::remove_file(project.state().join("kill-staging.json")).unwrap();
}
