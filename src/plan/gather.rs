//! Everything a plan is made of: HEAD's files, the target, the platform's present state.
//!
//! Looks only, with one exception that is said in the command's help: for a target on this machine it
//! starts the machine's platform and makes its tokens. Decides nothing about what it sees.

use super::intent::{
    Intent, PLAN_LIFE_SECS, Plan, PlanError, Program, ServiceSettings, WatchPolicy,
};
use super::pin::PIN_PATH;
use super::variables;
use crate::clock;
use crate::context::Context;
use crate::exit::Exit;
use crate::platform::connect::{self, ConnectError, Connected};
use crate::platform::tokens::{self, TokenError, TraderTokens};
use crate::preflight::{HeadFiles, Project, Unusable};
use crate::repo::{Repo, RepoError};
use crate::source::{self, Declared, Diagnostic};
use crate::verify::observe;
use launch_checks::targets::{Class, Platform, Target};
use launch_kill::{CallError, Deadline, EnvName, Secret, StateDir, StateError, platform};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use trader_core::digest;
use trader_core::engine::Engine;
use trader_core::ledger::LedgerState;
use trader_runtime::faults::Fault;

/// Longest wait for the platform's variables, ms.
const VARIABLES_TIMEOUT_MS: u64 = 15_000;

/// Random bytes of a plan id.
const PLAN_ID_BYTES: usize = 8;

/// The folder whose presence in HEAD means that the platform builds the trader from the commit.
const TRADER_DIR: &str = "trader";

/// Everything a deploy needs to know, gathered once.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// The plan.
    pub plan: Plan,
    /// The environment.
    pub env: EnvName,
    /// The state directory.
    pub state: StateDir,
    /// The target.
    pub target: Target,
    /// The platform.
    pub connected: Connected,
    /// Tokens of the trader's surface.
    pub tokens: TraderTokens,
    /// Variables that the deploy writes. Holds secrets: never printed, no `Debug` of the values.
    pub written: Written,
    /// The top of the repository.
    pub top: PathBuf,
}

/// The variables that a deploy writes.
#[derive(Clone)]
pub struct Written(pub BTreeMap<String, String>);

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why no plan can be made.
#[derive(Debug, thiserror::Error)]
pub enum GatherError {
    /// No usable repository.
    #[error("{0}")]
    Repo(#[from] RepoError),
    /// `launch.toml` or the environment cannot be used.
    #[error("{}", .0.render(false))]
    Project(Unusable),
    /// Manifest or strategies cannot be used.
    #[error("{}", source::render_all(.0, false))]
    Manifest(Vec<Diagnostic>),
    /// The trader cannot be built from them.
    #[error("the trader cannot be built from {path}: {error}")]
    Engine {
        /// The manifest.
        path: String,
        /// Why.
        error: String,
    },
    /// The platform cannot be reached.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// The platform does not answer.
    #[error("cannot read {what} from {endpoint}: {error}")]
    Platform {
        /// What was asked.
        what: &'static str,
        /// Where.
        endpoint: String,
        /// Why not.
        error: String,
    },
    /// A token is missing.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The state directory cannot be used.
    #[error("{0}")]
    State(#[from] StateError),
    /// The program that would run cannot be read.
    #[error("cannot read the program that the platform starts, {}: {source}", path.display())]
    Program {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A fault is planted where none may be.
    #[error(
        "the service of {env} has the variable {variable}, which plants a fault; delete it \
         (rehearsals only, never {class} on {platform})"
    )]
    PlantedFault {
        /// Environment.
        env: String,
        /// The variable.
        variable: &'static str,
        /// Its class.
        class: String,
        /// Its platform.
        platform: String,
    },
    /// The plan cannot be made.
    #[error("{0}")]
    Plan(#[from] PlanError),
}

impl GatherError {
    /// Tells it on stderr; diagnostics come with their own headings.
    pub fn report(&self, ctx: &Context) -> Exit {
        match self {
            Self::Project(unusable) => ctx.error(&unusable.render(ctx.color)),
            Self::Manifest(problems) => ctx.error(&source::render_all(problems, ctx.color)),
            Self::Repo(_)
            | Self::Engine { .. }
            | Self::Connect(_)
            | Self::Platform { .. }
            | Self::Token(_)
            | Self::State(_)
            | Self::Program { .. }
            | Self::PlantedFault { .. }
            | Self::Plan(_) => ctx.error(&format!("error: {self}")),
        }
        self.exit()
    }

    /// The documented exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Repo(_) | Self::Token(_) => Exit::Usage,
            Self::Project(unusable) => unusable.exit(),
            Self::Manifest(problems) => source::exit_of(problems),
            Self::Engine { .. } | Self::PlantedFault { .. } => Exit::CheckFailed,
            Self::Connect(error) if error.is_usage() => Exit::Usage,
            Self::Connect(_) | Self::Platform { .. } | Self::State(_) | Self::Program { .. } => {
                Exit::Unknown
            }
            Self::Plan(_) => Exit::Bug,
        }
    }
}

