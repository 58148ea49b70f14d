//! The merge gate: the workflow and the action are read as GitHub reads them, and the action's own steps
//! are run by a real bash on scratch repositories, the way a runner checks them out.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::Project;
use yaml_rust2::{Yaml, YamlLoader};

const WORKFLOW: &str = include_str!("../.github/workflows/preflight.yml");
const ACTION: &str = include_str!("../.github/actions/launch-preflight/action.yml");

fn yaml(text: &str) -> Yaml {
    YamlLoader::load_from_str(text).unwrap().remove(0)
}

fn text(yaml: &Yaml) -> &str {
    yaml.as_str().unwrap_or_else(|| panic!("no text: {yaml:?}"))
}

fn steps() -> Vec<Yaml> {
    yaml(ACTION)["runs"]["steps"].as_vec().unwrap().clone()
}

#[test]
fn it_runs_for_pull_requests_and_queues_with_little_rights_and_no_secret() {
    let workflow = yaml(WORKFLOW);
    let on: Vec<&str> = workflow["on"].as_hash().unwrap().keys().map(text).collect();
    assert_eq!(on, ["pull_request", "merge_group"]);
    let permissions = workflow["permissions"].as_hash().unwrap();
    assert_eq!(permissions.len(), 1);
    assert_eq!(text(&workflow["permissions"]["contents"]), "read");
    for file in [WORKFLOW, ACTION] {
        assert!(!file.contains("secrets."), "a fork has none");
        assert!(!file.contains("pull_request_target"));
        assert!(!file.contains("vars."), "a fork does not see them");
    }
    let job = &workflow["jobs"]["preflight"];
    assert!(
        job["if"].is_badvalue(),
        "nothing skips it: a skipped check counts as passed"
    );
    assert!(job["continue-on-error"].is_badvalue());
    let paths = &workflow["on"]["pull_request"];
    assert!(paths.is_null(), "no path filter: {paths:?}");
    let uses = text(&job["steps"][1]["uses"]);
    assert_eq!(uses, "./.github/actions/launch-preflight");
    assert_eq!(text(&job["steps"][1]["with"]["env"]), "ci");
}

#[test]
fn no_step_takes_text_of_others_into_its_script_or_hides_a_failure() {
    for step in steps() {
        assert!(step["continue-on-error"].is_badvalue(), "{step:?}");
        if step["run"].is_badvalue() {
            let uses = text(&step["uses"]);
            assert!(uses.starts_with("actions/"), "only GitHub's own: {uses}");
            continue;
        }
        assert_eq!(text(&step["shell"]), "bash");
        // What stands in `${{ }}` inside a script becomes part of it.
        assert!(!text(&step["run"]).contains("${{"), "{step:?}");
    }
    let names = |wanted: &str| {
        steps()
            .iter()
            .filter(|step| {
                step["if"]
                    .as_str()
                    .is_some_and(|when| when.contains(wanted))
            })
            .map(|step| text(&step["name"]).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("always()"), ["Report", "Keep the reports", "Verdict"]);
}

#[test]
fn a_new_project_gets_the_same_gate() {
    let project = Project::bare();
    project.launch(&["init", "."]).assert().success();
    for (path, wanted) in [
        (".github/workflows/preflight.yml", WORKFLOW),
        (".github/actions/launch-preflight/action.yml", ACTION),
        (
            "schemas/checks.json",
            include_str!("../schemas/checks.json"),
        ),
    ] {
        let written = std::fs::read_to_string(project.path().join(path)).unwrap();
        assert_eq!(written, wanted, "{path}");
    }
}

/// How a runner meets the repository.
#[derive(Clone, Copy, PartialEq)]
enum Event {
    /// A pull request: the merge result, detached.
    PullRequest,
    /// The same, with one commit of history.
    Shallow,
    /// A merge queue's branch.
    MergeGroup,
}

/// One run of the gate.
struct Ran {
    /// Exit code of the last step.
    verdict: Option<i32>,
    /// Everything that the steps printed.
    said: String,
    /// The job summary.
    summary: String,
    /// The kept reports.
    out: PathBuf,
    _folder: tempfile::TempDir,
}

impl Ran {
    fn report(&self) -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(self.out.join("report.json")).unwrap()).unwrap()
    }

    #[track_caller]
    fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.verdict, Some(code), "{}\n{}", self.said, self.summary);
        self
    }

    #[track_caller]
    fn says(&self, what: &str) -> &Self {
        let all = format!("{}\n{}", self.said, self.summary);
        assert!(all.contains(what), "no {what:?} in {all}");
        self
    }
}

