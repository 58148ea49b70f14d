//! The first form of the kill switch: a PID file. It lay on the laptop, the trader ran in a container on
//! another machine; the pid was "not there", so the trader was "not running".
//!
//! Planted: the kill file of the running trader, carried to a machine where nothing answers at the
//! platform's address and where both recorded pids belong to somebody else's process. Right: nothing is
//! called stopped, and nobody else's process is signalled.

use super::{Incident, Outcome};
use crate::rehearse::document::text;
use crate::rehearse::life;
use crate::rehearse::scratch::{RehearseError, Scratch};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

pub(super) const INCIDENT: Incident = Incident {
    id: "kill-pid-elsewhere",
    of: Some("2"),
    slug: "kill-pid-elsewhere",
    title: "KILL SWITCH, FIRST FORM: a PID file of another machine",
    planted: "the trader runs elsewhere; here both pids of its kill file belong to an innocent process",
    command: "launch kill --env staging --state-dir COPY",
    plant,
};

/// An innocent process that happens to have the pid of the file.
struct Innocent(Child);

impl Innocent {
    fn start() -> Result<Self, RehearseError> {
        let child = Command::new("sleep")
            .arg("300")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        child.map(Self).map_err(|source| RehearseError::Machine {
            doing: "start `sleep`".to_owned(),
            source,
        })
    }

    fn lives(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Innocent {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn plant(scratch: &mut Scratch) -> Result<Outcome, RehearseError> {
    life::scaffold(scratch)?;
    life::commit_and_push(scratch)?;
    life::deploy(scratch)?;
    let mut innocent = Innocent::start()?;
    let copy = carry_away(scratch, innocent.0.id())?;
    let args = [
        "kill",
        "--env",
        "staging",
        "--settle",
        "1",
        "--deadline",
        "5",
    ];
    let there = [&args[..], &["--state-dir", &copy, "--format", "json"]].concat();
    let elsewhere = scratch.launch(&there)?;
    let document = elsewhere.json()?;
    let unharmed = innocent.lives();
    let before = life::living_traders(scratch)?;
    // The same command where the trader really is.
    let here = scratch.launch(&[&args[..], &["--format", "json"]].concat())?;
    let proved = here.expect(0)?.json()?;
    let after = life::living_traders(scratch)?;
    let refused = elsewhere.code == Some(7) && before == 1 && after == 0 && unharmed;
    let by = if refused {
        vec!["kill:process_identity".to_owned(), "exit:7".to_owned()]
    } else {
        Vec::new()
    };
    let detail = format!(
        "with the copied file: {} (exit {:?}), innocent process unharmed: {unharmed}, traders alive \
         {before}; where it runs: {}, alive {after}",
        text(&document, "/verdict"),
        elsewhere.code.unwrap_or(-1),
        text(&proved, "/verdict"),
    );
    Ok(Outcome { by, detail })
}

/// The state directory as it looks on another machine: its kill file says who ran where it was written.
fn carry_away(scratch: &Scratch, pid: u32) -> Result<String, RehearseError> {
    let machine = |doing: &str| {
        let doing = doing.to_owned();
        move |source| RehearseError::Machine { doing, source }
    };
    let copy = scratch.state().with_file_name("copied-state");
    std::fs::create_dir_all(&copy).map_err(machine("make a folder"))?;
    for name in ["token-staging", "halt-staging"] {
        std::fs::copy(scratch.state().join(name), copy.join(name))
            .map_err(machine("copy a token"))?;
    }
    let text = std::fs::read_to_string(scratch.state().join("kill-staging.json"))
        .map_err(machine("read the kill file"))?;
    let mut file: Value = serde_json::from_str(&text)
        .map_err(|error| RehearseError::Wrong(format!("the kill file: {error}")))?;
    // A port of this machine where nobody listens, as the trader's own port is on any other.
    let nobody = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(machine("find a free port"))?;
    if let Some(members) = file.as_object_mut() {
        members.insert(
            "endpoint".into(),
            json!(format!("http://{nobody}/graphql/v2")),
        );
        members.insert("trader_url".into(), json!(format!("http://{nobody}")));
        members.remove("watchdog_url");
        members.insert(
            "local".into(),
            json!({
                "boot_id": "11111111-2222-3333-4444-555555555555/4026531836/another-machine",
                "platform_pid": pid, "platform_start": 1, "trader_pid": pid, "trader_start": 1,
            }),
        );
    }
    std::fs::write(copy.join("kill-staging.json"), file.to_string())
        .map_err(machine("write the kill file"))?;
    Ok(copy.display().to_string())
}
