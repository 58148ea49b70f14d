//! Which targets a kill has: flags, kill files and environment variables become a list.
//!
//! Asks nobody. Never a silent local and never a silent choice: whatever disagrees, is ignored or
//! is missing is named. Ids that disagree are both stopped; the doubt makes the verdict unverified.

use crate::args::KillArgs;
use crate::client::Auth;
use crate::endpoint::Endpoint;
use crate::kill_file::{KillFile, LocalProcesses};
use crate::process::{Life, ProcessId};
use crate::secret::Secret;
use crate::state_dir::{EnvName, StateDir, StateError, TokenFile, read_text};
use std::collections::{BTreeMap, BTreeSet};

/// How a target is called that has no environment name, only ids from environment variables.
pub(crate) const AMBIENT: &str = "environment-variables";
/// How a target is called that is named by flags alone.
const FLAGS: &str = "flags";
/// Ids and tokens of Railway's own that a local target ignores.
const RAILWAY_VARIABLES: &[&str] = &[
    "RAILWAY_TOKEN",
    "RAILWAY_API_TOKEN",
    "RAILWAY_PROJECT_ID",
    "RAILWAY_ENVIRONMENT_ID",
    "RAILWAY_SERVICE_ID",
    "LAUNCH_RAILWAY_URL",
    "LAUNCH_TRADER_URL",
];

/// What a kill can know before it asks anybody.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The process's environment variables.
    pub variables: BTreeMap<String, String>,
    /// The state directory, where one can be found.
    pub state_dir: Option<StateDir>,
}

impl Surroundings {
    /// Reads the process's environment; `state_dir` is the `--state-dir` flag.
    pub fn of_this_process(state_dir: Option<&std::path::Path>) -> Self {
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let state_dir = StateDir::resolve(state_dir, |name| variables.get(name).cloned());
        Self {
            variables,
            state_dir,
        }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn token(&self, kind: TokenFile, env: Option<&EnvName>) -> Option<Secret> {
        self.state_dir.as_ref()?.read_token(kind, env?).ok()?
    }
}

/// One thing to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Name of the environment, or where its ids came from.
    pub env: String,
    /// The environment's name where it has one: the key of its files.
    pub name: Option<EnvName>,
    /// Whether it runs on this machine's loopback platform.
    pub is_local: bool,
    /// The platform's GraphQL address.
    pub endpoint: Option<Endpoint>,
    /// Platform tokens, tried in order.
    pub auths: Vec<Auth>,
    /// Platform id.
    pub project_id: Option<String>,
    /// Platform id.
    pub environment_id: Option<String>,
    /// Platform id.
    pub service_id: Option<String>,
    /// The deployment that is stopped before anything is read.
    pub deployment_id: Option<String>,
    /// The instance that deploy verified.
    pub instance_nonce: Option<String>,
    /// Whether real money may be behind it (mode live or unknown).
    pub may_be_live: bool,
    /// The trader's address.
    pub trader_url: Option<Endpoint>,
    /// The watchdog's address.
    pub watchdog_url: Option<Endpoint>,
    /// Where a person can stop it by hand.
    pub dashboard_url: Option<String>,
    /// Halt tokens, tried in order.
    pub halt_tokens: Vec<Secret>,
    /// The loopback platform's process.
    pub platform_process: Option<ProcessId>,
    /// The trader's process.
    pub trader_process: Option<ProcessId>,
    /// Deployments of the other known targets.
    pub foreign_deployments: BTreeSet<String>,
    /// What disagrees about it; any makes the verdict unverified.
    pub doubts: Vec<String>,
}

impl Target {
    /// Whether any path can be tried at all.
    pub fn can_be_asked(&self) -> bool {
        let has_platform = self.endpoint.is_some() && !self.auths.is_empty();
        let has_trader = self.trader_url.is_some() && !self.halt_tokens.is_empty();
        has_platform || has_trader || self.trader_process.is_some()
    }

    /// One line: what it is and how it is reached. Holds no secret.
    pub fn describe(&self) -> String {
        let platform = if self.is_local { "local" } else { "railway" };
        let id = |label: &str, value: Option<&String>| {
            value
                .map(|value| format!(" {label} {value}"))
                .unwrap_or_default()
        };
        format!(
            "{} ({platform}){}{}{}{}",
            self.env,
            id("service", self.service_id.as_ref()),
            id("environment", self.environment_id.as_ref()),
            id("deployment", self.deployment_id.as_ref()),
            self.endpoint
                .as_ref()
                .map(|endpoint| format!(" via {endpoint}"))
                .unwrap_or_default(),
        )
    }
}

