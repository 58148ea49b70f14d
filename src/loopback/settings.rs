//! `serviceInstanceUpdate`: which settings the platform models, and the refusal of all others.
//!
//! A setting that would be accepted and ignored is refused by name. Settings reach the next
//! deployment, never a running one.

use apollo_compiler::resolvers::FieldError;
use apollo_compiler::response::{JsonMap, JsonValue};

use super::query::refused;
use super::state::{DeployConfig, RestartPolicy};

/// Largest draining or overlap time (seconds): an hour. ASSUMED.
const LONGEST_SECS: u32 = 3_600;
/// Railway's default for `restartPolicyMaxRetries`.
pub(crate) const DEFAULT_MAX_RETRIES: u32 = 10;
/// Characters that only a shell gives a meaning; no shell is run here.
const SHELL_CHARACTERS: &str = "'\"\\$`&|;<>()*?~#\n";

/// The settings after an update. Errors: Railway's `Error in <name> - Invalid input`, or a setting
/// that is not modelled.
pub(crate) fn updated(config: &DeployConfig, input: &JsonMap) -> Result<DeployConfig, FieldError> {
    let mut config = config.clone();
    for (name, value) in input {
        let name = name.as_str();
        match name {
            "drainingSeconds" => config.draining_secs = number(name, value, 0, LONGEST_SECS)?,
            "overlapSeconds" => config.overlap_secs = number(name, value, 0, LONGEST_SECS)?,
            "restartPolicyMaxRetries" => {
                config.restart_max_retries = number(name, value, DEFAULT_MAX_RETRIES, u32::MAX)?;
            }
            "restartPolicyType" => {
                let policy = value.as_str().and_then(RestartPolicy::parse);
                config.restart_policy = policy.ok_or_else(|| invalid(name))?;
            }
            "startCommand" => config.start_command = words(value)?,
            "numReplicas" if value.as_i64() == Some(0) => return Err(invalid(name)),
            "numReplicas" if value.as_i64() == Some(1) => {}
            "sleepApplication" if value.as_bool() == Some(false) => {}
            _ if value.is_null() => {}
            other => {
                return Err(refused(format!(
                    "the loopback platform does not model {other} = {value}"
                )));
            }
        }
    }
    Ok(config)
}

/// A whole number within bounds; null goes back to the default.
fn number(name: &str, value: &JsonValue, default: u32, largest: u32) -> Result<u32, FieldError> {
    if value.is_null() {
        return Ok(default);
    }
    let number = value.as_i64().and_then(|number| u32::try_from(number).ok());
    number
        .filter(|number| *number <= largest)
        .ok_or_else(|| invalid(name))
}

fn words(value: &JsonValue) -> Result<Vec<String>, FieldError> {
    let line = value.as_str().unwrap_or_default();
    if line.contains(|c| SHELL_CHARACTERS.contains(c)) {
        return Err(refused(
            "the loopback platform runs startCommand without a shell",
        ));
    }
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() {
        Err(invalid("startCommand"))
    } else {
        Ok(words)
    }
}

fn invalid(name: &str) -> FieldError {
    refused(format!("Error in {name} - Invalid input"))
}
