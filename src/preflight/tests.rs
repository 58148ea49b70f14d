//! Preflight on real throw-away projects: this repository's own manifests, committed and pushed to a
//! bare remote. The dry run needs the built program and is tested from outside (`tests/preflight.rs`).

use super::{Project, Request, Unusable, exit_of, judge};
use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::repo::tests::Scratch;
use launch_checks::{Report, Selection, Status, Verdict};
use std::path::{Path, PathBuf};

/// All checks but the dry run.
const WITHOUT_CHILD: &str = "LC-101,LC-102,LC-103,LC-201,LC-202,LC-206";

fn context(cwd: &Path) -> Context {
    Context {
        state_dir: PathBuf::from("/nonexistent"),
        format: Format::Human,
        color: false,
        progress: false,
        quiet: true,
        verbose: false,
        cwd: cwd.to_owned(),
    }
}

fn project() -> Scratch {
    let s = Scratch::new();
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    for name in [
        "launch.toml",
        "local.toml",
        "ci.toml",
        "staging.toml",
        "production.toml",
        "strategies/probability-model.json",
    ] {
        s.write(
            &format!("manifests/{name}"),
            std::fs::read(ours.join(name)).unwrap(),
        );
    }
    s.commit_all("project");
    s.git(&["push", "-q", "origin", "main"]);
    s
}

fn edit(s: &Scratch, path: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(s.path(path)).unwrap();
    assert!(text.contains(from), "{path} has no {from:?}");
    s.write(path, text.replacen(from, to, 1));
}

fn commit_and_push(s: &Scratch) {
    s.commit_all("change");
    s.git(&["push", "-q", "origin", "main"]);
}

fn try_judge(s: &Scratch, env: &str, only: &str, offline: bool) -> Result<Report, Unusable> {
    let request = Request {
        selection: Selection::parse(&[only.to_owned()]).unwrap(),
        offline,
        ..Request::all(env)
    };
    judge(&s.work(), &request, &context(&s.work()))
}

#[track_caller]
fn report(s: &Scratch, env: &str) -> Report {
    try_judge(s, env, WITHOUT_CHILD, false).unwrap()
}

#[track_caller]
fn status(report: &Report, code: &str) -> Status {
    report
        .check(code)
        .unwrap_or_else(|| panic!("no {code} in {report:#?}"))
        .status
}

#[test]
fn a_committed_and_pushed_project_passes() {
    let s = project();
    let report = report(&s, "staging");
    assert_eq!(report.verdict, Verdict::Pass, "{report:#?}");
    assert_eq!(report.commit, Some(s.git(&["rev-parse", "HEAD"])));
    assert_eq!(report.tree, Some(s.git(&["rev-parse", "HEAD^{tree}"])));
    assert!(
        report.partial && !report.clears(),
        "a partial report clears nothing"
    );
    assert_eq!(exit_of(&report), Exit::Ok);
}

#[test]
fn head_is_judged_and_not_the_disk() {
    let s = project();
    // A broken manifest on disk only: LC-101 sees the edit, LC-201 judges the commit.
    s.write("manifests/staging.toml", "garbage");
    s.write("manifests/launch.toml", "garbage");
    let judged = report(&s, "staging");
    assert_eq!(status(&judged, "LC-101"), Status::Fail);
    assert_eq!(status(&judged, "LC-201"), Status::Pass);
    assert_eq!(exit_of(&judged), Exit::CheckFailed);
    // And the other way round: fixed on disk, broken in the commit.
    let s = project();
    edit(
        &s,
        "manifests/staging.toml",
        "position_size_usd",
        "position_sise_usd",
    );
    s.commit_all("broken");
    edit(
        &s,
        "manifests/staging.toml",
        "position_sise_usd",
        "position_size_usd",
    );
    let judged = report(&s, "staging");
    assert_eq!(status(&judged, "LC-201"), Status::Fail);
    let seen = judged
        .check("LC-201")
        .unwrap()
        .seen()
        .next()
        .unwrap()
        .to_owned();
    assert!(seen.contains("manifests/staging.toml:"), "{seen}");
    assert!(seen.contains("did you mean `position_size_usd`"), "{seen}");
}

#[test]
fn a_misspelled_strategy_is_refused_by_its_own_check() {
    let s = project();
    edit(
        &s,
        "manifests/staging.toml",
        "\"probability-model\"",
        "\"probabilty-model\"",
    );
    commit_and_push(&s);
    let report = report(&s, "staging");
    assert_eq!(status(&report, "LC-202"), Status::Fail);
    let seen = report
        .check("LC-202")
        .unwrap()
        .seen()
        .next()
        .unwrap()
        .to_owned();
    assert!(
        seen.contains("did you mean \"probability-model\""),
        "{seen}"
    );
    assert_eq!(status(&report, "LC-101"), Status::Pass);
}

#[test]
fn the_label_of_a_strategy_is_not_its_id() {
    let s = project();
    edit(
        &s,
        "manifests/staging.toml",
        "\"probability-model\"",
        "\"Probability Model Only\"",
    );
    commit_and_push(&s);
    let report = report(&s, "staging");
    assert_eq!(status(&report, "LC-202"), Status::Fail);
}

#[test]
fn a_limit_above_the_capital_is_refused() {
    let s = project();
    edit(
        &s,
        "manifests/staging.toml",
        "max_exposure_usd = \"",
        "max_exposure_usd = \"9",
    );
    commit_and_push(&s);
    let report = report(&s, "staging");
    assert_eq!(status(&report, "LC-206"), Status::Fail);
    assert_eq!(status(&report, "LC-201"), Status::Pass);
}