/// The targets, and what the operator should read about how they were found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// What is stopped.
    pub targets: Vec<Target>,
    /// What was ignored or replaced.
    pub notes: Vec<String>,
    /// Environments whose kill file cannot be read: they cannot be stopped from here.
    pub unreadable: Vec<(String, String)>,
}

/// Nothing could be asked: exit code 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// The kill files of the state directory.
type Known = Vec<(EnvName, Result<Option<KillFile>, StateError>)>;

/// Finds the targets of `args`.
///
/// # Errors
/// Nothing names a target, or a flag is unusable.
pub fn resolve(args: &KillArgs, around: &Surroundings) -> Result<Resolved, Unusable> {
    let known = known_targets(around)?;
    let mut found = Resolved::default();
    if let Some(name) = &args.env {
        let env = EnvName::parse(name).map_err(|error| Unusable(error.to_string()))?;
        one_env(&env, args, around, &known, &mut found)?;
    } else if has_id_flags(args) {
        by_flags(args, around, &known, &mut found)?;
    } else {
        every_env(args, around, &known, &mut found)?;
    }
    set_foreign_deployments(&mut found, &known);
    Ok(found)
}

fn known_targets(around: &Surroundings) -> Result<Known, Unusable> {
    let Some(dir) = &around.state_dir else {
        return Ok(Vec::new());
    };
    // A directory that cannot be listed hides targets; with ids from elsewhere the kill goes on.
    let envs = match dir.known_envs() {
        Ok(envs) => envs,
        Err(error) if around.variable("RAILWAY_SERVICE_ID").is_none() => {
            return Err(Unusable(error.to_string()));
        }
        Err(_) => Vec::new(),
    };
    Ok(envs
        .into_iter()
        .map(|env| (env.clone(), KillFile::read(dir, &env)))
        .collect())
}

fn has_id_flags(args: &KillArgs) -> bool {
    args.project_id.is_some() || args.environment_id.is_some() || args.service_id.is_some()
}

/// `--env E`.
fn one_env(
    env: &EnvName,
    args: &KillArgs,
    around: &Surroundings,
    known: &Known,
    found: &mut Resolved,
) -> Result<(), Unusable> {
    let file = match known.iter().find(|(name, _)| name == env) {
        Some((_, Ok(file))) => file.clone(),
        Some((_, Err(error))) => {
            found.notes.push(format!(
                "{error}; going on with flags and environment variables"
            ));
            None
        }
        None => None,
    };
    let has_file = file.is_some();
    let file = file.unwrap_or_default();
    let target = build(Some(env), &file, has_file, args, around, found)?;
    if !target.can_be_asked() {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        let known = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return Err(Unusable(format!(
            "cannot stop `{env}`: {}. Known here: {known}. Set RAILWAY_TOKEN (a project token) and \
             RAILWAY_SERVICE_ID, or pass --service-id, or --state-dir where its kill file lies",
            missing(&target, has_file),
        )));
    }
    if !target.is_local && has_file {
        push_with_ambient(target, around, found, &[]);
    } else {
        found.targets.push(target);
    }
    Ok(())
}

/// Ids by flag and no `--env`: the environment whose kill file has the same ids, else flags alone.
fn by_flags(
    args: &KillArgs,
    around: &Surroundings,
    known: &Known,
    found: &mut Resolved,
) -> Result<(), Unusable> {
    let fits = |file: &KillFile| {
        let same = |flag: &Option<String>, id: &Option<String>| flag.is_none() || flag == id;
        same(&args.project_id, &file.project_id)
            && same(&args.environment_id, &file.environment_id)
            && same(&args.service_id, &file.service_id)
    };
    let matching: Vec<(&EnvName, &KillFile)> = known
        .iter()
        .filter_map(|(env, file)| Some((env, file.as_ref().ok()?.as_ref()?)))
        .filter(|(_, file)| fits(file))
        .collect();
    let target = if let [(env, file)] = matching.as_slice() {
        build(Some(env), file, true, args, around, found)?
    } else {
        build(None, &KillFile::default(), false, args, around, found)?
    };
    if !target.can_be_asked() {
        return Err(Unusable(format!(
            "cannot stop by these ids: {}",
            missing(&target, false)
        )));
    }
    found.targets.push(target);
    Ok(())
}