/// The base is the project's main; `change` is committed on a branch from it, merged, and judged as `event`.
fn gate(project: &Project, event: Event, change: impl FnOnce(&Project)) -> Ran {
    gate_with(project, event, change, assert_cmd_launch)
}

fn assert_cmd_launch(_: &Project) -> PathBuf {
    assert_cmd::cargo::cargo_bin!("launch").to_path_buf()
}

fn gate_with(
    project: &Project,
    event: Event,
    change: impl FnOnce(&Project),
    binary: impl FnOnce(&Project) -> PathBuf,
) -> Ran {
    project.git(&["checkout", "-q", "-B", "feature", "main"]);
    change(project);
    project.git(&["add", "-A"]);
    project.git(&["commit", "-q", "--allow-empty", "-m", "a change"]);
    project.git(&["checkout", "-q", "--detach", "main"]);
    project.git(&["merge", "-q", "--no-ff", "-m", "merge result", "feature"]);
    let reference = match event {
        Event::PullRequest | Event::Shallow => "refs/pull/1/merge",
        Event::MergeGroup => "refs/heads/gh-readonly-queue/main/pr-1-0123",
    };
    project.git(&["push", "-q", "-f", "origin", &format!("HEAD:{reference}")]);
    let sha = project.git(&["rev-parse", "HEAD"]);
    project.git(&["checkout", "-q", "main"]);

    // As actions/checkout does it: an empty repository, one fetch, a detached HEAD.
    let folder = tempfile::tempdir().unwrap();
    let workspace = folder.path().join("workspace");
    std::fs::create_dir(&workspace).unwrap();
    let git = |args: &[&str]| {
        let output = Command::new("git")
            .args(args)
            .current_dir(&workspace)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
    };
    let url = format!("file://{}", project.remote().display());
    git(&["init", "-q", "-b", "main", "."]);
    git(&["remote", "add", "origin", &url]);
    let wanted = format!("+{sha}:refs/remotes/pull/1/merge");
    let mut fetch = vec!["fetch", "-q", "--no-tags"];
    if event == Event::Shallow {
        fetch.push("--depth=1");
    }
    fetch.extend(["origin", wanted.as_str()]);
    if event != Event::Shallow {
        fetch.push("+refs/heads/*:refs/remotes/origin/*");
    }
    git(&fetch);
    git(&["checkout", "-q", "--detach", "refs/remotes/pull/1/merge"]);

    let mut runner = Runner {
        workspace,
        temp: folder.path().join("temp"),
        outputs: BTreeMap::new(),
        event,
        sha,
        said: String::new(),
    };
    std::fs::create_dir_all(runner.temp.join("launch/bin")).unwrap();
    // What the cache would have brought back.
    let launch = runner.temp.join("launch/bin/launch");
    std::os::unix::fs::symlink(binary(project), &launch).unwrap();
    let mut failed = false;
    let mut verdict = None;
    for step in steps() {
        let always = step["if"]
            .as_str()
            .is_some_and(|when| when.contains("always()"));
        if step["run"].is_badvalue() || (failed && !always) {
            continue;
        }
        let output = runner.run(&step);
        failed |= !output.status.success();
        verdict = output.status.code();
    }
    Ran {
        verdict,
        said: runner.said,
        summary: std::fs::read_to_string(runner.temp.join("summary.md")).unwrap_or_default(),
        out: runner.temp.join("launch-preflight"),
        _folder: folder,
    }
}

/// What GitHub is for a step: its environment, its files, its expressions.
struct Runner {
    workspace: PathBuf,
    temp: PathBuf,
    outputs: BTreeMap<String, String>,
    event: Event,
    sha: String,
    said: String,
}

