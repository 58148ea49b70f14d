//! The red button: `.github/workflows/kill.yml` read as GitHub reads it, its steps run by a real shell.
//!
//! What it sends is held against the schema in `kill_curl.rs`: its first step is that very script.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use launch_kill::curl::STOP_SCRIPT;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::target::Target;
use support::{Project, has_curl};
use yaml_rust2::{Yaml, YamlLoader};

const WORKFLOW: &str = include_str!("../.github/workflows/kill.yml");

fn workflow() -> Yaml {
    YamlLoader::load_from_str(WORKFLOW).unwrap().remove(0)
}

fn steps() -> Vec<Yaml> {
    workflow()["jobs"]["kill"]["steps"]
        .as_vec()
        .unwrap()
        .clone()
}

fn text(yaml: &Yaml) -> &str {
    yaml.as_str().unwrap_or_else(|| panic!("no text: {yaml:?}"))
}

fn env_of(yaml: &Yaml) -> Vec<(String, String)> {
    let map = yaml["env"].as_hash().unwrap();
    let both = |(name, value): (&Yaml, &Yaml)| (text(name).to_owned(), text(value).to_owned());
    map.iter().map(both).collect()
}

#[test]
fn it_is_a_button_with_three_questions() {
    let workflow = workflow();
    let inputs = &workflow["on"]["workflow_dispatch"]["inputs"];
    assert_eq!(text(&inputs["environment"]["type"]), "choice");
    let choices: Vec<&str> = inputs["environment"]["options"]
        .as_vec()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    assert_eq!(choices, ["production", "staging"]);
    assert_eq!(text(&inputs["reason"]["type"]), "string");
    assert_eq!(text(&inputs["reduce_only"]["type"]), "boolean");
    assert_eq!(
        workflow["on"].as_hash().unwrap().len(),
        1,
        "nothing else starts it"
    );
}

#[test]
fn it_may_little_and_nothing_cancels_it() {
    let workflow = workflow();
    let permissions = workflow["permissions"].as_hash().unwrap();
    assert_eq!(permissions.len(), 1);
    assert_eq!(text(&workflow["permissions"]["contents"]), "read");
    let concurrency = &workflow["concurrency"];
    assert_eq!(concurrency["cancel-in-progress"].as_bool(), Some(false));
    // A waiting run of a shared group is cancelled by the next one whatever is set: so no group is shared.
    assert!(text(&concurrency["group"]).contains("github.run_id"));
    let job = &workflow["jobs"]["kill"];
    assert_eq!(text(&job["environment"]), "kill-${{ inputs.environment }}");
}

#[test]
fn the_first_step_is_the_stop_and_needs_nothing() {
    let steps = steps();
    assert_eq!(
        text(&steps[0]["run"]),
        STOP_SCRIPT,
        "copy src/kill/stop.sh into the first step"
    );
    for step in &steps {
        assert!(step["uses"].is_badvalue(), "no action of others: {step:?}");
        // What stands in `${{ }}` inside a script becomes part of it: a reason could be a command.
        assert!(!text(&step["run"]).contains("${{"), "{step:?}");
    }
    for early in &steps[..2] {
        assert_eq!(
            early["continue-on-error"].as_bool(),
            Some(true),
            "{early:?}"
        );
    }
    assert!(text(&steps[2]["if"]).starts_with("always()"));
    assert_eq!(text(&steps[3]["if"]), "always()");
}

#[test]
fn a_new_project_gets_the_same_button() {
    let project = Project::bare();
    project.launch(&["init", "."]).assert().success();
    let written = std::fs::read_to_string(project.path().join(".github/workflows/kill.yml"));
    assert_eq!(written.unwrap(), WORKFLOW);
}

/// The values of GitHub's expressions for a deployed project.
fn values(project: &Project) -> BTreeMap<&'static str, String> {
    let file = Target::staging(project).kill_file;
    let token = |name: &str| std::fs::read_to_string(project.state().join(name)).unwrap();
    let endpoint = file.endpoint.unwrap();
    BTreeMap::from([
        ("vars.LAUNCH_RAILWAY_URL", endpoint.clone()),
        (
            "vars.LAUNCH_RAILWAY_URL || 'https://backboard.railway.com/graphql/v2'",
            endpoint,
        ),
        ("vars.RAILWAY_SERVICE_ID", file.service_id.unwrap()),
        ("vars.RAILWAY_ENVIRONMENT_ID", file.environment_id.unwrap()),
        (
            "vars.RAILWAY_PROJECT_ID",
            file.project_id.unwrap_or_default(),
        ),
        ("vars.LAUNCH_TRADER_URL", file.trader_url.unwrap()),
        ("vars.LAUNCH_MODE", "paper".to_owned()),
        ("secrets.RAILWAY_TOKEN", token("token-staging")),
        ("secrets.LAUNCH_HALT_TOKEN", token("halt-staging")),
        (
            "inputs.reason",
            "it's \"odd\"; $(touch pwned)\n--x".to_owned(),
        ),
        ("inputs.reduce_only", "false".to_owned()),
        ("inputs.environment", "staging".to_owned()),
        ("steps.curl.outcome", "success".to_owned()),
        ("steps.get.outcome", "success".to_owned()),
        ("steps.prove.outcome", "success".to_owned()),
    ])
}

