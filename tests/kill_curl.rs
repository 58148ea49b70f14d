//! `--print-curl` and the kill workflow: what they send is valid against Railway's schema, and run by a
//! real shell with a real curl they stop a real deployment.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod support;

use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::{ExecutableDocument, Schema};
use launch_kill::curl::STOP_SCRIPT;
use std::process::{Command, Output, Stdio};
use support::target::Target;
use support::{Project, has_curl};

const SDL: &str = include_str!("../schemas/railway.graphql");

/// The JSON texts that the script sends to the platform, with `ID` for each of its variables.
fn bodies() -> Vec<serde_json::Value> {
    let lines = STOP_SCRIPT
        .lines()
        .filter(|line| line.contains("'{\"operationName\""));
    let body = |line: &str| {
        let (from, to) = (line.find("'{").unwrap() + 1, line.rfind("}'").unwrap() + 1);
        let mut text = line[from..to].to_owned();
        while let Some((before, rest)) = text.split_once("'\"$") {
            let (_, after) = rest.split_once("\"'").unwrap();
            text = format!("{before}ID{after}");
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    lines.map(body).collect()
}

/// What the schema has against a request.
fn fault(body: &serde_json::Value) -> Option<String> {
    let schema = Schema::parse_and_validate(SDL, "railway.graphql").unwrap();
    let query = body["query"].as_str().unwrap();
    let document = match ExecutableDocument::parse_and_validate(&schema, query, "curl") {
        Ok(document) => document,
        Err(error) => return Some(error.to_string()),
    };
    let named = document.operations.get(body["operationName"].as_str());
    let operation = match named {
        Ok(operation) => operation,
        Err(error) => return Some(format!("{error:?}")),
    };
    let variables: apollo_compiler::response::JsonMap =
        serde_json::from_value(body["variables"].clone()).unwrap();
    coerce_variable_values(&schema, operation, &variables)
        .err()
        .map(|error| format!("{error:?}"))
}

#[test]
fn every_request_of_the_script_fits_the_schema() {
    let bodies = bodies();
    assert_eq!(bodies.len(), 6);
    for body in &bodies {
        assert_eq!(fault(body), None, "{body:#}");
        // The name that goes into the query string is the one of the document.
        let name = body["operationName"].as_str().unwrap();
        assert!(STOP_SCRIPT.contains(&format!("ask {name} '")), "{name}");
    }
}

#[test]
fn a_planted_fault_is_found() {
    let mut body = bodies().remove(0);
    body["variables"]["input"]["serviceID"] = "x".into();
    assert!(fault(&body).is_some());
    let mut body = bodies().remove(1);
    body["query"] = body["query"]
        .as_str()
        .unwrap()
        .replace("id: $id", "name: $id")
        .into();
    assert!(fault(&body).is_some());
}

/// `sh` with this script on its standard input and nothing else of this process but the PATH.
fn sh(script: &str, variables: &[(&str, &str)]) -> Output {
    use std::io::Write;
    let mut child = Command::new("sh")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn printed(project: &Project, flags: &[&str]) -> String {
    let mut all = vec!["kill", "--env", "staging"];
    all.extend(flags);
    let output = project.launch_in("/".as_ref(), &all).assert().code(0);
    String::from_utf8(output.get_output().stdout.clone()).unwrap()
}

/// What the script needs of a deployed target, as the kill workflow sets it.
fn variables(target: &Target, project: &Project) -> Vec<(&'static str, String)> {
    let file = &target.kill_file;
    let token = |name: &str| std::fs::read_to_string(project.state().join(name)).unwrap();
    vec![
        ("ENDPOINT", file.endpoint.clone().unwrap()),
        ("SERVICE_ID", file.service_id.clone().unwrap()),
        ("ENVIRONMENT_ID", file.environment_id.clone().unwrap()),
        ("TRADER_URL", file.trader_url.clone().unwrap()),
        ("RAILWAY_TOKEN", token("token-staging")),
        ("LAUNCH_HALT_TOKEN", token("halt-staging")),
    ]
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
fn the_printed_lines_stop_a_deployment_without_launch() {
    if !has_curl("the_printed_lines_stop_a_deployment_without_launch") {
        return;
    }
    let project = Project::deployed();
    let script = printed(&project, &["--print-curl"]);
    let token = std::fs::read_to_string(project.state().join("token-staging")).unwrap();
    assert!(!script.contains(token.trim()), "no secret in the lines");
    // The ids and tokens of another project in the environment change nothing.
    let strangers = [("RAILWAY_TOKEN", "of-another"), ("SERVICE_ID", "another")];
    let output = sh(&script, &strangers);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("STOPPED"), "{}", said(&output));
    assert!(!said(&output).contains(token.trim()), "{}", said(&output));
    assert_eq!(project.living_traders(), 0);
    // Nothing answers for the trader any more: the second run proves less, and says so.
    let again = sh(&script, &[]);
    assert_eq!(again.status.code(), Some(7), "{}", said(&again));
    assert!(said(&again).contains("NOT PROVED"), "{}", said(&again));
}

#[test]
fn the_lines_on_the_card_stop_what_ran_when_it_was_printed() {
    if !has_curl("the_lines_on_the_card_stop_what_ran_when_it_was_printed") {
        return;
    }
    let project = Project::deployed();
    let card: serde_json::Value =
        serde_json::from_str(&printed(&project, &["--card", "--format", "json"])).unwrap();
    let page = printed(&project, &["--card"]);
    let line = card["cards"][0]["commands"][2].as_str().unwrap();
    assert!(line.lines().all(|line| page.contains(line)), "{page}");
    let output = sh(line, &[]);
    assert!(
        said(&output).contains("\"deploymentStop\":true"),
        "{}",
        said(&output)
    );
    support::wait_until(
        "the trader's end",
        std::time::Duration::from_secs(15),
        || (project.living_traders() == 0).then_some(()),
    );
}

#[test]
fn the_lines_never_take_silence_for_a_stop() {
    if !has_curl("the_lines_never_take_silence_for_a_stop") {
        return;
    }
    let dead = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{dead}/graphql/v2");
    // Rounds without pauses: nobody has to be waited for.
    let script = STOP_SCRIPT.replace("sleep 2", ":");
    let ids = [
        ("ENDPOINT", endpoint.as_str()),
        ("SERVICE_ID", "s"),
        ("ENVIRONMENT_ID", "e"),
        ("RAILWAY_TOKEN", "t"),
    ];
    let output = sh(&script, &ids);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    let output = sh(&script, &[("ENDPOINT", endpoint.as_str())]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn a_refused_token_is_no_empty_list() {
    if !has_curl("a_refused_token_is_no_empty_list") {
        return;
    }
    let project = Project::deployed();
    let target = Target::staging(&project);
    let owned = variables(&target, &project);
    let mut ids: Vec<(&str, &str)> = owned.iter().map(|(n, v)| (*n, v.as_str())).collect();
    ids.push(("RAILWAY_TOKEN", "not-the-token"));
    ids.push(("LAUNCH_HALT_TOKEN", "not-the-token"));
    let output = sh(&STOP_SCRIPT.replace("sleep 2", ":"), &ids);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert_eq!(project.living_traders(), 1);
}

#[test]
fn the_card_made_in_a_repository_names_its_button() {
    let project = Project::empty();
    project.git(&[
        "remote",
        "set-url",
        "origin",
        "https://me:hunter2@github.com/me/trader.git",
    ]);
    let output = project.launch(&["kill", "--card"]).assert().code(0);
    let page = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    let button = "https://github.com/me/trader/actions/workflows/kill.yml";
    assert!(page.contains(button) && !page.contains("hunter2"), "{page}");
}