impl Runner {
    fn run(&mut self, step: &Yaml) -> Output {
        let (script, output_file) = (self.temp.join("step.sh"), self.temp.join("output"));
        std::fs::write(&script, text(&step["run"])).unwrap();
        std::fs::write(&output_file, "").unwrap();
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(&script)
            .current_dir(&self.workspace)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &self.temp)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LAUNCH_STATE_DIR", self.temp.join("state"))
            .env("RUNNER_TEMP", &self.temp)
            .env("GITHUB_ACTIONS", "true")
            .env("CI", "true")
            .env("GITHUB_SHA", &self.sha)
            .env("GITHUB_OUTPUT", &output_file)
            .env("GITHUB_STEP_SUMMARY", self.temp.join("summary.md"))
            .env("GITHUB_WORKSPACE", &self.workspace)
            .env("GITHUB_EVENT_PATH", self.temp.join("event.json"))
            .stdin(Stdio::null());
        match self.event {
            Event::PullRequest | Event::Shallow => command
                .env("GITHUB_EVENT_NAME", "pull_request")
                .env("GITHUB_BASE_REF", "main")
                .env("GITHUB_REF", "refs/pull/1/merge"),
            Event::MergeGroup => command
                .env("GITHUB_EVENT_NAME", "merge_group")
                .env("GITHUB_REF", "refs/heads/gh-readonly-queue/main/pr-1-0123"),
        };
        let event = match self.event {
            Event::PullRequest | Event::Shallow => r#"{"pull_request": {"base": {"ref": "main"}}}"#,
            Event::MergeGroup => r#"{"merge_group": {"base_ref": "refs/heads/main"}}"#,
        };
        std::fs::write(self.temp.join("event.json"), event).unwrap();
        if let Some(env) = step["env"].as_hash() {
            for (name, value) in env {
                command.env(text(name), self.value(text(value)));
            }
        }
        let output = command.output().unwrap();
        for stream in [&output.stdout, &output.stderr] {
            self.said.push_str(&String::from_utf8_lossy(stream));
        }
        if let Some(id) = step["id"].as_str() {
            for line in std::fs::read_to_string(&output_file).unwrap().lines() {
                let (name, value) = line.split_once('=').unwrap();
                let key = format!("steps.{id}.outputs.{name}");
                self.outputs.insert(key, value.to_owned());
            }
        }
        output
    }

    /// The value of one `${{ … }}`, as GitHub evaluates it.
    fn value(&self, expression: &str) -> String {
        let inner = expression
            .trim_start_matches("${{")
            .trim_end_matches("}}")
            .trim();
        let is_queue = self.event == Event::MergeGroup;
        match inner {
            "inputs.env" => "ci".to_owned(),
            // A project that pins the launch that judges it.
            "inputs.source" => "https://example.invalid/launch".to_owned(),
            "inputs.rev" => "0123456789abcdef0123456789abcdef01234567".to_owned(),
            "inputs.url" | "inputs.sha256" => String::new(),
            "github.event_name" if is_queue => "merge_group".to_owned(),
            "github.event_name" => "pull_request".to_owned(),
            "github.base_ref || github.event.merge_group.base_ref" if is_queue => {
                "refs/heads/main".to_owned()
            }
            "github.base_ref || github.event.merge_group.base_ref" => "main".to_owned(),
            step if step.starts_with("steps.") => {
                self.outputs.get(step).cloned().unwrap_or_default()
            }
            other => panic!("no value for {other:?}"),
        }
    }
}

fn status(ran: &Ran, code: &str) -> String {
    support::status(&ran.report(), code).to_owned()
}

#[test]
fn a_good_pull_request_passes_detached_shallow_and_in_the_queue() {
    let project = Project::new();
    for event in [Event::PullRequest, Event::Shallow, Event::MergeGroup] {
        let ran = gate(&project, event, |project| {
            project.write("notes.md", "a harmless change\n");
        });
        ran.ends(0).says("**PASS**").says("none weaker");
        assert_eq!(status(&ran, "LC-101"), "pass");
        assert_eq!(status(&ran, "LC-102"), "pass");
    }
}

