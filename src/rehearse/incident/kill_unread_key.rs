//! The fourth form of the kill switch: it wrote a control key that no trader ever read, counted positions by
//! a word that the store spelled otherwise, and reported "no open positions".
//!
//! Planted: the manifest's old `kill_switch_enabled`, the old key as a service variable, and a kill that has no
//! access to the trader's account. Right: the key in the manifest is refused; the variable changes nothing and
//! the command that counts reads its effect back; what is not known is null, never none.

use super::{Incident, Outcome, refusing_checks};
use crate::rehearse::document::{at, text};
use crate::rehearse::life;
use crate::rehearse::running::Running;
use crate::rehearse::scratch::{RehearseError, Scratch};
use serde_json::Value;

pub(super) const INCIDENT: Incident = Incident {
    id: "kill-unread-key",
    of: Some("2"),
    slug: "kill-unread-key",
    title: "KILL SWITCH, FOURTH FORM: a key that nobody reads, unknown taken for none",
    planted: "kill_switch_enabled in the manifest; kill_switch_level as a variable; no halt token to ask with",
    command: "launch halt --env staging; launch status --env staging",
    plant,
};

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    let key = inert_key(scratch)?;
    life::commit_and_push(scratch)?;
    life::deploy(scratch)?;
    let running = Running::of(scratch, "staging")?;
    running.set_variable("kill_switch_level", "emergency")?;
    let unmoved = at(&running.health()?, "/halted").is_null();
    let halt = scratch.launch(&["halt", "--env", "staging", "--format", "json"])?;
    let halted = halt.expect(0)?.json()?;
    let is_halted = !at(&running.health()?, "/halted").is_null();
    let silent = without_account(scratch)?;
    let is_null = |name| silent.pointer(name) == Some(&Value::Null);
    let unknown = is_null("/targets/0/positions") && is_null("/targets/0/open_orders");
    let after = life::living_traders(scratch)?;
    let refused = !key.is_empty()
        && unmoved
        && text(&halted, "/verdict") == "reduced"
        && is_halted
        && unknown
        && after == 0;
    let by = if refused {
        let own = ["kill:halt_read_back", "kill:unknown_is_null"].map(str::to_owned);
        key.into_iter().chain(own).collect()
    } else {
        Vec::new()
    };
    let detail = format!(
        "the variable halted nothing: {unmoved}; launch halt: {}, shown by /health: {is_halted}; without \
         a token positions are {} and open orders {}; traders alive {after}",
        text(&halted, "/verdict"),
        at(&silent, "/targets/0/positions"),
        at(&silent, "/targets/0/open_orders"),
    );
    Ok(Outcome { by, detail })
}

/// The old manifest key, which only printing code ever read.
fn inert_key(scratch: &mut Scratch) -> Result<Vec<String>, RehearseError> {
    let path = "manifests/staging.toml";
    let honest = scratch.read(path)?;
    scratch.write(path, &format!("kill_switch_enabled = true\n{honest}"))?;
    life::commit_and_push(scratch)?;
    let ran = scratch.launch(&["preflight", "--env", "staging", "--format", "json"])?;
    let report = ran.expect(1)?.json()?;
    scratch.write(path, &honest)?;
    let checks = refusing_checks(&report);
    Ok(checks
        .into_iter()
        .filter(|check| check == "check:LC-201")
        .collect())
}

/// A kill that can stop the deployment and can ask nobody what it holds.
fn without_account(scratch: &Scratch) -> Result<Value, RehearseError> {
    let token = scratch.state().join("halt-staging");
    std::fs::remove_file(token).map_err(|source| RehearseError::Machine {
        doing: "take the halt token away".to_owned(),
        source,
    })?;
    let args = [
        "kill", "--env", "staging", "--settle", "1", "--format", "json",
    ];
    scratch.launch(&args)?.json()
}
