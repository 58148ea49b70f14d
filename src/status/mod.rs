//! `launch status`: what runs, what it holds, who watches it, what is frozen.
//!
//! Changes and starts nothing. What could not be seen is said to be unknown, never shown as none.

mod render;
mod snapshot;

use crate::context::{Context, Format};
use crate::exit::Exit;
use crate::plan::as_json;
use launch_kill::{EnvName, StateDir};

/// Show what runs, what it holds and who watches it.
///
/// Without --env: the only environment that was deployed from this machine, else all of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  launch status
  launch status --env staging --format json

Exit: 0 everything could be seen; 3 something could not.")]
pub struct StatusArgs {
    /// The environment.
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Another GraphQL address for a railway target.
    #[arg(long, value_name = "URL", requires = "env")]
    pub endpoint: Option<String>,
}

/// Runs `launch status`.
pub fn run(args: &StatusArgs, ctx: &Context) -> Exit {
    let state = StateDir::at(&ctx.state_dir);
    let envs = match args.env.as_deref() {
        Some(name) => EnvName::parse(name).map(|env| vec![env]),
        None => state.known_envs(),
    };
    let envs = match envs {
        Ok(envs) => envs,
        Err(error) => {
            ctx.error(&format!("error: {error}"));
            return Exit::Usage;
        }
    };
    let runtime = match crate::runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            ctx.error(&format!("error: cannot start: {error}"));
            return Exit::Bug;
        }
    };
    let all = runtime.block_on(async {
        let mut all = Vec::new();
        for env in &envs {
            all.push(snapshot::take(&state, env, args.endpoint.as_deref()).await);
        }
        all
    });
    match ctx.format {
        Format::Human if all.is_empty() => ctx.document(&format!(
            "nothing was ever deployed from {}\n",
            state.root().display()
        )),
        Format::Human => ctx.document(&all.iter().map(render::human).collect::<String>()),
        Format::Json => ctx.document(&as_json(
            &serde_json::json!({"schema_version": 1, "targets": all}),
        )),
    }
    if all.iter().all(snapshot::Snapshot::is_whole) {
        Exit::Ok
    } else {
        Exit::Unknown
    }
}

/// The environment of `--env`, or the only one that this state directory knows.
///
/// # Errors
/// A bad name, none known, or more than one: named, for the operator to choose.
pub fn only_env(given: Option<&str>, state: &StateDir) -> Result<EnvName, String> {
    if let Some(name) = given {
        return EnvName::parse(name).map_err(|error| error.to_string());
    }
    let known = state.known_envs().map_err(|error| error.to_string())?;
    match known.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(format!(
            "nothing was ever deployed from {}; name the environment with --env",
            state.root().display()
        )),
        several => {
            let names: Vec<&str> = several.iter().map(EnvName::as_str).collect();
            Err(format!(
                "which environment? Name one with --env: {}",
                names.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use launch_kill::KillFile;

    #[test]
    fn an_environment_is_never_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::at(dir.path());
        assert!(only_env(None, &state).unwrap_err().contains("--env"));
        let write = |name: &str| {
            let env = EnvName::parse(name).unwrap();
            KillFile::default().write(&state, &env).unwrap();
        };
        write("staging");
        assert_eq!(only_env(None, &state).unwrap().as_str(), "staging");
        write("production");
        let refused = only_env(None, &state).unwrap_err();
        assert!(refused.contains("production, staging"), "{refused}");
        assert_eq!(
            only_env(Some("staging"), &state).unwrap().as_str(),
            "staging"
        );
        assert!(only_env(Some("../x"), &state).is_err());
    }
}
