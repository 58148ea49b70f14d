//! Every format of one run, each read by a reader of its own kind.

use crate::support::Project;
use quick_xml::events::Event;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a file name may look like where somebody means harm.
const HOSTILE: &str = "::error::x <&\"'>,%0A.txt";
/// Every format that `--report` takes.
const FORMATS: [&str; 6] = ["human", "json", "jsonl", "junit", "sarif", "github"];

/// A misspelled key (with a place), hostile and many untracked files (files without a line).
fn broken() -> Project {
    let project = Project::new();
    project.replace(
        "manifests/local.toml",
        "max_exposure_usd",
        "max_exposre_usd",
    );
    project.commit_and_push("manifest: misspelt");
    project.write(HOSTILE, "");
    for number in 0..12 {
        project.write(&format!("stray-{number}.txt"), "");
    }
    project
}

/// One run; its stdout, and every report by format.
fn reports(
    project: &Project,
    code: i32,
    args: &[&str],
) -> (String, BTreeMap<&'static str, String>) {
    let out = project.path().with_file_name("reports");
    std::fs::create_dir_all(&out).unwrap();
    let mut all = vec!["preflight".to_owned()];
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    for format in FORMATS {
        let file = out.join(format);
        all.extend([
            "--report".to_owned(),
            format!("{format}={}", file.display()),
        ]);
    }
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let ran = project
        .launch(&all)
        .assert()
        .code(code)
        .get_output()
        .clone();
    let read = |format| (format, std::fs::read_to_string(out.join(format)).unwrap());
    (
        String::from_utf8(ran.stdout).unwrap(),
        FORMATS.into_iter().map(read).collect(),
    )
}

#[test]
fn one_run_writes_every_format_and_all_say_the_same() {
    let project = broken();
    let (stdout, reports) = reports(&project, 1, &["--env", "local"]);
    assert_eq!(stdout, reports["human"]);
    let json: Value = serde_json::from_str(&reports["json"]).unwrap();
    assert_eq!(json["verdict"], "fail");
    is_jsonl(&reports["jsonl"], &json);
    is_junit(&reports["junit"], &json);
    is_sarif(&reports["sarif"], &json);
    is_github(&reports["github"]);
    // Nothing half-written is left beside them.
    let folder = project.path().with_file_name("reports");
    assert_eq!(folder.read_dir().unwrap().count(), FORMATS.len());
}

#[test]
fn a_good_project_is_good_in_every_format() {
    let project = Project::new();
    let (_, reports) = reports(&project, 0, &["--env", "local"]);
    let json: Value = serde_json::from_str(&reports["json"]).unwrap();
    is_jsonl(&reports["jsonl"], &json);
    is_junit(&reports["junit"], &json);
    is_sarif(&reports["sarif"], &json);
    is_github(&reports["github"]);
    assert!(
        !reports["github"].contains("::error"),
        "{}",
        reports["github"]
    );
}

fn is_jsonl(text: &str, report: &Value) {
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (verdict, checks) = lines.split_last().unwrap();
    assert_eq!(verdict["type"], "verdict");
    assert_eq!(verdict["verdict"], report["verdict"]);
    assert_eq!(verdict["commit"], report["commit"]);
    assert_eq!(checks.len(), report["checks"].as_array().unwrap().len());
    for check in checks {
        assert_eq!(check["type"], "check");
        let code = &check["code"];
        let same = report["checks"].as_array().unwrap();
        assert!(same.iter().any(|other| other["code"] == *code), "{code}");
    }
}

