//! What can be put on paper about a target: ids, addresses, where its tokens lie. No secret.
//!
//! Reads flags, kill files and the environment's ids; asks nobody, needs nothing, never fails: what
//! is not known is a placeholder, and `is_filled` says so.

use crate::args::KillArgs;
use crate::endpoint::{Endpoint, RAILWAY};
use crate::kill_file::{KillFile, living_platform};
use crate::state_dir::{EnvName, TokenFile};
use crate::targets::Surroundings;
use std::path::PathBuf;

/// One target on paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// Its name; `None` when nothing names one.
    pub(crate) env: Option<String>,
    pub(crate) is_local: bool,
    pub(crate) endpoint: String,
    pub(crate) project_id: Option<String>,
    pub(crate) environment_id: Option<String>,
    pub(crate) service_id: Option<String>,
    pub(crate) deployment_id: Option<String>,
    pub(crate) trader_url: Option<String>,
    pub(crate) dashboard_url: Option<String>,
    /// Variables that may hold the platform token, in reading order.
    pub(crate) token_variables: Vec<String>,
    /// The files of the platform token and of the halt token, where a state directory is known.
    pub(crate) token_files: Option<(PathBuf, PathBuf)>,
    /// The repository's page.
    pub(crate) repository: Option<String>,
}

impl Sheet {
    /// Whether the service is known: without it nothing on the paper can be used as it stands.
    pub(crate) fn is_filled(&self) -> bool {
        self.service_id.is_some() && (self.environment_id.is_some() || !self.is_local)
    }

    /// The name, or what stands for one.
    pub(crate) fn name(&self) -> &str {
        self.env.as_deref().unwrap_or("ENV")
    }
}

/// One sheet per target, at least one; and what was odd about it.
pub(crate) fn sheets(args: &KillArgs, around: &Surroundings) -> (Vec<Sheet>, Vec<String>) {
    let mut notes = Vec::new();
    let known = around.state_dir.as_ref().map_or_else(Vec::new, |dir| {
        dir.known_envs().unwrap_or_else(|error| {
            notes.push(error.to_string());
            Vec::new()
        })
    });
    let envs: Vec<Option<EnvName>> = match &args.env {
        Some(text) => match EnvName::parse(text) {
            Ok(env) => vec![Some(env)],
            Err(error) => {
                notes.push(error.to_string());
                vec![None]
            }
        },
        None if known.is_empty() => vec![None],
        None => known.iter().cloned().map(Some).collect(),
    };
    let sheets = envs
        .iter()
        .map(|env| sheet(env.as_ref(), args, around, &mut notes))
        .collect();
    if let Some(env) = args
        .env
        .as_ref()
        .filter(|env| !known.is_empty() && known.iter().all(|name| name.as_str() != env.as_str()))
    {
        notes.push(crate::targets::unknown_name(env, &known));
    }
    (sheets, notes)
}

fn sheet(
    env: Option<&EnvName>,
    args: &KillArgs,
    around: &Surroundings,
    notes: &mut Vec<String>,
) -> Sheet {
    let file = env
        .zip(around.state_dir.as_ref())
        .and_then(|(env, dir)| {
            KillFile::read(dir, env).unwrap_or_else(|error| {
                notes.push(format!("{error}; left open what it would have told"));
                None
            })
        })
        .unwrap_or_default();
    let is_local = file.is_local();
    let variable = |name: &str| {
        (!is_local)
            .then(|| around.variables.get(name).cloned())
            .flatten()
    };
    let mut id = |what: &str, flag: &Option<String>, own: Option<String>, name: &str| {
        let found = flag.clone().or(own).or_else(|| variable(name))?;
        let found = found.trim().to_owned();
        if is_id(&found) {
            return Some(found);
        }
        notes.push(format!(
            "the {what} `{}` is no id: left open",
            shown(&found)
        ));
        None
    };
    let project_id = id(
        "project",
        &args.project_id,
        file.project_id,
        "RAILWAY_PROJECT_ID",
    );
    let environment_id = id(
        "environment",
        &args.environment_id,
        file.environment_id,
        "RAILWAY_ENVIRONMENT_ID",
    );
    let service_id = id(
        "service",
        &args.service_id,
        file.service_id.clone(),
        "RAILWAY_SERVICE_ID",
    );
    let is_files_own = file.service_id.is_none() || service_id == file.service_id;
    let deployment_id = id(
        "deployment",
        &None,
        file.deployment_id.filter(|_| is_files_own),
        "",
    );
    let moved = around
        .state_dir
        .as_ref()
        .filter(|_| is_local)
        .and_then(living_platform)
        .map(|(endpoint, _)| endpoint.as_str().to_owned());
    let address = |text: Option<String>| {
        let parsed = Endpoint::parse(&text?).ok()?;
        (!parsed.as_str().contains('\'')).then(|| parsed.as_str().to_owned())
    };
    let own_endpoint = file
        .endpoint
        .filter(|_| is_local || args.endpoint.is_none());
    Sheet {
        env: env.map(ToString::to_string),
        is_local,
        endpoint: address(args.endpoint.clone())
            .or(moved)
            .or_else(|| address(own_endpoint))
            .unwrap_or_else(|| RAILWAY.to_owned()),
        project_id,
        environment_id,
        service_id,
        deployment_id,
        trader_url: address(args.trader_url.clone())
            .or_else(|| address(file.trader_url.filter(|_| is_files_own)))
            .or_else(|| address(variable("LAUNCH_TRADER_URL"))),
        dashboard_url: file.dashboard_url.filter(|_| is_files_own),
        token_variables: token_variables(env, is_local, file.token_env.as_deref()),
        token_files: env.zip(around.state_dir.as_ref()).map(|(env, dir)| {
            let path = |kind| std::path::absolute(dir.token_path(kind, env)).unwrap_or_default();
            (path(TokenFile::Platform), path(TokenFile::Halt))
        }),
        repository: args.repository.clone(),
    }
}

/// Ids of the platform are letters, digits and dashes; nothing else may stand in a shell line.
fn is_id(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.chars().all(fits)
}

fn shown(text: &str) -> String {
    crate::call_error::shorten(text)
}

fn token_variables(env: Option<&EnvName>, is_local: bool, own: Option<&str>) -> Vec<String> {
    if is_local {
        return Vec::new();
    }
    let mut names = vec!["RAILWAY_TOKEN".to_owned()];
    names.extend(env.map(crate::targets::own_token_variable));
    names.extend(own.map(str::to_owned).filter(|name| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(fits)
    }));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