#[test]
fn a_strategy_that_an_ignore_rule_keeps_out_is_refused() {
    let s = project();
    s.git(&[
        "rm",
        "-q",
        "--cached",
        "manifests/strategies/probability-model.json",
    ]);
    s.write(".gitignore", "target/\n*.log\nmanifests/strategies/\n");
    commit_and_push(&s);
    s.git_says_clean();
    let report = report(&s, "staging");
    assert_eq!(
        status(&report, "LC-101"),
        Status::Pass,
        "everything else is committed"
    );
    assert_eq!(status(&report, "LC-103"), Status::Fail);
    let seen = report
        .check("LC-103")
        .unwrap()
        .seen()
        .next()
        .unwrap()
        .to_owned();
    assert!(seen.contains("ignore rule"), "{seen}");
}

#[test]
fn an_unpushed_commit_warns_locally_and_fails_for_staging() {
    let s = project();
    s.write("new", "");
    s.commit_all("new");
    assert_eq!(status(&report(&s, "local"), "LC-102"), Status::Warn);
    assert_eq!(exit_of(&report(&s, "local")), Exit::Ok);
    assert_eq!(status(&report(&s, "staging"), "LC-102"), Status::Fail);
}

#[test]
fn offline_is_unknown_and_never_a_pass() {
    let s = project();
    for env in ["local", "staging"] {
        let report = try_judge(&s, env, WITHOUT_CHILD, true).unwrap();
        assert_eq!(status(&report, "LC-102"), Status::Unknown);
        assert_eq!(exit_of(&report), Exit::Unknown);
    }
}

#[test]
fn a_failure_outranks_an_unknown() {
    let s = project();
    s.write("new", "");
    let report = try_judge(&s, "staging", WITHOUT_CHILD, true).unwrap();
    assert_eq!(exit_of(&report), Exit::CheckFailed);
}

#[test]
fn production_is_unknown_until_every_row_exists() {
    let s = project();
    let report = try_judge(&s, "production", "LC-101,LC-605", false).unwrap();
    assert_eq!(status(&report, "LC-605"), Status::Unknown);
    assert_eq!(exit_of(&report), Exit::Unknown);
}

#[test]
fn without_a_repository_or_a_commit_everything_is_unknown() {
    let s = Scratch::new();
    s.git_in(&s.beside(""), &["init", "-q", "unborn"]);
    std::fs::create_dir(s.beside("nothing")).unwrap();
    for place in ["unborn", "nothing", "remote.git"] {
        let cwd = s.beside(place);
        let report = judge(&cwd, &Request::all("local"), &context(&cwd)).unwrap();
        assert_eq!(report.verdict, Verdict::Unknown, "{place}");
        assert_eq!(status(&report, "LC-101"), Status::Unknown);
        assert_eq!(exit_of(&report), Exit::Unknown);
        assert_eq!(report.commit, None);
    }
}

#[test]
fn unusable_targets_are_exit_2_with_their_place() {
    let s = Scratch::new();
    let missing = try_judge(&s, "local", "LC-101", false).unwrap_err();
    assert_eq!(missing.exit(), Exit::Usage);
    assert!(
        missing.render(false).contains("is not in HEAD"),
        "{}",
        missing.render(false)
    );

    let s = project();
    edit(
        &s,
        "manifests/launch.toml",
        "class = \"local\"",
        "class = \"lokal\"",
    );
    s.commit_all("broken");
    let broken = try_judge(&s, "local", "LC-101", false).unwrap_err();
    assert_eq!(broken.exit(), Exit::Usage);
    assert!(
        broken.render(false).contains("manifests/launch.toml:"),
        "{}",
        broken.render(false)
    );

    let s = project();
    let unknown = try_judge(&s, "stagin", "LC-101", false).unwrap_err();
    assert_eq!(unknown.exit(), Exit::Usage);
    assert!(unknown.render(false).contains("did you mean --env staging"));
    let nothing = try_judge(&s, "local", "LC-502", false).unwrap_err();
    assert_eq!(nothing.exit(), Exit::Usage);
}

#[test]
fn a_linked_work_tree_is_judged_by_its_own_head() {
    let s = project();
    s.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    s.write("new", "");
    s.commit_all("main moves on");
    let linked = Project::open(&s.beside("linked"), "local")
        .unwrap()
        .unwrap();
    assert_eq!(linked.repo.commit(), s.git(&["rev-parse", "HEAD~1"]));
}

#[test]
fn every_code_has_its_page_and_no_page_lies_about_being_built() {
    let page = include_str!("../../docs/checks.md");
    let mut pages: Vec<(String, bool)> = page
        .split("\n## ")
        .skip(1)
        .map(|section| {
            let code = section.lines().next().unwrap_or_default().to_owned();
            let text = section.split("\n# ").next().unwrap_or_default();
            (code, !text.contains("Not built yet"))
        })
        .collect();
    pages.sort();
    let codes: Vec<(String, bool)> = launch_checks::catalogue()
        .map(|(code, title)| {
            assert!(
                page.contains(&format!("## {code}\n\n**{title}.**")),
                "{code} {title}"
            );
            let built = launch_checks::TABLE.iter().any(|row| row.code == code);
            (code.to_string(), built)
        })
        .collect();
    assert_eq!(pages, codes);
}
