//! The report's item 3: a manifest's strategy names and the strategy files did not match, and the
//! system silently fell back. Here the two are one list, and a near miss is refused with its place.

#![expect(
    clippy::expect_used,
    reason = "a test that cannot write its files has to stop"
)]

use launch::source::{Declared, DiskFiles, exit_of, render_all};
use std::path::Path;

/// A scratch project: the shipped manifest with `listed`, and strategy files by name.
fn project(listed: &str, files: &[&str]) -> tempfile::TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let strategies = scratch.path().join("manifests/strategies");
    std::fs::create_dir_all(&strategies).expect("a scratch project");
    let manifest = std::fs::read_to_string(root.join("manifests/staging.toml")).expect("shipped");
    let manifest = manifest.replace("\"probability-model\"", listed);
    std::fs::write(scratch.path().join("manifests/staging.toml"), manifest).expect("written");
    let shipped = root.join("manifests/strategies/probability-model.json");
    for file in files {
        std::fs::copy(&shipped, strategies.join(file)).expect("copied");
    }
    scratch
}

fn refusal(listed: &str, files: &[&str]) -> String {
    let scratch = project(listed, files);
    match Declared::load(&DiskFiles::new(scratch.path()), "manifests/staging.toml") {
        Ok(declared) => panic!("was read: {:?}", declared.manifest.value.strategies),
        Err(problems) => {
            assert_eq!(exit_of(&problems), launch::exit::Exit::CheckFailed);
            render_all(&problems, false)
        }
    }
}

#[test]
fn an_id_is_no_label_of_a_file_with_a_label_for_a_name() {
    insta::assert_snapshot!(
        refusal("\"probability-model\"", &["Probability Model Only.json"]),
        @r#"
    error[not-allowed]: no strategy has the id `probability-model`
     --> manifests/staging.toml:8:15
      |
    8 | strategies = ["probability-model"]
      |               ^^^^^^^^^^^^^^^^^^^ seen "probability-model"
      |
      = note: wanted the stem of a file in manifests/strategies; there is none with a usable name
      = help: did you mean the file "manifests/strategies/Probability Model Only.json"? its name is no id: rename it, lower case with dashes, and list that
    "#
    );
}

#[test]
fn a_label_is_no_id() {
    insta::assert_snapshot!(
        refusal("\"Probability Model Only\"", &["probability-model.json"]),
        @r#"
    error[not-allowed]: no strategy has the id `Probability Model Only`
     --> manifests/staging.toml:8:15
      |
    8 | strategies = ["Probability Model Only"]
      |               ^^^^^^^^^^^^^^^^^^^^^^^^ seen "Probability Model Only"
      |
      = note: wanted one of probability-model (the files in manifests/strategies)
      = help: "Probability Model Only" is only the label inside manifests/strategies/probability-model.json; its id is the file's stem: write "probability-model"
    "#
    );
}

#[test]
fn the_reports_three_names_are_three_refusals() {
    let said = refusal(
        "\"probability-model\", \"Lag-Based\", \"hybrid\"",
        &["probability-model.json", "lag-based.json", "Hybrid.json"],
    );
    assert!(!said.contains("id `probability-model`"), "{said}");
    assert!(said.contains("did you mean \"lag-based\"?"), "{said}");
    assert!(
        said.contains("did you mean the file \"manifests/strategies/Hybrid.json\"?"),
        "{said}"
    );
}

#[test]
fn one_id_is_one_file() {
    let scratch = project("\"probability-model\"", &["probability-model.json"]);
    std::fs::write(
        scratch
            .path()
            .join("manifests/strategies/probability-model.toml"),
        "schema_version = 1\n",
    )
    .expect("written");
    let problems = Declared::load(&DiskFiles::new(scratch.path()), "manifests/staging.toml")
        .expect_err("two files carry the id");
    insta::assert_snapshot!(render_all(&problems, false), @r#"
    error[rule]: strategy `probability-model` is two files
     --> manifests/staging.toml:8:15
      |
    8 | strategies = ["probability-model"]
      |               ^^^^^^^^^^^^^^^^^^^ seen manifests/strategies/probability-model.json and manifests/strategies/probability-model.toml
      |
      = note: wanted one file
      = help: remove one of the two
    "#);
}

#[test]
fn every_shipped_manifest_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let targets = std::fs::read(root.join("manifests/launch.toml")).expect("shipped");
    let targets = launch::source::load_targets("manifests/launch.toml", &targets)
        .unwrap_or_else(|problems| panic!("{}", render_all(&problems, false)));
    for (name, target) in &targets.value.env {
        let declared = Declared::load(&DiskFiles::new(root), &target.manifest)
            .unwrap_or_else(|problems| panic!("{name}: {}", render_all(&problems, false)));
        let manifest = &declared.manifest.value;
        let positions = manifest.safeguards.max_open_positions.get();
        let at_stake = launch_usd(manifest.position_size_usd) * positions;
        assert!(at_stake <= launch_usd(manifest.max_exposure_usd), "{name}");
        assert!(
            launch_usd(manifest.max_exposure_usd) <= launch_usd(manifest.max_capital_usd),
            "{name}"
        );
        assert!(declared.digest.starts_with("sha256:"), "{name}");
    }
}

fn launch_usd(limit: trader_core::units::UsdLimit) -> trader_core::units::Usd {
    limit.into()
}

#[test]
fn what_is_no_file_is_one_clear_refusal() {
    let scratch = project("\"probability-model\"", &["probability-model.json"]);
    std::fs::create_dir(scratch.path().join("manifests/dir.toml")).expect("created");
    let files = DiskFiles::new(scratch.path());
    for (path, want) in [
        ("manifests/none.toml", "manifests/none.toml: does not exist"),
        (
            "manifests/dir.toml",
            "manifests/dir.toml: is not a file: seen a directory, wanted a regular file",
        ),
    ] {
        let problems = Declared::load(&files, path).expect_err("no file");
        let said: Vec<String> = problems
            .iter()
            .map(launch::source::Diagnostic::one_line)
            .collect();
        assert_eq!(said, [want]);
    }
}