/// Nothing named, or `--all`: every environment that the state directory knows; without any, the
/// ids of the environment variables.
fn every_env(
    args: &KillArgs,
    around: &Surroundings,
    known: &Known,
    found: &mut Resolved,
) -> Result<(), Unusable> {
    if known.len() > 1 && (args.trader_url.is_some() || args.endpoint.is_some()) {
        return Err(Unusable(
            "--endpoint and --trader-url fit one target: add --env NAME".into(),
        ));
    }
    let mut built = Vec::new();
    for (env, file) in known {
        match file {
            Ok(file) => {
                let file = file.clone().unwrap_or_default();
                built.push(build(Some(env), &file, true, args, around, found)?);
            }
            Err(error) => found.unreadable.push((env.to_string(), error.to_string())),
        }
    }
    if known.is_empty() {
        let target = build(None, &KillFile::default(), false, args, around, found)?;
        if !target.can_be_asked() {
            return Err(Unusable(format!(
                "nothing to stop is known: {} Pass --env NAME with its kill file in the state \
                 directory, or set RAILWAY_TOKEN and RAILWAY_SERVICE_ID",
                around.state_dir.as_ref().map_or_else(
                    || "there is no state directory (no HOME).".to_owned(),
                    |dir| format!("no kill file in {}.", dir.root().display())
                ),
            )));
        }
        found.targets.push(target);
        return Ok(());
    }
    let is_known = built
        .iter()
        .any(|target| !target.is_local && ambient_conflicts(target, around).is_empty());
    let (local, railway): (Vec<Target>, Vec<Target>) =
        built.into_iter().partition(|target| target.is_local);
    found.targets.extend(local);
    if is_known || railway.is_empty() {
        found.targets.extend(railway);
        return Ok(());
    }
    // The variables name something that no kill file knows: it is stopped too, once.
    let mut railway = railway.into_iter();
    if let Some(first) = railway.next() {
        let rest: Vec<Target> = railway.collect();
        push_with_ambient(first, around, found, &rest);
        found.targets.extend(rest);
    }
    Ok(())
}

/// Adds a target and, where the environment variables name another one, that one too.
fn push_with_ambient(
    mut target: Target,
    around: &Surroundings,
    found: &mut Resolved,
    others: &[Target],
) {
    let conflicts = ambient_conflicts(&target, around);
    if conflicts.is_empty() {
        found.targets.push(target);
        return;
    }
    let id = |name: &str, own: &Option<String>| {
        around
            .variable(name)
            .map(str::to_owned)
            .or_else(|| own.clone())
    };
    let ambient = Target {
        env: AMBIENT.to_owned(),
        name: None,
        project_id: id("RAILWAY_PROJECT_ID", &target.project_id),
        environment_id: id("RAILWAY_ENVIRONMENT_ID", &target.environment_id),
        service_id: id("RAILWAY_SERVICE_ID", &target.service_id),
        deployment_id: None,
        instance_nonce: None,
        may_be_live: true,
        trader_url: None,
        watchdog_url: None,
        dashboard_url: None,
        doubts: conflicts.clone(),
        ..target.clone()
    };
    found.notes.extend(
        conflicts
            .iter()
            .map(|conflict| format!("{conflict}; both are stopped")),
    );
    let is_known = others.iter().any(|other| {
        other.service_id == ambient.service_id && other.environment_id == ambient.environment_id
    });
    target.doubts.extend(conflicts);
    found.targets.push(target);
    if !is_known {
        found.targets.push(ambient);
    }
}

/// Ids of the environment variables that are not this target's.
fn ambient_conflicts(target: &Target, around: &Surroundings) -> Vec<String> {
    let own = [
        ("RAILWAY_PROJECT_ID", &target.project_id),
        ("RAILWAY_ENVIRONMENT_ID", &target.environment_id),
        ("RAILWAY_SERVICE_ID", &target.service_id),
    ];
    own.into_iter()
        .filter_map(|(name, own)| {
            let ambient = around.variable(name)?;
            let own = own.as_ref().filter(|own| *own != ambient)?;
            Some(format!("{name} is {ambient}, but {} is {own}", target.env))
        })
        .collect()
}