#[test]
fn a_bad_pull_request_fails_and_is_told_why() {
    let project = Project::new();
    let ran = gate(&project, Event::PullRequest, |project| {
        project.replace("manifests/ci.toml", "probability-model", "probability-modl");
    });
    ran.ends(1)
        .says("NOT FIT TO MERGE")
        .says("probability-modl");
    assert_eq!(status(&ran, "LC-202"), "fail");
    // The annotation stands on the file, and the reports are there for other programs.
    ran.says("::error file=manifests/ci.toml");
    let sarif = std::fs::read(ran.out.join("report.sarif")).unwrap();
    let sarif: serde_json::Value = serde_json::from_slice(&sarif).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert!(sarif.to_string().contains("LC-202"));
    assert!(ran.out.join("report.xml").exists());
    // A launch.toml that cannot be read leaves nothing to judge: red as well, and said.
    let ran = gate(&project, Event::PullRequest, |project| {
        project.replace("manifests/launch.toml", "[env.ci]", "[env.cy]");
    });
    ran.ends(2).says("NOT FIT TO MERGE").says("cy");
}

#[test]
fn a_merge_result_that_is_no_longer_live_fails() {
    // The branch moved while the gate waited: what was judged is not what would be merged.
    let project = Project::new();
    let ran = gate_with(
        &project,
        Event::PullRequest,
        |project| project.write("notes.md", "first\n"),
        |project| {
            project.git(&["commit", "-q", "--allow-empty", "-m", "main moved"]);
            project.git(&["push", "-q", "origin", "main"]);
            project.git(&["push", "-q", "-f", "origin", "main:refs/pull/1/merge"]);
            assert_cmd_launch(project)
        },
    );
    ran.ends(1).says("does not contain the live tip");
}

/// A launch that behaves like the real one but for one command or one code.
fn weaker_launch(project: &Project, script: &str) -> PathBuf {
    let launch = assert_cmd_launch(project);
    let path = project.path().parent().unwrap().join("weaker-launch");
    let text = format!(
        "#!/bin/sh\nlaunch='{}'\n{script}\nexec \"$launch\" \"$@\"\n",
        launch.display()
    );
    std::fs::write(&path, text).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, executable).unwrap();
    path
}

/// A preflight whose report is edited after it was written, and that ends well whatever it found.
fn edited(sed: &str) -> String {
    format!(
        "[ \"$1\" != preflight ] || {{ \"$launch\" \"$@\"; \
         sed -i '{sed}' \"$RUNNER_TEMP/launch-preflight/report.json\"; exit 0; }}"
    )
}

#[test]
fn a_limit_that_is_loosened_is_refused() {
    let project = Project::new();
    let ran = gate(&project, Event::PullRequest, |project| {
        let old = "max_capital_usd = \"25\"";
        project.replace("manifests/ci.toml", old, "max_capital_usd = \"1000000\"");
    });
    ran.ends(1).says("max_capital_usd").says("NOT FIT TO MERGE");
    assert_eq!(status(&ran, "LC-205"), "fail");
}

#[test]
fn a_check_that_the_base_has_cannot_be_taken_away() {
    // The base knows a check that the program of the pull request has not.
    let project = Project::new();
    project.replace("schemas/checks.json", "\"LC-206\"", "\"LC-299\"");
    project.commit_and_push("a table with one more check");
    let ran = gate(&project, Event::PullRequest, |project| {
        project.replace("schemas/checks.json", "\"LC-299\"", "\"LC-206\"");
    });
    ran.ends(1)
        .says("LC-299 (limits coherent) is gone")
        .says("LC-299 is in no report");

    // A program that lies about its own table still has to report each check.
    let project = Project::new();
    let lies = |project: &Project| {
        let script = format!("[ \"$1\" != schema ] || exit 0\n{}", edited("/LC-206/d"));
        weaker_launch(project, &script)
    };
    let ran = gate_with(&project, Event::PullRequest, |_| (), lies);
    ran.ends(1).says("LC-206 is in no report");
}

