//! What `launch init` writes: the project's own manifests where they are the same, templates where
//! they are not. Pure: options in, paths and texts out.

use crate::schema::{NAMES, committed, file_name};

/// Ids of a Railway service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RailwayIds {
    /// The project.
    pub(super) project: String,
    /// The environment.
    pub(super) environment: String,
    /// The service.
    pub(super) service: String,
}

/// A release of the trader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PinnedTrader {
    /// Where it is downloaded from.
    pub(super) url: String,
    /// Its sha256, 64 hex digits.
    pub(super) sha256: String,
    /// Its version.
    pub(super) version: String,
}

/// What the files depend on.
#[derive(Debug, Clone)]
pub(super) struct Options {
    /// The project's name, for its README.
    pub(super) name: String,
    /// The git remote that is deployed from.
    pub(super) remote: String,
    /// The deploy branch.
    pub(super) branch: String,
    /// The staging service, if it is on Railway.
    pub(super) railway: Option<RailwayIds>,
    /// The program that the Dockerfile pins, where somebody has said which.
    pub(super) trader: Option<PinnedTrader>,
    /// The launch that the merge gate builds: git URL and commit.
    pub(super) gate: Option<(String, String)>,
}

/// A file to write: path inside the project, text.
pub(super) type NewFile = (String, String);

const SAME: &[(&str, &str)] = &[
    // The merge gate of this repository, as it is: `tests/ci_gate.rs` runs it.
    (
        ".github/actions/launch-preflight/action.yml",
        include_str!("../../.github/actions/launch-preflight/action.yml"),
    ),
    // What the gate holds later programs against.
    (
        "schemas/checks.json",
        include_str!("../../schemas/checks.json"),
    ),
    // The red button of this repository, as it is: `tests/kill_workflow.rs` runs it.
    (
        ".github/workflows/kill.yml",
        include_str!("../../.github/workflows/kill.yml"),
    ),
    (
        "manifests/approved-limits.toml",
        include_str!("../../manifests/approved-limits.toml"),
    ),
    (
        "manifests/waivers.toml",
        include_str!("../../manifests/waivers.toml"),
    ),
    (
        "manifests/local.toml",
        include_str!("../../manifests/local.toml"),
    ),
    ("manifests/ci.toml", include_str!("../../manifests/ci.toml")),
    (
        "manifests/staging.toml",
        include_str!("../../manifests/staging.toml"),
    ),
    (
        "manifests/production.toml",
        include_str!("../../manifests/production.toml"),
    ),
    (
        "manifests/strategies/probability-model.json",
        include_str!("../../manifests/strategies/probability-model.json"),
    ),
];

/// All files of a new project, sorted by path.
pub(super) fn files(options: &Options) -> Vec<NewFile> {
    let mut files: Vec<NewFile> = SAME
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    let mut add = |path: &str, text: String| files.push((path.to_owned(), text));
    add("manifests/launch.toml", targets(options));
    add(
        "manifests/checklist.md",
        include_str!("templates/checklist.md").to_owned(),
    );
    add(
        "README.md",
        include_str!("templates/README.md").replace("{{name}}", &options.name),
    );
    add(".github/workflows/preflight.yml", gate(options));
    add("Dockerfile", dockerfile(options.trader.as_ref()));
    add(".gitignore", include_str!("templates/gitignore").to_owned());
    for name in NAMES {
        if let Some(schema) = committed(name) {
            add(
                &format!("schemas/{}", file_name(name)),
                format!("{schema:#}\n"),
            );
        }
    }
    files.sort();
    files
}

/// This repository's own workflow, with the launch that is to judge.
fn gate(options: &Options) -> String {
    let text = include_str!("../../.github/workflows/preflight.yml");
    match &options.gate {
        None => text.to_owned(),
        Some((source, rev)) => text
            .replace("source: ''", &format!("source: '{source}'"))
            .replace("rev: ''", &format!("rev: '{rev}'")),
    }
}

fn dockerfile(trader: Option<&PinnedTrader>) -> String {
    let (version, sha256, url) = trader.map_or(
        (env!("CARGO_PKG_VERSION"), crate::plan::NO_SHA256, "\"\""),
        |trader| {
            (
                trader.version.as_str(),
                trader.sha256.as_str(),
                trader.url.as_str(),
            )
        },
    );
    include_str!("templates/Dockerfile")
        .replace("{{trader_version}}", version)
        .replace("{{trader_sha256}}", sha256)
        .replace("{{trader_url}}", url)
}