/// One target from its kill file, the flags and, unless it is local, the environment variables.
fn build(
    env: Option<&EnvName>,
    file: &KillFile,
    has_file: bool,
    args: &KillArgs,
    around: &Surroundings,
    found: &mut Resolved,
) -> Result<Target, Unusable> {
    let is_local = file.is_local();
    let label = env.map_or_else(
        || {
            if has_id_flags(args) {
                FLAGS.to_owned()
            } else {
                AMBIENT.to_owned()
            }
        },
        ToString::to_string,
    );
    let ambient = |name: &str| {
        if is_local {
            None
        } else {
            around.variable(name).map(str::to_owned)
        }
    };
    let id = |flag: &Option<String>, own: &Option<String>, variable: &str| {
        flag.clone()
            .or_else(|| own.clone())
            .or_else(|| ambient(variable))
    };
    let project_id = id(&args.project_id, &file.project_id, "RAILWAY_PROJECT_ID");
    let environment_id = id(
        &args.environment_id,
        &file.environment_id,
        "RAILWAY_ENVIRONMENT_ID",
    );
    let service_id = id(&args.service_id, &file.service_id, "RAILWAY_SERVICE_ID");
    // What the file says of one deployment is not true of another service.
    let is_files_own = (file.service_id.is_none() || service_id == file.service_id)
        && (file.environment_id.is_none() || environment_id == file.environment_id);
    let of_file = |value: &Option<String>| value.clone().filter(|_| is_files_own);
    if is_local {
        found.notes.extend(ignored_by_local(&label, around));
    }
    let mut target = Target {
        name: env.cloned(),
        is_local,
        endpoint: endpoint(&label, file, has_file, args, around, found)?,
        auths: auths(env, file, around),
        project_id,
        environment_id,
        service_id,
        deployment_id: of_file(&file.deployment_id),
        instance_nonce: of_file(&file.instance_nonce),
        may_be_live: file.may_be_live() || !is_files_own,
        trader_url: trader_url(
            &label,
            of_file(&file.trader_url),
            ambient("LAUNCH_TRADER_URL"),
            args,
            found,
        )?,
        watchdog_url: address(&label, "watchdog_url", of_file(&file.watchdog_url), found),
        dashboard_url: of_file(&file.dashboard_url),
        halt_tokens: halt_tokens(env, is_local, around),
        platform_process: file.local.as_ref().and_then(LocalProcesses::platform),
        trader_process: file
            .local
            .as_ref()
            .and_then(LocalProcesses::trader)
            .filter(|_| is_files_own),
        foreign_deployments: BTreeSet::new(),
        doubts: Vec::new(),
        env: label,
    };
    if is_local && args.endpoint.is_none() {
        follow_moved_platform(&mut target, around, found);
    }
    Ok(target)
}

fn ignored_by_local(label: &str, around: &Surroundings) -> Option<String> {
    let set: Vec<&str> = RAILWAY_VARIABLES
        .iter()
        .copied()
        .filter(|name| around.variable(name).is_some())
        .collect();
    (!set.is_empty()).then(|| {
        format!(
            "{label} runs on this machine: {} ignored for it",
            set.join(", ")
        )
    })
}

/// Flag, kill file, `LAUNCH_RAILWAY_URL`, Railway's own. A loopback address for a target on
/// Railway is taken by flag only.
fn endpoint(
    label: &str,
    file: &KillFile,
    has_file: bool,
    args: &KillArgs,
    around: &Surroundings,
    found: &mut Resolved,
) -> Result<Option<Endpoint>, Unusable> {
    if let Some(flag) = &args.endpoint {
        return Endpoint::parse(flag)
            .map(Some)
            .map_err(|error| Unusable(format!("--endpoint: {error}")));
    }
    let from_file = address(label, "endpoint", file.endpoint.clone(), found);
    if file.is_local() {
        return Ok(from_file);
    }
    let variable = around.variable("LAUNCH_RAILWAY_URL").map(str::to_owned);
    let from_variable = address(label, "LAUNCH_RAILWAY_URL", variable, found);
    for candidate in [from_file, from_variable].into_iter().flatten() {
        if candidate.is_loopback() && has_file {
            found.notes.push(format!(
                "{label} runs on Railway: {candidate} is ignored (take it with --endpoint)"
            ));
        } else {
            return Ok(Some(candidate));
        }
    }
    Ok(Endpoint::railway().ok())
}

fn trader_url(
    label: &str,
    own: Option<String>,
    ambient: Option<String>,
    args: &KillArgs,
    found: &mut Resolved,
) -> Result<Option<Endpoint>, Unusable> {
    if let Some(flag) = &args.trader_url {
        return Endpoint::parse(flag)
            .map(Some)
            .map_err(|error| Unusable(format!("--trader-url: {error}")));
    }
    let own = address(label, "trader_url", own, found);
    Ok(own.or_else(|| address(label, "LAUNCH_TRADER_URL", ambient, found)))
}

