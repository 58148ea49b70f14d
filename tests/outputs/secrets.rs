//! Secrets reach no sink: planted everywhere, then every stdout, stderr, report and state file is searched.

use crate::support::Project;
use std::path::Path;

/// Environment variables and what is planted in them.
const PLANTED: [(&str, &str); 9] = [
    ("RAILWAY_TOKEN", "PLANTED-railway-1111"),
    ("RAILWAY_API_TOKEN", "PLANTED-account-2222"),
    ("LAUNCH_HALT_TOKEN", "PLANTED-halt-3333"),
    ("LAUNCH_CONTROL_TOKEN", "PLANTED-control-4444"),
    ("POLYMARKET_API_KEY", "PLANTED-key-5555"),
    ("POLYMARKET_API_SECRET", "UExBTlRFRC1zZWNyZXQ="),
    ("POLYMARKET_API_PASSPHRASE", "PLANTED-phrase-6666"),
    ("POLYMARKET_PRIVATE_KEY", "0xPLANTED7777"),
    ("GITHUB_TOKEN", "PLANTED-github-8888"),
];
/// The password in the remote's address.
const IN_REMOTE: &str = "PLANTED-remote-9999";
/// The value of a secret-looking key in a manifest.
const IN_MANIFEST: &str = "PLANTED-manifest-0000";

fn needles() -> Vec<&'static str> {
    let mut all: Vec<&str> = PLANTED.iter().map(|(_, value)| *value).collect();
    all.extend([IN_REMOTE, IN_MANIFEST]);
    all
}

fn search(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for needle in needles() {
        assert!(!text.contains(needle), "{needle} in {what}:\n{text}");
    }
}

fn search_folder(folder: &Path) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap();
        if kind.is_dir() {
            search_folder(&path);
        } else if kind.is_file() {
            search(&path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

/// Runs it with everything planted, in both noise levels; what it says is searched.
fn run(project: &Project, args: &[&str]) -> String {
    let mut command = project.launch(args);
    for (name, value) in PLANTED {
        command.env(name, value);
    }
    // Nothing of this may reach a real host.
    let output = command
        .env("LAUNCH_RAILWAY_URL", "http://127.0.0.1:9/graphql/v2")
        .env("LAUNCH_CLOB_URL", "http://127.0.0.1:9")
        .output()
        .unwrap();
    search(&format!("stdout of {args:?}"), &output.stdout);
    search(&format!("stderr of {args:?}"), &output.stderr);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn no_secret_reaches_any_sink() {
    let project = Project::new();
    let remote = format!("https://me:{IN_REMOTE}@127.0.0.1:9/me/bot.git");
    project.git(&["remote", "set-url", "origin", &remote]);
    let text = std::fs::read_to_string(project.path().join("manifests/local.toml")).unwrap();
    let text = format!("api_token = \"{IN_MANIFEST}\"\n{text}");
    project.write("manifests/local.toml", &text);
    project.git(&["commit", "-qam", "manifest: a secret by mistake"]);

    let out = project.path().with_file_name("reports");
    std::fs::create_dir(&out).unwrap();
    let reports: Vec<String> = ["human", "json", "jsonl", "junit", "sarif", "github"]
        .iter()
        .map(|format| format!("{format}={}", out.join(format).display()))
        .collect();
    for env in ["local", "staging"] {
        let mut args = vec!["preflight", "--env", env, "-v"];
        for report in &reports {
            args.extend(["--report", report]);
        }
        drop(run(&project, &args));
        search_folder(&out);
    }
    for format in ["human", "json", "jsonl", "junit", "sarif", "github"] {
        let args = ["preflight", "--only", "LC-102,LC-201", "--format", format];
        drop(run(&project, &args));
    }
    for args in [
        &["plan", "--env", "staging"][..],
        &["plan", "--env", "staging", "--format", "json"],
        &["deploy", "--env", "staging"],
        &["verify", "--env", "staging"],
        &["status", "--env", "staging"],
        &["doctor"],
        &["doctor", "--format", "json", "-v"],
        &["kill", "--env", "staging", "--check"],
        &["kill", "--env", "staging", "--print-curl"],
        &["kill", "--env", "staging", "--card"],
        &[
            "kill",
            "--env",
            "staging",
            "--settle",
            "0",
            "--deadline",
            "3",
        ],
        &["positions", "--env", "staging"],
        &["orders", "--env", "staging"],
        &["halt", "--env", "staging", "--reason", "drill"],
        &["reenable", "--env", "staging", "--reason", "drill"],
        &["strategies"],
        &[
            "trade",
            "--mode",
            "dry-run",
            "--manifest",
            "manifests/local.toml",
        ],
        &["schema", "manifest", "--effective"],
        &["explain", "PLANTED-key-5555"],
        &["preflight", "--env", "PLANTED-key-5555"],
        &["preflight", "--only", "PLANTED-key-5555"],
    ] {
        drop(run(&project, args));
    }
    // A child that says what it was given: git repeats what its transport writes.
    let talkative =
        "sh -c 'echo \"fatal: $RAILWAY_TOKEN PLANTED-github-8888 refused\" >&2; exit 1' #";
    project.git(&["config", "core.sshCommand", talkative]);
    project.git(&[
        "remote",
        "set-url",
        "origin",
        "ssh://git@127.0.0.1/me/bot.git",
    ]);
    let mut args = vec!["preflight", "--env", "staging", "--only", "LC-102"];
    for report in &reports {
        args.extend(["--report", report]);
    }
    let told = run(&project, &args);
    search_folder(&out);
    // The words came through, so it is the gate that keeps the rest in.
    assert!(told.contains("[redacted]"), "{told}");
    let written = std::fs::read_to_string(out.join("json")).unwrap();
    assert!(written.contains("[redacted]"), "{written}");
    search_folder(&project.state());
}

#[test]
fn a_running_deployment_keeps_its_secrets_too() {
    let project = Project::new();
    project.platform();
    let deploy = ["deploy", "--env", "staging", "-v"];
    drop(run(&project, &deploy));
    for args in [
        &["status", "--env", "staging"][..],
        &["verify", "--env", "staging"],
        &[
            "kill",
            "--env",
            "staging",
            "--settle",
            "0",
            "--deadline",
            "15",
        ],
    ] {
        drop(run(&project, args));
    }
    // What is planted in this process belongs to nobody's state: receipts, logs, ledgers, tapes.
    search_folder(&project.state());
}
