//! The places where a freeze stands: each is cleared and read back by itself.
//!
//! Asks and acts; the order and the verdict are the caller's.

use crate::platform::connect;
use crate::platform::reach::{self, Reach, ReachError};
use crate::platform::tokens::{self, Role, TraderTokens};
use crate::verify::observe;
use crate::watchdog::{record, spawn};
use launch_kill::freeze::{self, FreezeState};
use launch_kill::process::Life;
use launch_kill::{CallError, Deadline, Endpoint, EnvName, JsonClient, StateDir};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt;
use std::time::Duration;

/// Longest wait for one answer, ms.
const ANSWER_MS: u64 = 10_000;

/// What a person says when re-enabling.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// Why.
    pub(super) reason: String,
    /// Who.
    pub(super) by: String,
    /// Which freeze.
    pub(super) freeze_id: String,
}

impl Request {
    fn body(&self) -> Value {
        json!({"reason": self.reason, "by": self.by, "freeze_id": self.freeze_id})
    }
}

/// How one place ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Cleared, and read back.
    Cleared,
    /// There is nothing there that could be frozen.
    Absent,
    /// Not cleared, or not to be read back.
    Unknown,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Cleared => "cleared",
            Self::Absent => "nothing to clear",
            Self::Unknown => "UNKNOWN",
        })
    }
}

/// One place.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Place {
    /// Which.
    pub(super) name: &'static str,
    /// How it ended.
    pub(super) status: Status,
    /// What was seen.
    pub(super) detail: String,
}

impl Place {
    /// Whether nothing is frozen there any more.
    pub(super) fn is_lifted(&self) -> bool {
        self.status != Status::Unknown
    }
}

fn place(name: &'static str, status: Status, detail: impl Into<String>) -> Place {
    Place {
        name,
        status,
        detail: detail.into(),
    }
}

/// A place behind a freeze that could not be lifted.
pub(super) fn left_alone(name: &'static str) -> Place {
    place(
        name,
        Status::Unknown,
        "left as it is: the freeze before it is not lifted",
    )
}

fn within() -> Deadline {
    Deadline::after(Duration::from_millis(ANSWER_MS))
}

/// The platform of the environment. This machine's own one is started where it has ended: the variable
/// lies with it.
pub(super) async fn platform(
    state: &StateDir,
    env: &EnvName,
    endpoint: Option<&str>,
) -> Result<Reach, ReachError> {
    let known = reach::reach(state, env, Role::Operator, endpoint)?;
    if !known.kill_file.is_local() {
        return Ok(known);
    }
    match connect::wake(state, env).await {
        Ok(()) => reach::reach(state, env, Role::Operator, endpoint),
        // Asking it will say why.
        Err(_) => Ok(known),
    }
}

/// What the variable says.
pub(super) async fn read_variable(
    platform: &Result<Reach, ReachError>,
) -> Result<FreezeState, String> {
    let reach = platform.as_ref().map_err(ToString::to_string)?;
    freeze::read_variable(&reach.client, &reach.ids, within())
        .await
        .map_err(|error| error.to_string())
}

/// Whether a place may be cleared: it says what it said when the receipt was written. A freeze that came
/// since is somebody's kill, and nobody has said that it is safe again.
fn is_as_recorded(now: &FreezeState, recorded: &FreezeState) -> Result<(), String> {
    match (now, recorded) {
        (FreezeState::Frozen(new), old) if now != old => Err(format!(
            "frozen anew by {} ({}): {}; it stands: look into it, then reenable again",
            new.by, new.id, new.reason
        )),
        _ => Ok(()),
    }
}

/// `freeze-<env>.json`.
pub(super) fn clear_state_dir(state: &StateDir, env: &EnvName, recorded: &FreezeState) -> Place {
    let name = "state directory";
    if let Err(why) = is_as_recorded(&freeze::read_local(state, env), recorded) {
        return place(name, Status::Unknown, why);
    }
    if let Err(error) = freeze::clear_local(state, env) {
        return place(name, Status::Unknown, error.to_string());
    }
    match freeze::read_local(state, env) {
        FreezeState::Off => place(name, Status::Cleared, "read back: off"),
        FreezeState::Frozen(again) => place(
            name,
            Status::Unknown,
            format!("frozen again by {}: {}", again.by, again.reason),
        ),
        FreezeState::Unreadable(why) => place(name, Status::Unknown, why),
    }
}

