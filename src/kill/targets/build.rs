//! One target: each value from its flag, else its kill file, else, unless local, a variable.

use super::{AMBIENT, Resolved, Surroundings, Target, Unusable};
use crate::args::{KillArgs, Mode};
use crate::client::Auth;
use crate::endpoint::Endpoint;
use crate::kill_file::{KillFile, LocalProcesses, living_platform};
use crate::secret::Secret;
use crate::state_dir::{EnvName, TokenFile};
use crate::venue::VenueAccess;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

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

/// Whether the flags name ids.
pub(super) fn has_id_flags(args: &KillArgs) -> bool {
    args.project_id.is_some() || args.environment_id.is_some() || args.service_id.is_some()
}

/// One target from its kill file, the flags and, unless it is local, the environment variables.
pub(super) fn build(
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
    if let Some(env) = env {
        found.notes.extend(odd_token_files(env, around));
    }
    let mut target = Target {
        name: env.cloned(),
        is_local,
        endpoint: endpoint(&label, file, has_file, args, around, found)?,
        auths: auths(env, file, around, found),
        project_id,
        environment_id,
        service_id,
        deployment_id: of_file(&file.deployment_id),
        instance_nonce: of_file(&file.instance_nonce),
        may_be_live: may_be_live(of_file(&file.mode).as_deref(), args.mode),
        venue: None,
        trader_url: trader_url(
            &label,
            of_file(&file.trader_url),
            ambient("LAUNCH_TRADER_URL"),
            args,
            found,
        )?,
        watchdog_url: address(&label, "watchdog_url", of_file(&file.watchdog_url), found),
        dashboard_url: of_file(&file.dashboard_url),
        halt_tokens: halt_tokens(env, is_local, around, found),
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
    target.venue = venue(&target, around, found);
    Ok(target)
}

/// Whether real orders may be behind the target. The kill file was written by the deploy and wins
/// over a flag that says less; a flag that says live is believed; nobody's word counts as live.
fn may_be_live(of_file: Option<&str>, told: Option<Mode>) -> bool {
    match (of_file, told) {
        (_, Some(Mode::Live)) => true,
        (Some(mode), _) => !matches!(mode, "paper" | "dry-run"),
        (None, told) => told.is_none(),
    }
}

/// Access to the venue, where real orders may be behind the target. A venue on this machine is
/// believed only for a target whose platform is here, too.
pub(super) fn venue(
    target: &Target,
    around: &Surroundings,
    found: &mut Resolved,
) -> Option<VenueAccess> {
    if !target.may_be_live {
        return None;
    }
    let is_here = target.endpoint.as_ref().is_none_or(Endpoint::is_loopback);
    let variable = |name: &str| around.variable(name).map(str::to_owned);
    let mut notes = Vec::new();
    let access = VenueAccess::read(variable, is_here, &mut notes);
    let told = notes
        .into_iter()
        .map(|note| format!("{}: {note}", target.env));
    found.notes.extend(told);
    access
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
fn auths(
    env: Option<&EnvName>,
    file: &KillFile,
    around: &Surroundings,
    found: &mut Resolved,
) -> Vec<Auth> {
    let from_file = usable(
        "the token file",
        around.token(TokenFile::Platform, env),
        found,
    )
    .map(Auth::Project);
    if file.is_local() {
        return from_file.into_iter().collect();
    }
    let mut variable =
        |name: &str| usable(name, around.variable(name).and_then(Secret::new), found);
    let own_name = env.map(own_token_variable);
    let candidates = [
        variable("RAILWAY_TOKEN").map(Auth::Project),
        own_name
            .as_deref()
            .and_then(&mut variable)
            .map(Auth::Project),
        file.token_env
            .as_deref()
            .and_then(&mut variable)
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

/// A token that no header may carry is named and left out: it must not stand before one that works.
fn usable(place: &str, token: Option<Secret>, found: &mut Resolved) -> Option<Secret> {
    let token = token?;
    if token.fits_header() {
        return Some(token);
    }
    let note = format!("{place} holds characters that no token has: it is left out");
    if !found.notes.contains(&note) {
        found.notes.push(note);
    }
    None
}

/// `RAILWAY_TOKEN_<ENV>`: the platform token of one environment.
pub(crate) fn own_token_variable(env: &EnvName) -> String {
    format!(
        "RAILWAY_TOKEN_{}",
        env.as_str().to_uppercase().replace('-', "_")
    )
}

/// Environment, then file; for a local target the file first: the variable is likely another's.
fn halt_tokens(
    env: Option<&EnvName>,
    is_local: bool,
    around: &Surroundings,
    found: &mut Resolved,
) -> Vec<Secret> {
    let variable = around.variable("LAUNCH_HALT_TOKEN").and_then(Secret::new);
    let variable = usable("LAUNCH_HALT_TOKEN", variable, found);
    let file = usable(
        "the halt token's file",
        around.token(TokenFile::Halt, env),
        found,
    );
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

/// In place of a kill file that cannot be read: with a token of the environment and a platform that
/// lives on this machine, that platform is asked. Whatever names Railway comes first.
pub(super) fn local_stand_in(
    env: &EnvName,
    args: &KillArgs,
    around: &Surroundings,
) -> Option<KillFile> {
    let names_railway = has_id_flags(args)
        || args.endpoint.is_some()
        || RAILWAY_VARIABLES
            .iter()
            .any(|name| around.variable(name).is_some());
    let has_platform = || {
        let dir = around.state_dir.as_ref();
        dir.and_then(living_platform).is_some()
    };
    (!names_railway && around.token(TokenFile::Platform, Some(env)).is_some() && has_platform())
        .then(|| KillFile {
            env: env.to_string(),
            platform: Some("local".into()),
            ..KillFile::default()
        })
}

/// Whether the environment's token file holds a token of this machine's platform: 64 hexadecimal
/// digits. Railway's are UUIDs, and must not be asked of anybody else.
pub(super) fn is_token_of_here(env: &EnvName, around: &Surroundings) -> bool {
    around
        .token(TokenFile::Platform, Some(env))
        .is_some_and(|token| {
            let text = token.expose();
            text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit())
        })
}

/// What is odd about the environment's token files.
fn odd_token_files(env: &EnvName, around: &Surroundings) -> Vec<String> {
    let Some(dir) = &around.state_dir else {
        return Vec::new();
    };
    let odd = |kind| {
        let path = dir.token_path(kind, env);
        match dir.read_token(kind, env) {
            Err(error) => Some(format!("{error}; it is left out")),
            Ok(Some(_)) if is_open_to_others(&path) => Some(format!(
                "others can read {}: chmod 600 it, and make a new token if this machine has others",
                path.display()
            )),
            Ok(_) => None,
        }
    };
    [TokenFile::Platform, TokenFile::Halt]
        .into_iter()
        .filter_map(odd)
        .collect()
}

/// Whether anybody but the owner may read a file.
pub(crate) fn is_open_to_others(path: &std::path::Path) -> bool {
    std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0)
}

/// The platform of this machine may have been started again since the deploy, at another port.
fn follow_moved_platform(target: &mut Target, around: &Surroundings, found: &mut Resolved) {
    let Some((endpoint, process)) = around.state_dir.as_ref().and_then(living_platform) else {
        return;
    };
    let is_moved = target.endpoint.as_ref() != Some(&endpoint)
        || target.platform_process.as_ref() != Some(&process);
    if is_moved {
        found.notes.push(format!(
            "{}: the platform of this machine runs at {endpoint} now",
            target.env
        ));
        target.endpoint = Some(endpoint);
        target.platform_process = Some(process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_mode_without_money_is_not_live() {
        for (file, flag, live) in [
            (None, None, true),
            (None, Some(Mode::Paper), false),
            (None, Some(Mode::DryRun), false),
            (None, Some(Mode::Live), true),
            (Some("paper"), None, false),
            (Some("paper"), Some(Mode::Live), true),
            (Some("live"), Some(Mode::Paper), true),
            (Some("Paper "), Some(Mode::Paper), true),
        ] {
            assert_eq!(may_be_live(file, flag), live, "{file:?} {flag:?}");
        }
    }
}
