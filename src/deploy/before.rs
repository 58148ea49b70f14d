//! Everything before the deploy is sent: freeze, plan, preflight, lock, and the plan again under the
//! lock. Changes nothing on the target; any refusal leaves everything as it was.

use super::day_loss;
use super::frozen;
use super::history::{self, Deployed};
use super::lock::{self, DeployLock, LockError};
use super::refusal::Refusal;
use super::steps::Steps;
use super::{DeployArgs, operator};
use crate::clock;
use crate::context::Context;
use crate::plan::gather::{self, Gathered};
use crate::plan::intent::Plan;
use crate::plan::render;
use crate::receipts::{self, lines};
use crate::verify::observe;
use launch_kill::{Auth, Client, Endpoint, EnvName, KillFile, ServiceIds, StateDir, TokenFile};

/// A deploy that may be sent.
#[derive(Debug)]
pub struct Cleared {
    /// Facts and plan, made under the lock.
    pub gathered: Gathered,
    /// Earlier deploys of the environment.
    pub history: Vec<Deployed>,
    /// Verdict of the preflight, for the receipt.
    pub preflight: String,
    /// Held until the deploy is over.
    pub lock: DeployLock,
}

/// Clears a deploy, or refuses it.
///
/// # Errors
/// See [`Refusal`].
pub async fn clear(
    args: &DeployArgs,
    ctx: &Context,
    steps: &mut Steps,
) -> Result<Cleared, Refusal> {
    let state = StateDir::at(&ctx.state_dir);
    let env = EnvName::parse(&args.env).map_err(|error| Refusal::Usage(error.to_string()))?;
    frozen::by_file(&state, &env)?;
    let history = read_history(&state, &env)?;
    let given = given_plan(args, ctx, &history)?;
    steps.begin("plan");
    let plan_id = given.as_ref().map(|plan| plan.plan_id.as_str());
    let planned = gather::gather(ctx, &args.env, args.endpoint.as_deref(), plan_id).await?;
    banner(&planned, args, steps);
    if let Some(given) = &given {
        unchanged(given, &planned.plan)?;
    }
    if let Some(warning) = day_loss::warning(&state, &env, clock::now()) {
        steps.say(&warning);
    }
    for note in &planned.plan.notes {
        steps.say(note);
    }
    steps.begin("preflight");
    let preflight = super::preflight::judge(ctx, &planned).await?;
    steps.begin("lock");
    let lock = lock::take(
        &state,
        &env,
        operator(),
        &planned.plan.plan_id,
        clock::now_text(),
    )
    .map_err(|error| match error {
        LockError::Held(who) => Refusal::Locked(who),
        LockError::Document(_) | LockError::Io { .. } | LockError::NoIdentity => {
            Refusal::Unknown(error.to_string())
        }
    })?;
    if let Some(dead) = lock.taken_over() {
        steps.say(&format!(
            "took over the lock of {} (process {}, plan {}), which is gone",
            dead.owner, dead.pid, dead.plan_id
        ));
    }
    frozen::by_file(&state, &env)?;
    frozen::by_variable(&planned.connected, &env).await?;
    let id = Some(planned.plan.plan_id.as_str());
    let gathered = gather::gather(ctx, &args.env, args.endpoint.as_deref(), id).await?;
    unchanged(&planned.plan, &gathered.plan)?;
    one_target(&gathered).await?;
    // Under the lock the history is read again: another deploy, of this very plan too, may have ended
    // meanwhile.
    let history = read_history(&state, &env)?;
    unused(&gathered.plan.plan_id, &history)?;
    Ok(Cleared {
        gathered,
        history,
        preflight,
        lock,
    })
}

fn read_history(state: &StateDir, env: &EnvName) -> Result<Vec<Deployed>, Refusal> {
    let all = receipts::read_to_append(state).map_err(|error| {
        Refusal::Unknown(format!(
            "the receipts cannot be read, so nothing could be written behind them: {error}"
        ))
    })?;
    Ok(history::deploys(&all, env.as_str()))
}

/// The plan of `--plan`: whole, for this environment, not expired, not used.
fn given_plan(
    args: &DeployArgs,
    ctx: &Context,
    history: &[Deployed],
) -> Result<Option<Plan>, Refusal> {
    let Some(path) = &args.plan else {
        return Ok(None);
    };
    let path = ctx.cwd.join(path);
    let plan: Plan = lines::read_document(&path)
        .map_err(|error| Refusal::Usage(error.to_string()))?
        .ok_or_else(|| Refusal::Usage(format!("{} does not exist", path.display())))?;
    plan.check_digests()
        .map_err(|error| Refusal::Stale(format!("{}: {error}", path.display())))?;
    if plan.intent.env != args.env {
        return Err(Refusal::Usage(format!(
            "{} is a plan for {}, not for {}",
            path.display(),
            plan.intent.env,
            args.env
        )));
    }
    let fresh = plan
        .expires_at
        .parse::<jiff::Timestamp>()
        .is_ok_and(|until| clock::now() < until);
    if !fresh {
        return Err(Refusal::Stale(format!(
            "plan {} expired at {}; make a new one: launch plan --env {} --out …",
            plan.plan_id, plan.expires_at, args.env
        )));
    }
    unused(&plan.plan_id, history)?;
    Ok(Some(plan))
}

