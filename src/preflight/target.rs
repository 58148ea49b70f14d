//! Looks at the place that a deploy goes to: names of variables, whose the token is, what a kill would find.
//!
//! Asks with the operator's token and changes nothing there; for a target on this machine it starts the
//! machine's platform where none runs, as `launch plan` does. Values of variables are dropped where they are
//! read. Decides nothing.

use crate::platform::connect::{self, Connected};
use crate::platform::tokens;
use launch_checks::targets::{Platform, Target};
use launch_checks::{AskFailed, Missing, ServicePlace, TargetFacts, TokenBelongs};
use launch_kill::{
    Auth, CallError, Deadline, EnvName, FindingStatus, KillFile, Secret, StateDir, Surroundings,
    TokenFile, check_env, platform,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Longest time that one question to the platform may take.
const ASK_MAX: Duration = Duration::from_secs(10);

/// Secrets of the trader that a deploy from here writes into the service.
const BROUGHT: [(&str, TokenFile); 2] = [
    ("LAUNCH_HALT_TOKEN", TokenFile::Halt),
    ("LAUNCH_CONTROL_TOKEN", TokenFile::Control),
];

/// What a kill's look is about that preflight judges; the rest is of what runs now.
const OF_THE_WAY: [&str; 4] = ["kill_file", "ids", "token", "service"];

/// `goes_to` is the environment's name and its target; the machine's own platform deploys `branch` of the
/// repository at `top`.
pub(super) fn look(
    goes_to: (&str, &Target),
    top: &Path,
    branch: &str,
    state_dir: &Path,
) -> Result<TargetFacts, Missing> {
    let (name, target) = goes_to;
    let broke = |why: String| Missing::new(format!("the platform cannot be asked: {why}"));
    let env = EnvName::parse(name).map_err(|error| broke(error.to_string()))?;
    let state = StateDir::at(state_dir);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| broke(error.to_string()))?;
    runtime.block_on(async {
        let connected = connect::connect(&env, target, &state, top, branch, None)
            .await
            .map_err(|error| Missing::new(error.to_string()).help("launch doctor"))?;
        let is_local = target.platform == Platform::Local;
        Ok(ask(&env, &state, &connected, is_local).await)
    })
}

async fn ask(
    env: &EnvName,
    state: &StateDir,
    connected: &Connected,
    is_local: bool,
) -> TargetFacts {
    let limit = || Deadline::after(ASK_MAX);
    let (client, ids) = (&connected.client, &connected.ids);
    let (variables, service) = (
        platform::variables(client, ids, limit()).await,
        platform::service_exists(client, ids, limit()).await,
    );
    let token = match &connected.auth {
        Auth::Bearer(_) => Ok(TokenBelongs::Account),
        Auth::Project(_) => platform::project_token(client, limit())
            .await
            .map(|scope| TokenBelongs::Project {
                project_id: scope.project_id,
                environment_id: scope.environment_id,
            })
            .map_err(|error| failed(&error)),
    };
    TargetFacts {
        endpoint: connected.endpoint.as_str().to_owned(),
        wanted: ServicePlace {
            project_id: ids.project_id.clone(),
            environment_id: ids.environment_id.clone(),
            service_id: ids.service_id.clone(),
        },
        variables: variables
            .map(|all| {
                all.into_iter()
                    .map(|(name, value)| (name, value.is_some()))
                    .collect()
            })
            .map_err(|error| failed(&error)),
        brought: brought(env, state, is_local, &tokens::process_variable),
        token,
        service: service.map_err(|error| failed(&error)),
        kill_stumbles: kill_stumbles(env, state).await,
    }
}

/// What is here and goes along; for the machine's own platform the deploy makes what is not.
fn brought(
    env: &EnvName,
    state: &StateDir,
    is_local: bool,
    variable: &dyn Fn(&str) -> Option<String>,
) -> BTreeSet<String> {
    BROUGHT
        .into_iter()
        .filter(|(name, kind)| {
            let is_set = || variable(name).and_then(|text| Secret::new(&text)).is_some();
            let is_kept = || {
                state
                    .read_token(*kind, env)
                    .is_ok_and(|token| token.is_some())
            };
            is_local || is_set() || is_kept()
        })
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Where a deploy was before, its kill must still find its way.
async fn kill_stumbles(env: &EnvName, state: &StateDir) -> Vec<String> {
    match KillFile::read(state, env) {
        Ok(None) => return Vec::new(),
        Ok(Some(_)) => {}
        Err(error) => return vec![format!("kill_file: {error}")],
    }
    let mut around = Surroundings::of_this_process(Some(state.root()));
    around.state_dir = Some(state.clone());
    match check_env(Some(env.as_str()), &around).await {
        Ok(report) => report
            .findings
            .into_iter()
            .filter(|finding| finding.status == FindingStatus::Failed)
            .filter(|finding| OF_THE_WAY.contains(&finding.what))
            .map(|finding| format!("{}: {}", finding.what, finding.detail))
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

/// Whether the platform said no, or nothing that can be used.
fn failed(error: &CallError) -> AskFailed {
    let is_a_no = matches!(error, CallError::Unauthorized(_) | CallError::NotFound(_));
    if is_a_no {
        AskFailed::Denied(error.to_string())
    } else {
        AskFailed::Unreachable(error.to_string())
    }
}
