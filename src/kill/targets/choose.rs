//! Which environments: `--env`, flags, every known one, or the environment variables.
//!
//! Ids of the environment variables that are not a target's own make a second target and a doubt.

use super::build::{build, has_id_flags, is_token_of_here, local_stand_in, venue};
use super::{AMBIENT, Resolved, Surroundings, Target, Unusable};
use crate::args::KillArgs;
use crate::endpoint::Endpoint;
use crate::kill_file::KillFile;
use crate::state_dir::{EnvName, StateError};
use std::collections::BTreeMap;

/// Most letters by which a mistyped name may differ from the one that was meant.
const SLIPS_MAX: usize = 2;
/// The kill files of the state directory.
type Known = Vec<(EnvName, Result<Option<KillFile>, StateError>)>;

/// Finds the targets of `args`.
///
/// # Errors
/// Nothing names a target, or a flag is unusable.
pub fn resolve(args: &KillArgs, around: &Surroundings) -> Result<Resolved, Unusable> {
    let mut found = Resolved::default();
    let known = known_targets(args, around, &mut found)?;
    if let Some(name) = &args.env {
        let env = EnvName::parse(name).map_err(|error| Unusable(error.to_string()))?;
        one_env(&env, args, around, &known, &mut found)?;
    } else if has_id_flags(args) {
        by_flags(args, around, &known, &mut found)?;
    } else {
        every_env(args, around, &known, &mut found)?;
    }
    leave_others_traders(&mut found, &known, args);
    set_foreign_deployments(&mut found, &known);
    Ok(found)
}

fn known_targets(
    args: &KillArgs,
    around: &Surroundings,
    found: &mut Resolved,
) -> Result<Known, Unusable> {
    let Some(dir) = &around.state_dir else {
        return Ok(Vec::new());
    };
    let envs = match dir.known_envs() {
        Ok(envs) => envs,
        // Named otherwise, the kill goes on; only "every known one" needs the list.
        Err(error)
            if args.env.is_some()
                || has_id_flags(args)
                || around.variable("RAILWAY_SERVICE_ID").is_some() =>
        {
            found.notes.push(error.to_string());
            Vec::new()
        }
        Err(error) => return Err(Unusable(error.to_string())),
    };
    Ok(envs
        .into_iter()
        .map(|env| (env.clone(), KillFile::read(dir, &env)))
        .collect())
}

/// `--env E`.
fn one_env(
    env: &EnvName,
    args: &KillArgs,
    around: &Surroundings,
    known: &Known,
    found: &mut Resolved,
) -> Result<(), Unusable> {
    let read = around
        .state_dir
        .as_ref()
        .map(|dir| KillFile::read(dir, env));
    let mut doubt = None;
    let file = read.and_then(|read| {
        read.unwrap_or_else(|error| {
            let stand_in = local_stand_in(env, args, around);
            let rest = if stand_in.is_some() {
                "going on with what this machine's platform knows"
            } else {
                doubt = Some(format!("what the kill file names may still run: {error}"));
                "going on with flags and environment variables"
            };
            found.notes.push(format!("{error}; {rest}"));
            stand_in
        })
    });
    let file = file.or_else(|| {
        let stand_in =
            local_stand_in(env, args, around).filter(|_| is_token_of_here(env, around))?;
        found.notes.push(format!(
            "{env} has no kill file; going on with what this machine's platform knows"
        ));
        Some(stand_in)
    });
    let has_file = file.is_some();
    let file = file.unwrap_or_default();
    let mut target = build(Some(env), &file, has_file, args, around, found)?;
    // A service named by hand is what was meant; one that happens to be in the environment is not.
    target
        .doubts
        .extend(doubt.filter(|_| args.service_id.is_none()));
    let names: Vec<EnvName> = known.iter().map(|(name, _)| name.clone()).collect();
    if !target.can_be_asked() {
        let hint = if has_file {
            String::new()
        } else {
            format!("{}. ", unknown_name(env.as_str(), &names))
        };
        return Err(Unusable(format!(
            "cannot stop `{env}`: {}. {hint}Set RAILWAY_TOKEN (a project token) and \
             RAILWAY_SERVICE_ID, or pass --service-id, or --state-dir where its kill file lies",
            missing(&target, has_file),
        )));
    }
    // The name's own ids are not known, those of the variables are stopped instead; with a slip of the
    // pen in the name, what was meant may still run.
    if !has_file
        && !has_id_flags(args)
        && let Some(meant) = near(env.as_str(), &names)
    {
        let doubt = format!("no kill file is called `{env}`; did you mean `{meant}`?");
        found.notes.push(doubt.clone());
        target.doubts.push(doubt);
    }
    push_with_ambient(target, around, found, &[]);
    Ok(())
}