/// Runs a step as GitHub does (`sh -e FILE`), with the environment that the workflow gives it.
fn run(step: usize, folder: &Path, values: &BTreeMap<&str, String>) -> Output {
    let (workflow, steps) = (workflow(), steps());
    let (job, step) = (&workflow["jobs"]["kill"], steps.get(step).unwrap());
    let file = folder.join("step.sh");
    std::fs::write(&file, text(&step["run"])).unwrap();
    let mut command = Command::new("sh");
    command
        .arg("-e")
        .arg(&file)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("GITHUB_STEP_SUMMARY", folder.join("summary.md"))
        .stdin(Stdio::null());
    for (name, value) in env_of(job).into_iter().chain(env_of(step)) {
        let inner = value
            .trim_start_matches("${{")
            .trim_end_matches("}}")
            .trim();
        let known = values.get(inner);
        command.env(
            name,
            known.unwrap_or_else(|| panic!("no value for {value}")),
        );
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{:?} {}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn the_button_stops_a_deployment_and_says_what_is_proved() {
    if !has_curl("the_button_stops_a_deployment_and_says_what_is_proved") {
        return;
    }
    let project = Project::deployed();
    let (folder, values) = (tempfile::tempdir().unwrap(), values(&project));
    let first = run(0, folder.path(), &values);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert_eq!(
        project.living_traders(),
        0,
        "stopped before anything was built"
    );
    assert!(
        !folder.path().join("pwned").exists(),
        "a reason is no command"
    );

    // Where the built launch-kill would stand: the same kill by its other name.
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    let (binary, launch) = (
        folder.path().join("bin/launch-kill"),
        assert_cmd::cargo::cargo_bin!("launch"),
    );
    std::fs::write(
        &binary,
        format!("#!/bin/sh\nexec '{}' kill \"$@\"\n", launch.display()),
    )
    .unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&binary, executable).unwrap();
    let proof = run(2, folder.path(), &values);
    assert_eq!(proof.status.code(), Some(0), "{}", said(&proof));
    assert!(said(&proof).contains("NOTHING RUNNING"), "{}", said(&proof));

    let summary = run(3, folder.path(), &values);
    assert_eq!(summary.status.code(), Some(0), "{}", said(&summary));
    let page = std::fs::read_to_string(folder.path().join("summary.md")).unwrap();
    assert!(
        page.contains("**Proved.**") && page.contains("NOTHING RUNNING"),
        "{page}"
    );
}

#[test]
fn a_build_that_fails_is_said_and_is_red() {
    let project = Project::bare();
    let mut values: BTreeMap<&str, String> = BTreeMap::new();
    for expression in expressions() {
        values.insert(expression, String::new());
    }
    values.insert("steps.prove.outcome", "skipped".into());
    values.insert("steps.get.outcome", "failure".into());
    let summary = run(3, &project.path(), &values);
    assert_eq!(summary.status.code(), Some(1), "{}", said(&summary));
    let page = std::fs::read_to_string(project.path().join("summary.md")).unwrap();
    assert!(
        page.contains("something may still run") && page.contains("dashboard"),
        "{page}"
    );
}

/// Every expression of the workflow's environments.
fn expressions() -> Vec<&'static str> {
    let parts = WORKFLOW.split("${{").skip(1);
    parts
        .map(|part| part.split_once("}}").unwrap().0.trim())
        .collect()
}

#[test]
fn reduce_only_halts_and_stops_nothing() {
    if !has_curl("reduce_only_halts_and_stops_nothing") {
        return;
    }
    let project = Project::deployed();
    let (folder, mut values) = (tempfile::tempdir().unwrap(), values(&project));
    values.insert("inputs.reduce_only", "true".into());
    let first = run(0, folder.path(), &values);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert_eq!(project.living_traders(), 1, "it keeps running");
    let halted = Target::staging(&project).health().unwrap()["halted"].clone();
    assert_eq!(halted["reduce_only"], true, "{halted}");
}