fn unused(plan_id: &str, history: &[Deployed]) -> Result<(), Refusal> {
    if history::is_used(history, plan_id) {
        return Err(Refusal::Stale(format!(
            "plan {plan_id} was deployed before, and a plan is used once; make a new one"
        )));
    }
    Ok(())
}

fn unchanged(planned: &Plan, now: &Plan) -> Result<(), Refusal> {
    let changes = planned.changes(now);
    if changes.is_empty() && planned.plan_digest == now.plan_digest {
        return Ok(());
    }
    Err(Refusal::Stale(format!(
        "plan {} no longer holds:\n{}",
        planned.plan_id,
        render::changes(&changes)
    )))
}

fn banner(gathered: &Gathered, args: &DeployArgs, steps: &Steps) {
    let env = &gathered.env;
    if gathered.connected.local.is_some() {
        steps.say(&format!(
            "{env} on THIS machine (platform = \"local\"): receipts made here never count for railway"
        ));
    }
    if args.endpoint.is_some() {
        steps.say(&format!(
            "endpoint {}, by --endpoint",
            gathered.connected.endpoint.as_str()
        ));
    }
    if let Some(url) = &gathered.connected.dashboard_url {
        steps.say(&format!("dashboard, open it on a second screen: {url}"));
    }
}

/// At most one live deployment to replace, and nothing left behind under other ids.
async fn one_target(gathered: &Gathered) -> Result<(), Refusal> {
    let env = &gathered.env;
    if let [_, _, ..] = gathered.plan.active_deployments.as_slice() {
        return Err(Refusal::Failed(format!(
            "{} deployments of {env} are live ({}); stop them first: launch kill --env {env}",
            gathered.plan.active_deployments.len(),
            gathered.plan.active_deployments.join(", ")
        )));
    }
    let known = KillFile::read(&gathered.state, env)
        .map_err(|error| Refusal::Unknown(error.to_string()))?;
    let Some((endpoint, ids)) = known.as_ref().and_then(|file| elsewhere(file, gathered)) else {
        return Ok(());
    };
    // The kill file is about to forget that service; nothing of it may be left running.
    match live_elsewhere(gathered, &endpoint, &ids).await {
        Ok(live) if live.is_empty() => Ok(()),
        Ok(live) => Err(Refusal::Failed(format!(
            "{env} was deployed to another service ({}), where {} is live; stop it first: \
             launch kill --env {env}",
            ids.service_id,
            live.join(", ")
        ))),
        Err(why) => Err(Refusal::Unknown(format!(
            "{env} was deployed to another service ({}), and whether it still runs cannot be \
             asked ({why}); prove it stopped first: launch kill --env {env}",
            ids.service_id
        ))),
    }
}

/// The service that the kill file names, when it is another one than the plan's.
fn elsewhere(file: &KillFile, gathered: &Gathered) -> Option<(Endpoint, ServiceIds)> {
    let ids = ServiceIds {
        project_id: file.project_id.clone(),
        environment_id: file.environment_id.clone()?,
        service_id: file.service_id.clone()?,
    };
    if ids == gathered.connected.ids {
        return None;
    }
    // On one machine the same platform answers at another port after a restart.
    let endpoint = if file.is_local() && gathered.connected.local.is_some() {
        gathered.connected.endpoint.clone()
    } else {
        Endpoint::parse(file.endpoint.as_deref()?).ok()?
    };
    Some((endpoint, ids))
}

/// Asks with every token that may fit.
async fn live_elsewhere(
    gathered: &Gathered,
    endpoint: &Endpoint,
    ids: &ServiceIds,
) -> Result<Vec<String>, String> {
    let token = gathered
        .state
        .read_token(TokenFile::Platform, &gathered.env)
        .map_err(|error| error.to_string())?;
    let mut why = "no token".to_owned();
    for auth in [
        Some(gathered.connected.auth.clone()),
        token.map(Auth::Project),
    ]
    .into_iter()
    .flatten()
    {
        let client = Client::new(endpoint.clone(), auth).map_err(|error| error.to_string())?;
        match observe::live(&client, ids).await {
            Ok(live) => return Ok(live.into_iter().map(|d| d.id).collect()),
            Err(error) => why = error,
        }
    }
    Err(why)
}