/// Elements, attributes and counts as the XSD of Jenkins' plug-in has them.
fn is_junit(text: &str, report: &Value) {
    let allowed = |parent: &str, child: &str| match parent {
        "" => child == "testsuites",
        "testsuites" => child == "testsuite",
        "testsuite" => ["properties", "testcase", "system-out", "system-err"].contains(&child),
        "properties" => child == "property",
        "testcase" => ["skipped", "error", "failure", "system-out", "system-err"].contains(&child),
        _ => false,
    };
    let required = |element: &str| -> &[&str] {
        match element {
            "testsuites" => &["name", "time", "tests", "failures", "errors"],
            "testsuite" => &[
                "name",
                "tests",
                "failures",
                "errors",
                "skipped",
                "time",
                "timestamp",
            ],
            "testcase" => &["name", "classname", "time"],
            "property" => &["name", "value"],
            "failure" | "error" => &["message", "type"],
            "skipped" => &["message"],
            _ => &[],
        }
    };
    let mut reader = quick_xml::Reader::from_str(text);
    let mut open: Vec<String> = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut told = 0;
    loop {
        let event = reader.read_event().unwrap();
        if let Event::Start(start) | Event::Empty(start) = &event {
            let name = start.name().as_ref().to_owned();
            let parent = open.last().map_or("", String::as_str);
            assert!(allowed(parent, &name), "<{name}> in <{parent}>");
            let attributes: BTreeMap<String, String> = start
                .attributes()
                .map(|attribute| {
                    let attribute = attribute.unwrap();
                    (
                        attribute.key.as_ref().to_owned(),
                        attribute.value.to_string(),
                    )
                })
                .collect();
            for name in required(&name) {
                assert!(attributes.contains_key(*name), "{name} in {attributes:?}");
            }
            if name == "testsuite" {
                told += attributes["tests"].parse::<usize>().unwrap();
            }
            *seen.entry(name.clone()).or_default() += 1;
            if matches!(event, Event::Start(_)) {
                open.push(name);
            }
        }
        if let Event::End(end) = &event {
            assert_eq!(end.name().as_ref(), open.pop().unwrap());
        }
        if matches!(event, Event::Eof) {
            break;
        }
    }
    assert!(open.is_empty());
    let count = |status: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().filter(|c| c["status"] == status).count()
    };
    let of = |element: &str| seen.get(element).copied().unwrap_or(0);
    assert_eq!(of("testcase"), report["checks"].as_array().unwrap().len());
    assert_eq!(of("testcase"), told);
    assert_eq!(of("failure"), count("fail"));
    assert_eq!(of("error"), count("unknown"));
    assert_eq!(of("skipped"), count("skipped"));
}

/// The official schema, and what it cannot say.
fn is_sarif(text: &str, report: &Value) {
    let sarif: Value = serde_json::from_str(text).unwrap();
    let schema: Value = serde_json::from_str(include_str!("sarif-2.1.0.schema.json")).unwrap();
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    let wrong: Vec<String> = validator
        .iter_errors(&sarif)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for rule in rules {
        assert!(!rule["help"]["text"].as_str().unwrap().is_empty());
        assert!(rule["helpUri"].as_str().unwrap().contains(':'));
    }
    let mut prints = std::collections::BTreeSet::new();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let print = result["partialFingerprints"]["launchFinding/v1"].to_string();
        assert!(prints.insert(print), "{result}");
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%".contains(&byte);
        assert!(uri.bytes().all(plain), "{uri}");
    }
    let open = report["checks"].as_array().unwrap();
    let open = open.iter().filter(|check| check["status"] != "pass");
    for check in open {
        let results = run["results"].as_array().unwrap();
        let found = results
            .iter()
            .any(|result| result["ruleId"] == check["code"]);
        assert!(found, "{} has no result", check["code"]);
    }
}

/// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.
fn is_github(text: &str) {
    let (commands, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("::"));
    assert!(commands.len() <= 10, "{}", commands.len());
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert!(rest[0].starts_with("launch preflight of env "), "{rest:?}");
    for command in commands {
        let (head, data) = command[2..].split_once("::").unwrap();
        let (level, properties) = head.split_once(' ').unwrap();
        assert!(["error", "warning", "notice"].contains(&level), "{level}");
        for property in properties.split(',') {
            let (name, value) = property.split_once('=').unwrap();
            let known = ["file", "line", "endLine", "col", "endColumn", "title"];
            assert!(known.contains(&name), "{name}");
            assert!(!value.contains([':', ',']), "{value}");
            let number = value.parse::<usize>().is_ok_and(|number| number > 0);
            assert!(number || ["file", "title"].contains(&name), "{property}");
        }
        // Each % begins an escape.
        for text in [properties, data] {
            for (at, _) in text.match_indices('%') {
                let escape = &text[at + 1..at + 3];
                assert!(["25", "0A", "0D", "3A", "2C"].contains(&escape), "{text}");
            }
        }
    }
}

#[test]
fn a_mistake_in_a_file_has_its_line_and_column() {
    let project = broken();
    let (_, reports) = reports(&project, 1, &["--env", "local"]);
    let text = std::fs::read_to_string(project.path().join("manifests/local.toml")).unwrap();
    let line = text
        .lines()
        .position(|l| l.starts_with("max_exposre_usd"))
        .unwrap()
        + 1;
    let file = "manifests/local.toml";
    let annotation = format!("::error file={file},line={line},endLine={line},col=1,");
    assert!(
        reports["github"].contains(&annotation),
        "{}",
        reports["github"]
    );
    let sarif: Value = serde_json::from_str(&reports["sarif"]).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let found = results.iter().any(|result| {
        let place = &result["locations"][0]["physicalLocation"];
        result["ruleId"] == "LC-201"
            && place["artifactLocation"]["uri"] == file
            && place["region"]["startLine"] == line
            && place["region"]["startColumn"] == 1
    });
    assert!(found, "{results:#?}");
}

