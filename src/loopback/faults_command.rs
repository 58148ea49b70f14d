//! `launch platform faults`: shows and changes the faults in force, by hand.
//!
//! Must not change a fault that makes no sense into one that does; a refusal changes nothing.

use clap::Args;
use serde_json::{Map, Value, json};

use super::ensure::{ask_admin, running};
use super::error::PlatformError;
use super::fault_rules;
use super::faults::Faults;
use crate::context::{Context, Format};
use crate::exit::Exit;
use std::time::Duration;

/// Longest wait for the platform.
const PATIENCE: Duration = Duration::from_secs(5);
const PATH: &str = "/loopback/faults";

/// Which faults are in force from now on; without a flag they are only shown.
#[derive(Debug, Args)]
pub(crate) struct FaultsArgs {
    /// These faults and no others, as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "clear")]
    set: Option<String>,
    /// None at all.
    #[arg(long)]
    clear: bool,
}

/// Runs the command.
pub(crate) fn run(args: &FaultsArgs, ctx: &Context) -> Result<Exit, PlatformError> {
    let wanted = match &args.set {
        Some(json) => Some(fault_rules::parse(json.as_bytes())?),
        None => args.clear.then(Faults::default),
    };
    if running(&ctx.state_dir)?.is_none() {
        ctx.error("error: the loopback platform does not run here, so it has no faults; start it with `launch platform start`");
        return Ok(Exit::Unknown);
    }
    let (method, body) = match wanted {
        Some(faults) => ("POST", json!(faults)),
        None => ("GET", Value::Null),
    };
    let (_, answer) = ask_admin(&ctx.state_dir, method, PATH, &body, PATIENCE)?;
    ctx.document(&match ctx.format {
        Format::Json => format!("{}\n", json!({ "faults": answer })),
        Format::Human => format!("{}\n", line(&answer)),
    });
    Ok(Exit::Ok)
}

/// The faults in force as one line; it can be pasted behind `--set`.
pub(crate) fn line(faults: &Value) -> String {
    let in_force = in_force(faults);
    if in_force.is_empty() {
        "faults: none".to_owned()
    } else {
        format!("faults: {}", Value::Object(in_force))
    }
}

/// The fields that are not off.
fn in_force(faults: &Value) -> Map<String, Value> {
    let off = json!(Faults::default());
    let fields = faults.as_object().cloned().unwrap_or_default();
    fields
        .into_iter()
        .filter(|(name, value)| off.get(name) != Some(value))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_force_reads_as_it_was_typed() {
        assert_eq!(line(&json!(Faults::default())), "faults: none");
        let typed = r#"{"builds_hang":true,"stop":"acknowledged_only"}"#;
        let faults = fault_rules::parse(typed.as_bytes()).unwrap();
        assert_eq!(line(&json!(faults)), format!("faults: {typed}"));
    }
}