fn targets(options: &Options) -> String {
    include_str!("templates/launch.toml")
        .replace("{{remote}}", &options.remote)
        .replace("{{branch}}", &options.branch)
        .replace("{{staging}}", &staging(options.railway.as_ref()))
        .replace(
            "{{production_ids}}",
            &production_ids(options.railway.as_ref()),
        )
}

/// An id that nobody has: shows the form.
const NO_ID: &str = "00000000-0000-0000-0000-000000000000";

fn staging(railway: Option<&RailwayIds>) -> String {
    let (title, platform, ids) = match railway {
        Some(ids) => (
            "# Staging on Railway. Without an account, platform = \"local\" runs it on this machine.",
            "railway",
            format!(
                "project_id = \"{}\"\nenvironment_id = \"{}\"\nservice_id = \"{}\"\n\
                 # trader_url = \"https://trader-staging.up.railway.app\"\n\
                 token_env = \"RAILWAY_TOKEN_STAGING\"",
                ids.project, ids.environment, ids.service
            ),
        ),
        None => (
            "# Staging on this machine: the same client, deploy, watchdog and kill as on Railway, without an\n\
             # account. For Railway replace the platform and fill in the ids.",
            "local",
            format!(
                "# platform = \"railway\"\n# project_id = \"{NO_ID}\"\n# environment_id = \"{NO_ID}\"\n\
                 # service_id = \"{NO_ID}\"\n# trader_url = \"https://trader-staging.up.railway.app\"\n\
                 # token_env = \"RAILWAY_TOKEN_STAGING\""
            ),
        ),
    };
    format!(
        "{title}\n[env.staging]\nclass = \"staging\"\nplatform = \"{platform}\"\n\
         manifest = \"manifests/staging.toml\"\npushed = \"tip\"\nfeed = \"generator:20260201\"\n\
         soak_secs = 3600\nsilence_kill_secs = 120\n{ids}"
    )
}

/// Production shares the project and the service; its environment is another one, so it stays open.
fn production_ids(railway: Option<&RailwayIds>) -> String {
    let (project, service) = railway.map_or((NO_ID, NO_ID), |ids| {
        (ids.project.as_str(), ids.service.as_str())
    });
    format!(
        "# project_id = \"{project}\"\n# environment_id = \"{NO_ID}\"\n# service_id = \"{service}\"\n\
         # trader_url = \"https://trader.up.railway.app\"\n# token_env = \"RAILWAY_TOKEN_PRODUCTION\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::load_targets;
    use launch_checks::targets::Platform;

    fn options(railway: Option<RailwayIds>) -> Options {
        Options {
            name: "my-trader".to_owned(),
            remote: "origin".to_owned(),
            branch: "main".to_owned(),
            railway,
            trader: None,
            gate: None,
        }
    }

    fn written_targets(options: &Options) -> launch_checks::targets::Targets {
        let files = files(options);
        let (_, text) = files
            .iter()
            .find(|(path, _)| path == "manifests/launch.toml")
            .unwrap();
        load_targets("manifests/launch.toml", text.as_bytes())
            .unwrap()
            .value
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for (path, text) in files(&options(None)) {
            // GitHub's own `${{ … }}` is not ours.
            assert!(!text.replace("${{", "").contains("{{"), "{path}");
            assert!(text.ends_with('\n'), "{path}");
        }
    }

    #[test]
    fn the_new_targets_are_the_projects_own() {
        let own = load_targets("launch.toml", include_bytes!("../../manifests/launch.toml"));
        let mut own = own.unwrap().value;
        own.tests = None;
        // It declares no tests, so that its gate can only advise on them.
        own.env.get_mut("ci").unwrap().advisory = vec!["LC-105".to_owned()];
        assert_eq!(written_targets(&options(None)), own);
    }

    #[test]
    fn ids_fill_the_staging_block_only() {
        let ids = RailwayIds {
            project: "p-1".to_owned(),
            environment: "e-1".to_owned(),
            service: "s-1".to_owned(),
        };
        let targets = written_targets(&options(Some(ids)));
        let staging = &targets.env["staging"];
        assert_eq!(staging.platform, Platform::Railway);
        assert_eq!(staging.project_id.as_deref(), Some("p-1"));
        assert_eq!(staging.environment_id.as_deref(), Some("e-1"));
        assert_eq!(staging.service_id.as_deref(), Some("s-1"));
        assert_eq!(targets.env["production"].environment_id, None);
    }
}