/// `LAUNCH_FREEZE`.
pub(super) async fn clear_variable(
    platform: &Result<Reach, ReachError>,
    recorded: &Result<FreezeState, String>,
) -> Place {
    let name = "platform variable";
    let reach = match platform {
        Ok(reach) => reach,
        Err(error) => return place(name, Status::Unknown, error.to_string()),
    };
    // The platform has no compare-and-set: what comes in the moment between is caught by the kill itself,
    // which reads its freeze back at its end.
    let recorded = recorded.as_ref().unwrap_or(&FreezeState::Off);
    match read_variable(platform)
        .await
        .map(|now| is_as_recorded(&now, recorded))
    {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return place(name, Status::Unknown, why),
        Err(why) => return place(name, Status::Unknown, format!("not read: {why}")),
    }
    if let Err(error) = freeze::clear_variable(&reach.client, &reach.ids, within()).await {
        return place(name, Status::Unknown, error.to_string());
    }
    match read_variable(platform).await {
        Ok(FreezeState::Off) => place(name, Status::Cleared, "read back: off"),
        Ok(other) => place(name, Status::Unknown, format!("read back: {other:?}")),
        Err(why) => place(name, Status::Unknown, format!("not read back: {why}")),
    }
}

fn tokens_of(
    state: &StateDir,
    env: &EnvName,
    platform: &Result<Reach, ReachError>,
) -> Result<TraderTokens, String> {
    let is_local = platform
        .as_ref()
        .is_ok_and(|reach| reach.kill_file.is_local());
    tokens::find(state, env, is_local, &tokens::process_variable).map_err(|error| error.to_string())
}

/// The watchdog's revocation.
pub(super) async fn clear_watchdog(
    state: &StateDir,
    env: &EnvName,
    platform: &Result<Reach, ReachError>,
    request: &Request,
) -> Place {
    let name = "watchdog";
    let tokens = match tokens_of(state, env, platform) {
        Ok(tokens) => tokens,
        Err(why) if platform.is_err() => return place(name, Status::Absent, why),
        Err(why) => return place(name, Status::Unknown, why),
    };
    let Some(url) = watchdog_url(state, env, platform, &tokens).await else {
        return place(name, Status::Absent, "none runs");
    };
    match lift_latch(&url, tokens, request).await {
        Ok(()) => place(name, Status::Cleared, "read back: revoked by nobody"),
        Err(why) => place(name, Status::Unknown, format!("{url}: {why}")),
    }
}

/// Where a watchdog answers: the one of this machine, else the one that the kill file names, which a kill
/// revokes too. One of this machine that has ended is none.
async fn watchdog_url(
    state: &StateDir,
    env: &EnvName,
    platform: &Result<Reach, ReachError>,
    tokens: &TraderTokens,
) -> Option<String> {
    if let Some(running) = spawn::find(state, env, &tokens.control).await {
        return Some(running.record.url);
    }
    let url = platform.as_ref().ok()?.kill_file.watchdog_url.clone()?;
    let ended = record::read(state, env).ok().flatten();
    if ended.is_some_and(|record| record.url == url) {
        return None;
    }
    // A loopback address where nobody listens is an ended one of this machine, too.
    let at = Endpoint::parse(&url).ok()?;
    let told = JsonClient::new(at.clone(), Some(tokens.control.clone())).ok()?;
    let answer = told.get("/health", within()).await;
    let is_ended = at.is_loopback() && matches!(answer, Err(CallError::Refused));
    (!is_ended).then_some(url)
}

async fn lift_latch(url: &str, tokens: TraderTokens, request: &Request) -> Result<(), String> {
    let at = Endpoint::parse(url).map_err(|error| error.to_string())?;
    let client = JsonClient::new(at, Some(tokens.control)).map_err(|error| error.to_string())?;
    client
        .post("/reenable", &request.body(), within())
        .await
        .map_err(|error| error.to_string())?;
    let told = client
        .get("/health", within())
        .await
        .map_err(|error| format!("not read back: {error}"))?;
    match told.get("revoked") {
        Some(Value::Null) => Ok(()),
        other => Err(format!("read back: revoked {other:?}")),
    }
}