/// What to say of a name that no kill file has.
pub(crate) fn unknown_name(env: &str, known: &[EnvName]) -> String {
    if known.is_empty() {
        return "Known here: none".to_owned();
    }
    let names: Vec<&str> = known.iter().map(EnvName::as_str).collect();
    let meant =
        near(env, known).map_or_else(String::new, |name| format!("did you mean `{name}`? "));
    format!(
        "no kill file is called `{env}`: {meant}Known here: {}",
        names.join(", ")
    )
}

/// The known name that differs by few letters.
fn near<'a>(env: &str, known: &'a [EnvName]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| {
            (
                strsim::osa_distance(&env.to_lowercase(), &name.as_str().to_lowercase()),
                name,
            )
        })
        .filter(|(distance, _)| *distance <= SLIPS_MAX)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.as_str())
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
    push_with_ambient(target, around, found, &[]);
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
        if let Ok(file) = file {
            let file = file.clone().unwrap_or_default();
            built.push(build(Some(env), &file, true, args, around, found)?);
        }
    }
    for (env, file) in known {
        let Err(error) = file else { continue };
        if let Some(file) = local_stand_in(env, args, around) {
            found.notes.push(format!(
                "{error}; going on with what this machine's platform knows"
            ));
            built.push(build(Some(env), &file, true, args, around, found)?);
        } else if let Some(target) = by_variables(env, error, args, around, &built, found)? {
            built.push(target);
        } else {
            found.unreadable.push((env.to_string(), error.to_string()));
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

/// In place of a kill file that cannot be read: what the environment variables name, unless another
/// target is just that. What the file names may still run.
fn by_variables(
    env: &EnvName,
    error: &StateError,
    args: &KillArgs,
    around: &Surroundings,
    others: &[Target],
    found: &mut Resolved,
) -> Result<Option<Target>, Unusable> {
    let mut own = Resolved::default();
    let mut target = build(
        Some(env),
        &KillFile::default(),
        false,
        args,
        around,
        &mut own,
    )?;
    let is_known = others.iter().any(|other| {
        !other.is_local
            && other.service_id == target.service_id
            && (target.environment_id.is_none() || other.environment_id == target.environment_id)
    });
    if is_known || target.service_id.is_none() || !target.can_be_asked() {
        return Ok(None);
    }
    found.notes.extend(own.notes);
    found.notes.push(format!(
        "{error}; going on with what the environment variables name"
    ));
    target
        .doubts
        .push(format!("what the kill file names may still run: {error}"));
    Ok(Some(target))
}

/// An address from the environment that is another known target's own would stop that one.
fn leave_others_traders(found: &mut Resolved, known: &Known, args: &KillArgs) {
    if args.trader_url.is_some() {
        return;
    }
    let address = |file: &KillFile| Endpoint::parse(file.trader_url.as_deref()?).ok();
    for target in &mut found.targets {
        let Some(url) = target.trader_url.clone() else {
            continue;
        };
        let mut files = known
            .iter()
            .filter_map(|(env, file)| Some((env, file.as_ref().ok()?.as_ref()?)));
        let is_own = |env: &EnvName| target.name.as_ref() == Some(env);
        let is_in_own_file = files
            .clone()
            .any(|(env, file)| is_own(env) && address(file).as_ref() == Some(&url));
        let owner = files.find(|(env, file)| {
            !is_own(env) && address(file).as_ref() == Some(&url) && is_elsewhere(file, target)
        });
        if let (false, Some((owner, _))) = (is_in_own_file, owner) {
            found.notes.push(format!(
                "{}: LAUNCH_TRADER_URL is {owner}'s trader: it is ignored",
                target.env
            ));
            target.trader_url = None;
        }
    }
}

/// Adds a target and, where the environment variables name another one, that one too.
fn push_with_ambient(
    mut target: Target,
    around: &Surroundings,
    found: &mut Resolved,
    others: &[Target],
) {
    let conflicts = if target.is_local {
        Vec::new()
    } else {
        ambient_conflicts(&target, around)
    };
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
    let mut ambient = Target {
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
    ambient.venue = venue(&ambient, around, found);
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
    let all: BTreeMap<&EnvName, &KillFile> = known
        .iter()
        .filter_map(|(env, file)| Some((env, file.as_ref().ok()?.as_ref()?)))
        .collect();
    for target in &mut found.targets {
        target.foreign_deployments = all
            .iter()
            .filter(|(env, file)| target.name.as_ref() != Some(**env) && is_elsewhere(file, target))
            .filter_map(|(_, file)| file.deployment_id.clone())
            .filter(|id| target.deployment_id.as_ref() != Some(id))
            .collect();
    }
}

/// Whether a kill file is of another service than the target's, for certain: a deployment of the
/// same service, or of one that is not known yet, is never a stranger's.
fn is_elsewhere(file: &KillFile, target: &Target) -> bool {
    let differs = |file: &Option<String>, target: &Option<String>| {
        file.is_some() && target.is_some() && file != target
    };
    differs(&file.service_id, &target.service_id)
        || differs(&file.environment_id, &target.environment_id)
}
