//! `launch explain`: the pages, where nothing else works.

use crate::support::Project;
use predicates::str::contains;

#[test]
fn a_page_needs_no_repository_home_or_state() {
    let nowhere = tempfile::tempdir().unwrap();
    let project = Project::bare();
    for code in ["LC-101", "lc-608"] {
        project
            .launch_in(nowhere.path(), &["explain", code])
            .env_clear()
            .assert()
            .success()
            .stdout(contains(code.to_uppercase()));
    }
    let page = project.json(0, &["explain", "LC-206"]);
    assert_eq!(page["title"], "limits coherent");
    assert!(page["text"].as_str().unwrap().contains("max_exposure_usd"));
}

#[test]
fn every_code_of_a_report_has_a_page() {
    let project = Project::new();
    let codes = project.json(0, &["explain", "codes"]);
    assert_eq!(codes, project.json(0, &["explain"]));
    let codes = codes["codes"].as_array().unwrap();
    let report = project.json(0, &["preflight", "--env", "local"]);
    for check in report["checks"].as_array().unwrap() {
        assert!(codes.iter().any(|page| page["code"] == check["code"]));
    }
    project
        .launch(&["explain", "LC-110"])
        .assert()
        .code(2)
        .stderr(contains("did you mean"));
}