/// Gathers everything and makes the plan. `plan_id` is that of a plan being recomputed.
///
/// # Errors
/// See [`GatherError`].
pub async fn gather(
    ctx: &Context,
    env: &str,
    endpoint: Option<&str>,
    plan_id: Option<&str>,
) -> Result<Gathered, GatherError> {
    let state = StateDir::at(&ctx.state_dir);
    let Project {
        repo,
        targets,
        target,
        ..
    } = Project::open(&ctx.cwd, env).map_err(GatherError::Project)??;
    let env = EnvName::parse(env)?;
    let declared =
        Declared::load(&HeadFiles(&repo), &target.manifest).map_err(GatherError::Manifest)?;
    let components = components_of(&declared)?;
    let connected = connect::connect(
        &env,
        &target,
        &state,
        repo.top(),
        &targets.repo.branch,
        endpoint,
    )
    .await?;
    let in_service = variables_of(&connected).await?;
    let tokens = tokens_of(&state, &env, &target, &in_service)?;
    let written = written(&target, &tokens);
    let live = observe::live(&connected.client, &connected.ids)
        .await
        .map_err(|error| failed("live deployments", &connected, error))?;
    let (program, mut notes) = program_of(&repo, &connected)?;
    let fault = planted_fault(&env, &target, &in_service)?;
    if let Some(label) = &fault {
        notes.push(format!(
            "a rehearsal planted a fault in this service:{label}"
        ));
    }
    notes.extend(order_note(&target, !live.is_empty()));
    let manifest = &declared.manifest.value;
    let intent = Intent {
        env: env.to_string(),
        class: target.class.to_string(),
        platform: target.platform.to_string(),
        feed: format!("{}{}", target.feed, fault.unwrap_or_default()),
        commit: repo.commit(),
        tree: repo.tree(),
        manifest_path: target.manifest.clone(),
        manifest_digest: declared.digest.clone(),
        mode: manifest.mode,
        effective: manifest.flattened(),
        strategies: manifest
            .strategies
            .iter()
            .map(ToString::to_string)
            .collect(),
        components,
        program,
        project_id: connected.ids.project_id.clone().unwrap_or_default(),
        environment_id: connected.ids.environment_id.clone(),
        service_id: connected.ids.service_id.clone(),
        settings: ServiceSettings::one_writer(),
        variables: variables::salted(&in_service, &written.0, tokens.control.expose().as_bytes()),
        watch: WatchPolicy::with_silence(u64::from(target.silence_kill_secs())),
    };
    let now = clock::now();
    let expires = now
        .checked_add(jiff::SignedDuration::from_secs(PLAN_LIFE_SECS))
        .unwrap_or(now);
    let plan_id = match plan_id {
        Some(id) => id.to_owned(),
        None => tokens::random_hex(PLAN_ID_BYTES)?,
    };
    Ok(Gathered {
        plan: Plan::new(
            intent,
            live.into_iter().map(|deployment| deployment.id).collect(),
            plan_id,
            clock::text(now),
            clock::text(expires),
            notes,
        )?,
        top: repo.top().to_owned(),
        env,
        state,
        target,
        connected,
        tokens,
        written,
    })
}

/// Ids of the component instances that the manifest builds, from an engine that is really built.
fn components_of(declared: &Declared) -> Result<Vec<String>, GatherError> {
    let engine = Engine::new(
        &declared.manifest.value,
        &declared.strategy_files(),
        LedgerState::default(),
    )
    .map_err(|error| GatherError::Engine {
        path: declared.manifest_path.clone(),
        error: error.to_string(),
    })?;
    let mut ids: Vec<String> = engine.components().into_iter().map(|c| c.id).collect();
    ids.sort();
    Ok(ids)
}

async fn variables_of(connected: &Connected) -> Result<BTreeMap<String, String>, GatherError> {
    let deadline = Deadline::after(Duration::from_millis(VARIABLES_TIMEOUT_MS));
    let read = platform::variables(&connected.client, &connected.ids, deadline)
        .await
        .map_err(|error: CallError| failed("variables", connected, error.to_string()))?;
    Ok(read
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                value.map_or_else(String::new, |v| v.expose().to_owned()),
            )
        })
        .collect())
}