/// An address from a file or variable: an unusable one is named and left out.
fn address(
    label: &str,
    what: &str,
    text: Option<String>,
    found: &mut Resolved,
) -> Option<Endpoint> {
    let parsed = Endpoint::parse(&text?);
    if let Err(error) = &parsed {
        found
            .notes
            .push(format!("{label}: {what} ignored: {error}"));
    }
    parsed.ok()
}

/// Platform tokens in reading order, without repeats. A local target has only its own.
fn auths(env: Option<&EnvName>, file: &KillFile, around: &Surroundings) -> Vec<Auth> {
    let from_file = around.token(TokenFile::Platform, env).map(Auth::Project);
    if file.is_local() {
        return from_file.into_iter().collect();
    }
    let variable = |name: &str| around.variable(name).and_then(Secret::new);
    let own_name = env.map(|env| {
        format!(
            "RAILWAY_TOKEN_{}",
            env.as_str().to_uppercase().replace('-', "_")
        )
    });
    let candidates = [
        variable("RAILWAY_TOKEN").map(Auth::Project),
        own_name.as_deref().and_then(variable).map(Auth::Project),
        file.token_env
            .as_deref()
            .and_then(variable)
            .map(Auth::Project),
        from_file,
        variable("RAILWAY_API_TOKEN").map(Auth::Bearer),
    ];
    let mut auths: Vec<Auth> = Vec::new();
    for auth in candidates.into_iter().flatten() {
        if !auths.contains(&auth) {
            auths.push(auth);
        }
    }
    auths
}

/// Environment, then file; for a local target the file first: the variable is likely another's.
fn halt_tokens(env: Option<&EnvName>, is_local: bool, around: &Surroundings) -> Vec<Secret> {
    let variable = around.variable("LAUNCH_HALT_TOKEN").and_then(Secret::new);
    let file = around.token(TokenFile::Halt, env);
    let mut tokens: Vec<Secret> = if is_local {
        [file, variable]
    } else {
        [variable, file]
    }
    .into_iter()
    .flatten()
    .collect();
    tokens.dedup();
    tokens
}

/// The platform of this machine may have been started again since the deploy, at another port: its
/// own note (`local/platform/platform.json`) tells, and counts only while that process lives.
fn follow_moved_platform(target: &mut Target, around: &Surroundings, found: &mut Resolved) {
    let Some(dir) = &around.state_dir else { return };
    let note = dir.root().join("local/platform/platform.json");
    let Ok(Some(text)) = read_text(&note) else {
        return;
    };
    let Ok(note) = serde_json::from_str::<serde_json::Value>(&text) else {
        return;
    };
    let process = || {
        Some(ProcessId {
            boot_id: note.get("boot_id")?.as_str()?.to_owned(),
            pid: note
                .get("pid")?
                .as_u64()
                .and_then(|pid| u32::try_from(pid).ok())?,
            start: note.get("pid_start")?.as_u64()?,
        })
    };
    let endpoint = note
        .get("endpoint")
        .and_then(|text| Endpoint::parse(text.as_str()?).ok());
    let (Some(process), Some(endpoint)) = (process(), endpoint) else {
        return;
    };
    let is_moved = target.endpoint.as_ref() != Some(&endpoint)
        || target.platform_process.as_ref() != Some(&process);
    if is_moved && endpoint.is_loopback() && process.life() == Life::Alive {
        found.notes.push(format!(
            "{}: the platform of this machine runs at {endpoint} now",
            target.env
        ));
        target.endpoint = Some(endpoint);
        target.platform_process = Some(process);
    }
}

/// What of the kill's needs is not there.
fn missing(target: &Target, has_file: bool) -> String {
    let mut missing = Vec::new();
    if !has_file {
        missing.push("it has no kill file here");
    }
    if target.auths.is_empty() {
        missing.push("no platform token");
    }
    if target.service_id.is_none() {
        missing.push("no service id");
    }
    missing.join(", ")
}

fn set_foreign_deployments(found: &mut Resolved, known: &Known) {
    let all: BTreeMap<&EnvName, &String> = known
        .iter()
        .filter_map(|(env, file)| {
            Some((env, file.as_ref().ok()?.as_ref()?.deployment_id.as_ref()?))
        })
        .collect();
    for target in &mut found.targets {
        target.foreign_deployments = all
            .iter()
            .filter(|(env, id)| {
                target.name.as_ref() != Some(**env) && target.deployment_id.as_ref() != Some(**id)
            })
            .map(|(_, id)| (*id).clone())
            .collect();
    }
}