#[test]
fn a_limit_and_a_strategy_have_their_lines_too() {
    let project = Project::new();
    let manifest = project.path().join("manifests/local.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let limit = text
        .lines()
        .find(|line| line.starts_with("max_exposure_usd"))
        .unwrap();
    project.replace("manifests/local.toml", limit, "max_exposure_usd = \"1000\"");
    project.commit_and_push("manifest: more");
    let (_, reports) = reports(&project, 1, &["--env", "local", "--only", "LC-206"]);
    let json: Value = serde_json::from_str(&reports["json"]).unwrap();
    let place = &json["checks"][0]["evidence"]["places"][0];
    let line = text.lines().position(|line| line == limit).unwrap() + 1;
    assert_eq!(place["file"], "manifests/local.toml");
    assert_eq!(place["line"], line);
}

#[test]
fn fingerprints_stay_when_lines_move() {
    let project = broken();
    let prints = |project: &Project| {
        let (_, reports) = reports(project, 1, &["--env", "local", "--only", "LC-201"]);
        let sarif: Value = serde_json::from_str(&reports["sarif"]).unwrap();
        let results = sarif["runs"][0]["results"].as_array().unwrap().clone();
        let of = |result: &Value| {
            let line = result["locations"][0]["physicalLocation"]["region"]["startLine"].clone();
            (result["partialFingerprints"].clone(), line)
        };
        results
            .iter()
            .map(of)
            .unzip::<_, _, Vec<Value>, Vec<Value>>()
    };
    let (before, lines) = prints(&project);
    let text = std::fs::read_to_string(project.path().join("manifests/local.toml")).unwrap();
    project.write("manifests/local.toml", &format!("# moved\n# down\n{text}"));
    project.git(&["add", "manifests/local.toml"]);
    project.git(&["commit", "-q", "-m", "manifest: a comment"]);
    let (after, moved) = prints(&project);
    assert_eq!(before, after);
    assert_ne!(lines, moved);
    assert!(!before.is_empty());
}

#[test]
fn stdout_carries_each_format_and_lines_come_as_they_happen() {
    let project = Project::new();
    let stdout = |format: &str| {
        let args = [
            "preflight",
            "--env",
            "local",
            "--only",
            "LC-101,LC-305",
            "--format",
            format,
        ];
        let output = project
            .launch(&args)
            .assert()
            .success()
            .get_output()
            .clone();
        String::from_utf8(output.stdout).unwrap()
    };
    let lines = stdout("jsonl");
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["type"], "verdict");
    assert_eq!(last["counts"]["pass"], 2);
    assert_eq!(lines.lines().count(), 3);
    assert!(stdout("junit").starts_with("<?xml"));
    assert!(stdout("sarif").contains("\"2.1.0\""));
    assert!(stdout("github").starts_with("launch preflight of env local: PASS (PARTIAL)"));
    // No other command takes these.
    project
        .launch(&["status", "--format", "sarif"])
        .assert()
        .code(2);
}

#[test]
fn a_report_that_cannot_be_written_is_said_and_never_loses_the_verdict() {
    let project = Project::new();
    let only = ["preflight", "--env", "local", "--only", "LC-305"];
    let with = |report: &str| -> Vec<String> {
        let all = [&only[..], &["--report", report]].concat();
        all.into_iter().map(str::to_owned).collect()
    };
    let launch = |args: &[String]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        project.launch(&args)
    };
    for file in ["nowhere/a.json", ".", "/dev/null"] {
        let output = launch(&with(&format!("json={file}")))
            .assert()
            .code(3)
            .get_output()
            .clone();
        assert!(String::from_utf8(output.stdout).unwrap().contains("PASS"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(&format!("--report {file}")), "{said}");
    }
    project.write("stray.txt", "");
    let failing = [
        "preflight",
        "--only",
        "LC-101",
        "--report",
        "json=nowhere/a.json",
    ];
    project.launch(&failing).assert().code(1);
    for wrong in ["json", "pdf=x", "json=-"] {
        launch(&with(wrong)).assert().code(2);
    }
    let mut twice = with("json=a.out");
    twice.extend(["--report".to_owned(), "sarif=a.out".to_owned()]);
    launch(&twice).assert().code(2);
    assert!(!project.path().join("a.out").exists());
}

#[test]
fn a_launch_toml_that_leaves_nothing_to_judge_is_annotated_too() {
    let project = Project::new();
    project.replace(
        "manifests/launch.toml",
        "class = \"local\"",
        "class = \"lokal\"",
    );
    project.commit_and_push("targets: misspelt");
    let output = project
        .launch(&["preflight", "--env", "local", "--format", "github"])
        .assert()
        .code(2)
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("::error file=manifests/launch.toml,line="),
        "{text}"
    );
}