fn failed(what: &'static str, connected: &Connected, error: String) -> GatherError {
    GatherError::Platform {
        what,
        endpoint: connected.endpoint.as_str().to_owned(),
        error,
    }
}

/// Environment, file, the platform's variable; for this machine's own platform made on first use.
fn tokens_of(
    state: &StateDir,
    env: &EnvName,
    target: &Target,
    in_service: &BTreeMap<String, String>,
) -> Result<TraderTokens, GatherError> {
    if target.platform == Platform::Local {
        return Ok(tokens::local(state, env)?);
    }
    match tokens::find(state, env, false, &tokens::process_variable) {
        Ok(found) => Ok(found),
        Err(missing) => {
            let on_platform = |name: &str| in_service.get(name).and_then(|text| Secret::new(text));
            match (
                on_platform("LAUNCH_HALT_TOKEN"),
                on_platform("LAUNCH_CONTROL_TOKEN"),
            ) {
                (Some(halt), Some(control)) => Ok(TraderTokens { halt, control }),
                _ => Err(missing.into()),
            }
        }
    }
}

fn written(target: &Target, tokens: &TraderTokens) -> Written {
    let pairs = [
        ("LAUNCH_MANIFEST", target.manifest.clone()),
        ("LAUNCH_FEED", target.feed.to_string()),
        ("LAUNCH_HALT_TOKEN", connect::as_variable(&tokens.halt)),
        (
            "LAUNCH_CONTROL_TOKEN",
            connect::as_variable(&tokens.control),
        ),
    ];
    Written(
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// Which program must run, and what the operator should know about it.
fn program_of(repo: &Repo, connected: &Connected) -> Result<(Program, Vec<String>), GatherError> {
    let Some(local) = &connected.local else {
        if repo.has_dir(TRADER_DIR) {
            return Ok((Program::Source, Vec::new()));
        }
        return pinned(repo).map(|program| (program, Vec::new()));
    };
    let sha256 = sha256_of(&local.program)?;
    let mut notes = Vec::new();
    let own = std::env::current_exe()
        .ok()
        .and_then(|p| p.canonicalize().ok());
    if own.as_deref() != local.program.canonicalize().ok().as_deref() {
        notes.push(format!(
            "this machine's platform starts {}, which is not this program",
            local.program.display()
        ));
    }
    Ok((Program::Binary { sha256 }, notes))
}

/// The release that HEAD's Dockerfile pins.
fn pinned(repo: &Repo) -> Result<Program, GatherError> {
    let failed = |error: String| GatherError::Engine {
        path: format!("HEAD:{PIN_PATH}"),
        error,
    };
    let blob = repo
        .blob(PIN_PATH)
        .map_err(|error| failed(error.to_string()))?
        .ok_or_else(|| {
            failed(format!(
                "HEAD carries neither {TRADER_DIR}/ to build from nor a {PIN_PATH} that pins a release"
            ))
        })?;
    let text = String::from_utf8(blob).map_err(|_| failed("it is no text".to_owned()))?;
    super::pin::read(&text).map_err(failed)
}

fn sha256_of(path: &Path) -> Result<String, GatherError> {
    let failed = |source| GatherError::Program {
        path: path.to_owned(),
        source,
    };
    // A pipe or device may have no end.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("is not a regular file")));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Ok(digest::sha256(&bytes))
}

/// What a planted fault adds to the feed that the trader reports: it is said, or it is not the plan.
fn planted_fault(
    env: &EnvName,
    target: &Target,
    in_service: &BTreeMap<String, String>,
) -> Result<Option<String>, GatherError> {
    let Some(text) = in_service.get(Fault::VARIABLE) else {
        return Ok(None);
    };
    if target.platform != Platform::Local || target.class == Class::Production {
        return Err(GatherError::PlantedFault {
            env: env.to_string(),
            variable: Fault::VARIABLE,
            class: target.class.to_string(),
            platform: target.platform.to_string(),
        });
    }
    // What is no fault makes the trader refuse to start, and says so itself.
    Ok(text.parse::<Fault>().ok().map(|fault| fault.label()))
}

/// How old and new follow each other.
fn order_note(target: &Target, replaces: bool) -> Option<String> {
    if !replaces {
        return None;
    }
    Some(match target.platform {
        Platform::Local => {
            "the service has a volume: the platform ends the old instance before it starts the new one"
        }
        Platform::Railway => {
            "on a service with a volume the platform ends the old instance before it starts the new \
             one; on any other both run until the new one is active, and only one holds the lease"
        }
    }
    .to_owned())
}