/// The halt in the trader's ledger.
pub(super) async fn clear_trader(
    state: &StateDir,
    env: &EnvName,
    platform: &Result<Reach, ReachError>,
    request: &Request,
) -> Place {
    let name = "trader";
    let later = "does not run; the next deploy re-enables its ledger by this receipt";
    let reach = match platform {
        Ok(reach) => reach,
        Err(error) => return place(name, Status::Unknown, error.to_string()),
    };
    if nothing_live(reach).await {
        return place(name, Status::Absent, later);
    }
    let Some(url) = &reach.kill_file.trader_url else {
        return place(name, Status::Unknown, "the kill file names no address");
    };
    match ask_trader(state, env, platform, url, request).await {
        Ok(detail) => place(name, Status::Cleared, detail),
        Err(why) => place(name, Status::Unknown, why),
    }
}

/// Whether the platform lists nothing live, and the trader's process is not seen alive.
async fn nothing_live(reach: &Reach) -> bool {
    let process_lives = reach
        .kill_file
        .local
        .as_ref()
        .and_then(launch_kill::LocalProcesses::trader)
        .is_some_and(|process| process.life() != Life::Gone);
    !process_lives
        && observe::live(&reach.client, &reach.ids)
            .await
            .is_ok_and(|live| live.is_empty())
}

async fn ask_trader(
    state: &StateDir,
    env: &EnvName,
    platform: &Result<Reach, ReachError>,
    url: &str,
    request: &Request,
) -> Result<String, String> {
    let tokens = tokens_of(state, env, platform)?;
    let at = Endpoint::parse(url).map_err(|error| error.to_string())?;
    let client = JsonClient::new(at, Some(tokens.control)).map_err(|error| error.to_string())?;
    let answer = client
        .post("/reenable", &request.body(), within())
        .await
        .map_err(|error| error.to_string())?;
    if answer.get("reenabled").and_then(Value::as_bool) != Some(true) {
        let why = answer.get("reason").and_then(Value::as_str);
        return Err(format!("it refuses: {}", why.unwrap_or("no reason given")));
    }
    let after = observe::not_halted(&client).await?;
    Ok(format!(
        "instance {} reads back: not halted",
        after.instance_nonce
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use launch_kill::freeze::Freeze;

    fn frozen(id: &str) -> Freeze {
        Freeze {
            id: id.into(),
            at: "2026-11-23T03:00:00Z".into(),
            by: "ann".into(),
            reason: "why".into(),
        }
    }

    #[test]
    fn a_freeze_that_came_after_the_receipt_stands() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::at(folder.path());
        let env = EnvName::parse("staging").unwrap();
        let first = frozen("kill-1");
        freeze::write_local(&state, &env, &first).unwrap();
        let recorded = freeze::read_local(&state, &env);
        // Another kill comes while the receipt is being written.
        freeze::write_local(&state, &env, &frozen("kill-2")).unwrap();
        let seen = clear_state_dir(&state, &env, &recorded);
        assert!(
            !seen.is_lifted() && seen.detail.contains("kill-2"),
            "{}",
            seen.detail
        );
        assert_eq!(
            freeze::read_local(&state, &env),
            FreezeState::Frozen(frozen("kill-2"))
        );
        // The one that is on the record goes; so does a file that nobody can read.
        freeze::write_local(&state, &env, &first).unwrap();
        assert!(clear_state_dir(&state, &env, &recorded).is_lifted());
        std::fs::write(state.freeze_path(&env), "{").unwrap();
        let recorded = freeze::read_local(&state, &env);
        assert!(clear_state_dir(&state, &env, &recorded).is_lifted());
        // Off on the record, frozen since.
        freeze::write_local(&state, &env, &first).unwrap();
        assert!(!clear_state_dir(&state, &env, &FreezeState::Off).is_lifted());
    }
}
