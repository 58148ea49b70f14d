//! The project that is judged: its repository, `launch.toml` of HEAD, and one environment of it.

use super::head_files::HeadFiles;
use crate::exit::Exit;
use crate::repo::{Repo, RepoError};
use crate::source::{self, Diagnostic, Files as _};
use launch_checks::targets::{TARGETS_PATH, Target, Targets};
use launch_checks::{EnvFacts, Place, SelectionError};
use std::path::Path;
use trader_core::near_miss::near_miss;

/// A repository with usable targets.
#[derive(Debug)]
pub struct Project {
    /// The repository, as of HEAD.
    pub repo: Repo,
    /// `launch.toml` of HEAD.
    pub targets: Targets,
    /// The environment's name.
    pub env: String,
    /// The environment.
    pub target: Target,
}

/// Why there is nothing to judge.
#[derive(Debug)]
pub enum Unusable {
    /// `launch.toml` is absent from HEAD or wrong.
    Targets(Vec<Diagnostic>),
    /// No such environment.
    NoSuchEnv {
        /// What was asked.
        seen: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The selection names nothing that runs.
    Selection(SelectionError),
    /// The operator ended it.
    Interrupted,
}

impl From<SelectionError> for Unusable {
    fn from(error: SelectionError) -> Self {
        Self::Selection(error)
    }
}

impl Unusable {
    /// For people, without a final line end.
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Targets(problems) => source::render_all(problems, color),
            Self::NoSuchEnv { seen, known } => {
                let near = near_miss(seen, known.iter().map(String::as_str))
                    .map(|near| format!("did you mean --env {near}? "))
                    .unwrap_or_default();
                format!(
                    "error: {TARGETS_PATH} has no environment {seen:?}\nhelp: {near}it has {}",
                    known.join(", ")
                )
            }
            Self::Interrupted => "interrupted: nothing was judged".to_owned(),
            Self::Selection(error) => {
                format!("error: {error}\nhelp: docs/checks.md lists all codes")
            }
        }
    }

    /// Where it is wrong, for annotations.
    pub fn places(&self) -> Vec<Place> {
        match self {
            Self::Targets(problems) => problems.iter().map(Diagnostic::place).collect(),
            Self::NoSuchEnv { .. } => vec![Place::file(TARGETS_PATH, self.render(false))],
            Self::Selection(_) | Self::Interrupted => Vec::new(),
        }
    }

    /// The documented exit code: 2, or 70 when `launch` contradicts itself.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Interrupted => Exit::Interrupted,
            Self::Targets(problems) if source::exit_of(problems) == Exit::Bug => Exit::Bug,
            Self::Targets(_) | Self::NoSuchEnv { .. } | Self::Selection(_) => Exit::Usage,
        }
    }
}

impl Project {
    /// Opens the repository that holds `cwd` and reads its targets from HEAD. The inner error says
    /// that nothing can be said about the repository itself.
    ///
    /// # Errors
    /// [`Unusable`] targets or environment.
    pub fn open(cwd: &Path, env: &str) -> Result<Result<Self, RepoError>, Unusable> {
        let repo = match Repo::discover(cwd) {
            Ok(repo) => repo,
            Err(error) => return Ok(Err(error)),
        };
        let targets = HeadFiles(&repo)
            .read(TARGETS_PATH)
            .map_err(|problem| Unusable::Targets(vec![problem]))
            .and_then(|bytes| {
                source::load_targets(TARGETS_PATH, &bytes).map_err(Unusable::Targets)
            })?
            .value;
        let Some(target) = targets.env.get(env).cloned() else {
            return Err(Unusable::NoSuchEnv {
                seen: env.to_owned(),
                known: targets.env.keys().cloned().collect(),
            });
        };
        Ok(Ok(Self {
            repo,
            targets,
            env: env.to_owned(),
            target,
        }))
    }

    /// What checks may know of the environment.
    pub(super) fn env_facts(&self) -> EnvFacts {
        EnvFacts {
            name: self.env.clone(),
            class: self.target.class,
            platform: self.target.platform,
            pushed: self.target.pushed(),
            advisory: self.target.advisory.clone(),
        }
    }
}