#[test]
fn a_program_that_ends_well_without_a_whole_report_is_red() {
    let project = Project::new();
    for (script, word) in [
        (
            "[ \"$1\" != preflight ] || exit 0".to_owned(),
            "weaker than on the base branch",
        ),
        (
            edited("s/\"verdict\": \"pass\"/\"verdict\": \"fail\"/"),
            "does not say pass",
        ),
        (
            edited("s/\"partial\": false/\"partial\": true/"),
            "only some checks",
        ),
        (
            edited("s/\"status\": \"pass\"/\"status\": \"skipped\"/"),
            "was skipped",
        ),
        (
            "[ \"$1\" != --version ] || exit 1".to_owned(),
            "nothing was judged",
        ),
    ] {
        let ran = gate_with(
            &project,
            Event::PullRequest,
            |_| (),
            |project| weaker_launch(project, &script),
        );
        ran.ends(1).says(word);
    }
}

#[test]
fn the_base_must_be_readable() {
    let project = Project::new();
    let ran = gate_with(
        &project,
        Event::MergeGroup,
        |_| (),
        |project| {
            let remote = project.remote();
            let output = Command::new("git")
                .args(["update-ref", "-d", "refs/heads/main"])
                .current_dir(&remote)
                .output();
            assert!(output.unwrap().status.success());
            assert_cmd_launch(project)
        },
    );
    assert_ne!(ran.verdict, Some(0), "{}", ran.said);
    ran.says("cannot be read");
}

#[test]
fn a_table_that_is_none_is_refused() {
    let project = Project::bare();
    project.write(
        "garbage.json",
        "{\"schema_version\": 1, \"checks\": [], \"more\": 1}",
    );
    for (path, word) in [
        ("garbage.json", "more"),
        ("none.json", "No such file"),
        (".", "regular file"),
    ] {
        let run = project
            .launch(&["schema", "checks", "--against", path])
            .output()
            .unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{said}");
        assert!(said.contains(word) && said.contains("git show"), "{said}");
    }
    let run = project
        .launch(&["schema", "manifest", "--against", "x"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn a_launch_that_could_move_is_refused() {
    let steps = steps();
    let script = text(&steps[0]["run"]).to_owned();
    let folder = tempfile::tempdir().unwrap();
    let from = |env: &[(&str, &str)]| -> (bool, String) {
        let file = folder.path().join("from.sh");
        std::fs::write(&file, &script).unwrap();
        let mut command = Command::new("bash");
        command
            .args(["-eo", "pipefail"])
            .arg(&file)
            .current_dir(folder.path())
            .env("RUNNER_TEMP", folder.path())
            .env("GITHUB_OUTPUT", folder.path().join("output"));
        for name in ["SOURCE", "REV", "URL", "SHA256"] {
            command.env(name, "");
        }
        let output = command.envs(env.iter().copied()).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let full = "0123456789abcdef0123456789abcdef01234567";
    for (env, word) in [
        (&[][..], "nothing says which launch"),
        (&[("SOURCE", "u"), ("REV", "main")], "can move"),
        (&[("SOURCE", "u"), ("REV", "0123abc")], "40 hex"),
        (&[("SOURCE", "u")], "can move"),
        (&[("URL", "u")], "hashes to"),
    ] {
        let (fine, said) = from(env);
        assert!(!fine && said.contains(word), "{env:?}: {said}");
    }
    assert!(from(&[("SOURCE", "u"), ("REV", full)]).0);
    assert!(from(&[("URL", "u"), ("SHA256", &full.repeat(2)[..64])]).0);
}

#[test]
fn this_repository_builds_the_launch_of_the_merge_result() {
    let steps = steps();
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = tempfile::NamedTempFile::new().unwrap();
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(file.path(), text(&steps[0]["run"])).unwrap();
    let done = Command::new("bash")
        .args(["-eo", "pipefail"])
        .arg(file.path())
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .env("RUNNER_TEMP", temp.path())
        .env("GITHUB_OUTPUT", output.path())
        .envs(["SOURCE", "REV", "URL", "SHA256"].map(|name| (name, "")))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let told = std::fs::read_to_string(output.path()).unwrap();
    assert!(told.contains("kind=tree"), "{told}");
}
